//! The kinds of vector instructions that code may be made for. No bit of a result depends on them.

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
