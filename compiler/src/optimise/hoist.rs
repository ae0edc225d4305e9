//! `hoist`: what is costly and depends on few variables is computed once for each of their values.
//!
//! `(x[b, k, i] - mu[k]) / sqrt(var[k] + eps)` takes one root and one division for every element, although there
//! is one root for each k. A costly subexpression whose variables span at most a [`FRACTION`]th of
//! the domain becomes a tensor over those variables; a division by such becomes a multiplication by its
//! reciprocal, which is in the list of float rewrites.

use super::rewrite::{simple, substitute};
use crate::ir::{Combine, Def, ExprId, Item, Module, Node};
use crate::scalar::{Binary, Kind, Unary};
use std::collections::BTreeMap;

/// How many times the domain must be as large as what the subexpression's variables span.
const FRACTION: usize = 8;

/// Runs the pass.
pub fn run(m: &mut Module) {
    for item in std::mem::take(&mut m.items) {
        let item = match item {
            Item::Def(def) => Item::Def(hoist(m, def)),
            draw @ Item::Draw(_) => draw,
        };
        m.items.push(item);
    }
}

/// A definition whose value reads what was hoisted; defines that before it.
fn hoist(m: &mut Module, def: Def) -> Def {
    let mut done: BTreeMap<ExprId, ExprId> = BTreeMap::new();
    for e in m.reachable(&[def.value]) {
        let get = |a: ExprId| done.get(&a).copied().unwrap_or(a);
        let new = match m.node(e).clone() {
            Node::Binary(op @ (Binary::Div | Binary::ZeroOrQuotient), a, b)
                if narrow(m, &def, b) && !narrow(m, &def, a) =>
            {
                let one = m.float(1.0);
                let product = if op == Binary::Div { Binary::Mul } else { Binary::ZeroOrProduct };
                let reciprocal = simple(m, &def.domain, Node::Binary(Binary::Div, one, b));
                let factor = outside(m, &def, reciprocal);
                simple(m, &def.domain, Node::Binary(product, get(a), factor))
            }
            Node::Unary(op, a) => {
                let a = operand(m, &def, &done, a);
                simple(m, &def.domain, Node::Unary(op, a))
            }
            Node::Binary(op, a, b) => {
                let (a, b) = (operand(m, &def, &done, a), operand(m, &def, &done, b));
                simple(m, &def.domain, Node::Binary(op, a, b))
            }
            Node::Select(c, a, b) => {
                let (a, b) = (operand(m, &def, &done, a), operand(m, &def, &done, b));
                simple(m, &def.domain, Node::Select(get(c), a, b))
            }
            _ => e,
        };
        done.insert(e, new);
    }
    Def { value: done[&def.value], ..def }
}

/// An operand of something wide: hoisted if it is narrow and costly, else as rebuilt.
fn operand(m: &mut Module, def: &Def, done: &BTreeMap<ExprId, ExprId>, e: ExprId) -> ExprId {
    if narrow(m, def, e) && costly(m, e) { outside(m, def, e) } else { done.get(&e).copied().unwrap_or(e) }
}

/// Whether an expression varies over a small part of the domain only.
fn narrow(m: &Module, def: &Def, e: ExprId) -> bool {
    let span: usize = m.variables(e).iter().map(|v| def.domain[*v as usize]).product();
    span * FRACTION <= def.domain.iter().product() && m.kind(e) == Kind::Float && !safe_only_here(m, def, e)
}

/// Whether an expression reads where only a condition around it keeps the position inside.
fn safe_only_here(m: &Module, def: &Def, e: ExprId) -> bool {
    m.reachable(&[e]).into_iter().any(|e| match m.node(e) {
        Node::Read { tensor, at, otherwise: None } => !m.proven_inside(*tensor, at, &def.domain),
        _ => false,
    })
}

fn costly(m: &Module, e: ExprId) -> bool {
    m.reachable(&[e]).into_iter().any(|e| match m.node(e) {
        Node::Unary(op, _) => matches!(
            op,
            Unary::Sqrt
                | Unary::Exp
                | Unary::Log
                | Unary::Expm1
                | Unary::Log1p
                | Unary::Sin
                | Unary::Cos
                | Unary::Tanh
                | Unary::Erf
        ),
        Node::Binary(op, ..) => matches!(op, Binary::Div | Binary::ZeroOrQuotient | Binary::Pow),
        _ => false,
    })
}

/// A read of a new tensor that holds the expression for each value of its variables.
fn outside(m: &mut Module, def: &Def, e: ExprId) -> ExprId {
    if m.as_float(e).is_some() {
        return e;
    }
    let own: Vec<u32> = m.variables(e).into_iter().collect();
    let shape: Vec<usize> = own.iter().map(|v| def.domain[*v as usize]).collect();
    let number = |v: u32| own.iter().position(|o| *o == v).unwrap_or(0) as u32;
    let values: Vec<ExprId> = (0..def.domain.len() as u32).map(|v| m.var(number(v))).collect();
    let value = substitute(m, &shape, e, &values);
    if let Node::Read { .. } = m.node(value) {
        return e;
    }
    let (name, span) = (format!("{}.part", m.t(def.target).name), m.t(def.target).span);
    let tensor = m.define(&name, shape, &[], Combine::Set, value, span);
    let at = own.iter().map(|v| m.var(*v)).collect();
    m.read(tensor, at)
}
