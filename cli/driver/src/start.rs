//! The values that a run begins with: initial ones, or those that the run of another train block has left.

use crate::bind::Bound;
use crate::fault::Fault;
use crate::folder;
use compiler::emit::Precision;
use compiler::typed::Train;
use runtime::arrays::{self, Weights};
use std::path::Path;

/// What a train block has taken of the weights that it starts from, by saved names.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The train block that left them.
    pub from: String,
    /// Begin as they were there.
    pub taken: Vec<String>,
    /// Have their own initial values, for there was nothing of their names.
    pub initial: Vec<String>,
    /// Are there, but not here.
    pub left: Vec<String>,
}

/// Gives all tensors their initial values; parameters and states that the run in the folder `start` has saved under
/// the same name begin as it left them. Their shapes must be the same, and what is frozen must be among them.
pub fn begin(train: &Train, bound: &mut Bound, start: Option<&Path>) -> Result<Option<Taken>, Fault> {
    bound.session.initialise().map_err(Fault::internal)?;
    let (Some(folder), Some(start)) = (start, &train.start) else { return Ok(None) };
    if let (Some(data), Some(record)) = (&bound.data, folder::record(folder)?) {
        runtime::data::in_order(&data.trained, &record).map_err(Fault::data)?;
    }
    let weights = Weights::read(&folder.join("weights.safetensors")).map_err(Fault::data)?;
    let tensors = weights.arrays();
    let double = train.settings.precision == Precision::F64;
    let persistent = bound.session.executor.bundle().persistent.clone();
    let parameters = train.parameters.iter().map(|p| (&p.saved, &p.path));
    let states = train.states.iter().map(|s| (&s.saved, &s.path));
    let model = start.model.as_deref();
    let there = |saved: &str, name: &str| {
        let inside = model.and_then(|m| saved.strip_prefix(m)?.strip_prefix('.'));
        name == saved || Some(name) == inside
    };
    let mut found = Taken { from: start.train.clone(), taken: vec![], initial: vec![], left: vec![] };
    let mut used = vec![];
    let mut misfits = vec![];
    for (k, (saved, path)) in parameters.chain(states).enumerate() {
        let Some(slot) = persistent.get(path) else { continue };
        let kind = if k < train.parameters.len() { arrays::Taken::Parameter } else { arrays::Taken::State };
        match tensors.iter().find(|(name, _)| there(saved, name)) {
            Some((name, array)) if array.shape == slot.shape => {
                let array = weights.get(name, kind, double).map_err(Fault::data)?.unwrap_or(array);
                bound.session.executor.write_f64(slot, &array.values);
                found.taken.push(saved.clone());
                used.push(name.as_str());
            }
            Some((_, array)) => misfits.push(format!(
                "`{saved}` has shape {:?} here, but {:?} in the weights of `{}`",
                slot.shape, array.shape, start.train
            )),
            None => found.initial.push(saved.clone()),
        }
    }
    found.left = tensors.keys().filter(|name| !used.contains(&name.as_str())).cloned().collect();
    if !misfits.is_empty() {
        return Err(Fault::data(format!(
            "`{}` cannot start from these weights: {}; a layer that is to begin anew takes another name, such as `as head`",
            train.name,
            misfits.join("; ")
        )));
    }
    if found.taken.is_empty() {
        return Err(Fault::data(format!(
            "`{}` shares no tensor with the weights it is to start from: it has {}; they have {}",
            train.name,
            found.initial.join(", "),
            found.left.join(", ")
        )));
    }
    let lacking: Vec<String> = train
        .parameters
        .iter()
        .filter(|p| p.needs_value && !found.taken.contains(&p.saved))
        .map(|p| format!("`{}`", p.saved))
        .collect();
    if !lacking.is_empty() {
        return Err(Fault::data(format!(
            "`{}` freezes {}, which the weights of `{}` do not have, so that random draws would stay; they have {}. If \
             random features are meant, say `as drawn` after what is frozen",
            train.name,
            lacking.join(", "),
            start.train,
            tensors.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
        )));
    }
    bound.session.restart().map_err(Fault::internal)?;
    Ok(Some(found))
}
