//! Text to syntax for nnc: lexer, parser, syntax tree, spans, and diagnostics as plain data.
//! Knows no types and no shapes.

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod ast;
mod build;
pub mod diagnostic;
pub mod format;
pub mod lexer;
mod message;
pub mod parser;
pub mod print;
pub mod render;
pub mod span;
pub mod token;
mod words;

pub use parser::{parse, parse_expression};
