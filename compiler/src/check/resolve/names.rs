//! A look at every item of the program, used or not: names must stand for something, and locals
//! must be used. What depends on shapes is left to the elaboration of train blocks.

use super::builtins::{EVALUATED, is_builtin, names_a_split};
use super::items::Items;
use super::syntax::children;
use super::type_words::{self, Place};
use crate::check::report::{Sink, nearest};
use grammar::ast::{self, Body, DimExpr, Expr, ExprKind, IndexArg, StmtKind, TypeExpr, TypeKind};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;
use std::collections::HashMap;

/// A name in scope.
struct Local {
    name: String,
    span: Span,
    used: bool,
    /// Whether not using it is an error (locals yes; parameters, indices and dimensions no).
    counts: bool,
}

struct Resolver<'a, 's> {
    items: &'s Items<'a>,
    sink: &'s mut Sink,
    locals: Vec<Local>,
    /// Where the locals of a name stand among them, the innermost last.
    places: HashMap<String, Vec<usize>>,
    /// In an optimiser, which is given `theta` and `grad`.
    rule: bool,
    /// In an optimiser or a schedule.
    updates: bool,
}

/// Reports names that nothing defines and locals that nothing uses, in the program's callables.
pub(super) fn resolve(items: &Items<'_>, program: &ast::File, sink: &mut Sink) {
    for item in &program.items {
        if let ast::Item::Callable(callable) = item {
            let rule = callable.kind == ast::CallableKind::Optimizer;
            let updates = rule || callable.kind == ast::CallableKind::Schedule;
            let mut resolver =
                Resolver { items, sink: &mut *sink, locals: vec![], places: HashMap::new(), rule, updates };
            resolver.callable(callable);
        }
        if let ast::Item::Train(block) = item {
            type_words::of_params(&block.params, sink);
            for entry in &block.entries {
                entry.lhs.ty.iter().for_each(|ty| type_words::check(ty, Place::Value, sink));
                type_words::in_expression(&entry.value, sink);
            }
        }
    }
}

/// The ends of a range.
pub(super) fn ends(range: &ast::Range) -> impl Iterator<Item = &ast::End> {
    range.lower.iter().chain(&range.upper)
}

fn is_split(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Name(name) if names_a_split(name))
}

impl Resolver<'_, '_> {
    fn callable(&mut self, callable: &ast::Callable) {
        callable.dims.iter().for_each(|d| self.bind(&d.name, false));
        for param in &callable.params {
            if let Some(ty) = &param.ty {
                self.ty(ty, Place::Parameter);
            }
            param.default.iter().for_each(|d| self.expr(d));
            self.bind(&param.name, false);
            param.range.iter().flat_map(ends).for_each(|e| self.expr(&e.at));
        }
        if let Some(output) = &callable.output {
            self.ty(output, Place::Value);
        }
        self.body(&callable.body);
    }

    fn bind(&mut self, name: &ast::Ident, counts: bool) {
        self.places.entry(name.name.clone()).or_default().push(self.locals.len());
        self.locals.push(Local { name: name.name.clone(), span: name.span, used: false, counts });
    }

    /// Runs `f` in a scope of its own and reports what it defined and never used.
    fn scoped(&mut self, f: impl FnOnce(&mut Self)) {
        let depth = self.locals.len();
        f(self);
        for local in self.locals.split_off(depth) {
            self.places.get_mut(&local.name).map(Vec::pop);
            if local.counts && !local.used && !local.name.ends_with('\'') {
                let d = Diagnostic::error("unused-local", local.span, format!("nothing uses `{}`", local.name))
                    .here("defined here, and not mentioned again")
                    .help("remove the line, or use the value");
                self.sink.add(d);
            }
        }
    }

    fn body(&mut self, body: &Body) {
        match body {
            Body::Block(block) => self.block(block),
            Body::Expr { value, wheres } => self.scoped(|s| {
                wheres.iter().for_each(|stmt| s.stmt(stmt, false));
                s.expr(value);
            }),
            Body::ByRank { dims, then, otherwise } => self.scoped(|s| {
                dims.iter().for_each(|d| s.bind(&d.name, false));
                s.block(then);
                otherwise.iter().for_each(|b| s.block(b));
            }),
        }
    }

    fn block(&mut self, block: &ast::Block) {
        self.scoped(|s| {
            for (n, stmt) in block.stmts.iter().enumerate() {
                s.stmt(stmt, n + 1 == block.stmts.len());
            }
        });
    }

    fn stmt(&mut self, stmt: &ast::Stmt, last: bool) {
        match &stmt.kind {
            StmtKind::Param { name, ty, init, .. } => {
                self.ty(ty, Place::Value);
                self.expr(init);
                self.bind(name, false);
            }
            StmtKind::State { name, ty, init, .. } => {
                ty.iter().for_each(|t| self.ty(t, Place::Value));
                self.expr(init);
                self.bind(name, false);
            }
            StmtKind::Draw { name, ty, dist, .. } => {
                ty.iter().for_each(|t| self.ty(t, Place::Value));
                self.expr(dist);
                self.bind(name, !last);
            }
            StmtKind::Define { lhs, value, .. } | StmtKind::Accumulate { lhs, value, .. } => {
                lhs.ty.iter().for_each(|t| self.ty(t, Place::Value));
                self.scoped(|s| {
                    lhs.indices.iter().for_each(|list| list.iter().for_each(|i| s.left(i)));
                    s.expr(value);
                });
                let says_what_evaluation_uses = self.rule && lhs.name.name == EVALUATED;
                self.bind(&lhs.name, !last && !says_what_evaluation_uses);
            }
            StmtKind::Expr(e) => self.expr(e),
            StmtKind::Error => {}
        }
    }

    /// A position on a left side binds the names in it that nothing else does.
    fn left(&mut self, position: &IndexArg) {
        match position {
            IndexArg::Pack(name) => self.bind(name, false),
            IndexArg::Combine { parts, .. } => parts.iter().for_each(|p| self.left(p)),
            IndexArg::Expr(e) => self.left_expr(e),
        }
    }

    fn left_expr(&mut self, e: &Expr) {
        if let ExprKind::Name(name) = &e.kind
            && self.innermost(name).is_none()
        {
            self.bind(&ast::Ident { name: name.clone(), span: e.span }, false);
        }
        children(e, &mut |c| self.left_expr(c));
    }

    fn ty(&mut self, ty: &TypeExpr, place: Place) {
        type_words::check(ty, place, self.sink);
        self.names_in_type(ty);
    }

    fn names_in_type(&mut self, ty: &TypeExpr) {
        match &ty.kind {
            TypeKind::Tensor { dims, of } => {
                for dim in dims {
                    match dim {
                        DimExpr::Dim(e) => self.expr(e),
                        DimExpr::Pack(name) => self.name(&name.name, name.span),
                    }
                }
                of.iter().for_each(|t| self.names_in_type(t));
            }
            TypeKind::Class(e) => self.expr(e),
            TypeKind::Record(fields) => fields.iter().for_each(|f| self.names_in_type(&f.1)),
            TypeKind::Name(_) | TypeKind::Error => {}
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Name(name) => self.name(name, expr.span),
            // A figure of the last epoch, `valid.loss`.
            ExprKind::Field { base, .. } if self.updates && is_split(base) => {}
            ExprKind::Index { base, at } => {
                self.expr(base);
                at.iter().for_each(|a| self.position(a));
            }
            ExprKind::Reduce { indices, body, .. } => self.scoped(|s| {
                for index in indices {
                    index.range.iter().chain(&index.set).for_each(|e| s.expr(e));
                }
                indices.iter().for_each(|i| s.bind(&i.name, false));
                s.expr(body);
            }),
            ExprKind::If { condition, then, otherwise } => {
                self.expr(condition);
                self.block(then);
                otherwise.iter().for_each(|b| self.block(b));
            }
            ExprKind::For { index, from, to, carry, body } => {
                self.expr(from);
                self.expr(to);
                carry.iter().for_each(|c| self.expr(&c.1));
                self.scoped(|s| {
                    s.bind(index, false);
                    carry.iter().for_each(|c| s.bind(&c.0, false));
                    s.block(body);
                });
            }
            ExprKind::Scan { index, sequence, carry, body } => {
                self.expr(sequence);
                carry.iter().for_each(|c| self.expr(&c.1));
                self.scoped(|s| {
                    s.bind(index, false);
                    carry.iter().for_each(|c| s.bind(&c.0, false));
                    s.block(body);
                });
            }
            ExprKind::Lambda { params, body } => self.scoped(|s| {
                type_words::of_params(params, s.sink);
                params.iter().for_each(|p| s.bind(&p.name, false));
                s.body(body);
            }),
            _ => children(expr, &mut |e| self.expr(e)),
        }
    }

    fn position(&mut self, at: &IndexArg) {
        match at {
            IndexArg::Expr(Expr { kind: ExprKind::Name(name), span }) if !self.known(name, *span) => {
                self.unknown_index(name, *span);
            }
            IndexArg::Expr(e) => self.expr(e),
            IndexArg::Pack(name) => self.name(&name.name, name.span),
            IndexArg::Combine { parts, .. } => parts.iter().for_each(|p| self.position(p)),
        }
    }

    /// An index that nothing binds, reported once in a definition: it is in other reads too.
    fn unknown_index(&mut self, name: &str, span: Span) {
        let d = Diagnostic::error("unknown-name", span, format!("there is no `{name}` here"))
            .here("nothing says what this index is")
            .help(format!(
                "if it is summed over, say so: `sum[{name}] ..`; an index of the result stands on the left too"
            ));
        self.sink.add(d);
        self.bind(&ast::Ident { name: name.into(), span }, false);
    }

    /// Where the local that a name means stands.
    fn innermost(&self, name: &str) -> Option<usize> {
        self.places.get(name)?.last().copied()
    }

    /// Whether the name stands for something; a local so named is used then.
    fn known(&mut self, name: &str, span: Span) -> bool {
        if let Some(place) = self.innermost(name) {
            self.locals[place].used = true;
            return true;
        }
        let given = self.rule && matches!(name, "theta" | "grad");
        given || is_builtin(name) || self.items.callable(name, span).is_some()
    }

    fn name(&mut self, name: &str, span: Span) {
        if self.known(name, span) {
            return;
        }
        let guess = self.sink.may_guess();
        let locals = self.locals.iter().map(|l| l.name.as_str());
        let mut d = Diagnostic::error("unknown-name", span, format!("there is no `{name}` here"));
        if guess && let Some(near) = nearest(name, locals.chain(self.items.callable_names())) {
            d = d.fix(format!("did you mean `{near}`?"), span, near);
        }
        self.sink.add(d);
    }
}
