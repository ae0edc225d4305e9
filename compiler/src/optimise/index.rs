//! Arithmetic of index expressions: ranges, linear forms, and a normal form.
//!
//! All of it knows the extents of the domain variables. A linear form is a constant plus integer
//! multiples of *atoms*: domain variables, and whatever is not linear (quotients, remainders,
//! elements of Int tensors). With `X = d*Y + R` and `0 <= R < d`, `X div d` is `Y` and `X mod d` is
//! `R`; and `d*(X div d) + X mod d` is `X`. So row-major combinations of indices and their digits,
//! in any nesting, come back to plain indices.

use crate::ir::{ExprId, Module, Node};
use crate::scalar::{Binary, Unary};
use std::collections::BTreeMap;

/// The least and the largest value an Int expression can have.
pub type Range = (i64, i64);

/// `constant + sum of coefficient * atom`; no coefficient is zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Linear {
    /// Added to the terms.
    pub constant: i64,
    /// Coefficients by atom.
    pub terms: BTreeMap<ExprId, i64>,
}

impl Linear {
    /// The form of a constant.
    #[must_use]
    pub fn constant(constant: i64) -> Self {
        Self { constant, terms: BTreeMap::new() }
    }

    /// Adds `factor` times another form.
    pub fn add(&mut self, factor: i64, other: &Self) {
        self.constant += factor * other.constant;
        for (atom, coefficient) in &other.terms {
            let sum = self.terms.entry(*atom).or_insert(0);
            *sum += factor * coefficient;
            if *sum == 0 {
                self.terms.remove(atom);
            }
        }
    }

    /// `Y` and `R` with `self = d*Y + R`, where all of `R`'s coefficients and its constant lie in `0..d`.
    fn split(&self, d: i64) -> (Self, Self) {
        let part = |f: fn(i64, i64) -> i64| {
            let terms = self.terms.iter().map(|(a, c)| (*a, f(*c, d))).filter(|(_, c)| *c != 0).collect();
            Self { constant: f(self.constant, d), terms }
        };
        (part(i64::div_euclid), part(i64::rem_euclid))
    }
}

/// The linear form of an Int expression.
#[must_use]
pub fn linear(m: &Module, e: ExprId) -> Linear {
    let scaled = |factor: i64, a: ExprId| {
        let mut form = Linear::default();
        form.add(factor, &linear(m, a));
        form
    };
    match *m.node(e) {
        Node::Int(c) => Linear::constant(c),
        Node::Unary(Unary::Neg, a) => scaled(-1, a),
        Node::Binary(op @ (Binary::Add | Binary::Sub), a, b) => {
            let mut form = linear(m, a);
            form.add(if op == Binary::Add { 1 } else { -1 }, &linear(m, b));
            form
        }
        Node::Binary(Binary::Mul, a, b) => match (m.node(a), m.node(b)) {
            (Node::Int(c), _) => scaled(*c, b),
            (_, Node::Int(c)) => scaled(*c, a),
            _ => Linear { constant: 0, terms: [(e, 1)].into() },
        },
        _ => Linear { constant: 0, terms: [(e, 1)].into() },
    }
}

/// Builds the expression of a linear form, in one spelling: variables first, by number, constant last.
pub fn build(m: &mut Module, form: &Linear) -> ExprId {
    let form = recombine(m, form.clone());
    let mut terms: Vec<(ExprId, i64)> = form.terms.into_iter().collect();
    let rank = |m: &Module, (atom, c): &(ExprId, i64)| match m.node(*atom) {
        Node::Var(v) => (*c < 0, 0, *v),
        _ => (*c < 0, 1, atom.0),
    };
    terms.sort_by_key(|t| rank(m, t));
    let mut sum: Option<ExprId> = None;
    for (atom, c) in terms {
        let size = m.int(c.abs());
        let term = if c.abs() == 1 { atom } else { m.binary(Binary::Mul, size, atom) };
        sum = Some(match sum {
            None if c < 0 => m.unary(Unary::Neg, term),
            None => term,
            Some(s) => m.binary(if c < 0 { Binary::Sub } else { Binary::Add }, s, term),
        });
    }
    let constant = m.int(form.constant.abs());
    match sum {
        None => m.int(form.constant),
        Some(s) if form.constant == 0 => s,
        Some(s) => m.binary(if form.constant < 0 { Binary::Sub } else { Binary::Add }, s, constant),
    }
}

/// Replaces `k*d*(X div d) + k*(X mod d)` by `k*X`, as often as it occurs.
fn recombine(m: &Module, mut form: Linear) -> Linear {
    'again: loop {
        for (atom, k) in form.terms.clone() {
            let Node::Binary(Binary::Mod, x, d) = *m.node(atom) else { continue };
            let Node::Int(divisor) = *m.node(d) else { continue };
            let is_quotient = |q: ExprId| *m.node(q) == Node::Binary(Binary::FloorDiv, x, d);
            let quotient = form.terms.iter().find(|(q, c)| **c == k * divisor && is_quotient(**q));
            if let Some(q) = quotient.map(|(q, _)| *q) {
                form.terms.remove(&q);
                form.terms.remove(&atom);
                form.add(k, &linear(m, x));
                continue 'again;
            }
        }
        return form;
    }
}

/// The range of an Int expression, if it is bounded by its form.
#[must_use]
pub fn range(m: &Module, domain: &[usize], e: ExprId) -> Option<Range> {
    match *m.node(e) {
        Node::Int(c) => Some((c, c)),
        Node::Var(v) => Some((0, *domain.get(v as usize)? as i64 - 1)),
        Node::Binary(Binary::FloorDiv, a, b) => {
            let ((lo, hi), d) = (range(m, domain, a)?, divisor(m, b)?);
            Some((lo.div_euclid(d), hi.div_euclid(d)))
        }
        Node::Binary(Binary::Mod, a, b) => {
            let d = divisor(m, b)?;
            let within = range(m, domain, a).filter(|(lo, hi)| lo.div_euclid(d) == hi.div_euclid(d));
            Some(within.map_or((0, d - 1), |(lo, hi)| (lo.rem_euclid(d), hi.rem_euclid(d))))
        }
        Node::Binary(op @ (Binary::Max | Binary::Min), a, b) => {
            let (a, b) = (range(m, domain, a)?, range(m, domain, b)?);
            Some(if op == Binary::Max { (a.0.max(b.0), a.1.max(b.1)) } else { (a.0.min(b.0), a.1.min(b.1)) })
        }
        Node::Select(_, a, b) => {
            let (a, b) = (range(m, domain, a)?, range(m, domain, b)?);
            Some((a.0.min(b.0), a.1.max(b.1)))
        }
        Node::Unary(Unary::Neg, _) | Node::Binary(Binary::Add | Binary::Sub | Binary::Mul, ..) => {
            let form = linear(m, e);
            if form.terms.contains_key(&e) { None } else { range_of(m, domain, &form) }
        }
        _ => None,
    }
}

/// The range of a linear form.
#[must_use]
pub fn range_of(m: &Module, domain: &[usize], form: &Linear) -> Option<Range> {
    form.terms.iter().try_fold((form.constant, form.constant), |(lo, hi), (atom, c)| {
        let (a, b) = range(m, domain, *atom)?;
        Some((lo + (c * a).min(c * b), hi + (c * a).max(c * b)))
    })
}

/// Whether an Int expression is always in `0..extent`.
#[must_use]
pub fn inside(m: &Module, domain: &[usize], e: ExprId, extent: usize) -> bool {
    range(m, domain, e).is_some_and(|(lo, hi)| lo >= 0 && hi < extent as i64)
}

fn divisor(m: &Module, e: ExprId) -> Option<i64> {
    match m.node(e) {
        Node::Int(d) if *d > 0 => Some(*d),
        _ => None,
    }
}

/// `a op b` on Ints in normal form, for `+ - * div mod`; comparisons that the ranges decide become
/// constants.
pub fn binary(m: &mut Module, domain: &[usize], op: Binary, a: ExprId, b: ExprId) -> ExprId {
    match op {
        Binary::Add | Binary::Sub | Binary::Mul => {
            let raw = m.binary(op, a, b);
            let form = linear(m, raw);
            build(m, &form)
        }
        Binary::FloorDiv | Binary::Mod => divide(m, domain, op, a, b),
        Binary::Lt | Binary::Le | Binary::Eq => compare(m, domain, op, a, b),
        _ => m.binary(op, a, b),
    }
}

fn divide(m: &mut Module, domain: &[usize], op: Binary, a: ExprId, b: ExprId) -> ExprId {
    let Some(d) = divisor(m, b) else { return m.binary(op, a, b) };
    let (mut quotient, remainder) = linear(m, a).split(d);
    let exact = range_of(m, domain, &remainder).is_some_and(|(lo, hi)| lo.div_euclid(d) == hi.div_euclid(d));
    let rest = build(m, &remainder);
    if op == Binary::Mod {
        let lo = range_of(m, domain, &remainder).map_or(0, |(lo, _)| lo.div_euclid(d) * d);
        let whole = Linear { constant: remainder.constant - lo, ..remainder };
        return if exact { build(m, &whole) } else { m.binary(op, rest, b) };
    }
    let lower = range_of(m, domain, &remainder).filter(|_| exact).map(|(lo, _)| lo.div_euclid(d));
    let inner = match lower {
        Some(k) => Linear::constant(k),
        None => {
            let q = nested_quotient(m, rest, d);
            Linear { constant: 0, terms: [(q, 1)].into() }
        }
    };
    quotient.add(1, &inner);
    build(m, &quotient)
}

/// `rest div d`, where `(x div w) div d` is `x div (w*d)`.
fn nested_quotient(m: &mut Module, rest: ExprId, d: i64) -> ExprId {
    if let Node::Binary(Binary::FloorDiv, x, w) = *m.node(rest)
        && let Some(w) = divisor(m, w)
    {
        let d = m.int(w * d);
        return m.binary(Binary::FloorDiv, x, d);
    }
    let d = m.int(d);
    m.binary(Binary::FloorDiv, rest, d)
}

fn compare(m: &mut Module, domain: &[usize], op: Binary, a: ExprId, b: ExprId) -> ExprId {
    let mut difference = linear(m, a);
    difference.add(-1, &linear(m, b));
    let decided = range_of(m, domain, &difference).and_then(|(lo, hi)| match op {
        Binary::Lt if hi < 0 => Some(true),
        Binary::Lt if lo >= 0 => Some(false),
        Binary::Le if hi <= 0 => Some(true),
        Binary::Le if lo > 0 => Some(false),
        Binary::Eq if lo == 0 && hi == 0 => Some(true),
        Binary::Eq if lo > 0 || hi < 0 => Some(false),
        _ => None,
    });
    match decided {
        Some(truth) => m.intern(Node::Bool(truth)),
        None => m.binary(op, a, b),
    }
}
