//! Writes one pass of the typed tree: fresh indices, values in order of definition, and the
//! reads of what lies outside the pass (fields, parameters, states), each made once.

use super::bounds;
use super::entity::{PassKind, Term};
use super::expr::{free, is_small, substitute};
use crate::scalar::Kind;
use crate::typed::{Definition, Element, Expr, Extent, Index, IndexId, Outcome, Pass, SAMPLE, Type, Value, ValueId};
use grammar::span::Span;

/// A pass under construction.
pub(super) struct Builder {
    /// Which one.
    pub kind: PassKind,
    /// What stands so far.
    pub pass: Pass,
    /// Values that read something outside the pass, so that each is made once.
    outside: Vec<(Definition, ValueId)>,
    /// Whether the statement at hand ends with `per microbatch`.
    pub per_microbatch: bool,
}

impl Builder {
    /// An empty pass.
    pub fn new(kind: PassKind) -> Self {
        let sample = Index { name: "batch".into(), extent: Extent::Batch };
        Self { kind, pass: Pass { indices: vec![sample], ..Pass::default() }, outside: vec![], per_microbatch: false }
    }

    /// A new index.
    pub fn index(&mut self, name: &str, extent: Extent) -> IndexId {
        self.pass.indices.push(Index { name: name.into(), extent });
        IndexId((self.pass.indices.len() - 1) as u32)
    }

    /// New indices, one for each extent.
    pub fn axes(&mut self, dims: &[usize]) -> Vec<IndexId> {
        dims.iter().enumerate().map(|(k, d)| self.index(&format!("a{k}"), Extent::Fixed(*d))).collect()
    }

    /// How far an index runs.
    pub fn extent(&self, id: IndexId) -> Extent {
        self.pass.indices[id.0 as usize].extent
    }

    /// The scalar kind of an expression.
    pub fn kind_of(&self, expr: &Expr) -> Kind {
        match expr {
            Expr::Number(_) => Kind::Float,
            Expr::Int(_) | Expr::Index(_) | Expr::BatchSize => Kind::Int,
            Expr::Bool(_) => Kind::Bool,
            Expr::Read { value, .. } => self.pass.v(*value).ty.element.kind(),
            Expr::Unary(op, a) => op.result(self.kind_of(a)),
            Expr::Binary(op, a, _) => op.result(self.kind_of(a)),
            Expr::Select(_, a, _) => self.kind_of(a),
            Expr::Reduce { op, body, .. } => match op {
                crate::typed::ReduceOp::Argmax => Kind::Int,
                _ => self.kind_of(body),
            },
        }
    }

    /// A scalar as a term of this pass.
    pub fn scalar(&self, expr: Expr, origin: Span) -> Term {
        let kind = self.kind_of(&expr);
        Term { axes: vec![], dims: vec![], expr, kind, origin, pass: self.kind }
    }

    /// A whole value as a term with fresh axes.
    pub fn read(&mut self, value: ValueId, origin: Span) -> Term {
        let ty = self.pass.v(value).ty.clone();
        let axes = self.axes(&ty.dims);
        let sample = ty.per_sample.then_some(SAMPLE);
        let at = sample.iter().chain(&axes).map(|i| Expr::Index(*i)).collect();
        let expr = Expr::Read { value, at, otherwise: None };
        Term { axes, dims: ty.dims, expr, kind: ty.element.kind(), origin, pass: self.kind }
    }

    /// The value of something outside the pass; made at the first call.
    pub fn outside(&mut self, definition: Definition, name: &str, ty: Type, span: Span) -> ValueId {
        if let Some((_, id)) = self.outside.iter().find(|o| o.0 == definition) {
            return *id;
        }
        let id = self.push(name, ty, definition.clone(), span);
        self.outside.push((definition, id));
        id
    }

    /// Adds a value.
    pub fn push(&mut self, name: &str, ty: Type, definition: Definition, span: Span) -> ValueId {
        let per_microbatch = self.per_microbatch;
        self.pass.values.push(Value { name: name.into(), ty, definition, span, per_microbatch });
        ValueId((self.pass.values.len() - 1) as u32)
    }

    /// Adds an outcome, in place of an earlier one of the same purpose.
    pub fn outcome(&mut self, outcome: Outcome, value: ValueId) {
        self.pass.outcomes.retain(|o| o.0 != outcome);
        self.pass.outcomes.push((outcome, value));
    }

    /// Whether the term is a read of consecutive trailing dimensions of a value, in order, so that
    /// positions can be put in the place of its axes.
    pub fn is_plain(&self, term: &Term) -> bool {
        let Expr::Read { at, otherwise: None, .. } = &term.expr else { return false };
        let lead = at.len().checked_sub(term.axes.len());
        lead.is_some_and(|lead| {
            at[lead..].iter().zip(&term.axes).all(|(e, a)| *e == Expr::Index(*a))
                && at[..lead].iter().all(|e| free(e).iter().all(|i| !term.axes.contains(i)))
        })
    }

    /// The value a term reads whole, if it is no more than that.
    pub fn whole(&self, term: &Term) -> Option<ValueId> {
        let Expr::Read { value, at, otherwise: None } = &term.expr else { return None };
        let sample = self.pass.v(*value).ty.per_sample.then_some(SAMPLE);
        let expected: Vec<_> = sample.iter().chain(&term.axes).map(|i| Expr::Index(*i)).collect();
        (*at == expected).then_some(*value)
    }

    /// What the elements of an expression are, as stored.
    pub fn element(&self, expr: &Expr, kind: Kind) -> Element {
        match kind {
            Kind::Float => Element::Number,
            Kind::Bool => Element::Bool,
            Kind::Int => match bounds::interval(self, expr) {
                (0.., high) if high < i64::from(i32::MAX) => Element::Class(high as usize + 1),
                _ => Element::Number,
            },
        }
    }

    /// Makes a term a value of its own, lifted over the indices of its surroundings that it
    /// mentions, and returns the read of it. `None` if the surroundings have two batch indices,
    /// which no value has; the term may then be written out instead.
    pub fn define(&mut self, term: &Term, name: &str, span: Span) -> Option<(ValueId, Term)> {
        let outer: Vec<IndexId> = free(&term.expr).into_iter().filter(|i| !term.axes.contains(i)).collect();
        let (samples, lifted): (Vec<_>, Vec<_>) = outer.into_iter().partition(|i| self.extent(*i) == Extent::Batch);
        let sample = match samples[..] {
            [] => None,
            [one] => Some(one),
            _ => return None,
        };
        let mut expr = term.expr.clone();
        if let Some(id) = sample.filter(|s| *s != SAMPLE) {
            expr = substitute(&expr, &[(id, Expr::Index(SAMPLE))]);
        }
        let indices: Vec<IndexId> = lifted.iter().chain(&term.axes).copied().collect();
        let dims = indices.iter().filter_map(|i| match self.extent(*i) {
            Extent::Fixed(n) => Some(n),
            Extent::Batch => None,
        });
        let element = self.element(&term.expr, term.kind);
        if element.kind() != term.kind {
            expr = super::expr::unary(crate::scalar::Unary::ToFloat, expr);
        }
        let ty = Type { per_sample: sample.is_some(), dims: dims.collect(), element };
        let id = self.push(name, ty, Definition::Indexed { indices, value: expr }, span);
        let axes = self.axes(&term.dims);
        let at = sample.iter().chain(&lifted).chain(&axes).map(|i| Expr::Index(*i)).collect();
        let expr = Expr::Read { value: id, at, otherwise: None };
        let read = Term { axes, expr, kind: element.kind(), origin: span, dims: term.dims.clone(), pass: self.kind };
        Some((id, read))
    }

    /// Makes a term a value unless it is a plain read, a constant or small and scalar.
    pub fn share(&mut self, term: Term, name: &str, span: Span) -> Term {
        let small = term.axes.is_empty() && is_small(&term.expr);
        if small || self.is_plain(&term) {
            return term;
        }
        let origin = term.origin;
        self.define(&term, name, span).map_or(term, |d| Term { origin, ..d.1 })
    }

    /// The term as a plain read, so that positions can be put in place of its axes.
    pub fn plain(&mut self, term: Term, name: &str, span: Span) -> Term {
        if self.is_plain(&term) {
            return term;
        }
        let origin = term.origin;
        self.define(&term, name, span).map_or(term, |d| Term { origin, ..d.1 })
    }

    /// Whether the term differs from sample to sample.
    pub fn per_sample(&self, term: &Term) -> bool {
        free(&term.expr).contains(&SAMPLE)
    }
}
