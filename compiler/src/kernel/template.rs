//! The compile-time part of a kernel: a nest without tensor offsets and loop extents, which are passed at run time.
//!
//! Nests that differ in nothing else share one kernel: the layers of a stack, the same update after a full and a short
//! batch.

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

/// A nest without offsets and extents.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Template {
    /// Its tensors are numbers of `tensors`, its extents zero.
    pub nest: Nest,
    /// Tensors in the order of their use; those that share memory are one.
    pub tensors: Vec<Held>,
    /// Whether several vectors of results are reduced at once.
    pub together: bool,
}

impl Template {
    /// Takes a nest apart: the template, and the words that make it this nest again. They are an offset for each
    /// tensor, the extents, and for an accumulation the number of elements it clears (in a recurrence, how many
    /// runs it clears in a time step, and how long they are). `several` results make it worthwhile to keep several
    /// vectors of them.
    #[must_use]
    pub fn new(nest: &Nest, memory: &dyn Fn(TensorId) -> Memory, several: usize) -> (Self, Box<[u64]>) {
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
        let tensors =
            seen.iter().map(|(offset, kind)| Held { kind: *kind, written: written.contains(offset) }).collect();
        let accumulates = nest.stores.iter().take(usize::from(nest.form == Form::Accumulate));
        let cleared = accumulates.flat_map(|s| match (memory(s.tensor).len, nest.turn) {
            (len, None) => vec![len],
            (len, Some(run)) => vec![len / (nest.extents[0] * run), run],
        });
        let offsets = seen.iter().map(|(offset, _)| *offset);
        let words = offsets.chain(nest.extents.iter().copied()).chain(cleared).map(|w| w as u64).collect();
        (Self { nest: plain, tensors, together: together(nest, several) }, words)
    }
}

/// Whether the lane loop over results is long enough to keep several vectors of them.
fn together(nest: &Nest, several: usize) -> bool {
    let results = nest.outer.checked_sub(1).map_or(0, |v| nest.extents[v]);
    matches!(nest.form, Form::Reduce(..)) && nest.lanes == Lanes::Outer && results >= several
}
