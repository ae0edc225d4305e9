//! Sums of two floats as one number of twice the precision: what a result rounded once is made of.
//! In a [`Double`] `high` is the sum rounded, up to an ulp or so, and `low` the small rest.

use super::ops::Ops;

/// The unevaluated sum `high + low`.
pub struct Double<V> {
    pub high: V,
    pub low: V,
}

impl<V: Copy> Copy for Double<V> {}
impl<V: Copy> Clone for Double<V> {
    fn clone(&self) -> Self {
        *self
    }
}

/// a + b exactly, if |a| ≥ |b| or a = 0 (Dekker).
pub fn fast_sum<O: Ops>(o: &mut O, a: O::V, b: O::V) -> Double<O::V> {
    let high = o.add(a, b);
    let b_seen = o.sub(high, a);
    Double { high, low: o.sub(b, b_seen) }
}

/// a + b exactly (Knuth).
pub fn sum<O: Ops>(o: &mut O, a: O::V, b: O::V) -> Double<O::V> {
    let high = o.add(a, b);
    let a_seen = o.sub(high, b);
    let b_seen = o.sub(high, a_seen);
    let (a_lost, b_lost) = (o.sub(a, a_seen), o.sub(b, b_seen));
    Double { high, low: o.add(a_lost, b_lost) }
}

/// a · b exactly.
pub fn product<O: Ops>(o: &mut O, a: O::V, b: O::V) -> Double<O::V> {
    let high = o.mul(a, b);
    let minus_high = o.neg(high);
    Double { high, low: o.fma(a, b, minus_high) }
}

/// a · b to twice the precision, less a few bits.
pub fn multiply<O: Ops>(o: &mut O, a: Double<O::V>, b: Double<O::V>) -> Double<O::V> {
    let exact = product(o, a.high, b.high);
    let low = o.fma(a.high, b.low, exact.low);
    Double { high: exact.high, low: o.fma(a.low, b.high, low) }
}

/// a / b to twice the precision, less a few bits.
pub fn divide<O: Ops>(o: &mut O, a: Double<O::V>, b: Double<O::V>) -> Double<O::V> {
    let one = o.float(1.0);
    let inverse = o.div(one, b.high);
    let high = o.mul(a.high, inverse);
    let minus_high = o.neg(high);
    let rest = o.fma(minus_high, b.high, a.high);
    let rest = o.fma(minus_high, b.low, rest);
    let rest = o.add(rest, a.low);
    Double { high, low: o.mul(rest, inverse) }
}
