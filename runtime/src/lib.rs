//! Runs what the compiler made: arena, thread pool, contractions, random numbers, data sets,
//! checkpoints, pictures, training. Knows no syntax and no IR.

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod arrays;
mod atomic;
pub mod checkpoint;
pub mod contract;
pub mod data;
mod error;
pub mod execute;
pub mod feed;
pub mod file;
mod head;
pub mod log;
pub mod microkernel;
mod moments;
mod pack;
pub mod plot;
pub mod pool;
pub mod random;
pub mod session;
mod thread;
pub mod trainer;
pub mod weights;
mod zipped;
