//! From a split's column to a field: the pipeline's steps in order, then the check that the
//! field's declared type came out. Statistics are those of the training split.
//!
//! What was stored as bytes stays bytes: a step then changes the numbers that the 256 codes stand for.

use super::arguments::Arguments;
use super::catalogue::TRANSFORMS;
use super::error::{DataError, Kind, Result};
use super::set::{Bytes, Rows};
use super::shape;
use super::spec::{Call, Field};

/// Channels up to which bytes have a table for each; more are written out as numbers.
const TABLES: usize = 16;

/// One field on its way, for all splits at once.
pub struct Pipeline {
    /// Extents of one sample's value.
    pub shape: Vec<usize>,
    /// Each split's elements, all numbers or all bytes; the first split is the training split.
    pub splits: Vec<Rows>,
}

impl Pipeline {
    /// Applies `calls` and checks that the result is of the type of `field`.
    ///
    /// # Errors
    /// If a call is not as the catalogue says, or shapes do not fit.
    pub fn run(mut self, field: &Field, calls: &[Call]) -> Result<Vec<Rows>> {
        for call in calls {
            let args = Arguments::bind(TRANSFORMS, call)?;
            match args.name() {
                "standardize" => self.center_and_scale(),
                "reshape" => self.reshape(field)?,
                "permute" => self.permute(field, &args.order("order"))?,
                "scale" => self.each(|x, by| x * by, args.number("by", 1.0)),
                "shift" => self.each(|x, by| x + by, args.number("by", 0.0)),
                _ => self.one_hot(field)?,
            }
        }
        if self.shape != field.dims {
            let message =
                format!("field `{}` is declared {:?}, its source gives {:?}", field.name, field.dims, self.shape);
            return Err(DataError::new(Kind::Mismatch, message).help(shape::advice(&self.shape, &field.dims)));
        }
        Ok(self.splits)
    }

    fn each(&mut self, f: impl Fn(f64, f64) -> f64, by: f64) {
        let change = |x: &mut f32| *x = f(f64::from(*x), by) as f32;
        for split in &mut self.splits {
            match split {
                Rows::Numbers(values) => values.iter_mut().for_each(change),
                Rows::Bytes(bytes) => bytes.tables.iter_mut().for_each(|table| table.iter_mut().for_each(change)),
                Rows::Classes { .. } => {}
            }
        }
    }

    fn reshape(&mut self, field: &Field) -> Result<()> {
        reshapes(field, &self.shape)?;
        self.shape = field.dims.clone();
        Ok(())
    }

    fn permute(&mut self, field: &Field, order: &[usize]) -> Result<()> {
        permutes(field, &self.shape, order)?;
        for split in &mut self.splits {
            match split {
                Rows::Bytes(bytes) if bytes.tables.len() == 1 => {
                    bytes.codes = shape::permuted(&bytes.codes, &self.shape, order);
                }
                // The numbers that codes stand for depend on where they stood.
                Rows::Bytes(bytes) => *split = Rows::Numbers(shape::permuted(&bytes.decoded(), &self.shape, order)),
                Rows::Numbers(values) => *values = shape::permuted(values, &self.shape, order),
                Rows::Classes { .. } => {}
            }
        }
        self.shape = shape::permuted_shape(&self.shape, order);
        Ok(())
    }

    /// Mean 0 and deviation 1 for each feature of a vector, or each channel (first axis) of more.
    fn center_and_scale(&mut self) {
        let inner = if self.shape.len() < 2 { 1 } else { self.shape[1..].iter().product() };
        let groups = self.shape.first().copied().unwrap_or(1);
        self.channels(groups, inner);
        let statistics: Vec<_> = match &self.splits[0] {
            Rows::Numbers(values) => (0..groups).map(|g| moments_of_numbers(values, groups, inner, g)).collect(),
            Rows::Bytes(bytes) => moments_of_bytes(bytes),
            Rows::Classes { .. } => return,
        };
        let standard = |x: &mut f32, (mean, deviation): (f64, f64)| *x = ((f64::from(*x) - mean) / deviation) as f32;
        for split in &mut self.splits {
            match split {
                Rows::Numbers(values) => {
                    for (block, chunk) in values.chunks_exact_mut(inner).enumerate() {
                        chunk.iter_mut().for_each(|x| standard(x, statistics[block % groups]));
                    }
                }
                Rows::Bytes(bytes) => {
                    for (table, moments) in bytes.tables.iter_mut().zip(&statistics) {
                        table.iter_mut().for_each(|x| standard(x, *moments));
                    }
                }
                Rows::Classes { .. } => {}
            }
        }
    }

    /// Gives bytes a table for each of `groups` channels of `inner` elements; where they are too many, or other channels
    /// have tables already, the bytes become numbers.
    fn channels(&mut self, groups: usize, inner: usize) {
        for split in &mut self.splits {
            let Rows::Bytes(bytes) = split else { continue };
            match bytes.tables[..] {
                [table] if groups <= TABLES => (bytes.tables, bytes.inner) = (vec![table; groups], inner),
                _ if bytes.tables.len() == groups && bytes.inner == inner => {}
                _ => *split = Rows::Numbers(bytes.decoded()),
            }
        }
    }

    fn one_hot(&mut self, field: &Field) -> Result<()> {
        let classes = field.dims.last().copied().unwrap_or(1);
        for split in &mut self.splits {
            let values = match split {
                Rows::Numbers(values) => std::mem::take(values),
                Rows::Bytes(bytes) => bytes.decoded(),
                Rows::Classes { .. } => vec![],
            };
            let mut out = vec![0.0; values.len() * classes];
            for (i, class) in values.iter().enumerate() {
                if class.fract() != 0.0 || !(0.0..classes as f32).contains(class) {
                    let message = format!("field `{}`: {class} is no class from 0 to {}", field.name, classes - 1);
                    return Err(DataError::new(Kind::BadValue, message).help("declare a longer last extent"));
                }
                out[i * classes + *class as usize] = 1.0;
            }
            *split = Rows::Numbers(out);
        }
        self.shape.push(classes);
        Ok(())
    }
}

/// Refuses a reshape of other elements than there are, and one that would take one axis for another.
pub(super) fn reshapes(field: &Field, from: &[usize]) -> Result<()> {
    let (name, dims) = (&field.name, &field.dims);
    if from.iter().product::<usize>() != field.width() {
        let message = format!("field `{name}`: {from:?} cannot be reshaped to {dims:?}");
        return Err(DataError::new(Kind::Mismatch, message).help("both must have the same number of elements"));
    }
    if shape::scrambles(from, dims) {
        let message = format!("field `{name}`: a reshape of {from:?} to {dims:?} would take one axis for another");
        return Err(DataError::new(Kind::Mismatch, message).help(shape::advice(from, dims)));
    }
    Ok(())
}

/// Refuses an order of other axes than there are.
pub(super) fn permutes(field: &Field, from: &[usize], order: &[usize]) -> Result<()> {
    if order.len() == from.len() {
        return Ok(());
    }
    let message = format!(
        "field `{}`: `permute({order:?})` is for {} axes, but a sample has {}: {from:?}",
        field.name,
        order.len(),
        from.len()
    );
    Err(DataError::new(Kind::Mismatch, message).help("name each axis of a sample once, from 0 on, in the order wanted"))
}

/// Mean and deviation of group `g` where blocks of `inner` elements belong to the groups in turn.
/// A deviation of zero counts as one.
fn moments_of_numbers(values: &[f32], groups: usize, inner: usize, g: usize) -> (f64, f64) {
    let members = || values.chunks_exact(inner).skip(g).step_by(groups).flat_map(|c| c.iter().map(|x| f64::from(*x)));
    let count = (values.len() / groups).max(1) as f64;
    let mean = members().sum::<f64>() / count;
    let deviation = (members().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count).sqrt();
    (mean, if deviation > 0.0 { deviation } else { 1.0 })
}

/// The same for each channel of bytes, from how often each code occurs.
fn moments_of_bytes(bytes: &Bytes) -> Vec<(f64, f64)> {
    let groups = bytes.tables.len();
    let mut counts = vec![[0u64; 256]; groups];
    for (block, chunk) in bytes.codes.chunks_exact(bytes.inner).enumerate() {
        chunk.iter().for_each(|code| counts[block % groups][usize::from(*code)] += 1);
    }
    let moments = |(table, counts): (&[f32; 256], &[u64; 256])| {
        let weighted = || table.iter().zip(counts).map(|(x, n)| (f64::from(*x), *n as f64));
        let count = counts.iter().sum::<u64>().max(1) as f64;
        let mean = weighted().map(|(x, n)| x * n).sum::<f64>() / count;
        let deviation = (weighted().map(|(x, n)| (x - mean) * (x - mean) * n).sum::<f64>() / count).sqrt();
        (mean, if deviation > 0.0 { deviation } else { 1.0 })
    };
    bytes.tables.iter().zip(&counts).map(moments).collect()
}
