//! Values while code is made: one number, or a vector of them.
//!
//! | kind  | one               | vector                                     |
//! |-------|-------------------|--------------------------------------------|
//! | Float | f32 or f64        | f32x4 or f64x2                             |
//! | Int   | i64               | i32x4 or i64x2                             |
//! | Bool  | i8, 0 or 1        | mask of that type, all bits set where it holds |
//!
//! Also the [`Ops`] of the scalar functions, over either.

use crate::numeric::ops::{Ops, Precision};
use crate::scalar::Kind;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type, Value, types};
use cranelift_frontend::FunctionBuilder;

/// A value of some kind.
#[derive(Clone, Copy, Debug)]
pub enum Lane {
    /// The same in all lanes.
    One(Value),
    /// One in each lane.
    Wide(Value),
}

/// The machine types of a precision.
#[derive(Clone, Copy, Debug)]
pub struct Types {
    /// Of the program's floats.
    pub precision: Precision,
}

impl Types {
    /// A float.
    #[must_use]
    pub fn float(self) -> Type {
        match self.precision {
            Precision::F32 => types::F32,
            Precision::F64 => types::F64,
        }
    }

    /// Lanes of a vector.
    #[must_use]
    pub fn width(self) -> usize {
        match self.precision {
            Precision::F32 => 4,
            Precision::F64 => 2,
        }
    }

    /// An integer lane of a vector.
    #[must_use]
    pub fn lane_int(self) -> Type {
        match self.precision {
            Precision::F32 => types::I32,
            Precision::F64 => types::I64,
        }
    }

    /// A vector of floats.
    #[must_use]
    pub fn floats(self) -> Type {
        match self.precision {
            Precision::F32 => types::F32X4,
            Precision::F64 => types::F64X2,
        }
    }

    /// A vector of integers, or a mask.
    #[must_use]
    pub fn ints(self) -> Type {
        match self.precision {
            Precision::F32 => types::I32X4,
            Precision::F64 => types::I64X2,
        }
    }

    /// A vector of a kind.
    #[must_use]
    pub fn wide(self, kind: Kind) -> Type {
        if kind == Kind::Float { self.floats() } else { self.ints() }
    }
}

/// A float constant.
pub fn float(b: &mut FunctionBuilder, types: Types, value: f64) -> Value {
    match types.precision {
        Precision::F32 => b.ins().f32const(value as f32),
        Precision::F64 => b.ins().f64const(value),
    }
}

/// The value in every lane of a vector.
pub fn widen(b: &mut FunctionBuilder, types: Types, kind: Kind, lane: Lane) -> Value {
    let one = match lane {
        Lane::Wide(v) => return v,
        Lane::One(v) => v,
    };
    match (kind, types.precision) {
        (Kind::Float, _) | (Kind::Int, Precision::F64) => b.ins().splat(types.wide(kind), one),
        (Kind::Int, Precision::F32) => {
            let narrow = b.ins().ireduce(types::I32, one);
            b.ins().splat(types::I32X4, narrow)
        }
        (Kind::Bool, _) => {
            let bits = b.ins().bmask(types.lane_int(), one);
            b.ins().splat(types.ints(), bits)
        }
    }
}

/// One lane of a value, as a single value.
pub fn lane(b: &mut FunctionBuilder, types: Types, kind: Kind, value: Lane, number: usize) -> Value {
    let vector = match value {
        Lane::One(v) => return v,
        Lane::Wide(v) => v,
    };
    let element = b.ins().extractlane(vector, number as u8);
    match (kind, types.precision) {
        (Kind::Float, _) | (Kind::Int, Precision::F64) => element,
        (Kind::Int, Precision::F32) => b.ins().sextend(types::I64, element),
        (Kind::Bool, _) => b.ins().icmp_imm_s(IntCC::NotEqual, element, 0),
    }
}

/// A vector of single values, one a lane.
pub fn gather(b: &mut FunctionBuilder, types: Types, kind: Kind, singles: &[Value]) -> Value {
    let mut vector = widen(b, types, kind, Lane::One(singles[0]));
    for (number, one) in singles.iter().enumerate().skip(1) {
        let element = match (kind, types.precision) {
            (Kind::Float, _) | (Kind::Int, Precision::F64) => *one,
            (Kind::Int, Precision::F32) => b.ins().ireduce(types::I32, *one),
            (Kind::Bool, _) => b.ins().bmask(types.lane_int(), *one),
        };
        vector = b.ins().insertlane(vector, element, number as u8);
    }
    vector
}

/// `yes` where the mask holds, else `no`; all vectors.
pub fn blend(b: &mut FunctionBuilder, mask: Value, yes: Value, no: Value) -> Value {
    let wanted = b.func.dfg.value_type(yes);
    let mask = if b.func.dfg.value_type(mask) == wanted { mask } else { b.ins().bitcast(wanted, bits_flags(), mask) };
    b.ins().bitselect(mask, yes, no)
}

fn bits_flags() -> MemFlagsData {
    MemFlagsData::new().with_endianness(cranelift_codegen::ir::Endianness::Little)
}

/// Arithmetic as instructions, on single values or vectors.
pub struct Arithmetic<'a, 'b> {
    /// Where instructions go.
    pub builder: &'a mut FunctionBuilder<'b>,
    /// Machine types.
    pub types: Types,
    /// Whether on vectors.
    pub wide: bool,
}

impl Arithmetic<'_, '_> {
    fn float_type(&self) -> Type {
        if self.wide { self.types.floats() } else { self.types.float() }
    }

    fn int_type(&self) -> Type {
        if self.wide { self.types.ints() } else { self.types.lane_int() }
    }

    fn compare(&mut self, how: FloatCC, a: Value, b: Value) -> Value {
        self.builder.ins().fcmp(how, a, b)
    }

    /// The larger; NaN if either is.
    pub fn greater(&mut self, a: Value, b: Value) -> Value {
        self.winner(FloatCC::GreaterThan, a, b)
    }

    /// The smaller; NaN if either is.
    pub fn lesser(&mut self, a: Value, b: Value) -> Value {
        self.winner(FloatCC::LessThan, a, b)
    }

    fn winner(&mut self, how: FloatCC, a: Value, b: Value) -> Value {
        let wins = self.compare(how, a, b);
        let nan = self.compare(FloatCC::Unordered, a, a);
        let mask = self.builder.ins().bor(wins, nan);
        self.select(mask, a, b)
    }
}

impl Ops for Arithmetic<'_, '_> {
    type V = Value;
    type I = Value;
    type M = Value;

    fn precision(&self) -> Precision {
        self.types.precision
    }

    fn float(&mut self, value: f64) -> Value {
        let one = float(self.builder, self.types, value);
        if self.wide { self.builder.ins().splat(self.types.floats(), one) } else { one }
    }

    fn int(&mut self, value: i64) -> Value {
        let value = if self.types.precision == Precision::F32 { i64::from(value as u32) } else { value };
        let one = self.builder.ins().iconst(self.types.lane_int(), value);
        if self.wide { self.builder.ins().splat(self.types.ints(), one) } else { one }
    }

    fn add(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().fadd(a, b)
    }

    fn sub(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().fsub(a, b)
    }

    fn mul(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().fmul(a, b)
    }

    fn div(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().fdiv(a, b)
    }

    fn fma(&mut self, a: Value, b: Value, c: Value) -> Value {
        self.builder.ins().fma(a, b, c)
    }

    fn neg(&mut self, a: Value) -> Value {
        self.builder.ins().fneg(a)
    }

    fn abs(&mut self, a: Value) -> Value {
        self.builder.ins().fabs(a)
    }

    fn sqrt(&mut self, a: Value) -> Value {
        self.builder.ins().sqrt(a)
    }

    fn floor(&mut self, a: Value) -> Value {
        self.builder.ins().floor(a)
    }

    fn ceil(&mut self, a: Value) -> Value {
        self.builder.ins().ceil(a)
    }

    fn nearest(&mut self, a: Value) -> Value {
        self.builder.ins().nearest(a)
    }

    fn lt(&mut self, a: Value, b: Value) -> Value {
        self.compare(FloatCC::LessThan, a, b)
    }

    fn le(&mut self, a: Value, b: Value) -> Value {
        self.compare(FloatCC::LessThanOrEqual, a, b)
    }

    fn eq(&mut self, a: Value, b: Value) -> Value {
        self.compare(FloatCC::Equal, a, b)
    }

    fn int_eq(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().icmp(IntCC::Equal, a, b)
    }

    fn select(&mut self, mask: Value, yes: Value, no: Value) -> Value {
        if self.wide { blend(self.builder, mask, yes, no) } else { self.builder.ins().select(mask, yes, no) }
    }

    fn bits(&mut self, a: Value) -> Value {
        let to = self.int_type();
        self.builder.ins().bitcast(to, bits_flags(), a)
    }

    fn from_bits(&mut self, a: Value) -> Value {
        let to = self.float_type();
        self.builder.ins().bitcast(to, bits_flags(), a)
    }

    fn int_add(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().iadd(a, b)
    }

    fn int_sub(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().isub(a, b)
    }

    fn int_and(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().band(a, b)
    }

    fn int_or(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().bor(a, b)
    }

    fn int_xor(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().bxor(a, b)
    }

    fn shl(&mut self, a: Value, by: u32) -> Value {
        self.builder.ins().ishl_imm_u(a, i64::from(by))
    }

    fn shr(&mut self, a: Value, by: u32) -> Value {
        self.builder.ins().ushr_imm_u(a, i64::from(by))
    }
}
