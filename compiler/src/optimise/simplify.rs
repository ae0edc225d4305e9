//! `simplify`: every definition in its plainest form.
//!
//! Expressions are rebuilt through [`super::rewrite`]; `stop_gradient`, which has no meaning after
//! differentiation, vanishes there. Domain variables of extent 1 become 0, reduced variables that
//! nothing mentions become a factor, reductions over nothing become pointwise. Constant tensors and
//! identity copies are propagated into their readers. A uniform draw, which lies from 0 to below 1, is not compared with
//! what is no more than 0 or no less than 1: a dropout of probability 0 costs nothing.

use super::expr::roots;
use super::rewrite::{Access, read, replace, rewrite, rewrite_def, simple};
use crate::ir::{Combine, Def, ExprId, Item, Module, Node, Role, TensorId};
use crate::scalar::{Binary, Kind};
use nnc_core::random::Distribution;
use std::collections::BTreeMap;

/// What is known about a tensor's contents.
#[derive(Clone, Copy, Debug)]
enum Known {
    /// Every element is this number or truth value.
    Literal(ExprId),
    /// The contents of another tensor of the same shape.
    Copy(TensorId),
    /// Every element lies from 0 to below 1.
    Unit,
}

/// Runs the pass.
pub fn run(m: &mut Module) {
    let mut known: BTreeMap<TensorId, Known> = BTreeMap::new();
    for item in std::mem::take(&mut m.items) {
        let item = match item {
            Item::Def(def) => {
                let def = canonical(m, def, &known);
                known.extend(knowledge(m, &def).map(|k| (def.target, k)));
                Item::Def(def)
            }
            Item::Draw(draw) => {
                if draw.distribution == Distribution::Uniform {
                    known.insert(draw.target, Known::Unit);
                }
                Item::Draw(draw)
            }
            Item::Listed(listed) => Item::Listed(listed),
        };
        m.items.push(item);
    }
    let source = |t: TensorId, tensors: &[crate::ir::Tensor]| match known.get(&t) {
        Some(Known::Copy(s)) if tensors[s.0 as usize].role == Role::Temporary => *s,
        _ => t,
    };
    m.outputs.iter_mut().for_each(|(_, t)| *t = source(*t, &m.tensors));
    m.updates.iter_mut().for_each(|(_, from)| *from = source(*from, &m.tensors));
}

/// A definition with its domain reduced and its expressions rebuilt.
fn canonical(m: &mut Module, def: Def, known: &BTreeMap<TensorId, Known>) -> Def {
    let rank = if def.scatter.is_some() { 0 } else { m.t(def.target).shape.len() };
    let used: Vec<u32> = roots(&Item::Def(def.clone())).into_iter().flat_map(|e| m.variables(e)).collect();
    let (mut domain, mut values, mut times) = (vec![], vec![], 1);
    for (v, extent) in def.domain.iter().copied().enumerate() {
        let repeated = v >= rank && !used.contains(&(v as u32)) && repeatable(m, &def);
        if v >= rank && (extent == 1 || repeated) {
            values.push(m.int(0));
            times *= if def.combine == Combine::Sum { extent } else { 1 };
        } else {
            let var = m.var(domain.len() as u32);
            values.push(if extent == 1 { m.int(0) } else { var });
            domain.push(extent);
        }
    }
    let before = def.domain.clone();
    let mut one = |m: &mut Module, e: ExprId| {
        let e = decided(m, &before, e, known);
        rewrite(m, &domain, e, &mut |_, v| values[v as usize], &mut |m, a| propagate(m, &domain, a, known))
    };
    let mut def = rewrite_def(m, def, &mut one);
    if times != 1 {
        let factor = if m.kind(def.value) == Kind::Int { m.int(times as i64) } else { m.float(times as f64) };
        def.value = simple(m, &domain, Node::Binary(Binary::Mul, factor, def.value));
    }
    def.domain = domain;
    pointwise_if_unreduced(m, def)
}

/// Whether repeating a value n times combines to n times the value, or to the value.
fn repeatable(m: &Module, def: &Def) -> bool {
    match def.combine {
        Combine::Sum => m.kind(def.value) != Kind::Bool,
        Combine::Max | Combine::Min => true,
        Combine::Set | Combine::Prod | Combine::Argmax => false,
    }
}

fn pointwise_if_unreduced(m: &mut Module, def: Def) -> Def {
    if def.scatter.is_some() || def.domain.len() > m.t(def.target).shape.len() {
        return def;
    }
    let value = if def.combine == Combine::Argmax { m.int(0) } else { def.value };
    Def { combine: Combine::Set, value, ..def }
}

/// A read of a tensor about which something is known.
fn propagate(m: &mut Module, domain: &[usize], access: Access, known: &BTreeMap<TensorId, Known>) -> ExprId {
    match known.get(&access.tensor) {
        Some(Known::Literal(c)) if access.otherwise.is_none_or(|o| o == *c) => *c,
        Some(Known::Copy(source)) => read(m, domain, Access { tensor: *source, ..access }),
        _ => {
            let (tensor, plain) = (access.tensor, read(m, domain, access));
            match (known.get(&tensor), m.node(plain)) {
                (Some(Known::Literal(c)), Node::Read { otherwise: None, .. }) => *c,
                _ => plain,
            }
        }
    }
}

/// What a pointwise definition says about its target.
fn knowledge(m: &mut Module, def: &Def) -> Option<Known> {
    if def.combine != Combine::Set || def.scatter.is_some() {
        return None;
    }
    match m.node(def.value).clone() {
        Node::Float(_) | Node::Int(_) | Node::Bool(_) => Some(Known::Literal(def.value)),
        Node::Read { tensor, at, otherwise: None } if m.t(tensor).shape == m.t(def.target).shape => {
            let zero = m.int(0);
            let here = |(k, p): (usize, &ExprId)| {
                *m.node(*p) == Node::Var(k as u32) || (*p == zero && m.t(tensor).shape[k] == 1)
            };
            at.iter().enumerate().all(here).then_some(Known::Copy(tensor))
        }
        _ => None,
    }
}

/// An expression whose comparisons `draw < c` are decided where c is out of the draw's reach.
fn decided(m: &mut Module, domain: &[usize], root: ExprId, known: &BTreeMap<TensorId, Known>) -> ExprId {
    let drawn = |e: ExprId| match m.node(e) {
        Node::Read { tensor, otherwise: None, .. } => matches!(known.get(tensor), Some(Known::Unit)),
        _ => false,
    };
    let answer = |e: ExprId| match *m.node(e) {
        Node::Binary(Binary::Lt, a, b) if drawn(a) => {
            m.as_float(b).filter(|c| !(0.0 < *c && *c < 1.0)).map(|c| (e, c >= 1.0))
        }
        _ => None,
    };
    let answers: Vec<(ExprId, bool)> = m.reachable(&[root]).into_iter().filter_map(answer).collect();
    let answers = answers.into_iter().map(|(e, holds)| (e, m.bool(holds))).collect();
    replace(m, domain, root, &answers)
}
