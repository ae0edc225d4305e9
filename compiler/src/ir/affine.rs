//! Int expressions in normal form: a constant plus a sum of coefficients times terms, where a term
//! is anything that is not itself a sum or a multiple (a variable, a read, a quotient, ..). Two
//! positions that are equal as such sums get the same expression, and so the same id.

use super::{ExprId, Module, Node};
use crate::scalar::{Binary, Kind, Unary};

/// `offset + sum of coefficient * term`; terms are distinct, in normal order, no coefficient is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Linear {
    /// What stands alone.
    pub offset: i64,
    /// Terms and their coefficients.
    pub terms: Vec<(ExprId, i64)>,
}

impl Linear {
    /// Every coefficient and the constant times `factor`.
    #[must_use]
    pub fn scaled(mut self, factor: i64) -> Self {
        if factor == 0 {
            return Self::default();
        }
        self.offset *= factor;
        self.terms.iter_mut().for_each(|(_, c)| *c *= factor);
        self
    }

    /// The part whose coefficients `d` divides, divided by it, and the rest; the rest's
    /// coefficients and constant lie in `0..d`.
    #[must_use]
    pub fn split(&self, d: i64) -> (Self, Self) {
        let part = |f: fn(i64, i64) -> i64| Self {
            offset: f(self.offset, d),
            terms: self.terms.iter().map(|(t, c)| (*t, f(*c, d))).filter(|(_, c)| *c != 0).collect(),
        };
        (part(i64::div_euclid), part(i64::rem_euclid))
    }
}

impl Module {
    /// The normal form of an Int expression.
    #[must_use]
    pub fn linear(&self, id: ExprId) -> Linear {
        let mut sum = Linear::default();
        self.collect(id, 1, &mut sum);
        self.merge(&mut sum);
        while let Some((quotient, rest, whole, c)) = self.divided_whole(&sum) {
            sum.terms.retain(|(t, _)| *t != quotient && *t != rest);
            self.collect(whole, c, &mut sum);
            self.merge(&mut sum);
        }
        sum
    }

    /// `c * (d * (q div d) + q mod d)` in a sum: quotient, rest, `q` and `c`.
    fn divided_whole(&self, sum: &Linear) -> Option<(ExprId, ExprId, ExprId, i64)> {
        sum.terms.iter().find_map(|(rest, c)| {
            let Node::Binary(Binary::Mod, q, d) = self.node(*rest) else { return None };
            let quotient = *self.interned.get(&Node::Binary(Binary::FloorDiv, *q, *d))?;
            let whole = (quotient, c * self.positive_int(*d)?);
            sum.terms.contains(&whole).then_some((quotient, *rest, *q, *c))
        })
    }

    /// Brings terms into order, equal ones together.
    fn merge(&self, sum: &mut Linear) {
        sum.terms.sort_by_key(|(t, _)| self.term_order(*t));
        sum.terms.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 += if same { next.1 } else { 0 };
            same
        });
        sum.terms.retain(|(_, c)| *c != 0);
    }

    fn collect(&self, id: ExprId, factor: i64, sum: &mut Linear) {
        match self.node(id) {
            Node::Int(n) => sum.offset += n * factor,
            Node::Unary(Unary::Neg, a) => self.collect(*a, -factor, sum),
            Node::Binary(Binary::Add, a, b) => {
                self.collect(*a, factor, sum);
                self.collect(*b, factor, sum);
            }
            Node::Binary(Binary::Sub, a, b) => {
                self.collect(*a, factor, sum);
                self.collect(*b, -factor, sum);
            }
            Node::Binary(Binary::Mul, a, b) => match (self.node(*a), self.node(*b)) {
                (Node::Int(n), _) => self.collect(*b, factor * n, sum),
                (_, Node::Int(n)) => self.collect(*a, factor * n, sum),
                _ => sum.terms.push((id, factor)),
            },
            _ => sum.terms.push((id, factor)),
        }
    }

    /// Variables by number, then other terms by age.
    fn term_order(&self, id: ExprId) -> (u32, u32) {
        match self.node(id) {
            Node::Var(k) => (0, *k),
            _ => (1, id.0),
        }
    }

    /// The expression of a normal form: what is added first, then what is taken away.
    pub fn from_linear(&mut self, sum: &Linear) -> ExprId {
        let mut acc = None;
        for (term, c) in sum.terms.iter().filter(|(_, c)| *c > 0) {
            let product = self.multiple(*term, *c);
            acc = Some(acc.map_or(product, |a| self.binary(Binary::Add, a, product)));
        }
        if acc.is_none() || sum.offset > 0 {
            let offset = self.int(sum.offset);
            let leading = sum.offset == 0 && !sum.terms.is_empty();
            acc = acc.map(|a| self.binary(Binary::Add, a, offset)).or((!leading).then_some(offset));
        }
        let subtracted = acc.is_some() && sum.terms.iter().any(|(_, c)| *c > 0) && sum.offset < 0;
        for (term, c) in sum.terms.iter().filter(|(_, c)| *c < 0) {
            let product = self.multiple(*term, -c);
            acc = Some(match acc {
                None => self.unary(Unary::Neg, product),
                Some(a) => self.binary(Binary::Sub, a, product),
            });
        }
        let acc = acc.unwrap_or_else(|| self.int(sum.offset));
        if !subtracted {
            return acc;
        }
        let offset = self.int(-sum.offset);
        self.binary(Binary::Sub, acc, offset)
    }

    fn multiple(&mut self, term: ExprId, coefficient: i64) -> ExprId {
        if coefficient == 1 {
            return term;
        }
        let c = self.int(coefficient);
        self.binary(Binary::Mul, c, term)
    }

    /// An Int expression over variables alone: its constant, and each variable's coefficient;
    /// `None` if anything else occurs in it.
    #[must_use]
    pub fn affine(&self, id: ExprId) -> Option<(i64, Vec<(u32, i64)>)> {
        if self.kind(id) != Kind::Int {
            return None;
        }
        let sum = self.linear(id);
        let variable = |(term, c): &(ExprId, i64)| match self.node(*term) {
            Node::Var(k) => Some((*k, *c)),
            _ => None,
        };
        Some((sum.offset, sum.terms.iter().map(variable).collect::<Option<_>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sums_are_one_expression() {
        let mut m = Module::default();
        let (i, j, two, one) = (m.var(0), m.var(1), m.int(2), m.int(1));
        let a = m.mul(two, i);
        let a = m.add(a, j);
        let a = m.sub(a, one);
        let b = m.sub(j, one);
        let b = m.add(b, i);
        let b = m.add(b, i);
        assert_eq!(a, b);
        assert_eq!(m.affine(a), Some((-1, vec![(0, 2), (1, 1)])));
        assert_eq!(crate::ir::text::print_expr(&m, a, 2), "2 * i0 + i1 - 1");
        let gone = m.sub(a, b);
        assert_eq!(m.node(gone), &Node::Int(0));
        let c = m.sub(one, i);
        assert_eq!(crate::ir::text::print_expr(&m, c, 2), "1 - i0");
        let d = m.neg(i);
        assert_eq!(crate::ir::text::print_expr(&m, d, 2), "-i0");
        let e = m.sub(d, one);
        assert_eq!(crate::ir::text::print_expr(&m, e, 2), "-1 - i0");
    }

    #[test]
    fn quotients_shed_what_divides() {
        let mut m = Module::default();
        let (i, j, four) = (m.var(0), m.var(1), m.int(4));
        let at = m.mul(four, i);
        let at = m.add(at, j);
        let q = m.apply2(Binary::FloorDiv, at, four);
        let r = m.apply2(Binary::Mod, at, four);
        assert_eq!(crate::ir::text::print_expr(&m, q, 2), "i0 + div(i1, 4)");
        assert_eq!(crate::ir::text::print_expr(&m, r, 2), "mod(i1, 4)");
        assert_eq!(m.simplify(q, &[9, 4]), i);
        assert_eq!(m.simplify(r, &[9, 4]), j);
        assert_eq!(m.simplify(r, &[9, 5]), r);
        let whole = m.mul(four, q);
        assert_eq!(m.add(whole, r), at);
    }
}
