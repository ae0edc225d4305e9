//! sin and cos: x = q·π/2 + r with |r| about π/4 at most, and q modulo 4 says which of ±sin r, ±cos r it is.
//!
//! Up to 2^20 in f32 and 2^49 in f64 three floats of π/2 are enough to find r. Beyond, x is multiplied by those digits of
//! 2/π that matter for the fraction of the product, after Payne and Hanek.

use super::coefficients;
use super::double::{self, Double};
use super::ops::{Ops, polynomial};
use crate::number::Precision;

/// The sine of x radians.
pub fn sin<O: Ops>(o: &mut O, x: O::V) -> O::V {
    let y = shifted_sin(o, x, 0);
    // Reduction turns -0 into 0.
    let zero = o.float(0.0);
    let is_zero = o.eq(x, zero);
    o.select(is_zero, x, y)
}

/// The cosine of x radians.
pub fn cos<O: Ops>(o: &mut O, x: O::V) -> O::V {
    shifted_sin(o, x, 1)
}

/// sin(x + `quarters`·π/2).
fn shifted_sin<O: Ops>(o: &mut O, x: O::V, quarters: i64) -> O::V {
    let (width, limit) = match o.precision() {
        Precision::F32 => (32, 1_048_576.0),
        Precision::F64 => (64, 562_949_953_421_312.0),
    };
    let usual = reduce(o, x);
    let (size, limit) = (o.abs(x), o.float(limit));
    let is_large = o.lt(limit, size);
    let [shifted, high, low] = o.rarely(is_large, usual, |o| reduce_large(o, x));
    let (q, r) = (o.bits(shifted), Double { high, low });
    let quarters = o.int(quarters);
    let q = o.int_add(q, quarters);
    let (sin, cos) = (sin_reduced(o, r), cos_reduced(o, r));
    let (one, zero) = (o.int(1), o.int(0));
    let odd = o.int_and(q, one);
    let is_even = o.int_eq(odd, zero);
    let y = o.select(is_even, sin, cos);
    let half = o.shr(q, 1);
    let sign = o.shl(half, width - 1);
    let bits = o.bits(y);
    let bits = o.int_xor(bits, sign);
    o.from_bits(bits)
}

/// A multiple of 4 to which whole numbers are added to have them in the lowest bits.
fn magic<O: Ops>(o: &mut O) -> O::V {
    match o.precision() {
        Precision::F32 => o.float(12_582_912.0),
        Precision::F64 => o.float(6_755_399_441_055_744.0),
    }
}

/// The quarter turns plus [`magic`], right modulo 4, and the two floats of the rest.
fn reduce<O: Ops>(o: &mut O, x: O::V) -> [O::V; 3] {
    let c = coefficients::of(o.precision());
    let (per_half_pi, magic) = (o.float(c.per_half_pi), magic(o));
    let shifted = o.fma(x, per_half_pi, magic);
    let n = o.sub(shifted, magic);
    let [first, second, third] = c.half_pi.map(|part| o.float(-part));
    // Exact: both sides are multiples of the last place of π/2, and the difference is below 1.
    let exact = o.fma(n, first, x);
    let taken = double::product(o, n, second);
    let r = double::sum(o, exact, taken.high);
    let low = o.add(r.low, taken.low);
    let low = o.fma(n, third, low);
    let r = double::fast_sum(o, r.high, low);
    [shifted, r.high, r.low]
}

/// How many digits of 2/π are multiplied: from the first that is more than a multiple of 4, until what is left out is
/// below 2^-71 in f32 and 2^-158 in f64. No float is nearer to a multiple of π/2 than 2^-30 and 2^-62.
const DIGITS: usize = 5;

/// What [`reduce`] gives, for a large x; NaN for an infinite one.
fn reduce_large<O: Ops>(o: &mut O, x: O::V) -> [O::V; 3] {
    let (x, digits) = digits_that_matter(o, x);
    let zero = o.float(0.0);
    // A sum of three floats, each far below the one before it.
    let [mut first, mut second, mut third] = [zero; 3];
    for (place, digit) in digits.into_iter().enumerate() {
        let weight = power_of_digit(o, -(place as i32));
        let part = o.mul(x, weight);
        let exact = double::product(o, part, digit);
        for part in [exact.high, exact.low] {
            // Later products are small as they are.
            let part = if place < 2 { modulo_4(o, part) } else { part };
            let to_first = double::sum(o, first, part);
            let to_second = double::sum(o, second, to_first.low);
            (first, second) = (to_first.high, to_second.high);
            third = o.add(third, to_second.low);
        }
    }
    let q = o.nearest(first);
    let first = o.sub(first, q);
    let upper = double::sum(o, first, second);
    let low = o.add(upper.low, third);
    let fraction = double::fast_sum(o, upper.high, low);
    let half_pi = coefficients::of(o.precision()).half_pi;
    let half_pi = Double { high: o.float(half_pi[0]), low: o.float(half_pi[1]) };
    let r = double::multiply(o, fraction, half_pi);
    let r = double::fast_sum(o, r.high, r.low);
    let magic = magic(o);
    [o.add(q, magic), r.high, r.low]
}

/// 2/π is a sum of digits of as many bits as a significand has. Left out are those whose product with x is a multiple
/// of 4, and x is divided by their weight: so both are brought to a product whose first digit counts.
fn digits_that_matter<O: Ops>(o: &mut O, mut x: O::V) -> (O::V, Vec<O::V>) {
    let mut digits: Vec<O::V> = coefficients::of(o.precision()).two_per_pi.iter().map(|d| o.float(*d)).collect();
    let (zero, two) = (o.float(0.0), o.float(2.0));
    let mut step = match o.precision() {
        Precision::F32 => 4,
        Precision::F64 => 16,
    };
    while step > 0 {
        let weight = power_of_digit(o, step as i32 + 1);
        let (limit, size) = (o.mul(weight, two), o.abs(x));
        let are_left_out = o.le(limit, size);
        let weight = power_of_digit(o, -(step as i32));
        let divided = o.mul(x, weight);
        x = o.select(are_left_out, divided, x);
        // The smaller steps that follow leave out less than one more of this.
        let needed = digits.len().min(DIGITS + step - 1);
        let after = |k: usize| digits.get(k + step).copied().unwrap_or(zero);
        digits = (0..needed).map(|k| o.select(are_left_out, after(k), digits[k])).collect();
        step /= 2;
    }
    (x, digits)
}

/// The weight of a digit, `places` places to the left.
fn power_of_digit<O: Ops>(o: &mut O, places: i32) -> O::V {
    let bits = match o.precision() {
        Precision::F32 => 24,
        Precision::F64 => 53,
    };
    o.float(2_f64.powi(places * bits))
}

/// x less the nearest multiple of 4, exactly.
fn modulo_4<O: Ops>(o: &mut O, x: O::V) -> O::V {
    let (quarter, minus_four) = (o.float(0.25), o.float(-4.0));
    let quotient = o.mul(x, quarter);
    let whole = o.nearest(quotient);
    o.fma(whole, minus_four, x)
}

/// sin(r + low) = r + low + r³·p(r²).
fn sin_reduced<O: Ops>(o: &mut O, r: Double<O::V>) -> O::V {
    let square = o.mul(r.high, r.high);
    let p = polynomial(o, coefficients::of(o.precision()).sin, square);
    let cube = o.mul(square, r.high);
    let rest = o.fma(p, cube, r.low);
    o.add(r.high, rest)
}

/// cos(r + low) = 1 - r²/2 - r·low + r⁴·p(r²).
fn cos_reduced<O: Ops>(o: &mut O, r: Double<O::V>) -> O::V {
    let (one, minus_half) = (o.float(1.0), o.float(-0.5));
    let square = o.mul(r.high, r.high);
    let p = polynomial(o, coefficients::of(o.precision()).cos, square);
    let fourth = o.mul(square, square);
    let minus_r = o.neg(r.high);
    let bent = o.mul(minus_r, r.low);
    let rest = o.fma(p, fourth, bent);
    let first = o.mul(square, minus_half);
    let near = double::fast_sum(o, one, first);
    let rest = o.add(rest, near.low);
    o.add(near.high, rest)
}
