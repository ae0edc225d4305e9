//! Intervals of real numbers, each end reached or only approached: what is known of a value without computing it.
//! The arithmetic is that of real numbers; rounding and overflow are left out.

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
    pub const ALL: Self = Self { low: f64::NEG_INFINITY, high: f64::INFINITY, above: false, below: false };
    /// Every number above zero.
    pub const POSITIVE: Self = Self { low: 0.0, above: true, ..Self::ALL };

    /// From `low` to `high`, both reached.
    pub fn closed(low: f64, high: f64) -> Self {
        Self { low, high, above: false, below: false }
    }

    /// Between `low` and `high`, neither reached.
    pub fn open(low: f64, high: f64) -> Self {
        Self { low, high, above: true, below: true }
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

    /// The image under a function that grows.
    pub fn grown(self, f: impl Fn(f64) -> f64) -> Self {
        Self { low: f(self.low), high: f(self.high), ..self }
    }

    /// -x.
    pub fn neg(self) -> Self {
        Self { low: -self.high, high: -self.low, above: self.below, below: self.above }
    }

    /// x + y.
    pub fn plus(self, other: Self) -> Self {
        Self {
            low: self.low + other.low,
            high: self.high + other.high,
            above: self.above || other.above,
            below: self.below || other.below,
        }
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
            let above = if low == 0.0 { self.is_above(0.0) && other.is_above(0.0) } else { self.above || other.above };
            let high = product(self.high, other.high);
            return Self { low, high, above, below: self.below || other.below };
        }
        let ends = [(self.low, other.low), (self.low, other.high), (self.high, other.low), (self.high, other.high)];
        let ends = ends.map(|(a, b)| product(a, b));
        Self::closed(ends.into_iter().fold(f64::INFINITY, f64::min), ends.into_iter().fold(f64::NEG_INFINITY, f64::max))
    }

    /// 1 / x.
    pub fn inverse(self) -> Self {
        if self.is_above(0.0) {
            let (low, high) = (1.0 / self.high, 1.0 / self.low);
            return Self { low, high, above: self.below || low == 0.0, below: self.above };
        }
        if self.neg().is_above(0.0) { self.neg().inverse().neg() } else { Self::ALL }
    }

    /// |x|.
    pub fn abs(self) -> Self {
        if self.low >= 0.0 {
            return self;
        }
        if self.high <= 0.0 { self.neg() } else { Self::closed(0.0, self.high.max(-self.low)) }
    }

    /// x^n of a fixed n.
    pub fn power(self, n: f64) -> Self {
        let even = n % 2.0 == 0.0 && n > 0.0;
        if even {
            return self.abs().grown(|x| x.powf(n));
        }
        if self.low >= 0.0 && n > 0.0 {
            return self.grown(|x| x.powf(n));
        }
        if self.is_above(0.0) { Self::POSITIVE } else { Self::ALL }
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

    #[test]
    fn a_sigmoid_lies_between_zero_and_one() {
        // e / (1 + e) for e = exp(min(x, -x)), and 1 / (1 + e).
        let e = Interval { low: 0.0, high: 1.0, above: true, below: false };
        let one = Interval::closed(1.0, 1.0);
        let sigmoid = one.or(e).times(one.plus(e).inverse());
        assert!(sigmoid.is_above(0.0));
        assert!(one.plus(sigmoid.neg()).is_above(0.0));
    }

    #[test]
    fn squares_are_not_negative() {
        assert!(Interval::ALL.power(2.0).is_at_least(0.0) && !Interval::ALL.power(2.0).is_above(0.0));
        assert!(Interval::open(-3.0, -1.0).power(2.0).is_above(1.0));
        assert_eq!(Interval::ALL.power(3.0), Interval::ALL);
    }

    #[test]
    fn products_have_the_sign_of_their_factors() {
        let (minus, plus) = (Interval::open(-3.0, 0.0), Interval::POSITIVE);
        assert!(minus.times(plus).neg().is_above(0.0));
        assert!(minus.times(minus).is_above(0.0));
        assert!(!Interval::closed(-1.0, 1.0).times(plus).is_at_least(-2.0));
    }
}
