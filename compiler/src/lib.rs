//! The pure middle of nnc: check, lower, differentiate, optimise, schedule, emit.
//! No files, no clock, no terminal, no threads.

#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr))]

pub use nnc_core::scalar;

pub mod backend;
pub mod check;
pub mod differentiate;
pub mod emit;
pub mod explain;
pub mod ir;
pub mod kernel;
pub mod library;
pub mod lower;
pub mod modules;
pub mod onnx;
pub mod optimise;
pub mod plan;
pub mod schedule;
pub mod source;
pub mod symbolic;
pub mod tally;
pub mod target;
pub mod typed;
