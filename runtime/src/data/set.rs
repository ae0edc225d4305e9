//! A data set in memory, as the network sees it, and its batches.

use super::record::Trained;
use super::spec::Field;
use crate::random::reorder;
use std::hash::Hasher;
use twox_hash::XxHash3_64;

/// Fields and splits; every value has gone through its transforms and been checked.
#[derive(Clone, Debug, PartialEq)]
pub struct DataSet {
    /// The data block's name.
    pub name: String,
    /// What the network sees of a sample.
    pub fields: Vec<Field>,
    /// For each field, what its classes are called where the data says so, else nothing.
    pub names: Vec<Vec<String>>,
    /// What a run keeps of the columns that the fields were read from.
    pub trained: Trained,
    /// `train` first, then `valid` if there is one, then the others in order.
    pub splits: Vec<Split>,
    /// What whoever runs the program should know of the data, though nothing is wrong.
    pub notes: Vec<String>,
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
    /// Elements of a sample of each field.
    pub widths: Vec<usize>,
    /// Whether numbers have 64 bits rather than 32.
    pub double: bool,
}

/// A field's values of all samples, row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum Rows {
    /// Real numbers.
    Numbers(Vec<f32>),
    /// Real numbers of a run in 64 bits.
    Doubles(Vec<f64>),
    /// Real numbers of at most 256 values each channel, kept in the form they were stored in.
    Bytes(Bytes),
    /// Classes, all below the number that the field declares. A sample begins `stride` elements after the one before it,
    /// which is less than it is long where windows of a text overlap.
    Classes { values: Vec<i32>, stride: usize },
}

/// Bytes and the numbers they stand for.
#[derive(Clone, Debug, PartialEq)]
pub struct Bytes {
    /// One for each element.
    pub codes: Vec<u8>,
    /// The number each code stands for, rounded as the run has it: one table for all elements, or one for each channel.
    pub tables: Vec<[f64; 256]>,
    /// Elements of one channel.
    pub inner: usize,
}

impl Split {
    /// A hash (XXH3) of all samples as the network sees them: the same for the same samples in the same order.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut hash = XxHash3_64::new();
        for (rows, width) in self.columns.iter().zip(&self.widths) {
            hash.write(&(*width as u64).to_le_bytes());
            match rows {
                Rows::Numbers(values) => write_words(&mut hash, values, |v| v.to_le_bytes()),
                Rows::Doubles(values) => write_words(&mut hash, values, |v| v.to_le_bytes()),
                Rows::Bytes(bytes) => {
                    hash.write(&bytes.codes);
                    bytes.tables.iter().for_each(|table| write_words(&mut hash, table, |v| v.to_le_bytes()));
                }
                Rows::Classes { values, .. } => write_words(&mut hash, values, |v| v.to_le_bytes()),
            }
        }
        hash.finish()
    }
}

/// Hands values to a hash by their bytes, many at a time.
fn write_words<T: Copy, const N: usize>(hash: &mut XxHash3_64, values: &[T], bytes_of: impl Fn(T) -> [u8; N]) {
    let mut bytes = [0; 4096];
    for chunk in values.chunks(bytes.len() / N) {
        for (place, value) in bytes.chunks_exact_mut(N).zip(chunk) {
            place.copy_from_slice(&bytes_of(*value));
        }
        hash.write(&bytes[..N * chunk.len()]);
    }
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
            Rows::Doubles(v) => 8 * v.len(),
            Rows::Bytes(b) => b.codes.len(),
            Rows::Classes { values, .. } => 4 * values.len(),
        };
        self.splits.iter().flat_map(|s| &s.columns).map(size).sum()
    }
}

impl Split {
    /// Bytes that a sample takes in a batch, all fields together.
    #[must_use]
    pub fn sample_bytes(&self) -> usize {
        let size = |rows: &Rows| if self.double && !matches!(rows, Rows::Classes { .. }) { 8 } else { 4 };
        self.columns.iter().zip(&self.widths).map(|(rows, width)| size(rows) * width).sum()
    }

    /// An empty split with room for `count` samples of this one.
    #[must_use]
    pub fn room(&self, count: usize) -> Self {
        let room = |(rows, width): (&Rows, &usize)| match rows {
            Rows::Numbers(_) | Rows::Doubles(_) | Rows::Bytes(_) if self.double => {
                Rows::Doubles(Vec::with_capacity(count * width))
            }
            Rows::Numbers(_) | Rows::Doubles(_) | Rows::Bytes(_) => Rows::Numbers(Vec::with_capacity(count * width)),
            Rows::Classes { .. } => Rows::Classes { values: Vec::with_capacity(count * width), stride: *width },
        };
        let columns = self.columns.iter().zip(&self.widths).map(room).collect();
        Self { name: self.name.clone(), count: 0, columns, widths: self.widths.clone(), double: self.double }
    }

    /// Makes `out`, which has room for them, a split of these samples, in this order.
    pub fn gather(&self, samples: &[u32], out: &mut Self) {
        out.count = samples.len();
        for (field, (rows, width)) in out.columns.iter_mut().zip(&self.widths).enumerate() {
            match rows {
                Rows::Numbers(values) => {
                    values.resize(samples.len() * width, 0.0);
                    self.numbers(field, samples, values);
                }
                Rows::Doubles(values) => {
                    values.resize(samples.len() * width, 0.0);
                    self.numbers(field, samples, values);
                }
                Rows::Classes { values, .. } => {
                    values.resize(samples.len() * width, 0);
                    self.classes(field, samples, values);
                }
                Rows::Bytes(_) => {}
            }
        }
    }

    /// Copies a field of real numbers of the given samples to `out`, one after the other. Classes
    /// come as numbers.
    pub fn numbers<F: Real>(&self, field: usize, samples: &[u32], out: &mut [F]) {
        match &self.columns[field] {
            Rows::Numbers(values) => gather(values, self.widths[field], samples, out, F::of_single),
            Rows::Doubles(values) => gather(values, self.widths[field], samples, out, F::of_double),
            Rows::Bytes(bytes) => bytes.gather(self.widths[field], samples, out),
            Rows::Classes { values, stride } => {
                gather(values, *stride, samples, out, |c| F::of_double(f64::from(c)));
            }
        }
    }

    /// Copies a field of classes of the given samples to `out`, one after the other. A field of
    /// numbers has none and leaves `out` as it is.
    pub fn classes(&self, field: usize, samples: &[u32], out: &mut [i32]) {
        if let Rows::Classes { values, stride } = &self.columns[field] {
            gather(values, *stride, samples, out, |c| c);
        }
    }
}

/// The numbers of a run.
pub trait Real: Copy {
    /// From one of 32 bits.
    fn of_single(x: f32) -> Self;
    /// From one of 64 bits, which is rounded if need be.
    fn of_double(x: f64) -> Self;
}

impl Real for f32 {
    fn of_single(x: f32) -> Self {
        x
    }

    fn of_double(x: f64) -> Self {
        x as f32
    }
}

impl Real for f64 {
    fn of_single(x: f32) -> Self {
        f64::from(x)
    }

    fn of_double(x: f64) -> Self {
        x
    }
}

impl Bytes {
    /// Copies the rows of `samples`, which are `width` codes each, as the numbers they stand for.
    fn gather<F: Real>(&self, width: usize, samples: &[u32], out: &mut [F]) {
        for (sample, row) in samples.iter().zip(out.chunks_exact_mut(width.max(1))) {
            let start = *sample as usize * width;
            let codes = self.codes[start..start + width].chunks(self.inner);
            for ((to, from), table) in row.chunks_mut(self.inner).zip(codes).zip(self.tables.iter().cycle()) {
                to.iter_mut().zip(from).for_each(|(x, code)| *x = F::of_double(table[usize::from(*code)]));
            }
        }
    }
}

/// Copies the rows of `samples`, each of which begins `stride` elements after the one before it in `values`.
fn gather<T: Copy, O>(values: &[T], stride: usize, samples: &[u32], out: &mut [O], f: impl Fn(T) -> O) {
    let width = out.len() / samples.len().max(1);
    for (sample, row) in samples.iter().zip(out.chunks_exact_mut(width.max(1))) {
        let start = *sample as usize * stride;
        for (to, from) in row.iter_mut().zip(&values[start..start + width]) {
            *to = f(*from);
        }
    }
}

/// The order in which an epoch visits `count` samples; cut it into batches with `chunks`, of which
/// the last may be short. A function of seed and epoch, so a resumed run sees the same batches.
#[must_use]
pub fn epoch_order(seed: u64, epoch: u64, count: usize, shuffle: bool) -> Vec<u32> {
    let mut order = vec![0; count];
    order_epoch(&mut order, seed, epoch, shuffle);
    order
}

/// As [`epoch_order`], of as many samples as there is room for.
pub fn order_epoch(order: &mut [u32], seed: u64, epoch: u64, shuffle: bool) {
    if shuffle {
        reorder(order, seed, epoch);
    } else {
        order.iter_mut().zip(0..).for_each(|(place, number)| *place = number);
    }
}
