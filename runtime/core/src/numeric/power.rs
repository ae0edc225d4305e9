//! x^y as e^(y·log |x|), the logarithm and the product to twice the precision; the special cases are
//! those of IEEE 754 `pow`.

use super::double::{self, Double};
use super::exponentials::exp_of_double;
use super::logarithm::log_double;
use super::ops::{Ops, clamp, with_sign};
use crate::number::Precision;

/// x to the power y.
pub fn pow<O: Ops>(o: &mut O, x: O::V, y: O::V) -> O::V {
    let (zero, one) = (o.float(0.0), o.float(1.0));
    let size = o.abs(x);
    // Only zero and infinity are their own doubles.
    let twice = o.add(size, size);
    let is_end = o.eq(twice, size);
    let end = end_magnitude(o, size, y);
    let inner = inner_magnitude(o, size, y);
    let magnitude = o.select(is_end, end, inner);
    let result = with_parity(o, x, y, magnitude, is_end);
    let is_number = o.eq(x, x);
    let result = o.select(is_number, result, x);
    let y_is_zero = o.eq(y, zero);
    o.select(y_is_zero, one, result)
}

/// size^y for a finite `size` above zero.
fn inner_magnitude<O: Ops>(o: &mut O, size: O::V, y: O::V) -> O::V {
    let (zero, one) = (o.float(0.0), o.float(1.0));
    // Every power of a number other than 1 has left the range long before y gets here.
    let (largest_y, largest_product) = match o.precision() {
        Precision::F32 => (34_f64.exp2(), o.float(200.0)),
        Precision::F64 => (66_f64.exp2(), o.float(1000.0)),
    };
    let y = clamp(o, y, -largest_y, largest_y);
    let log = log_double(o, size);
    let exponent = double::multiply(o, Double { high: y, low: zero }, log);
    // Where the result is 0 or infinite anyway, the low part may be anything.
    let product_size = o.abs(exponent.high);
    let matters = o.lt(product_size, largest_product);
    let low = o.select(matters, exponent.low, zero);
    let power = exp_of_double(o, Double { high: exponent.high, low });
    let is_one = o.eq(size, one);
    o.select(is_one, one, power)
}

/// size^y for a `size` of zero or infinity and y other than 0.
fn end_magnitude<O: Ops>(o: &mut O, size: O::V, y: O::V) -> O::V {
    let (zero, one) = (o.float(0.0), o.float(1.0));
    let inverse = o.div(one, size);
    let (positive, negative) = (o.lt(zero, y), o.lt(y, zero));
    let not_positive = o.select(negative, inverse, y);
    o.select(positive, size, not_positive)
}

/// The sign of x^y: that of x for odd y, plus for even y; for other y a negative, finite x has no power.
fn with_parity<O: Ops>(o: &mut O, x: O::V, y: O::V, magnitude: O::V, is_end: O::M) -> O::V {
    let (zero, half, nan) = (o.float(0.0), o.float(0.5), o.float(f64::NAN));
    let half_y = o.mul(y, half);
    let (floor, half_floor) = (o.floor(y), o.floor(half_y));
    let (is_whole, is_even) = (o.eq(floor, y), o.eq(half_floor, half_y));
    let is_negative = o.lt(x, zero);
    let broken = o.select(is_negative, nan, magnitude);
    let broken = o.select(is_end, magnitude, broken);
    let odd = with_sign(o, magnitude, x);
    let whole = o.select(is_even, magnitude, odd);
    o.select(is_whole, whole, broken)
}
