//! Generated data, by a rule: `for a: 97, b: 97 { x: [2] of class(97) = [a, b] }`.
//!
//! In: the indices and the lines of a rule. Out: its fields, and a pass whose values have the
//! rule's indices as their first dimensions: a sample for each combination, the last index fastest.

use super::DataBlock;
use crate::check::elaborate::{Declared, Entity, Env, PassKind, Scope, Term};
use crate::typed::prune::pruned;
use crate::typed::{Element, Extent, Field, Generated, IndexId, Outcome, Type};
use grammar::ast::{self, DataEntry};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;

/// Samples of a rule beyond which it is refused.
const MOST_SAMPLES: usize = 1 << 24;

impl<'a> DataBlock<'_, 'a> {
    /// Elaborates a rule; `None` after an error.
    pub(super) fn generated(
        &mut self,
        indices: &'a [(ast::Ident, ast::Expr)],
        entries: &'a [DataEntry],
        span: Span,
    ) -> Option<(Generated, Vec<Field>)> {
        self.elaborator.begin(PassKind::Evaluation);
        let scope = Scope::inside(None);
        let over = self.rule_indices(indices, &scope)?;
        let count = over.iter().try_fold(1usize, |n, i| n.checked_mul(i.1)).filter(|n| *n <= MOST_SAMPLES);
        let Some(count) = count else {
            let message = format!("this rule makes more than {MOST_SAMPLES} samples");
            self.fail(Diagnostic::error("too-large", span, message).help("shorten the ranges"));
            return None;
        };
        let over: Vec<IndexId> = over.into_iter().map(|i| i.0).collect();
        let errors = self.elaborator.sink.errors();
        let fields: Vec<Field> = self.elaborator.inside(
            |c| c.active.clone_from(&over),
            |elaborator| {
                let mut block = DataBlock { elaborator };
                entries.iter().filter_map(|e| block.rule_entry(e, &over, &scope)).collect()
            },
        );
        let pass = std::mem::take(&mut self.elaborator.builder().pass);
        (self.elaborator.sink.errors() == errors).then(|| (Generated { count, pass: pruned(pass) }, fields))
    }

    fn rule_indices(
        &mut self,
        indices: &'a [(ast::Ident, ast::Expr)],
        scope: &Env<'a>,
    ) -> Option<Vec<(IndexId, usize)>> {
        let mut over = vec![];
        for (name, range) in indices {
            let entity = self.elaborator.eval(range, scope);
            let extent = self.elaborator.extent(&entity, range.span)?;
            over.push((self.elaborator.bind_index(&name.name, name.span, Extent::Fixed(extent), scope)?, extent));
        }
        Some(over)
    }

    /// A field of the rule, or a local that its fields use.
    fn rule_entry(&mut self, entry: &'a DataEntry, over: &[IndexId], scope: &Env<'a>) -> Option<Field> {
        match entry {
            DataEntry::Setting { name, value } => {
                let entity = self.elaborator.eval(value, scope);
                let entity = self.elaborator.shared(entity, &name.name, name.span);
                self.elaborator.bind_once(name, entity, scope);
                None
            }
            DataEntry::Field { name, ty, value } => {
                let declared = self.elaborator.declared(ty, scope)?;
                let entity = self.elaborator.eval(value, scope);
                let entity = self.elaborator.as_declared(&declared, entity, value.span);
                let what = format!("the field `{}`", name.name);
                if !self.elaborator.conforms(&declared, &entity, value.span, &what) {
                    return None;
                }
                let Declared::Tensor { dims, element, .. } = declared else { return None };
                let term = match element {
                    Element::Number => self.elaborator.float_term(entity, value.span)?,
                    _ => self.elaborator.term(entity, value.span)?,
                };
                self.elaborator.bind_once(name, Entity::Term(term.clone()), scope);
                self.rule_column(name, &term, over);
                let ty = Type { per_sample: true, dims, element };
                let columns = vec![name.name.clone()];
                Some(Field { name: name.name.clone(), ty, columns, transforms: vec![], span: name.span })
            }
            DataEntry::Rule { span, .. } => {
                let d = Diagnostic::error("not-supported", *span, "a rule cannot stand inside a rule");
                self.fail(d.help("give one rule all the indices: `for a: 97, b: 97 { .. }`"));
                None
            }
            DataEntry::Error(_) => {
                self.elaborator.broken = true;
                None
            }
        }
    }

    /// A field of all samples as an outcome of the pass.
    fn rule_column(&mut self, name: &ast::Ident, term: &Term, over: &[IndexId]) {
        let builder = self.elaborator.builder();
        let id = builder.define_over(over, term, false, &name.name, name.span);
        builder.outcome(Outcome::Output(name.name.clone()), id);
    }
}
