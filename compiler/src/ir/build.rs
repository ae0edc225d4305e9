//! Smart constructors: expressions built with the local simplifications that are always wanted.
//!
//! Int arithmetic is exact and normalised (see [`super::affine`]), Bool logic is exact. For Floats,
//! these and no other rewrites happen, here and nowhere else:
//!
//! | from | to | differs |
//! |---|---|---|
//! | `f(constants)`, for `+ - * /` and negation | the constant, computed in f64 | f32 rounds once, not per operation |
//! | `x + 0`, `0 + x`, `x - 0` | `x` | sign of a zero |
//! | `0 - x`, `x * -1`, `x / -1` | `-x` | sign of a zero |
//! | `x * 1`, `x / 1`, `x ^ 1` | `x` | no |
//! | `-(-x)`, `x + (-y)`, `x - (-y)` | `x`, `x - y`, `x + y` | no |
//! | `x / c` where c is a power of two | `x * (1/c)` | no |
//! | `x ^ 2`, `x ^ -1`, `x ^ 0` | `x * x`, `1 / x`, `1` | last bit |
//! | `zero_or_product(x, c)`, `zero_or_quotient(x, c)` where c is neither 0, infinite nor NaN | `x * c`, `x / c` | sign of a zero |
//! | `zero_or_product(x, 0)`, `zero_or_quotient(0, x)` | `0` | no |
//! | `zero_or_quotient(c, x)` where c is not 0 | `c / x` | no |
//!
//! `0 * x` stays: it is NaN where x is not finite. Zero cotangents are never built at all.

use super::affine::Linear;
use super::{ExprId, Module, Node};
use crate::scalar::{Binary, Kind, Unary};

impl Module {
    /// A Bool constant.
    pub fn bool(&mut self, value: bool) -> ExprId {
        self.intern(Node::Bool(value))
    }

    /// The value of a Float constant.
    #[must_use]
    pub fn as_float(&self, id: ExprId) -> Option<f64> {
        match self.node(id) {
            Node::Float(bits) => Some(f64::from_bits(*bits)),
            _ => None,
        }
    }

    /// The value of an Int constant.
    #[must_use]
    pub fn as_int(&self, id: ExprId) -> Option<i64> {
        match self.node(id) {
            Node::Int(n) => Some(*n),
            _ => None,
        }
    }

    fn as_bool(&self, id: ExprId) -> Option<bool> {
        match self.node(id) {
            Node::Bool(b) => Some(*b),
            _ => None,
        }
    }

    fn negated(&self, id: ExprId) -> Option<ExprId> {
        match self.node(id) {
            Node::Unary(Unary::Neg, a) => Some(*a),
            _ => None,
        }
    }

    /// a + b, Float or Int.
    pub fn add(&mut self, a: ExprId, b: ExprId) -> ExprId {
        if self.kind(a) == Kind::Int {
            return self.normal(Binary::Add, a, b);
        }
        match (self.as_float(a), self.as_float(b)) {
            (Some(x), Some(y)) => self.float(x + y),
            (Some(0.0), _) => b,
            (_, Some(0.0)) => a,
            _ => match (self.negated(a), self.negated(b)) {
                (_, Some(y)) => self.sub(a, y),
                (Some(x), _) => self.sub(b, x),
                _ => self.binary(Binary::Add, a, b),
            },
        }
    }

    /// a - b, Float or Int.
    pub fn sub(&mut self, a: ExprId, b: ExprId) -> ExprId {
        if self.kind(a) == Kind::Int {
            return self.normal(Binary::Sub, a, b);
        }
        match (self.as_float(a), self.as_float(b)) {
            (Some(x), Some(y)) => self.float(x - y),
            (Some(0.0), _) => self.neg(b),
            (_, Some(0.0)) => a,
            _ => match self.negated(b) {
                Some(y) => self.add(a, y),
                None => self.binary(Binary::Sub, a, b),
            },
        }
    }

    /// a * b, Float or Int.
    pub fn mul(&mut self, a: ExprId, b: ExprId) -> ExprId {
        if self.kind(a) == Kind::Int {
            return self.normal(Binary::Mul, a, b);
        }
        match (self.as_float(a), self.as_float(b)) {
            (Some(x), Some(y)) => self.float(x * y),
            (Some(1.0), _) => b,
            (_, Some(1.0)) => a,
            (Some(-1.0), _) => self.neg(b),
            (_, Some(-1.0)) => self.neg(a),
            _ => self.binary(Binary::Mul, a, b),
        }
    }

    /// a / b, Float.
    pub fn div(&mut self, a: ExprId, b: ExprId) -> ExprId {
        match (self.as_float(a), self.as_float(b)) {
            (Some(x), Some(y)) => self.float(x / y),
            (_, Some(y)) if is_power_of_two(y) => {
                let reciprocal = self.float(1.0 / y);
                self.mul(a, reciprocal)
            }
            _ => self.binary(Binary::Div, a, b),
        }
    }

    /// a ^ b, Float.
    pub fn pow(&mut self, a: ExprId, b: ExprId) -> ExprId {
        let one = self.float(1.0);
        match self.as_float(b) {
            Some(0.0) => one,
            Some(1.0) => a,
            Some(2.0) => self.mul(a, a),
            Some(-1.0) => self.div(one, a),
            _ => self.binary(Binary::Pow, a, b),
        }
    }

    /// a * b, Float, zero where either is.
    pub fn zero_or_product(&mut self, a: ExprId, b: ExprId) -> ExprId {
        match (self.as_float(a), self.as_float(b)) {
            (Some(0.0), _) | (_, Some(0.0)) => self.float(0.0),
            (Some(x), _) | (_, Some(x)) if x.is_finite() => self.mul(a, b),
            _ => self.binary(Binary::ZeroOrProduct, a, b),
        }
    }

    /// a / b, Float, zero where a is.
    pub fn zero_or_quotient(&mut self, a: ExprId, b: ExprId) -> ExprId {
        match (self.as_float(a), self.as_float(b)) {
            (Some(0.0), _) => self.float(0.0),
            (Some(_), _) => self.div(a, b),
            (_, Some(y)) if y != 0.0 && y.is_finite() => self.div(a, b),
            _ => self.binary(Binary::ZeroOrQuotient, a, b),
        }
    }

    /// -a, Float or Int.
    pub fn neg(&mut self, a: ExprId) -> ExprId {
        if self.kind(a) == Kind::Int {
            let sum = self.linear(a).scaled(-1);
            return self.from_linear(&sum);
        }
        match (self.as_float(a), self.negated(a)) {
            (Some(x), _) => self.float(-x),
            (_, Some(x)) => x,
            _ => self.unary(Unary::Neg, a),
        }
    }

    /// a where c, else b; of any kind.
    pub fn choose(&mut self, c: ExprId, a: ExprId, b: ExprId) -> ExprId {
        match self.node(c) {
            Node::Bool(true) => return a,
            Node::Bool(false) => return b,
            Node::Unary(Unary::Not, c) => return self.choose(*c, b, a),
            _ if a == b => return a,
            _ => {}
        }
        let same = |m: &Self, branch: ExprId, taken: bool| match m.node(branch) {
            Node::Select(inner, x, y) if *inner == c => {
                if taken {
                    *x
                } else {
                    *y
                }
            }
            _ => branch,
        };
        let (a, b) = (same(self, a, true), same(self, b, false));
        match (self.as_bool(a), self.as_bool(b)) {
            _ if a == b => a,
            (Some(true), Some(false)) => c,
            (Some(false), Some(true)) => self.not(c),
            _ => self.select(c, a, b),
        }
    }

    /// Bool: not a. Int comparisons are turned round; Float ones are not, because of NaN.
    pub fn not(&mut self, a: ExprId) -> ExprId {
        match *self.node(a) {
            Node::Bool(b) => self.bool(!b),
            Node::Unary(Unary::Not, a) => a,
            Node::Binary(Binary::Lt, x, y) if self.kind(x) == Kind::Int => self.binary(Binary::Le, y, x),
            Node::Binary(Binary::Le, x, y) if self.kind(x) == Kind::Int => self.binary(Binary::Lt, y, x),
            _ => self.unary(Unary::Not, a),
        }
    }

    /// Bool: a and b.
    pub fn and(&mut self, a: ExprId, b: ExprId) -> ExprId {
        match (self.as_bool(a), self.as_bool(b)) {
            (Some(true), _) => b,
            (_, Some(true)) => a,
            (Some(false), _) | (_, Some(false)) => self.bool(false),
            _ if a == b => a,
            _ => self.binary(Binary::And, a, b),
        }
    }

    /// Bool: a or b.
    pub fn or(&mut self, a: ExprId, b: ExprId) -> ExprId {
        match (self.as_bool(a), self.as_bool(b)) {
            (Some(false), _) => b,
            (_, Some(false)) => a,
            (Some(true), _) | (_, Some(true)) => self.bool(true),
            _ if a == b => a,
            _ => self.binary(Binary::Or, a, b),
        }
    }

    /// A comparison; of Ints, decided where the difference is a constant.
    pub fn compare(&mut self, op: Binary, a: ExprId, b: ExprId) -> ExprId {
        let known = match self.kind(a) {
            Kind::Int => {
                let difference = self.sub(a, b);
                self.as_int(difference).map(|d| d.cmp(&0))
            }
            Kind::Float => self.as_float(a).zip(self.as_float(b)).and_then(|(a, b)| a.partial_cmp(&b)),
            Kind::Bool => None,
        };
        match (op, known) {
            (Binary::Eq, Some(order)) => self.bool(order.is_eq()),
            (Binary::Lt, Some(order)) => self.bool(order.is_lt()),
            (Binary::Le, Some(order)) => self.bool(order.is_le()),
            _ => self.binary(op, a, b),
        }
    }

    /// Any function of one argument, simplified.
    pub fn apply1(&mut self, op: Unary, a: ExprId) -> ExprId {
        match (op, self.node(a)) {
            (Unary::Neg, _) => self.neg(a),
            (Unary::Not, _) => self.not(a),
            (Unary::ToFloat, Node::Int(n)) => {
                let value = *n as f64;
                self.float(value)
            }
            (Unary::ToFloat, Node::Bool(b)) => {
                let value = f64::from(u8::from(*b));
                self.float(value)
            }
            (Unary::Detach, Node::Float(_)) => a,
            _ => self.unary(op, a),
        }
    }

    /// Any function of two arguments, simplified.
    pub fn apply2(&mut self, op: Binary, a: ExprId, b: ExprId) -> ExprId {
        match op {
            Binary::Add => self.add(a, b),
            Binary::Sub => self.sub(a, b),
            Binary::Mul => self.mul(a, b),
            Binary::Div => self.div(a, b),
            Binary::Pow => self.pow(a, b),
            Binary::ZeroOrProduct => self.zero_or_product(a, b),
            Binary::ZeroOrQuotient => self.zero_or_quotient(a, b),
            Binary::Max | Binary::Min => self.extreme(op, a, b),
            Binary::FloorDiv | Binary::Mod => self.divide(op, a, b, &[]),
            Binary::Eq | Binary::Lt | Binary::Le => self.compare(op, a, b),
            Binary::And => self.and(a, b),
            Binary::Or => self.or(a, b),
        }
    }

    fn extreme(&mut self, op: Binary, a: ExprId, b: ExprId) -> ExprId {
        match (self.as_int(a), self.as_int(b)) {
            (Some(x), Some(y)) => self.int(if op == Binary::Max { x.max(y) } else { x.min(y) }),
            _ if a == b => a,
            _ => self.binary(op, a, b),
        }
    }

    /// An Int sum, difference or product in normal form.
    fn normal(&mut self, op: Binary, a: ExprId, b: ExprId) -> ExprId {
        let raw = self.binary(op, a, b);
        let sum = self.linear(raw);
        self.from_linear(&sum)
    }

    /// `FloorDiv` or `Mod`: what the divisor divides leaves the quotient, `(d*q + r) div d` is
    /// `q + r div d`; where `r` is known to lie in `0..d`, nothing else is left.
    pub(super) fn divide(&mut self, op: Binary, a: ExprId, b: ExprId, domain: &[usize]) -> ExprId {
        let Some(d) = self.positive_int(b) else { return self.binary(op, a, b) };
        let (quotient, rest) = self.linear(a).split(d);
        let (quotient, rest) = (self.from_linear(&quotient), self.from_linear(&rest));
        let inside = d == 1 || self.range(rest, domain).is_some_and(|(low, high)| low >= 0 && high < d);
        match (op, inside) {
            (Binary::FloorDiv, true) => quotient,
            (Binary::FloorDiv, false) => {
                let left = self.binary(op, rest, b);
                self.add(quotient, left)
            }
            (_, true) => rest,
            (_, false) => self.binary(op, rest, b),
        }
    }

    /// The row-major number of variables `from..from + extents.len()` with those extents.
    pub fn row_major(&mut self, from: u32, extents: &[usize]) -> ExprId {
        let mut sum = Linear::default();
        let mut stride = 1;
        for (k, extent) in extents.iter().enumerate().rev() {
            sum.terms.insert(0, (self.var(from + k as u32), stride));
            stride *= *extent as i64;
        }
        self.from_linear(&sum)
    }
}

fn is_power_of_two(value: f64) -> bool {
    let reciprocal = value.recip();
    value.is_normal() && reciprocal.is_normal() && value.to_bits() & ((1 << 52) - 1) == 0
}
