//! Runs what the compiler made: arena, thread pool, contractions, random numbers, data sets,
//! checkpoints, pictures, training. Knows no syntax and no IR.

pub mod checkpoint;
pub mod data;
mod file;
pub mod log;
pub mod plot;
pub mod pool;
pub mod random;
pub mod weights;
