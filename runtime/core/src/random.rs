//! Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2,
//! 3", 2011). A number is a pure function of where it is used, so draws are the same for any number of threads, any
//! cutting of the work and after any resume.
//!
//! Layout. Key: the seed; its upper word takes the upper word of the step by exclusive or (so seeds below 2^32 never
//! meet). Counter words: element block (four elements each), sample, lower word of the step, site. A draw that is not
//! per sample uses sample 0. Scan turns are elements.
//!
//! Uniform draws are 24 bits, exact in f32, and the same number in f64. Normal draws are computed in f64 by Box and
//! Muller's transform and rounded for f32. Only `+ - * / sqrt` and bit operations are used, in a fixed order, so every
//! machine gives the same bits: the functions here are written once over [`Words`], which the runtime runs as they stand
//! and the compiler makes code of.

use crate::numeric::ops::Words;
use std::f64::consts::{FRAC_1_SQRT_2, LN_2, TAU};

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
const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// What the key grows by from round to round.
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// The four random words of a counter under a key.
#[inline(always)]
pub fn philox<O: Words>(o: &mut O, mut counter: [O::W; 4], mut key: [O::W; 2]) -> [O::W; 4] {
    let multipliers = [o.word(MULTIPLIERS[0]), o.word(MULTIPLIERS[1])];
    let weyl = [o.word(WEYL[0]), o.word(WEYL[1])];
    for number in 0..10 {
        if number > 0 {
            key = [o.word_add(key[0], weyl[0]), o.word_add(key[1], weyl[1])];
        }
        let [a_high, a_low] = o.word_product(counter[0], multipliers[0]);
        let [b_high, b_low] = o.word_product(counter[2], multipliers[1]);
        let (first, third) = (o.word_xor(b_high, counter[1]), o.word_xor(a_high, counter[3]));
        counter = [o.word_xor(first, key[0]), b_low, o.word_xor(third, key[1]), a_low];
    }
    counter
}

/// The four draws that four random words give.
#[inline(always)]
pub fn draws<O: Words>(o: &mut O, distribution: Distribution, [w, x, y, z]: [O::W; 4]) -> [O::V; 4] {
    match distribution {
        Distribution::Uniform => [uniform(o, w), uniform(o, x), uniform(o, y), uniform(o, z)],
        Distribution::Normal => {
            let [first, second] = normals(o, w, x);
            let [third, fourth] = normals(o, y, z);
            [first, second, third, fourth]
        }
    }
}

/// The upper 24 bits as a number in [0, 1).
#[inline(always)]
fn uniform<O: Words>(o: &mut O, word: O::W) -> O::V {
    let bits = o.word_shr(word, 8);
    let (whole, scale) = (o.signed(bits), o.float(1.0 / 16_777_216.0));
    o.mul(whole, scale)
}

/// Two independent standard normal numbers: a radius from the first word, an angle from the second.
#[inline(always)]
pub fn normals<O: Words>(o: &mut O, first: O::W, second: O::W) -> [O::V; 2] {
    let log = log_unit(o, first);
    let minus_two = o.float(-2.0);
    let square = o.mul(minus_two, log);
    let radius = o.sqrt(square);
    let [sin, cos] = sin_cos_turn(o, second);
    [o.mul(radius, cos), o.mul(radius, sin)]
}

/// `2^52`: or-ing a number below 2^52 into its bits and subtracting it converts to f64 exactly.
const TWO_52: f64 = 4_503_599_627_370_496.0;

/// The float that an integer below 2^52 is.
#[inline(always)]
fn exact<O: Words>(o: &mut O, whole: O::I) -> O::V {
    let (bits, offset) = (o.int(TWO_52.to_bits() as i64), o.float(TWO_52));
    let bits = o.int_or(bits, whole);
    let above = o.from_bits(bits);
    o.sub(above, offset)
}

/// Natural logarithm of (word + 1/2) / 2^32, by log m = 2 artanh((m - 1) / (m + 1)).
#[inline(always)]
pub fn log_unit<O: Words>(o: &mut O, word: O::W) -> O::V {
    let (word, last) = (o.widen(word), o.int(1));
    let twice = o.shl(word, 1);
    let odd = o.int_or(twice, last);
    let number = exact(o, odd);
    let bits = o.bits(number);
    // Split at sqrt(1/2) so that |log m| is at most log(2) / 2.
    let split = o.int(FRAC_1_SQRT_2.to_bits() as i64);
    let shifted = o.int_sub(bits, split);
    let (mask, exponent_bits) = (o.int(0x7ff), o.int(0x7ff0_0000_0000_0000));
    let exponent = o.shr(shifted, 52);
    let exponent = o.int_and(exponent, mask);
    let exponent = exact(o, exponent);
    let scale = o.int_and(shifted, exponent_bits);
    let m = o.int_sub(bits, scale);
    let m = o.from_bits(m);
    let one = o.float(1.0);
    let (below, above) = (o.sub(m, one), o.add(m, one));
    let s = o.div(below, above);
    let q = o.mul(s, s);
    let mut series = o.float(1.0 / 21.0);
    for odd in [19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0] {
        let (power, next) = (o.mul(series, q), o.float(1.0 / odd));
        series = o.add(power, next);
    }
    let (shift, ln_2, two) = (o.float(33.0), o.float(LN_2), o.float(2.0));
    let exponent = o.sub(exponent, shift);
    let whole = o.mul(exponent, ln_2);
    let twice = o.mul(two, s);
    let rest = o.mul(twice, series);
    o.add(whole, rest)
}

/// Sine and cosine of word / 2^32 turns: the nearest quarter turn and a rest within an eighth.
#[inline(always)]
pub fn sin_cos_turn<O: Words>(o: &mut O, word: O::W) -> [O::V; 2] {
    let eighth = o.word(1 << 29);
    let rounded = o.word_add(word, eighth);
    let quarter = o.word_shr(rounded, 30);
    let whole = o.word_shl(quarter, 30);
    let rest = o.word_sub(word, whole);
    let (rest, turn) = (o.signed(rest), o.float(TAU / 4_294_967_296.0));
    let x = o.mul(rest, turn);
    let q = o.mul(x, x);
    let one = o.float(1.0);
    let (mut sin, mut cos) = (one, one);
    // Nested Taylor series: sin x = x (1 - q/(2*3) (1 - q/(4*5) (..))), cosine likewise.
    for k in [16.0, 14.0, 12.0, 10.0, 8.0, 6.0, 4.0, 2.0] {
        sin = nested(o, q, sin, 1.0 / (k * (k + 1.0)));
        cos = nested(o, q, cos, 1.0 / (k * (k - 1.0)));
    }
    sin = o.mul(sin, x);
    let (zero, first, second) = (o.word(0), o.word(1), o.word(2));
    let odd = o.word_and(quarter, first);
    let is_even = o.word_eq(odd, zero);
    let (s, c) = (o.select(is_even, sin, cos), o.select(is_even, cos, sin));
    let next = o.word_add(quarter, first);
    let (own_side, next_side) = (o.word_and(quarter, second), o.word_and(next, second));
    [signed(o, s, own_side), signed(o, c, next_side)]
}

/// 1 - q · series · share.
#[inline(always)]
fn nested<O: Words>(o: &mut O, q: O::V, series: O::V, share: f64) -> O::V {
    let (product, share, one) = (o.mul(q, series), o.float(share), o.float(1.0));
    let part = o.mul(product, share);
    o.sub(one, part)
}

/// `x`, or its opposite where `side` is not zero.
#[inline(always)]
fn signed<O: Words>(o: &mut O, x: O::V, side: O::W) -> O::V {
    let zero = o.word(0);
    let (keeps, opposite) = (o.word_eq(side, zero), o.neg(x));
    o.select(keeps, x, opposite)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::plain::PlainF64;

    fn words(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
        philox(&mut PlainF64, counter, key)
    }

    #[test]
    fn known_answers() {
        assert_eq!(words([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(words([!0; 4], [!0; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            words([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn elementary_functions_are_accurate() {
        let edges = [0, 1, u32::MAX, 1 << 29, (1 << 29) - 1, 1 << 30, 1 << 31, 3 << 30, 0xb504_f333, 0xb504_f334];
        for word in edges.into_iter().chain((0..25_000).flat_map(|block| words([block, 0, 3, 7], [42, 0]))) {
            let exact = ((f64::from(word) + 0.5) / 4_294_967_296.0).ln();
            let log = log_unit(&mut PlainF64, word);
            assert!((log - exact).abs() <= 4e-16 * exact.abs().max(0.5), "log of {word}");
            let [s, c] = sin_cos_turn(&mut PlainF64, word);
            let angle = f64::from(word) / 4_294_967_296.0 * TAU;
            assert!((s - angle.sin()).abs() < 1e-15 && (c - angle.cos()).abs() < 1e-15, "angle {word}");
        }
    }
}
