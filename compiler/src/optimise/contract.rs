//! `contract`: sums of products become contractions wherever they can.
//!
//! A sum of several products, of which one could run on tiles, is computed term by term. Factors that
//! mention no reduced variable leave the sum. What remains is divided into two groups so that each
//! brings target variables which the other lacks; a group that is not a plain read becomes a tensor
//! of its own, summed at once over reduced variables that the other group does not mention. So
//! `dW[i, j] = sum[b] dy[b, i] * mask[b, i] * x[b, j]` contracts `dy * mask` with `x`.
//!
//! A group is not made a tensor where that would be more than [`GROWTH`] times as large as what it reads
//! (a window of a convolution); if its reads all have the same positions, it is computed for the whole
//! tensor and read there instead.

use super::expr::{Vars, reads};
use super::product::{Factor, factors, multiply, terms, total};
use super::rewrite::{Access, read, rewrite, substitute};
use crate::ir::{Combine, Def, ExprId, Item, Module, Node, TensorId};
use crate::scalar::Kind;
use std::collections::BTreeSet;

/// How many times as large as its largest source an operand made for a contraction may be.
const GROWTH: usize = 2;

/// An operand is made only for a contraction with at least this many elements in its M times N.
const LEAST_TILE: usize = 16;

/// Runs the pass.
pub fn run(m: &mut Module) {
    for item in std::mem::take(&mut m.items) {
        match item {
            Item::Def(def) if sums(m, &def) => prepare(m, def),
            other => m.items.push(other),
        }
    }
}

fn sums(m: &Module, def: &Def) -> bool {
    let reduces = def.domain.len() > m.t(def.target).shape.len();
    def.combine == Combine::Sum && def.scatter.is_none() && reduces && m.kind(def.value) == Kind::Float
}

/// A definition under preparation: its extents, and how many of its variables are the target's.
struct Sum<'a> {
    domain: &'a [usize],
    rank: u32,
}

fn prepare(m: &mut Module, def: Def) {
    let rank = m.t(def.target).shape.len() as u32;
    let domain = def.domain.clone();
    let sum = Sum { domain: &domain, rank };
    let terms = terms(m, def.value);
    let tiled: Vec<bool> = terms.iter().map(|(_, e)| tiles(m, &sum, *e)).collect();
    if terms.len() == 1 || !tiled.contains(&true) {
        return product(m, &sum, def);
    }
    let split = |keep: bool| terms.iter().zip(&tiled).filter(move |(_, t)| **t == keep).map(|(t, _)| *t);
    let mut parts: Vec<(bool, ExprId)> = split(true).collect();
    let others: Vec<(bool, ExprId)> = split(false).collect();
    if !others.is_empty() {
        parts.push((true, total(m, &domain, &others)));
    }
    let mut results = vec![];
    for (plus, value) in parts {
        let part = temporary(m, def.target, "term");
        product(m, &sum, Def { target: part, value, ..def.clone() });
        results.push((plus, m.read_here(part)));
    }
    let shape = domain[..rank as usize].to_vec();
    let value = total(m, &shape, &results);
    m.items.push(Item::Def(Def { domain: shape, combine: Combine::Set, value, ..def }));
}

/// Whether a term would become a contraction.
fn tiles(m: &mut Module, sum: &Sum, e: ExprId) -> bool {
    let factors: Vec<Factor> = factors(m, sum.domain, e).into_iter().filter(|f| varies(m, sum, *f)).collect();
    groups(m, sum, &factors).is_some()
}

/// Whether a factor mentions a reduced variable.
fn varies(m: &Module, sum: &Sum, factor: Factor) -> bool {
    factor.vars(m).iter().any(|v| *v >= sum.rank)
}

/// A new tensor like `target`.
fn temporary(m: &mut Module, target: TensorId, what: &str) -> TensorId {
    let t = m.t(target).clone();
    m.tensor(&format!("{}.{what}", t.name), t.shape, t.kind, crate::ir::Role::Temporary, t.span)
}

/// Emits a sum of one product: what varies is contracted, the rest multiplied on afterwards.
fn product(m: &mut Module, sum: &Sum, def: Def) {
    let all = factors(m, sum.domain, def.value);
    let (inner, outer): (Vec<Factor>, Vec<Factor>) = all.into_iter().partition(|f| varies(m, sum, *f));
    if outer.is_empty() || inner.is_empty() {
        return contract(m, sum, def, &inner);
    }
    let part = temporary(m, def.target, "sum");
    let value = multiply(m, sum.domain, &inner);
    contract(m, sum, Def { target: part, value, ..def.clone() }, &inner);
    let shape = sum.domain[..sum.rank as usize].to_vec();
    let result = Factor::Times(m.read_here(part));
    let value = multiply(m, &shape, &[outer, vec![result]].concat());
    m.items.push(Item::Def(Def { domain: shape, combine: Combine::Set, value, ..def }));
}

/// Emits a sum of a product of varying factors, as a contraction if it can be one.
fn contract(m: &mut Module, sum: &Sum, def: Def, factors: &[Factor]) {
    let contracted = operands(m, sum, &def, factors).map(|(a, b, reduced)| {
        let mut domain = sum.domain[..sum.rank as usize].to_vec();
        let mut numbers: Vec<u32> = (0..sum.rank).collect();
        numbers.extend(&reduced);
        domain.extend(reduced.iter().map(|v| sum.domain[*v as usize]));
        let values = renumbering(m, sum.domain.len(), &numbers);
        let product = m.binary(crate::scalar::Binary::Mul, a, b);
        let value = substitute(m, &domain, product, &values);
        Def { domain, value, ..def.clone() }
    });
    m.items.push(Item::Def(contracted.unwrap_or(def)));
}

/// The substitution that gives variable `numbers[k]` the number k.
fn renumbering(m: &mut Module, count: usize, numbers: &[u32]) -> Vec<ExprId> {
    let position = |v: u32| numbers.iter().position(|n| *n == v).unwrap_or(0) as u32;
    (0..count as u32).map(|v| m.var(position(v))).collect()
}

/// The two operands as reads, and the reduced variables they share.
fn operands(m: &mut Module, sum: &Sum, def: &Def, factors: &[Factor]) -> Option<(ExprId, ExprId, Vec<u32>)> {
    let (left, right) = groups(m, sum, factors)?;
    let (in_left, in_right) = (all_vars(m, &left), all_vars(m, &right));
    let shared: Vec<u32> = in_left.intersection(&in_right).copied().filter(|v| *v >= sum.rank).collect();
    let name = m.t(def.target).name.clone();
    let a = operand(m, sum, &name, &left, &shared)?;
    let b = operand(m, sum, &name, &right, &shared)?;
    Some((a, b, shared))
}

fn all_vars(m: &Module, factors: &[Factor]) -> Vars {
    factors.iter().flat_map(|f| f.vars(m)).collect()
}

fn size(sum: &Sum, vars: impl IntoIterator<Item = u32>) -> usize {
    vars.into_iter().map(|v| sum.domain[v as usize]).product()
}

/// Divides factors into two groups, each with target variables that the other lacks and with a reduced
/// variable in common. The two factors with the largest M times N lead; the others join the one whose
/// variables include theirs, the smaller if both do.
fn groups(m: &Module, sum: &Sum, factors: &[Factor]) -> Option<(Vec<Factor>, Vec<Factor>)> {
    let own: Vec<Vars> = factors.iter().map(|f| f.vars(m)).collect();
    let target = |a: &Vars, b: &Vars| a.difference(b).copied().filter(|v| *v < sum.rank).collect::<Vec<u32>>();
    let mut best: Option<(usize, usize, usize)> = None;
    for f in 0..factors.len() {
        for g in f + 1..factors.len() {
            let (rows, columns) = (target(&own[f], &own[g]), target(&own[g], &own[f]));
            let joined = own[f].intersection(&own[g]).any(|v| *v >= sum.rank);
            let tile = size(sum, rows.clone()) * size(sum, columns.clone());
            if joined && !rows.is_empty() && !columns.is_empty() && best.is_none_or(|(t, ..)| tile > t) {
                best = Some((tile, f, g));
            }
        }
    }
    let (tile, f, g) = best?;
    let (mut left, mut right) = (vec![f], vec![g]);
    for h in (0..factors.len()).filter(|h| *h != f && *h != g) {
        let fits = |k: usize| target(&own[h], &own[k]).is_empty();
        let cost = |k: usize| size(sum, own[k].union(&own[h]).copied());
        match (fits(f), fits(g)) {
            (true, true) if cost(f) <= cost(g) => left.push(h),
            (true, false) => left.push(h),
            (_, true) => right.push(h),
            (false, false) => return None,
        }
    }
    if factors.len() > 2 && tile < LEAST_TILE {
        return None;
    }
    let pick = |mut of: Vec<usize>| {
        of.sort_unstable();
        of.into_iter().map(|k| factors[k]).collect()
    };
    Some((pick(left), pick(right)))
}

/// A group as a read whose reduced variables are `shared`.
fn operand(m: &mut Module, sum: &Sum, name: &str, group: &[Factor], shared: &[u32]) -> Option<ExprId> {
    let all = all_vars(m, group);
    let (own, kept): (Vec<u32>, Vec<u32>) = all.iter().partition(|v| **v >= sum.rank && !shared.contains(v));
    let value = multiply(m, sum.domain, group);
    if own.is_empty() && plain(m, value) {
        return Some(value);
    }
    if own.is_empty()
        && let Some(read) = whole(m, sum, name, value)
    {
        return Some(read);
    }
    let largest = reads(m, value).iter().filter_map(|r| source_len(m, *r)).max().unwrap_or(1);
    if size(sum, kept.iter().copied()) > GROWTH * largest {
        return None;
    }
    let extents = |vars: &[u32]| vars.iter().map(|v| sum.domain[*v as usize]).collect::<Vec<_>>();
    let (shape, reduced) = (extents(&kept), extents(&own));
    let values = renumbering(m, sum.domain.len(), &[kept.clone(), own.clone()].concat());
    let domain = [shape.clone(), reduced.clone()].concat();
    let value = substitute(m, &domain, value, &values);
    let combine = if reduced.is_empty() { Combine::Set } else { Combine::Sum };
    let tensor = m.define(&format!("{name}.operand"), shape, &reduced, combine, value, None);
    let at = kept.iter().map(|v| m.var(*v)).collect();
    Some(m.read(tensor, at))
}

/// Whether an expression is a read that a contraction takes as it stands.
fn plain(m: &Module, e: ExprId) -> bool {
    match m.node(e) {
        Node::Read { at, otherwise, .. } => {
            at.iter().all(|p| super::expr::reads_nothing(m, *p)) && otherwise.is_none_or(|o| m.as_float(o).is_some())
        }
        _ => false,
    }
}

fn source_len(m: &Module, e: ExprId) -> Option<usize> {
    match m.node(e) {
        Node::Read { tensor, .. } => Some(m.t(*tensor).len()),
        _ => None,
    }
}

/// An expression of which all reads have the same positions in tensors of one shape: computed for
/// the whole tensor, and read there. Outside, it must be a constant.
fn whole(m: &mut Module, sum: &Sum, name: &str, value: ExprId) -> Option<ExprId> {
    let sites = reads(m, value);
    let Node::Read { tensor, at, .. } = m.node(*sites.first()?).clone() else { return None };
    let shape = m.t(tensor).shape.clone();
    let alike = |e: &ExprId| match m.node(*e) {
        Node::Read { tensor: t, at: p, .. } => m.t(*t).shape == shape && *p == at,
        _ => false,
    };
    if !sites.iter().all(alike) || !mentioned_in_positions_only(m, value) {
        return None;
    }
    let inner = rewrite(m, &shape, value, &mut Module::var, &mut |m, a| m.read_here(a.tensor));
    let mut guarded = false;
    let outside = rewrite(m, sum.domain, value, &mut Module::var, &mut |m, a| {
        guarded |= a.otherwise.is_some();
        a.otherwise.unwrap_or_else(|| m.read(a.tensor, a.at))
    });
    let otherwise = guarded.then_some(outside);
    if otherwise.is_some_and(|o| m.as_float(o).is_none()) {
        return None;
    }
    let made = m.define(&format!("{name}.operand"), shape, &[], Combine::Set, inner, None);
    Some(read(m, sum.domain, Access { tensor: made, at: at.to_vec(), otherwise }))
}

/// Whether variables occur only in the positions of reads.
fn mentioned_in_positions_only(m: &Module, value: ExprId) -> bool {
    let (mut seen, mut open) = (BTreeSet::new(), vec![value]);
    while let Some(e) = open.pop() {
        match m.node(e) {
            _ if !seen.insert(e) => {}
            Node::Var(_) => return false,
            Node::Read { otherwise, .. } => open.extend(*otherwise),
            _ => open.extend(m.operands(e)),
        }
    }
    true
}
