//! Indexed definitions `y[i, (a, b), ..s] = e` and reductions `sum[j, u: n] e`: binding indices,
//! finding their ranges, building the tensor.

use super::Elaborator;
use super::dims::Declared;
use super::entity::{Entity, Env, Scope, Term, shape_text};
use super::extents::{Found, Wanted, reads_alone};
use super::number::Num;
use crate::check::resolve::mentions;
use crate::scalar::{Binary, Kind, Unary};
use crate::typed::expr::{binary as make_binary, operands, substitute, unary as make_unary};
use crate::typed::{Definition, Expr, Extent, IndexId, Outcome, ReduceOp, SAMPLE, ValueId};
use grammar::ast::{self, ExprKind, IndexArg, ReduceIndex};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;
use std::collections::BTreeSet;

/// One position of a left side: the indices it binds, more than one where it is a combination or
/// a pack.
struct LeftPosition {
    ids: Vec<IndexId>,
    combined: bool,
}

impl<'a> Elaborator<'a> {
    /// `name[left] = value` as a term whose axes are the left side's dimensions and then those of
    /// the value.
    pub(super) fn indexed(
        &mut self,
        left: &'a [IndexArg],
        value: &'a ast::Expr,
        declared: Option<&Declared>,
        span: Span,
        env: &Env<'a>,
    ) -> Option<Term> {
        let scope = Scope::inside(Some(env));
        let positions = self.bind_left(left, value, declared, &scope, env)?;
        let left = positions.iter().flat_map(|p| &p.ids);
        let entity = self.inside(|c| c.active.extend(left), |s| s.eval(value, &scope));
        let term = self.term(entity, value.span)?;
        Some(self.assemble(&positions, term, span))
    }

    /// Binds the indices of a left side.
    fn bind_left(
        &mut self,
        left: &'a [IndexArg],
        value: &'a ast::Expr,
        declared: Option<&Declared>,
        scope: &Env<'a>,
        env: &Env<'a>,
    ) -> Option<Vec<LeftPosition>> {
        let mut dims = declared.and_then(Declared::dims).map(|d| (d, 0usize));
        let singles = left.iter().filter(|p| !matches!(p, IndexArg::Pack(_))).count();
        let mut out = vec![];
        for position in left {
            let known = match (position, &mut dims) {
                (IndexArg::Pack(_), Some((d, at))) => {
                    let n = (d.len() + 1).saturating_sub(singles + 1);
                    let part = d.get(*at..*at + n).map(<[usize]>::to_vec);
                    *at += n;
                    part
                }
                (_, Some((d, at))) => {
                    *at += 1;
                    d.get(*at - 1).map(|n| vec![*n])
                }
                _ => None,
            };
            out.push(self.bind_position(position, known, value, scope, env)?);
        }
        Some(out)
    }

    fn bind_position(
        &mut self,
        position: &'a IndexArg,
        known: Option<Vec<usize>>,
        value: &'a ast::Expr,
        scope: &Env<'a>,
        env: &Env<'a>,
    ) -> Option<LeftPosition> {
        match position {
            IndexArg::Expr(ast::Expr { kind: ExprKind::Name(name), span }) => {
                let extent = match known {
                    Some(dims) => dims[0],
                    None => self.range_from_reads(name, *span, false, value, env)?.first().copied()?,
                };
                let id = self.bind_index(name, *span, Extent::Fixed(extent), scope)?;
                Some(LeftPosition { ids: vec![id], combined: false })
            }
            IndexArg::Expr(e) => {
                let d = Diagnostic::error(
                    "wrong-kind",
                    e.span,
                    "the left side of a definition binds indices, so only names stand here",
                );
                self.fail(d.help("an accumulating definition `y[2*i] += ..` may have other positions"));
                None
            }
            IndexArg::Pack(name) => {
                let dims = match known {
                    Some(dims) => dims,
                    None => self.range_from_reads(&name.name, name.span, true, value, env)?,
                };
                let ids = self.bind_pack(name, &dims, scope)?;
                Some(LeftPosition { ids, combined: false })
            }
            IndexArg::Combine { parts, .. } => {
                let mut ids = vec![];
                for part in parts {
                    ids.extend(self.bind_position(part, None, value, scope, env)?.ids);
                }
                Some(LeftPosition { ids, combined: true })
            }
        }
    }

    /// Binds one index in the scope.
    pub fn bind_index(&mut self, name: &str, span: Span, extent: Extent, scope: &Env<'a>) -> Option<IndexId> {
        self.index_name_free(name, span, scope)?;
        let id = self.builder().index(name, extent);
        let term = self.builder().scalar(Expr::Index(id), span);
        scope.bind(name, Entity::Term(term), span);
        Some(id)
    }

    fn bind_pack(&mut self, name: &ast::Ident, dims: &[usize], scope: &Env<'a>) -> Option<Vec<IndexId>> {
        self.index_name_free(&name.name, name.span, scope)?;
        let ids: Vec<_> = dims
            .iter()
            .enumerate()
            .map(|(k, d)| self.builder().index(&format!("{}{k}", name.name), Extent::Fixed(*d)))
            .collect();
        scope.bind(&name.name, Entity::IndexPack(ids.clone()), name.span);
        Some(ids)
    }

    fn index_name_free(&mut self, name: &str, span: Span, scope: &Env<'a>) -> Option<()> {
        if matches!(name, "batch" | "this") && scope.find(name).is_none() {
            let what = if name == "batch" { "how many samples there are" } else { "the number of the sample at hand" };
            let d =
                Diagnostic::error("duplicate-definition", span, format!("`{name}` is {what}, and no index of its own"));
            self.fail(d.help("choose a letter for the index; a definition is for one sample, and no index on its left side says which"));
            return None;
        }
        if scope.bound_here(name).is_none() && (name == "_" || scope.find(name).is_none()) {
            return Some(());
        }
        let at = scope.find(name).map_or(span, |f| f.1);
        let d = Diagnostic::error(
            "duplicate-definition",
            span,
            format!("the index `{name}` has the name of something visible here"),
        )
        .label(at, format!("`{name}` is this already"))
        .help("choose another letter for the index");
        self.fail(d);
        None
    }

    /// The range of an index from the unguarded reads where it stands alone.
    pub(super) fn range_from_reads(
        &mut self,
        name: &str,
        span: Span,
        pack: bool,
        body: &'a ast::Expr,
        env: &Env<'a>,
    ) -> Option<Vec<usize>> {
        let mut found: Vec<Found> = vec![];
        reads_alone(self, Wanted { name, pack, under: false }, body, env, &mut found);
        if found.iter().any(|f| !f.under) {
            found.retain(|f| !f.under);
        }
        let Some(first) = found.first() else {
            if self.reads_poison(body, env) {
                return None;
            }
            let dots = if pack { ".." } else { "" };
            let d = Diagnostic::error("index-range-unknown", span, format!("nothing says how far the index `{dots}{name}` runs"))
                .note("a range comes from the declared type of the left side, or from a read of something that has a name, such as `x[i]`, where the index stands alone and no condition or `or` guards it")
                .help(format!("state it: `sum[{name}: n] ..`, or declare the type on the left: `y[{name}]: [n] = ..`"));
            self.fail(d);
            return None;
        };
        if let Some(other) = found.iter().find(|f| f.dims != first.dims) {
            let text = |f: &Found| {
                if pack { shape_text(&f.dims) } else { f.dims.first().map_or(String::new(), ToString::to_string) }
            };
            let d = Diagnostic::error("index-range-conflict", span, format!("the reads disagree on how far the index `{name}` runs"))
                .label(first.span, format!("here it runs over {}", text(first)))
                .label(other.span, format!("here over {}", text(other)))
                .help(format!("state the range (`sum[{name}: n]`, or a type on the left), and guard the read that is shorter with `or`"));
            self.fail(d);
            return None;
        }
        Some(first.dims.clone())
    }

    /// Puts the left side's dimensions before those of the value.
    fn assemble(&mut self, positions: &[LeftPosition], term: Term, span: Span) -> Term {
        let mut map = vec![];
        let (mut axes, mut dims) = (vec![], vec![]);
        for position in positions {
            let extents: Vec<usize> = position.ids.iter().map(|i| self.extent_of(*i)).collect();
            if position.combined {
                let size = extents.iter().fold(1usize, |n, e| n.saturating_mul(*e));
                let name = position
                    .ids
                    .iter()
                    .map(|i| self.builder().pass.indices[i.0 as usize].name.clone())
                    .collect::<Vec<_>>();
                let axis = self.builder().index(&name.join("_"), Extent::Fixed(size));
                map.extend(split(axis, &position.ids, &extents));
                axes.push(axis);
                dims.push(size);
            } else {
                axes.extend(&position.ids);
                dims.extend(extents);
            }
        }
        let expr = substitute(&term.expr, &map);
        axes.extend(term.axes);
        dims.extend(term.dims);
        Term { axes, dims, expr, origin: span, ..term }
    }

    fn extent_of(&mut self, id: IndexId) -> usize {
        match self.builder().pass.extent(id) {
            Extent::Fixed(n) => n,
            Extent::Batch => 1,
        }
    }

    /// `sum[i, j: n] body`.
    pub(super) fn reduce(
        &mut self,
        op: ReduceOp,
        indices: &'a [ReduceIndex],
        body: &'a ast::Expr,
        span: Span,
        env: &Env<'a>,
    ) -> Entity<'a> {
        if let [ReduceIndex { set: Some(set), name, .. }] = indices {
            return self.reduce_set(op, name, set, body, env);
        }
        let scope = Scope::inside(Some(env));
        let mut over = vec![];
        let mut batch = None;
        let split = indices.iter().any(|i| self.is_sample_index(i, env));
        for index in indices {
            match self.bind_reduced(index, body, &scope, env) {
                Some(ids) if ids == [SAMPLE] => {
                    let fresh = self.builder().index("batch", Extent::Batch);
                    batch = Some(fresh);
                    over.push(fresh);
                }
                Some(ids) => over.extend(ids),
                None => return Entity::Poison,
            }
        }
        if batch.is_none() && matches!(op, ReduceOp::Max | ReduceOp::Min | ReduceOp::Prod | ReduceOp::Logsumexp) {
            self.factors_inside(op, indices, body);
        }
        // The body speaks of the sample at hand, and does not see the index that is put in its place.
        let seen = over.iter().filter(|i| Some(**i) != batch);
        let entity = self.inside(|c| c.active.extend(seen), |s| s.eval(body, &scope));
        let Some(mut term) = self.term(entity, body.span) else { return Entity::Poison };
        if let Some(fresh) = batch {
            term.expr = substitute(&term.expr, &[(SAMPLE, Expr::Index(fresh))]);
        }
        if split { self.over_split(op, over, term, span) } else { self.reduced(op, over, term, span) }
    }

    /// Whether the index is `sample`, which in metrics runs over all samples of a split.
    fn is_sample_index(&self, index: &ReduceIndex, env: &Env<'a>) -> bool {
        self.context.measuring
            && index.name.name == "sample"
            && index.range.is_none()
            && !index.pack
            && env.find("sample").is_none()
    }

    /// A sum over all samples of a split: what a minibatch adds to it is an outcome of the pass, and the sum itself
    /// something that comes from outside.
    fn over_split(&mut self, op: ReduceOp, over: Vec<IndexId>, term: Term, span: Span) -> Entity<'a> {
        if !matches!(op, ReduceOp::Sum | ReduceOp::Mean) {
            let d = Diagnostic::error("wrong-kind", span, "over all samples of a split there are `sum` and `mean`");
            return self.fail(d);
        }
        if self.leaves_of(&term.expr).iter().any(|d| matches!(d, Definition::Total(_))) {
            let message =
                "a sum over all samples cannot use another one, which is not known before all samples are seen";
            let d = Diagnostic::error("not-known-yet", span, message);
            return self.fail(
                d.help("multiply out, so that each sum is of its own: the mean of (x - m)^2 is mean(x^2) - m^2"),
            );
        }
        let one = Term { expr: Expr::Number(1.0), axes: vec![], dims: vec![], kind: Kind::Float, ..term.clone() };
        let sum = self.total(over.clone(), term, span);
        if op == ReduceOp::Sum {
            return sum;
        }
        let count = self.total(over, one, span);
        self.binary(ast::BinaryOp::Div, (sum, span), (count, span))
    }

    fn total(&mut self, over: Vec<IndexId>, term: Term, span: Span) -> Entity<'a> {
        let entity = self.reduced(ReduceOp::Sum, over, term, span);
        let Some(term) = self.term(entity, span) else { return Entity::Poison };
        let name = self.value_name("total");
        let Some((part, mut read)) = self.builder().define(&term, &name, span) else { return Entity::Poison };
        let number = self.builder().pass.outcomes.iter().filter(|(o, _)| matches!(o, Outcome::Total(_))).count();
        let ty = self.builder().pass.v(part).ty.clone();
        self.builder().outcome(Outcome::Total(number), part);
        let whole = self.builder().outside(Definition::Total(number), &format!("{name}.all"), ty, span);
        if let Expr::Read { value, .. } = &mut read.expr {
            *value = whole;
        }
        Entity::Term(read)
    }

    /// What comes from outside the pass and the expression depends on.
    pub fn leaves_of(&mut self, expr: &Expr) -> Vec<Definition> {
        fn reads(expr: &Expr, found: &mut Vec<ValueId>) {
            if let Expr::Read { value, .. } = expr {
                found.push(*value);
            }
            operands(expr, &mut |e| reads(e, found));
        }
        let (mut open, mut seen, mut leaves) = (vec![], BTreeSet::new(), vec![]);
        reads(expr, &mut open);
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            match &self.builder().pass.v(id).definition {
                Definition::Indexed { value, .. } => reads(value, &mut open),
                Definition::Accumulate { at, value, .. } => {
                    at.iter().for_each(|e| reads(e, &mut open));
                    reads(value, &mut open);
                }
                Definition::Delayed { of, initial, .. } => open.extend([*of, *initial]),
                leaf => leaves.push(leaf.clone()),
            }
        }
        leaves
    }

    /// Warns of a factor of the body that does not mention what is reduced. A sum of it is the same either way; of the
    /// others the reader may have meant the factor to stand outside. In parentheses it is meant as it stands.
    fn factors_inside(&mut self, op: ReduceOp, indices: &[ReduceIndex], body: &ast::Expr) {
        let mut factors = vec![];
        split_product(body, &mut factors);
        let mentions = |e: &ast::Expr| indices.iter().any(|i| mentions(e, &i.name.name));
        let Some(outside) = factors.iter().find(|f| factors.len() > 1 && !mentions(f)) else { return };
        let index = &indices[0].name.name;
        let word = match op {
            ReduceOp::Max => "max",
            ReduceOp::Min => "min",
            ReduceOp::Prod => "prod",
            _ => "logsumexp",
        };
        let message = format!("this factor stands inside the `{word}`, though it does not mention `{index}`");
        let d = Diagnostic::warning("factor-in-reduction", outside.span, message)
            .here(format!("the `{word}` takes the whole product"))
            .label(indices[0].name.span, format!("`{index}` is what it runs over"))
            .help(format!(
                "to multiply the result, put the reduction in parentheses or last: `(.. {word}[{index}] ..) * a`"
            ))
            .help("to keep it inside, put the product in parentheses");
        self.sink.add(d);
    }

    fn reduced(&mut self, op: ReduceOp, over: Vec<IndexId>, mut term: Term, span: Span) -> Entity<'a> {
        let truth = matches!(op, ReduceOp::Any | ReduceOp::All);
        if truth && term.kind != Kind::Bool {
            let d = Diagnostic::error("wrong-kind", span, "`any` and `all` take a condition, but this is a number");
            return self.fail(d.help("compare it, such as `any[i] (x[i] > 0)`"));
        }
        let keeps = truth || (matches!(op, ReduceOp::Max | ReduceOp::Min) && term.kind != Kind::Bool);
        if !keeps && term.kind != Kind::Float {
            term.expr = make_unary(Unary::ToFloat, term.expr);
            term.kind = Kind::Float;
        }
        if over.is_empty() {
            // A pack of no dimensions: a scalar reduces to itself.
            return Entity::Term(term);
        }
        term.expr = Expr::Reduce { op, over, body: Box::new(term.expr) };
        term.kind = self.builder().pass.kind_of(&term.expr);
        Entity::Term(Term { origin: span, ..term })
    }

    fn bind_reduced(
        &mut self,
        index: &'a ReduceIndex,
        body: &'a ast::Expr,
        scope: &Env<'a>,
        env: &Env<'a>,
    ) -> Option<Vec<IndexId>> {
        let (name, span) = (&index.name.name, index.name.span);
        if let Some(range) = &index.range {
            if matches!(&range.kind, ExprKind::Name(n) if n == "batch") && env.find("batch").is_none() {
                return Some(vec![self.bind_index(name, span, Extent::Batch, scope)?]);
            }
            let entity = self.eval(range, env);
            if let (true, Entity::Dims(dims)) = (index.pack, &entity) {
                return self.bind_pack(&index.name, dims, scope);
            }
            let extent = self.extent(&entity, range.span)?;
            return Some(vec![self.bind_index(name, span, Extent::Fixed(extent), scope)?]);
        }
        let whole = name == "batch" && !index.pack && env.find(name).is_none();
        if whole || self.is_sample_index(index, env) {
            return Some(vec![SAMPLE]);
        }
        let dims = self.range_from_reads(name, span, index.pack, body, env)?;
        if index.pack {
            return self.bind_pack(&index.name, &dims, scope);
        }
        Some(vec![self.bind_index(name, span, Extent::Fixed(dims[0]), scope)?])
    }

    /// `sum[w in set] e`: written out for each member.
    fn reduce_set(
        &mut self,
        op: ReduceOp,
        name: &'a ast::Ident,
        set: &'a ast::Expr,
        body: &'a ast::Expr,
        env: &Env<'a>,
    ) -> Entity<'a> {
        let members = match self.eval(set, env) {
            Entity::Poison => return Entity::Poison,
            Entity::Set(members) => members,
            other => {
                let d = Diagnostic::error(
                    "wrong-kind",
                    set.span,
                    format!("a set of tensors is needed here, such as `weights(Net)`, but this is {}", other.words()),
                );
                return self.fail(d);
            }
        };
        let mut values: Vec<Entity<'a>> = vec![];
        for member in members.iter() {
            let scope = Scope::inside(Some(env));
            scope.bind(&name.name, Entity::Term(member.term.clone()), name.span);
            values.push(self.eval(body, &scope));
        }
        // Two by two, so that neither the expression nor its rounding grows with every member.
        while values.len() > 1 {
            let mut pairs = values.into_iter();
            let mut joined = vec![];
            while let Some(first) = pairs.next() {
                joined.push(match pairs.next() {
                    Some(second) => self.join_members(op, first, second, body.span),
                    None => first,
                });
            }
            values = joined;
        }
        let empty = match op {
            ReduceOp::Prod => 1.0,
            _ => 0.0,
        };
        let total = values.pop().unwrap_or(Entity::Number(Num::float(empty)));
        if op == ReduceOp::Mean && !members.is_empty() {
            let count = Entity::Number(Num::int(members.len() as i64));
            return self.binary(ast::BinaryOp::Div, (total, body.span), (count, body.span));
        }
        total
    }

    fn join_members(&mut self, op: ReduceOp, a: Entity<'a>, b: Entity<'a>, span: Span) -> Entity<'a> {
        let (a, b) = ((a, span), (b, span));
        match op {
            ReduceOp::Sum | ReduceOp::Mean => self.binary(ast::BinaryOp::Add, a, b),
            ReduceOp::Prod => self.binary(ast::BinaryOp::Mul, a, b),
            ReduceOp::Max => self.extremum(Binary::Max, a, b),
            ReduceOp::Min => self.extremum(Binary::Min, a, b),
            ReduceOp::Any => self.binary(ast::BinaryOp::Or, a, b),
            ReduceOp::All => self.binary(ast::BinaryOp::And, a, b),
            ReduceOp::Argmax | ReduceOp::Logsumexp => self.fail(Diagnostic::error(
                "wrong-kind",
                span,
                "over a set of tensors there are `sum`, `mean`, `prod`, `max`, `min`, `any` and `all`",
            )),
        }
    }
}

/// The parts of a row-major index: `a = (c div rest) mod extent`.
fn split(axis: IndexId, ids: &[IndexId], extents: &[usize]) -> Vec<(IndexId, Expr)> {
    let mut rest = 1i64;
    let mut out = vec![];
    for (n, (id, extent)) in ids.iter().zip(extents).enumerate().rev() {
        let quotient = make_binary(Binary::FloorDiv, Expr::Index(axis), Expr::Int(rest));
        let part = if n == 0 { quotient } else { make_binary(Binary::Mod, quotient, Expr::Int(*extent as i64)) };
        out.push((*id, part));
        rest = rest.saturating_mul(*extent as i64);
    }
    out
}

/// The factors of a product, as far as no parentheses hold them together.
fn split_product<'e>(expr: &'e ast::Expr, out: &mut Vec<&'e ast::Expr>) {
    match &expr.kind {
        ExprKind::Binary { op: ast::BinaryOp::Mul | ast::BinaryOp::Div, left, right } => {
            split_product(left, out);
            split_product(right, out);
        }
        _ => out.push(expr),
    }
}
