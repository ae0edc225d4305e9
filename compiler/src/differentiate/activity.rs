//! What a derivative can pass through. In: a module and the tensors differentiated by. Out: which
//! tensors and expressions depend on them smoothly (not through a position, a comparison, a whole
//! number, a draw or a detached value). Nothing is built for the rest.

use super::table;
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
        for item in &module.items {
            if let Item::Def(def) = item
                && def.combine != Combine::Argmax
                && activity.expr(module, def.value)
            {
                activity.tensors.insert(def.target);
            }
        }
        activity
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
                Node::Unary(op, a) => table::passes(*op) && self.expr(module, *a),
                Node::Binary(_, a, b) => self.expr(module, *a) | self.expr(module, *b),
                Node::Float(_) | Node::Int(_) | Node::Bool(_) | Node::Var(_) => false,
            };
        self.known.insert(id, active);
        active
    }
}
