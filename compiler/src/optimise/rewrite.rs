//! Rebuilding expressions: substitution of variables and of reads, with simplification on the way.
//!
//! [`rewrite`] is the one engine: it walks an expression from the leaves up, asks its caller what
//! to put for every variable and every read, and makes every other node through [`simple`].

use super::index;
use crate::ir::{Def, ExprId, Item, Module, Node, Scatter, TensorId};
use crate::scalar::{Kind, Unary};
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
    for e in m.reachable(&[root]) {
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

/// A read, whose alternative is dropped when its positions are proven inside, and all that is left
/// when they are proven outside.
pub fn read(m: &mut Module, domain: &[usize], access: Access) -> ExprId {
    let Access { tensor, at, otherwise } = access;
    if let Some(alternative) = otherwise.filter(|_| m.proven_outside(tensor, &at, domain)) {
        return alternative;
    }
    let otherwise = otherwise.filter(|_| !m.proven_inside(tensor, &at, domain));
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

/// Applies a rewriting to the value and the scatter positions of a definition.
pub fn rewrite_def(m: &mut Module, def: Def, f: &mut dyn FnMut(&mut Module, ExprId) -> ExprId) -> Def {
    let value = f(m, def.value);
    let scatter = def.scatter.map(|s| Scatter { at: s.at.iter().map(|p| f(m, *p)).collect(), dropping: s.dropping });
    Def { value, scatter, ..def }
}

/// Puts other expressions for some nodes of an expression.
pub fn replace(m: &mut Module, domain: &[usize], root: ExprId, others: &BTreeMap<ExprId, ExprId>) -> ExprId {
    if others.is_empty() {
        return root;
    }
    let mut done: BTreeMap<ExprId, ExprId> = BTreeMap::new();
    for e in m.reachable(&[root]) {
        let get = |a: ExprId| done.get(&a).copied().unwrap_or(a);
        let new = match (others.get(&e), m.node(e).clone()) {
            (Some(new), _) => *new,
            (None, Node::Unary(op, a)) => simple(m, domain, Node::Unary(op, get(a))),
            (None, Node::Binary(op, a, b)) => simple(m, domain, Node::Binary(op, get(a), get(b))),
            (None, Node::Select(c, a, b)) => simple(m, domain, Node::Select(get(c), get(a), get(b))),
            _ => e,
        };
        done.insert(e, new);
    }
    done[&root]
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
        Kind::Bool => m.bool(false),
    }
}

/// Interns a node, simplified: Ints with the domain's extents in mind, all else as in
/// `ir::build`, which lists what it may do to Floats. `Detach` vanishes.
pub fn simple(m: &mut Module, domain: &[usize], node: Node) -> ExprId {
    match node {
        Node::Unary(Unary::Detach, a) => a,
        Node::Unary(op, a) => m.apply1(op, a),
        Node::Binary(op, a, b) if m.kind(a) == Kind::Int => index::binary(m, domain, op, a, b),
        Node::Binary(op, a, b) => m.apply2(op, a, b),
        Node::Select(c, a, b) => m.choose(c, a, b),
        other => m.intern(other),
    }
}
