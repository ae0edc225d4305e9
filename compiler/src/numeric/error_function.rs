//! The error function: x + x·p(x²) up to 1, and 1 - e^q(x - 1), q = ln erfc, beyond.

use super::coefficients;
use super::exponential::exp;
use super::ops::{Ops, Precision, min, polynomial, with_sign};

/// 2/√π times the integral of e^-t² from 0 to x.
pub fn erf<O: Ops>(o: &mut O, x: O::V) -> O::V {
    let c = coefficients::of(o.precision());
    let saturated = match o.precision() {
        Precision::F32 => o.float(3.95),
        Precision::F64 => o.float(5.95),
    };
    let one = o.float(1.0);
    let size = o.abs(x);
    let size = min(o, saturated, size);
    let square = o.mul(size, size);
    let p = polynomial(o, c.erf, square);
    let near = o.fma(size, p, size);
    let beyond = o.sub(size, one);
    let q = polynomial(o, c.log_erfc, beyond);
    let complement = exp(o, q);
    let far = o.sub(one, complement);
    let is_near = o.lt(size, one);
    let y = o.select(is_near, near, far);
    with_sign(o, y, x)
}
