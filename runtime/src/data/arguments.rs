//! The arguments of a call by the names of the catalogue.

use super::catalogue::Entry;
use super::error::{DataError, Kind, Result};
use super::spec::{Call, Value};

/// A call matched against its catalogue entry.
pub struct Arguments<'a> {
    entry: &'static Entry,
    values: Vec<Option<&'a Value>>,
}

impl<'a> Arguments<'a> {
    /// Matches positional and named arguments with the entry of that name.
    ///
    /// # Errors
    /// If there is no such entry, or an argument is unknown, missing, or given twice.
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
            if values[slot].replace(value).is_some() {
                return Err(misuse(entry, &format!("is given `{}` twice", entry.params[slot].name)));
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

    fn wrong(&self, name: &str, wanted: &str) -> DataError {
        misuse(self.entry, &format!("wants {wanted} as `{name}`"))
    }

    /// A text, if given.
    ///
    /// # Errors
    /// If it is something else.
    pub fn text(&self, name: &str) -> Result<Option<&'a str>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(name, "a text")),
        }
    }

    /// A text that must be given.
    ///
    /// # Errors
    /// If it is something else.
    pub fn needed_text(&self, name: &str) -> Result<&'a str> {
        self.text(name)?.ok_or_else(|| self.wrong(name, "a text"))
    }

    /// A truth value.
    ///
    /// # Errors
    /// If it is something else.
    pub fn truth(&self, name: &str, default: bool) -> Result<bool> {
        match self.get(name) {
            None => Ok(default),
            Some(Value::Bool(b)) => Ok(*b),
            Some(_) => Err(self.wrong(name, "true or false")),
        }
    }

    /// A finite number.
    ///
    /// # Errors
    /// If it is something else.
    pub fn number(&self, name: &str, default: f64) -> Result<f64> {
        match self.get(name) {
            None => Ok(default),
            Some(Value::Number(x)) if x.is_finite() => Ok(*x),
            Some(_) => Err(self.wrong(name, "a number")),
        }
    }

    /// A whole number from `least` on.
    ///
    /// # Errors
    /// If it is something else.
    pub fn whole(&self, name: &str, least: usize, default: usize) -> Result<usize> {
        let x = self.number(name, default as f64)?;
        as_whole(x, least).ok_or_else(|| self.wrong(name, &format!("a whole number from {least} to 4294967295")))
    }

    /// Height and width, if given.
    ///
    /// # Errors
    /// If it is something else.
    pub fn size(&self, name: &str) -> Result<Option<[u32; 2]>> {
        if self.get(name).is_none() {
            return Ok(None);
        }
        match self.extents(name)?[..] {
            [height, width] => Ok(Some([height as u32, width as u32])),
            _ => Err(self.wrong(name, "[height, width]")),
        }
    }

    /// A list of extents.
    ///
    /// # Errors
    /// If it is something else.
    pub fn extents(&self, name: &str) -> Result<Vec<usize>> {
        let wrong = || self.wrong(name, "a list of extents");
        let Some(Value::List(items)) = self.get(name) else { return Err(wrong()) };
        let extent = |item: &Value| match item {
            Value::Number(x) => as_whole(*x, 1).ok_or_else(wrong),
            _ => Err(wrong()),
        };
        items.iter().map(extent).collect()
    }
}

/// The whole number that `x` is, if it is one from `least` to 2^32 - 1.
pub(super) fn as_whole(x: f64, least: usize) -> Option<usize> {
    (x.fract() == 0.0 && x >= least as f64 && x <= f64::from(u32::MAX)).then_some(x as usize)
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
