//! Rebuilding expressions: substitution of variables and of reads, with simplification on the way.
//!
//! [`rewrite`] is the one engine: it walks an expression from the leaves up, asks its caller what
//! to put for every variable and every read, and makes every other node through [`simple`].

use super::expr::reachable;
use super::index;
use crate::ir::{Def, ExprId, Item, Module, Node, Scatter, TensorId};
use crate::scalar::{Binary, Kind, Unary};
use std::collections::{BTreeMap, HashMap};

/// A read with its positions and alternative already rewritten.
#[derive(Clone, Debug)]
pub struct Access {
    /// What is read.
    pub tensor: TensorId,
    /// Where.
    pub at: Vec<ExprId>,
    /// What a position outside yields.
    pub otherwise: Option<ExprId>,
}

/// Rebuilds `root` over a new domain, putting `var(v)` for variables and `read(access)` for reads.
pub fn rewrite(
    m: &mut Module,
    domain: &[usize],
    root: ExprId,
    var: &mut dyn FnMut(&mut Module, u32) -> ExprId,
    read: &mut dyn FnMut(&mut Module, Access) -> ExprId,
) -> ExprId {
    let mut done: HashMap<ExprId, ExprId> = HashMap::new();
    for e in reachable(m, root) {
        let new = match m.node(e).clone() {
            Node::Var(v) => var(m, v),
            Node::Read { tensor, at, otherwise } => {
                let at = at.iter().map(|p| done[p]).collect();
                read(m, Access { tensor, at, otherwise: otherwise.map(|o| done[&o]) })
            }
            Node::Unary(op, a) => simple(m, domain, Node::Unary(op, done[&a])),
            Node::Binary(op, a, b) => simple(m, domain, Node::Binary(op, done[&a], done[&b])),
            Node::Select(c, a, b) => simple(m, domain, Node::Select(done[&c], done[&a], done[&b])),
            Node::Float(_) | Node::Int(_) | Node::Bool(_) => e,
        };
        done.insert(e, new);
    }
    done[&root]
}

/// Puts `values[v]` for variable v; the result is over `domain`.
pub fn substitute(m: &mut Module, domain: &[usize], root: ExprId, values: &[ExprId]) -> ExprId {
    rewrite(m, domain, root, &mut |_, v| values[v as usize], &mut |m, a| read(m, domain, a))
}

/// Rebuilds an expression over the same domain.
pub fn rebuild(m: &mut Module, domain: &[usize], root: ExprId) -> ExprId {
    rewrite(m, domain, root, &mut Module::var, &mut |m, a| read(m, domain, a))
}

/// A read, whose alternative is dropped when its positions are proven inside.
pub fn read(m: &mut Module, domain: &[usize], access: Access) -> ExprId {
    let Access { tensor, at, otherwise } = access;
    let otherwise = otherwise.filter(|_| !proven_inside(m, domain, tensor, &at));
    m.intern(Node::Read { tensor, at: at.into(), otherwise })
}

/// A read that is given the alternative zero unless it has one or its positions are proven inside.
pub fn guarded_read(m: &mut Module, domain: &[usize], mut access: Access) -> ExprId {
    if access.otherwise.is_none() {
        let kind = m.t(access.tensor).kind;
        access.otherwise = Some(zero(m, kind));
    }
    read(m, domain, access)
}

/// Whether every position is inside its axis by its range.
#[must_use]
pub fn proven_inside(m: &Module, domain: &[usize], tensor: TensorId, at: &[ExprId]) -> bool {
    let mut axes = at.iter().zip(&m.t(tensor).shape);
    axes.all(|(p, extent)| index::inside(m, domain, *p, *extent))
}

/// Applies a rewriting to the value and the scatter positions of a definition.
pub fn rewrite_def(m: &mut Module, def: Def, f: &mut dyn FnMut(&mut Module, ExprId) -> ExprId) -> Def {
    let value = f(m, def.value);
    let scatter = def.scatter.map(|s| Scatter { at: s.at.iter().map(|p| f(m, *p)).collect(), dropping: s.dropping });
    Def { value, scatter, ..def }
}

/// Redirects the reads of an item to other tensors of the same shape.
pub fn redirect(m: &mut Module, item: Item, to: &BTreeMap<TensorId, TensorId>) -> Item {
    let Item::Def(def) = item else { return item };
    let domain = def.domain.clone();
    let mut one = |m: &mut Module, e: ExprId| {
        rewrite(m, &domain, e, &mut Module::var, &mut |m, a| {
            let tensor = to.get(&a.tensor).copied().unwrap_or(a.tensor);
            read(m, &domain, Access { tensor, ..a })
        })
    };
    Item::Def(rewrite_def(m, def, &mut one))
}

/// The constant nought of a kind.
pub fn zero(m: &mut Module, kind: Kind) -> ExprId {
    match kind {
        Kind::Float => m.float(0.0),
        Kind::Int => m.int(0),
        Kind::Bool => m.intern(Node::Bool(false)),
    }
}

/// The value of a Float constant.
#[must_use]
pub fn float_of(m: &Module, e: ExprId) -> Option<f64> {
    match m.node(e) {
        Node::Float(bits) => Some(f64::from_bits(*bits)),
        _ => None,
    }
}

/// Interns a node, simplified where that is exact or listed among the float rewrites.
pub fn simple(m: &mut Module, domain: &[usize], node: Node) -> ExprId {
    match node {
        Node::Unary(op, a) => unary(m, op, a),
        Node::Binary(op, a, b) => match m.kind(a) {
            Kind::Int => index::binary(m, domain, op, a, b),
            Kind::Float => float(m, op, a, b),
            Kind::Bool => logic(m, op, a, b),
        },
        Node::Select(c, a, b) => select(m, c, a, b),
        other => m.intern(other),
    }
}

fn unary(m: &mut Module, op: Unary, a: ExprId) -> ExprId {
    match (op, m.node(a)) {
        (Unary::Detach, _) => a,
        (Unary::Neg, Node::Unary(Unary::Neg, inner)) | (Unary::Not, Node::Unary(Unary::Not, inner)) => *inner,
        (Unary::Neg, Node::Int(c)) => m.int(-c),
        (Unary::ToFloat, Node::Int(c)) => m.float(*c as f64),
        (Unary::ToFloat, Node::Bool(b)) => m.float(f64::from(u8::from(*b))),
        (Unary::Not, Node::Bool(b)) => m.intern(Node::Bool(!b)),
        (_, Node::Float(bits)) if op != Unary::ToFloat => {
            let value = crate::ir::interpret::unary(op, f64::from_bits(*bits));
            m.float(value)
        }
        _ => m.unary(op, a),
    }
}

fn float(m: &mut Module, op: Binary, a: ExprId, b: ExprId) -> ExprId {
    if let (Some(x), Some(y)) = (float_of(m, a), float_of(m, b))
        && let Some(folded) = crate::ir::interpret::binary(op, x, y)
    {
        return if op.result(Kind::Float) == Kind::Bool { m.intern(Node::Bool(folded != 0.0)) } else { m.float(folded) };
    }
    match (op, float_of(m, a), float_of(m, b)) {
        (Binary::Add, Some(0.0), _) => b,
        (Binary::Add | Binary::Sub, _, Some(0.0)) => a,
        (Binary::Sub, Some(0.0), _) => unary(m, Unary::Neg, b),
        (Binary::Mul, Some(1.0), _) => b,
        (Binary::Mul | Binary::Div | Binary::Pow, _, Some(1.0)) => a,
        (Binary::Mul, Some(-1.0), _) => unary(m, Unary::Neg, b),
        (Binary::Mul | Binary::Div, _, Some(-1.0)) => unary(m, Unary::Neg, a),
        (Binary::Mul, Some(0.0), _) | (Binary::Div, Some(0.0), None) => a,
        (Binary::Mul, _, Some(0.0)) => b,
        (Binary::Pow, _, Some(2.0)) => m.binary(Binary::Mul, a, a),
        _ => m.binary(op, a, b),
    }
}

fn logic(m: &mut Module, op: Binary, a: ExprId, b: ExprId) -> ExprId {
    match (op, m.node(a), m.node(b)) {
        (Binary::And, Node::Bool(true), _) | (Binary::Or, Node::Bool(false), _) => b,
        (Binary::And, _, Node::Bool(true)) | (Binary::Or, _, Node::Bool(false)) => a,
        (Binary::And, Node::Bool(false), _) | (Binary::Or, Node::Bool(true), _) => a,
        (Binary::And, _, Node::Bool(false)) | (Binary::Or, _, Node::Bool(true)) => b,
        (Binary::And | Binary::Or, ..) if a == b => a,
        _ => m.binary(op, a, b),
    }
}

fn select(m: &mut Module, c: ExprId, a: ExprId, b: ExprId) -> ExprId {
    match *m.node(c) {
        Node::Bool(true) => a,
        Node::Bool(false) => b,
        _ if a == b => a,
        Node::Unary(Unary::Not, inner) => select(m, inner, b, a),
        _ => m.select(c, a, b),
    }
}
