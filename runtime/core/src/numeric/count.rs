//! [`Ops`] that compute nothing and count: how much work a function is.

use super::ops::Ops;
use crate::number::Precision;

/// Counts every operation but constants and changes of type, which cost nothing where vectors hold both.
pub struct Count {
    /// The width to count for.
    pub precision: Precision,
    /// What was counted.
    pub operations: usize,
}

macro_rules! counted {
    ($($name:ident($($argument:ty),*) -> $result:ident;)*) => {
        $(fn $name(&mut self, $(_: $argument),*) -> $result {
            self.operations += 1;
            $result
        })*
    };
}

/// A float.
#[derive(Clone, Copy)]
pub struct Float;
/// An integer.
#[derive(Clone, Copy)]
pub struct Int;
/// A truth value.
#[derive(Clone, Copy)]
pub struct Truth;

impl Ops for Count {
    type V = Float;
    type I = Int;
    type M = Truth;

    fn precision(&self) -> Precision {
        self.precision
    }
    fn float(&mut self, _: f64) -> Float {
        Float
    }
    fn int(&mut self, _: i64) -> Int {
        Int
    }
    /// The branch alone: what is behind it is not the work of ordinary arguments.
    fn rarely<const N: usize>(
        &mut self,
        _: Truth,
        usual: [Float; N],
        _: impl FnOnce(&mut Self) -> [Float; N],
    ) -> [Float; N] {
        self.operations += 1;
        usual
    }
    fn bits(&mut self, _: Float) -> Int {
        Int
    }
    fn from_bits(&mut self, _: Int) -> Float {
        Float
    }

    counted! {
        add(Float, Float) -> Float;
        sub(Float, Float) -> Float;
        mul(Float, Float) -> Float;
        div(Float, Float) -> Float;
        fma(Float, Float, Float) -> Float;
        neg(Float) -> Float;
        abs(Float) -> Float;
        sqrt(Float) -> Float;
        floor(Float) -> Float;
        ceil(Float) -> Float;
        nearest(Float) -> Float;
        lt(Float, Float) -> Truth;
        le(Float, Float) -> Truth;
        eq(Float, Float) -> Truth;
        int_eq(Int, Int) -> Truth;
        select(Truth, Float, Float) -> Float;
        int_add(Int, Int) -> Int;
        int_sub(Int, Int) -> Int;
        int_and(Int, Int) -> Int;
        int_or(Int, Int) -> Int;
        int_xor(Int, Int) -> Int;
        shl(Int, u32) -> Int;
        shr(Int, u32) -> Int;
    }
}
