//! `turns`: what a recurrence touches lies turn by turn.
//!
//! A turn works on one position of an axis of every tensor. Where that axis is the first, all that a turn
//! writes is one run of memory, its loops merge into one, and neighbours fill vectors. So temporaries that
//! members define, or read at their turn, get their turn axis first; definitions and reads follow. What is
//! observable stays as it is.

use super::dead::observable;
use super::expr::reads;
use super::rewrite::{Access, rewrite, rewrite_def};
use crate::ir::recurrence::{recurrences, shifted};
use crate::ir::{Def, ExprId, Item, Module, Node, TensorId};
use std::collections::{BTreeMap, BTreeSet};

/// Runs the pass.
pub fn run(m: &mut Module) {
    let moved = moved(m);
    if moved.is_empty() {
        return;
    }
    for item in std::mem::take(&mut m.items) {
        let item = match item {
            Item::Def(def) => Item::Def(follow(m, def, &moved)),
            other @ (Item::Draw(_) | Item::Listed(_)) => other,
        };
        m.items.push(item);
    }
    for (tensor, axis) in moved {
        first(&mut m.tensors[tensor.0 as usize].shape, axis);
    }
}

/// Moves what stands at a place to the front.
fn first<T>(list: &mut Vec<T>, place: usize) {
    let element = list.remove(place);
    list.insert(0, element);
}

/// The tensors to be changed, each with its turn axis. One that two recurrences touch follows the first.
fn moved(m: &Module) -> BTreeMap<TensorId, usize> {
    let fixed: BTreeSet<TensorId> = observable(m).collect();
    let defined: BTreeSet<TensorId> = m.items.iter().filter_map(Item::def).map(|d| d.target).collect();
    let mut axes: BTreeMap<TensorId, usize> = BTreeMap::new();
    for recurrence in recurrences(m) {
        for def in m.items[recurrence.items.clone()].iter().filter_map(Item::def) {
            let Some(turn) = recurrence.variable(m, def) else { continue };
            axes.extend(recurrence.axis(def.target).map(|axis| (def.target, axis)));
            for read in def.roots().into_iter().flat_map(|e| reads(m, e)) {
                let Node::Read { tensor, at, .. } = m.node(read) else { continue };
                let along = |p: &ExprId| shifted(m, *p).is_some_and(|(v, _)| v == turn);
                if let Some(axis) = at.iter().position(along) {
                    axes.entry(*tensor).or_insert(axis);
                }
            }
        }
    }
    axes.retain(|tensor, axis| *axis > 0 && defined.contains(tensor) && !fixed.contains(tensor));
    axes
}

/// A definition with its target and its reads as the tensors will be.
fn follow(m: &mut Module, mut def: Def, moved: &BTreeMap<TensorId, usize>) -> Def {
    let mut variables: Vec<ExprId> = (0..def.domain.len() as u32).map(|v| m.var(v)).collect();
    if let Some(axis) = moved.get(&def.target).copied() {
        match &mut def.scatter {
            Some(scatter) => first(&mut scatter.at, axis),
            None => {
                first(&mut def.domain, axis);
                variables[..=axis].rotate_left(1);
            }
        }
    }
    let domain = def.domain.clone();
    rewrite_def(m, def, &mut |m, e| {
        rewrite(m, &domain, e, &mut |_, v| variables[v as usize], &mut |m, access| {
            let Access { tensor, mut at, otherwise } = access;
            if let Some(axis) = moved.get(&tensor) {
                first(&mut at, *axis);
            }
            m.intern(Node::Read { tensor, at: at.into(), otherwise })
        })
    })
}
