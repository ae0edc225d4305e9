//! `hoist`: what is costly and depends on few variables is computed once for each of their values.
//!
//! `(x[b, k, i] - mu[k]) / sqrt(var[k] + eps)` takes one root and one division for every element, although there
//! is one root for each k. A costly subexpression whose variables span at most a [`FRACTION`]th of
//! the domain becomes a tensor over those variables; a division by such becomes a multiplication by its
//! reciprocal, which is in the list of float rewrites.

use super::rewrite::{simple, substitute};
use crate::ir::{Combine, Def, ExprId, Item, Module, Node, points};
use crate::scalar::{Binary, Kind};
use std::collections::{BTreeMap, BTreeSet};

/// How many times the domain must be as large as what the subexpression's variables span.
const FRACTION: usize = 8;

/// Runs the pass.
pub fn run(m: &mut Module) {
    for item in std::mem::take(&mut m.items) {
        let item = match item {
            Item::Def(def) => Item::Def(hoist(m, def)),
            other @ (Item::Draw(_) | Item::Listed(_)) => other,
        };
        m.items.push(item);
    }
}

/// A definition whose value reads what was hoisted; defines that before it.
fn hoist(m: &mut Module, def: Def) -> Def {
    let mut done: BTreeMap<ExprId, ExprId> = BTreeMap::new();
    let order = m.reachable(&[def.value]);
    let facts = Facts::new(m, &def, &order);
    for e in order {
        let get = |a: ExprId| done.get(&a).copied().unwrap_or(a);
        let new = match m.node(e).clone() {
            Node::Binary(op @ (Binary::Div | Binary::ZeroOrQuotient), a, b) if facts.narrow(b) && !facts.narrow(a) => {
                let one = m.float(1.0);
                let product = if op == Binary::Div { Binary::Mul } else { Binary::ZeroOrProduct };
                let reciprocal = simple(m, &def.domain, Node::Binary(Binary::Div, one, b));
                let factor = outside(m, &def, reciprocal);
                simple(m, &def.domain, Node::Binary(product, get(a), factor))
            }
            Node::Unary(op, a) => {
                let a = operand(m, &def, (&done, &facts), a);
                simple(m, &def.domain, Node::Unary(op, a))
            }
            Node::Binary(op, a, b) => {
                let (a, b) = (operand(m, &def, (&done, &facts), a), operand(m, &def, (&done, &facts), b));
                simple(m, &def.domain, Node::Binary(op, a, b))
            }
            Node::Select(c, a, b) => {
                let (a, b) = (operand(m, &def, (&done, &facts), a), operand(m, &def, (&done, &facts), b));
                simple(m, &def.domain, Node::Select(get(c), a, b))
            }
            _ => e,
        };
        done.insert(e, new);
    }
    Def { value: done[&def.value], ..def }
}

/// An operand of something wide: hoisted if it is narrow and costly, else as rebuilt.
fn operand(m: &mut Module, def: &Def, (done, facts): (&BTreeMap<ExprId, ExprId>, &Facts), e: ExprId) -> ExprId {
    if facts.narrow(e) && facts.costly(e) { outside(m, def, e) } else { done.get(&e).copied().unwrap_or(e) }
}

/// What is asked of every subexpression of a definition, found in one walk from the operands up.
struct Facts {
    of: BTreeMap<ExprId, Fact>,
}

#[derive(Clone, Default)]
struct Fact {
    variables: BTreeSet<u32>,
    /// Whether it varies over a small part of the domain only, and may stand outside of it.
    narrow: bool,
    costly: bool,
    /// Whether it reads where only a condition around it keeps the position inside.
    safe_only_here: bool,
}

impl Facts {
    /// `order` has operands before what is made of them.
    fn new(m: &Module, def: &Def, order: &[ExprId]) -> Self {
        let whole = points(&def.domain);
        let mut facts = Self { of: BTreeMap::new() };
        for e in order {
            let mut fact = Fact::default();
            for operand in m.operands(*e).iter().filter_map(|o| facts.of.get(o)) {
                fact.variables.extend(&operand.variables);
                fact.costly |= operand.costly;
                fact.safe_only_here |= operand.safe_only_here;
            }
            match m.node(*e) {
                Node::Var(v) => drop(fact.variables.insert(*v)),
                Node::Read { tensor, at, otherwise: None } => {
                    fact.safe_only_here |= !m.proven_inside(*tensor, at, &def.domain);
                }
                node => fact.costly |= costs(node),
            }
            let spans: Vec<usize> = fact.variables.iter().map(|v| def.domain[*v as usize]).collect();
            let small = points(&spans).saturating_mul(FRACTION) <= whole;
            fact.narrow = small && m.kind(*e) == Kind::Float && !fact.safe_only_here;
            facts.of.insert(*e, fact);
        }
        facts
    }

    fn narrow(&self, e: ExprId) -> bool {
        self.of.get(&e).is_some_and(|f| f.narrow)
    }

    fn costly(&self, e: ExprId) -> bool {
        self.of.get(&e).is_some_and(|f| f.costly)
    }
}

/// Whether a function is worth computing once.
fn costs(node: &Node) -> bool {
    match node {
        Node::Unary(op, _) => op.facts().work.is_costly(),
        Node::Binary(op, ..) => op.facts().work.is_costly(),
        _ => false,
    }
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
