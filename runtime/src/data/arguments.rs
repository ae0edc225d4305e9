//! The arguments of a call by the names of the catalogue: each is what its parameter takes, or there is an error.

use super::spec::{Call, Value};
use crate::error::{DataError, Kind, Result};
use nnc_core::catalogue::{Entry, as_whole};

/// A call matched against its catalogue entry.
pub struct Arguments<'a> {
    entry: &'static Entry,
    values: Vec<Option<&'a Value>>,
}

impl<'a> Arguments<'a> {
    /// Matches positional and named arguments with the entry of that name.
    ///
    /// # Errors
    /// If there is no such entry, or an argument is unknown, missing, given twice, or not what its parameter takes.
    pub fn bind(entries: &'static [Entry], call: &'a Call) -> Result<Self> {
        let entry = entries.iter().find(|e| e.name == call.name).ok_or_else(|| {
            let names: Vec<_> = entries.iter().map(|e| e.name).collect();
            DataError::new(Kind::Request, format!("`{}` is not known here", call.name))
                .help(format!("known are {}", names.join(", ")))
        })?;
        let mut values = vec![None; entry.params.len()];
        for (i, (name, value)) in call.args.iter().enumerate() {
            let place = match name {
                None => (i < values.len()).then_some(i),
                Some(name) => entry.params.iter().position(|p| p.name == name),
            };
            let shown = name.clone().unwrap_or_else(|| format!("number {}", i + 1));
            let slot = place.ok_or_else(|| misuse(entry, &format!("has no argument {shown}")))?;
            let param = &entry.params[slot];
            if !param.takes.admits(value) {
                return Err(misuse(entry, &format!("wants {} as `{}`", param.takes.words(), param.name)));
            }
            if values[slot].replace(value).is_some() {
                return Err(misuse(entry, &format!("is given `{}` twice", param.name)));
            }
        }
        match entry.params.iter().zip(&values).find(|(p, v)| p.required && v.is_none()) {
            Some((param, _)) => Err(misuse(entry, &format!("wants an argument `{}`", param.name))),
            None => Ok(Self { entry, values }),
        }
    }

    /// The name called.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.entry.name
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.values[self.entry.params.iter().position(|p| p.name == name)?]
    }

    /// A text, if given.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'a str> {
        match self.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A text that must be given.
    #[must_use]
    pub fn needed_text(&self, name: &str) -> &'a str {
        self.text(name).unwrap_or_default()
    }

    /// A truth value, if given.
    #[must_use]
    pub fn truth(&self, name: &str) -> Option<bool> {
        match self.get(name) {
            Some(Value::Bool(b)) => Some(*b),
            _ => None,
        }
    }

    /// A number.
    #[must_use]
    pub fn number(&self, name: &str, default: f64) -> f64 {
        match self.get(name) {
            Some(Value::Number(x)) => *x,
            _ => default,
        }
    }

    /// A whole number.
    #[must_use]
    pub fn whole(&self, name: &str, default: usize) -> usize {
        self.number(name, default as f64) as usize
    }

    /// Height and width, if given.
    #[must_use]
    pub fn size(&self, name: &str) -> Option<[u32; 2]> {
        match self.extents(name)[..] {
            [height, width] => Some([height as u32, width as u32]),
            _ => None,
        }
    }

    /// Axes in the order wanted.
    #[must_use]
    pub fn order(&self, name: &str) -> Vec<usize> {
        self.get(name).map(axes).unwrap_or_default()
    }

    /// A list of extents.
    #[must_use]
    pub fn extents(&self, name: &str) -> Vec<usize> {
        let Some(Value::List(items)) = self.get(name) else { return vec![] };
        items.iter().filter_map(|item| if let Value::Number(x) = item { as_whole(*x, 1) } else { None }).collect()
    }
}

/// The axes that a list names.
fn axes(list: &Value) -> Vec<usize> {
    let Value::List(items) = list else { return vec![] };
    items.iter().filter_map(|item| if let Value::Number(x) = item { as_whole(*x, 0) } else { None }).collect()
}

/// The order that a step brings axes into, if it is one that moves them.
#[must_use]
pub fn order(step: &Call) -> Option<Vec<usize>> {
    let (_, order) = step.args.first().filter(|_| step.name == "permute")?;
    Some(axes(order))
}

fn misuse(entry: &Entry, what: &str) -> DataError {
    let params: Vec<_> =
        entry.params.iter().map(|p| if p.required { p.name.to_string() } else { format!("[{}]", p.name) }).collect();
    DataError::new(Kind::Request, format!("`{}` {what}", entry.name)).help(format!(
        "it is called {}({}): {}",
        entry.name,
        params.join(", "),
        entry.about
    ))
}
