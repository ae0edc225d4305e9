//! The machine that code is made for, as plain data. What it says may change how fast a program is, and not a bit of
//! what it computes: no pass that orders a sum is told of it.

use nnc_core::number::Precision;
pub use nnc_core::vectors::Vectors;

/// A machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// What the program's floats are.
    pub precision: Precision,
    /// The instructions that it has for vectors.
    pub vectors: Vectors,
    /// Bytes of a vector in generated code.
    pub vector_bytes: usize,
}

impl Target {
    /// A machine with these instructions. Generated code uses vectors of 128 bits on all of them.
    #[must_use]
    pub fn new(precision: Precision, vectors: Vectors) -> Self {
        Self { precision, vectors, vector_bytes: 16 }
    }

    /// Floats in a vector of generated code.
    #[must_use]
    pub fn lanes(&self) -> usize {
        self.vector_bytes / self.precision.bytes()
    }
}
