//! The models of a train block.

use super::TrainBlock;
use crate::check::resolve::{body_children, children};
use grammar::ast::{self, CallableKind, ExprKind};
use grammar::span::Span;
use std::collections::BTreeSet;

/// The models found, and the callables looked into for them.
#[derive(Default)]
struct Models<'a> {
    models: BTreeSet<&'a str>,
    seen: BTreeSet<Span>,
}

impl<'a> TrainBlock<'a> {
    /// The models that the block uses itself or through layers and functions; those inside a model have its name before
    /// theirs.
    pub(super) fn models_of(&self, block: &'a ast::Train) -> BTreeSet<&'a str> {
        let mut found = Models::default();
        block.entries.iter().for_each(|entry| self.models_in(&entry.value, &mut found));
        found.models
    }

    fn models_in(&self, expr: &'a ast::Expr, found: &mut Models<'a>) {
        if let ExprKind::Name(name) = &expr.kind
            && let Some(callable) = self.elaborator.items.callable(name, expr.span)
        {
            if callable.kind == CallableKind::Model {
                found.models.insert(name);
            } else if found.seen.insert(callable.span) {
                body_children(&callable.body, &mut |e| self.models_in(e, found));
            }
        }
        children(expr, &mut |e| self.models_in(e, found));
    }
}
