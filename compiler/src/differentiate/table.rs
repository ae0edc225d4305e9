//! The table of scalar derivatives. A derivative at a point is a linear map, `x` to `x * f'`; each
//! row gives the expression of that product, for `x` a cotangent (reverse mode) or a tangent
//! (forward mode) alike. `None` is a derivative that is zero everywhere, as the table of functions says: nothing is built for it.
//!
//! Where a derivative is singular (`log`, `sqrt`, `/`, `^`) a zero `x` stays zero: the product is `zero_or_product`
//! or `zero_or_quotient`, functions of the core with rows of their own. A choice, `if x == 0 then 0 else ..`, would
//! have the same values and, where `x` is zero, wrong derivatives: `x f'` grows with `x` at zero as anywhere.
//!
//! The corners of `a ^ b`, whose values are those of IEEE 754 `pow`:
//!
//! | derivative by | where | is |
//! |---|---|---|
//! | a: `b a^(b-1)` | b = 0, any a (0, infinite, NaN) | 0, for `a^0` is 1 everywhere |
//! | | a = 0 | b > 1: 0; b = 1: 1; 0 < b < 1: inf; b < 0: the limit from above, -inf |
//! | | a < 0 | b whole: as anywhere; else NaN, as the value |
//! | | a = inf | b > 1: inf; b = 1: 1; b < 1: 0 |
//! | | b = inf or -inf | 0 where `a^(b-1)` is 0, else infinite |
//! | b: `a^b log a` | a = 0 | b > 0: 0; b = 0: 0, as in JAX and PyTorch, though `0^b` jumps there; b < 0: -inf |
//! | | a < 0 | NaN: between whole exponents there are no values |
//! | | a = inf | b < 0: 0; else inf |

use crate::ir::{ExprId, Module};
use crate::scalar::{Binary, Unary};
use std::f64::consts::FRAC_2_SQRT_PI;

/// Which argument of a function of two is varied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The first.
    Left,
    /// The second.
    Right,
}

/// `x` times the derivative of `r = op(a)`.
pub fn unary(m: &mut Module, op: Unary, a: ExprId, r: ExprId, x: ExprId) -> Option<ExprId> {
    let one = m.float(1.0);
    Some(match op {
        Unary::Neg => m.neg(x),
        Unary::Abs => signed(m, a, x),
        Unary::Sqrt => {
            let twice = m.add(r, r);
            m.zero_or_quotient(x, twice)
        }
        Unary::Exp => m.mul(x, r),
        Unary::Log => m.zero_or_quotient(x, a),
        Unary::Expm1 => {
            let exp = m.add(r, one);
            m.mul(x, exp)
        }
        Unary::Log1p => {
            let above = m.add(one, a);
            m.zero_or_quotient(x, above)
        }
        Unary::Sin => {
            let cos = m.unary(Unary::Cos, a);
            m.mul(x, cos)
        }
        Unary::Cos => {
            let sin = m.unary(Unary::Sin, a);
            let product = m.mul(x, sin);
            m.neg(product)
        }
        Unary::Tanh => {
            let square = m.mul(r, r);
            let slope = m.sub(one, square);
            m.mul(x, slope)
        }
        Unary::Erf => {
            let square = m.mul(a, a);
            let minus = m.neg(square);
            let bell = m.unary(Unary::Exp, minus);
            let factor = m.float(FRAC_2_SQRT_PI);
            let slope = m.mul(factor, bell);
            m.mul(x, slope)
        }
        Unary::Floor | Unary::Ceil | Unary::Round | Unary::Not | Unary::ToFloat | Unary::Detach => return None,
    })
}

/// `x` times the partial derivative of `r = op(a, b)` by the argument at `side`.
pub fn binary(
    m: &mut Module,
    op: Binary,
    side: Side,
    (a, b): (ExprId, ExprId),
    r: ExprId,
    x: ExprId,
) -> Option<ExprId> {
    Some(match (op, side) {
        (Binary::Add, _) | (Binary::Sub, Side::Left) => x,
        (Binary::Sub, Side::Right) => m.neg(x),
        (Binary::Mul, Side::Left) => m.mul(x, b),
        (Binary::Mul, Side::Right) => m.mul(x, a),
        (Binary::Div | Binary::ZeroOrQuotient, Side::Left) => m.zero_or_quotient(x, b),
        (Binary::Div | Binary::ZeroOrQuotient, Side::Right) => {
            let shrunk = m.zero_or_product(x, r);
            let quotient = m.zero_or_quotient(shrunk, b);
            m.neg(quotient)
        }
        (Binary::ZeroOrProduct, Side::Left) => m.zero_or_product(x, b),
        (Binary::ZeroOrProduct, Side::Right) => m.zero_or_product(x, a),
        (Binary::Pow, Side::Left) => return power_by_base(m, a, b, x),
        (Binary::Pow, Side::Right) => {
            let log = m.unary(Unary::Log, a);
            let slope = m.zero_or_product(r, log);
            let scaled = m.zero_or_product(x, slope);
            let zero = m.float(0.0);
            let (no_base, no_exponent) = (m.compare(Binary::Eq, a, zero), m.compare(Binary::Eq, b, zero));
            let jumps = m.and(no_base, no_exponent);
            m.choose(jumps, zero, scaled)
        }
        (Binary::Max, _) => {
            let wins = m.compare(Binary::Lt, b, a);
            to_winner(m, side, wins, x)
        }
        (Binary::Min, _) => {
            let wins = m.compare(Binary::Lt, a, b);
            to_winner(m, side, wins, x)
        }
        (Binary::FloorDiv | Binary::Mod | Binary::Eq | Binary::Lt | Binary::Le | Binary::And | Binary::Or, _) => {
            return None;
        }
    })
}

/// `x * b * a^(b-1)`, singular at a = 0 unless b is a constant of at least 1. An exponent of zero, known or not, wins
/// over any base.
fn power_by_base(m: &mut Module, a: ExprId, b: ExprId, x: ExprId) -> Option<ExprId> {
    let exponent = m.as_float(b);
    if exponent == Some(0.0) {
        return None;
    }
    let one = m.float(1.0);
    let less = m.sub(b, one);
    let power = m.pow(a, less);
    let slope = m.zero_or_product(b, power);
    Some(if exponent.is_some_and(|e| e >= 1.0) { m.mul(x, slope) } else { m.zero_or_product(x, slope) })
}

/// x, -x or 0 by the sign of `a`.
fn signed(m: &mut Module, a: ExprId, x: ExprId) -> ExprId {
    let zero = m.float(0.0);
    let (above, below) = (m.compare(Binary::Lt, zero, a), m.compare(Binary::Lt, a, zero));
    let minus = m.neg(x);
    let rest = m.choose(below, minus, zero);
    m.choose(above, x, rest)
}

/// All of `x` goes to the left argument where it wins, else to the right one.
fn to_winner(m: &mut Module, side: Side, left_wins: ExprId, x: ExprId) -> ExprId {
    let zero = m.float(0.0);
    match side {
        Side::Left => m.choose(left_wins, x, zero),
        Side::Right => m.choose(left_wins, zero, x),
    }
}
