//! Intervals of numbers, each end reached or only approached: what is known of a value without computing it.
//!
//! The arithmetic is that of floats where that matters for a sign. An end is left out for good only at zero, and only by
//! what is exact there: a sum is zero only if one term is minus the other, a product of two small numbers may be. Any
//! other end is reached by rounding. An infinite end that is reached says that an exponential may have overflowed; sums
//! and products of ordinary numbers are taken to be finite.

/// The numbers between two ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Interval {
    low: f64,
    high: f64,
    /// Whether `low` itself is left out.
    above: bool,
    /// Whether `high` itself is left out.
    below: bool,
}

impl Interval {
    /// Every number.
    pub const ALL: Self = Self { low: f64::NEG_INFINITY, high: f64::INFINITY, above: true, below: true };
    /// Every number above zero.
    pub const POSITIVE: Self = Self { low: 0.0, above: true, ..Self::ALL };

    /// From `low` to `high`, both reached.
    pub fn closed(low: f64, high: f64) -> Self {
        Self { low, high, above: false, below: false }
    }

    /// Every number from `low`.
    pub fn from(low: f64) -> Self {
        Self { low, high: f64::INFINITY, above: false, below: true }
    }

    /// From `low` to `high`, which is not reached.
    pub fn half_open(low: f64, high: f64) -> Self {
        Self { low, high, above: false, below: true }
    }

    /// Whether no number of it is `limit` or below.
    pub fn is_above(self, limit: f64) -> bool {
        self.low > limit || self.low == limit && self.above
    }

    /// Whether no number of it is below `limit`.
    pub fn is_at_least(self, limit: f64) -> bool {
        self.low >= limit
    }

    /// Whether an infinite number is in it.
    fn overflows(self) -> bool {
        self.low == f64::NEG_INFINITY && !self.above || self.high == f64::INFINITY && !self.below
    }

    /// Its lower end, reached or not.
    pub fn low(self) -> f64 {
        self.low
    }

    /// The numbers that are in both.
    pub fn and(self, other: Self) -> Self {
        let (low, above) = if (other.low, other.above) > (self.low, self.above) {
            (other.low, other.above)
        } else {
            (self.low, self.above)
        };
        let lower = other.high < self.high || other.high == self.high && other.below;
        let (high, below) = if lower { (other.high, other.below) } else { (self.high, self.below) };
        Self { low, high, above, below }
    }

    /// The smallest interval around both.
    pub fn or(self, other: Self) -> Self {
        let (low, above) = if (other.low, other.above) < (self.low, self.above) {
            (other.low, other.above)
        } else {
            (self.low, self.above)
        };
        let higher = other.high > self.high || other.high == self.high && !other.below;
        let (high, below) = if higher { (other.high, other.below) } else { (self.high, self.below) };
        Self { low, high, above, below }
    }

    /// What lies under some number of it (`reached`: or is one), for `x < y` and `x <= y`.
    pub fn under(self, reached: bool) -> Self {
        Self { high: self.high, below: self.below || !reached, ..Self::ALL }
    }

    /// What lies over some number of it (`reached`: or is one).
    pub fn over(self, reached: bool) -> Self {
        Self { low: self.low, above: self.above || !reached, ..Self::ALL }
    }

    /// The image under a function that grows and is zero in one place only.
    pub fn grown(self, f: impl Fn(f64) -> f64) -> Self {
        let (low, high) = (f(self.low), f(self.high));
        let kept = |end: f64| end == 0.0 || end.is_infinite();
        Self { low, high, above: self.above && kept(low), below: self.below && kept(high) }
    }

    /// e^x as floats of 32 bits have it: zero for what is far enough below zero, infinite for what is above.
    pub fn exp(self) -> Self {
        let low = if self.low < -103.0 { 0.0 } else { self.low.exp() };
        let high = if self.high > 88.0 { f64::INFINITY } else { self.high.exp() };
        Self::closed(low, high)
    }

    /// -x.
    pub fn neg(self) -> Self {
        Self { low: -self.high, high: -self.low, above: self.below, below: self.above }
    }

    /// x + y.
    pub fn plus(self, other: Self) -> Self {
        // Of an end: whether it is left out of one, and of the other.
        let end = |sum: f64, (a, out): (f64, bool), (b, other_out): (f64, bool)| match sum {
            0.0 => out || other_out,
            _ if sum.is_infinite() => (a.is_finite() || out) && (b.is_finite() || other_out),
            _ => false,
        };
        let (low, high) = (self.low + other.low, self.high + other.high);
        let above = end(low, (self.low, self.above), (other.low, other.above));
        Self { low, high, above, below: end(high, (self.high, self.below), (other.high, other.below)) }
    }

    /// x y.
    pub fn times(self, other: Self) -> Self {
        if self.high <= 0.0 && self.low < 0.0 {
            return self.neg().times(other).neg();
        }
        if other.high <= 0.0 && other.low < 0.0 {
            return self.times(other.neg()).neg();
        }
        // Zero times what has no bound is zero.
        let product = |a: f64, b: f64| if a == 0.0 || b == 0.0 { 0.0 } else { a * b };
        if self.low >= 0.0 && other.low >= 0.0 {
            let low = product(self.low, other.low);
            // Of two numbers that may both be as small as they like, the product may be zero.
            let far = self.low > 0.0 || other.low > 0.0;
            let above = low == 0.0 && far && self.is_above(0.0) && other.is_above(0.0);
            let high = product(self.high, other.high);
            return Self { low, high, above, below: high.is_infinite() && !self.overflows() && !other.overflows() };
        }
        let ends = [(self.low, other.low), (self.low, other.high), (self.high, other.low), (self.high, other.high)];
        let ends = ends.map(|(a, b)| product(a, b));
        let low = ends.into_iter().fold(f64::INFINITY, f64::min);
        let high = ends.into_iter().fold(f64::NEG_INFINITY, f64::max);
        let finite = !self.overflows() && !other.overflows();
        Self { low, high, above: finite && low.is_infinite(), below: finite && high.is_infinite() }
    }

    /// 1 / x.
    pub fn inverse(self) -> Self {
        if self.is_above(0.0) {
            let (low, high) = (1.0 / self.high, 1.0 / self.low);
            return Self { low, high, above: low == 0.0 && self.below, below: high.is_infinite() };
        }
        if self.low == 0.0 && self.high > 0.0 {
            return Self::closed(0.0, f64::INFINITY);
        }
        if self.neg().is_above(0.0) { self.neg().inverse().neg() } else { Self::ALL }
    }

    /// |x|.
    pub fn abs(self) -> Self {
        if self.low >= 0.0 {
            return self;
        }
        if self.high <= 0.0 {
            return self.neg();
        }
        let high = self.high.max(-self.low);
        Self { low: 0.0, high, above: false, below: high.is_infinite() && !self.overflows() }
    }

    /// x^n of a fixed n.
    pub fn power(self, n: f64) -> Self {
        let even = n % 2.0 == 0.0 && n > 0.0;
        if even {
            return self.abs().raised(n);
        }
        if self.low >= 0.0 && n > 0.0 {
            return self.raised(n);
        }
        if self.is_above(0.0) { Self::POSITIVE } else { Self::ALL }
    }

    /// x^n of an x that is not negative and a positive n; of a small number it may be zero.
    fn raised(self, n: f64) -> Self {
        let power = self.grown(|x| x.powf(n));
        Self { above: power.above && n <= 1.0, ..power }
    }

    /// The larger of both.
    pub fn max(self, other: Self) -> Self {
        let (low, above) = if (other.low, other.above) > (self.low, self.above) {
            (other.low, other.above)
        } else {
            (self.low, self.above)
        };
        Self { low, above, ..self.or(other) }
    }

    /// The smaller of both.
    pub fn min(self, other: Self) -> Self {
        self.neg().max(other.neg()).neg()
    }

    /// A sum of between `least` and `most` numbers of it.
    pub fn sum(self, least: f64, most: f64) -> Self {
        let low = if self.low < 0.0 { self.low * most } else { self.low * least };
        let high = if self.high > 0.0 { self.high * most } else { self.high * least };
        Self { low, high, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: Interval = Interval { low: 0.0, high: 1.0, above: true, below: true };

    #[test]
    fn a_logistic_curve_reaches_zero_and_one() {
        // e / (1 + e) for e = exp(min(x, -x)), and 1 / (1 + e).
        let e = Interval { high: 0.0, below: false, ..Interval::ALL }.exp();
        let one = Interval::closed(1.0, 1.0);
        let curve = one.or(e).times(one.plus(e).inverse());
        assert!(curve.is_at_least(0.0) && !curve.is_above(0.0));
        assert!(!one.plus(curve.neg()).is_above(0.0));
        let small = Interval::closed(1e-8, 1e-8);
        assert!(curve.plus(small).is_above(0.0) && curve.max(small).is_above(0.0));
        // The same as 1 / (1 + exp(-x)), where the exponential may be infinite.
        assert!(!one.plus(Interval::ALL.exp()).inverse().is_above(0.0));
    }

    #[test]
    fn what_is_exact_keeps_its_sign() {
        let one = Interval::closed(1.0, 1.0);
        // A draw u from 0 to below 1: 1 - u is positive, and so is half of it, and 1 / (1 + x²).
        let rest = one.plus(Interval::half_open(0.0, 1.0).neg());
        assert!(rest.is_above(0.0) && rest.times(Interval::closed(0.5, 0.5)).is_above(0.0));
        assert!(one.plus(Interval::ALL.power(2.0)).inverse().is_above(0.0));
        // Rounded: 1 + u for a u above zero may be 1, and the product of two small numbers zero.
        assert!(!one.plus(UNIT).is_above(1.0));
        assert!(UNIT.is_above(0.0) && !UNIT.times(UNIT).is_above(0.0) && !UNIT.power(2.0).is_above(0.0));
    }

    #[test]
    fn squares_are_not_negative() {
        assert!(Interval::ALL.power(2.0).is_at_least(0.0) && !Interval::ALL.power(2.0).is_above(0.0));
        assert!(Interval::closed(-3.0, -1.5).power(2.0).is_above(1.0));
        assert_eq!(Interval::ALL.power(3.0), Interval::ALL);
    }

    #[test]
    fn products_have_the_sign_of_their_factors() {
        let (minus, plus) = (Interval::closed(-3.0, -0.5), Interval::POSITIVE);
        assert!(minus.times(plus).neg().is_above(0.0));
        assert!(minus.times(minus).is_above(0.0));
        assert!(!Interval::closed(-1.0, 1.0).times(plus).is_at_least(-2.0));
    }
}
