//! [`Ops`] as plain Rust arithmetic, one number at a time: what the generated code must agree with.

use super::ops::{Ops, Precision};

/// Evaluation in f32.
pub struct PlainF32;

/// Evaluation in f64.
pub struct PlainF64;

macro_rules! plain_ops {
    ($name:ident, $float:ty, $int:ty, $precision:expr) => {
        impl Ops for $name {
            type V = $float;
            type I = $int;
            type M = bool;

            fn precision(&self) -> Precision {
                $precision
            }
            fn float(&mut self, value: f64) -> $float {
                value as $float
            }
            fn int(&mut self, value: i64) -> $int {
                value as $int
            }
            fn add(&mut self, a: $float, b: $float) -> $float {
                a + b
            }
            fn sub(&mut self, a: $float, b: $float) -> $float {
                a - b
            }
            fn mul(&mut self, a: $float, b: $float) -> $float {
                a * b
            }
            fn div(&mut self, a: $float, b: $float) -> $float {
                a / b
            }
            fn fma(&mut self, a: $float, b: $float, c: $float) -> $float {
                a.mul_add(b, c)
            }
            fn neg(&mut self, a: $float) -> $float {
                -a
            }
            fn abs(&mut self, a: $float) -> $float {
                a.abs()
            }
            fn sqrt(&mut self, a: $float) -> $float {
                a.sqrt()
            }
            fn floor(&mut self, a: $float) -> $float {
                a.floor()
            }
            fn ceil(&mut self, a: $float) -> $float {
                a.ceil()
            }
            fn nearest(&mut self, a: $float) -> $float {
                a.round_ties_even()
            }
            fn lt(&mut self, a: $float, b: $float) -> bool {
                a < b
            }
            fn le(&mut self, a: $float, b: $float) -> bool {
                a <= b
            }
            fn eq(&mut self, a: $float, b: $float) -> bool {
                a == b
            }
            fn int_eq(&mut self, a: $int, b: $int) -> bool {
                a == b
            }
            fn select(&mut self, mask: bool, yes: $float, no: $float) -> $float {
                if mask { yes } else { no }
            }
            fn rarely<const N: usize>(
                &mut self,
                mask: bool,
                usual: [$float; N],
                rare: impl FnOnce(&mut Self) -> [$float; N],
            ) -> [$float; N] {
                if mask { rare(self) } else { usual }
            }
            fn bits(&mut self, a: $float) -> $int {
                a.to_bits()
            }
            fn from_bits(&mut self, a: $int) -> $float {
                <$float>::from_bits(a)
            }
            fn int_add(&mut self, a: $int, b: $int) -> $int {
                a.wrapping_add(b)
            }
            fn int_sub(&mut self, a: $int, b: $int) -> $int {
                a.wrapping_sub(b)
            }
            fn int_and(&mut self, a: $int, b: $int) -> $int {
                a & b
            }
            fn int_or(&mut self, a: $int, b: $int) -> $int {
                a | b
            }
            fn int_xor(&mut self, a: $int, b: $int) -> $int {
                a ^ b
            }
            fn shl(&mut self, a: $int, by: u32) -> $int {
                a.wrapping_shl(by)
            }
            fn shr(&mut self, a: $int, by: u32) -> $int {
                a.wrapping_shr(by)
            }
        }
    };
}

plain_ops!(PlainF32, f32, u32, Precision::F32);
plain_ops!(PlainF64, f64, u64, Precision::F64);
