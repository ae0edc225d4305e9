//! Natural logarithms: log, log1p, and log to twice the precision for powers.
//!
//! x = 2^k·(1 + f) with 2/3 ≤ 1 + f < 4/3, and with s = f / (2 + f)
//! log(1 + f) = 2 atanh s = f - f²/2 + s·(f²/2 + R), R = s²·(2/3 + s²·p(s²)).

use super::coefficients;
use super::double::{self, Double};
use super::ops::{Ops, polynomial};
use crate::number::Precision;

/// How a float of a precision is laid out, as far as splitting off its exponent must know.
struct Layout {
    fraction_bits: u32,
    /// The bits of 2/3.
    two_thirds: i64,
    exponent_mask: i64,
    /// The bits of 4.
    four: i64,
    /// The bits of a float so large that its low fraction bits count whole numbers.
    counter: i64,
    /// That float.
    count_zero: f64,
    smallest_normal: f64,
    /// Makes every subnormal normal.
    lift: f64,
}

const LAYOUT_F32: Layout = Layout {
    fraction_bits: 23,
    two_thirds: 0x3f2a_aaab,
    exponent_mask: 0xff80_0000,
    four: 0x4080_0000,
    counter: 0x4b00_0000,
    count_zero: 8_388_608.0,
    smallest_normal: f32::MIN_POSITIVE as f64,
    lift: 8_388_608.0,
};
const LAYOUT_F64: Layout = Layout {
    fraction_bits: 52,
    two_thirds: 0x3fe5_5555_5555_5555,
    exponent_mask: 0xfff0_0000_0000_0000_u64 as i64,
    four: 0x4010_0000_0000_0000,
    counter: 0x4330_0000_0000_0000,
    count_zero: 4_503_599_627_370_496.0,
    smallest_normal: f64::MIN_POSITIVE,
    lift: 4_503_599_627_370_496.0,
};

fn layout(precision: Precision) -> &'static Layout {
    match precision {
        Precision::F32 => &LAYOUT_F32,
        Precision::F64 => &LAYOUT_F64,
    }
}

/// 2^k·(1 + f).
struct Split<V> {
    k: V,
    f: V,
}

/// Splits a positive, finite, normal `x`; exact.
fn split<O: Ops>(o: &mut O, x: O::V) -> (O::I, Split<O::V>) {
    let layout = layout(o.precision());
    let (bits, two_thirds) = (o.bits(x), o.int(layout.two_thirds));
    let above = o.int_sub(bits, two_thirds);
    let mask = o.int(layout.exponent_mask);
    let exponent = o.int_and(above, mask);
    let significand = o.int_sub(bits, exponent);
    let (significand, one) = (o.from_bits(significand), o.float(1.0));
    let f = o.sub(significand, one);
    (exponent, Split { k: count(o, exponent), f })
}

/// The whole number k from k·2^fraction_bits, negative ones in two's complement.
fn count<O: Ops>(o: &mut O, exponent: O::I) -> O::V {
    let layout = layout(o.precision());
    // Bringing the sign bit's weight in as an offset makes the number unsigned.
    let width_bits = match o.precision() {
        Precision::F32 => 32,
        Precision::F64 => 64,
    };
    let offset = o.int(1_i64 << (width_bits - 1));
    let unsigned = o.int_xor(exponent, offset);
    let unsigned = o.shr(unsigned, layout.fraction_bits);
    let counter = o.int(layout.counter);
    let bits = o.int_or(unsigned, counter);
    let shifted = o.from_bits(bits);
    let zero = o.float(layout.count_zero + (1_u64 << (width_bits - 1 - layout.fraction_bits)) as f64);
    o.sub(shifted, zero)
}

/// Splits a positive, finite `x`, subnormal or not.
fn split_any<O: Ops>(o: &mut O, x: O::V) -> Split<O::V> {
    let layout = layout(o.precision());
    let (smallest, lift) = (o.float(layout.smallest_normal), o.float(layout.lift));
    let is_subnormal = o.lt(x, smallest);
    let lifted = o.mul(x, lift);
    let normal = o.select(is_subnormal, lifted, x);
    let (_, Split { k, f }) = split(o, normal);
    let bits = o.float(f64::from(layout.fraction_bits));
    let lowered = o.sub(k, bits);
    Split { k: o.select(is_subnormal, lowered, k), f }
}

/// k·ln 2 + log(1 + f) + `extra`, where `extra` is small.
fn assemble<O: Ops>(o: &mut O, Split { k, f }: Split<O::V>, extra: O::V) -> O::V {
    let c = coefficients::of(o.precision());
    let (two, half) = (o.float(2.0), o.float(0.5));
    let below = o.add(two, f);
    let s = o.div(f, below);
    let square = o.mul(s, s);
    let p = polynomial(o, c.log, square);
    let two_thirds = o.float(c.two_thirds_high);
    let p = o.fma(p, square, two_thirds);
    let half_f = o.mul(f, half);
    let half_square = o.mul(half_f, f);
    let rest = o.fma(p, square, half_square);
    let minus_half_square = o.neg(half_square);
    let rest = o.fma(s, rest, minus_half_square);
    // k·ln2_high is exact, and no smaller than f unless it is zero: `high + lost` is exact.
    let (ln2_high, ln2_low) = (o.float(c.ln2_high), o.float(c.ln2_low));
    let exact = o.mul(k, ln2_high);
    let double::Double { high, low } = double::fast_sum(o, exact, f);
    let low = o.fma(k, ln2_low, low);
    let low = o.add(low, extra);
    let rest = o.add(rest, low);
    o.add(high, rest)
}

/// The natural logarithm.
pub fn log<O: Ops>(o: &mut O, x: O::V) -> O::V {
    let parts = split_any(o, x);
    let zero = o.float(0.0);
    let y = assemble(o, parts, zero);
    limits(o, x, zero, y)
}

/// `y` mended outside 0 < `x` < ∞, the place where `x` is `pole` being minus infinity.
fn limits<O: Ops>(o: &mut O, x: O::V, pole: O::V, y: O::V) -> O::V {
    let (infinity, minus_infinity, nan) = (o.float(f64::INFINITY), o.float(f64::NEG_INFINITY), o.float(f64::NAN));
    let is_finite = o.lt(x, infinity);
    let y = o.select(is_finite, y, x);
    let is_pole = o.eq(x, pole);
    let at_or_below = o.select(is_pole, minus_infinity, nan);
    let is_outside = o.le(x, pole);
    o.select(is_outside, at_or_below, y)
}

/// log(1 + x), exact near zero.
pub fn log1p<O: Ops>(o: &mut O, x: O::V) -> O::V {
    let layout = layout(o.precision());
    let (one, quarter) = (o.float(1.0), o.float(0.25));
    let around = o.add(one, x);
    let (exponent, Split { k, .. }) = split(o, around);
    // 1 + f = (1 + x)·2^-k from x itself; by way of 2^(2-k), which is a normal number for every k.
    let four = o.int(layout.four);
    let four_scaled = o.int_sub(four, exponent);
    let power = o.from_bits(four_scaled);
    let small_x = o.mul(x, quarter);
    let scaled = o.mul(small_x, power);
    let minus_one = o.float(-1.0);
    let offset = o.fma(power, quarter, minus_one);
    let f = double::sum(o, offset, scaled);
    // log(1 + f + low) = log(1 + f) + low / (1 + f), and 1 / (1 + f) is near 1 - f.
    let minus_low = o.neg(f.low);
    let extra = o.fma(minus_low, f.high, f.low);
    let y = assemble(o, Split { k, f: f.high }, extra);
    let y = limits(o, x, minus_one, y);
    let (size, tiny) = (o.abs(x), o.float(layout.smallest_normal * 4.0));
    let is_tiny = o.lt(size, tiny);
    o.select(is_tiny, x, y)
}

/// The natural logarithm of a positive, finite number to about 11 bits more than its precision.
pub fn log_double<O: Ops>(o: &mut O, x: O::V) -> Double<O::V> {
    let c = coefficients::of(o.precision());
    let (zero, two) = (o.float(0.0), o.float(2.0));
    let Split { k, f } = split_any(o, x);
    let below = double::fast_sum(o, two, f);
    let s = double::divide(o, Double { high: f, low: zero }, below);
    let square = double::multiply(o, s, s);
    let p = polynomial(o, c.log, square.high);
    let p = o.mul(p, square.high);
    let (third_high, third_low) = (o.float(c.two_thirds_high), o.float(c.two_thirds_low));
    let mut p = double::fast_sum(o, third_high, p);
    p.low = o.add(p.low, third_low);
    let cubic = double::multiply(o, square, p);
    let cubic = double::multiply(o, s, cubic);
    let (ln2_high, ln2_low) = (o.float(c.ln2_high), o.float(c.ln2_low));
    let twice = o.add(s.high, s.high);
    let exact = o.mul(k, ln2_high);
    let first = double::fast_sum(o, exact, twice);
    let second = double::fast_sum(o, first.high, cubic.high);
    let low = o.fma(two, s.low, cubic.low);
    let low = o.add(low, first.low);
    let low = o.add(low, second.low);
    let low = o.fma(k, ln2_low, low);
    double::fast_sum(o, second.high, low)
}
