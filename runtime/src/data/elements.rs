//! Elements of a column as they were stored: each is a number of 64 bits when it is looked at, and takes no more memory
//! than it must until then.

use super::shape;
use super::table::{Column, Values, written_out};
use crate::error::Result;

/// One behind the other.
pub enum Elements {
    /// Real numbers of 32 bits.
    Singles(Vec<f32>),
    /// Real numbers of 64 bits.
    Doubles(Vec<f64>),
    /// Whole numbers of 32 bits.
    Whole(Vec<i32>),
    /// Whole numbers below 256.
    Bytes(Vec<u8>),
}

impl Elements {
    /// Those of a column, windows that overlap written out.
    ///
    /// # Errors
    /// If it holds no numbers.
    pub fn of(column: Column) -> Result<Self> {
        fn apart<T: Copy>(values: Vec<T>, stride: usize, width: usize) -> Vec<T> {
            if stride == width { values } else { written_out(&values, stride, width) }
        }
        let (stride, width) = (column.stride, column.width());
        Ok(match column.values {
            Values::Numbers(v) => Self::Singles(apart(v, stride, width)),
            Values::Doubles(v) => Self::Doubles(apart(v, stride, width)),
            Values::Integers(v) => Self::Whole(apart(v, stride, width)),
            Values::Bytes(v) => Self::Bytes(apart(v, stride, width)),
            Values::Words(_, error) | Values::Unusable(error) => return Err(error),
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Singles(v) => v.len(),
            Self::Doubles(v) => v.len(),
            Self::Whole(v) => v.len(),
            Self::Bytes(v) => v.len(),
        }
    }

    /// The elements of samples of a shape after moving their axes.
    #[must_use]
    pub fn permuted(&self, shape: &[usize], order: &[usize]) -> Self {
        match self {
            Self::Singles(v) => Self::Singles(shape::permuted(v, shape, order)),
            Self::Doubles(v) => Self::Doubles(shape::permuted(v, shape, order)),
            Self::Whole(v) => Self::Whole(shape::permuted(v, shape, order)),
            Self::Bytes(v) => Self::Bytes(shape::permuted(v, shape, order)),
        }
    }

    /// Calls `look` with the number of each, from 0, and its value.
    pub fn each(&self, mut look: impl FnMut(usize, f64)) {
        match self {
            Self::Singles(v) => v.iter().enumerate().for_each(|(i, x)| look(i, f64::from(*x))),
            Self::Doubles(v) => v.iter().enumerate().for_each(|(i, x)| look(i, *x)),
            Self::Whole(v) => v.iter().enumerate().for_each(|(i, x)| look(i, f64::from(*x))),
            Self::Bytes(v) => v.iter().enumerate().for_each(|(i, x)| look(i, f64::from(*x))),
        }
    }

    /// Those of some samples, `width` each, for each list of them.
    #[must_use]
    pub fn parted(&self, width: usize, lists: &[&[u32]]) -> Vec<Self> {
        fn picked<T: Copy>(values: &[T], width: usize, samples: &[u32]) -> Vec<T> {
            samples.iter().flat_map(|s| &values[*s as usize * width..][..width]).copied().collect()
        }
        let part = |samples: &&[u32]| match self {
            Self::Singles(v) => Self::Singles(picked(v, width, samples)),
            Self::Doubles(v) => Self::Doubles(picked(v, width, samples)),
            Self::Whole(v) => Self::Whole(picked(v, width, samples)),
            Self::Bytes(v) => Self::Bytes(picked(v, width, samples)),
        };
        lists.iter().map(part).collect()
    }

    /// All of them after `change`, rounded to 32 bits; or the number and value of the first that is not finite then.
    ///
    /// # Errors
    /// If there is one.
    pub fn singles(self, change: impl Fn(usize, f64) -> f64) -> std::result::Result<Vec<f32>, (usize, f64)> {
        let single = |i: usize, x: f64| match change(i, x) {
            x if (x as f32).is_finite() => Ok(x as f32),
            x => Err((i, x)),
        };
        match self {
            Self::Singles(mut v) => {
                // In place: the largest data are these.
                v.iter_mut().enumerate().try_for_each(|(i, x)| single(i, f64::from(*x)).map(|y| *x = y))?;
                Ok(v)
            }
            Self::Doubles(v) => changed(&v, single),
            Self::Whole(v) => changed(&v, single),
            Self::Bytes(v) => changed(&v, single),
        }
    }

    /// As [`Self::singles`], in 64 bits.
    ///
    /// # Errors
    /// As there.
    pub fn doubles(self, change: impl Fn(usize, f64) -> f64) -> std::result::Result<Vec<f64>, (usize, f64)> {
        let double = |i: usize, x: f64| match change(i, x) {
            x if x.is_finite() => Ok(x),
            x => Err((i, x)),
        };
        match self {
            Self::Singles(v) => changed(&v, double),
            Self::Doubles(v) => changed(&v, double),
            Self::Whole(v) => changed(&v, double),
            Self::Bytes(v) => changed(&v, double),
        }
    }
}

/// All elements changed, in no more memory than they take.
fn changed<T: Copy + Into<f64>, N>(
    values: &[T],
    change: impl Fn(usize, f64) -> std::result::Result<N, (usize, f64)>,
) -> std::result::Result<Vec<N>, (usize, f64)> {
    let mut out = Vec::with_capacity(values.len());
    for (i, x) in values.iter().enumerate() {
        out.push(change(i, (*x).into())?);
    }
    Ok(out)
}
