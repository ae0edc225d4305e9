//! sin and cos: x = q·π/2 + r with |r| ≤ π/4, and q modulo 4 says which of ±sin r, ±cos r it is.
//!
//! The reduction is exact enough while q fits the fraction of a float, |x| ≤ 2^22 in f32 and 2^51 in
//! f64. Beyond, where neighbouring floats are about a radian or more apart, the result is NaN.

use super::coefficients;
use super::double::{self, Double};
use super::ops::{Ops, Precision, polynomial};

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
        Precision::F32 => (32, 4_194_304.0),
        Precision::F64 => (64, 2_251_799_813_685_248.0),
    };
    let (q, r) = reduce(o, x);
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
    let y = o.from_bits(bits);
    let (size, limit, nan) = (o.abs(x), o.float(limit), o.float(f64::NAN));
    let is_known = o.le(size, limit);
    o.select(is_known, y, nan)
}

/// The quarter turn `q`, right modulo 4, and the rest `r`.
fn reduce<O: Ops>(o: &mut O, x: O::V) -> (O::I, Double<O::V>) {
    let c = coefficients::of(o.precision());
    let magic = match o.precision() {
        Precision::F32 => 12_582_912.0,
        Precision::F64 => 6_755_399_441_055_744.0,
    };
    let (per_half_pi, magic) = (o.float(c.per_half_pi), o.float(magic));
    let shifted = o.fma(x, per_half_pi, magic);
    let n = o.sub(shifted, magic);
    let [first, second, third] = c.half_pi.map(|part| o.float(-part));
    // Exact: both sides are multiples of the last place of π/2, and the difference is below 1.
    let exact = o.fma(n, first, x);
    let taken = double::product(o, n, second);
    let r = double::sum(o, exact, taken.high);
    let low = o.add(r.low, taken.low);
    let low = o.fma(n, third, low);
    (o.bits(shifted), double::fast_sum(o, r.high, low))
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
