//! The sum over the paths, written out: how much arithmetic a derivative would take if every path
//! from the input to the result were a product of its own (Goodfellow, Bengio and Courville, Deep
//! Learning, 6.5: "an exponential number of wasted computations").
//!
//! A path goes from an element of the input through operators to an element of the result. Each
//! operator on it contributes a factor, its partial derivative, unless that is 1 or -1.

use crate::ir::{ExprId, Module, Node, TensorId};
use crate::optimise::expr::roots;
use crate::scalar::{Binary, Unary};
use std::collections::HashMap;
use std::ops::AddAssign;

/// Paths, and factors on them. Numbers, not whole ones only: averages over the elements of a tensor
/// on the way, and soon beyond what integers hold.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Paths {
    /// How many there are.
    pub count: f64,
    /// Factors on all of them together.
    pub factors: f64,
}

impl Paths {
    /// Products to compute: one less than the factors, path by path.
    #[must_use]
    pub fn multiplications(&self) -> f64 {
        (self.factors - self.count).max(0.0)
    }

    /// Sums to compute, for `results` results.
    #[must_use]
    pub fn additions(&self, results: f64) -> f64 {
        (self.count - results).max(0.0)
    }

    fn through_factor(self) -> Self {
        Self { factors: self.factors + self.count, ..self }
    }

    fn scaled(self, by: f64) -> Self {
        Self { count: self.count * by, factors: self.factors * by }
    }
}

impl AddAssign for Paths {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.factors += other.factors;
    }
}

/// All paths from elements of `from` to elements of `to`, the module's items being those of the
/// function itself.
#[must_use]
pub fn paths(m: &Module, from: TensorId, to: TensorId) -> Paths {
    let mut into: HashMap<TensorId, Paths> = HashMap::from([(from, Paths { count: 1.0, factors: 0.0 })]);
    for item in &m.items {
        let crate::ir::Item::Def(def) = item else { continue };
        let Some(value) = roots(item).last().copied() else { continue };
        let points: f64 = def.domain.iter().map(|n| *n as f64).product();
        let each = points / m.t(def.target).len().max(1) as f64;
        let here = of_value(m, value, &into).scaled(each);
        if here.count > 0.0 {
            into.insert(def.target, here);
        }
    }
    into.get(&to).copied().unwrap_or_default().scaled(m.t(to).len() as f64)
}

/// The paths that end in an expression, at one point.
fn of_value(m: &Module, value: ExprId, into: &HashMap<TensorId, Paths>) -> Paths {
    let mut at: HashMap<ExprId, Paths> = HashMap::new();
    for id in m.reachable(&[value]) {
        let get = |e: &ExprId| at.get(e).copied().unwrap_or_default();
        let here = match m.node(id) {
            Node::Float(_) | Node::Int(_) | Node::Bool(_) | Node::Var(_) => Paths::default(),
            Node::Read { tensor, .. } => into.get(tensor).copied().unwrap_or_default(),
            Node::Unary(Unary::Neg, a) => get(a),
            Node::Unary(op, a) if op.facts().slope => get(a).through_factor(),
            Node::Unary(..) => Paths::default(),
            Node::Binary(op, a, b) => of_binary(*op, get(a), get(b)),
            Node::Select(_, a, b) => both(get(a), get(b)),
        };
        at.insert(id, here);
    }
    at.get(&value).copied().unwrap_or_default()
}

fn of_binary(op: Binary, a: Paths, b: Paths) -> Paths {
    match op {
        Binary::Add | Binary::Sub | Binary::Max | Binary::Min => both(a, b),
        Binary::Mul | Binary::Div | Binary::Pow | Binary::ZeroOrProduct | Binary::ZeroOrQuotient => {
            both(a.through_factor(), b.through_factor())
        }
        _ => Paths::default(),
    }
}

fn both(mut a: Paths, b: Paths) -> Paths {
    a += b;
    a
}
