//! `dead`: drops the items that nothing observable depends on.
//!
//! Observable are the outputs and the sources of updates; an item lives if a living item reads its
//! target. Tensors keep their numbers: others hold them.

use super::expr::sources;
use crate::ir::{Module, TensorId};
use std::collections::BTreeSet;

/// Runs the pass.
pub fn run(m: &mut Module) {
    let mut live: BTreeSet<TensorId> = observable(m).collect();
    let mut items = std::mem::take(&mut m.items);
    items.reverse();
    items.retain(|item| {
        let lives = live.contains(&item.target());
        if lives {
            live.extend(sources(m, item));
        }
        lives
    });
    items.reverse();
    m.items = items;
}

/// The tensors whose contents outlive a run by name or by update.
pub fn observable(m: &Module) -> impl Iterator<Item = TensorId> + '_ {
    let outputs = m.outputs.iter().map(|(_, t)| *t);
    outputs.chain(m.updates.iter().map(|(_, from)| *from))
}
