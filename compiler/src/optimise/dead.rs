//! `dead`: drops the items that nothing observable depends on.
//!
//! Observable are the outputs and the sources of updates; an item lives if a living item reads its
//! target. Tensors keep their numbers: others hold them.

use super::expr::sources;
use crate::ir::{Module, TensorId};
use std::collections::{BTreeMap, BTreeSet};

/// Runs the pass.
pub fn run(m: &mut Module) {
    let places: BTreeMap<TensorId, usize> = m.items.iter().enumerate().map(|(k, i)| (i.target(), k)).collect();
    let mut live: BTreeSet<TensorId> = BTreeSet::new();
    let mut open: Vec<TensorId> = observable(m).collect();
    while let Some(tensor) = open.pop() {
        if live.insert(tensor)
            && let Some(place) = places.get(&tensor)
        {
            open.extend(sources(m, &m.items[*place]));
        }
    }
    m.items.retain(|item| live.contains(&item.target()));
}

/// The tensors whose contents outlive a run by name or by update.
pub fn observable(m: &Module) -> impl Iterator<Item = TensorId> + '_ {
    let outputs = m.outputs.iter().map(|(_, t)| *t);
    outputs.chain(m.updates.iter().map(|(_, from)| *from))
}
