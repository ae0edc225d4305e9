//! Passes from IR to IR.

pub mod contraction;
pub mod expr;
