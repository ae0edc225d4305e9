//! Walking an expression from its operands up, each node once.

use crate::ir::{ExprId, Module, Node};
use std::collections::HashMap;

/// What becomes of a node whose operands are done.
pub trait Rewrite {
    /// The node to put in its place.
    fn rewrite(&mut self, m: &mut Module, id: ExprId) -> ExprId;
}

/// A walk, and what it made of the nodes it has seen.
pub struct Rebuild<R> {
    /// Decides.
    pub rule: R,
    done: HashMap<ExprId, ExprId>,
}

impl<R: Rewrite> Rebuild<R> {
    /// Nothing seen yet.
    pub fn new(rule: R) -> Self {
        Self { rule, done: HashMap::new() }
    }

    /// The expression, rewritten.
    pub fn expr(&mut self, m: &mut Module, id: ExprId) -> ExprId {
        if let Some(known) = self.done.get(&id) {
            return *known;
        }
        let built = match m.node(id).clone() {
            leaf @ (Node::Float(_) | Node::Int(_) | Node::Bool(_) | Node::Var(_)) => m.intern(leaf),
            Node::Read { tensor, at, otherwise } => {
                let at = at.iter().map(|p| self.expr(m, *p)).collect();
                let otherwise = otherwise.map(|o| self.expr(m, o));
                m.intern(Node::Read { tensor, at, otherwise })
            }
            Node::Unary(op, a) => {
                let a = self.expr(m, a);
                m.apply1(op, a)
            }
            Node::Binary(op, a, b) => {
                let (a, b) = (self.expr(m, a), self.expr(m, b));
                m.apply2(op, a, b)
            }
            Node::Select(c, a, b) => {
                let (c, a, b) = (self.expr(m, c), self.expr(m, a), self.expr(m, b));
                m.choose(c, a, b)
            }
        };
        let built = self.rule.rewrite(m, built);
        self.done.insert(id, built);
        built
    }
}
