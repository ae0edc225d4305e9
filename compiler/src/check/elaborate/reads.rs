//! Reads: `x[i, j]`, `x[k + 1] or 0`, `x@b`. Every position is shown to lie inside, or the read is
//! guarded, or it is an error that says how far the position goes.

use super::Elaborator;
use super::entity::{Entity, Env, Term, shape_text};
use super::eval::count_as_number;
use crate::scalar::{Binary, Kind};
use crate::typed::bounds::{interval, interval_under};
use crate::typed::expr::{binary as make_binary, free, literal, substitute};
use crate::typed::{Expr, Extent, IndexId, SAMPLE};
use grammar::ast::{self, ExprKind, IndexArg};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;

/// One position of a read: an integer expression, and the axes it brings along where it is a
/// tensor of classes.
struct Position {
    expr: Expr,
    axes: Vec<IndexId>,
    dims: Vec<usize>,
    span: Span,
}

impl<'a> Elaborator<'a> {
    /// `base[at]`, guarded by `otherwise` if given.
    pub(super) fn index(
        &mut self,
        base: &'a ast::Expr,
        at: &'a [IndexArg],
        otherwise: Option<&'a ast::Expr>,
        span: Span,
        env: &Env<'a>,
    ) -> Entity<'a> {
        let entity = self.eval(base, env);
        if let Entity::List(items) = &entity
            && let [IndexArg::Expr(e)] = at
        {
            let n = self.eval(e, env);
            if let Entity::Number(n) = n
                && let Some(item) = n.whole().and_then(|k| items.get(usize::try_from(k).ok()?))
            {
                return item.clone();
            }
        }
        let Some(term) = self.term(entity, base.span) else { return Entity::Poison };
        if let Some(counted) = at.iter().find_map(|a| self.count_in(a, env)) {
            return self.count_as_position(at, counted, &term, base.span, span);
        }
        if at.is_empty() {
            return Entity::Term(term);
        }
        let origin = term.origin;
        let name = self.value_name("read");
        let term = self.builder().plain(term, &name, base.span);
        let Some(positions) = self.positions(at, base.span, env) else { return Entity::Poison };
        if positions.len() > term.axes.len() {
            return self.too_many_positions(&term, positions.len(), base.span, span);
        }
        let other = match otherwise {
            Some(e) => {
                let value = self.eval(e, env);
                let Some(o) = self.guard_value(value, term.kind, e.span) else { return Entity::Poison };
                (!self.always_inside(&positions, &term)).then_some(o)
            }
            None => match self.kept_inside(&positions, &term, base.span, span) {
                Some(proof) => proof,
                None => return Entity::Poison,
            },
        };
        Entity::Term(self.read_at(term, positions, other, origin))
    }

    /// The name `batch` as a position, alone or in a combination.
    fn count_in(&self, at: &'a IndexArg, env: &Env<'a>) -> Option<Span> {
        match at {
            IndexArg::Expr(e) => self.is_count(e, env).then_some(e.span),
            IndexArg::Combine { parts, .. } => parts.iter().find_map(|p| self.count_in(p, env)),
            IndexArg::Pack(_) => None,
        }
    }

    /// `x[batch]`: there is no such position. Of what every sample has, the sample's own value needs none.
    fn count_as_position(&mut self, at: &[IndexArg], counted: Span, term: &Term, base: Span, read: Span) -> Entity<'a> {
        let first = matches!(at, [IndexArg::Expr(e), ..] if e.span == counted);
        if !first || !self.builder().per_sample(term) || at.len() <= term.dims.len() {
            return self.count_for_number(counted);
        }
        let d = count_as_number(counted).note("what depends on the sample is that of the sample at hand, as it stands");
        let (start, end) = match at {
            [_, IndexArg::Expr(next), ..] => (counted.start, next.span.start),
            [_] => (base.end, read.end),
            _ => return self.fail(d.help("leave the position out")),
        };
        self.fail(d.fix("leave it out", Span { start, end, ..counted }, ""))
    }

    /// Puts positions in place of the first axes.
    fn read_at(&mut self, term: Term, positions: Vec<Position>, otherwise: Option<Expr>, origin: Span) -> Term {
        let map: Vec<_> = term.axes.iter().zip(&positions).map(|(a, p)| (*a, p.expr.clone())).collect();
        let mut expr = substitute(&term.expr, &map);
        if let (Expr::Read { otherwise: slot, .. }, Some(o)) = (&mut expr, otherwise) {
            *slot = Some(Box::new(o));
        }
        let rest = positions.len();
        let axes = positions.iter().flat_map(|p| p.axes.clone()).chain(term.axes[rest..].iter().copied()).collect();
        let dims = positions.iter().flat_map(|p| p.dims.clone()).chain(term.dims[rest..].iter().copied()).collect();
        Term { axes, dims, expr, origin, ..term }
    }

    fn guard_value(&mut self, value: Entity<'a>, kind: Kind, span: Span) -> Option<Expr> {
        if let Entity::Number(n) = value {
            return Some(literal(n.value, kind));
        }
        let term = if kind == Kind::Float { self.float_term(value, span)? } else { self.term(value, span)? };
        if !term.axes.is_empty() || term.kind != kind {
            let d = Diagnostic::error(
                "wrong-kind",
                span,
                "what a guarded read yields outside must be a single value like the tensor's elements",
            );
            self.fail(d);
            return None;
        }
        Some(term.expr)
    }

    /// The positions in brackets; `None` after an error.
    fn positions(&mut self, at: &'a [IndexArg], base: Span, env: &Env<'a>) -> Option<Vec<Position>> {
        let mut out: Vec<Position> = vec![];
        for arg in at {
            match arg {
                IndexArg::Expr(e) => out.push(self.position(e, env)?),
                IndexArg::Pack(name) => {
                    let ids = self.index_pack(name, env)?;
                    out.extend(ids.into_iter().map(|(expr, _)| Position {
                        expr,
                        axes: vec![],
                        dims: vec![],
                        span: name.span,
                    }));
                }
                IndexArg::Combine { parts, span } => {
                    let parts = self.combined(parts, base, env)?;
                    let expr = row_major(&parts);
                    out.push(Position { expr, axes: vec![], dims: vec![], span: *span });
                }
            }
        }
        Some(out)
    }

    /// The indices of a pack and their extents.
    fn index_pack(&mut self, name: &ast::Ident, env: &Env<'a>) -> Option<Vec<(Expr, i64)>> {
        match env.find(&name.name) {
            Some((Entity::IndexPack(ids), _)) => {
                let builder = self.builder();
                Some(ids.iter().map(|i| (Expr::Index(*i), fixed(builder.pass.extent(*i)))).collect())
            }
            Some((Entity::Poison, _)) => None,
            _ => {
                let message = format!("`..{}` is no pack of indices here", name.name);
                let d = Diagnostic::error("unknown-name", name.span, message);
                self.fail(d.help(format!(
                    "a pack is bound on the left side, `y[..{0}] = ..`, or by a reduction, `sum[..{0}] ..`",
                    name.name
                )));
                None
            }
        }
    }

    /// The parts of a row-major combination with their extents.
    fn combined(&mut self, parts: &'a [IndexArg], base: Span, env: &Env<'a>) -> Option<Vec<(Expr, i64)>> {
        let mut out = vec![];
        for part in parts {
            match part {
                IndexArg::Expr(e) => {
                    let position = self.position(e, env)?;
                    let (low, high) = interval(&self.builder().pass, &position.expr);
                    if low < 0 || high >= i64::from(i32::MAX) || !position.axes.is_empty() {
                        let d = Diagnostic::error(
                            "index-range-unknown",
                            e.span,
                            "a part of a combined position must be an index or a class of known range",
                        )
                        .label(base, "in this read");
                        self.fail(d);
                        return None;
                    }
                    out.push((position.expr, high + 1));
                }
                IndexArg::Pack(name) => out.extend(self.index_pack(name, env)?),
                IndexArg::Combine { parts, .. } => {
                    let inner = self.combined(parts, base, env)?;
                    let size = inner.iter().fold(1i64, |n, p| n.saturating_mul(p.1));
                    out.push((row_major(&inner), size));
                }
            }
        }
        Some(out)
    }

    fn position(&mut self, e: &'a ast::Expr, env: &Env<'a>) -> Option<Position> {
        let entity = self.eval(e, env);
        let term = self.term(entity, e.span)?;
        if term.kind != Kind::Int {
            let mut d = Diagnostic::error(
                "class-needs-whole-number",
                e.span,
                "a position must be a whole number: an index, a dimension or a class",
            );
            d = match term.kind {
                Kind::Bool => d.here("this is a condition"),
                _ => d.here("this is a real number").note("indices and dimensions convert to numbers, never back"),
            };
            self.fail(
                d.help("`floor(i / 2)` of an index and a dimension is whole; a label is declared `y: class(10)`"),
            );
            return None;
        }
        Some(Position { expr: term.expr, axes: term.axes, dims: term.dims, span: e.span })
    }

    /// Whether every position is inside whatever the indices are, so that a guard is idle.
    fn always_inside(&mut self, positions: &[Position], term: &Term) -> bool {
        positions.iter().zip(&term.dims).all(|(position, extent)| {
            let (low, high) = interval(&self.builder().pass, &position.expr);
            low >= 0 && high < *extent as i64
        })
    }

    /// Shows every position inside. The outer `None` is an error; the inner value is what the read
    /// yields outside where only a condition keeps it inside.
    fn kept_inside(&mut self, positions: &[Position], term: &Term, base: Span, read: Span) -> Option<Option<Expr>> {
        let mut by_condition = false;
        for (n, position) in positions.iter().enumerate() {
            let extent = term.dims[n] as i64;
            let facts = self.context.facts.clone();
            let builder = self.builder();
            let (low, high) = interval(&builder.pass, &position.expr);
            if low >= 0 && high < extent {
                continue;
            }
            let (low, high) = interval_under(&builder.pass, &position.expr, &facts);
            if low < 0 || high >= extent {
                self.out_of_bounds(position.span, (low, high), term, n, (base, read));
                return None;
            }
            by_condition = true;
        }
        Some(by_condition.then(|| literal(0.0, term.kind)))
    }

    fn out_of_bounds(&mut self, span: Span, range: (i64, i64), term: &Term, axis: usize, (base, read): (Span, Span)) {
        let extent = term.dims[axis];
        let nth = ["first", "second", "third", "fourth", "fifth"].get(axis).copied().unwrap_or("last");
        let goes = match range {
            (low, high) if high > 1 << 39 => format!("from {low} on"),
            (low, high) if low == high => format!("to {low}"),
            (low, high) => format!("from {low} to {high}"),
        };
        let last = extent as i64 - 1;
        let message = format!("this read goes {goes}, but the {nth} position of the tensor runs from 0 to {last}");
        let d = Diagnostic::error("out-of-bounds", span, message)
            .here(format!("goes {goes}"))
            .label(base, format!("a tensor {}", shape_text(&term.dims)))
            .fix(
                "write `or 0` after the brackets if what lies outside counts as 0",
                Span { start: read.end, ..read },
                " or 0",
            )
            .help("or read less: state a shorter range, or choose with `if i + 1 < n then .. else ..`");
        self.fail(if term.origin == base { d } else { d.label(term.origin, "its shape comes from here") });
    }

    fn too_many_positions(&mut self, term: &Term, given: usize, base: Span, span: Span) -> Entity<'a> {
        let shape = shape_text(&term.dims);
        let message = format!("{given} positions are read, but the tensor has {} ({shape})", term.dims.len());
        let d = Diagnostic::error("rank-mismatch", span, message).label(base, format!("this is {shape}"));
        self.fail(if term.origin == base { d } else { d.label(term.origin, "its shape comes from here") })
    }

    /// `x[..] or e`.
    pub(super) fn guarded(&mut self, read: &'a ast::Expr, otherwise: &'a ast::Expr, env: &Env<'a>) -> Entity<'a> {
        match &read.kind {
            ExprKind::Index { base, at } => self.index(base, at, Some(otherwise), read.span, env),
            ExprKind::Paren(e) => self.guarded(e, otherwise, env),
            _ => {
                let d = Diagnostic::error(
                    "wrong-kind",
                    read.span,
                    "`or` guards a read such as `x[k + 1] or 0`, but this is no read",
                );
                self.fail(d)
            }
        }
    }

    /// `x@b`.
    pub(super) fn sample(&mut self, base: &'a ast::Expr, at: &'a ast::Expr, env: &Env<'a>) -> Entity<'a> {
        let entity = self.eval(base, env);
        let Some(mut term) = self.term(entity, base.span) else { return Entity::Poison };
        let Some(expr) = self.sample_number(at, env) else { return Entity::Poison };
        if !free(&term.expr).contains(&SAMPLE) {
            let d = Diagnostic::error(
                "wrong-kind",
                base.span,
                "`@` chooses a sample, but this value is the same for every sample",
            );
            return self.fail(d.label(at.span, "the sample asked for"));
        }
        term.expr = substitute(&term.expr, &[(SAMPLE, expr)]);
        Entity::Term(term)
    }

    fn sample_number(&mut self, at: &'a ast::Expr, env: &Env<'a>) -> Option<Expr> {
        if self.is_count(at, env) {
            self.count_for_number(at.span);
            return None;
        }
        let entity = self.eval(at, env);
        let term = self.term(entity, at.span)?;
        if term.axes.is_empty() && self.builder().counts_samples(&term.expr) {
            return Some(term.expr);
        }
        let message = "after `@` stands the number of a sample, such as `b` in `sum[b: batch] ..`";
        let d = Diagnostic::error("wrong-kind", at.span, message);
        self.fail(
            d.help("a number of a sample is an index over the batch, an `argmax[b: batch] ..`, or drawn from such"),
        );
        None
    }
}

fn fixed(extent: Extent) -> i64 {
    match extent {
        Extent::Fixed(n) => n as i64,
        Extent::Batch => i64::MAX,
    }
}

/// `((a * B) + b) * C + c` of parts with extents A, B, C.
pub(super) fn row_major(parts: &[(Expr, i64)]) -> Expr {
    parts.iter().fold(Expr::Int(0), |sum, (e, n)| {
        make_binary(Binary::Add, make_binary(Binary::Mul, sum, Expr::Int(*n)), e.clone())
    })
}
