//! What the compiler and the runtime both speak: scalar functions and random numbers, each with one body that the one
//! makes code of and the other runs; number types; the plan that one makes and the other runs; the words of a data block.
//! Plain data and arithmetic: it reads no file, starts no thread and depends on nothing.
//!
//! Imported as `nnc_core`, the name of the package: plain `core` is Rust's own crate, which macros look up by that name.
//!
//! The words of data blocks ([`catalogue`]) are here because a checker that accepts what no loader takes, or the other way
//! round, would be wrong in silence: both read one list. The format of weights files is not: it is the runtime's alone,
//! and of code that has to write one the compiler is told the bytes ([`plan::Frame`]).

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod catalogue;
pub mod contraction;
pub mod number;
pub mod numeric;
pub mod plan;
pub mod random;
pub mod scalar;
pub mod vectors;
