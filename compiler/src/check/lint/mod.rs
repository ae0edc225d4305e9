//! What is wrong with a train block that elaborates, or may not be what is meant: judged from the typed tree alone, where no
//! definition is known by name.

mod decay;
mod domain;
mod interval;
mod microbatch;
pub mod small_batch;
mod warnings;

use crate::check::resolve::entries;
use crate::typed::Train;
use grammar::ast;
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;

pub use decay::warnings as decay;

/// What keeps the block from being run as it stands.
pub fn fault(train: &Train, block: &ast::Train) -> Option<Diagnostic> {
    microbatch::fault(train, place(block, "accumulate")).or_else(|| small_batch::fault(train, place(block, "batch")))
}

/// What may not be meant.
pub fn warnings(train: &Train, block: &ast::Train) -> Vec<Diagnostic> {
    warnings::warnings(train, place(block, "objective"))
}

/// Where a setting is given, or else the name of the block.
fn place(block: &ast::Train, setting: &str) -> Span {
    entries(block, setting).next().map_or(block.name.span, |e| e.value.span)
}
