//! Products taken apart into factors and put together again.

use super::expr::Vars;
use super::rewrite::{guarded_read, rewrite, simple, zero};
use crate::ir::{ExprId, Module, Node};
use crate::scalar::{Binary, Kind, Unary};
use std::collections::HashMap;

/// A factor of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factor {
    /// Multiplies.
    Times(ExprId),
    /// Divides.
    Over(ExprId),
    /// The product is zero where this does not hold.
    Where(ExprId),
}

impl Factor {
    /// The expression inside.
    #[must_use]
    pub fn expr(self) -> ExprId {
        match self {
            Self::Times(e) | Self::Over(e) | Self::Where(e) => e,
        }
    }

    /// The domain variables it mentions.
    #[must_use]
    pub fn vars(self, m: &Module) -> Vars {
        m.variables(self.expr())
    }
}

/// The factors of a Float expression, in reading order. What a condition kept from reading outside is
/// guarded, so that it may be separated from the condition.
#[must_use]
pub fn factors(m: &mut Module, domain: &[usize], e: ExprId) -> Vec<Factor> {
    let parts = |m: &Module, e: ExprId| match *m.node(e) {
        Node::Binary(Binary::Mul, a, b) => vec![a, b],
        Node::Select(_, a, b) if m.as_float(b) == Some(0.0) => vec![a],
        Node::Binary(Binary::Div, a, _) | Node::Unary(Unary::Neg, a) => vec![a],
        _ => vec![],
    };
    if doubles(m, e, &parts) { vec![Factor::Times(e)] } else { factors_of(m, domain, e) }
}

fn factors_of(m: &mut Module, domain: &[usize], e: ExprId) -> Vec<Factor> {
    match *m.node(e) {
        Node::Binary(Binary::Mul, a, b) => [factors_of(m, domain, a), factors_of(m, domain, b)].concat(),
        Node::Binary(Binary::Div, a, b) => [factors_of(m, domain, a), vec![Factor::Over(b)]].concat(),
        Node::Unary(Unary::Neg, a) => [vec![Factor::Times(m.float(-1.0))], factors_of(m, domain, a)].concat(),
        Node::Select(c, a, b) if m.as_float(b) == Some(0.0) => {
            let free = rewrite(m, domain, a, &mut Module::var, &mut |m, a| guarded_read(m, domain, a));
            [vec![Factor::Where(c)], factors_of(m, domain, free)].concat()
        }
        Node::Float(bits) if f64::from_bits(bits) == 1.0 => vec![],
        _ => vec![Factor::Times(e)],
    }
}

/// The product of factors.
pub fn multiply(m: &mut Module, domain: &[usize], factors: &[Factor]) -> ExprId {
    let one = m.float(1.0);
    let (mut over, mut under) = (one, one);
    let mut truth = m.bool(true);
    for factor in factors {
        match *factor {
            Factor::Times(e) => over = simple(m, domain, Node::Binary(Binary::Mul, over, e)),
            Factor::Over(e) => under = simple(m, domain, Node::Binary(Binary::Mul, under, e)),
            Factor::Where(c) => truth = simple(m, domain, Node::Binary(Binary::And, truth, c)),
        }
    }
    let quotient = simple(m, domain, Node::Binary(Binary::Div, over, under));
    let nothing = zero(m, Kind::Float);
    simple(m, domain, Node::Select(truth, quotient, nothing))
}

/// The terms of a Float sum, each with its sign.
#[must_use]
pub fn terms(m: &Module, e: ExprId) -> Vec<(bool, ExprId)> {
    let parts = |m: &Module, e: ExprId| match *m.node(e) {
        Node::Binary(Binary::Add | Binary::Sub, a, b) => vec![a, b],
        Node::Unary(Unary::Neg, a) => vec![a],
        _ => vec![],
    };
    if doubles(m, e, &parts) { vec![(true, e)] } else { terms_of(m, e) }
}

fn terms_of(m: &Module, e: ExprId) -> Vec<(bool, ExprId)> {
    let flipped = |terms: Vec<(bool, ExprId)>| terms.into_iter().map(|(plus, e)| (!plus, e)).collect();
    match *m.node(e) {
        Node::Binary(Binary::Add, a, b) => [terms_of(m, a), terms_of(m, b)].concat(),
        Node::Binary(Binary::Sub, a, b) => [terms_of(m, a), flipped(terms_of(m, b))].concat(),
        Node::Unary(Unary::Neg, a) => flipped(terms_of(m, a)),
        _ => vec![(true, e)],
    }
}

/// Parts into which anything may be taken apart.
const FEW: usize = 64;

/// Whether taking an expression apart would make more of it than it is: `y + y` where y is `x + x`, and so on, has twice
/// as many terms for every sum. Such a one stays whole.
fn doubles(m: &Module, e: ExprId, parts: &dyn Fn(&Module, ExprId) -> Vec<ExprId>) -> bool {
    fn count(
        m: &Module,
        e: ExprId,
        parts: &dyn Fn(&Module, ExprId) -> Vec<ExprId>,
        known: &mut HashMap<ExprId, usize>,
    ) -> usize {
        if let Some(n) = known.get(&e) {
            return *n;
        }
        let n = parts(m, e).into_iter().fold(0, |n: usize, part| n.saturating_add(count(m, part, parts, known)));
        known.insert(e, n.max(1));
        n.max(1)
    }
    let mut known = HashMap::new();
    let total = count(m, e, parts, &mut known);
    total > known.len().max(FEW)
}

/// The sum of signed terms.
pub fn total(m: &mut Module, domain: &[usize], terms: &[(bool, ExprId)]) -> ExprId {
    let mut sum = zero(m, Kind::Float);
    for (plus, e) in terms {
        let op = if *plus { Binary::Add } else { Binary::Sub };
        sum = simple(m, domain, Node::Binary(op, sum, *e));
    }
    sum
}
