//! The error function: x + x·p(x²) up to 7/8, and 1 - e^q with q = ln erfc x beyond.

use super::coefficients;
use super::double;
use super::exponentials::exp_of_double;
use super::ops::{Ops, at_most, polynomial, with_sign};
use crate::number::Precision;

/// 2/√π times the integral of e^-t² from 0 to x.
pub fn erf<O: Ops>(o: &mut O, x: O::V) -> O::V {
    let c = coefficients::of(o.precision());
    let saturated = match o.precision() {
        Precision::F32 => o.float(3.95),
        Precision::F64 => o.float(5.95),
    };
    let (one, split) = (o.float(1.0), o.float(c.erf_split));
    let size = o.abs(x);
    let size = at_most(o, saturated, size);
    let square = o.mul(size, size);
    let p = polynomial(o, c.erf, square);
    let near = o.fma(size, p, size);
    let beyond = o.sub(size, split);
    let slope = polynomial(o, c.log_erfc, beyond);
    let change = double::product(o, beyond, slope);
    let (start, start_low) = (o.float(c.log_erfc_high), o.float(c.log_erfc_low));
    let mut q = double::sum(o, start, change.high);
    let low = o.add(change.low, start_low);
    q.low = o.add(q.low, low);
    let complement = exp_of_double(o, q);
    let far = o.sub(one, complement);
    let is_near = o.lt(size, split);
    let y = o.select(is_near, near, far);
    with_sign(o, y, x)
}
