//! The parts of a `scan`: as written, while it is elaborated, and what it carries.

use super::entity::{Entity, Env, Term};
use crate::typed::expr::substitute;
use crate::typed::{Expr, IndexId, ValueId};
use grammar::ast;
use grammar::span::Span;
use std::rc::Rc;

/// The parts of a `scan` as written.
#[derive(Clone, Copy)]
pub(super) struct ScanForm<'a> {
    /// The name of the element.
    pub element: &'a ast::Ident,
    /// What is walked.
    pub sequence: &'a ast::Expr,
    /// The name carried and where it begins.
    pub carry: Option<&'a (ast::Ident, Box<ast::Expr>)>,
    /// What is done in every turn.
    pub body: &'a ast::Block,
    /// The whole.
    pub span: Span,
}

/// The indices of a scan.
pub struct Turns {
    /// The index of the turn.
    pub turn: IndexId,
    /// How many turns.
    pub count: usize,
    /// The indices around the scan, which everything it carries has as its first dimensions.
    pub outer: Vec<IndexId>,
}

impl Turns {
    /// The indices that everything in the body may depend on.
    pub fn inner(&self) -> Vec<IndexId> {
        self.outer.iter().copied().chain([self.turn]).collect()
    }
}

/// What a scan carries at first.
pub(super) struct Start {
    /// The tensor, or the fields of the record.
    pub parts: Vec<(String, Term)>,
    /// Whether it was written as a record.
    pub record: bool,
}

/// A tensor that is carried, or one field of a record that is.
pub(super) struct Carried {
    /// Its name.
    pub name: String,
    /// What it is before the first turn.
    pub start: Term,
    /// Its value before each turn.
    pub delayed: ValueId,
}

/// A state within a scan.
pub(super) struct CarriedState {
    /// By its place among the states.
    pub number: usize,
    /// Its value before the first turn.
    pub initial: ValueId,
    /// Its value before each turn.
    pub delayed: ValueId,
    /// The read of that in the body.
    pub read: Term,
}

/// An element of a sequence.
pub(super) fn element_at(sequence: &Term, turn: Expr) -> Term {
    Term {
        axes: sequence.axes[1..].to_vec(),
        dims: sequence.dims[1..].to_vec(),
        expr: substitute(&sequence.expr, &[(sequence.axes[0], turn)]),
        ..sequence.clone()
    }
}

/// Binds what a turn begins with under the name of the carry.
pub(super) fn bind_carry<'a>(name: &ast::Ident, mut parts: Vec<(String, Entity<'a>)>, record: bool, scope: &Env<'a>) {
    let value = if record { Entity::Record(Rc::new(parts)) } else { parts.pop().map_or(Entity::Nothing, |p| p.1) };
    scope.bind(&name.name, value, name.span);
}
