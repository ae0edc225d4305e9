//! `nnc import`: weights from elsewhere under the names of a program, matched by name, with a prefix before all names or
//! without, then by shape where only one tensor can be meant. Nothing is transposed or guessed; a table says what became of every tensor.

use crate::args;
use crate::{load, say};
use compiler::emit::Precision;
use compiler::typed::Train;
use driver::fault::Fault;
use driver::folder;
use runtime::arrays::{self, Array, Taken};
use std::collections::BTreeMap;

/// How a tensor was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Told,
    Name,
    Prefix,
    Shape,
}

/// A tensor that the program wants.
struct Wanted<'a> {
    name: &'a str,
    shape: &'a [usize],
    found: Option<(String, How)>,
}

/// Matches the tensors of a file, prints the table, writes the weights.
pub fn import(options: &args::Import) -> Result<(), Fault> {
    let loaded = load::load(&options.program, false)?;
    let train = load::choose(&loaded, &options.program)?;
    let weights = folder::weights(&options.weights)?;
    let theirs = weights.arrays();
    let mut wanted = wanted(train);
    told(&mut wanted, theirs, &options.map)?;
    by_name(&mut wanted, theirs);
    by_prefix(&mut wanted, theirs);
    by_shape(&mut wanted, theirs);
    table(&wanted, theirs);
    let missing: Vec<&Wanted> = wanted.iter().filter(|w| w.found.is_none()).collect();
    if !missing.is_empty() {
        return Err(Fault::data(nothing_found(&missing, theirs)));
    }
    let double = train.settings.precision == Precision::F64;
    let mut out = BTreeMap::new();
    for (k, tensor) in wanted.iter().enumerate() {
        let taken = if k < train.parameters.len() { Taken::Parameter } else { Taken::State };
        let Some((name, _)) = &tensor.found else { continue };
        if let Some(array) = weights.get(name, taken, double).map_err(Fault::data)? {
            out.insert(tensor.name.to_string(), array.clone());
        }
    }
    arrays::write(&options.output, &out, double).map_err(Fault::data)
}

fn wanted(train: &Train) -> Vec<Wanted<'_>> {
    let parameters = train.parameters.iter().map(|p| (&p.saved, &p.dims));
    let states = train.states.iter().map(|s| (&s.saved, &s.dims));
    parameters.chain(states).map(|(name, shape)| Wanted { name, shape, found: None }).collect()
}

/// What is missing, and what of that name is there instead.
fn nothing_found(missing: &[&Wanted], theirs: &BTreeMap<String, Array>) -> String {
    let named = missing.iter().take(5).map(|w| match theirs.get(w.name) {
        Some(array) => format!("{} (here {:?}, there {:?})", w.name, w.shape, array.shape),
        None => w.name.to_string(),
    });
    let named: Vec<String> = named.collect();
    let more = missing.len().saturating_sub(5);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("nothing fits {}{more}; say what it is called there with --map {}=NAME", named.join(", "), missing[0].name)
}

/// Names given on the command line; a `*` on both sides stands for the same anything.
fn told(wanted: &mut [Wanted], theirs: &BTreeMap<String, Array>, map: &[String]) -> Result<(), Fault> {
    for pair in map {
        let (ours, other) =
            pair.split_once('=').ok_or_else(|| Fault::usage(format!("--map takes OURS=THEIRS, not `{pair}`")))?;
        if ours.matches('*').count() != other.matches('*').count() || ours.matches('*').count() > 1 {
            return Err(Fault::usage(format!("--map takes one `*` on both sides or none, not `{pair}`")));
        }
        let mut any = false;
        for tensor in wanted.iter_mut() {
            let Some(rest) = matched(tensor.name, ours) else { continue };
            any = true;
            let other = other.replace('*', rest);
            let array = theirs.get(&other).ok_or_else(|| Fault::data(format!("the file has no tensor `{other}`")))?;
            if array.shape != tensor.shape {
                let (here, there) = (tensor.shape, &array.shape);
                return Err(Fault::data(format!("`{other}` has shape {there:?}, `{}` {here:?}", tensor.name)));
            }
            tensor.found = Some((other, How::Told));
        }
        if !any {
            return Err(Fault::usage(format!("the program saves nothing as `{ours}`")));
        }
    }
    Ok(())
}

/// What the `*` of a pattern stands for, if a name is of the pattern.
fn matched<'a>(name: &'a str, pattern: &str) -> Option<&'a str> {
    match pattern.split_once('*') {
        None => (name == pattern).then_some(""),
        Some((before, after)) => name.strip_prefix(before)?.strip_suffix(after),
    }
}

/// Matches the tensors left by their names behind one and the same prefix, such as `module.`, if it fits all of them.
fn by_prefix(wanted: &mut [Wanted], theirs: &BTreeMap<String, Array>) {
    let fits = |w: &Wanted, prefix: &str| {
        theirs.get(&format!("{prefix}{}", w.name)).is_some_and(|array| array.shape == w.shape)
    };
    let Some(first) = wanted.iter().find(|w| w.found.is_none()) else { return };
    let prefixes = theirs.keys().filter_map(|name| name.strip_suffix(first.name)).filter(|p| p.ends_with('.'));
    let all = |prefix: &&str| wanted.iter().filter(|w| w.found.is_none()).all(|w| fits(w, prefix));
    let fitting: Vec<&str> = prefixes.filter(all).collect();
    let [prefix] = fitting.as_slice() else { return };
    for tensor in wanted.iter_mut().filter(|w| w.found.is_none()) {
        tensor.found = Some((format!("{prefix}{}", tensor.name), How::Prefix));
    }
}

fn by_name(wanted: &mut [Wanted], theirs: &BTreeMap<String, Array>) {
    for tensor in wanted.iter_mut().filter(|w| w.found.is_none()) {
        if theirs.get(tensor.name).is_some_and(|a| a.shape == tensor.shape) {
            tensor.found = Some((tensor.name.to_string(), How::Name));
        }
    }
}

/// Matches tensors whose shape and last word, then whose shape alone, no other has on either side.
fn by_shape(wanted: &mut [Wanted], theirs: &BTreeMap<String, Array>) {
    let last = |name: &str| name.rsplit('.').next().unwrap_or(name).to_string();
    for same_word in [true, false] {
        let free: Vec<usize> = (0..wanted.len()).filter(|w| wanted[*w].found.is_none()).collect();
        let taken: Vec<&String> = wanted.iter().filter_map(|w| Some(&w.found.as_ref()?.0)).collect();
        let open: Vec<(&String, &Array)> = theirs.iter().filter(|(name, _)| !taken.contains(name)).collect();
        let fits = |w: usize, (name, array): &(&String, &Array)| {
            array.shape == wanted[w].shape && (!same_word || last(name) == last(wanted[w].name))
        };
        let pairs: Vec<(usize, String)> = free
            .iter()
            .filter_map(|w| {
                let candidates: Vec<_> = open.iter().filter(|o| fits(*w, o)).collect();
                let [one] = candidates.as_slice() else { return None };
                let rivals = free.iter().filter(|other| fits(**other, one)).count();
                (rivals == 1).then(|| (*w, one.0.clone()))
            })
            .collect();
        for (w, name) in pairs {
            wanted[w].found = Some((name, How::Shape));
        }
    }
}

/// What became of every tensor of both sides.
fn table(wanted: &[Wanted], theirs: &BTreeMap<String, Array>) {
    let width = wanted.iter().map(|w| w.name.len()).max().unwrap_or(0);
    for tensor in wanted {
        let (name, shape) = (tensor.name, format!("{:?}", tensor.shape));
        let reversed: Vec<usize> = tensor.shape.iter().rev().copied().collect();
        let transposed = tensor.shape.len() > 1 && theirs.values().any(|a| a.shape == reversed);
        let same_name = theirs.get(tensor.name).map(|a| &a.shape);
        let what = match &tensor.found {
            Some((other, How::Told)) => format!("{other}, as told"),
            Some((other, How::Name)) => format!("{other}, by name"),
            Some((other, How::Prefix)) => format!("{other}, by name behind a prefix"),
            Some((other, How::Shape)) => format!("{other}, the only one of its shape"),
            None if same_name.is_some_and(|s| *s == reversed) => {
                "transposed there: turn it and save it again".to_string()
            }
            None => match same_name {
                Some(shape) => format!("of shape {shape:?} there"),
                None if transposed => "not found; a tensor of the transposed shape is not taken".to_string(),
                None => "not found, or several could be meant".to_string(),
            },
        };
        say!("{name:width$}  {shape:<16}  {what}");
    }
    for (name, array) in theirs {
        if !wanted.iter().any(|w| w.found.as_ref().is_some_and(|(other, _)| other == name)) {
            say!("left out: {name} {:?}", array.shape);
        }
    }
}
