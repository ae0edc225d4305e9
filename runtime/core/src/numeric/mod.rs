//! The scalar functions: exp, log, sin, tanh, pow and the like, each written once.
//!
//! A function is a straight-line program over the operations of [`ops::Ops`]; [`plain`] evaluates
//! it in Rust, a code generator turns the same program into instructions, and both give the same bits.
//!
//! | function | f32: ulp | operations | f64: ulp | operations |
//! |----------|----------|------------|----------|------------|
//! | exp      | 0.88     | 21         | 0.84     | 26         |
//! | expm1    | 0.98     | 33         | 0.86     | 38         |
//! | log      | 0.83     | 39         | 0.74     | 43         |
//! | log1p    | 0.97     | 50         | 0.78     | 54         |
//! | sin      | 0.90     | 49         | 0.79     | 56         |
//! | cos      | 0.92     | 47         | 0.77     | 54         |
//! | tanh     | 0.81     | 48         | 0.71     | 53         |
//! | erf      | 0.90     | 66         | 0.72     | 88         |
//! | pow      | 1        | 129        | 0.76     | 138        |
//!
//! The errors in f32 bound those found at every argument where the result is not plainly 0, 1, x or
//! infinite (pow: among 400,000 pairs); those in f64 are the largest found among 24,000 arguments against
//! 40 digits. Beyond 2^20 (f32) and 2^49 (f64) sin and cos take a branch to a longer reduction, of some 200
//! operations, whose result is as accurate; the operations counted are those before it.
//! Subnormal arguments and results are kept; signs of zeros, infinities and NaN are those of IEEE 754.

pub mod coefficients;
#[cfg(test)]
mod count;
pub mod double;
pub mod error_function;
pub mod exponentials;
pub mod logarithm;
pub mod ops;
pub mod plain;
pub mod power;
pub mod trigonometric;

#[cfg(test)]
mod tests;

use crate::scalar::{Binary, Unary};
use ops::Ops;
use plain::{PlainF32, PlainF64};

/// Any function of one float. Truth values, where a function has to do with them, are 0 and 1.
pub fn unary<O: Ops>(o: &mut O, op: Unary, x: O::V) -> O::V {
    match op {
        Unary::Neg => o.neg(x),
        Unary::Abs => o.abs(x),
        Unary::Sqrt => o.sqrt(x),
        Unary::Exp => exponentials::exp(o, x),
        Unary::Log => logarithm::log(o, x),
        Unary::Expm1 => exponentials::expm1(o, x),
        Unary::Log1p => logarithm::log1p(o, x),
        Unary::Sin => trigonometric::sin(o, x),
        Unary::Cos => trigonometric::cos(o, x),
        Unary::Tanh => exponentials::tanh(o, x),
        Unary::Erf => error_function::erf(o, x),
        Unary::Floor => o.floor(x),
        Unary::Ceil => o.ceil(x),
        Unary::Round => o.nearest(x),
        Unary::Not => {
            let one = o.float(1.0);
            o.sub(one, x)
        }
        Unary::ToFloat | Unary::Detach => x,
    }
}

/// Any function of two floats; `Max` and `Min` are NaN if either argument is. Truth values, arguments or results, are 0 and 1.
pub fn binary<O: Ops>(o: &mut O, op: Binary, a: O::V, b: O::V) -> O::V {
    match op {
        Binary::Add => o.add(a, b),
        Binary::Sub => o.sub(a, b),
        Binary::Mul | Binary::And => o.mul(a, b),
        Binary::Div => o.div(a, b),
        Binary::Pow => power::pow(o, a, b),
        Binary::ZeroOrProduct => {
            let product = o.mul(a, b);
            let product = ops::zero_where_zero(o, a, product);
            ops::zero_where_zero(o, b, product)
        }
        Binary::ZeroOrQuotient => {
            let quotient = o.div(a, b);
            ops::zero_where_zero(o, a, quotient)
        }
        Binary::Max | Binary::Or => ops::greater(o, a, b),
        Binary::Min => ops::lesser(o, a, b),
        Binary::FloorDiv => floor_div(o, a, b),
        Binary::Mod => {
            let quotient = floor_div(o, a, b);
            let minus_b = o.neg(b);
            o.fma(quotient, minus_b, a)
        }
        Binary::Eq => truth(o, |o| o.eq(a, b)),
        Binary::Lt => truth(o, |o| o.lt(a, b)),
        Binary::Le => truth(o, |o| o.le(a, b)),
    }
}

fn floor_div<O: Ops>(o: &mut O, a: O::V, b: O::V) -> O::V {
    let quotient = o.div(a, b);
    o.floor(quotient)
}

fn truth<O: Ops>(o: &mut O, compare: impl FnOnce(&mut O) -> O::M) -> O::V {
    let mask = compare(o);
    let (yes, no) = (o.float(1.0), o.float(0.0));
    o.select(mask, yes, no)
}

/// [`unary`] of one f32.
#[must_use]
pub fn eval_unary_f32(op: Unary, x: f32) -> f32 {
    unary(&mut PlainF32, op, x)
}

/// [`unary`] of one f64.
#[must_use]
pub fn eval_unary_f64(op: Unary, x: f64) -> f64 {
    unary(&mut PlainF64, op, x)
}

/// [`binary`] of two f32.
#[must_use]
pub fn eval_binary_f32(op: Binary, a: f32, b: f32) -> f32 {
    binary(&mut PlainF32, op, a, b)
}

/// [`binary`] of two f64.
#[must_use]
pub fn eval_binary_f64(op: Binary, a: f64, b: f64) -> f64 {
    binary(&mut PlainF64, op, a, b)
}
