//! Scalar functions on f64: what each [`Unary`], [`Binary`] and empty reduction means. Ints are
//! whole numbers, Bools 0 or 1. The functions of floats are those of [`nnc_core::numeric`], as in compiled code, so that
//! no result depends on the platform's library.

use super::Combine;
use crate::scalar::{Binary, Kind, Unary};
use nnc_core::numeric::{eval_binary_f64, eval_unary_f64};

/// What a reduction of nothing yields.
#[must_use]
pub fn identity(combine: Combine, kind: Kind) -> f64 {
    match (combine, kind) {
        (Combine::Set | Combine::Sum | Combine::Argmax, _) => 0.0,
        (Combine::Prod, _) => 1.0,
        (Combine::Max, Kind::Float) => f64::NEG_INFINITY,
        (Combine::Max, Kind::Int) => f64::from(i32::MIN),
        (Combine::Max, Kind::Bool) => 0.0,
        (Combine::Min, Kind::Float) => f64::INFINITY,
        (Combine::Min, Kind::Int) => f64::from(i32::MAX),
        (Combine::Min, Kind::Bool) => 1.0,
    }
}

/// The larger; NaN if one is.
pub(super) fn greater(a: f64, b: f64) -> f64 {
    if a > b || a.is_nan() { a } else { b }
}

/// The smaller; NaN if one is.
pub(super) fn lesser(a: f64, b: f64) -> f64 {
    if a < b || a.is_nan() { a } else { b }
}

/// A function of one argument, in f64.
#[must_use]
pub fn unary(op: Unary, a: f64) -> f64 {
    match op {
        Unary::Not => f64::from(u8::from(a == 0.0)),
        _ => eval_unary_f64(op, a),
    }
}

/// A function of two arguments, in f64; `None` for an integer division by zero.
#[must_use]
pub fn binary(op: Binary, a: f64, b: f64) -> Option<f64> {
    let truth = |t: bool| f64::from(u8::from(t));
    Some(match op {
        Binary::FloorDiv => (a as i64).checked_div_euclid(b as i64)? as f64,
        Binary::Mod => (a as i64).checked_rem_euclid(b as i64)? as f64,
        Binary::And => truth(a != 0.0 && b != 0.0),
        Binary::Or => truth(a != 0.0 || b != 0.0),
        _ => eval_binary_f64(op, a, b),
    })
}
