//! Runs what the compiler made: arena, thread pool, contractions, random numbers, data sets,
//! checkpoints, pictures, training. Knows no syntax and no IR.

pub mod data;
pub mod pool;
pub mod random;
