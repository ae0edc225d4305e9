//! How far an integer expression can go: affine forms over indices and other atoms, their
//! intervals, and the conditions that narrow them. With concrete extents this decides whether a
//! read stays inside its tensor.

use super::{Element, Expr, Extent, Pass, ReduceOp};
use crate::scalar::{Binary, Kind, Unary};
use crate::tally::{Work, count};

/// A sum of multiples of atoms and a constant. As a fact it says that the sum is not negative.
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    terms: Vec<(Expr, i64)>,
    offset: i64,
}

/// Beyond this, an extent counts as unbounded.
const FAR: i64 = 1 << 40;

impl Affine {
    fn fixed(offset: i64) -> Self {
        Self { terms: vec![], offset }
    }

    /// `self + factor * other`.
    fn plus(mut self, other: &Self, factor: i64) -> Self {
        for (atom, k) in &other.terms {
            match self.terms.iter_mut().find(|t| t.0 == *atom) {
                Some(t) => t.1 = t.1.saturating_add(k.saturating_mul(factor)),
                None => self.terms.push((atom.clone(), k.saturating_mul(factor))),
            }
        }
        self.terms.retain(|t| t.1 != 0);
        self.offset = self.offset.saturating_add(other.offset.saturating_mul(factor));
        self
    }

    fn lowest(&self, pass: &Pass) -> i64 {
        self.ends(|atom| atom_range(pass, atom)).0
    }

    /// Its smallest and its largest value. The range of an atom is asked for once: atoms have others inside, and were each
    /// asked twice, those at the bottom would be asked as often as two to the power of their depth.
    fn ends(&self, range: impl Fn(&Expr) -> (i64, i64)) -> (i64, i64) {
        self.terms.iter().fold((self.offset, self.offset), |(least, most), (atom, k)| {
            let (low, high) = range(atom);
            let (low, high) = if *k > 0 { (low, high) } else { (high, low) };
            (least.saturating_add(k.saturating_mul(low)), most.saturating_add(k.saturating_mul(high)))
        })
    }
}

/// The affine form of an integer expression; what is not affine becomes an atom.
pub fn affine(expr: &Expr) -> Affine {
    match expr {
        Expr::Int(v) => Affine::fixed(*v),
        Expr::Unary(Unary::Neg, a) => Affine::fixed(0).plus(&affine(a), -1),
        Expr::Binary(Binary::Add, a, b) => affine(a).plus(&affine(b), 1),
        Expr::Binary(Binary::Sub, a, b) => affine(a).plus(&affine(b), -1),
        Expr::Binary(Binary::Mul, a, b) => match (&**a, &**b) {
            (Expr::Int(k), e) | (e, Expr::Int(k)) => Affine::fixed(0).plus(&affine(e), *k),
            _ => Affine { terms: vec![(expr.clone(), 1)], offset: 0 },
        },
        _ => Affine { terms: vec![(expr.clone(), 1)], offset: 0 },
    }
}

/// What a condition says about its integer comparisons, where it holds or does not.
pub fn facts(pass: &Pass, condition: &Expr, holds: bool) -> Vec<Affine> {
    let difference = |a: &Expr, b: &Expr, less: i64| affine(a).plus(&affine(b), -1).plus(&Affine::fixed(less), -1);
    match (condition, holds) {
        (Expr::Unary(Unary::Not, c), _) => facts(pass, c, !holds),
        (Expr::Binary(Binary::And, a, b), true) | (Expr::Binary(Binary::Or, a, b), false) => {
            let mut all = facts(pass, a, holds);
            all.extend(facts(pass, b, holds));
            all
        }
        (Expr::Binary(op, a, b), _) if pass.kind_of(a) == Kind::Int => match (op, holds) {
            (Binary::Lt, true) => vec![difference(b, a, 1)],
            (Binary::Lt, false) => vec![difference(a, b, 0)],
            (Binary::Le, true) => vec![difference(b, a, 0)],
            (Binary::Le, false) => vec![difference(a, b, 1)],
            (Binary::Eq, true) => vec![difference(a, b, 0), difference(b, a, 0)],
            _ => vec![],
        },
        _ => vec![],
    }
}

/// Smallest and largest value of an integer expression.
pub fn interval(pass: &Pass, expr: &Expr) -> (i64, i64) {
    interval_under(pass, expr, &[])
}

/// Smallest and largest value where the facts hold: the form itself, or less one or two facts.
pub fn interval_under(pass: &Pass, expr: &Expr, known: &[Affine]) -> (i64, i64) {
    let form = affine(expr);
    let (low, high) = form.ends(|atom| quotient_under(pass, atom, known));
    if known.is_empty() {
        return (low, high);
    }
    let negated = Affine::fixed(0).plus(&form, -1);
    let low = highest_bound(pass, &form, low, known);
    (low, highest_bound(pass, &negated, high.saturating_neg(), known).saturating_neg())
}

/// The best lower bound of a form that has one already: the form itself, or less one or two facts.
fn highest_bound(pass: &Pass, form: &Affine, mut best: i64, known: &[Affine]) -> i64 {
    for (n, fact) in known.iter().enumerate() {
        let once = form.clone().plus(fact, -1);
        best = best.max(once.lowest(pass));
        for other in &known[n..] {
            best = best.max(once.clone().plus(other, -1).lowest(pass));
        }
    }
    best
}

/// The range of an atom; what is known narrows what a quotient divides.
fn quotient_under(pass: &Pass, atom: &Expr, known: &[Affine]) -> (i64, i64) {
    match atom {
        Expr::Binary(Binary::FloorDiv, a, b) => match **b {
            Expr::Int(n) if n > 0 => {
                let (low, high) = interval_under(pass, a, known);
                (low.div_euclid(n), high.div_euclid(n))
            }
            _ => atom_range(pass, atom),
        },
        _ => atom_range(pass, atom),
    }
}

fn atom_range(pass: &Pass, atom: &Expr) -> (i64, i64) {
    count(Work::Ranges);
    match atom {
        Expr::Index(id) => match pass.extent(*id) {
            Extent::Fixed(n) => (0, (n as i64).min(FAR) - 1),
            Extent::Batch => (0, FAR),
        },
        Expr::BatchSize => (1, FAR),
        Expr::Read { value, otherwise, .. } => {
            let high = match pass.v(*value).ty.element {
                Element::Class(n) => n as i64 - 1,
                Element::Bool => 1,
                Element::Number | Element::Sample => FAR,
            };
            let other = otherwise.as_ref().map_or((0, high), |e| interval(pass, e));
            (other.0.min(0), other.1.max(high))
        }
        Expr::Binary(Binary::Mod, a, b) => match **b {
            Expr::Int(n) if n > 0 => {
                let (low, high) = interval(pass, a);
                if low >= 0 && high < n { (low, high) } else { (0, n - 1) }
            }
            _ => (-FAR, FAR),
        },
        Expr::Binary(Binary::FloorDiv, a, b) => match **b {
            Expr::Int(n) if n > 0 => {
                let (low, high) = interval(pass, a);
                (low.div_euclid(n), high.div_euclid(n))
            }
            _ => (-FAR, FAR),
        },
        Expr::Binary(op @ (Binary::Max | Binary::Min), a, b) => {
            let (a, b) = (interval(pass, a), interval(pass, b));
            if *op == Binary::Max { (a.0.max(b.0), a.1.max(b.1)) } else { (a.0.min(b.0), a.1.min(b.1)) }
        }
        Expr::Binary(Binary::Mul, a, b) => product_range(interval(pass, a), interval(pass, b)),
        Expr::Select(_, a, b) => {
            let (a, b) = (interval(pass, a), interval(pass, b));
            (a.0.min(b.0), a.1.max(b.1))
        }
        Expr::Unary(Unary::Abs, a) => {
            let (low, high) = interval(pass, a);
            (0, low.saturating_abs().max(high.saturating_abs()))
        }
        Expr::Reduce { op: ReduceOp::Argmax, over, .. } => {
            let size = over.iter().fold(1i64, |n, i| match pass.extent(*i) {
                Extent::Fixed(e) => n.saturating_mul(e as i64),
                Extent::Batch => FAR,
            });
            (0, size - 1)
        }
        Expr::Reduce { body, .. } => interval(pass, body),
        _ => (-FAR, FAR),
    }
}

fn product_range(a: (i64, i64), b: (i64, i64)) -> (i64, i64) {
    let all = [a.0.saturating_mul(b.0), a.0.saturating_mul(b.1), a.1.saturating_mul(b.0), a.1.saturating_mul(b.1)];
    (all.into_iter().min().unwrap_or(-FAR), all.into_iter().max().unwrap_or(FAR))
}
