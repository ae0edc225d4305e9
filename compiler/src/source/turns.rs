//! A recurrence as a `scan`.
//!
//! In: a recurrence of a module. Out: definitions of one turn, of the same form as all others: every member
//! becomes a tensor without its turn axis, what it reads of earlier turns a tensor that the scan carries, and
//! the turn a number. So what prints a module prints the body of a scan, too.

use crate::ir::recurrence::{Recurrence, shifted};
use crate::ir::{Def, ExprId, Item, Module, Node, Role, Scatter, TensorId};
use crate::scalar::{Binary, Kind};
use std::collections::{BTreeMap, HashMap};

/// One turn of a recurrence.
pub struct Turn {
    /// The number of the turn, counted in the order they run.
    pub number: TensorId,
    /// What is read from members further back, the turn before first.
    pub carried: BTreeMap<TensorId, Vec<TensorId>>,
    /// The definitions of the turn, under their members' places.
    pub items: Vec<Item>,
    /// Each member's tensor in the turn.
    pub now: BTreeMap<TensorId, TensorId>,
    /// A name for the scan's value.
    pub value: TensorId,
    /// A name for what it carries.
    pub before: TensorId,
}

impl Turn {
    /// Takes a turn out of a recurrence; its tensors are added to the module.
    pub fn of(m: &mut Module, recurrence: &Recurrence) -> Self {
        let members: Vec<Def> = m.items[recurrence.items.clone()].iter().filter_map(Item::def).cloned().collect();
        let name = m.t(members[0].target).name.clone();
        let mut plain = |what: &str, kind| m.tensor(&format!("{name}.{what}"), vec![], kind, Role::Input, None);
        let (number, value) = (plain("turn", Kind::Int), plain("turns", Kind::Float));
        let before = plain("carried", Kind::Float);
        let now = members.iter().map(|d| (d.target, slice(m, d.target, "now", recurrence))).collect();
        let mut turn = Self { number, carried: BTreeMap::new(), items: vec![], now, value, before };
        for def in &members {
            let item = turn.definition(m, recurrence, def);
            turn.items.push(item);
        }
        turn
    }

    fn definition(&mut self, m: &mut Module, recurrence: &Recurrence, def: &Def) -> Item {
        let variable = recurrence.variable(m, def).unwrap_or(0);
        let mut done = HashMap::new();
        let value = self.expr(m, recurrence, (variable, &def.domain), def.value, &mut done);
        let scatter = def.scatter.as_ref().map(|s| {
            let axis = recurrence.axis(def.target).unwrap_or(0);
            let others = s.at.iter().enumerate().filter(|(k, _)| *k != axis).map(|(_, p)| *p);
            let at = others.map(|p| self.expr(m, recurrence, (variable, &def.domain), p, &mut done)).collect();
            Scatter { at, dropping: s.dropping }
        });
        let mut domain = def.domain.clone();
        domain.remove(variable as usize);
        Item::Def(Def { target: self.now[&def.target], domain, value, scatter, ..def.clone() })
    }

    /// An expression at the turn: later variables move up, members are read without their turn.
    fn expr(
        &mut self,
        m: &mut Module,
        recurrence: &Recurrence,
        turn: (u32, &[usize]),
        id: ExprId,
        done: &mut HashMap<ExprId, ExprId>,
    ) -> ExprId {
        if let Some(known) = done.get(&id) {
            return *known;
        }
        let mut again = |s: &mut Self, m: &mut Module, e: ExprId| s.expr(m, recurrence, turn, e, done);
        let new = match m.node(id).clone() {
            Node::Var(v) if v == turn.0 => self.at_hand(m, recurrence),
            Node::Var(v) => m.var(if v > turn.0 { v - 1 } else { v }),
            Node::Unary(op, a) => {
                let a = again(self, m, a);
                m.unary(op, a)
            }
            Node::Binary(op, a, b) => {
                let (a, b) = (again(self, m, a), again(self, m, b));
                m.binary(op, a, b)
            }
            Node::Select(c, a, b) => {
                let (c, a, b) = (again(self, m, c), again(self, m, a), again(self, m, b));
                m.select(c, a, b)
            }
            Node::Read { tensor, at, otherwise } => {
                let rest = otherwise.map(|o| again(self, m, o));
                let positions: Vec<ExprId> = at.iter().map(|p| again(self, m, *p)).collect();
                match recurrence.axis(tensor) {
                    None => m.intern(Node::Read { tensor, at: positions.into(), otherwise: rest }),
                    Some(axis) => self.member(m, recurrence, turn.1, (tensor, &at, axis), positions, rest),
                }
            }
            leaf => m.intern(leaf),
        };
        done.insert(id, new);
        new
    }

    /// A read of a member: of this turn, or of what is carried, or in the first turns what stands for it.
    fn member(
        &mut self,
        m: &mut Module,
        recurrence: &Recurrence,
        domain: &[usize],
        (tensor, old, axis): (TensorId, &[ExprId], usize),
        mut at: Vec<ExprId>,
        otherwise: Option<ExprId>,
    ) -> ExprId {
        at.remove(axis);
        let back = shifted(m, old[axis]).map_or(0, |(_, c)| c.unsigned_abs() as usize);
        if back == 0 {
            return m.intern(Node::Read { tensor: self.now[&tensor], at: at.into(), otherwise });
        }
        let source = self.further_back(m, recurrence, tensor, back);
        let shape = m.t(tensor).shape.clone();
        let fits = |k: usize| m.range(old[k], domain).is_some_and(|(low, high)| low >= 0 && high < shape[k] as i64);
        let inside = (0..shape.len()).filter(|k| *k != axis).all(fits);
        let read = m.intern(Node::Read { tensor: source, at: at.into(), otherwise: otherwise.filter(|_| !inside) });
        let Some(otherwise) = otherwise else { return read };
        let (number, back) = (m.read_here(self.number), m.int(back as i64));
        let early = m.binary(Binary::Lt, number, back);
        m.select(early, otherwise, read)
    }

    /// What a member was that many turns ago.
    fn further_back(&mut self, m: &mut Module, recurrence: &Recurrence, tensor: TensorId, back: usize) -> TensorId {
        let known = self.carried.entry(tensor).or_default();
        while known.len() < back {
            known.push(slice(m, tensor, "before", recurrence));
        }
        known[back - 1]
    }

    /// The turn as a position on the turn axis.
    fn at_hand(&self, m: &mut Module, recurrence: &Recurrence) -> ExprId {
        let number = m.read_here(self.number);
        if !recurrence.descending {
            return number;
        }
        let last = m.int(recurrence.turns as i64 - 1);
        m.binary(Binary::Sub, last, number)
    }
}

/// A tensor for what another holds at a turn.
fn slice(m: &mut Module, of: TensorId, what: &str, recurrence: &Recurrence) -> TensorId {
    let (name, kind) = (format!("{}.{what}", m.t(of).name), m.t(of).kind);
    let mut shape = m.t(of).shape.clone();
    shape.remove(recurrence.axis(of).unwrap_or(0));
    m.tensor(&name, shape, kind, Role::Input, None)
}
