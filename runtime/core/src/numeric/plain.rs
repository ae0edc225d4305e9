//! [`Ops`] as plain Rust arithmetic, one number at a time: what the generated code must agree with.

use super::ops::{Ops, Words};
use crate::number::Precision;

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

            #[inline(always)]
            fn precision(&self) -> Precision {
                $precision
            }
            #[inline(always)]
            fn float(&mut self, value: f64) -> $float {
                value as $float
            }
            #[inline(always)]
            fn int(&mut self, value: i64) -> $int {
                value as $int
            }
            #[inline(always)]
            fn add(&mut self, a: $float, b: $float) -> $float {
                a + b
            }
            #[inline(always)]
            fn sub(&mut self, a: $float, b: $float) -> $float {
                a - b
            }
            #[inline(always)]
            fn mul(&mut self, a: $float, b: $float) -> $float {
                a * b
            }
            #[inline(always)]
            fn div(&mut self, a: $float, b: $float) -> $float {
                a / b
            }
            #[inline(always)]
            fn fma(&mut self, a: $float, b: $float, c: $float) -> $float {
                a.mul_add(b, c)
            }
            #[inline(always)]
            fn neg(&mut self, a: $float) -> $float {
                -a
            }
            #[inline(always)]
            fn abs(&mut self, a: $float) -> $float {
                a.abs()
            }
            #[inline(always)]
            fn sqrt(&mut self, a: $float) -> $float {
                a.sqrt()
            }
            #[inline(always)]
            fn floor(&mut self, a: $float) -> $float {
                a.floor()
            }
            #[inline(always)]
            fn ceil(&mut self, a: $float) -> $float {
                a.ceil()
            }
            #[inline(always)]
            fn nearest(&mut self, a: $float) -> $float {
                a.round_ties_even()
            }
            #[inline(always)]
            fn lt(&mut self, a: $float, b: $float) -> bool {
                a < b
            }
            #[inline(always)]
            fn le(&mut self, a: $float, b: $float) -> bool {
                a <= b
            }
            #[inline(always)]
            fn eq(&mut self, a: $float, b: $float) -> bool {
                a == b
            }
            #[inline(always)]
            fn int_eq(&mut self, a: $int, b: $int) -> bool {
                a == b
            }
            #[inline(always)]
            fn select(&mut self, mask: bool, yes: $float, no: $float) -> $float {
                if mask { yes } else { no }
            }
            #[inline(always)]
            fn rarely<const N: usize>(
                &mut self,
                mask: bool,
                usual: [$float; N],
                rare: impl FnOnce(&mut Self) -> [$float; N],
            ) -> [$float; N] {
                if mask { rare(self) } else { usual }
            }
            #[inline(always)]
            fn bits(&mut self, a: $float) -> $int {
                a.to_bits()
            }
            #[inline(always)]
            fn from_bits(&mut self, a: $int) -> $float {
                <$float>::from_bits(a)
            }
            #[inline(always)]
            fn int_add(&mut self, a: $int, b: $int) -> $int {
                a.wrapping_add(b)
            }
            #[inline(always)]
            fn int_sub(&mut self, a: $int, b: $int) -> $int {
                a.wrapping_sub(b)
            }
            #[inline(always)]
            fn int_and(&mut self, a: $int, b: $int) -> $int {
                a & b
            }
            #[inline(always)]
            fn int_or(&mut self, a: $int, b: $int) -> $int {
                a | b
            }
            #[inline(always)]
            fn int_xor(&mut self, a: $int, b: $int) -> $int {
                a ^ b
            }
            #[inline(always)]
            fn shl(&mut self, a: $int, by: u32) -> $int {
                a.wrapping_shl(by)
            }
            #[inline(always)]
            fn shr(&mut self, a: $int, by: u32) -> $int {
                a.wrapping_shr(by)
            }
        }
    };
}

plain_ops!(PlainF32, f32, u32, Precision::F32);
plain_ops!(PlainF64, f64, u64, Precision::F64);

/// Words as Rust's own integers.
impl Words for PlainF64 {
    type W = u32;

    #[inline(always)]
    fn word(&mut self, value: u32) -> u32 {
        value
    }
    #[inline(always)]
    fn word_add(&mut self, a: u32, b: u32) -> u32 {
        a.wrapping_add(b)
    }
    #[inline(always)]
    fn word_sub(&mut self, a: u32, b: u32) -> u32 {
        a.wrapping_sub(b)
    }
    #[inline(always)]
    fn word_and(&mut self, a: u32, b: u32) -> u32 {
        a & b
    }
    #[inline(always)]
    fn word_xor(&mut self, a: u32, b: u32) -> u32 {
        a ^ b
    }
    #[inline(always)]
    fn word_shl(&mut self, a: u32, by: u32) -> u32 {
        a << by
    }
    #[inline(always)]
    fn word_shr(&mut self, a: u32, by: u32) -> u32 {
        a >> by
    }
    #[inline(always)]
    fn word_product(&mut self, a: u32, b: u32) -> [u32; 2] {
        let product = u64::from(a) * u64::from(b);
        [(product >> 32) as u32, product as u32]
    }
    #[inline(always)]
    fn word_eq(&mut self, a: u32, b: u32) -> bool {
        a == b
    }
    #[inline(always)]
    fn widen(&mut self, a: u32) -> u64 {
        u64::from(a)
    }
    #[inline(always)]
    fn signed(&mut self, a: u32) -> f64 {
        f64::from(a as i32)
    }
}
