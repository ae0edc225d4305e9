//! What is known of a program before anything is computed: its items by name, the words of the core, and what is wrong
//! with names and lists as they are written.
//!
//! In: syntax trees. Out: [`Items`] and diagnostics. Knows no values and no shapes.

mod builtins;
mod duplicates;
mod entries;
mod items;
mod names;
pub mod sweeps;
mod syntax;
mod type_words;

pub use builtins::{EVALUATED, LOSS, Primitive, is_builtin, known_names, names_a_split, primitive};
pub use entries::{SETTINGS, entries, meant, written};
pub use items::Items;
pub use syntax::{body_children, children, item_span, mentions};

use crate::check::report::Sink;
use grammar::ast;

/// Reports what is wrong wherever it stands, used or not.
pub fn resolve(items: &Items<'_>, program: &ast::File, sink: &mut Sink) {
    names::resolve(items, program, sink);
    duplicates::names(program, sink);
    sweeps::resolve(items, program, sink);
}
