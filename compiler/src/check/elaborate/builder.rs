//! Writes one pass of the typed tree: fresh indices, values in order of definition, and the
//! reads of what lies outside the pass (fields, parameters, states), each made once.

use super::entity::{PassKind, Term};
use crate::scalar::{Binary, Kind};
use crate::typed::bounds;
use crate::typed::expr::{free, is_small, substitute, unary};
use crate::typed::{Definition, Element, Expr, Extent, Index, IndexId, Outcome, Pass, SAMPLE, Type, Value, ValueId};
use grammar::span::Span;
use std::collections::{BTreeMap, BTreeSet};

/// A pass under construction.
pub struct Builder {
    /// Which one.
    pub kind: PassKind,
    /// What stands so far.
    pub pass: Pass,
    /// Values that read something outside the pass by name, so that each is made once.
    outside: BTreeMap<String, Vec<ValueId>>,
    /// Where each outcome stands.
    outcomes: BTreeMap<Outcome, usize>,
    /// Values that [`Self::give`] has made, until something in the source names them.
    unnamed: BTreeSet<ValueId>,
}

impl Builder {
    /// An empty pass.
    pub fn new(kind: PassKind) -> Self {
        let sample = Index { name: "batch".into(), extent: Extent::Batch };
        let pass = Pass { indices: vec![sample], ..Pass::default() };
        let (outside, outcomes) = (BTreeMap::new(), BTreeMap::new());
        Self { kind, pass, outside, outcomes, unnamed: BTreeSet::new() }
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

    /// A scalar as a term of this pass.
    pub fn scalar(&self, expr: Expr, origin: Span) -> Term {
        let kind = self.pass.kind_of(&expr);
        Term { axes: vec![], dims: vec![], expr, kind, origin, pass: self.kind }
    }

    /// A whole value as a term with fresh axes.
    pub fn read(&mut self, value: ValueId, origin: Span) -> Term {
        self.read_over(value, &[], origin)
    }

    /// The value of something outside the pass; made at the first call.
    pub fn outside(&mut self, definition: Definition, name: &str, ty: Type, span: Span) -> ValueId {
        let known = self.outside.get(name).map_or(&[][..], Vec::as_slice);
        if let Some(id) = known.iter().copied().find(|id| self.pass.v(*id).definition == definition) {
            return id;
        }
        let id = self.push(name, ty, definition, span);
        self.outside.entry(name.to_string()).or_default().push(id);
        id
    }

    /// Adds a value.
    pub fn push(&mut self, name: &str, ty: Type, definition: Definition, span: Span) -> ValueId {
        self.pass.values.push(Value { name: name.into(), ty, definition, span, per_microbatch: false, given: false });
        ValueId((self.pass.values.len() - 1) as u32)
    }

    /// The value that has come out so far for a purpose.
    pub fn known_outcome(&self, outcome: &Outcome) -> Option<ValueId> {
        self.outcomes.get(outcome).map(|place| self.pass.outcomes[*place].1)
    }

    /// Adds an outcome, in place of an earlier one of the same purpose.
    pub fn outcome(&mut self, outcome: Outcome, value: ValueId) {
        match self.outcomes.get(&outcome) {
            Some(place) => self.pass.outcomes[*place].1 = value,
            None => {
                self.outcomes.insert(outcome.clone(), self.pass.outcomes.len());
                self.pass.outcomes.push((outcome, value));
            }
        }
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
            Kind::Int if self.counts_samples(expr) => Element::Sample,
            Kind::Int => match bounds::interval(&self.pass, expr) {
                (0.., high) if high < i64::from(i32::MAX) => Element::Class(high as usize + 1),
                _ => Element::Number,
            },
        }
    }

    /// Whether a whole number is that of a sample of the minibatch.
    pub fn counts_samples(&self, expr: &Expr) -> bool {
        let over_batch = |id: &IndexId| self.pass.extent(*id) == Extent::Batch;
        match expr {
            Expr::Index(id) => over_batch(id),
            Expr::Read { value, otherwise: None, .. } => self.pass.v(*value).ty.element == Element::Sample,
            Expr::Reduce { op: crate::typed::ReduceOp::Argmax, over, .. } => {
                matches!(&over[..], [id] if over_batch(id))
            }
            Expr::Binary(Binary::Mod, _, n) => **n == Expr::BatchSize,
            Expr::Select(_, a, b) => self.counts_samples(a) && self.counts_samples(b),
            _ => false,
        }
    }

    /// Makes a term a value of its own, lifted over the indices of its surroundings that it
    /// mentions, and returns the read of it. `None` if the surroundings have two batch indices,
    /// which no value has; the term may then be written out instead.
    pub fn define(&mut self, term: &Term, name: &str, span: Span) -> Option<(ValueId, Term)> {
        let outer: Vec<IndexId> = free(&term.expr).into_iter().filter(|i| !term.axes.contains(i)).collect();
        let (samples, lifted): (Vec<_>, Vec<_>) =
            outer.into_iter().partition(|i| self.pass.extent(*i) == Extent::Batch);
        let sample = match samples[..] {
            [] => None,
            [one] => Some(one),
            _ => return None,
        };
        let other = sample.filter(|s| *s != SAMPLE);
        let mut alone = term.clone();
        if let Some(id) = other {
            alone.expr = substitute(&alone.expr, &[(id, Expr::Index(SAMPLE))]);
        }
        let id = self.define_over(&lifted, &alone, sample.is_some(), name, span);
        let mut read = self.read_over(id, &lifted, span);
        if let Some(id) = other {
            read.expr = substitute(&read.expr, &[(SAMPLE, Expr::Index(id))]);
        }
        Some((id, read))
    }

    /// Makes a term a value over the indices `outer`, mentioned or not, and its own axes.
    pub fn define_over(&mut self, outer: &[IndexId], term: &Term, per_sample: bool, name: &str, span: Span) -> ValueId {
        let indices: Vec<IndexId> = outer.iter().chain(&term.axes).copied().collect();
        let dims = indices.iter().filter_map(|i| match self.pass.extent(*i) {
            Extent::Fixed(n) => Some(n),
            Extent::Batch => None,
        });
        let dims = dims.collect();
        let element = self.element(&term.expr, term.kind);
        let value = match element.kind() == term.kind {
            true => term.expr.clone(),
            false => unary(crate::scalar::Unary::ToFloat, term.expr.clone()),
        };
        self.push(name, Type { per_sample, dims, element }, Definition::Indexed { indices, value }, span)
    }

    /// A value at the indices `outer`, as a term over its other dimensions.
    pub fn read_over(&mut self, value: ValueId, outer: &[IndexId], origin: Span) -> Term {
        let ty = self.pass.v(value).ty.clone();
        let dims = ty.dims[outer.len()..].to_vec();
        let axes = self.axes(&dims);
        let sample = ty.per_sample.then_some(SAMPLE);
        let at = sample.iter().chain(outer).chain(&axes).map(|i| Expr::Index(*i)).collect();
        let expr = Expr::Read { value, at, otherwise: None };
        Term { axes, dims, expr, kind: ty.element.kind(), origin, pass: self.kind }
    }

    /// Says what a delayed value is one turn later.
    pub fn tie(&mut self, delayed: ValueId, later: ValueId) {
        if let Definition::Delayed { of, .. } = &mut self.pass.values[delayed.0 as usize].definition {
            *of = later;
        }
    }

    /// What a delayed value is before the first turn.
    pub fn first_of(&self, delayed: ValueId) -> ValueId {
        match self.pass.v(delayed).definition {
            Definition::Delayed { initial, .. } => initial,
            _ => delayed,
        }
    }

    /// Makes a delayed value that no turn changes what it is before the first.
    pub fn untie(&mut self, delayed: ValueId, outer: &[IndexId], turn: IndexId) {
        let read = self.read_over(self.first_of(delayed), outer, self.pass.v(delayed).span);
        let indices = outer.iter().chain([&turn]).chain(&read.axes).copied().collect();
        self.pass.values[delayed.0 as usize].definition = Definition::Indexed { indices, value: read.expr };
    }

    /// Makes a term a value unless it is a plain read, a constant or small and scalar.
    pub fn share(&mut self, term: Term, name: &str, span: Span) -> Term {
        let small = term.axes.is_empty() && is_small(&term.expr);
        self.call(&term, name, span);
        if small || self.is_plain(&term) {
            return term;
        }
        let origin = term.origin;
        self.define(&term, name, span).map_or(term, |d| Term { origin, ..d.1 })
    }

    /// The term as a plain read, so that positions can be put in place of its axes.
    pub fn plain(&mut self, term: Term, name: &str, span: Span) -> Term {
        self.call(&term, name, span);
        if self.is_plain(&term) {
            return term;
        }
        let origin = term.origin;
        self.define(&term, name, span).map_or(term, |d| Term { origin, ..d.1 })
    }

    /// The term as a read of a value that is marked as what a layer or model gives.
    pub fn give(&mut self, term: Term, name: &str, span: Span) -> Term {
        let known = self.pass.values.len();
        let term = self.plain(term, name, span);
        if let (Expr::Read { value, .. }, true) = (&term.expr, self.is_plain(&term)) {
            self.pass.values[value.0 as usize].given = true;
            if value.0 as usize >= known {
                self.unnamed.insert(*value);
            }
        }
        term
    }

    /// Gives a value that nothing has named the name under which it is used first.
    fn call(&mut self, term: &Term, name: &str, span: Span) {
        if let Some(id) = self.whole(term).filter(|id| self.unnamed.remove(id)) {
            let value = &mut self.pass.values[id.0 as usize];
            (value.name, value.span) = (name.into(), span);
        }
    }

    /// Whether the term differs from sample to sample.
    pub fn per_sample(&self, term: &Term) -> bool {
        free(&term.expr).contains(&SAMPLE)
    }
}
