//! Walks over the syntax tree.

use grammar::ast::{self, Expr, ExprKind, IndexArg, StmtKind};
use grammar::span::Span;

/// Calls `f` on the direct parts of an expression, those in blocks included.
pub fn children<'a>(expr: &'a Expr, f: &mut dyn FnMut(&'a Expr)) {
    match &expr.kind {
        ExprKind::Number { .. } | ExprKind::Bool(_) | ExprKind::Text(_) | ExprKind::Name(_) | ExprKind::Error => {}
        ExprKind::Call { callee, args } => {
            f(callee);
            args.iter().for_each(|a| f(&a.value));
        }
        ExprKind::Index { base, at } => {
            f(base);
            at.iter().for_each(|a| index_children(a, f));
        }
        ExprKind::Guarded { read: a, otherwise: b }
        | ExprKind::Sample { base: a, at: b }
        | ExprKind::Binary { left: a, right: b, .. }
        | ExprKind::Pipe { input: a, call: b }
        | ExprKind::On { rule: a, set: b }
        | ExprKind::Over { value: a, set: b } => {
            f(a);
            f(b);
        }
        ExprKind::Field { base: e, .. }
        | ExprKind::Unary { value: e, .. }
        | ExprKind::As { value: e, .. }
        | ExprKind::GradAt(e)
        | ExprKind::Paren(e) => f(e),
        ExprKind::Reduce { indices, body, .. } => {
            indices.iter().for_each(|i| i.range.iter().chain(&i.set).for_each(&mut *f));
            f(body);
        }
        ExprKind::Select { condition, then, otherwise } => {
            f(condition);
            f(then);
            f(otherwise);
        }
        ExprKind::If { condition, then, otherwise } => {
            f(condition);
            block_children(then, f);
            otherwise.iter().for_each(|b| block_children(b, f));
        }
        ExprKind::For { from, to, carry, body, .. } => {
            f(from);
            f(to);
            carry.iter().for_each(|c| f(&c.1));
            block_children(body, f);
        }
        ExprKind::Scan { sequence, carry, body, .. } => {
            f(sequence);
            carry.iter().for_each(|c| f(&c.1));
            block_children(body, f);
        }
        ExprKind::Lambda { body, .. } => body_children(body, f),
        ExprKind::Record(fields) => fields.iter().for_each(|x| f(&x.1)),
        ExprKind::List(items) | ExprKind::Sequence(items) => items.iter().for_each(f),
    }
}

/// Calls `f` on the expressions of a body.
pub fn body_children<'a>(body: &'a ast::Body, f: &mut dyn FnMut(&'a Expr)) {
    match body {
        ast::Body::Expr { value, wheres } => {
            f(value);
            wheres.iter().for_each(|s| stmt_children(s, f));
        }
        ast::Body::Block(block) => block_children(block, f),
        ast::Body::ByRank { then, otherwise, .. } => {
            block_children(then, f);
            otherwise.iter().for_each(|b| block_children(b, f));
        }
    }
}

/// Whether the expression mentions a name, as a value, an index or a pack.
pub fn mentions(expr: &Expr, name: &str) -> bool {
    fn as_pack(arg: &IndexArg, name: &str) -> bool {
        match arg {
            IndexArg::Pack(pack) => pack.name == name,
            IndexArg::Combine { parts, .. } => parts.iter().any(|p| as_pack(p, name)),
            IndexArg::Expr(_) => false,
        }
    }
    let mut found = match &expr.kind {
        ExprKind::Name(n) => n == name,
        ExprKind::Index { at, .. } => at.iter().any(|a| as_pack(a, name)),
        _ => false,
    };
    children(expr, &mut |e| found |= mentions(e, name));
    found
}

pub(super) fn index_children<'a>(arg: &'a IndexArg, f: &mut dyn FnMut(&'a Expr)) {
    match arg {
        IndexArg::Expr(e) => f(e),
        IndexArg::Pack(_) => {}
        IndexArg::Combine { parts, .. } => parts.iter().for_each(|p| index_children(p, f)),
    }
}

pub(super) fn block_children<'a>(block: &'a ast::Block, f: &mut dyn FnMut(&'a Expr)) {
    block.stmts.iter().for_each(|s| stmt_children(s, f));
}

pub(super) fn stmt_children<'a>(stmt: &'a ast::Stmt, f: &mut dyn FnMut(&'a Expr)) {
    match &stmt.kind {
        StmtKind::Param { init: e, .. }
        | StmtKind::State { init: e, .. }
        | StmtKind::Draw { dist: e, .. }
        | StmtKind::Expr(e) => f(e),
        StmtKind::Define { lhs, value, .. } | StmtKind::Accumulate { lhs, value, .. } => {
            lhs.indices.iter().for_each(|list| list.iter().for_each(|a| index_children(a, f)));
            f(value);
        }
        StmtKind::Error => {}
    }
}

/// Where an item stands.
pub fn item_span(item: &ast::Item) -> Span {
    match item {
        ast::Item::Use { span, .. } | ast::Item::Error(span) => *span,
        ast::Item::Callable(c) => c.span,
        ast::Item::Data(d) => d.span,
        ast::Item::Train(t) => t.span,
        ast::Item::Sweep(s) => s.span,
    }
}
