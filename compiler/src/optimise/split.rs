//! `split`: long reductions with few results become a tree of two levels.
//!
//! `T[i] = sum[j: N] e` with few `i` and a large N has nothing to share among threads; so
//! `P[c, i] = sum[j in chunk c] e`, then `T[i] = sum[c] P[c, i]`. Chunks follow from shapes alone,
//! so the order of summation does not depend on the number of threads: the first reduced variable
//! with enough extent is cut, into a number of chunks that divides it if there is one in range, else
//! with a guarded last chunk. Contractions are left to the engine, which does its own.

use super::contraction::contraction;
use super::index;
use super::rewrite::{guarded_read, rewrite, simple};
use crate::ir::interpret::identity;
use crate::ir::{Combine, Def, ExprId, Item, Module, Node};
use crate::scalar::{Binary, Kind};

/// Only targets with fewer elements are split.
const FEW_RESULTS: usize = 64;
/// Only reductions over more elements are split.
const LONG: usize = 8192;
/// How many chunks there may be.
const CHUNKS: std::ops::RangeInclusive<usize> = 16..=128;

/// Runs the pass.
pub fn run(m: &mut Module) {
    for item in std::mem::take(&mut m.items) {
        match item {
            Item::Def(def) if worthwhile(m, &def) => split(m, def),
            other => m.items.push(other),
        }
    }
}

fn worthwhile(m: &Module, def: &Def) -> bool {
    let tree = matches!(def.combine, Combine::Sum | Combine::Prod | Combine::Max | Combine::Min);
    let rank = m.t(def.target).shape.len();
    tree && def.scatter.is_none()
        && m.t(def.target).len() < FEW_RESULTS
        && def.domain[rank..].iter().product::<usize>() > LONG
        && contraction(m, def).is_none()
}

/// How many chunks a variable of that extent is cut into, and the extent of each.
fn chunks(extent: usize) -> (usize, usize) {
    if extent <= *CHUNKS.end() {
        return (extent, 1);
    }
    let count = CHUNKS.rev().find(|c| extent.is_multiple_of(*c)).unwrap_or(*CHUNKS.end());
    (extent.div_ceil(extent.div_ceil(count)), extent.div_ceil(count))
}

fn split(m: &mut Module, def: Def) {
    let rank = m.t(def.target).shape.len();
    let long = |v: &usize| def.domain[*v] >= *CHUNKS.start();
    let cut = (rank..def.domain.len()).find(long).unwrap_or(rank);
    let (count, length) = chunks(def.domain[cut]);
    let mut domain = [vec![count], def.domain.clone()].concat();
    if length == 1 {
        domain.remove(cut + 1);
    } else {
        domain[cut + 1] = length;
    }
    let value = chunk_value(m, &def, &domain, cut, length);
    let (shape, reduced) = domain.split_at(rank + 1);
    let target = m.t(def.target).clone();
    let parts = m.define(&format!("{}.parts", target.name), shape.to_vec(), reduced, def.combine, value, target.span);
    let at = [rank].into_iter().chain(0..rank).map(|v| m.var(v as u32)).collect();
    let value = m.read(parts, at);
    let domain = [target.shape, vec![count]].concat();
    m.items.push(Item::Def(Def { domain, value, ..def }));
}

/// The value with the chunk as variable 0, the others moved up, and the cut variable as
/// `length * chunk + position`; beyond its extent, the identity of the reduction.
fn chunk_value(m: &mut Module, def: &Def, domain: &[usize], cut: usize, length: usize) -> ExprId {
    let (chunk, size) = (m.var(0), m.int(length as i64));
    let start = index::binary(m, domain, Binary::Mul, size, chunk);
    let mut values = vec![];
    for v in 0..def.domain.len() {
        let moved = m.var(if length == 1 && v > cut { v } else { v + 1 } as u32);
        values.push(match (v == cut, length) {
            (true, 1) => chunk,
            (true, _) => index::binary(m, domain, Binary::Add, start, moved),
            (false, _) => moved,
        });
    }
    let (end, position) = (m.int(def.domain[cut] as i64), values[cut]);
    let value = rewrite(m, domain, def.value, &mut |_, v| values[v as usize], &mut |m, a| guarded_read(m, domain, a));
    let inside = simple(m, domain, Node::Binary(Binary::Lt, position, end));
    let kind = m.kind(value);
    let nothing = filler(m, kind, identity(def.combine, kind));
    simple(m, domain, Node::Select(inside, value, nothing))
}

fn filler(m: &mut Module, kind: Kind, value: f64) -> ExprId {
    match kind {
        Kind::Float => m.float(value),
        Kind::Int => m.int(value as i64),
        Kind::Bool => m.bool(value != 0.0),
    }
}
