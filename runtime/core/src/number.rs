//! Number types: what floats are computed in, and, apart from that, how elements lie in memory.

use crate::scalar::Kind;

/// The width of the floats that are computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    /// 32 bits: 24 of significand.
    F32,
    /// 64 bits: 53 of significand.
    F64,
}

impl Precision {
    /// Bytes of a float.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

/// Alignment of every tensor in the arena, and of packed operands, in bytes: a cache line.
pub const ALIGNMENT: usize = 64;

/// How an element is held in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Element {
    /// IEEE single.
    F32,
    /// IEEE double.
    F64,
    /// Indices and classes; truth values as 0 or 1.
    I32,
}

impl Element {
    /// How elements of a kind are held by a program of that precision.
    #[must_use]
    pub fn of(kind: Kind, precision: Precision) -> Self {
        match (kind, precision) {
            (Kind::Float, Precision::F32) => Self::F32,
            (Kind::Float, Precision::F64) => Self::F64,
            (Kind::Int | Kind::Bool, _) => Self::I32,
        }
    }

    /// Bytes an element takes.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 | Self::I32 => 4,
            Self::F64 => 8,
        }
    }
}
