//! `gather`: scatters become projections.
//!
//! Differentiation turns every read into an accumulation at the same position. Run as it stands,
//! such a scatter cannot be split among threads, and convolutions would not be seen as
//! contractions. Solved for its domain ([`super::solve`]) it is a projection: the input's gradient
//! of a convolution a sum over window and filters, that of a max-pool without overlap pointwise,
//! that of `z[y[b]]` pointwise with a comparison.
//!
//! Where a solution may leave a variable's range, the reads whose bounds say the same are guarded
//! (`dy[b, o, p - u] or 0`), and a condition remains only if no read implies it. With a stride, a
//! sum is computed by phase, `T'[.., (p - c) div s, (p - c) mod s, ..]`, so that its operands depend on
//! plain variables and the contraction engine takes it.
//!
//! A scatter stays if the projection would visit many more points ([`WASTE`]), such as the gradient of
//! rows read by number.

use super::expr::reads_nothing;
use super::index;
use super::rewrite::{Access, guarded_read, simple, substitute, zero};
use super::solve::{Axis, Condition, Solution, over_solution, solve};
use crate::ir::recurrence::{Recurrence, recurrences};
use crate::ir::{Combine, Def, ExprId, Item, Module, Node, Scatter};
use crate::scalar::{Binary, Unary};
use std::collections::BTreeSet;

/// How many times the points of the scatter and of its target a projection may visit; once, if it would
/// have to look for elements of an Int tensor.
const WASTE: usize = 8;

/// Runs the pass.
pub fn run(m: &mut Module) {
    let recurrences = recurrences(m);
    for (place, item) in std::mem::take(&mut m.items).into_iter().enumerate() {
        let recurrence = recurrences.iter().find(|r| r.items.contains(&place));
        match (item, recurrence) {
            (Item::Def(def), None) if def.scatter.is_some() => gather(m, def),
            (Item::Def(def), Some(r)) if def.scatter.is_some() => gather_turn(m, def, r),
            (other, _) => m.items.push(other),
        }
    }
}

/// A member of a recurrence: its turn must remain the variable it is.
fn gather_turn(m: &mut Module, def: Def, recurrence: &Recurrence) {
    let turn = recurrence.variable(m, &def).zip(recurrence.axis(def.target));
    let plain = vec![Axis::Plain; m.t(def.target).shape.len()];
    let solved = solve(m, &def, &plain);
    let keeps = |m: &mut Module, s: &Solution| turn.is_some_and(|(v, axis)| s.values[v as usize] == m.var(axis as u32));
    match solved {
        Some(solution) if keeps(m, &solution) && !wasteful(m, &def, &solution) => {
            let value = value(m, def.value, &solution);
            m.items.push(Item::Def(projection(def, solution, value)));
        }
        _ => m.items.push(Item::Def(def)),
    }
}

/// Whether the projection would visit many more points than the scatter.
fn wasteful(m: &Module, def: &Def, solution: &Solution) -> bool {
    let gathered = solution.conditions.iter().any(|c| matches!(c, Condition::Equal(_, e) if !reads_nothing(m, *e)));
    let waste = if gathered { 1 } else { WASTE };
    points(&solution.domain) > waste * (points(&def.domain) + m.t(def.target).len())
}

fn points(domain: &[usize]) -> usize {
    domain.iter().fold(1, |n: usize, e| n.saturating_mul(*e))
}

fn gather(m: &mut Module, def: Def) {
    let unpacked = unpack(m, def.clone());
    let plain = vec![Axis::Plain; m.t(def.target).shape.len()];
    let Some(solution) = solve(m, &unpacked, &plain) else { return m.items.push(Item::Def(def)) };
    if wasteful(m, &def, &solution) {
        return m.items.push(Item::Def(def));
    }
    let sums = points(&solution.domain[solution.rank..]) > 1;
    let product = matches!(m.node(unpacked.value), Node::Binary(Binary::Mul, ..));
    if sums && product && solution.phasable.iter().any(|a| *a != Axis::Plain) {
        return by_phase(m, &unpacked, &solution.phasable);
    }
    let value = value(m, unpacked.value, &solution);
    m.items.push(Item::Def(projection(def, solution, value)));
}

fn projection(def: Def, solution: Solution, value: ExprId) -> Def {
    let combine = if solution.domain.len() > solution.rank { Combine::Sum } else { Combine::Set };
    Def { domain: solution.domain, combine, value, scatter: None, ..def }
}

/// Computes a tensor with block and phase as axes of their own, then the target from it.
fn by_phase(m: &mut Module, def: &Def, layout: &[Axis]) {
    let Some(solution) = solve(m, def, layout) else { return m.items.push(Item::Def(def.clone())) };
    let value = value(m, def.value, &solution);
    let (shape, reduced) = solution.domain.split_at(solution.rank);
    let (target, span) = (m.t(def.target).clone(), m.t(def.target).span);
    let name = format!("{}.phases", target.name);
    let phases = m.define(&name, shape.to_vec(), reduced, Combine::Sum, value, span);
    let mut at = vec![];
    for (k, axis) in layout.iter().enumerate() {
        let p = m.var(k as u32);
        match axis {
            Axis::Plain => at.push(p),
            Axis::Phased { stride, offset, first, .. } => {
                let (s, c, f) = (m.int(*stride), m.int(*offset), m.int(*first));
                let q = index::binary(m, &target.shape, Binary::Sub, p, c);
                let block = index::binary(m, &target.shape, Binary::FloorDiv, q, s);
                at.push(index::binary(m, &target.shape, Binary::Sub, block, f));
                at.push(index::binary(m, &target.shape, Binary::Mod, q, s));
            }
        }
    }
    let value = guarded_read(m, &target.shape, Access { tensor: phases, at, otherwise: None });
    m.items.push(Item::Def(Def {
        target: def.target,
        domain: target.shape,
        combine: Combine::Set,
        value,
        scatter: None,
    }));
}

/// The scatter's value over the new domain, zero where a condition fails.
fn value(m: &mut Module, old: ExprId, solution: &Solution) -> ExprId {
    let domain = &solution.domain;
    let value = over_solution(m, old, solution);
    let mut truth = m.bool(true);
    for condition in &solution.conditions {
        if let Condition::Inside(e, extent) = condition
            && vanishes(m, value, *e, *extent)
        {
            continue;
        }
        let holds = test(m, domain, *condition);
        truth = simple(m, domain, Node::Binary(Binary::And, truth, holds));
    }
    let kind = m.kind(value);
    let nothing = zero(m, kind);
    simple(m, domain, Node::Select(truth, value, nothing))
}

/// A condition as an expression; the half that a range proves is left out.
fn test(m: &mut Module, domain: &[usize], condition: Condition) -> ExprId {
    match condition {
        Condition::Equal(a, b) => simple(m, domain, Node::Binary(Binary::Eq, a, b)),
        Condition::Inside(e, extent) => {
            let (least, end) = (m.int(0), m.int(extent as i64));
            let above = simple(m, domain, Node::Binary(Binary::Le, least, e));
            let below = simple(m, domain, Node::Binary(Binary::Lt, e, end));
            simple(m, domain, Node::Binary(Binary::And, above, below))
        }
    }
}

/// Whether an expression is zero whenever `position` is not in `0..extent`, because of guarded reads.
fn vanishes(m: &mut Module, e: ExprId, position: ExprId, extent: usize) -> bool {
    let none = |m: &Module, e: ExprId| m.as_float(e) == Some(0.0) || m.as_int(e) == Some(0);
    let inner = |m: &mut Module, e: ExprId| vanishes(m, e, position, extent);
    match m.node(e).clone() {
        Node::Read { tensor, at, otherwise: Some(o) } if none(m, o) => {
            let shape = m.t(tensor).shape.clone();
            at.iter().zip(shape).any(|(p, n)| implies(m, *p, n, position, extent))
        }
        Node::Unary(Unary::Neg | Unary::ToFloat, a) => inner(m, a),
        Node::Binary(Binary::Mul, a, b) => (inner(m, a) && tame(m, b)) || (inner(m, b) && tame(m, a)),
        Node::Binary(Binary::ZeroOrProduct, a, b) => inner(m, a) || inner(m, b),
        Node::Binary(Binary::ZeroOrQuotient, a, _) => inner(m, a),
        Node::Binary(Binary::Add | Binary::Sub, a, b) => inner(m, a) && inner(m, b),
        Node::Select(_, a, b) => inner(m, a) && inner(m, b),
        _ => none(m, e),
    }
}

/// Whether `0 <= p < n` implies `0 <= position < extent`, where they differ by a constant.
fn implies(m: &mut Module, p: ExprId, n: usize, position: ExprId, extent: usize) -> bool {
    let ahead = m.sub(p, position);
    m.as_int(ahead).is_some_and(|shift| shift <= 0 && n as i64 - shift <= extent as i64)
}

/// Whether an expression is finite where its reads are: zero times it is zero.
fn tame(m: &Module, e: ExprId) -> bool {
    m.reachable(&[e]).into_iter().all(|e| match m.node(e) {
        Node::Unary(op, _) => op.facts().finite,
        Node::Binary(op, ..) => op.facts().finite,
        Node::Float(bits) => f64::from_bits(*bits).is_finite(),
        _ => true,
    })
}

/// Replaces domain variables that positions take digits of (`f div 4`, `f mod 4`, `f div 4 mod 3`) by
/// a variable for each digit.
fn unpack(m: &mut Module, mut def: Def) -> Def {
    let packed = def.scatter.iter().flat_map(|s| s.at.clone()).collect::<Vec<_>>();
    let candidates: BTreeSet<u32> = packed.iter().flat_map(|e| m.variables(*e)).collect();
    for v in candidates {
        let at = def.scatter.as_ref().map_or(vec![], |s| s.at.clone());
        let cuts: BTreeSet<i64> = at.iter().flat_map(|e| cuts(m, *e, v)).collect();
        if let Some(extents) = digit_extents(&cuts, def.domain[v as usize]) {
            def = with_digits(m, def, v, &cuts, &extents);
        }
    }
    def
}

/// The places where positions cut the variable's number in two: w for `v div w`, `v mod w`.
fn cuts(m: &Module, position: ExprId, v: u32) -> Vec<i64> {
    let number = |e: ExprId| match m.node(e) {
        Node::Int(d) => Some(*d),
        _ => None,
    };
    let weight = |e: ExprId| match *m.node(e) {
        Node::Var(u) if u == v => Some(1),
        Node::Binary(Binary::FloorDiv, x, d) if *m.node(x) == Node::Var(v) => number(d),
        _ => None,
    };
    let cut = |e: ExprId| match *m.node(e) {
        Node::Binary(Binary::FloorDiv | Binary::Mod, x, d) => Some(weight(x)? * number(d)?),
        _ => None,
    };
    m.reachable(&[position]).into_iter().filter_map(cut).collect()
}

/// The extents of the digits between the cuts, lowest first, if each cut divides the next and the
/// last divides the extent.
fn digit_extents(cuts: &BTreeSet<i64>, extent: usize) -> Option<Vec<usize>> {
    let places: Vec<usize> = [1].into_iter().chain(cuts.iter().map(|c| *c as usize)).chain([extent]).collect();
    let exact = places.windows(2).all(|w| w[0] > 0 && w[1] % w[0] == 0);
    (exact && !cuts.is_empty()).then(|| places.windows(2).map(|w| w[1] / w[0]).collect())
}

/// The definition with variable `v` as the highest digit and new variables for the others.
fn with_digits(m: &mut Module, def: Def, v: u32, cuts: &BTreeSet<i64>, extents: &[usize]) -> Def {
    let mut domain = def.domain.clone();
    let places = [1].into_iter().chain(cuts.iter().copied());
    let mut whole = m.int(0);
    for (n, (place, extent)) in places.zip(extents).enumerate() {
        let number = if n + 1 == extents.len() { v } else { domain.len() as u32 };
        if number == v {
            domain[v as usize] = *extent;
        } else {
            domain.push(*extent);
        }
        let (digit, place) = (m.var(number), m.int(place));
        let part = m.mul(place, digit);
        whole = m.add(whole, part);
    }
    let values: Vec<ExprId> = (0..def.domain.len() as u32).map(|u| if u == v { whole } else { m.var(u) }).collect();
    let value = substitute(m, &domain, def.value, &values);
    let scatter = def.scatter.map(|s| Scatter {
        at: s.at.iter().map(|e| substitute(m, &domain, *e, &values)).collect(),
        dropping: s.dropping,
    });
    Def { domain, value, scatter, ..def }
}
