//! Products before sums: what a sum's terms have in common is multiplied once, `a*x + b*x` to
//! `(a + b) * x`. This is the distributive law, so a result may differ in its last bits.

use super::rebuild::{Rebuild, Rewrite};
use crate::ir::{ExprId, Item, Module, Node};
use crate::scalar::{Binary, Kind, Unary};

/// Factors every definition of a module.
pub fn run(m: &mut Module) {
    let mut factor = Rebuild::new(Factor);
    for item in std::mem::take(&mut m.items) {
        let item = match item {
            Item::Def(mut def) => {
                def.value = factor.expr(m, def.value);
                Item::Def(def)
            }
            other @ (Item::Draw(_) | Item::Listed(_)) => other,
        };
        m.items.push(item);
    }
}

/// A term of a sum: its sign and its factors.
#[derive(Clone)]
struct Term {
    negative: bool,
    factors: Vec<ExprId>,
}

struct Factor;

impl Rewrite for Factor {
    fn rewrite(&mut self, m: &mut Module, id: ExprId) -> ExprId {
        let is_sum = matches!(m.node(id), Node::Binary(Binary::Add | Binary::Sub, ..)) && m.kind(id) == Kind::Float;
        if !is_sum {
            return id;
        }
        let mut terms = vec![];
        collect(m, id, false, &mut terms);
        sum(m, terms)
    }
}

/// The terms of a sum, in order.
fn collect(m: &Module, id: ExprId, negative: bool, out: &mut Vec<Term>) {
    match *m.node(id) {
        Node::Binary(Binary::Add, a, b) => {
            collect(m, a, negative, out);
            collect(m, b, negative, out);
        }
        Node::Binary(Binary::Sub, a, b) => {
            collect(m, a, negative, out);
            collect(m, b, !negative, out);
        }
        Node::Unary(Unary::Neg, a) => collect(m, a, !negative, out),
        _ => {
            let mut term = Term { negative, factors: vec![] };
            factors(m, id, &mut term);
            out.push(term);
        }
    }
}

fn factors(m: &Module, id: ExprId, term: &mut Term) {
    match *m.node(id) {
        Node::Binary(Binary::Mul, a, b) => {
            factors(m, a, term);
            factors(m, b, term);
        }
        Node::Unary(Unary::Neg, a) => {
            term.negative = !term.negative;
            factors(m, a, term);
        }
        _ => term.factors.push(id),
    }
}

/// The sum of terms, the commonest factor taken out first.
fn sum(m: &mut Module, terms: Vec<Term>) -> ExprId {
    let Some(factor) = commonest(m, &terms) else { return added(m, terms) };
    let has = |t: &Term| t.factors.contains(&factor);
    let first = terms.iter().position(has).unwrap_or(0);
    let mut inner: Vec<Term> = terms.iter().filter(|t| has(t)).cloned().collect();
    for term in &mut inner {
        if let Some(at) = term.factors.iter().position(|f| *f == factor) {
            term.factors.remove(at);
        }
    }
    let inner = sum(m, inner);
    let mut product = Term { negative: false, factors: vec![] };
    factors(m, inner, &mut product);
    product.factors.push(factor);
    let mut rest: Vec<Term> = terms.into_iter().filter(|t| !t.factors.contains(&factor)).collect();
    if rest.is_empty() {
        return multiplied(m, &product);
    }
    rest.insert(first.min(rest.len()), product);
    // The product keeps its factor: one that no other term has, so this comes to an end.
    sum(m, rest)
}

/// The factor that most terms have, of those that two have; the first of equals.
fn commonest(m: &Module, terms: &[Term]) -> Option<ExprId> {
    let mut best: Option<(usize, ExprId)> = None;
    for factor in terms.iter().flat_map(|t| &t.factors) {
        let count = terms.iter().filter(|t| t.factors.contains(factor)).count();
        if count >= 2 && m.as_float(*factor).is_none() && best.is_none_or(|(most, _)| count > most) {
            best = Some((count, *factor));
        }
    }
    best.map(|(_, factor)| factor)
}

fn multiplied(m: &mut Module, term: &Term) -> ExprId {
    let one = m.float(1.0);
    let product = term.factors.iter().fold(one, |product, f| m.mul(product, *f));
    if term.negative { m.neg(product) } else { product }
}

/// The terms in the order of the source as far as it is known, positive ones first, numbers last.
fn added(m: &mut Module, mut terms: Vec<Term>) -> ExprId {
    let named = |t: &Term| t.factors.iter().filter(|f| m.as_float(**f).is_none()).min().copied();
    terms.sort_by_key(|t| (named(t).is_none(), t.negative, named(t)));
    let zero = m.float(0.0);
    let mut total = zero;
    for term in &terms {
        let value = multiplied(m, term);
        total = m.add(total, value);
    }
    total
}
