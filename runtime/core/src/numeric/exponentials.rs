//! e^x and its relatives: exp, expm1, tanh.
//!
//! All start from x = n·ln 2 + r with n whole and |r| ≤ ln 2 / 2, and e^r - 1 = r + r²·p(r). The sum
//! r + lo of two floats keeps what one float would lose of the reduced argument.

use super::coefficients;
use super::double::{self, Double};
use super::ops::{Ops, at_most, clamp, polynomial, with_sign};
use crate::number::Precision;

/// n·ln 2 + r.
struct Reduced<O: Ops> {
    /// The bits of n + magic: the low ones are those of n plus [`Layout::twice_bias`].
    shifted: O::I,
    n: O::V,
    /// x less n times the high part of ln 2.
    exact: O::V,
    r: O::V,
}

/// How a float of a precision is laid out, as far as scaling by powers of two must know.
struct Layout {
    fraction_bits: u32,
    /// Adding it rounds to a whole number and leaves that, plus `twice_bias`, in the low bits.
    magic: f64,
    /// Twice the exponent of the float 1.
    twice_bias: i64,
    /// Here e^x is 0 and infinite, and n no more than one beyond the exponents of the numbers.
    lowest: f64,
    highest: f64,
}

const LAYOUT_F32: Layout =
    Layout { fraction_bits: 23, magic: 12_582_912.0 + 254.0, twice_bias: 254, lowest: -104.0, highest: 89.0 };
const LAYOUT_F64: Layout = Layout {
    fraction_bits: 52,
    magic: 6_755_399_441_055_744.0 + 2046.0,
    twice_bias: 2046,
    lowest: -746.0,
    highest: 710.0,
};

fn layout(precision: Precision) -> &'static Layout {
    match precision {
        Precision::F32 => &LAYOUT_F32,
        Precision::F64 => &LAYOUT_F64,
    }
}

/// Splits an `x` within the layout's bounds. NaN gives NaN in `r`.
fn reduce<O: Ops>(o: &mut O, x: O::V) -> Reduced<O> {
    let c = coefficients::of(o.precision());
    let (per_ln2, magic) = (o.float(c.per_ln2), o.float(layout(o.precision()).magic));
    let shifted = o.fma(x, per_ln2, magic);
    let n = o.sub(shifted, magic);
    let (minus_high, minus_low) = (o.float(-c.ln2_high), o.float(-c.ln2_low));
    let exact = o.fma(n, minus_high, x);
    let r = o.fma(n, minus_low, exact);
    Reduced { shifted: o.bits(shifted), n, exact, r }
}

/// What rounding took from `reduced.r`.
fn rest<O: Ops>(o: &mut O, reduced: &Reduced<O>) -> O::V {
    let minus_low = o.float(-coefficients::of(o.precision()).ln2_low);
    let taken = o.sub(reduced.exact, reduced.r);
    o.fma(reduced.n, minus_low, taken)
}

/// e^r - 1 - r for the reduced argument.
fn tail<O: Ops>(o: &mut O, r: O::V) -> O::V {
    let p = polynomial(o, coefficients::of(o.precision()).expm1, r);
    let square = o.mul(r, r);
    o.mul(p, square)
}

/// `y`·2^n in two steps, so that only the last can leave the normal numbers.
fn scale<O: Ops>(o: &mut O, y: O::V, shifted: O::I) -> O::V {
    let fraction_bits = layout(o.precision()).fraction_bits;
    let half = o.shr(shifted, 1);
    let half = o.shl(half, fraction_bits);
    let whole = o.shl(shifted, fraction_bits);
    let rest = o.int_sub(whole, half);
    let (first, second) = (o.from_bits(half), o.from_bits(rest));
    let y = o.mul(y, first);
    o.mul(y, second)
}

/// 2^(n + `offset`), if that is a normal number.
fn power_of_two<O: Ops>(o: &mut O, shifted: O::I, offset: i64) -> O::V {
    let layout = layout(o.precision());
    let to_exponent = o.int(offset - layout.twice_bias / 2);
    let exponent = o.int_add(shifted, to_exponent);
    let bits = o.shl(exponent, layout.fraction_bits);
    o.from_bits(bits)
}

/// e^x.
pub fn exp<O: Ops>(o: &mut O, x: O::V) -> O::V {
    let bounds = layout(o.precision());
    let x = clamp(o, x, bounds.lowest, bounds.highest);
    let Reduced { shifted, r, .. } = reduce(o, x);
    let p = polynomial(o, coefficients::of(o.precision()).expm1, r);
    let one = o.float(1.0);
    let p = o.fma(p, r, one);
    let y = o.fma(p, r, one);
    scale(o, y, shifted)
}

/// e^x where the argument is known to twice the precision.
pub fn exp_of_double<O: Ops>(o: &mut O, x: Double<O::V>) -> O::V {
    let bounds = layout(o.precision());
    let bounded = clamp(o, x.high, bounds.lowest, bounds.highest);
    let reduced = reduce(o, bounded);
    let low = rest(o, &reduced);
    let low = o.add(low, x.low);
    let Reduced { shifted, r, .. } = reduced;
    let one = o.float(1.0);
    let tail = tail(o, r);
    let near = o.add(r, tail);
    let near = o.add(one, near);
    // e^(r + low) = e^r + low·e^r.
    let tail = o.fma(low, near, tail);
    let above_one = o.add(r, tail);
    let y = o.add(one, above_one);
    scale(o, y, shifted)
}

/// (e^x - 1)·2^offset; `low` is up to a fifth of `high`.
fn expm1_double<O: Ops>(o: &mut O, x: O::V, offset: i64) -> Double<O::V> {
    let reduced = reduce(o, x);
    let low = rest(o, &reduced);
    let Reduced { shifted, r, .. } = reduced;
    let tail = tail(o, r);
    let tail = o.add(tail, low);
    let power = power_of_two(o, shifted, offset);
    let minus_one = o.float(-(offset as f64).exp2());
    let whole = double::fast_sum(o, power, minus_one);
    let high = o.fma(power, r, whole.high);
    let lost = o.sub(whole.high, high);
    let lost = o.fma(power, r, lost);
    let lost = o.add(lost, whole.low);
    Double { high, low: o.fma(power, tail, lost) }
}

/// e^x - 1, exact near zero.
pub fn expm1<O: Ops>(o: &mut O, x: O::V) -> O::V {
    let (low_enough, tiny, highest) = match o.precision() {
        Precision::F32 => (-20.0, f64::from(f32::MIN_POSITIVE) * 4.0, LAYOUT_F32.highest),
        Precision::F64 => (-40.0, f64::MIN_POSITIVE * 4.0, LAYOUT_F64.highest),
    };
    let bounded = clamp(o, x, low_enough, highest);
    // Half of everything: 2^n itself may be beyond the largest number when e^x - 1 is not.
    let half = expm1_double(o, bounded, -1);
    let half = o.add(half.high, half.low);
    let y = o.add(half, half);
    let (size, tiny) = (o.abs(x), o.float(tiny));
    let is_tiny = o.lt(size, tiny);
    o.select(is_tiny, x, y)
}

/// The hyperbolic tangent: E / (E + 2) with E = e^2|x| - 1.
pub fn tanh<O: Ops>(o: &mut O, x: O::V) -> O::V {
    let saturated = match o.precision() {
        Precision::F32 => o.float(10.0),
        Precision::F64 => o.float(20.0),
    };
    let size = o.abs(x);
    let size = at_most(o, saturated, size);
    let argument = o.add(size, size);
    let e = expm1_double(o, argument, 0);
    let e = double::fast_sum(o, e.high, e.low);
    let two = o.float(2.0);
    let mut below = double::sum(o, e.high, two);
    below.low = o.add(below.low, e.low);
    let quotient = double::divide(o, e, below);
    let y = o.add(quotient.high, quotient.low);
    with_sign(o, y, x)
}
