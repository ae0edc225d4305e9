//! Questions about expressions and items that several passes ask: what is read, and from where;
//! whether an expression is an index expression.

use crate::ir::{ExprId, Item, Module, Node, TensorId};
use std::collections::BTreeSet;

/// A set of domain variables, by number.
pub type Vars = BTreeSet<u32>;

/// The read nodes inside an expression, nested ones included, operands before users.
#[must_use]
pub fn reads(m: &Module, root: ExprId) -> Vec<ExprId> {
    m.reachable(&[root]).into_iter().filter(|e| matches!(m.node(*e), Node::Read { .. })).collect()
}

/// The tensors an expression reads.
#[must_use]
pub fn tensors(m: &Module, root: ExprId) -> BTreeSet<TensorId> {
    let tensor = |e: ExprId| match m.node(e) {
        Node::Read { tensor, .. } => Some(*tensor),
        _ => None,
    };
    m.reachable(&[root]).into_iter().filter_map(tensor).collect()
}

/// Whether an expression reads nothing: an index expression or a constant.
#[must_use]
pub fn reads_nothing(m: &Module, root: ExprId) -> bool {
    let (mut seen, mut open) = (BTreeSet::new(), vec![root]);
    while let Some(e) = open.pop() {
        if matches!(m.node(e), Node::Read { .. }) {
            return false;
        }
        if seen.insert(e) {
            open.extend(m.operands(e));
        }
    }
    true
}

/// The expressions an item evaluates: its value and its scatter positions.
#[must_use]
pub fn roots(item: &Item) -> Vec<ExprId> {
    match item {
        Item::Draw(_) | Item::Listed(_) => vec![],
        Item::Def(d) => d.roots(),
    }
}

/// The tensors an item reads.
#[must_use]
pub fn sources(m: &Module, item: &Item) -> BTreeSet<TensorId> {
    roots(item).into_iter().flat_map(|e| tensors(m, e)).collect()
}
