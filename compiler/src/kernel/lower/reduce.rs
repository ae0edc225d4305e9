//! Reductions: partial results carried through the reduced loops, then joined and stored, in the order that
//! [`crate::schedule::order`] says.

use super::{Lowering, Position};
use crate::ir::Combine;
use crate::kernel::{Op as To, Type, Value};
use crate::scalar::{Binary, Kind};
use crate::schedule::nest::{Chain, Lanes, Val};
use crate::schedule::order::{self, CHAIN};

impl Lowering<'_> {
    /// Combines over the reduced loops and stores the results.
    pub(super) fn reduce(&mut self, at: &Position, reduction: &Reduction) {
        let store = &self.nest.stores[0];
        let kind = self.nest.kinds[store.value];
        let in_lanes = self.nest.lanes == Lanes::Reduced;
        let lanes = if in_lanes { order::lanes(self.precision) } else { at.lanes };
        let start = self.identity(reduction, kind, lanes);
        let sums = self.reduced_loops(at, &start, reduction);
        let mut result = *sums.last().unwrap_or_else(|| unreachable!("a result has parts"));
        if in_lanes {
            result = self.b.op(self.ty(kind, 1), To::Fold(joining(reduction.combine, kind), result));
        }
        self.store(at, store, result, &[]);
    }

    /// The reduced loops not yet entered, from what is carried into them on.
    fn reduced_loops(&mut self, at: &Position, carried: &[Value], reduction: &Reduction) -> Vec<Value> {
        let level = at.counters.len();
        if level == self.nest.extents.len() {
            return self.combine_at(at, carried, reduction);
        }
        let (from, to) = (self.b.int(0), self.extents[level]);
        let Chain { cuts, .. } = self.nest.chains[level - self.nest.outer];
        if self.nest.lanes == Lanes::Reduced && level + 1 == self.nest.extents.len() {
            return self.in_lanes(at, to, cuts, carried, reduction);
        }
        self.blocks(at, (from, to), cuts, carried, reduction)
    }

    /// A reduced loop, cut into blocks that are each a sum of their own.
    fn blocks(
        &mut self,
        at: &Position,
        (from, to): (Value, Value),
        cuts: u32,
        carried: &[Value],
        reduction: &Reduction,
    ) -> Vec<Value> {
        if cuts == 0 {
            let inner = self.nest.chains.get(at.counters.len() + 1 - self.nest.outer);
            let fresh = inner.is_some_and(|chain| chain.fresh);
            let (_, sums) = self.every(from, to, 1, carried, &mut |this, i, carried| {
                let entered = Position { counters: [at.counters.as_slice(), &[i]].concat(), lanes: at.lanes };
                if fresh {
                    this.anew(carried, reduction, &mut |this, start| this.reduced_loops(&entered, start, reduction))
                } else {
                    this.reduced_loops(&entered, carried, reduction)
                }
            });
            return sums;
        }
        let block = self.nest.chains[at.counters.len() - self.nest.outer].block * CHAIN.pow(cuts - 1);
        let (_, sums) = self.every(from, to, block, carried, &mut |this, start, carried| {
            let end = this.b.offset(start, block as i64);
            let end = this.b.binary(Binary::Min, end, to);
            let range = (start, end);
            this.anew(carried, reduction, &mut |this, zero| this.blocks(at, range, cuts - 1, zero, reduction))
        });
        sums
    }

    /// What is carried, joined with a result that starts from nothing.
    fn anew(
        &mut self,
        carried: &[Value],
        reduction: &Reduction,
        body: &mut dyn FnMut(&mut Self, &[Value]) -> Vec<Value>,
    ) -> Vec<Value> {
        let lanes = self.lanes(carried[0]);
        let start = self.identity(reduction, Kind::Float, lanes);
        let sums = body(self, &start);
        vec![self.combine(reduction.combine, Kind::Float, carried[0], sums[0])]
    }

    /// The innermost reduced loop in virtual lanes: whole steps, then what is left.
    fn in_lanes(
        &mut self,
        outer: &Position,
        to: Value,
        cuts: u32,
        carried: &[Value],
        reduction: &Reduction,
    ) -> Vec<Value> {
        let lanes = order::lanes(self.precision);
        let (from, last) = (self.b.int(0), self.b.offset(to, 1 - lanes as i64));
        let (done, sums) = self.steps_in_lanes(outer, (from, last), cuts, carried, reduction);
        let left = self.b.binary(Binary::Lt, done, to);
        self.b.begin_branch();
        let rest = self.rest(outer, (done, to), reduction);
        let kind = self.nest.kinds[self.nest.stores[0].value];
        let joined = self.combine(reduction.combine, kind, sums[0], rest);
        let joined = self.b.end_branch(vec![joined]);
        self.b.begin_branch();
        let whole = self.b.end_branch(sums);
        self.b.choose(left, joined, whole)
    }

    /// Whole steps of the innermost loop, which begin before `last`; where the rest begins, and the partial results.
    fn steps_in_lanes(
        &mut self,
        outer: &Position,
        (from, last): (Value, Value),
        cuts: u32,
        carried: &[Value],
        reduction: &Reduction,
    ) -> (Value, Vec<Value>) {
        let lanes = order::lanes(self.precision);
        if cuts == 0 {
            return self.every(from, last, lanes, carried, &mut |this, i, carried| {
                let at = Position { counters: [outer.counters.as_slice(), &[i]].concat(), lanes };
                this.combine_at(&at, carried, reduction)
            });
        }
        let block = lanes * CHAIN.pow(cuts);
        let start = [carried, &[from]].concat();
        let (_, mut ends) = self.every(from, last, block, &start, &mut |this, start, carried| {
            let end = this.b.offset(start, block as i64);
            let end = this.b.binary(Binary::Min, end, last);
            let mut done = start;
            let mut next = this.anew(&carried[..1], reduction, &mut |this, zero| {
                let (reached, sums) = this.steps_in_lanes(outer, (start, end), cuts - 1, zero, reduction);
                done = reached;
                sums
            });
            next.push(done);
            next
        });
        let done = ends.split_off(carried.len());
        (done[0], ends)
    }

    /// The terms that fill no step, each in its lane; nothing in the others. They are put together in memory.
    fn rest(&mut self, outer: &Position, (from, to): (Value, Value), reduction: &Reduction) -> Value {
        let value = self.nest.stores[0].value;
        let kind = self.nest.kinds[value];
        let ty: Type = self.ty(kind, order::lanes(self.precision));
        let (own, zero) = (self.b.local(ty), self.b.int(0));
        let nothing = self.identity(reduction, kind, ty.lanes);
        self.b.store(own, zero, nothing[0]);
        let mut next = from;
        for lanes in [self.width, 1] {
            (next, _) = self.count_up(next, to, lanes, &[], &mut |this, i, _| {
                let at = Position { counters: [outer.counters.as_slice(), &[i]].concat(), lanes };
                let values = this.evaluate(&at, &[value]);
                let term = this.whole(kind, values[value], lanes);
                let lane = this.b.binary(Binary::Sub, i, from);
                this.b.store(own, lane, term);
                vec![]
            });
        }
        self.b.op(ty, To::Load(own, zero))
    }

    /// One more value into a partial result, whose parts are `sum`.
    fn combine_at(&mut self, at: &Position, sum: &[Value], reduction: &Reduction) -> Vec<Value> {
        let value = self.nest.stores[0].value;
        let kind = self.nest.kinds[value];
        let roots: Vec<Val> = std::iter::once(value).chain(reduction.rank).collect();
        let values = self.evaluate(at, &roots);
        let new = self.whole(kind, values[value], at.lanes);
        let Some(rank) = reduction.rank else {
            return vec![self.combine(reduction.combine, kind, sum[0], new)];
        };
        let rank = self.whole(Kind::Int, values[rank], at.lanes);
        self.first_largest(kind, sum, new, rank)
    }

    /// A value in as many lanes as there are points.
    fn whole(&mut self, kind: Kind, value: Option<Value>, lanes: usize) -> Value {
        let value = value.unwrap_or_else(|| unreachable!("roots are evaluated"));
        self.widen(kind, value, lanes)
    }

    /// Keeps the largest so far and its number: the new ones only where larger.
    fn first_largest(&mut self, kind: Kind, sum: &[Value], new: Value, rank: Value) -> Vec<Value> {
        let larger = self.b.binary(Binary::Lt, sum[0], new);
        [(kind, new, sum[0]), (Kind::Int, rank, sum[1])]
            .map(|(kind, yes, no)| self.select(kind, larger, yes, no))
            .to_vec()
    }

    /// Two partial results into one.
    fn combine(&mut self, combine: Combine, kind: Kind, a: Value, b: Value) -> Value {
        match (joining(combine, kind), kind) {
            // `b` is the newer: an old value stands against an equal new one.
            (f @ (Binary::Max | Binary::Min), Kind::Float) => self.b.binary(f, b, a),
            (f, _) => self.b.binary(f, a, b),
        }
    }

    /// The parts of an empty result.
    fn identity(&mut self, reduction: &Reduction, kind: Kind, lanes: usize) -> Vec<Value> {
        let combine = reduction.combine;
        let start = match (combine, kind) {
            (Combine::Max | Combine::Argmax, Kind::Float) => To::Float(f64::NEG_INFINITY.to_bits()),
            (Combine::Min, Kind::Float) => To::Float(f64::INFINITY.to_bits()),
            (Combine::Prod, Kind::Float) => To::Float(1.0_f64.to_bits()),
            (_, Kind::Float) => To::Float(0),
            (Combine::Max | Combine::Argmax, Kind::Int) => To::Int(i64::from(i32::MIN)),
            (Combine::Min, Kind::Int) => To::Int(i64::from(i32::MAX)),
            (Combine::Prod, Kind::Int) => To::Int(1),
            (_, Kind::Int) => To::Int(0),
            (Combine::Min | Combine::Prod, Kind::Bool) => To::Bool(true),
            (_, Kind::Bool) => To::Bool(false),
        };
        let mut parts = vec![self.b.op(self.ty(kind, lanes), start)];
        if combine == Combine::Argmax {
            parts.push(self.b.op(self.ty(Kind::Int, lanes), To::Int(0)));
        }
        parts
    }
}

/// The function that joins two partial results.
fn joining(combine: Combine, kind: Kind) -> Binary {
    match (combine, kind) {
        (Combine::Max | Combine::Argmax, Kind::Bool) => Binary::Or,
        (_, Kind::Bool) => Binary::And,
        (Combine::Prod, _) => Binary::Mul,
        (Combine::Max | Combine::Argmax, _) => Binary::Max,
        (Combine::Min, _) => Binary::Min,
        (Combine::Set | Combine::Sum, _) => Binary::Add,
    }
}

/// A reduction's combination and, for `Argmax`, the number of the point.
pub(super) struct Reduction {
    /// How values combine.
    pub combine: Combine,
    /// The number of the reduced point, for `Argmax`.
    pub rank: Option<Val>,
}
