//! Forward mode: how everything changes along one direction.
//!
//! In: a module, and for each varied tensor another of its shape that holds its tangent. Appended:
//! a tangent for every definition that depends on them, from the same tables as reverse mode.

use super::activity::Activity;
use super::adjoint::inside;
use super::reduction;
use super::table::{self, Side};
use crate::ir::recurrence::{arrange, recurrences};
use crate::ir::{Combine, Def, ExprId, Item, Module, Node, Role, TensorId};
use crate::scalar::Kind;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Appends the tangents of all that depends on the first of each pair, whose tangent is the second
/// (an input, or anything defined before it is used). Returns every tensor's tangent; one that is
/// not there is zero.
pub fn forward(module: &mut Module, tangents: &[(TensorId, TensorId)]) -> BTreeMap<TensorId, TensorId> {
    let wrt: Vec<TensorId> = tangents.iter().map(|(t, _)| *t).collect();
    let activity = Activity::of(module, &wrt);
    let items = module.items.clone();
    let recurrences = recurrences(module);
    let mut sweep = Forward {
        m: module,
        activity,
        tangents: tangents.iter().copied().collect(),
        announced: HashSet::new(),
        known: HashMap::new(),
    };
    for (k, item) in items.iter().enumerate() {
        if let Some(r) = recurrences.iter().find(|r| r.items.start == k) {
            sweep.announce(&items[r.items.clone()]);
        }
        if let Item::Def(def) = item
            && sweep.activity.tensor(def.target)
        {
            sweep.definition(def);
        }
    }
    let tangents = sweep.tangents;
    arrange(module);
    tangents
}

struct Forward<'a> {
    m: &'a mut Module,
    activity: Activity,
    tangents: BTreeMap<TensorId, TensorId>,
    /// Tangents of a recurrence's members that are not defined yet.
    announced: HashSet<TensorId>,
    /// Tangents of expressions; `None` is zero.
    known: HashMap<ExprId, Option<ExprId>>,
}

impl Forward<'_> {
    /// Makes the tangents of a recurrence's members known, to be defined one by one.
    fn announce(&mut self, members: &[Item]) {
        for member in members.iter().map(Item::target) {
            if self.activity.tensor(member) && !self.tangents.contains_key(&member) {
                let tangent = self.tensor(member);
                self.tangents.insert(member, tangent);
                self.announced.insert(tangent);
            }
        }
    }

    /// A new tensor for the tangent of another.
    fn tensor(&mut self, of: TensorId) -> TensorId {
        let name = format!("t.{}", self.m.t(of).name);
        let shape = self.m.t(of).shape.clone();
        self.m.tensor(&name, shape, Kind::Float, Role::Temporary, None)
    }

    fn definition(&mut self, def: &Def) {
        let announced = self.tangents.get(&def.target).copied();
        if announced.is_some_and(|t| !self.announced.remove(&t)) {
            return;
        }
        let zero = announced.map(|_| self.m.float(0.0));
        let Some(tangent) = self.expr(def.value).or(zero) else { return };
        let value = reduction::through(self.m, def, tangent).everywhere(self.m);
        let target = announced.unwrap_or_else(|| self.tensor(def.target));
        let combine = if def.combine == Combine::Set { Combine::Set } else { Combine::Sum };
        self.m.items.push(Item::Def(Def { target, combine, value, ..def.clone() }));
        self.tangents.insert(def.target, target);
    }

    /// The tangent of an expression.
    fn expr(&mut self, id: ExprId) -> Option<ExprId> {
        if !self.activity.expr(self.m, id) {
            return None;
        }
        if let Some(known) = self.known.get(&id) {
            return *known;
        }
        let tangent = match self.m.node(id).clone() {
            Node::Float(_) | Node::Int(_) | Node::Bool(_) | Node::Var(_) => None,
            Node::Read { tensor, at, otherwise } => self.read(tensor, at, otherwise),
            Node::Unary(op, a) => self.expr(a).and_then(|x| table::unary(self.m, op, a, id, x)),
            Node::Binary(op, a, b) => {
                let mut through = |side, e| {
                    let x = self.expr(e)?;
                    table::binary(self.m, op, side, (a, b), id, x)
                };
                let (left, right) = (through(Side::Left, a), through(Side::Right, b));
                match (left, right) {
                    (Some(l), Some(r)) => Some(self.m.add(l, r)),
                    (one, other) => one.or(other),
                }
            }
            Node::Select(c, a, b) => {
                let (a, b) = (self.expr(a), self.expr(b));
                self.choice(c, a, b)
            }
        };
        self.known.insert(id, tangent);
        tangent
    }

    fn choice(&mut self, c: ExprId, a: Option<ExprId>, b: Option<ExprId>) -> Option<ExprId> {
        let zero = self.m.float(0.0);
        a.or(b)?;
        Some(self.m.choose(c, a.unwrap_or(zero), b.unwrap_or(zero)))
    }

    fn read(&mut self, tensor: TensorId, at: Box<[ExprId]>, otherwise: Option<ExprId>) -> Option<ExprId> {
        let outside = otherwise.and_then(|o| self.expr(o));
        match self.tangents.get(&tensor).copied() {
            Some(tangent) => {
                let otherwise = otherwise.map(|_| outside.unwrap_or(self.m.float(0.0)));
                Some(self.m.intern(Node::Read { tensor: tangent, at, otherwise }))
            }
            None => {
                let shape = self.m.t(tensor).shape.clone();
                let inside = inside(self.m, &at, &shape);
                self.choice(inside, None, outside)
            }
        }
    }
}
