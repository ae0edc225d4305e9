//! Cranelift's types for the numbers of a program.
//!
//! | number | one         | vector                                         |
//! |--------|-------------|------------------------------------------------|
//! | float  | f32 or f64  | f32x4 or f64x2                                 |
//! | int    | i64         | i32x4 or i64x2                                 |
//! | bool   | i8, 0 or 1  | mask of that type, all bits set where it holds |

use crate::kernel::Number;
use cranelift_codegen::ir::{Endianness, InstBuilder, MemFlagsData, Type, Value, types};
use cranelift_frontend::FunctionBuilder;
use nnc_core::number::Precision;

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

    /// A vector of numbers.
    #[must_use]
    pub fn vector(self, number: Number) -> Type {
        if number.is_float() { self.floats() } else { self.ints() }
    }

    /// A single number.
    #[must_use]
    pub fn single(self, number: Number) -> Type {
        match number {
            Number::F32 => types::F32,
            Number::F64 => types::F64,
            Number::I32 => types::I32,
            Number::I64 => types::I64,
            Number::Bool => types::I8,
        }
    }
}

/// A float constant.
pub fn float(b: &mut FunctionBuilder, types: Types, value: f64) -> Value {
    match types.precision {
        Precision::F32 => b.ins().f32const(value as f32),
        Precision::F64 => b.ins().f64const(value),
    }
}

/// `yes` where the mask holds, else `no`; all vectors.
pub fn blend(b: &mut FunctionBuilder, mask: Value, yes: Value, no: Value) -> Value {
    let wanted = b.func.dfg.value_type(yes);
    let mask = if b.func.dfg.value_type(mask) == wanted { mask } else { b.ins().bitcast(wanted, bits_flags(), mask) };
    b.ins().bitselect(mask, yes, no)
}

/// Flags of a reinterpretation of bits.
pub fn bits_flags() -> MemFlagsData {
    MemFlagsData::new().with_endianness(Endianness::Little)
}
