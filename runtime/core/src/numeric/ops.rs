//! The few operations from which every scalar function is built.
//!
//! A function written once over [`Ops`] runs as plain Rust arithmetic (the runtime's draws, the compiler's interpreters
//! and the numbers it knows while checking) and becomes instructions on vectors or scalars (generated code).
//! Both give the same bits, because every operation here is exactly rounded and nothing contracts
//! or reorders them afterwards: a fused multiply-add happens where `fma` is written, nowhere else.
//! Functions are branch-free: a choice is a [`Ops::select`] between two finished values. Only what is long and
//! hardly ever needed stands behind a branch, [`Ops::rarely`].

use crate::number::Precision;

/// Arithmetic on floats `V`, integers `I` of the same width and number of lanes, and truth values `M`.
///
/// Integers wrap. Shifts are by less than the width. Comparisons with NaN are false.
pub trait Ops {
    /// One float, or a vector of them.
    type V: Copy;
    /// The integer of the same width, or a vector of as many.
    type I: Copy;
    /// The outcome of a comparison, lane by lane.
    type M: Copy;

    /// The width of `V`.
    fn precision(&self) -> Precision;

    /// A constant in all lanes, rounded to the precision.
    fn float(&mut self, value: f64) -> Self::V;
    /// A constant in all lanes, cut to the width.
    fn int(&mut self, value: i64) -> Self::I;

    /// a + b.
    fn add(&mut self, a: Self::V, b: Self::V) -> Self::V;
    /// a - b.
    fn sub(&mut self, a: Self::V, b: Self::V) -> Self::V;
    /// a · b.
    fn mul(&mut self, a: Self::V, b: Self::V) -> Self::V;
    /// a / b.
    fn div(&mut self, a: Self::V, b: Self::V) -> Self::V;
    /// a · b + c, rounded once.
    fn fma(&mut self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The sign bit flipped, of NaN too.
    fn neg(&mut self, a: Self::V) -> Self::V;
    /// The sign bit cleared, of NaN too.
    fn abs(&mut self, a: Self::V) -> Self::V;
    /// The square root.
    fn sqrt(&mut self, a: Self::V) -> Self::V;
    /// The largest whole number not above.
    fn floor(&mut self, a: Self::V) -> Self::V;
    /// The smallest whole number not below.
    fn ceil(&mut self, a: Self::V) -> Self::V;
    /// The nearest whole number, ties to even.
    fn nearest(&mut self, a: Self::V) -> Self::V;

    /// a < b.
    fn lt(&mut self, a: Self::V, b: Self::V) -> Self::M;
    /// a ≤ b.
    fn le(&mut self, a: Self::V, b: Self::V) -> Self::M;
    /// a = b; zeros are equal whatever their signs.
    fn eq(&mut self, a: Self::V, b: Self::V) -> Self::M;
    /// a = b, of integers.
    fn int_eq(&mut self, a: Self::I, b: Self::I) -> Self::M;
    /// `yes` where `mask` holds, else `no`.
    fn select(&mut self, mask: Self::M, yes: Self::V, no: Self::V) -> Self::V;

    /// `usual`, but what `rare` makes in the lanes where the mask holds; it is run only if there is such a lane.
    fn rarely<const N: usize>(
        &mut self,
        mask: Self::M,
        usual: [Self::V; N],
        rare: impl FnOnce(&mut Self) -> [Self::V; N],
    ) -> [Self::V; N];

    /// The bits of a float.
    fn bits(&mut self, a: Self::V) -> Self::I;
    /// The float of some bits.
    #[expect(clippy::wrong_self_convention, reason = "what is converted is the argument, like everywhere here")]
    fn from_bits(&mut self, a: Self::I) -> Self::V;
    /// a + b.
    fn int_add(&mut self, a: Self::I, b: Self::I) -> Self::I;
    /// a - b.
    fn int_sub(&mut self, a: Self::I, b: Self::I) -> Self::I;
    /// Bitwise and.
    fn int_and(&mut self, a: Self::I, b: Self::I) -> Self::I;
    /// Bitwise or.
    fn int_or(&mut self, a: Self::I, b: Self::I) -> Self::I;
    /// Bitwise exclusive or.
    fn int_xor(&mut self, a: Self::I, b: Self::I) -> Self::I;
    /// Shift left; zeros come in.
    fn shl(&mut self, a: Self::I, by: u32) -> Self::I;
    /// Shift right; zeros come in.
    fn shr(&mut self, a: Self::I, by: u32) -> Self::I;
}

/// Words of 32 bits beside floats of 64: what random numbers are made of. Words wrap, shifts are by less than 32.
pub trait Words: Ops {
    /// A word, or a vector of them.
    type W: Copy;

    /// A constant.
    fn word(&mut self, value: u32) -> Self::W;
    /// a + b.
    fn word_add(&mut self, a: Self::W, b: Self::W) -> Self::W;
    /// a - b.
    fn word_sub(&mut self, a: Self::W, b: Self::W) -> Self::W;
    /// Bitwise and.
    fn word_and(&mut self, a: Self::W, b: Self::W) -> Self::W;
    /// Bitwise exclusive or.
    fn word_xor(&mut self, a: Self::W, b: Self::W) -> Self::W;
    /// Shift left; zeros come in.
    fn word_shl(&mut self, a: Self::W, by: u32) -> Self::W;
    /// Shift right; zeros come in.
    fn word_shr(&mut self, a: Self::W, by: u32) -> Self::W;
    /// The upper and the lower word of a · b.
    fn word_product(&mut self, a: Self::W, b: Self::W) -> [Self::W; 2];
    /// a = b.
    fn word_eq(&mut self, a: Self::W, b: Self::W) -> Self::M;
    /// The integer of 64 bits that the word is, never negative.
    fn widen(&mut self, a: Self::W) -> Self::I;
    /// The float that the word is, its first bit taken as its sign.
    fn signed(&mut self, a: Self::W) -> Self::V;
}

/// The larger; NaN if either is, and `b` if they are equal.
pub fn greater<O: Ops>(o: &mut O, a: O::V, b: O::V) -> O::V {
    let is_number = o.eq(a, a);
    let no_larger = o.select(is_number, b, a);
    let a_wins = o.lt(b, a);
    o.select(a_wins, a, no_larger)
}

/// The smaller; NaN if either is, and `b` if they are equal.
pub fn lesser<O: Ops>(o: &mut O, a: O::V, b: O::V) -> O::V {
    let is_number = o.eq(a, a);
    let no_smaller = o.select(is_number, b, a);
    let a_wins = o.lt(a, b);
    o.select(a_wins, a, no_smaller)
}

/// `value`, but zero where `x` is.
pub fn zero_where_zero<O: Ops>(o: &mut O, x: O::V, value: O::V) -> O::V {
    let zero = o.float(0.0);
    let is_zero = o.eq(x, zero);
    o.select(is_zero, zero, value)
}

/// The smaller of a number and `x`; NaN if `x` is.
pub fn at_most<O: Ops>(o: &mut O, limit: O::V, x: O::V) -> O::V {
    let is_beyond = o.lt(limit, x);
    o.select(is_beyond, limit, x)
}

/// `x` brought into `low..=high`; NaN stays.
pub fn clamp<O: Ops>(o: &mut O, x: O::V, low: f64, high: f64) -> O::V {
    let (low, high) = (o.float(low), o.float(high));
    let is_below = o.lt(x, low);
    let x = o.select(is_below, low, x);
    at_most(o, high, x)
}

/// The magnitude of `x` with the sign bit of `sign`; `x` itself must have its sign bit clear.
pub fn with_sign<O: Ops>(o: &mut O, x: O::V, sign: O::V) -> O::V {
    let sign_bit = sign_bit(o, sign);
    let x = o.bits(x);
    let signed = o.int_or(x, sign_bit);
    o.from_bits(signed)
}

/// The sign bit of `x` in its place, all other bits zero.
pub fn sign_bit<O: Ops>(o: &mut O, x: O::V) -> O::I {
    let mask = match o.precision() {
        Precision::F32 => i64::from(i32::MIN),
        Precision::F64 => i64::MIN,
    };
    let (x, mask) = (o.bits(x), o.int(mask));
    o.int_and(x, mask)
}

/// c0 + c1·x + c2·x² + .. by Horner's rule; `coefficients` is not empty.
pub fn polynomial<O: Ops>(o: &mut O, coefficients: &[f64], x: O::V) -> O::V {
    let mut highest_first = coefficients.iter().rev();
    let mut sum = o.float(highest_first.next().copied().unwrap_or(0.0));
    for &c in highest_first {
        let c = o.float(c);
        sum = o.fma(sum, x, c);
    }
    sum
}
