//! Text to syntax for nnc: lexer, parser, syntax tree, spans, and diagnostics as plain data.
//! Knows no types and no shapes.

pub mod ast;
pub mod diagnostic;
pub mod span;
