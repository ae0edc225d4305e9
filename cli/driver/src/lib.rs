//! From a program's file to what it computes: reads and checks it, opens its data, plans, compiles, runs.
//!
//! In: plain values, such as [`program::Request`] and [`machine::Machine`]. Out: results, or a [`fault::Fault`]; what a
//! person should be told on the way goes to a [`listener::Listener`]. What must hold: nothing here reads arguments or
//! prints. The command is a skin over this; so is whatever else compiles and runs programs.

#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr))]

pub mod bind;
pub mod compile;
pub mod conditions;
pub mod diverged;
pub mod evaluate;
pub mod fault;
pub mod folder;
pub mod gradients;
pub mod groups;
pub mod library;
pub mod listener;
pub mod machine;
pub mod network;
pub mod part;
pub mod plan;
pub mod predict;
pub mod program;
pub mod recent;
pub mod run;
pub mod start;
pub mod steps;
pub mod vectors;
pub mod weights;
