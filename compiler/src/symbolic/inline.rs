//! Definitions at a readable size: what the derivative reads once moves to where it is read, and a
//! part of an expression that occurs more than once gets a name, so that what is printed is as
//! large as what is computed.

use super::rebuild::{Rebuild, Rewrite};
use crate::ir::recurrence::recurrences;
use crate::ir::{Combine, Def, ExprId, Item, Module, Node, Role, TensorId};
use crate::optimise::expr::roots;
use crate::scalar::Kind;
use crate::source::is_atom;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A definition grows no further by what moves into it than this many operations.
const LARGEST: u64 = 12;

/// Moves pointwise definitions of tensors numbered from `first` that are read once into their reader.
pub fn run(m: &mut Module, first: usize) {
    let reads = occurrences(m);
    // What the members of a recurrence read may be defined after them, so none of them moves.
    let within = recurrences(m).into_iter().flat_map(|r| r.items);
    let recurrent: BTreeSet<TensorId> = within.map(|k| m.items[k].target()).collect();
    let kept = |t: TensorId| (t.0 as usize) < first || reads.get(&t) != Some(&1) || recurrent.contains(&t);
    let observable: Vec<TensorId> = m.outputs.iter().map(|o| o.1).collect();
    let mut rebuild = Rebuild::new(Inline { values: BTreeMap::new() });
    for item in std::mem::take(&mut m.items) {
        let item = match item {
            Item::Def(mut def) => {
                let movable = |m: &Module, e: ExprId, known: &Inline| {
                    let more: u64 = m.reachable(&[e]).iter().filter_map(|id| known.size_of(m, *id)).sum();
                    operations(m, e) + more
                };
                let inlined = rebuild.expr(m, def.value);
                let fits = movable(m, def.value, &rebuild.rule) <= LARGEST;
                if fits {
                    def.value = inlined;
                } else {
                    // Too large for one line: what would have moved stays a definition of its own.
                    put_back(m, &mut rebuild, def.value);
                }
                let pointwise = def.combine == Combine::Set && def.scatter.is_none();
                if pointwise && !kept(def.target) && !observable.contains(&def.target) {
                    rebuild.rule.values.insert(def.target, def.clone());
                    continue;
                }
                Item::Def(def)
            }
            other @ (Item::Draw(_) | Item::Listed(_)) => other,
        };
        m.items.push(item);
    }
}

/// Defines, before its reader, what the reader cannot take in.
fn put_back(m: &mut Module, rebuild: &mut Rebuild<Inline>, reader: ExprId) {
    let read: Vec<TensorId> = m.reachable(&[reader]).iter().filter_map(|id| rebuild.rule.waiting(m, *id)).collect();
    for tensor in read {
        if let Some(def) = rebuild.rule.values.remove(&tensor) {
            m.items.push(Item::Def(def));
        }
    }
    *rebuild = Rebuild::new(Inline { values: std::mem::take(&mut rebuild.rule.values) });
}

/// Definitions that wait for their reader.
struct Inline {
    values: BTreeMap<TensorId, Def>,
}

impl Inline {
    fn waiting(&self, m: &Module, id: ExprId) -> Option<TensorId> {
        match m.node(id) {
            Node::Read { tensor, .. } if self.values.contains_key(tensor) => Some(*tensor),
            _ => None,
        }
    }

    fn size_of(&self, m: &Module, id: ExprId) -> Option<u64> {
        self.waiting(m, id).map(|t| operations(m, self.values[&t].value))
    }
}

impl Rewrite for Inline {
    fn rewrite(&mut self, m: &mut Module, id: ExprId) -> ExprId {
        match m.node(id).clone() {
            Node::Read { tensor, at, otherwise: None } => match self.values.get(&tensor).map(|d| d.value) {
                Some(value) => m.substitute(value, &at),
                None => id,
            },
            _ => id,
        }
    }
}

/// How often each tensor is read, as written out.
fn occurrences(m: &Module) -> BTreeMap<TensorId, u64> {
    let mut out = BTreeMap::new();
    for item in &m.items {
        let pointwise = matches!(item, Item::Def(d) if d.combine == Combine::Set && d.scatter.is_none());
        for (id, times) in multiplicity(m, &roots(item)) {
            if let Node::Read { tensor, otherwise, .. } = m.node(id) {
                // What is read with a guard cannot move, for the guard would have no place; what a
                // reduction reads would be computed again at each of its points.
                let times = if otherwise.is_some() || !pointwise { 2 } else { times };
                let count: &mut u64 = out.entry(*tensor).or_insert(0);
                *count = count.saturating_add(times);
            }
        }
    }
    out
}

/// How often each expression occurs in the given ones as written out.
fn multiplicity(m: &Module, roots: &[ExprId]) -> HashMap<ExprId, u64> {
    let mut times: HashMap<ExprId, u64> = HashMap::new();
    roots.iter().for_each(|r| *times.entry(*r).or_insert(0) += 1);
    for id in m.reachable(roots).into_iter().rev() {
        let here = times.get(&id).copied().unwrap_or(0);
        for operand in m.operands(id) {
            let count = times.entry(operand).or_insert(0);
            *count = count.saturating_add(here);
        }
    }
    times
}

/// Operators and functions in an expression, each once.
fn operations(m: &Module, id: ExprId) -> u64 {
    m.reachable(&[id]).into_iter().filter(|e| !is_atom(m, *e)).count() as u64
}

/// Gives a name to every part of pointwise definitions that stands at several places.
pub fn name_shared(m: &mut Module) {
    for k in 0.. {
        let Some(Item::Def(def)) = m.items.get(k) else {
            if k < m.items.len() {
                continue;
            }
            return;
        };
        let rank = m.t(def.target).shape.len();
        if def.combine != Combine::Set || def.scatter.is_some() || def.domain.len() != rank {
            continue;
        }
        let (domain, target) = (def.domain.clone(), def.target);
        while let Some(part) = shared(m, &domain, k) {
            if matches!(&m.items[k], Item::Def(d) if d.value == part) {
                let read = m.read_here(target);
                replace_from(m, k + 1, Replace { part, read }, &domain);
                continue;
            }
            let name = format!("{}.part", m.t(target).name);
            let new = m.tensor(&name, domain.clone(), m.kind(part), Role::Temporary, None);
            let read = m.read_here(new);
            replace_from(m, k, Replace { part, read }, &domain);
            let def = Def { target: new, domain: domain.clone(), combine: Combine::Set, value: part, scatter: None };
            m.items.insert(k, Item::Def(def));
        }
    }
}

/// The largest Float part of definition `k` that stands at several places in pointwise definitions
/// over the same domain.
fn shared(m: &Module, domain: &[usize], k: usize) -> Option<ExprId> {
    let Item::Def(first) = &m.items[k] else { return None };
    let same = |item: &Item| match item {
        Item::Def(d) if d.combine == Combine::Set && d.scatter.is_none() && d.domain == *domain => Some(d.value),
        _ => None,
    };
    let values: Vec<ExprId> = m.items[k..].iter().filter_map(same).collect();
    let times = multiplicity(m, &values);
    let worth = |e: &ExprId| {
        m.kind(*e) == Kind::Float
            && times.get(e).is_some_and(|t| *t >= 2)
            && (operations(m, *e) >= 2 || (*e == first.value && operations(m, *e) == 1))
            && m.reachable(&[*e]).into_iter().all(|id| match m.node(id) {
                Node::Read { tensor, at, otherwise } => otherwise.is_some() || m.proven_inside(*tensor, at, domain),
                _ => true,
            })
    };
    m.reachable(&[first.value]).into_iter().rev().find(worth)
}

struct Replace {
    part: ExprId,
    read: ExprId,
}

impl Rewrite for Replace {
    fn rewrite(&mut self, _: &mut Module, id: ExprId) -> ExprId {
        if id == self.part { self.read } else { id }
    }
}

/// Puts the read in the place of the part in all pointwise definitions over the domain from item `k` on.
fn replace_from(m: &mut Module, k: usize, rule: Replace, domain: &[usize]) {
    let mut rebuild = Rebuild::new(rule);
    for item in m.items.split_off(k) {
        let item = match item {
            Item::Def(def) if def.combine == Combine::Set && def.scatter.is_none() && def.domain == *domain => {
                let value = rebuild.expr(m, def.value);
                Item::Def(Def { value, ..def })
            }
            other => other,
        };
        m.items.push(item);
    }
}
