//! Where tensors live: which share a place with a persistent tensor, and offsets for the others.
//!
//! A persistent tensor's next value is computed in its place where nobody reads the old value
//! afterwards, and the defining step reads it only at the element it writes. Otherwise it has a place
//! of its own and is copied at the end.

use super::nest::{Form, Nest, Op};
use super::{Step, Task, Turns};
use crate::ir::{Module, Role, TensorId};
use nnc_core::number::ALIGNMENT;
use std::collections::BTreeMap;

/// Temporary tensors whose place is that of a persistent one, and updates that need a copy.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Temporary, persistent.
    pub shared: BTreeMap<TensorId, TensorId>,
    /// Persistent tensor and the tensor it takes its contents from.
    pub copies: Vec<(TensorId, TensorId)>,
}

/// Decides which updates happen in place.
#[must_use]
pub fn places(module: &Module, steps: &[Step], recurrences: &[Turns]) -> Places {
    let mut places = Places::default();
    let (mut defining, mut last_read) = (BTreeMap::new(), BTreeMap::new());
    for (n, step) in steps.iter().enumerate() {
        for tensor in &step.defines {
            defining.entry(*tensor).or_insert(n);
        }
        last_read.extend(step.reads.iter().map(|t| (*t, n)));
    }
    for (to, from) in &module.updates {
        let free = module.t(*from).role == Role::Temporary && !places.shared.contains_key(from);
        let at = defining.get(from).filter(|_| free).copied();
        if at.is_some_and(|at| in_place(steps, recurrences, at, last_read.get(to).copied(), *to, *from)) {
            places.shared.insert(*from, *to);
        } else {
            places.copies.push((*to, *from));
        }
    }
    places
}

/// Whether the step `defining` may put `new` into the place of `old`, which is read last by the step `last`.
fn in_place(
    steps: &[Step],
    recurrences: &[Turns],
    defining: usize,
    last: Option<usize>,
    old: TensorId,
    new: TensorId,
) -> bool {
    if recurrences.iter().any(|r| r.steps.contains(&defining)) {
        return false;
    }
    let read_later = last.is_some_and(|last| last > defining);
    let read_meanwhile = steps[defining].reads.contains(&old);
    !read_later
        && (!read_meanwhile
            || matches!(&steps[defining].task, Task::Nest(nest) if reads_where_it_writes(nest, old, new)))
}

/// Whether every load of `old` is at the address where `new` is stored, point by point.
fn reads_where_it_writes(nest: &Nest, old: TensorId, new: TensorId) -> bool {
    let Some(store) = nest.stores.iter().find(|s| s.tensor == new) else { return false };
    nest.form == Form::Point
        && nest.ops.iter().all(|op| match op {
            Op::Load { tensor, address, .. } if *tensor == old => *address == store.address,
            _ => true,
        })
}

/// A block of memory needed during a span of steps.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// Of what.
    pub tensor: TensorId,
    /// Its bytes.
    pub bytes: usize,
    /// First and last step that touch it.
    pub span: (usize, usize),
}

/// Offsets such that needs whose spans meet do not overlap, and the bytes it takes: large ones first,
/// each at the lowest offset that is free.
#[must_use]
pub fn pack(needs: &[Need]) -> (BTreeMap<TensorId, usize>, usize) {
    let mut order: Vec<&Need> = needs.iter().collect();
    order.sort_by_key(|n| (std::cmp::Reverse(n.bytes), n.span, n.tensor));
    // By offset.
    let mut placed: Vec<(usize, &Need)> = vec![];
    for need in order {
        let meets = |other: &Need| other.span.0 <= need.span.1 && need.span.0 <= other.span.1;
        let mut offset = 0;
        for (start, other) in placed.iter().filter(|(_, n)| meets(n)) {
            if *start >= offset + aligned(need.bytes) {
                break;
            }
            offset = offset.max(start + aligned(other.bytes));
        }
        let place = placed.partition_point(|(at, _)| *at <= offset);
        placed.insert(place, (offset, need));
    }
    let total = placed.iter().map(|(at, n)| at + aligned(n.bytes)).max().unwrap_or(0);
    (placed.into_iter().map(|(at, n)| (n.tensor, at)).collect(), total)
}

/// Bytes rounded up to whole cache lines.
#[must_use]
pub fn aligned(bytes: usize) -> usize {
    bytes.max(1).next_multiple_of(ALIGNMENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_that_meet_in_time_do_not_meet_in_space() {
        let need = |id, bytes, span| Need { tensor: TensorId(id), bytes, span };
        let needs = [need(0, 100, (0, 1)), need(1, 200, (1, 3)), need(2, 64, (2, 2)), need(3, 10, (4, 5))];
        let (at, total) = pack(&needs);
        assert_eq!(total, 256 + 128);
        for a in &needs {
            for b in needs.iter().filter(|b| b.tensor != a.tensor && b.span.0 <= a.span.1 && a.span.0 <= b.span.1) {
                let (x, y) = (at[&a.tensor], at[&b.tensor]);
                assert!(x + a.bytes <= y || y + b.bytes <= x, "{a:?} and {b:?} overlap");
            }
        }
        assert_eq!(at[&TensorId(3)], 0);
    }
}
