//! Numbers known while compiling: settings, dimensions and arithmetic on them. A number keeps its
//! exact fraction for as long as that fits, so that a dimension such as `(h - 3) / 2 + 1` is known
//! to be whole or not, and its floating value beside it for everything else.

use crate::scalar::Binary;
use nnc_core::numeric::eval_binary_f64;

/// A number known while compiling.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Num {
    /// Its value as a floating number.
    pub value: f64,
    /// Numerator and positive denominator in lowest terms, where they fit.
    exact: Option<(i128, i128)>,
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a.abs() } else { gcd(b, a % b) }
}

/// Fractions are kept while both parts stay below this, which leaves room for one product.
const LIMIT: i128 = 1 << 60;

fn reduce(numerator: i128, denominator: i128) -> Option<(i128, i128)> {
    if denominator == 0 {
        return None;
    }
    let g = gcd(numerator, denominator).max(1) * denominator.signum();
    let (n, d) = (numerator / g, denominator / g);
    (n.abs() < LIMIT && d < LIMIT).then_some((n, d))
}

impl Num {
    /// A whole number.
    pub fn int(value: i64) -> Self {
        Self { value: value as f64, exact: reduce(i128::from(value), 1) }
    }

    /// A number whose exact fraction does not matter.
    pub fn float(value: f64) -> Self {
        Self { value, exact: None }
    }

    /// A literal as written, `value` being its floating value.
    pub fn literal(value: f64, text: &str) -> Self {
        Self { value, exact: fraction(text) }
    }

    /// The whole number it is, if it is one.
    pub fn whole(self) -> Option<i64> {
        match self.exact {
            Some((n, 1)) => i64::try_from(n).ok(),
            _ => None,
        }
    }

    /// Whether its floating value is the number itself, as far as whole numbers go.
    pub fn is_kept(self) -> bool {
        match self.whole() {
            Some(n) => self.value as i64 == n,
            None => self.value.fract() != 0.0 || self.value.abs() <= (1_u64 << 53) as f64,
        }
    }

    fn both(self, other: Self, value: f64, f: impl Fn((i128, i128), (i128, i128)) -> Option<(i128, i128)>) -> Self {
        let exact = self.exact.zip(other.exact).and_then(|(a, b)| f(a, b));
        Self { value, exact }
    }

    /// Sum.
    pub fn add(self, other: Self) -> Self {
        self.both(other, self.value + other.value, |a, b| reduce(a.0 * b.1 + b.0 * a.1, a.1 * b.1))
    }

    /// Difference.
    pub fn sub(self, other: Self) -> Self {
        self.both(other, self.value - other.value, |a, b| reduce(a.0 * b.1 - b.0 * a.1, a.1 * b.1))
    }

    /// Product.
    pub fn mul(self, other: Self) -> Self {
        self.both(other, self.value * other.value, |a, b| reduce(a.0 * b.0, a.1 * b.1))
    }

    /// Quotient, real division.
    pub fn div(self, other: Self) -> Self {
        self.both(other, self.value / other.value, |a, b| reduce(a.0 * b.1, a.1 * b.0))
    }

    /// Power; exact for a small whole exponent that is not negative.
    pub fn pow(self, other: Self) -> Self {
        self.both(other, eval_binary_f64(Binary::Pow, self.value, other.value), |a, b| {
            let exponent = u32::try_from(b.0).ok().filter(|_| b.1 == 1)?;
            reduce(a.0.checked_pow(exponent)?, a.1.checked_pow(exponent)?)
        })
    }

    /// Remainder of the division that rounds down.
    pub fn modulo(self, other: Self) -> Self {
        self.sub(other.mul(self.div(other).floor()))
    }

    /// Largest whole number not above.
    pub fn floor(self) -> Self {
        let exact = self.exact.map(|(n, d)| (n.div_euclid(d), 1));
        Self { value: self.value.floor(), exact }
    }

    /// Smallest whole number not below.
    pub fn ceil(self) -> Self {
        let exact = self.exact.map(|(n, d)| (-(-n).div_euclid(d), 1));
        Self { value: self.value.ceil(), exact }
    }

    /// The negative.
    pub fn neg(self) -> Self {
        Self { value: -self.value, exact: self.exact.map(|(n, d)| (-n, d)) }
    }

    /// As a reader would write it.
    pub fn text(self) -> String {
        match self.exact {
            Some((n, 1)) => n.to_string(),
            // A third is written as one, a half as it was.
            Some((n, d)) if d < 1000 && format!("{}", self.value).len() > 8 => format!("{n}/{d}"),
            _ => format!("{}", self.value),
        }
    }
}

/// The exact fraction of a decimal literal.
fn fraction(text: &str) -> Option<(i128, i128)> {
    let clean = text.replace('_', "");
    let (mantissa, exponent) = match clean.split_once(['e', 'E']) {
        Some((m, e)) => (m.to_string(), e.parse::<i32>().ok()?),
        None => (clean, 0),
    };
    let (whole, part) = mantissa.split_once('.').unwrap_or((&mantissa, ""));
    let digits: i128 = format!("{whole}{part}").parse().ok()?;
    let shift = exponent - i32::try_from(part.len()).ok()?;
    let scale = 10i128.checked_pow(shift.unsigned_abs())?;
    if shift >= 0 { reduce(digits.checked_mul(scale)?, 1) } else { reduce(digits, scale) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_stay_exact() {
        let n = Num::int(28).sub(Num::int(3)).div(Num::int(2));
        assert_eq!(n.whole(), None);
        assert_eq!(n.floor().whole(), Some(12));
        assert_eq!(n.ceil().whole(), Some(13));
        assert_eq!(Num::literal(0.5, "0.5").mul(Num::int(64)).whole(), Some(32));
        assert_eq!(Num::literal(1e-5, "1e-5").mul(Num::int(100_000)).whole(), Some(1));
        assert_eq!(Num::int(-7).modulo(Num::int(3)).whole(), Some(2));
    }
}
