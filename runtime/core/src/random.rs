//! Random numbers by counter: what a draw is a function of.

/// Set in the step of a draw made during evaluation, whose draws thereby never meet training's.
pub const EVALUATION: u64 = 1 << 63;

/// What a draw is of, before it is scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Distribution {
    /// Uniform in [0, 1).
    Uniform,
    /// Mean 0, deviation 1.
    Normal,
}

/// What a round multiplies by.
pub const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// What the key grows by from round to round.
pub const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// `2^52`: or-ing a number below 2^52 into its bits and subtracting it converts to f64 exactly.
pub const TWO_52: f64 = 4_503_599_627_370_496.0;
