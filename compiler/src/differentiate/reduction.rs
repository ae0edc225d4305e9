//! What a reduction does to a derivative: the value at each point of the domain has a share in the
//! element it goes to. A sum's share is 1; a product's is the product of all other values (found
//! without division, so zeros are no trouble); that of a largest or smallest element is 1 at the
//! first of equals and 0 elsewhere. Forward and reverse mode use the same shares.

use super::adjoint::Guarded;
use crate::ir::{Combine, Def, ExprId, Module};
use crate::scalar::{Binary, Kind};

/// `x` times the share of the value at each point, over the domain of `def`. May append a
/// definition that the share is read from.
pub(super) fn through(m: &mut Module, def: &Def, x: ExprId) -> Guarded {
    let rank = kept(m, def);
    let single = def.domain[rank..].iter().product::<usize>() == 1;
    match def.combine {
        Combine::Prod if !single => {
            let others = product_of_others(m, def, rank);
            Guarded::always(m.mul(x, others))
        }
        Combine::Max | Combine::Min if !single => {
            let guard = Some(is_first(m, def, rank));
            Guarded { guard, value: x }
        }
        _ => Guarded::always(x),
    }
}

/// How many variables of the domain are positions of the target.
fn kept(m: &Module, def: &Def) -> usize {
    if def.scatter.is_some() { def.domain.len() } else { m.t(def.target).shape.len() }
}

/// `T.others[i, r] = prod[q] select(q == r, 1, value at (i, q))`, read at the point.
fn product_of_others(m: &mut Module, def: &Def, rank: usize) -> ExprId {
    let reduced = &def.domain[rank..];
    let (first, count) = (rank as u32, reduced.len() as u32);
    let mut with: Vec<ExprId> = (0..first).map(|k| m.var(k)).collect();
    let mut here = m.bool(true);
    for k in first..first + count {
        let (own, other) = (m.var(k), m.var(k + count));
        let equal = m.compare(Binary::Eq, own, other);
        here = m.and(here, equal);
        with.push(other);
    }
    let value = m.substitute(def.value, &with);
    let one = m.float(1.0);
    let value = m.choose(here, one, value);
    let name = format!("{}.others", m.t(def.target).name);
    let others = m.define(&name, def.domain.clone(), reduced, Combine::Prod, value, None);
    m.read_here(others)
}

/// Whether the point is the one that the largest or smallest element was first found at.
fn is_first(m: &mut Module, def: &Def, rank: usize) -> ExprId {
    let value = if def.combine == Combine::Min { m.neg(def.value) } else { def.value };
    debug_assert_eq!(m.kind(value), Kind::Float);
    let (shape, reduced) = def.domain.split_at(rank);
    let name = format!("{}.first", m.t(def.target).name);
    let first = m.define(&name, shape.to_vec(), reduced, Combine::Argmax, value, None);
    let (first, here) = (m.read_here(first), m.row_major(rank as u32, reduced));
    m.compare(Binary::Eq, first, here)
}
