//! Passes from IR to IR.

pub mod contract;
pub mod contraction;
pub mod dead;
pub mod expr;
pub mod fuse;
pub mod gather;
pub mod index;
pub mod product;
pub mod rewrite;
pub mod share;
pub mod simplify;
pub mod solve;
pub mod split;
