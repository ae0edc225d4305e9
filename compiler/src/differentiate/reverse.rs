//! Reverse mode: from a scalar back to all that it depends on.
//!
//! The definitions are walked from last to first. All that flows into a tensor's cotangent is
//! summed before it is multiplied on, once. The cotangent is then carried through the expression
//! of the definition to each element read there, and accumulated through the same access: where
//! that is a renaming of variables the result is a projection, else a scatter. What does not lead
//! from the tensors asked for to the objective is never built.
//!
//! A recurrence is walked like anything else. Only what it reads of another turn flows into cotangents
//! before that of the reader is known; so that one is announced, read, and defined when its turn comes.
//! What results is a recurrence in the other direction, which `ir::recurrence` finds and orders.

use super::activity::Activity;
use super::adjoint::{Guarded, inside};
use super::reduction;
use super::table::{self, Side};
use crate::ir::recurrence::{Recurrence, arrange, recurrences};
use crate::ir::verify::expect_verified;
use crate::ir::{Combine, Def, ExprId, Item, Module, Node, Role, Scatter, TensorId};
use crate::scalar::Kind;
use std::collections::{HashMap, HashSet};

/// Appends what computes the gradient of `objective` (of the sum of its elements, if it is no
/// scalar) by each tensor of `wrt`, and returns the gradients, in that order and of those shapes.
pub fn reverse(module: &mut Module, objective: TensorId, wrt: &[TensorId]) -> Vec<TensorId> {
    let activity = Activity::of(module, wrt);
    let items = module.items.clone();
    let recurrences = recurrences(module);
    let mut sweep = Reverse {
        m: module,
        activity,
        wrt,
        parts: HashMap::new(),
        gradients: HashMap::new(),
        announced: HashMap::new(),
        cotangents: HashSet::new(),
        recurrence: None,
    };
    let one = sweep.m.float(1.0);
    sweep.parts.insert(objective, vec![Part::Here(one)]);
    for (k, item) in items.iter().enumerate().rev() {
        if let Some(recurrence) = recurrences.iter().find(|r| r.items.end == k + 1) {
            sweep.enter(&items[recurrence.items.clone()], recurrence);
        }
        if let Item::Def(def) = item
            && sweep.activity.tensor(def.target)
        {
            sweep.definition(def);
        }
    }
    let gradients = wrt.iter().map(|t| sweep.gradient(*t)).collect();
    arrange(module);
    expect_verified(module, "reverse mode");
    gradients
}

/// One thing that flows into a tensor's cotangent.
enum Part {
    /// An expression over the positions of the tensor, variables `0..rank`.
    Here(ExprId),
    /// A sum over a domain: a projection, or a scatter.
    Sum { domain: Vec<usize>, value: ExprId, scatter: Option<Scatter> },
}

struct Reverse<'a> {
    m: &'a mut Module,
    activity: Activity,
    wrt: &'a [TensorId],
    /// What has flowed into tensors whose definition is not reached yet.
    parts: HashMap<TensorId, Vec<Part>>,
    /// Cotangents that are tensors.
    gradients: HashMap<TensorId, TensorId>,
    /// Cotangents that are already read, but not defined yet.
    announced: HashMap<TensorId, TensorId>,
    /// All that were ever announced.
    cotangents: HashSet<TensorId>,
    /// The one whose members are being walked.
    recurrence: Option<Recurrence>,
}

impl Reverse<'_> {
    /// Before the members of a recurrence are walked, what flows from one turn to the turn before is
    /// carried on: members that read another turn get a cotangent that is defined when they are reached.
    fn enter(&mut self, items: &[Item], recurrence: &Recurrence) {
        self.recurrence = Some(recurrence.clone());
        let members: Vec<&Def> = items.iter().filter_map(Item::def).collect();
        let reached = |d: &&Def| self.activity.tensor(d.target) && self.parts.contains_key(&d.target);
        if !members.iter().any(reached) {
            return;
        }
        let delayed = members.iter().filter(|d| self.activity.tensor(d.target) && recurrence.delays(self.m, d));
        for def in delayed.copied().collect::<Vec<_>>() {
            let cotangent = self.tensor(def.target);
            self.announced.insert(def.target, cotangent);
            self.cotangents.insert(cotangent);
            let here = self.m.read_here(cotangent);
            self.carry(def, here);
        }
    }

    /// Carries the cotangent of a definition's target to what the definition reads.
    fn definition(&mut self, def: &Def) {
        if self.announced.contains_key(&def.target) {
            self.gradient(def.target);
            return;
        }
        let dropping = def.scatter.as_ref().is_some_and(|s| s.dropping);
        if let Some(cotangent) = self.cotangent(def.target, dropping || self.wrt.contains(&def.target)) {
            self.carry(def, cotangent);
        }
    }

    fn carry(&mut self, def: &Def, cotangent: ExprId) {
        let seed = match &def.scatter {
            None => reduction::through(self.m, def, cotangent),
            Some(scatter) => Guarded::always(self.at_scatter(cotangent, scatter)),
        };
        for (read, adjoint) in self.scalar_reverse(def.value, seed) {
            self.accumulate(&def.domain, read, adjoint);
        }
    }

    /// The cotangent of a scattered value: that of the element it went to, zero if it was dropped.
    fn at_scatter(&mut self, cotangent: ExprId, scatter: &Scatter) -> ExprId {
        match *self.m.node(cotangent) {
            Node::Read { tensor, .. } if scatter.dropping => {
                let otherwise = Some(self.m.float(0.0));
                self.m.intern(Node::Read { tensor, at: scatter.at.clone().into(), otherwise })
            }
            _ => self.m.substitute(cotangent, &scatter.at),
        }
    }

    /// The cotangent as an expression over the tensor's positions; `None` if nothing flowed there.
    fn cotangent(&mut self, tensor: TensorId, as_tensor: bool) -> Option<ExprId> {
        if let (false, [Part::Here(e)]) = (as_tensor, self.parts.get(&tensor)?.as_slice())
            && matches!(self.m.node(*e), Node::Float(_) | Node::Read { .. })
        {
            return Some(*e);
        }
        let gradient = self.gradient(tensor);
        Some(self.m.read_here(gradient))
    }

    /// The cotangent as a tensor.
    fn gradient(&mut self, tensor: TensorId) -> TensorId {
        if let Some(known) = self.gradients.get(&tensor) {
            return *known;
        }
        let target = self.announced.remove(&tensor).unwrap_or_else(|| self.tensor(tensor));
        let mut parts = self.parts.remove(&tensor).unwrap_or_default();
        match parts.pop() {
            Some(Part::Sum { domain, value, scatter }) if parts.is_empty() => {
                self.m.items.push(Item::Def(Def { target, domain, combine: Combine::Sum, value, scatter }));
            }
            last => {
                parts.extend(last);
                let value = self.total(target, parts);
                let domain = self.m.t(target).shape.clone();
                self.m.items.push(Item::Def(Def { target, domain, combine: Combine::Set, value, scatter: None }));
            }
        }
        self.gradients.insert(tensor, target);
        target
    }

    /// A new tensor for the cotangent of another.
    fn tensor(&mut self, of: TensorId) -> TensorId {
        let name = format!("d.{}", self.m.t(of).name);
        let shape = self.m.t(of).shape.clone();
        self.m.tensor(&name, shape, Kind::Float, Role::Temporary, None)
    }

    /// The sum of all parts, at a position.
    fn total(&mut self, of: TensorId, parts: Vec<Part>) -> ExprId {
        let mut total = self.m.float(0.0);
        for (k, part) in parts.into_iter().enumerate() {
            let here = match part {
                Part::Here(e) => e,
                Part::Sum { domain, value, scatter } => {
                    let (name, shape) = (format!("{}.{}", self.m.t(of).name, k + 1), self.m.t(of).shape.clone());
                    let target = self.m.tensor(&name, shape, Kind::Float, Role::Temporary, None);
                    self.m.items.push(Item::Def(Def { target, domain, combine: Combine::Sum, value, scatter }));
                    self.m.read_here(target)
                }
            };
            total = self.m.add(total, here);
        }
        total
    }

    /// The adjoint of every read that an expression's value depends on, for the adjoint `seed` of
    /// the expression itself. Users come before operands, so every adjoint is complete when it is
    /// carried on.
    fn scalar_reverse(&mut self, value: ExprId, seed: Guarded) -> Vec<(ExprId, Guarded)> {
        let mut adjoints = HashMap::from([(value, seed)]);
        let mut reads = Vec::new();
        for id in self.m.reachable(&[value]).into_iter().rev() {
            let Some(x) = adjoints.remove(&id) else { continue };
            for (operand, adjoint) in self.adjoints_of_operands(id, x) {
                if self.activity.expr(self.m, operand) {
                    let before = adjoints.remove(&operand);
                    let sum = before.map_or(adjoint, |b| b.plus(self.m, adjoint));
                    adjoints.insert(operand, sum);
                }
            }
            if matches!(self.m.node(id), Node::Read { tensor, .. } if self.activity.tensor(*tensor)) {
                reads.push((id, x));
            }
        }
        reads
    }

    /// What the adjoint of a node adds to those of its operands.
    fn adjoints_of_operands(&mut self, id: ExprId, x: Guarded) -> Vec<(ExprId, Guarded)> {
        let m = &mut *self.m;
        match m.node(id).clone() {
            Node::Float(_) | Node::Int(_) | Node::Bool(_) | Node::Var(_) | Node::Read { otherwise: None, .. } => vec![],
            Node::Read { tensor, at, otherwise: Some(o) } => {
                let shape = m.t(tensor).shape.clone();
                let inside = inside(m, &at, &shape);
                let outside = m.not(inside);
                vec![(o, x.and(m, outside))]
            }
            Node::Unary(op, a) => {
                if !self.activity.expr(m, a) {
                    return vec![];
                }
                table::unary(m, op, a, id, x.value).map(|v| (a, x.with(v))).into_iter().collect()
            }
            Node::Binary(op, a, b) => {
                let sides = [(Side::Left, a), (Side::Right, b)];
                let active = sides.into_iter().filter(|(_, e)| self.activity.expr(m, *e)).collect::<Vec<_>>();
                let carried = active
                    .into_iter()
                    .filter_map(|(side, e)| table::binary(m, op, side, (a, b), id, x.value).map(|v| (e, x.with(v))));
                carried.collect()
            }
            Node::Select(c, a, b) => {
                let not = m.not(c);
                vec![(a, x.and(m, c)), (b, x.and(m, not))]
            }
        }
    }

    /// Accumulates the adjoint of a read through its access. Positions that may only be looked at
    /// under the adjoint's guard are -1 elsewhere, and dropped.
    fn accumulate(&mut self, domain: &[usize], read: ExprId, adjoint: Guarded) {
        let Node::Read { tensor, at, otherwise } = self.m.node(read).clone() else { return };
        let (at, adjoint) = self.at_its_turn(domain, read, adjoint).unwrap_or((at, adjoint));
        let part = self.projection(domain, tensor, &at, adjoint).unwrap_or_else(|| {
            let outside = self.m.int(-1);
            let hidden =
                |s: &mut Self, p| adjoint.guard.filter(|_| !s.safe(p, domain)).map(|g| s.m.choose(g, p, outside));
            // The others stay as they are: an order of turns is read from them.
            let at = at.iter().map(|p| hidden(self, *p).unwrap_or(*p)).collect::<Vec<_>>();
            let dropping =
                !self.m.proven_inside(tensor, &at, domain) && (otherwise.is_some() || adjoint.guard.is_some());
            let value = adjoint.everywhere(self.m);
            Part::Sum { domain: domain.to_vec(), value, scatter: Some(Scatter { at, dropping }) }
        });
        self.parts.entry(tensor).or_default().push(part);
    }

    /// A member of the recurrence at hand that is read `c` turns on, at turn k + c, is given the adjoint of
    /// that read at turn k: so it takes, at its own turn k, the adjoint of turn k - c, if there is one.
    fn at_its_turn(&mut self, domain: &[usize], read: ExprId, adjoint: Guarded) -> Option<(Box<[ExprId]>, Guarded)> {
        let Node::Read { tensor, at, .. } = self.m.node(read).clone() else { return None };
        let axis = self.recurrence.as_ref()?.axis(tensor)?;
        let (ahead, terms) = self.m.affine(at[axis]).filter(|(ahead, _)| *ahead != 0)?;
        let turn = terms.first().map(|(k, _)| *k)?;
        let mut with: Vec<ExprId> = (0..domain.len() as u32).map(|v| self.m.var(v)).collect();
        let ahead = self.m.int(ahead);
        let other = self.m.sub(with[turn as usize], ahead);
        with[turn as usize] = other;
        let at: Box<[ExprId]> = at.iter().map(|p| self.m.substitute(*p, &with)).collect();
        let value = self.m.substitute(adjoint.value, &with);
        let inside = inside(self.m, &[other], &[domain[turn as usize]]);
        let Some(guard) = adjoint.guard else {
            // A position that is looked up at that turn has to be hidden too where there is none.
            let sought = at.iter().all(|p| self.safe(*p, domain));
            let carried =
                if sought { self.guarded(value, other, inside) } else { Guarded { guard: Some(inside), value } };
            return Some((at, carried));
        };
        let guard = self.m.substitute(guard, &with);
        Some((at, Guarded { guard: Some(inside), value }.and(self.m, guard)))
    }

    /// A value at turn `other`, where it is inside; the read of a cotangent at that turn guards itself.
    fn guarded(&mut self, value: ExprId, other: ExprId, inside: ExprId) -> Guarded {
        match self.m.node(value).clone() {
            Node::Read { tensor, at, otherwise: None } if self.cotangents.contains(&tensor) && at.contains(&other) => {
                let otherwise = Some(self.m.float(0.0));
                Guarded::always(self.m.intern(Node::Read { tensor, at, otherwise }))
            }
            _ => Guarded { guard: Some(inside), value },
        }
    }

    /// Whether an expression can be evaluated anywhere in the domain: all that it reads is proven
    /// inside or guarded.
    fn safe(&self, id: ExprId, domain: &[usize]) -> bool {
        self.m.reachable(&[id]).into_iter().all(|e| match self.m.node(e) {
            Node::Read { tensor, at, otherwise } => otherwise.is_some() || self.m.proven_inside(*tensor, at, domain),
            _ => true,
        })
    }

    /// Where the positions are distinct variables, each over a whole axis (or 0 on an axis of one
    /// element), the accumulation is a projection: those variables come first, the rest is summed.
    fn projection(&mut self, domain: &[usize], tensor: TensorId, at: &[ExprId], adjoint: Guarded) -> Option<Part> {
        let shape = self.m.t(tensor).shape.clone();
        let mut number = vec![None; domain.len()];
        for (axis, (p, extent)) in at.iter().zip(&shape).enumerate() {
            match *self.m.node(*p) {
                Node::Var(k) if domain[k as usize] == *extent && number[k as usize].is_none() => {
                    number[k as usize] = Some(axis);
                }
                Node::Int(0) if *extent == 1 => {}
                _ => return None,
            }
        }
        let mut new_domain = shape.clone();
        for (k, extent) in domain.iter().enumerate() {
            number[k].get_or_insert_with(|| {
                new_domain.push(*extent);
                new_domain.len() - 1
            });
        }
        let with: Vec<ExprId> = number.iter().filter_map(|k| k.map(|k| self.m.var(k as u32))).collect();
        let value = adjoint.everywhere(self.m);
        let value = self.m.substitute(value, &with);
        Some(if new_domain.len() == shape.len() {
            Part::Here(value)
        } else {
            Part::Sum { domain: new_domain, value, scatter: None }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::text;

    /// Appends the gradient of the first output by the inputs named, and prints what was appended.
    fn gradient(source: &str, wrt: &[&str]) -> String {
        let mut m = text::parse(source).unwrap_or_else(|e| panic!("{e}"));
        let before = text::print(&m);
        let by_name = |name: &&str| TensorId(m.tensors.iter().position(|t| t.name == *name).expect("named") as u32);
        let wrt: Vec<TensorId> = wrt.iter().map(by_name).collect();
        let objective = m.outputs.remove(0).1;
        reverse(&mut m, objective, &wrt);
        let kept = before.lines().count() - 1;
        text::print(&m).lines().skip(kept).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_linear_layer_gives_two_projections() {
        let source = "input x: f[4, 3]\ninput W: f[2, 3]\n\
            y[i0: 4, i1: 2] = sum[r0: 3] W[i1, r0] * x[i0, r0]\n\
            e[] = sum[r0: 4, r1: 2] exp(y[r0, r1])\noutput e = e";
        assert_eq!(
            gradient(source, &["W", "x"]),
            "d.y[i0: 4, i1: 2] = exp(y[i0, i1])\n\
             d.W[i0: 2, i1: 3] = sum[r0: 4] d.y[r0, i0] * x[r0, i1]\n\
             d.x[i0: 4, i1: 3] = sum[r0: 2] d.y[i0, r0] * W[r0, i1]"
        );
        assert!(!gradient(source, &["W"]).contains("d.x"));
    }

    #[test]
    fn a_guarded_window_scatters() {
        let source = "input x: f[5]\ninput k: f[3]\n\
            y[i0: 5] = sum[r0: 3] k[r0] * (x[i0 + r0 - 1] or 0.0)\n\
            e[] = sum[r0: 5] y[r0] * y[r0]\noutput e = e";
        assert_eq!(
            gradient(source, &["x"]),
            "d.y[i0: 5] = y[i0] + y[i0]\n\
             over [i0: 5, i1: 3] d.x: f[5] at [i0 + i1 - 1] or drop += d.y[i0] * k[i1]"
        );
    }

    /// The turn after the last has no element of `which`: its position is -1, and dropped.
    #[test]
    fn a_position_looked_up_at_another_turn_is_hidden_where_there_is_none() {
        let source = "input x: f[2, 3]\ninput which: i[3]\nlater s: f[2, 3]\n\
            before[i0: 2, i1: 3] = (s[which[i1], i1 - 1] or 0.0)\n\
            s[i0: 2, i1: 3] = before[i0, i1] * x[i0, i1]\n\
            e[] = sum[r0: 2, r1: 3] s[r0, r1]\noutput e = e";
        let back = gradient(source, &["x"]);
        assert!(back.contains("which[i1 + 1]"), "{back}");
    }

    #[test]
    fn what_is_not_reached_is_zero() {
        let source = "input x: f[2]\ninput n: f[3]\ne[] = sum[r0: 2] floor(x[r0])\noutput e = e";
        assert_eq!(gradient(source, &["x", "n"]), "d.x[i0: 2] = 0.0\nd.n[i0: 3] = 0.0");
    }
}
