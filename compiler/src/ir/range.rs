//! Intervals of Int expressions over a domain. In: an expression and the extents of the domain
//! variables. Out: bounds, both ends included, that its value never leaves (they may be wider than
//! the values taken), or `None` where nothing is known, as for the contents of a tensor.

use super::{ExprId, Module, Node, TensorId};
use crate::scalar::{Binary, Unary};

/// Both ends included.
pub type Interval = (i64, i64);

impl Module {
    /// Bounds of an Int expression where variable `k` runs over `0..domain[k]`.
    #[must_use]
    pub fn range(&self, id: ExprId, domain: &[usize]) -> Option<Interval> {
        let of = |e: ExprId| self.range(e, domain);
        match self.node(id) {
            Node::Int(n) => Some((*n, *n)),
            Node::Var(k) => domain.get(*k as usize).map(|extent| (0, (*extent as i64 - 1).max(0))),
            Node::Select(_, a, b) => hull(of(*a)?, of(*b)?),
            Node::Unary(Unary::Abs, a) => {
                let (low, high) = of(*a)?;
                Some((low.max(-high).max(0), high.max(-low)))
            }
            Node::Binary(Binary::Max, a, b) => of(*a).zip(of(*b)).map(|(a, b)| (a.0.max(b.0), a.1.max(b.1))),
            Node::Binary(Binary::Min, a, b) => of(*a).zip(of(*b)).map(|(a, b)| (a.0.min(b.0), a.1.min(b.1))),
            Node::Binary(Binary::FloorDiv, a, b) => {
                let (a, d) = (of(*a)?, self.positive_int(*b)?);
                Some((a.0.div_euclid(d), a.1.div_euclid(d)))
            }
            Node::Binary(Binary::Mod, a, b) => {
                let d = self.positive_int(*b)?;
                Some(of(*a).filter(|(low, high)| *low >= 0 && *high < d).unwrap_or((0, d - 1)))
            }
            Node::Binary(Binary::Add | Binary::Sub | Binary::Mul, ..) | Node::Unary(Unary::Neg, _) => {
                self.range_of_sum(id, domain)
            }
            _ => None,
        }
    }

    /// By the normal form, so that `i - i + j` is no wider than `j`.
    fn range_of_sum(&self, id: ExprId, domain: &[usize]) -> Option<Interval> {
        let sum = self.linear(id);
        sum.terms.iter().try_fold((sum.offset, sum.offset), |(low, high), (term, c)| {
            let (a, b) = if *term == id { self.range_of_product(id, domain)? } else { self.range(*term, domain)? };
            Some((low + (a * c).min(b * c), high + (a * c).max(b * c)))
        })
    }

    fn range_of_product(&self, id: ExprId, domain: &[usize]) -> Option<Interval> {
        let Node::Binary(Binary::Mul, a, b) = self.node(id) else { return None };
        let (a, b) = (self.range(*a, domain)?, self.range(*b, domain)?);
        let corners = [a.0 * b.0, a.0 * b.1, a.1 * b.0, a.1 * b.1];
        Some((corners.into_iter().min()?, corners.into_iter().max()?))
    }

    /// The value of an Int expression at a point; `None` if it reads a tensor or tests anything.
    pub(super) fn at_point(&self, id: ExprId, point: &[i64]) -> Option<i64> {
        let of = |e: ExprId| self.at_point(e, point);
        Some(match self.node(id) {
            Node::Int(n) => *n,
            Node::Var(k) => *point.get(*k as usize)?,
            Node::Unary(Unary::Neg, a) => -of(*a)?,
            Node::Unary(Unary::Abs, a) => of(*a)?.abs(),
            Node::Binary(op, a, b) => {
                let (a, b) = (of(*a)?, of(*b)?);
                match op {
                    Binary::Add => a + b,
                    Binary::Sub => a - b,
                    Binary::Mul => a * b,
                    Binary::Max => a.max(b),
                    Binary::Min => a.min(b),
                    Binary::FloorDiv => a.checked_div_euclid(b)?,
                    Binary::Mod => a.checked_rem_euclid(b)?,
                    _ => return None,
                }
            }
            _ => return None,
        })
    }

    pub(super) fn positive_int(&self, id: ExprId) -> Option<i64> {
        match self.node(id) {
            Node::Int(d) if *d > 0 => Some(*d),
            _ => None,
        }
    }

    /// Whether a position is proven to lie inside the tensor everywhere in the domain.
    #[must_use]
    pub fn proven_inside(&self, tensor: TensorId, at: &[ExprId], domain: &[usize]) -> bool {
        at.iter()
            .zip(&self.t(tensor).shape)
            .all(|(p, extent)| self.range(*p, domain).is_some_and(|(low, high)| low >= 0 && high < *extent as i64))
    }

    /// Whether a position is proven to lie outside the tensor everywhere in the domain.
    #[must_use]
    pub fn proven_outside(&self, tensor: TensorId, at: &[ExprId], domain: &[usize]) -> bool {
        at.iter()
            .zip(&self.t(tensor).shape)
            .any(|(p, extent)| self.range(*p, domain).is_some_and(|(low, high)| high < 0 || low >= *extent as i64))
    }
}

fn hull(a: Interval, b: Interval) -> Option<Interval> {
    Some((a.0.min(b.0), a.1.max(b.1)))
}
