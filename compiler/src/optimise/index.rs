//! Index arithmetic that knows the extents of the domain, on top of the normal form of
//! `ir::affine`.
//!
//! With `X = d*Y + R` and `k*d <= R < (k+1)*d`, `X div d` is `Y + k` and `X mod d` is `R - k*d`;
//! `(x div w) div d` is `x div (w*d)`; and `d*(X div d) + X mod d` is `X`. So row-major combinations
//! of indices and their digits, in any nesting, come back to plain indices.

use crate::ir::{ExprId, Module, Node};
use crate::scalar::Binary;

/// Whether an Int expression is always in `0..extent`.
#[must_use]
pub fn inside(m: &Module, domain: &[usize], e: ExprId, extent: usize) -> bool {
    m.range(e, domain).is_some_and(|(lo, hi)| lo >= 0 && hi < extent as i64)
}

/// `a op b` on Ints, simplified; comparisons that ranges decide become constants.
pub fn binary(m: &mut Module, domain: &[usize], op: Binary, a: ExprId, b: ExprId) -> ExprId {
    match op {
        Binary::Add | Binary::Sub | Binary::Mul => {
            let sum = m.apply2(op, a, b);
            recombine(m, sum)
        }
        Binary::FloorDiv | Binary::Mod => divide(m, domain, op, a, b),
        Binary::Lt | Binary::Le | Binary::Eq => compare(m, domain, op, a, b),
        _ => m.apply2(op, a, b),
    }
}

/// The row-major number of a position in a tensor of that shape.
pub fn row_major(m: &mut Module, shape: &[usize], at: &[ExprId]) -> ExprId {
    let mut sum = m.int(0);
    for (p, extent) in at.iter().zip(shape) {
        let extent = m.int(*extent as i64);
        let ahead = m.mul(sum, extent);
        sum = m.add(ahead, *p);
    }
    recombine(m, sum)
}

/// Replaces `k*d*(X div d) + k*(X mod d)` by `k*X`, as often as it occurs.
fn recombine(m: &mut Module, sum: ExprId) -> ExprId {
    let form = m.linear(sum);
    for (atom, k) in &form.terms {
        let Node::Binary(Binary::Mod, x, d) = *m.node(*atom) else { continue };
        let Some(divisor) = m.as_int(d) else { continue };
        let quotient = quotient(m, x, divisor);
        if form.terms.contains(&(quotient, k * divisor)) {
            let digits = [(quotient, k * divisor), (*atom, *k), (x, -k)];
            let again = digits.into_iter().fold(sum, |sum, (part, k)| {
                let k = m.int(k);
                let part = m.mul(k, part);
                m.sub(sum, part)
            });
            return recombine(m, again);
        }
    }
    sum
}

fn divide(m: &mut Module, domain: &[usize], op: Binary, a: ExprId, b: ExprId) -> ExprId {
    let Some(d) = m.as_int(b).filter(|d| *d > 0) else { return m.binary(op, a, b) };
    let (quotient_part, rest) = m.linear(a).split(d);
    let (whole, rest) = (m.from_linear(&quotient_part), m.from_linear(&rest));
    let period = m.range(rest, domain).filter(|(lo, hi)| lo.div_euclid(d) == hi.div_euclid(d));
    match (op, period.map(|(lo, _)| lo.div_euclid(d))) {
        (Binary::FloorDiv, Some(k)) => {
            let k = m.int(k);
            m.add(whole, k)
        }
        (Binary::FloorDiv, None) => {
            let left = quotient(m, rest, d);
            m.add(whole, left)
        }
        (_, Some(k)) => {
            let start = m.int(k * d);
            m.sub(rest, start)
        }
        (_, None) => m.binary(op, rest, b),
    }
}

/// `x div d`, where `(y div w) div d` is `y div (w*d)`.
fn quotient(m: &mut Module, x: ExprId, d: i64) -> ExprId {
    if let Node::Binary(Binary::FloorDiv, y, w) = *m.node(x)
        && let Some(w) = m.as_int(w).filter(|w| *w > 0)
    {
        let product = m.int(w * d);
        return m.binary(Binary::FloorDiv, y, product);
    }
    let d = m.int(d);
    m.binary(Binary::FloorDiv, x, d)
}

fn compare(m: &mut Module, domain: &[usize], op: Binary, a: ExprId, b: ExprId) -> ExprId {
    let difference = m.sub(a, b);
    let decided = m.range(difference, domain).and_then(|(lo, hi)| match op {
        Binary::Lt if hi < 0 => Some(true),
        Binary::Lt if lo >= 0 => Some(false),
        Binary::Le if hi <= 0 => Some(true),
        Binary::Le if lo > 0 => Some(false),
        Binary::Eq if lo == 0 && hi == 0 => Some(true),
        Binary::Eq if lo > 0 || hi < 0 => Some(false),
        _ => None,
    });
    match decided {
        Some(truth) => m.bool(truth),
        None => m.compare(op, a, b),
    }
}
