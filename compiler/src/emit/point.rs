//! The operations of a nest at one point of its loops, or at a vector of neighbouring points.

use super::access::Place;
use super::arithmetic::Arithmetic;
use super::lanes::{Lane, Types, blend, float, gather, lane, widen};
use crate::numeric;
use crate::numeric::ops::{Ops, Precision};
use crate::scalar::{Binary, Kind, Unary};
use crate::schedule::affine::Affine;
use crate::schedule::nest::{Nest, Op, Val};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, Value, types};
use cranelift_frontend::FunctionBuilder;

/// What every part of a kernel's emission needs.
pub struct Scene<'a, 'b> {
    /// Where instructions go.
    pub builder: &'a mut FunctionBuilder<'b>,
    /// What is emitted.
    pub nest: &'a Nest,
    /// Where its tensors are, by their numbers.
    pub places: Vec<Place>,
    /// How far its loops go, outermost first.
    pub extents: Vec<Value>,
    /// Machine types.
    pub types: Types,
    /// Whether several vectors of results are reduced at once.
    pub together: bool,
}

/// Where the loops stand.
#[derive(Clone, Debug)]
pub struct Point {
    /// The variable of every loop entered so far.
    pub vars: Vec<Value>,
    /// Whether the lane loop's variable stands for a vector of points.
    pub wide: bool,
}

impl<'b> Scene<'_, 'b> {
    /// The values of the operations that stores need, in order; others are left out.
    pub fn evaluate(&mut self, point: &Point, roots: &[Val]) -> Vec<Option<Lane>> {
        let needed = needed(self.nest, roots);
        let mut values: Vec<Option<Lane>> = vec![None; self.nest.ops.len()];
        for v in (0..needed.len()).filter(|v| needed[*v]) {
            let value = self.operation(point, v, &values);
            values[v] = Some(value);
        }
        values
    }

    /// How far an affine form moves from lane to lane.
    pub fn lane_step(&self, point: &Point, affine: &Affine) -> i64 {
        match self.nest.lane_loop() {
            Some(v) if point.wide => affine.factor(v),
            _ => 0,
        }
    }

    /// An affine form in the first lane, times `scale`, as i64.
    pub fn affine(&mut self, point: &Point, affine: &Affine, scale: i64) -> Value {
        let mut sum: Option<Value> = None;
        for (v, factor) in &affine.terms {
            let var = point.vars[*v];
            let term = match factor * scale {
                1 => var,
                by => self.builder.ins().imul_imm_s(var, by),
            };
            sum = Some(sum.map_or(term, |s| self.builder.ins().iadd(s, term)));
        }
        match (sum, affine.offset * scale) {
            (Some(s), 0) => s,
            (Some(s), c) => self.builder.ins().iadd_imm_s(s, c),
            (None, c) => self.builder.ins().iconst(types::I64, c),
        }
    }

    fn operation(&mut self, point: &Point, v: Val, values: &[Option<Lane>]) -> Lane {
        let nest = self.nest;
        let kind = nest.kinds[v];
        let of = |v: Val| values[v].unwrap_or_else(|| unreachable!("operands come before users"));
        match &nest.ops[v] {
            Op::Float(bits) => Lane::One(float(self.builder, self.types, f64::from_bits(*bits))),
            Op::Bool(b) => Lane::One(self.builder.ins().iconst(types::I8, i64::from(*b))),
            Op::Index(affine) => self.index(point, affine),
            Op::Load { tensor, address, guards, otherwise } => {
                self.load(point, *tensor, address, guards, otherwise.map(of), values)
            }
            Op::Unary(f, a) => self.unary(*f, nest.kinds[*a], of(*a)),
            Op::Binary(f, a, b) => self.binary(*f, nest.kinds[*a], of(*a), of(*b)),
            Op::Select(c, a, b) => self.select(kind, of(*c), of(*a), of(*b)),
        }
    }

    fn index(&mut self, point: &Point, affine: &Affine) -> Lane {
        let first = self.affine(point, affine, 1);
        match self.lane_step(point, affine) {
            0 => Lane::One(first),
            step => {
                let first = widen(self.builder, self.types, Kind::Int, Lane::One(first));
                let steps = self.steps(step);
                Lane::Wide(self.builder.ins().iadd(first, steps))
            }
        }
    }

    /// The constant vector 0, step, 2*step, ..
    fn steps(&mut self, step: i64) -> Value {
        let mut bytes = vec![];
        for l in 0..self.types.width() as i64 {
            match self.types.precision {
                Precision::F32 => bytes.extend(((l * step) as i32).to_le_bytes()),
                Precision::F64 => bytes.extend((l * step).to_le_bytes()),
            }
        }
        let pool = self.builder.func.dfg.constants.insert(bytes.into());
        self.builder.ins().vconst(self.types.ints(), pool)
    }

    fn arithmetic(&mut self, wide: bool) -> Arithmetic<'_, 'b> {
        Arithmetic { builder: self.builder, types: self.types, wide }
    }

    /// Both operands single, or both vectors.
    fn even(&mut self, kind: Kind, a: Lane, b: Lane) -> (bool, Value, Value) {
        match (a, b) {
            (Lane::One(a), Lane::One(b)) => (false, a, b),
            _ => (true, widen(self.builder, self.types, kind, a), widen(self.builder, self.types, kind, b)),
        }
    }

    fn unary(&mut self, f: Unary, kind: Kind, a: Lane) -> Lane {
        let (wide, value) = match a {
            Lane::One(v) => (false, v),
            Lane::Wide(v) => (true, v),
        };
        let result = match (f, kind) {
            (Unary::Not, _) if wide => self.builder.ins().bnot(value),
            (Unary::Not, _) => self.builder.ins().icmp_imm_s(IntCC::Equal, value, 0),
            (Unary::ToFloat, _) => self.float_of(kind, a),
            (Unary::Neg, Kind::Int) => self.builder.ins().ineg(value),
            (Unary::Abs, Kind::Int) => self.builder.ins().iabs(value),
            _ => numeric::unary(&mut self.arithmetic(wide), f, value),
        };
        if wide { Lane::Wide(result) } else { Lane::One(result) }
    }

    fn float_of(&mut self, kind: Kind, a: Lane) -> Value {
        match (kind, a) {
            (Kind::Float, Lane::One(v) | Lane::Wide(v)) => v,
            (Kind::Int, Lane::One(v)) => self.builder.ins().fcvt_from_sint(self.types.float(), v),
            (Kind::Int, Lane::Wide(v)) if self.types.precision == Precision::F32 => {
                self.builder.ins().fcvt_from_sint(types::F32X4, v)
            }
            (Kind::Int, Lane::Wide(_)) => {
                let lanes: Vec<Value> = (0..self.types.width())
                    .map(|l| {
                        let int = lane(self.builder, self.types, Kind::Int, a, l);
                        self.builder.ins().fcvt_from_sint(self.types.float(), int)
                    })
                    .collect();
                gather(self.builder, self.types, Kind::Float, &lanes)
            }
            (Kind::Bool, Lane::One(v)) => {
                let wide = self.builder.ins().uextend(types::I64, v);
                self.builder.ins().fcvt_from_sint(self.types.float(), wide)
            }
            (Kind::Bool, Lane::Wide(mask)) => {
                let mut arithmetic = self.arithmetic(true);
                let (one, zero) = (arithmetic.float(1.0), arithmetic.float(0.0));
                blend(arithmetic.builder, mask, one, zero)
            }
        }
    }

    fn binary(&mut self, f: Binary, kind: Kind, a: Lane, b: Lane) -> Lane {
        if matches!(f, Binary::FloorDiv | Binary::Mod) {
            return self.division(f, a, b);
        }
        let (wide, a, b) = self.even(kind, a, b);
        let result = match kind {
            Kind::Float => self.float_binary(f, wide, a, b),
            Kind::Int => self.int_binary(f, wide, a, b),
            Kind::Bool => match f {
                Binary::Or => self.builder.ins().bor(a, b),
                Binary::Eq => self.builder.ins().icmp(IntCC::Equal, a, b),
                _ => self.builder.ins().band(a, b),
            },
        };
        if wide { Lane::Wide(result) } else { Lane::One(result) }
    }

    /// A function of two floats, single or vectors.
    pub fn float_binary(&mut self, f: Binary, wide: bool, a: Value, b: Value) -> Value {
        let mut arithmetic = self.arithmetic(wide);
        match f {
            Binary::Max => arithmetic.greater(a, b),
            Binary::Min => arithmetic.lesser(a, b),
            Binary::Eq => self.builder.ins().fcmp(FloatCC::Equal, a, b),
            Binary::Lt => self.builder.ins().fcmp(FloatCC::LessThan, a, b),
            Binary::Le => self.builder.ins().fcmp(FloatCC::LessThanOrEqual, a, b),
            _ => numeric::binary(&mut arithmetic, f, a, b),
        }
    }

    /// A function of two integers, single or vectors; division apart.
    pub fn int_binary(&mut self, f: Binary, wide: bool, a: Value, b: Value) -> Value {
        match f {
            Binary::Sub => self.builder.ins().isub(a, b),
            Binary::Mul => self.builder.ins().imul(a, b),
            Binary::Eq => self.builder.ins().icmp(IntCC::Equal, a, b),
            Binary::Lt => self.builder.ins().icmp(IntCC::SignedLessThan, a, b),
            Binary::Le => self.builder.ins().icmp(IntCC::SignedLessThanOrEqual, a, b),
            Binary::Max | Binary::Min => {
                let how = if f == Binary::Max { IntCC::SignedGreaterThan } else { IntCC::SignedLessThan };
                let wins = self.builder.ins().icmp(how, a, b);
                self.arithmetic(wide).select(wins, a, b)
            }
            _ => self.builder.ins().iadd(a, b),
        }
    }

    /// `FloorDiv` and `Mod`, lane by lane.
    fn division(&mut self, f: Binary, a: Lane, b: Lane) -> Lane {
        if let (Lane::One(a), Lane::One(b)) = (a, b) {
            return Lane::One(self.divide(f, a, b));
        }
        let mut lanes = vec![];
        for l in 0..self.types.width() {
            let a = lane(self.builder, self.types, Kind::Int, a, l);
            let b = lane(self.builder, self.types, Kind::Int, b, l);
            lanes.push(self.divide(f, a, b));
        }
        Lane::Wide(gather(self.builder, self.types, Kind::Int, &lanes))
    }

    fn divide(&mut self, f: Binary, a: Value, b: Value) -> Value {
        let remainder = self.builder.ins().srem(a, b);
        let negative = self.builder.ins().icmp_imm_s(IntCC::SignedLessThan, remainder, 0);
        let lifted = self.builder.ins().iadd(remainder, b);
        let remainder = self.builder.ins().select(negative, lifted, remainder);
        if f == Binary::Mod {
            return remainder;
        }
        let whole = self.builder.ins().isub(a, remainder);
        self.builder.ins().sdiv(whole, b)
    }

    /// The second where the first holds, else the third.
    pub fn select(&mut self, kind: Kind, c: Lane, a: Lane, b: Lane) -> Lane {
        match c {
            Lane::One(c) => {
                let (wide, a, b) = self.even(kind, a, b);
                let chosen = self.builder.ins().select(c, a, b);
                if wide { Lane::Wide(chosen) } else { Lane::One(chosen) }
            }
            Lane::Wide(mask) => {
                let a = widen(self.builder, self.types, kind, a);
                let b = widen(self.builder, self.types, kind, b);
                Lane::Wide(blend(self.builder, mask, a, b))
            }
        }
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
