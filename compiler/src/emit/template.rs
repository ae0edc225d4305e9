//! What code depends on of a nest, apart from what it is told when it runs.
//!
//! A kernel is told in words where each of its tensors begins and how far each loop goes. Nests
//! that differ in nothing else share one: the layers of a stack, the same update after a full and a short batch.

use super::reduce::PARALLEL;
use crate::ir::TensorId;
use crate::scalar::Kind;
use crate::schedule::nest::{Form, Lanes, Nest, Op};

/// A tensor in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// First byte in the arena.
    pub offset: usize,
    /// Of its elements.
    pub kind: Kind,
    /// Number of them.
    pub len: usize,
}

/// A tensor as a template sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Held {
    /// Of its elements.
    pub kind: Kind,
    /// Whether the kernel writes it.
    pub written: bool,
}

/// A nest without places and extents.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Template {
    /// Its tensors are numbers of `places`, its extents zero.
    pub nest: Nest,
    /// Places in the order of their use; tensors that share memory share one.
    pub places: Vec<Held>,
    /// Whether several vectors of results are reduced at once.
    pub together: bool,
}

impl Template {
    /// Takes a nest apart: the template, and the words that make it this nest again. They are an offset for each
    /// place, the extents, and for an accumulation the number of elements it clears (in a recurrence, how many
    /// runs it clears in a turn, and how long they are).
    #[must_use]
    pub fn new(nest: &Nest, memory: &dyn Fn(TensorId) -> Memory, width: usize) -> (Self, Box<[u64]>) {
        let written: Vec<usize> = nest.stores.iter().map(|s| memory(s.tensor).offset).collect();
        let mut seen: Vec<(usize, Kind)> = vec![];
        let mut number = |tensor: TensorId| {
            let Memory { offset, kind, .. } = memory(tensor);
            let at = seen.iter().position(|s| *s == (offset, kind)).unwrap_or_else(|| {
                seen.push((offset, kind));
                seen.len() - 1
            });
            TensorId(at as u32)
        };
        let mut plain = Nest { extents: vec![0; nest.extents.len()], turn: nest.turn.map(|_| 0), ..nest.clone() };
        for op in &mut plain.ops {
            if let Op::Load { tensor, .. } = op {
                *tensor = number(*tensor);
            }
        }
        plain.stores.iter_mut().for_each(|s| s.tensor = number(s.tensor));
        let places =
            seen.iter().map(|(offset, kind)| Held { kind: *kind, written: written.contains(offset) }).collect();
        let accumulates = nest.stores.iter().take(usize::from(nest.form == Form::Accumulate));
        let cleared = accumulates.flat_map(|s| match (memory(s.tensor).len, nest.turn) {
            (len, None) => vec![len],
            (len, Some(run)) => vec![len / (nest.extents[0] * run), run],
        });
        let offsets = seen.iter().map(|(offset, _)| *offset);
        let words = offsets.chain(nest.extents.iter().copied()).chain(cleared).map(|w| w as u64).collect();
        (Self { nest: plain, places, together: together(nest, width) }, words)
    }
}

/// Whether the lane loop over results is long enough to keep several vectors of them.
fn together(nest: &Nest, width: usize) -> bool {
    let results = nest.outer.checked_sub(1).map_or(0, |v| nest.extents[v]);
    matches!(nest.form, Form::Reduce(..)) && nest.lanes == Lanes::Outer && results >= PARALLEL * width
}
