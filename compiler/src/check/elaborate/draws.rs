//! Distributions: `mask: [..s] ~ bernoulli(1 - p)` and initial values. A distribution is an
//! expression whose leaves are the core's two draws; each becomes a tensor of standard draws of
//! the target's shape, shifted and scaled.

use super::Elaborator;
use super::calls::Given;
use super::context::Target;
use super::dims::Declared;
use super::entity::{Entity, Env, PassKind, Term, shape_text};
use crate::check::resolve::{Primitive, body_children, children, is_builtin};
use crate::typed::{Definition, Element, Expr, Extent, IndexId, SAMPLE, Type};
use grammar::ast::{self, BinaryOp, CallableKind, ExprKind};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;
use nnc_core::random::Distribution;
use std::rc::Rc;

impl<'a> Elaborator<'a> {
    /// `name: [..] ~ dist`.
    pub(super) fn random(
        &mut self,
        name: &'a ast::Ident,
        ty: Option<&'a ast::TypeExpr>,
        dist: &'a ast::Expr,
        per_batch: bool,
        scope: &Env<'a>,
    ) -> Entity<'a> {
        if let Some(mistake) = self.nothing_random(name, ty, dist, scope) {
            scope.bind(&name.name, Entity::Poison, name.span);
            return self.fail(mistake);
        }
        let dims = match ty {
            Some(ty) => self.declared(ty, scope).as_ref().and_then(Declared::dims).map(<[usize]>::to_vec),
            None => Some(vec![]),
        };
        let entity = match dims {
            Some(dims) => self.draw_statement(name, dims, dist, per_batch, scope),
            None => Entity::Poison,
        };
        self.bind_once(name, entity.clone(), scope);
        entity
    }

    /// `h ~ x |> f(3)`: an application in which nothing is drawn is a definition.
    fn nothing_random(
        &self,
        name: &ast::Ident,
        ty: Option<&ast::TypeExpr>,
        dist: &ast::Expr,
        scope: &Env<'a>,
    ) -> Option<Diagnostic> {
        let applies = matches!(dist.kind, ExprKind::Pipe { .. } | ExprKind::Call { .. });
        if !applies || self.draws_in(dist, scope) {
            return None;
        }
        let sign = Span { start: ty.map_or(name.span.end, |t| t.span.end), end: dist.span.start, ..dist.span };
        let d = Diagnostic::error("wrong-kind", dist.span, "`~` draws at random, but nothing here is random");
        Some(d.fix("define it: write `=` instead of `~`", sign, " = "))
    }

    /// Whether something in an expression is, or may be, a distribution.
    fn draws_in(&self, expr: &ast::Expr, scope: &Env<'a>) -> bool {
        let mut found = match &expr.kind {
            ExprKind::Name(name) => match (scope.find(name).map(|f| f.0), self.item(name, expr.span)) {
                (Some(Entity::Template(t)), _) | (None, Some(Entity::Template(t))) => match t.callable.kind {
                    CallableKind::Init => true,
                    CallableKind::Fn => body_draws(&t.callable.body),
                    _ => false,
                },
                (Some(Entity::Thunk(_) | Entity::Lambda(_) | Entity::Poison), _) => true,
                (None, Some(Entity::Primitive(p))) => matches!(p, Primitive::Uniform | Primitive::Normal),
                (None, None) => !is_builtin(name),
                _ => false,
            },
            _ => false,
        };
        children(expr, &mut |e| found = found || self.draws_in(e, scope));
        found
    }

    fn draw_statement(
        &mut self,
        name: &'a ast::Ident,
        dims: Vec<usize>,
        dist: &'a ast::Expr,
        per_batch: bool,
        scope: &Env<'a>,
    ) -> Entity<'a> {
        let fixed = |s: &mut Self, i: IndexId| match s.builder().pass.extent(i) {
            Extent::Fixed(n) => Some((i, n)),
            Extent::Batch => None,
        };
        let outer: Vec<(IndexId, usize)> =
            self.context.active.clone().into_iter().filter_map(|i| fixed(self, i)).collect();
        let own = self.builder().axes(&dims);
        let target = Target {
            path: self.value_name(&name.name),
            axes: outer.iter().map(|o| o.0).chain(own.iter().copied()).collect(),
            dims: outer.iter().map(|o| o.1).chain(dims.iter().copied()).collect(),
            lifted: outer.len(),
            per_sample: !per_batch && matches!(self.pass(), PassKind::Training | PassKind::Evaluation),
        };
        let path = target.path.clone();
        match self.distribution(target, dist, scope) {
            Some(term) => Entity::Term(self.builder().plain(term, &path, name.span)),
            None => Entity::Poison,
        }
    }

    /// A distribution's value for its target, with exactly the target's own axes: numbers, or for a discrete one
    /// classes.
    pub(super) fn distribution(&mut self, target: Target, dist: &'a ast::Expr, scope: &Env<'a>) -> Option<Term> {
        let dims = target.dims[target.lifted..].to_vec();
        let axes = target.axes[target.lifted..].to_vec();
        let drawn = |s: &mut Self| {
            let entity = s.eval(dist, scope);
            let entity = s.settle(entity, dist.span);
            let entity = s.settle(entity, dist.span);
            s.term(entity, dist.span)
        };
        let mut term = self.inside(|c| c.target = Some(Rc::new(target)), drawn)?;
        if term.dims.is_empty() {
            (term.axes, term.dims) = (axes, dims);
        } else if term.dims != dims {
            let message = format!(
                "the initial value has shape {}, but the tensor is {}",
                shape_text(&term.dims),
                shape_text(&dims)
            );
            self.fail(Diagnostic::error("shape-mismatch", dist.span, message));
            return None;
        }
        Some(term)
    }

    /// `uniform(a, b)` or `normal(mu, sigma)` for the innermost target: `a + (b - a) * u`,
    /// `mu + sigma * z`.
    pub(super) fn draw(&mut self, which: Primitive, a: Given<'a>, b: Given<'a>, span: Span) -> Entity<'a> {
        let Some(target) = self.context.target.clone() else {
            let d = Diagnostic::error("wrong-kind", span, "a draw needs a tensor to fill");
            return self.fail(d.help("write `noise: [n] ~ normal(0, 1)` or `param W: [n] ~ uniform(-1, 1)`"));
        };
        let (distribution, scale) = match which {
            Primitive::Uniform => (Distribution::Uniform, self.binary(BinaryOp::Sub, b, a.clone())),
            _ => (Distribution::Normal, b.0),
        };
        let site = self.site(&target.path);
        let ty = Type { per_sample: target.per_sample, dims: target.dims.clone(), element: Element::Number };
        let name = format!("{}~", target.path);
        let id = self.builder().push(&name, ty, Definition::Draw { distribution, site }, span);
        let sample = target.per_sample.then_some(SAMPLE);
        let at = sample.iter().chain(&target.axes).map(|i| Expr::Index(*i)).collect();
        let mut term = self.builder().scalar(Expr::Read { value: id, at, otherwise: None }, span);
        term.axes = target.axes[target.lifted..].to_vec();
        term.dims = target.dims[target.lifted..].to_vec();
        let scaled = self.binary(BinaryOp::Mul, (scale, span), (Entity::Term(term), span));
        self.binary(BinaryOp::Add, a, (scaled, span))
    }

    /// The number of a draw site: a hash of the path and use number, moved on where it is taken.
    fn site(&mut self, path: &str) -> u32 {
        let initial = self.pass() == PassKind::Init;
        let count = self.state.draws.entry(format!("{initial:?}{path}")).or_insert(0);
        *count += 1;
        let space = if initial { "initial" } else { "step" };
        let key = format!("{space}:{path}:{count}");
        let mut site = fnv(&key);
        while self.tables.sites.get(&site).is_some_and(|k| *k != key) {
            site = site.wrapping_add(1);
        }
        self.tables.sites.insert(site, key);
        site
    }
}

/// Whether the body of a function says one of the core's draws.
fn body_draws(body: &ast::Body) -> bool {
    fn look(expr: &ast::Expr, found: &mut bool) {
        *found |= matches!(&expr.kind, ExprKind::Name(n) if n == "uniform" || n == "normal");
        children(expr, &mut |e| look(e, found));
    }
    let mut found = false;
    body_children(body, &mut |e| look(e, &mut found));
    found
}

/// FNV-1a, 32 bits (Fowler, Noll, Vo).
fn fnv(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193))
}
