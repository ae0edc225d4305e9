//! The kinds of vector instructions that code may be made for. No bit of a result depends on them.

use crate::number::Precision;

/// The block of results that the innermost loop of a contraction keeps in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Rows: lanes of a panel of A.
    pub rows: usize,
    /// Columns: lanes of a panel of B.
    pub columns: usize,
}

impl Block {
    /// What holds the rows, and the columns, of any block.
    pub const LARGEST: Self = Self { rows: 12, columns: 32 };
    /// The block of the runtime's own code for any processor.
    pub const PORTABLE: Self = Self { rows: 4, columns: 8 };
}

/// The instructions that a processor has for vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Vectors {
    /// What every processor of a kind has; a fused multiply-add may be a call.
    Portable,
    /// 256 bits with fused multiply-add, on x86-64.
    Avx2,
    /// 512 bits, on x86-64.
    Avx512,
}

impl Vectors {
    /// All of them, the best last.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];

    /// What a user calls them.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// The block of a contraction's innermost loop: with two vectors in each row, as many sums as registers hold.
    #[must_use]
    pub fn block(self, precision: Precision) -> Block {
        match self {
            Self::Portable => Block::PORTABLE,
            Self::Avx2 => Block { rows: 6, columns: 2 * 32 / precision.bytes() },
            Self::Avx512 => Block { rows: 12, columns: 2 * 64 / precision.bytes() },
        }
    }

    /// Whether this machine has them.
    #[must_use]
    pub fn is_here(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        let (avx2, avx512) =
            (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"), is_x86_feature_detected!("avx512f"));
        #[cfg(not(target_arch = "x86_64"))]
        let (avx2, avx512) = (false, false);
        match self {
            Self::Portable => true,
            Self::Avx2 => avx2,
            Self::Avx512 => avx2 && avx512,
        }
    }

    /// The best that this machine has.
    #[must_use]
    pub fn best() -> Self {
        Self::ALL.into_iter().rfind(|v| v.is_here()).unwrap_or(Self::Portable)
    }
}
