//! `nnc import`: weights from elsewhere under the names of a program, matched by name, then by shape where only one
//! tensor can be meant. Nothing is transposed or guessed; a table says what became of every tensor.

use crate::args;
use crate::fault::Fault;
use crate::{folder, front, say};
use compiler::emit::Precision;
use compiler::typed::Train;
use runtime::arrays::{self, Array};
use std::collections::BTreeMap;

/// How a tensor was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Told,
    Name,
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
    let front = front::load(&options.program, false)?;
    let train = front::choose(&front, &options.program)?;
    let mut theirs = folder::weights(&options.weights)?;
    let mut wanted = wanted(train);
    told(&mut wanted, &theirs, &options.map)?;
    by_name(&mut wanted, &theirs);
    by_shape(&mut wanted, &theirs);
    table(&wanted, &theirs);
    let missing: Vec<&str> = wanted.iter().filter(|w| w.found.is_none()).map(|w| w.name).collect();
    if !missing.is_empty() {
        return Err(Fault::data(format!(
            "nothing was found for {}; say what it is called there with --map {}=NAME",
            missing.join(", "),
            missing[0]
        )));
    }
    let out: BTreeMap<String, Array> =
        wanted.iter().filter_map(|w| Some((w.name.to_string(), theirs.remove(&w.found.as_ref()?.0)?))).collect();
    arrays::write(&options.output, &out, train.settings.precision == Precision::F64).map_err(Fault::data)
}

fn wanted(train: &Train) -> Vec<Wanted<'_>> {
    let parameters = train.parameters.iter().map(|p| (&p.saved, &p.dims));
    let states = train.states.iter().map(|s| (&s.saved, &s.dims));
    parameters.chain(states).map(|(name, shape)| Wanted { name, shape, found: None }).collect()
}

/// Names given on the command line.
fn told(wanted: &mut [Wanted], theirs: &BTreeMap<String, Array>, map: &[String]) -> Result<(), Fault> {
    for pair in map {
        let (ours, other) =
            pair.split_once('=').ok_or_else(|| Fault::usage(format!("--map takes OURS=THEIRS, not `{pair}`")))?;
        let tensor = wanted
            .iter_mut()
            .find(|w| w.name == ours)
            .ok_or_else(|| Fault::usage(format!("the program saves nothing as `{ours}`")))?;
        let array = theirs.get(other).ok_or_else(|| Fault::data(format!("the file has no tensor `{other}`")))?;
        if array.shape != tensor.shape {
            return Err(Fault::data(format!("`{other}` has shape {:?}, `{ours}` {:?}", array.shape, tensor.shape)));
        }
        tensor.found = Some((other.to_string(), How::Told));
    }
    Ok(())
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
