//! A data set in memory, as the network sees it, and its batches.

use super::spec::Field;
use crate::random::random_order;

/// Fields and splits; every value has gone through its transforms and been checked.
#[derive(Clone, Debug, PartialEq)]
pub struct DataSet {
    /// The data block's name.
    pub name: String,
    /// What the network sees of a sample.
    pub fields: Vec<Field>,
    /// `train` first, then `valid` if there is one, then the others in order.
    pub splits: Vec<Split>,
}

/// Some of the samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// `train`, `valid`, `test`.
    pub name: String,
    /// Number of samples.
    pub count: usize,
    /// For each field, in order.
    pub columns: Vec<Rows>,
}

/// A field's values of all samples, row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum Rows {
    /// Real numbers.
    Numbers(Vec<f32>),
    /// Classes, all below the number that the field declares.
    Classes(Vec<i32>),
}

impl DataSet {
    /// The split of that name.
    #[must_use]
    pub fn split(&self, name: &str) -> Option<&Split> {
        self.splits.iter().find(|s| s.name == name)
    }

    /// Bytes that the values take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let size = |rows: &Rows| match rows {
            Rows::Numbers(v) => 4 * v.len(),
            Rows::Classes(v) => 4 * v.len(),
        };
        self.splits.iter().flat_map(|s| &s.columns).map(size).sum()
    }
}

impl Split {
    /// Copies a field of real numbers of the given samples to `out`, one after the other. Classes
    /// come as numbers.
    pub fn numbers<F: From<f32>>(&self, field: usize, samples: &[u32], out: &mut [F]) {
        match &self.columns[field] {
            Rows::Numbers(values) => gather(values, self.count, samples, out, |x| F::from(x)),
            Rows::Classes(values) => gather(values, self.count, samples, out, |c| F::from(c as f32)),
        }
    }

    /// Copies a field of classes of the given samples to `out`, one after the other. A field of
    /// numbers has none and leaves `out` as it is.
    pub fn classes(&self, field: usize, samples: &[u32], out: &mut [i32]) {
        if let Rows::Classes(values) = &self.columns[field] {
            gather(values, self.count, samples, out, |c| c);
        }
    }
}

/// Copies the rows of `samples`; `values` holds `count` rows of equal width.
fn gather<T: Copy, O>(values: &[T], count: usize, samples: &[u32], out: &mut [O], f: impl Fn(T) -> O) {
    let width = values.len() / count.max(1);
    for (sample, row) in samples.iter().zip(out.chunks_exact_mut(width.max(1))) {
        let start = *sample as usize * width;
        for (to, from) in row.iter_mut().zip(&values[start..start + width]) {
            *to = f(*from);
        }
    }
}

/// The order in which an epoch visits `count` samples; cut it into batches with `chunks`, of which
/// the last may be short. A function of seed and epoch, so a resumed run sees the same batches.
#[must_use]
pub fn epoch_order(seed: u64, epoch: u64, count: usize, shuffle: bool) -> Vec<u32> {
    if shuffle { random_order(seed, epoch, count) } else { (0..count as u32).collect() }
}
