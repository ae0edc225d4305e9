//! The figures that an epoch ends with, `valid.loss`: which there are, and their values in a schedule or a rule.

use super::Elaborator;
use super::entity::{Entity, PassKind};
use crate::check::report::nearest;
use crate::check::resolve::LOSS;
use crate::typed::{Outcome, Supplied};
use grammar::ast;
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;

impl<'a> Elaborator<'a> {
    /// `valid.loss` in a schedule or rule: the figure of the last epoch.
    pub(super) fn figure(&mut self, split: &str, field: &ast::Ident, span: Span) -> Entity<'a> {
        if let Some(d) = self.no_figure(split, field, span) {
            return self.fail(d);
        }
        let figure = (split.to_string(), field.name.clone());
        let number = self.tables.figures.iter().position(|f| *f == figure).unwrap_or_else(|| {
            self.tables.figures.push(figure);
            self.tables.figures.len() - 1
        });
        Entity::Term(self.supplied(Supplied::Figure(number), span))
    }

    /// What is wrong where an epoch does not end with this figure of this split.
    pub fn no_figure(&self, split: &str, field: &ast::Ident, span: Span) -> Option<Diagnostic> {
        let splits = self.train.as_ref().map_or_else(Vec::new, |t| t.splits.clone());
        if !splits.contains(&split) {
            let known: Vec<String> = splits.iter().map(|s| format!("`{s}`")).collect();
            let message = format!("there are no figures of a split `{split}` at the end of an epoch");
            let d = Diagnostic::error("unknown-name", span, message)
                .note(format!("there are those of {}", known.join(" and ")));
            return Some(if split == "valid" { d.help("set samples aside: `valid = split(0.1)`") } else { d });
        }
        self.not_reported(field)
    }

    /// What is wrong where the block reports no figure of this name.
    pub fn not_reported(&self, field: &ast::Ident) -> Option<Diagnostic> {
        let reported = self.builders[PassKind::Training as usize].pass.outcomes.iter().filter_map(|(o, _)| match o {
            Outcome::Metric(name) | Outcome::Report(name) => Some(name.clone()),
            _ => None,
        });
        let mut known: Vec<String> = self.tables.objectives.iter().cloned().chain(reported).collect();
        if self.tables.objectives.len() > 1 {
            known.insert(0, LOSS.to_string());
        }
        if known.contains(&field.name) {
            return None;
        }
        let message = format!("no figure `{}` is reported", field.name);
        let mut d = Diagnostic::error("unknown-name", field.span, message);
        if let Some(near) = nearest(&field.name, known.iter().map(String::as_str)) {
            d = d.fix(format!("did you mean `{near}`?"), field.span, near);
        }
        Some(d.note(format!("there are {}", known.join(", "))))
    }
}
