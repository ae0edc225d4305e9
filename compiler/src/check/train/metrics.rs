//! What comes out of the forward passes beside the objectives: metrics, and locals that can be asked for by name.

use super::TrainBlock;
use crate::check::elaborate::{Entity, PassKind, Progress};
use crate::check::resolve::LOSS;
use crate::typed::{Definition, Outcome};
use grammar::ast::{self, ExprKind, TrainEntry};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;

impl<'a> TrainBlock<'a> {
    /// `metrics = { name = e }`, or a single call, named after what is called.
    pub(super) fn metrics(&mut self, entry: &'a TrainEntry) {
        let single;
        let list: Vec<(&str, &'a ast::Expr)> = match &entry.value.kind {
            ExprKind::Record(fields) => fields.iter().map(|(n, e)| (n.name.as_str(), e)).collect(),
            ExprKind::Call { callee, .. } => {
                single = match &callee.kind {
                    ExprKind::Name(n) => n.as_str(),
                    _ => "metric",
                };
                vec![(single, &entry.value)]
            }
            _ => {
                let d = Diagnostic::error("wrong-kind", entry.value.span, "metrics are a record of names and values");
                self.fail(d.help("write `metrics = { name = expression }`"));
                return;
            }
        };
        for (name, expr) in list {
            // Once is enough: both passes come here.
            if self.elaborator.pass() == PassKind::Training
                && (name == LOSS || self.elaborator.tables.objectives.iter().any(|o| o == name))
            {
                self.figure_taken(name, expr.span);
            }
            let entity = self.elaborator.inside(|c| c.measuring = true, |e| e.eval(expr, &self.env));
            self.metric(name, expr, entity);
        }
    }

    /// A metric is the mean of its value over the samples; one made of sums over `sample` is computed once, of these.
    fn metric(&mut self, name: &str, expr: &'a ast::Expr, entity: Entity<'a>) {
        let span = expr.span;
        if let Entity::Term(term) = &entity {
            let leaves = self.elaborator.leaves_of(&term.expr);
            let total = |d: &Definition| matches!(d, Definition::Total(_));
            if leaves.iter().any(total) {
                if leaves.iter().all(total) && !self.elaborator.builder().per_sample(term) {
                    let Some(term) = self.elaborator.float_term(entity, span) else { return };
                    self.elaborator.outcome(Outcome::Report(name.to_string()), &term, name, span);
                } else {
                    let message = "a metric of a whole split is made of its sums over `sample` alone";
                    let d = Diagnostic::error("wrong-kind", span, message)
                        .here("this also depends on single samples or on parameters");
                    self.fail(d.help("take the sum or mean of that as well: `mean[sample] ..`"));
                }
                return;
            }
        }
        if let Some(term) = self.single_number(entity, span, "a metric") {
            self.elaborator.outcome(Outcome::Metric(name.to_string()), &term, name, span);
        }
    }

    /// Locals that are tensors can be asked for by name, and so can the fields of records.
    pub(super) fn outputs(&mut self) {
        let Some(train) = &self.elaborator.train else { return };
        let done: Vec<_> = train
            .progress
            .iter()
            .zip(&train.block.entries)
            .filter_map(|(p, e)| match p {
                Progress::Done(entity) => Some((entity.clone(), e.lhs.name.clone())),
                _ => None,
            })
            .collect();
        for (entity, name) in done {
            self.named_output(&entity, &name.name, name.span);
        }
    }

    fn named_output(&mut self, entity: &Entity<'a>, name: &str, span: Span) {
        match entity {
            Entity::Term(term) => self.elaborator.outcome(Outcome::Output(name.to_string()), term, name, span),
            Entity::Record(fields) => {
                fields.iter().for_each(|(field, value)| self.named_output(value, &format!("{name}.{field}"), span));
            }
            _ => {}
        }
    }
}
