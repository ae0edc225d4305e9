//! `share`: tensors with the same definition become one.
//!
//! Definitions are equal when target shape, domain, combination, value and scatter are; since
//! expressions are hash-consed, equal values have equal ids. Items are visited in order with reads
//! already redirected, so chains of equal definitions collapse in one sweep; what a recurrence reads
//! from further on is redirected in the end. Draws are equal when they have the same site: the same
//! counter gives the same numbers; lists are, when their numbers are.

use super::expr::sources;
use super::rewrite::redirect;
use crate::ir::{Combine, ExprId, Item, Module, TensorId};
use crate::scalar::Kind;
use nnc_core::random::Distribution;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What makes two items compute the same contents.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Def { shape: Vec<usize>, domain: Vec<usize>, combine: Combine, value: ExprId, scatter: Option<(Vec<ExprId>, bool)> },
    Listed { shape: Vec<usize>, kind: Kind, bits: Arc<[u64]> },
    Draw { shape: Vec<usize>, site: u32, distribution: Distribution, per_sample: bool },
}

/// Runs the pass.
pub fn run(m: &mut Module) {
    let mut first: HashMap<Key, TensorId> = HashMap::new();
    let mut same: BTreeMap<TensorId, TensorId> = BTreeMap::new();
    for item in std::mem::take(&mut m.items) {
        let item = redirect(m, item, &same);
        match first.entry(key(m, &item)) {
            std::collections::hash_map::Entry::Occupied(e) => {
                same.insert(item.target(), *e.get());
            }
            std::collections::hash_map::Entry::Vacant(e) => {
                e.insert(item.target());
                m.items.push(item);
            }
        }
    }
    for item in std::mem::take(&mut m.items) {
        let stale = !same.is_empty() && sources(m, &item).iter().any(|t| same.contains_key(t));
        let item = if stale { redirect(m, item, &same) } else { item };
        m.items.push(item);
    }
    let canonical = |t: &mut TensorId| *t = same.get(t).copied().unwrap_or(*t);
    m.outputs.iter_mut().for_each(|(_, t)| canonical(t));
    m.updates.iter_mut().for_each(|(_, from)| canonical(from));
}

fn key(m: &Module, item: &Item) -> Key {
    let shape = m.t(item.target()).shape.clone();
    match item {
        Item::Def(d) => Key::Def {
            shape,
            domain: d.domain.clone(),
            combine: d.combine,
            value: d.value,
            scatter: d.scatter.as_ref().map(|s| (s.at.clone(), s.dropping)),
        },
        Item::Listed(l) => Key::Listed { shape, kind: m.t(l.target).kind, bits: l.bits.clone() },
        Item::Draw(d) => Key::Draw { shape, site: d.site, distribution: d.distribution, per_sample: d.per_sample },
    }
}
