//! What the compiler and the runtime both speak: the plan that one makes and the other runs, random numbers by counter,
//! the words of a data block. Plain data and arithmetic: it reads no file, starts no thread and depends on nothing.
//!
//! Imported as `nnc_core`, the name of the package: plain `core` is Rust's own crate, which macros look up by that name.

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod catalogue;
pub mod contraction;
pub mod number;
pub mod numeric;
pub mod plan;
pub mod random;
pub mod scalar;
pub mod vectors;
