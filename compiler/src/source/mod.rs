//! From the IR back to the language: a module as one `fn` (a `layer` where it draws random
//! numbers) whose parameters are the tensors it reads from outside and whose value is its
//! outputs, one tensor or a record.
//!
//! In: a verified module. Out: syntax whose text parses and checks, and means the same numbers.
//! The minibatch, where there is one, is an axis like any other. A scatter is an accumulating
//! definition, or a sum over a condition where nothing says how far its indices run. A recurrence is a
//! `scan`; only real numbers can be carried there, so one that hands on numbers of classes has no source.

mod expr;
mod names;
mod turns;

use crate::ir::recurrence::{Recurrence, recurrences};
use crate::ir::{Combine, Def, Draw, Item, Listed, Module, Node, Role, TensorId};
use crate::optimise::expr::sources;
use crate::scalar::Kind;
use expr::{Indexed, call, name, number, whole};
use grammar::ast::{
    self, Block, Body, Callable, CallableKind, DimExpr, Expr, ExprKind, Ident, IndexArg, Lhs, Param, ReduceIndex,
    ReduceOp, Stmt, StmtKind, TypeExpr, TypeKind,
};
use grammar::span::Span;
use names::Names;
use nnc_core::random::Distribution;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use turns::Turn;

/// The module as a callable. `classes` says how many classes the elements of an input stand for,
/// where they are no real numbers.
#[must_use]
pub fn callable(m: &Module, title: &str, classes: &BTreeMap<TensorId, usize>) -> Callable {
    let given = given(m);
    let mut written = m.clone();
    let m = &mut written;
    let turns: Vec<(Recurrence, Turn)> = recurrences(m).into_iter().map(|r| (r.clone(), Turn::of(m, &r))).collect();
    let m = &*m;
    let names = Names::of(m, title);
    let mut stmts: Vec<Stmt> = vec![];
    for (place, item) in m.items.iter().enumerate() {
        match turns.iter().find(|(r, _)| r.items.contains(&place)) {
            None => stmts.push(statement(m, &names, item)),
            Some((r, turn)) if r.items.start == place => stmts.extend(scanned(m, &names, r, turn)),
            Some(_) => {}
        }
    }
    stmts.extend(result(m, &names));
    let draws = m.items.iter().any(|i| matches!(i, Item::Draw(_)));
    Callable {
        doc: None,
        kind: if draws { CallableKind::Layer } else { CallableKind::Fn },
        name: ident(&names.title),
        dims: vec![],
        params: given.into_iter().map(|t| parameter(m, &names, t, classes)).collect(),
        output: None,
        better: None,
        body: Body::Block(Block { stmts, span: Span::default() }),
        span: Span::default(),
    }
}

/// The module as text; see [`callable`].
#[must_use]
pub fn print(m: &Module, title: &str, classes: &BTreeMap<TensorId, usize>) -> String {
    grammar::print::print(&ast::File { items: vec![ast::Item::Callable(callable(m, title, classes))] })
}

/// The tensors a module reads or gives out that it does not define, in their order.
#[must_use]
pub fn given(m: &Module) -> Vec<TensorId> {
    let mut read: BTreeSet<TensorId> = m.items.iter().flat_map(|i| sources(m, i)).collect();
    read.extend(m.outputs.iter().map(|o| o.1));
    read.into_iter().filter(|t| m.t(*t).role != Role::Temporary).collect()
}

fn ident(name: &str) -> Ident {
    Ident { name: name.to_string(), span: Span::default() }
}

fn statement_of(kind: StmtKind) -> Stmt {
    Stmt { kind, span: Span::default() }
}

fn parameter(m: &Module, names: &Names, t: TensorId, classes: &BTreeMap<TensorId, usize>) -> Param {
    let tensor = m.t(t);
    let class = classes.get(&t).map(|n| TypeKind::Class(Box::new(whole(*n as i64))));
    let ty = match (tensor.shape.is_empty(), class) {
        (true, None) => None,
        (true, Some(class)) => Some(class),
        (false, class) => Some(tensor_type(&tensor.shape, class)),
    };
    let ty = ty.map(|kind| TypeExpr { kind, span: Span::default() });
    Param { name: ident(names.tensor(t)), ty, default: None, range: None }
}

fn tensor_type(shape: &[usize], of: Option<TypeKind>) -> TypeKind {
    let dims = shape.iter().map(|n| DimExpr::Dim(whole(*n as i64))).collect();
    TypeKind::Tensor { dims, of: of.map(|kind| Box::new(TypeExpr { kind, span: Span::default() })) }
}

/// The value of the whole: nothing more where the last definition is the only output.
fn result(m: &Module, names: &Names) -> Option<Stmt> {
    let value = match &m.outputs[..] {
        [] => return None,
        [(_, only)] if m.items.last().is_some_and(|i| i.target() == *only) => return None,
        [(_, only)] => name(names.tensor(*only)),
        several => {
            let mut record: Vec<(Ident, Expr)> = vec![];
            for (label, t) in several {
                let field = names::unused(&names::legal(label), |n| record.iter().any(|(f, _)| f.name == n));
                record.push((ident(&field), name(names.tensor(*t))));
            }
            expr::of(ExprKind::Record(record))
        }
    };
    Some(statement_of(StmtKind::Expr(value)))
}

fn statement(m: &Module, names: &Names, item: &Item) -> Stmt {
    match item {
        Item::Draw(draw) => statement_of(drawn(m, names, draw)),
        Item::Listed(listed) => statement_of(listing(m, names, listed)),
        Item::Def(def) => match &def.scatter {
            Some(scatter) => scattered(m, names, def, &scatter.at, scatter.dropping),
            None => defined(m, names, def),
        },
    }
}

/// What is carried begins as zeros, which nothing looks at: `r = scan t in 9 with s = { h = h_before } { .. }`, then
/// the members that others read, with their turns where they were.
fn scanned(m: &Module, names: &Names, recurrence: &Recurrence, turn: &Turn) -> Vec<Stmt> {
    let field = |of: TensorId, t: TensorId| {
        let (base, field) = (Box::new(name(names.tensor(of))), ident(names.tensor(t)));
        expr::of(ExprKind::Field { base, field })
    };
    let own = |t: &TensorId| ident(names.tensor(*t));
    let value_of = |(t, value): (TensorId, Expr)| {
        let lhs = Lhs { name: ident(names.tensor(t)), indices: None, ty: None };
        statement_of(StmtKind::Define { lhs, value, per_microbatch: false })
    };
    let (mut stmts, mut start, mut body, mut next) = (vec![], vec![], vec![], vec![]);
    for (member, back) in &turn.carried {
        for (k, before) in back.iter().enumerate() {
            let indices = (0..m.t(*before).shape.len() as u32).map(|v| name(&names.index(v))).collect();
            let lhs = Lhs { name: ident(&first(names, *before)), ..left(m, names, *before, indices, true) };
            stmts.push(statement_of(StmtKind::Define { lhs, value: number(0.0), per_microbatch: false }));
            start.push((own(before), name(&first(names, *before))));
            body.push(value_of((*before, field(turn.before, *before))));
            let last = if k == 0 { turn.now[member] } else { back[k - 1] };
            next.push((own(before), name(names.tensor(last))));
        }
    }
    body.extend(turn.items.iter().map(|item| statement(m, names, item)));
    let members = m.items[recurrence.items.clone()].iter().map(Item::target);
    let needed: Vec<TensorId> = members.filter(|t| read_outside(m, &recurrence.items, *t)).collect();
    next.extend(needed.iter().map(|t| (own(t), name(names.tensor(turn.now[t])))));
    body.push(statement_of(StmtKind::Expr(expr::of(ExprKind::Record(next)))));
    let carry = (ident(names.tensor(turn.before)), Box::new(expr::of(ExprKind::Record(start))));
    let body = Block { stmts: body, span: Span::default() };
    let counted = turn.items.iter().any(|i| sources(m, i).contains(&turn.number));
    let index = if counted { own(&turn.number) } else { ident("_") };
    let sequence = Box::new(whole(recurrence.turns as i64));
    stmts.push(value_of((turn.value, expr::of(ExprKind::Scan { index, sequence, carry: Some(carry), body }))));
    for t in needed {
        let variables: Vec<Expr> = (0..m.t(t).shape.len() as u32).map(|v| name(&names.index(v))).collect();
        let mut at = variables.clone();
        let mut turn_at = at.remove(recurrence.axis(t).unwrap_or(0));
        if recurrence.descending {
            turn_at = expr::binary(ast::BinaryOp::Sub, whole(recurrence.turns as i64 - 1), turn_at);
        }
        let at = std::iter::once(turn_at).chain(at).map(IndexArg::Expr).collect();
        let value = expr::of(ExprKind::Index { base: Box::new(field(turn.value, t)), at });
        let lhs = left(m, names, t, variables, m.t(t).kind == Kind::Float);
        stmts.push(statement_of(StmtKind::Define { lhs, value, per_microbatch: false }));
    }
    stmts
}

/// The name of what a carried tensor begins as.
fn first(names: &Names, carried: TensorId) -> String {
    names::unused(&format!("{}_first", names.tensor(carried)), |n| names.is_used(n))
}

/// Whether anything but those items needs a tensor.
fn read_outside(m: &Module, items: &Range<usize>, t: TensorId) -> bool {
    let others = m.items[..items.start].iter().chain(&m.items[items.end..]);
    let given_out = m.outputs.iter().map(|(_, o)| *o).chain(m.updates.iter().map(|(_, from)| *from));
    others.into_iter().any(|i| sources(m, i).contains(&t)) || given_out.into_iter().any(|o| o == t)
}

/// `c: [2, 2] = [[1.0, 2.0], [3.0, 4.0]]`, a list in the list for each axis but the last.
fn listing(m: &Module, names: &Names, listed: &Listed) -> StmtKind {
    let tensor = m.t(listed.target);
    let digit = |v: f64| if tensor.kind == Kind::Int { whole(v as i64) } else { number(v) };
    let mut parts: Vec<Expr> = listed.values().map(digit).collect();
    for extent in tensor.shape.iter().rev() {
        let mut rest = parts.into_iter();
        parts = std::iter::from_fn(|| {
            let row: Vec<Expr> = rest.by_ref().take(*extent).collect();
            (!row.is_empty()).then(|| expr::of(ExprKind::List(row)))
        })
        .collect();
    }
    let value = parts.pop().unwrap_or_else(|| number(0.0));
    let of = (tensor.kind == Kind::Int).then(|| {
        let most = listed.values().fold(0.0, f64::max);
        TypeKind::Class(Box::new(whole(most as i64 + 1)))
    });
    let ty = Some(TypeExpr { kind: tensor_type(&tensor.shape, of), span: Span::default() });
    let lhs = Lhs { name: ident(names.tensor(listed.target)), indices: None, ty };
    StmtKind::Define { lhs, value, per_microbatch: false }
}

fn drawn(m: &Module, names: &Names, draw: &Draw) -> StmtKind {
    let (word, from, to) = match draw.distribution {
        Distribution::Uniform => ("uniform", 0, 1),
        Distribution::Normal => ("normal", 0, 1),
    };
    let ty = TypeExpr { kind: tensor_type(&m.t(draw.target).shape, None), span: Span::default() };
    let dist = call(word, vec![whole(from), whole(to)]);
    StmtKind::Draw { name: ident(names.tensor(draw.target)), ty: Some(ty), dist, per_batch: true }
}

/// `y[i, j] = sum[k] ..`. The type is written out where the reads do not tell the extents.
fn defined(m: &Module, names: &Names, def: &Def) -> Stmt {
    let rank = m.t(def.target).shape.len();
    let indexed = Indexed::new(m, names, def.domain.len());
    let value = indexed.expr(def.value);
    let value = reduced(m, &indexed, def, rank, value);
    let told = (0..rank).all(|v| expr::tells(m, def.value, v as u32, def.domain[v]));
    let lhs = left(m, names, def.target, (0..rank).map(|v| indexed.index(v as u32)).collect(), !told);
    statement_of(StmtKind::Define { lhs, value, per_microbatch: false })
}

/// The body under the reduction over variables from `rank` on.
fn reduced(m: &Module, indexed: &Indexed, def: &Def, rank: usize, body: Expr) -> Expr {
    let op = match (def.combine, m.kind(def.value)) {
        (Combine::Set, _) => return body,
        (Combine::Sum, _) => ReduceOp::Sum,
        (Combine::Prod, _) => ReduceOp::Prod,
        (Combine::Max, Kind::Bool) => ReduceOp::Any,
        (Combine::Min, Kind::Bool) => ReduceOp::All,
        (Combine::Max, _) => ReduceOp::Max,
        (Combine::Min, _) => ReduceOp::Min,
        (Combine::Argmax, _) => ReduceOp::Argmax,
    };
    let index = |v: usize| {
        let told = expr::tells(m, def.value, v as u32, def.domain[v]);
        let range = (!told).then(|| whole(def.domain[v] as i64));
        ReduceIndex { name: ident(&indexed.text(v as u32)), pack: false, range, set: None }
    };
    let indices: Vec<ReduceIndex> = (rank..def.domain.len()).map(index).collect();
    if indices.is_empty() { body } else { expr::of(ExprKind::Reduce { op, indices, body: Box::new(body) }) }
}

fn left(m: &Module, names: &Names, target: TensorId, indices: Vec<Expr>, typed: bool) -> Lhs {
    let shape = &m.t(target).shape;
    let ty = typed.then(|| TypeExpr { kind: tensor_type(shape, None), span: Span::default() });
    let indices = (!shape.is_empty()).then(|| indices.into_iter().map(IndexArg::Expr).collect());
    Lhs { name: ident(names.tensor(target)), indices, ty: ty.filter(|_| !shape.is_empty()) }
}

/// `y[2*i + j] += e`, where every index stands in a position and in a read that tells its range;
/// else `y[p] = sum[i, j] if 2*i + j == p then e else 0`.
fn scattered(m: &Module, names: &Names, def: &Def, at: &[crate::ir::ExprId], dropping: bool) -> Stmt {
    let rank = m.t(def.target).shape.len();
    let placed: BTreeSet<u32> = at.iter().flat_map(|p| m.variables(*p)).collect();
    let plain = at.iter().all(|p| m.affine(*p).is_some())
        && (0..def.domain.len() as u32)
            .all(|v| placed.contains(&v) && expr::tells(m, def.value, v, def.domain[v as usize]));
    let indexed = Indexed::new(m, names, def.domain.len() + rank);
    let value = indexed.expr(def.value);
    if plain && rank > 0 {
        let lhs = left(m, names, def.target, at.iter().map(|p| indexed.expr(*p)).collect(), true);
        return statement_of(StmtKind::Accumulate { lhs, value, dropping });
    }
    // The target's own indices come after those of the domain.
    let own: Vec<u32> = (0..rank as u32).map(|k| def.domain.len() as u32 + k).collect();
    let here = at.iter().zip(&own).map(|(p, k)| expr::binary(ast::BinaryOp::Eq, indexed.expr(*p), indexed.index(*k)));
    let all = here.reduce(|a, b| expr::binary(ast::BinaryOp::And, a, b));
    let value = match all {
        Some(condition) => expr::select(condition, value, number(0.0)),
        None => value,
    };
    let index = |v: usize| ReduceIndex {
        name: ident(&indexed.text(v as u32)),
        pack: false,
        range: Some(whole(def.domain[v] as i64)),
        set: None,
    };
    let indices: Vec<ReduceIndex> = (0..def.domain.len()).map(index).collect();
    let sum = match indices.is_empty() {
        true => value,
        false => expr::of(ExprKind::Reduce { op: ReduceOp::Sum, indices, body: Box::new(value) }),
    };
    let lhs = left(m, names, def.target, own.iter().map(|k| indexed.index(*k)).collect(), true);
    statement_of(StmtKind::Define { lhs, value: sum, per_microbatch: false })
}

/// Whether a node is a leaf that reads no better under a name.
pub(crate) fn is_atom(m: &Module, id: crate::ir::ExprId) -> bool {
    matches!(m.node(id), Node::Float(_) | Node::Int(_) | Node::Bool(_) | Node::Var(_) | Node::Read { .. })
}
