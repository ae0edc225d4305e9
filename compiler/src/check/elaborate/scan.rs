//! `scan x_t in xs with h = e { .. }`: a body elaborated once, under an index that runs over the turns.
//!
//! What the body computes has the turn as a dimension like any other, so that its values hold all
//! turns at once; only what it carries refers back, as a value delayed by one turn
//! ([`Definition::Delayed`]). A state of a layer in the body is part of the carry ([`super::states`]).
//! The values of the turns come out stacked, along a first dimension.
//!
//! A scan inside another may depend on what that one carries and the other way round, which no order
//! of whole values satisfies; its turns are written out one by one.

use super::Elaborator;
use super::context::Context;
use super::entity::{Entity, Env, Scope, Term, shape_text};
use super::recurrence::{Carried, ScanForm, Start, Turns, bind_carry, element_at};
use crate::typed::{Definition, Expr, Extent, IndexId, Type, ValueId};
use grammar::ast;
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;
use std::rc::Rc;

/// What one elaboration of the body came to.
enum Walk<'a> {
    Done(Entity<'a>),
    /// The carry begins the same for all samples, and differs after a turn.
    PerSample,
}

impl<'a> Elaborator<'a> {
    /// The value of a `scan`. Whether what is carried differs from sample to sample is known only
    /// after the body; where the first guess is wrong, the body is elaborated anew.
    pub(super) fn scan(&mut self, form: ScanForm<'a>, env: &Env<'a>) -> Entity<'a> {
        let Some(sequence) = self.sequence(form.sequence, env) else { return Entity::Poison };
        let start = match form.carry {
            Some((name, e)) => {
                let entity = self.eval(e, env);
                match self.carry_start(name, entity, e.span) {
                    Some(start) => start,
                    None => return Entity::Poison,
                }
            }
            None => Start { parts: vec![], record: false },
        };
        if self.context.scan.is_some() {
            return self.written_out(form, &sequence, &start, env);
        }
        let per_sample = start.parts.iter().map(|p| &p.1).chain([&sequence.0]).any(|t| self.builder().per_sample(t));
        let before = self.state.clone();
        match self.walk(form, &sequence, &start, per_sample, env) {
            Walk::Done(value) => value,
            Walk::PerSample => {
                self.state = before;
                match self.walk(form, &sequence, &start, true, env) {
                    Walk::Done(value) => value,
                    Walk::PerSample => Entity::Poison,
                }
            }
        }
    }

    /// The elements of a sequence as a term whose first axis is the turn, and how many there are. A number n stands
    /// for 0 to n - 1.
    fn sequence(&mut self, sequence: &'a ast::Expr, env: &Env<'a>) -> Option<(Term, usize)> {
        let entity = self.eval(sequence, env);
        if let Entity::Number(_) = entity {
            let n = self.extent(&entity, sequence.span)?;
            let axis = self.builder().axes(&[n]);
            let term = self.builder().scalar(Expr::Index(axis[0]), sequence.span);
            return Some((Term { axes: axis, dims: vec![n], ..term }, n));
        }
        let term = self.term(entity, sequence.span)?;
        let Some(count) = term.dims.first().copied() else {
            let d =
                Diagnostic::error("wrong-kind", sequence.span, "`scan` walks a sequence, but this is a single number");
            self.fail(d.help("give it a tensor, whose first dimension is walked, or a number of turns"));
            return None;
        };
        let name = self.value_name("sequence");
        Some((self.builder().plain(term, &name, sequence.span), count))
    }

    /// What is carried at first: one tensor, or the fields of a record.
    fn carry_start(&mut self, name: &'a ast::Ident, entity: Entity<'a>, span: Span) -> Option<Start> {
        let record = matches!(entity, Entity::Record(_));
        let fields = match entity {
            Entity::Record(fields) => fields.to_vec(),
            other => vec![(name.name.clone(), other)],
        };
        let mut parts = vec![];
        for (part, entity) in fields {
            parts.push((part, self.float_term(entity, span)?));
        }
        Some(Start { parts, record })
    }

    fn walk(
        &mut self,
        form: ScanForm<'a>,
        (sequence, count): &(Term, usize),
        start: &Start,
        per_sample: bool,
        env: &Env<'a>,
    ) -> Walk<'a> {
        let Some(outer) = self.surroundings(form.span) else { return Walk::Done(Entity::Poison) };
        let turn = self.builder().index(&form.element.name, Extent::Fixed(*count));
        let turns = Rc::new(Turns { turn, count: *count, outer });
        let scope = Scope::inside(Some(env));
        let element = element_at(sequence, Expr::Index(turn));
        scope.bind(&form.element.name, Entity::Term(element), form.element.span);
        let carried: Vec<Carried> = start
            .parts
            .iter()
            .map(|(name, term)| {
                let path = self.value_name(name);
                self.carry(&turns, name, &path, term, per_sample, form.span)
            })
            .collect();
        if let Some((name, first)) = form.carry {
            let reads = carried.iter().map(|c| {
                let read = self.builder().read_over(c.delayed, &turns.inner(), first.span);
                (c.name.clone(), Entity::Term(Term { origin: c.start.origin, ..read }))
            });
            let reads = reads.collect();
            bind_carry(name, reads, start.record, &scope);
        }
        let here = |c: &mut Context| {
            c.active.push(turn);
            c.scan = Some(turns.clone());
        };
        let value = self.inside(here, |s| {
            let value = s.block(form.body, None, &scope);
            s.settle(value, form.body.span)
        });
        let states = std::mem::take(&mut self.carried);
        let result = self.close(form, &turns, (carried, start.record), value, per_sample);
        self.hand_on_states(&turns, &states, form.span);
        result
    }

    /// The indices around us; a scan cannot run for pairs of samples.
    fn surroundings(&mut self, span: Span) -> Option<Vec<IndexId>> {
        let active = self.context.active.clone();
        let batch = active.iter().any(|i| self.builder().pass.extent(*i) == Extent::Batch);
        if batch {
            let message = "`scan` cannot stand inside a reduction over the numbers of samples";
            let d = Diagnostic::error("not-supported", span, message);
            self.fail(d.help(
                "make it a definition of its own, and reduce that: `hs = scan ..`, then `sum[b: batch] (hs@b)[..]`",
            ));
            return None;
        }
        Some(active)
    }

    /// The value of `name` before each turn; what it is after one is filled in at the end.
    pub(super) fn carry(
        &mut self,
        turns: &Turns,
        name: &str,
        path: &str,
        start: &Term,
        per_sample: bool,
        span: Span,
    ) -> Carried {
        let alike = !self.builder().per_sample(start);
        let builder = self.builder();
        let initial = builder.define_over(&turns.outer, start, !alike, &format!("{path}.first"), span);
        let mut dims = builder.pass.v(initial).ty.dims.clone();
        dims.insert(turns.outer.len(), turns.count);
        let ty = Type { per_sample, dims, element: builder.pass.v(initial).ty.element };
        let this = ValueId(builder.pass.values.len() as u32);
        let definition = Definition::Delayed { of: this, initial, turn: turns.outer.len() };
        let delayed = builder.push(&format!("{path}.before"), ty, definition, span);
        Carried { name: name.to_string(), start: start.clone(), delayed }
    }

    /// Compares what a turn makes of the carry with how it began, ties the two, and stacks what comes out.
    fn close(
        &mut self,
        form: ScanForm<'a>,
        turns: &Turns,
        (carried, record): (Vec<Carried>, bool),
        value: Entity<'a>,
        per_sample: bool,
    ) -> Walk<'a> {
        let last = form.body.stmts.last().map_or(form.body.span, |s| s.span);
        let mut ids = vec![];
        for part in &carried {
            let Some(after) = self.after_turn(form, (&part.name, &part.start), record, &value, last) else {
                return Walk::Done(Entity::Poison);
            };
            if self.builder().per_sample(&after) && !per_sample {
                return Walk::PerSample;
            }
            let path = self.value_name(&part.name);
            let id = self.builder().define_over(&turns.inner(), &after, per_sample, &path, last);
            self.builder().tie(part.delayed, id);
            ids.push((part.name.clone(), id));
        }
        let stacked = |s: &mut Self, id| Entity::Term(s.builder().read_over(id, &turns.outer, form.span));
        Walk::Done(match value {
            Entity::Record(fields) => {
                let mut out = vec![];
                for (name, entity) in fields.iter() {
                    let tied = ids.iter().find(|i| i.0 == *name).map(|i| i.1);
                    let id = match tied {
                        Some(id) => Some(id),
                        None => self.output(turns, name, entity.clone(), last),
                    };
                    let Some(id) = id else { return Walk::Done(Entity::Poison) };
                    out.push((name.clone(), stacked(self, id)));
                }
                Entity::Record(Rc::new(out))
            }
            other => {
                let id = ids.first().map(|i| i.1).or_else(|| self.output(turns, "scan", other, last));
                id.map_or(Entity::Poison, |id| stacked(self, id))
            }
        })
    }

    /// What a part of the carry is after a turn.
    pub(super) fn after_turn(
        &mut self,
        form: ScanForm<'a>,
        (part, start): (&str, &Term),
        record: bool,
        value: &Entity<'a>,
        at: Span,
    ) -> Option<Term> {
        let entity = match value {
            Entity::Record(fields) => match fields.iter().find(|f| f.0 == *part) {
                Some((_, entity)) => entity.clone(),
                None => {
                    let message = format!("this record has no field `{part}`, which the scan carries on");
                    let name = form.carry.map_or(form.span, |c| c.0.span);
                    let d = Diagnostic::error("wrong-kind", at, message).label(name, "carried from here");
                    self.fail(d.help(format!("add it: `{{ {part} = .., .. }}`")));
                    return None;
                }
            },
            Entity::Poison => return None,
            other if !record => other.clone(),
            other => {
                let message = format!("the scan carries a record on, but its body ends in {}", other.words());
                let d = Diagnostic::error("wrong-kind", at, message);
                self.fail(
                    d.help(format!("let the last line be a record with the same fields: `{{ {} = .., .. }}`", part)),
                );
                return None;
            }
        };
        let after = self.float_term(entity, at)?;
        if after.dims != start.dims {
            let (was, is) = (shape_text(&start.dims), shape_text(&after.dims));
            let message = format!("`{part}` begins with shape {was} and has {is} after a turn");
            let begins = form.carry.map_or(form.span, |c| c.1.span);
            let d = Diagnostic::error("shape-mismatch", at, message)
                .here(format!("a turn makes {is} of it"))
                .label(begins, format!("it begins as {was}"))
                .help("what a scan carries keeps its shape; in a `for` it may change");
            self.fail(d);
            return None;
        }
        Some(after)
    }

    /// A value of each turn that is not carried on.
    fn output(&mut self, turns: &Turns, name: &str, entity: Entity<'a>, span: Span) -> Option<ValueId> {
        let term = self.term(entity, span)?;
        let path = self.value_name(name);
        let per_sample = self.builder().per_sample(&term);
        Some(self.builder().define_over(&turns.inner(), &term, per_sample, &path, span))
    }
}
