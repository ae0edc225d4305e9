//! What a derivative can pass through. In: a module and the tensors differentiated by. Out: which
//! tensors and expressions depend on them smoothly (not through a position, a comparison, a whole
//! number, a draw or a detached value). Nothing is built for the rest.

use crate::ir::recurrence::recurrences;
use crate::ir::{Combine, ExprId, Item, Module, Node, TensorId};
use crate::scalar::Kind;
use std::collections::{HashMap, HashSet};

/// The active tensors, and what is known of expressions.
pub(super) struct Activity {
    tensors: HashSet<TensorId>,
    known: HashMap<ExprId, bool>,
}

impl Activity {
    /// Finds the tensors that depend on `wrt`.
    pub(super) fn of(module: &Module, wrt: &[TensorId]) -> Self {
        let tensors = wrt.iter().copied().filter(|t| module.t(*t).kind == Kind::Float).collect();
        let mut activity = Self { tensors, known: HashMap::new() };
        let mut done = 0;
        for recurrence in recurrences(module) {
            activity.items(module, &module.items[done..recurrence.items.start]);
            // What one member learns may matter to those before it.
            while activity.items(module, &module.items[recurrence.items.clone()]) {
                activity.known.clear();
            }
            done = recurrence.items.end;
        }
        activity.items(module, &module.items[done..]);
        activity
    }

    /// Adds the targets of items that read what is active; whether there was any new one.
    fn items(&mut self, module: &Module, items: &[Item]) -> bool {
        let mut grown = false;
        for def in items.iter().filter_map(Item::def) {
            if def.combine != Combine::Argmax && self.expr(module, def.value) {
                grown |= self.tensors.insert(def.target);
            }
        }
        grown
    }

    pub(super) fn tensor(&self, id: TensorId) -> bool {
        self.tensors.contains(&id)
    }

    /// Whether the expression depends on an active tensor. All that it reads must be defined by then.
    pub(super) fn expr(&mut self, module: &Module, id: ExprId) -> bool {
        if let Some(known) = self.known.get(&id) {
            return *known;
        }
        let active = module.kind(id) == Kind::Float
            && match module.node(id) {
                Node::Read { tensor, otherwise, .. } => {
                    self.tensor(*tensor) || otherwise.is_some_and(|o| self.expr(module, o))
                }
                Node::Select(_, a, b) => self.expr(module, *a) | self.expr(module, *b),
                Node::Unary(op, a) => op.facts().slope && self.expr(module, *a),
                Node::Binary(_, a, b) => self.expr(module, *a) | self.expr(module, *b),
                Node::Float(_) | Node::Int(_) | Node::Bool(_) | Node::Var(_) => false,
            };
        self.known.insert(id, active);
        active
    }
}
