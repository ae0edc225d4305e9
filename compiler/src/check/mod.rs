//! From the syntax tree to the typed tree: names, dimensions, shapes, ranges and bounds, with
//! diagnostics in plain words. Each `train` block is elaborated by an abstract interpreter that
//! inlines every call with concrete dimensions.
//!
//! In: a program and the library, parsed. Out: a [`typed::Train`] for every train block without
//! errors, and a list of diagnostics. What must hold: a block is left out only if an error says
//! why, and an error never causes a second one.

mod allowed;
mod apply;
mod augment;
mod bounds;
mod builder;
mod calls;
pub mod codes;
mod course;
mod data;
mod decay;
mod dims;
mod draws;
mod elaborate;
mod entity;
mod eval;
mod expr;
mod finish;
pub mod function;
mod indexed;
mod interval;
mod items;
mod microbatch;
mod names;
mod number;
mod operators;
mod positive;
pub mod print;
mod ranges;
mod reads;
mod report;
mod rule;
pub mod rules;
mod scan;
mod sets;
mod settings;
pub mod short;
mod statements;
mod states;
mod sweeps;
mod train;
mod turns;
mod twice;
mod update;
mod warnings;
mod words;

use crate::typed;
use elaborate::Elaborator;
use grammar::ast;
use grammar::diagnostic::Diagnostic;
use grammar::span::{SourceId, Sources, Span};
use items::Items;
use report::Sink;
pub use report::nearest;
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
    twice::names(program, &mut sink);
    sweeps::resolve(&items, program, &mut sink);
    let mut trains = vec![];
    for item in &program.items {
        if let ast::Item::Train(block) = item {
            let mut elaborator = Elaborator::new(&items);
            elaborator.sink = std::mem::take(&mut sink);
            let train = elaborator.train(block);
            sink = elaborator.sink;
            if let Some(train) = &train {
                let alone = |rule: &ast::Expr, p: usize| Elaborator::new(&items).rule_alone(block, rule, train, p);
                decay::warnings(train, block, program, library, &alone).into_iter().for_each(|d| sink.add(d));
            }
            trains.extend(train);
        }
    }
    let mut list = sink.list;
    list.sort_by_key(|d| d.primary.span);
    (Checked { trains }, list)
}

/// What the checker found that has nothing to do with what was reported while reading the text: an item that could not
/// be read as written means something else than its author thinks, and one that was lost, perhaps with its file, defines
/// nothing.
#[must_use]
pub fn independent(syntax: &[Diagnostic], found: Vec<Diagnostic>, program: &ast::File) -> Vec<Diagnostic> {
    let broken = |item: &Span| syntax.iter().any(|d| item.contains(d.primary.span));
    let items: Vec<Span> = program.items.iter().map(item_span).filter(broken).collect();
    let touches = |span: Span| items.iter().any(|item| item.contains(span));
    let places = |d: &Diagnostic| touches(d.primary.span) || d.secondary.iter().any(|l| touches(l.span));
    let lost = program.items.iter().any(|item| matches!(item, ast::Item::Error(_)))
        || syntax.iter().any(|d| d.code == "unreadable-file");
    found.into_iter().filter(|d| !(places(d) || lost && d.code == "unknown-name")).collect()
}

/// The texts the library's items stand in.
fn library_sources(library: &[ast::File]) -> Vec<SourceId> {
    let sources: BTreeSet<SourceId> = library.iter().flat_map(|f| &f.items).map(|i| item_span(i).source).collect();
    sources.into_iter().collect()
}

fn item_span(item: &ast::Item) -> Span {
    match item {
        ast::Item::Use { span, .. } | ast::Item::Error(span) => *span,
        ast::Item::Callable(c) => c.span,
        ast::Item::Data(d) => d.span,
        ast::Item::Train(t) => t.span,
        ast::Item::Sweep(s) => s.span,
    }
}
