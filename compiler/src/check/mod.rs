//! From the syntax tree to the typed tree: names, dimensions, shapes, ranges and bounds, with
//! diagnostics in plain words. Each `train` block is elaborated by an abstract interpreter that
//! inlines every call with concrete dimensions.
//!
//! In: a program and the library, parsed. Out: a [`typed::Train`] for every train block without
//! errors, and a list of diagnostics. What must hold: a block is left out only if an error says
//! why, and an error never causes a second one.

pub mod codes;
mod data;
mod elaborate;
pub mod function;
mod lint;
pub mod optimizer_arguments;
mod report;
mod resolve;
mod train;

use crate::typed;
use grammar::ast;
use grammar::diagnostic::Diagnostic;
use grammar::span::{Sources, Span};
pub use lint::small_batch;
use report::Sink;
pub use report::nearest;
use resolve::{Items, item_span};

/// What could be checked.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// The train blocks without errors, in the order of the text.
    pub trains: Vec<typed::Train>,
}

/// Checks a program against a library.
#[must_use]
pub fn check(_sources: &Sources, program: &ast::File, library: &[ast::File]) -> (Checked, Vec<Diagnostic>) {
    let (items, twice) = Items::collect(program, library);
    let mut sink = Sink::default();
    for (name, earlier) in twice {
        let message = format!("`{}` is defined twice", name.name);
        sink.add(Diagnostic::error("duplicate-definition", name.span, message).label(earlier, "first defined here"));
    }
    resolve::resolve(&items, program, &mut sink);
    let mut trains = vec![];
    for item in &program.items {
        if let ast::Item::Train(block) = item {
            let train = checked(&items, block, &mut sink);
            if let Some(train) = &train {
                let alone = |rule: &ast::Expr, p: usize| train::rule_alone(&items, block, rule, train, p);
                lint::decay(train, block, program, library, &alone).into_iter().for_each(|d| sink.add(d));
            }
            trains.extend(train);
        }
    }
    let mut list = sink.list;
    list.sort_by_key(|d| d.primary.span);
    (Checked { trains }, list)
}

/// One train block; `None` where it has errors.
fn checked<'a>(items: &'a Items<'a>, block: &'a ast::Train, sink: &mut Sink) -> Option<typed::Train> {
    let train = train::elaborated(items, block, sink)?;
    if let Some(d) = lint::fault(&train, block) {
        sink.add(d);
        return None;
    }
    lint::warnings(&train, block).into_iter().for_each(|d| sink.add(d));
    Some(train)
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
