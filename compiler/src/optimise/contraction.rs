//! Recognition of contractions, the sums of products that run on packed tiles.
//!
//! A contraction is a projection `T[..] = sum[..] A[..] * B[..]` whose two operands are reads at
//! index positions (which read nothing themselves), plain or with a constant outside. Its domain
//! variables fall into four groups: *batch* (in the target and both operands), *M* (in the target
//! and A only), *N* (in the target and B only) and *K* (reduced, in both); one of a single value may
//! be in neither (a convolution of one channel). M, N and K are not empty: a sum without one of
//! them has no reuse that tiles could exploit.
//!
//! A dense layer, a convolution (whose K runs over channel and window, and whose second operand is
//! read at `stride*i + u - pad`), their derivatives and attention all have this form after the
//! `contract` pass.

use super::expr::{Vars, reads_nothing};
use crate::ir::{Combine, Def, ExprId, Module, Node, TensorId};
use crate::scalar::Binary;

/// One of the two operands: `tensor[at]`, or `outside` where a position is outside the tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Operand {
    /// The read node.
    pub expr: ExprId,
    /// What is read.
    pub tensor: TensorId,
    /// A position for each axis of the tensor, over the domain variables; reads nothing.
    pub at: Vec<ExprId>,
    /// For a guarded read, the f64 value it yields outside. Zero in all that this compiler makes.
    pub outside: Option<f64>,
}

/// A definition seen as `target[batch, m, n] = sum[k] a[batch, m, k] * b[batch, n, k]`.
///
/// Groups hold domain variables of the definition in ascending order, so that of the target's
/// variables those of the innermost axis come last. If the target's innermost variable is in one
/// of M and N, it is in N.
#[derive(Clone, Debug, PartialEq)]
pub struct Contraction {
    /// The operand with M.
    pub a: Operand,
    /// The operand with N.
    pub b: Operand,
    /// Target variables in both operands, and those of one value that are in neither.
    pub batch: Vec<u32>,
    /// Target variables in `a` only.
    pub m: Vec<u32>,
    /// Target variables in `b` only.
    pub n: Vec<u32>,
    /// Reduced variables, in both operands.
    pub k: Vec<u32>,
}

/// Sees a definition as a contraction, if it is one.
#[must_use]
pub fn contraction(module: &Module, def: &Def) -> Option<Contraction> {
    if def.combine != Combine::Sum || def.scatter.is_some() {
        return None;
    }
    let Node::Binary(Binary::Mul, left, right) = *module.node(def.value) else { return None };
    let (mut a, mut b) = (operand(module, left)?, operand(module, right)?);
    let (mut in_a, mut in_b) = (module.variables(left), module.variables(right));
    let rank = module.t(def.target).shape.len() as u32;
    if rank > 0 && in_a.contains(&(rank - 1)) {
        std::mem::swap(&mut a, &mut b);
        std::mem::swap(&mut in_a, &mut in_b);
    }
    let (batch, m, n, k) = classify(&in_a, &in_b, rank, &def.domain)?;
    Some(Contraction { a, b, batch, m, n, k })
}

/// A read at index positions whose value outside, if it may be outside, is a constant.
fn operand(module: &Module, expr: ExprId) -> Option<Operand> {
    let Node::Read { tensor, at, otherwise } = module.node(expr) else { return None };
    let outside = match otherwise.map(|e| module.node(e)) {
        None => None,
        Some(Node::Float(bits)) => Some(f64::from_bits(*bits)),
        Some(_) => return None,
    };
    let pure = at.iter().all(|p| reads_nothing(module, *p));
    pure.then(|| Operand { expr, tensor: *tensor, at: at.to_vec(), outside })
}

/// The groups batch, M, N and K, if every variable belongs to one and M, N and K have some.
#[expect(clippy::type_complexity, reason = "the four groups, taken apart at once")]
fn classify(a: &Vars, b: &Vars, rank: u32, domain: &[usize]) -> Option<(Vec<u32>, Vec<u32>, Vec<u32>, Vec<u32>)> {
    let (mut batch, mut m, mut n) = (vec![], vec![], vec![]);
    for v in 0..rank {
        match (a.contains(&v), b.contains(&v)) {
            (true, true) => batch.push(v),
            (true, false) => m.push(v),
            (false, true) => n.push(v),
            (false, false) if domain[v as usize] == 1 => batch.push(v),
            (false, false) => return None,
        }
    }
    let k: Vec<u32> = (rank..domain.len() as u32).collect();
    let shared = k.iter().all(|v| a.contains(v) && b.contains(v) || domain[*v as usize] == 1);
    (shared && !m.is_empty() && !n.is_empty() && !k.is_empty()).then_some((batch, m, n, k))
}
