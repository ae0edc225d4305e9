//! Runs what the compiler made: arena, thread pool, contractions, random numbers, data sets,
//! checkpoints, pictures, training. Knows no syntax and no IR.

pub mod contract;
pub mod data;
pub mod execute;
mod microkernel;
mod pack;
pub mod plan;
pub mod pool;
pub mod random;
