//! The operations of a nest at one point of its loops, or at several neighbouring points at once.

use super::{Lowering, Position};
use crate::kernel::{Number, Op as To, Type, Value};
use crate::scalar::{Binary, Kind, Unary};
use crate::schedule::affine::Affine;
use crate::schedule::nest::{Nest, Op, Val};

/// Values of the operations lowered so far. One lane is the same at all points.
pub(super) type Values<'v> = &'v [Option<Value>];

impl Lowering<'_> {
    /// The values of the operations that the roots need; others are left out.
    pub(super) fn evaluate(&mut self, at: &Position, roots: &[Val]) -> Vec<Option<Value>> {
        let needed = needed(self.nest, roots);
        let mut values: Vec<Option<Value>> = vec![None; self.nest.ops.len()];
        for v in (0..needed.len()).filter(|v| needed[*v]) {
            let value = self.operation(at, v, &values);
            values[v] = Some(value);
        }
        values
    }

    /// How far an affine form moves from lane to lane.
    pub(super) fn lane_step(&self, at: &Position, affine: &Affine) -> i64 {
        match self.nest.lane_loop() {
            Some(v) if at.lanes > 1 => affine.factor(v),
            _ => 0,
        }
    }

    /// An affine form in the first lane.
    pub(super) fn affine(&mut self, at: &Position, affine: &Affine) -> Value {
        let mut sum: Option<Value> = None;
        for (v, factor) in &affine.terms {
            let term = self.b.scaled(at.counters[*v], *factor);
            sum = Some(sum.map_or(term, |s| self.b.binary(Binary::Add, s, term)));
        }
        match sum {
            Some(sum) => self.b.offset(sum, affine.offset),
            None => self.b.int(affine.offset),
        }
    }

    fn operation(&mut self, at: &Position, v: Val, values: Values) -> Value {
        let nest = self.nest;
        let of = |v: Val| values[v].unwrap_or_else(|| unreachable!("operands come before users"));
        match &nest.ops[v] {
            Op::Float(bits) => self.b.op(self.ty(Kind::Float, 1), To::Float(*bits)),
            Op::Bool(b) => self.b.op(self.ty(Kind::Bool, 1), To::Bool(*b)),
            Op::Index(affine) => self.index(at, affine),
            Op::Load { tensor, address, guards, otherwise } => {
                self.load(at, *tensor, address, guards, otherwise.map(of), values)
            }
            Op::Unary(f, a) => self.unary(*f, nest.kinds[*a], of(*a)),
            Op::Binary(f, a, b) => self.binary(*f, nest.kinds[*a], of(*a), of(*b)),
            Op::Select(c, a, b) => self.select(nest.kinds[v], of(*c), of(*a), of(*b)),
        }
    }

    fn index(&mut self, at: &Position, affine: &Affine) -> Value {
        let first = self.affine(at, affine);
        match self.lane_step(at, affine) {
            0 => first,
            step => {
                let first = self.widen(Kind::Int, first, at.lanes);
                let steps = self.b.op(self.ty(Kind::Int, at.lanes), To::Steps(step));
                self.b.binary(Binary::Add, first, steps)
            }
        }
    }

    /// The value in every lane.
    pub(super) fn widen(&mut self, kind: Kind, value: Value, lanes: usize) -> Value {
        if lanes == 1 || self.lanes(value) == lanes {
            return value;
        }
        let ty = self.ty(kind, lanes);
        let one = if kind == Kind::Int { self.resize(value, ty.number) } else { value };
        self.b.op(ty, To::Splat(one))
    }

    fn resize(&mut self, value: Value, number: Number) -> Value {
        let ty = self.b.ty(value);
        if ty.number == number { value } else { self.b.op(Type { number, ..ty }, To::Resize(value)) }
    }

    /// One lane of a value, as a single value.
    pub(super) fn lane(&mut self, kind: Kind, value: Value, lane: usize) -> Value {
        let ty = self.b.ty(value);
        if ty.lanes == 1 {
            return value;
        }
        let one = self.b.op(Type::one(ty.number), To::Extract(value, lane));
        if kind == Kind::Int { self.resize(one, Number::I64) } else { one }
    }

    /// A value of single values, one a lane.
    pub(super) fn pack(&mut self, kind: Kind, singles: Vec<Value>) -> Value {
        let ty = self.ty(kind, singles.len());
        let mut lanes = vec![];
        for one in singles {
            lanes.push(if kind == Kind::Int { self.resize(one, ty.number) } else { one });
        }
        self.b.op(ty, To::Pack(lanes.into()))
    }

    /// Both operands of as many lanes.
    fn even(&mut self, kind: Kind, a: Value, b: Value) -> (Value, Value) {
        let lanes = self.lanes(a).max(self.lanes(b));
        (self.widen(kind, a, lanes), self.widen(kind, b, lanes))
    }

    fn unary(&mut self, f: Unary, kind: Kind, a: Value) -> Value {
        let ty = self.b.ty(a);
        match f {
            Unary::ToFloat if kind == Kind::Float => a,
            // There is no vector instruction for it.
            Unary::ToFloat if ty.lanes > 1 && ty.number == Number::I64 => {
                let mut lanes = vec![];
                for l in 0..ty.lanes {
                    let int = self.lane(kind, a, l);
                    lanes.push(self.b.op(self.ty(Kind::Float, 1), To::Unary(f, int)));
                }
                self.pack(Kind::Float, lanes)
            }
            Unary::ToFloat => self.b.op(self.ty(Kind::Float, ty.lanes), To::Unary(f, a)),
            Unary::Detach => a,
            _ => self.b.op(ty, To::Unary(f, a)),
        }
    }

    pub(super) fn binary(&mut self, f: Binary, kind: Kind, a: Value, b: Value) -> Value {
        let division = kind == Kind::Int && matches!(f, Binary::FloorDiv | Binary::Mod);
        let (a, b) = if division { (a, b) } else { self.even(kind, a, b) };
        let lanes = self.lanes(a).max(self.lanes(b));
        if !division || lanes == 1 {
            return self.b.binary(f, a, b);
        }
        let mut singles = vec![];
        for l in 0..lanes {
            let (a, b) = (self.lane(kind, a, l), self.lane(kind, b, l));
            singles.push(self.b.binary(f, a, b));
        }
        self.pack(kind, singles)
    }

    /// The second where the first holds, else the third.
    pub(super) fn select(&mut self, kind: Kind, c: Value, a: Value, b: Value) -> Value {
        let lanes = [c, a, b].map(|v| self.lanes(v)).into_iter().max().unwrap_or(1);
        let (a, b) = (self.widen(kind, a, lanes), self.widen(kind, b, lanes));
        self.b.op(self.ty(kind, lanes), To::Select(c, a, b))
    }
}

/// Which operations the roots need.
fn needed(nest: &Nest, roots: &[Val]) -> Vec<bool> {
    let mut needed = vec![false; nest.ops.len()];
    roots.iter().for_each(|r| needed[*r] = true);
    for v in (0..nest.ops.len()).rev() {
        if !needed[v] {
            continue;
        }
        match &nest.ops[v] {
            Op::Float(_) | Op::Bool(_) | Op::Index(_) => {}
            Op::Load { address, guards, otherwise, .. } => {
                address.gathers.iter().for_each(|(_, g)| needed[*g] = true);
                guards.iter().for_each(|g| needed[g.position] = true);
                otherwise.iter().for_each(|o| needed[*o] = true);
            }
            Op::Unary(_, a) => needed[*a] = true,
            Op::Binary(_, a, b) => [*a, *b].iter().for_each(|v| needed[*v] = true),
            Op::Select(c, a, b) => [*c, *a, *b].iter().for_each(|v| needed[*v] = true),
        }
    }
    needed
}
