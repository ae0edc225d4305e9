//! Integer expressions `c + sum of c_v * v` over loop variables, and what is known of them.

use std::fmt;

/// Number of a loop variable of a nest.
pub type Loop = usize;

/// A sum of multiples of loop variables and a constant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Affine {
    /// What does not vary.
    pub offset: i64,
    /// Loop variables in ascending order with their factors, none zero.
    pub terms: Vec<(Loop, i64)>,
}

/// How `a div m` and `a mod m` come out.
#[derive(Debug, PartialEq, Eq)]
pub enum Division {
    /// Both are affine: quotient and remainder.
    Exact(Affine, Affine),
    /// They would be, were this loop split so that its inner part has this extent.
    Split(Loop, usize),
    /// Neither.
    Opaque,
}

impl Affine {
    /// A constant.
    #[must_use]
    pub fn fixed(offset: i64) -> Self {
        Self { offset, terms: vec![] }
    }

    /// A loop variable.
    #[must_use]
    pub fn var(v: Loop) -> Self {
        Self { offset: 0, terms: vec![(v, 1)] }
    }

    /// The factor of a loop variable.
    #[must_use]
    pub fn factor(&self, v: Loop) -> i64 {
        self.terms.iter().find(|(w, _)| *w == v).map_or(0, |(_, c)| *c)
    }

    /// The constant, if nothing varies.
    #[must_use]
    pub fn as_fixed(&self) -> Option<i64> {
        self.terms.is_empty().then_some(self.offset)
    }

    /// `self + factor * other`.
    #[must_use]
    pub fn plus(&self, other: &Self, factor: i64) -> Self {
        let mut sum = self.clone();
        sum.offset += factor * other.offset;
        for (v, c) in &other.terms {
            match sum.terms.binary_search_by_key(v, |(w, _)| *w) {
                Ok(at) => sum.terms[at].1 += factor * c,
                Err(at) => sum.terms.insert(at, (*v, factor * c)),
            }
        }
        sum.terms.retain(|(_, c)| *c != 0);
        sum
    }

    /// `factor * self`.
    #[must_use]
    pub fn times(&self, factor: i64) -> Self {
        Self::default().plus(self, factor)
    }

    /// The least and the greatest value, for loops of these extents.
    #[must_use]
    pub fn range(&self, extents: &[usize]) -> (i64, i64) {
        self.terms.iter().fold((self.offset, self.offset), |(low, high), (v, c)| {
            let far = c * (extents[*v] as i64 - 1);
            (low + far.min(0), high + far.max(0))
        })
    }

    /// Divides by a positive constant, rounding down.
    #[must_use]
    pub fn divide(&self, by: i64, extents: &[usize]) -> Division {
        let (mut whole, mut rest) = (Self::default(), Self::default());
        whole.offset = self.offset.div_euclid(by);
        rest.offset = self.offset.rem_euclid(by);
        for (v, c) in &self.terms {
            let part = if c % by == 0 { &mut whole } else { &mut rest };
            part.terms.push((*v, if c % by == 0 { c / by } else { *c }));
        }
        let (low, high) = rest.range(extents);
        if low >= 0 && high < by {
            return Division::Exact(whole, rest);
        }
        let splittable = |(v, c): &(Loop, i64)| {
            let cut = by / c.max(&1);
            let divides = *c > 0 && by % c == 0 && extents[*v] as i64 % cut == 0;
            (divides && cut > 1 && cut < extents[*v] as i64).then_some(Division::Split(*v, cut as usize))
        };
        rest.terms.iter().find_map(splittable).unwrap_or(Division::Opaque)
    }

    /// The same with every variable `v` put as `to(v)`.
    #[must_use]
    pub fn renamed(&self, to: &impl Fn(Loop) -> Self) -> Self {
        self.terms.iter().fold(Self::fixed(self.offset), |sum, (v, c)| sum.plus(&to(*v), *c))
    }
}

impl fmt::Display for Affine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (v, c)) in self.terms.iter().enumerate() {
            let sign = if n == 0 { "" } else { " + " };
            match c {
                1 => write!(f, "{sign}i{v}")?,
                c => write!(f, "{sign}{c}*i{v}")?,
            }
        }
        match (self.terms.is_empty(), self.offset) {
            (true, c) => write!(f, "{c}"),
            (false, 0) => Ok(()),
            (false, c) => write!(f, " + {c}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_position_asks_for_the_splits_that_make_it_affine() {
        let flat = Affine::var(0);
        assert_eq!(flat.divide(25, &[400]), Division::Split(0, 25));
        let digits = Affine::var(0).times(25).plus(&Affine::var(1), 1);
        assert_eq!(digits.divide(25, &[16, 25]), Division::Exact(Affine::var(0), Affine::var(1)));
        assert_eq!(digits.divide(5, &[16, 25]), Division::Split(1, 5));
    }

    #[test]
    fn a_shifted_position_stays_opaque() {
        let shifted = Affine::var(0).plus(&Affine::fixed(1), 1);
        assert_eq!(shifted.divide(2, &[5]), Division::Opaque);
        assert_eq!(shifted.times(2).divide(2, &[5]), Division::Exact(shifted, Affine::fixed(0)));
    }
}
