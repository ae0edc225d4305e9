//! Values while code is made: one number, or a vector of them.
//!
//! | kind  | one               | vector                                     |
//! |-------|-------------------|--------------------------------------------|
//! | Float | f32 or f64        | f32x4 or f64x2                             |
//! | Int   | i64               | i32x4 or i64x2                             |
//! | Bool  | i8, 0 or 1        | mask of that type, all bits set where it holds |

use crate::numeric::ops::Precision;
use crate::scalar::Kind;
use cranelift_codegen::ir::condcodes::IntCC;
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

/// Flags of a reinterpretation of bits.
pub fn bits_flags() -> MemFlagsData {
    MemFlagsData::new().with_endianness(cranelift_codegen::ir::Endianness::Little)
}
