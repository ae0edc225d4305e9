//! From the syntax tree to the typed tree: names, dimensions, shapes, ranges and bounds, with
//! diagnostics in plain words. Each `train` block is elaborated by an abstract interpreter that
//! inlines every call with concrete dimensions.
//!
//! In: a program and the library, parsed. Out: a [`typed::Train`] for every train block without
//! errors, and a list of diagnostics. What must hold: a block is left out only if an error says
//! why, and an error never causes a second one.

mod apply;
mod bounds;
mod builder;
mod calls;
pub mod codes;
mod data;
mod dims;
mod draws;
mod elaborate;
mod entity;
mod eval;
mod expr;
mod finish;
pub mod function;
mod indexed;
mod items;
mod names;
mod number;
mod operators;
pub mod print;
mod ranges;
mod reads;
mod report;
mod sets;
mod settings;
mod statements;
mod train;
mod update;

use crate::typed;
use elaborate::Elaborator;
use grammar::ast;
use grammar::diagnostic::Diagnostic;
use grammar::span::{SourceId, Sources};
use items::Items;
use report::Sink;
use std::collections::BTreeSet;

/// What could be checked.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// The train blocks without errors, in the order of the text.
    pub trains: Vec<typed::Train>,
}

/// Checks a program against a library.
#[must_use]
pub fn check(_sources: &Sources, program: &ast::File, library: &[ast::File]) -> (Checked, Vec<Diagnostic>) {
    let (items, twice) = Items::collect(program, library, library_sources(library));
    let mut sink = Sink::default();
    for (name, earlier) in twice {
        let message = format!("`{}` is defined twice", name.name);
        sink.add(Diagnostic::error("duplicate-definition", name.span, message).label(earlier, "first defined here"));
    }
    names::resolve(&items, program, &mut sink);
    let mut trains = vec![];
    for item in &program.items {
        if let ast::Item::Train(block) = item {
            let mut elaborator = Elaborator::new(&items);
            elaborator.sink = std::mem::take(&mut sink);
            trains.extend(elaborator.train(block));
            sink = elaborator.sink;
        }
    }
    (Checked { trains }, sink.list)
}

/// The texts the library's items stand in.
fn library_sources(library: &[ast::File]) -> Vec<SourceId> {
    let span = |item: &ast::Item| match item {
        ast::Item::Use { span, .. } | ast::Item::Error(span) => *span,
        ast::Item::Callable(c) => c.span,
        ast::Item::Data(d) => d.span,
        ast::Item::Train(t) => t.span,
        ast::Item::Sweep(s) => s.span,
    };
    let sources: BTreeSet<SourceId> = library.iter().flat_map(|f| &f.items).map(|i| span(i).source).collect();
    sources.into_iter().collect()
}
