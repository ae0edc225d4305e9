//! Walking expressions and building them anew: substitution, simplification over a known domain,
//! and what occurs in an expression.

use super::{ExprId, Module, Node};
use crate::scalar::Binary;
use std::collections::{BTreeSet, HashMap};

impl Module {
    /// The same expression with `with[k]` for variable `k`, simplified; variables beyond `with` stay.
    pub fn substitute(&mut self, id: ExprId, with: &[ExprId]) -> ExprId {
        self.rebuild(id, None, &mut HashMap::new(), &|k| with.get(k as usize).copied())
    }

    /// The same expression, simplified with variable `k` known to run over `0..domain[k]`: quotients
    /// and remainders by their ranges, and reads proven inside lose their guard.
    pub fn simplify(&mut self, id: ExprId, domain: &[usize]) -> ExprId {
        self.rebuild(id, Some(domain), &mut HashMap::new(), &|_| None)
    }

    fn rebuild(
        &mut self,
        id: ExprId,
        domain: Option<&[usize]>,
        done: &mut HashMap<ExprId, ExprId>,
        variable: &impl Fn(u32) -> Option<ExprId>,
    ) -> ExprId {
        if let Some(known) = done.get(&id) {
            return *known;
        }
        let mut again = |m: &mut Self, e: ExprId| m.rebuild(e, domain, done, variable);
        let built = match self.node(id).clone() {
            Node::Float(_) | Node::Int(_) | Node::Bool(_) => id,
            Node::Var(k) => variable(k).unwrap_or(id),
            Node::Read { tensor, at, otherwise } => {
                let at: Box<[ExprId]> = at.iter().map(|p| again(self, *p)).collect();
                let inside = domain.is_some_and(|d| self.proven_inside(tensor, &at, d));
                let otherwise = otherwise.filter(|_| !inside).map(|o| again(self, o));
                self.intern(Node::Read { tensor, at, otherwise })
            }
            Node::Unary(op, a) => {
                let a = again(self, a);
                self.apply1(op, a)
            }
            Node::Binary(op, a, b) => {
                let (a, b) = (again(self, a), again(self, b));
                match op {
                    Binary::FloorDiv | Binary::Mod => self.divide(op, a, b, domain.unwrap_or(&[])),
                    _ => self.apply2(op, a, b),
                }
            }
            Node::Select(c, a, b) => {
                let (c, a, b) = (again(self, c), again(self, a), again(self, b));
                self.choose(c, a, b)
            }
        };
        done.insert(id, built);
        built
    }

    /// The variables that occur in an expression.
    #[must_use]
    pub fn variables(&self, id: ExprId) -> BTreeSet<u32> {
        self.reachable(&[id])
            .into_iter()
            .filter_map(|e| match self.node(e) {
                Node::Var(k) => Some(*k),
                _ => None,
            })
            .collect()
    }

    /// Every expression that occurs in the given ones, each once, operands before users.
    #[must_use]
    pub fn reachable(&self, roots: &[ExprId]) -> Vec<ExprId> {
        let mut order = Vec::new();
        let mut seen = BTreeSet::new();
        for root in roots {
            self.visit(*root, &mut seen, &mut order);
        }
        order
    }

    fn visit(&self, id: ExprId, seen: &mut BTreeSet<ExprId>, order: &mut Vec<ExprId>) {
        if seen.insert(id) {
            for operand in self.operands(id) {
                self.visit(operand, seen, order);
            }
            order.push(id);
        }
    }
}
