//! From a split's column to a field: the pipeline's steps in order, then the check that the
//! field's declared type came out. Statistics are those of the training split.
//!
//! Steps are kept as a list and computed for each element in 64 bits from what the file holds, at the end; the result is
//! rounded once, to the numbers of the run. What was stored as bytes stays bytes: the steps then change the numbers that
//! the 256 codes stand for.

use super::arguments::Arguments;
use super::elements::Elements;
use super::set::{Bytes, Rows};
use super::shape;
use super::spec::{Call, Field};
use crate::error::{DataError, Kind, Position, Result};
use nnc_core::catalogue::TRANSFORMS;
use std::path::PathBuf;

/// Channels up to which bytes have a table for each; more are written out as numbers.
const TABLES: usize = 16;

/// One field on its way, for all splits at once.
pub struct Pipeline<'a> {
    /// Extents of one sample's value.
    pub shape: Vec<usize>,
    /// The first is the training split.
    pub splits: Vec<Part<'a>>,
    /// Whether the run's numbers have 64 bits.
    pub double: bool,
}

/// One split of the field.
pub struct Part<'a> {
    /// Row-major, as they were read.
    pub elements: Elements,
    /// The numbers of its samples, where they are not all that were read.
    pub samples: Option<&'a [u32]>,
    /// Where they were read, for messages.
    pub file: Option<PathBuf>,
}

/// What happens to an element.
enum Step {
    Scale(f64),
    Shift(f64),
    Standard(Moments),
}

/// Mean and deviation of each of some channels, which are `inner` elements long and come in turn.
struct Moments {
    of: Vec<(f64, f64)>,
    inner: usize,
}

impl Pipeline<'_> {
    /// Applies `calls` and checks that the result is of the type of `field`.
    ///
    /// # Errors
    /// If a call is not as the catalogue says, shapes do not fit, or a number becomes larger than the run's can be.
    pub fn run(mut self, field: &Field, calls: &[Call]) -> Result<Vec<Rows>> {
        let mut steps = vec![];
        for call in calls {
            let args = Arguments::bind(TRANSFORMS, call)?;
            match args.name() {
                "standardize" => steps.push(Step::Standard(self.moments(&steps))),
                "reshape" => self.reshape(field)?,
                "permute" => self.permute(field, &args.order("order"), &mut steps)?,
                "scale" => steps.push(Step::Scale(args.number("by", 1.0))),
                "shift" => steps.push(Step::Shift(args.number("by", 0.0))),
                _ => self.one_hot(field, &std::mem::take(&mut steps))?,
            }
        }
        if self.shape != field.dims {
            let message =
                format!("field `{}` is declared {:?}, its source gives {:?}", field.name, field.dims, self.shape);
            return Err(DataError::new(Kind::Mismatch, message).help(shape::advice(&self.shape, &field.dims)));
        }
        self.splits.into_iter().map(|part| part.finished(&steps, field, self.double)).collect()
    }

    fn reshape(&mut self, field: &Field) -> Result<()> {
        reshapes(field, &self.shape)?;
        self.shape = field.dims.clone();
        Ok(())
    }

    fn permute(&mut self, field: &Field, order: &[usize], steps: &mut Vec<Step>) -> Result<()> {
        permutes(field, &self.shape, order)?;
        // What a step does to an element of one channel among several depends on where it stands, so it is done before.
        let placed = |step: &Step| matches!(step, Step::Standard(moments) if moments.of.len() > 1);
        let done = if steps.iter().any(placed) { std::mem::take(steps) } else { vec![] };
        for part in &mut self.splits {
            if !done.is_empty() {
                let mut numbers = Vec::with_capacity(part.elements.len());
                part.elements.each(|i, x| numbers.push(after(&done, i, x)));
                part.elements = Elements::Doubles(numbers);
            }
            part.elements = part.elements.permuted(&self.shape, order);
        }
        self.shape = shape::permuted_shape(&self.shape, order);
        Ok(())
    }

    /// Those of the training split after the steps so far: for each feature of a vector, or each channel (first axis) of
    /// more.
    fn moments(&self, steps: &[Step]) -> Moments {
        let inner = if self.shape.len() < 2 { 1 } else { self.shape[1..].iter().product() };
        let groups = self.shape.first().copied().unwrap_or(1);
        let of = match &self.splits[0].elements {
            Elements::Bytes(codes) if groups <= TABLES && channels(steps) == Some((1, 1)) => {
                of_bytes(codes, groups, inner, steps)
            }
            elements => of_numbers(elements, groups, inner, steps),
        };
        Moments { of, inner }
    }

    fn one_hot(&mut self, field: &Field, steps: &[Step]) -> Result<()> {
        let classes = field.dims.last().copied().unwrap_or(1);
        for part in &mut self.splits {
            let mut out = vec![0.0; part.elements.len() * classes];
            let mut wrong = None;
            part.elements.each(|i, x| match after(steps, i, x) {
                class if class.fract() == 0.0 && (0.0..classes as f64).contains(&class) => {
                    out[i * classes + class as usize] = 1.0;
                }
                other => drop(wrong.get_or_insert(other)),
            });
            if let Some(class) = wrong {
                let message = format!("field `{}`: {class} is no class from 0 to {}", field.name, classes - 1);
                return Err(DataError::new(Kind::BadValue, message).help("declare a longer last extent"));
            }
            part.elements = Elements::Singles(out);
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

impl Part<'_> {
    /// The elements after all steps, as a run holds them.
    fn finished(self, steps: &[Step], field: &Field, double: bool) -> Result<Rows> {
        let Self { elements, samples, file } = self;
        let infinite = |i: usize, x: f64| {
            let row = i / field.width().max(1);
            let sample = samples.map_or(row, |s| s[row] as usize) + 1;
            let (bits, most) = if double { (64, f64::MAX) } else { (32, f64::from(f32::MAX)) };
            let message = match x.is_nan() {
                true => format!("field `{}` comes out as NaN, which is no number", field.name),
                false => {
                    format!("field `{}` comes out as {x:e}, but numbers of {bits} bits end at {most:.1e}", field.name)
                }
            };
            let error = DataError::new(Kind::BadValue, message).at(Position::Row(sample));
            let more = if double { "" } else { ", or write `precision = f64`" };
            let error =
                error.help(format!("make the numbers smaller, as with `|> standardize` or `|> scale(..)`{more}"));
            file.iter().fold(error, |e, file| e.in_file(file))
        };
        let elements = match (elements, channels(steps)) {
            (Elements::Bytes(codes), Some((groups, inner))) => {
                let number = |g: usize, code: usize| rounded(after(steps, g * inner, code as f64), double);
                let tables: Vec<[f64; 256]> =
                    (0..groups).map(|g| std::array::from_fn(|code| number(g, code))).collect();
                // One channel is a whole sample, however the steps counted.
                let inner = if groups == 1 { field.width().max(1) } else { inner };
                let all_finite = tables.iter().all(|table| table.iter().all(|x| x.is_finite()));
                let value = |(i, code): (usize, &u8)| (i, tables[i / inner % groups][usize::from(*code)]);
                return match codes.iter().enumerate().map(value).find(|(_, x)| !all_finite && !x.is_finite()) {
                    Some((i, x)) => Err(infinite(i, x)),
                    None => Ok(Rows::Bytes(Bytes { codes, tables, inner })),
                };
            }
            (elements, _) => elements,
        };
        let change = |i, x| after(steps, i, x);
        let rows = match double {
            true => elements.doubles(change).map(Rows::Doubles),
            false => elements.singles(change).map(Rows::Numbers),
        };
        rows.map_err(|(i, x)| infinite(i, x))
    }
}

/// An element after the steps, from its number in the split.
fn after(steps: &[Step], i: usize, x: f64) -> f64 {
    steps.iter().fold(x, |x, step| match step {
        Step::Scale(by) => x * by,
        Step::Shift(by) => x + by,
        Step::Standard(moments) => {
            let (mean, deviation) = moments.of[i / moments.inner % moments.of.len()];
            (x - mean) / deviation
        }
    })
}

/// The number as a run holds it.
fn rounded(x: f64, double: bool) -> f64 {
    if double { x } else { f64::from(x as f32) }
}

/// How many channels the steps tell apart, and their length, if that is few and the same for all of them; the length of
/// one channel does not matter.
fn channels(steps: &[Step]) -> Option<(usize, usize)> {
    let mut found = (1, 1);
    for step in steps {
        let Step::Standard(Moments { of, inner }) = step else { continue };
        found = match (found, (of.len(), *inner)) {
            (found, (1, _)) => found,
            ((1, _), of) => of,
            (found, of) if found == of => found,
            _ => return None,
        };
    }
    (found.0 <= TABLES).then_some(found)
}

/// Mean and deviation of each of `groups` channels of `inner` elements that come in turn. They are summed as distances from
/// the channel's first element: large numbers that lie close together lose nothing, and equal ones deviate by exactly zero,
/// which counts as one.
fn of_numbers(elements: &Elements, groups: usize, inner: usize, steps: &[Step]) -> Vec<(f64, f64)> {
    let count = (elements.len() / groups.max(1)).max(1) as f64;
    let group = |i: usize| i / inner.max(1) % groups;
    let mut first = vec![None; groups];
    let mut sums = vec![0.0; groups];
    elements.each(|i, x| {
        let x = after(steps, i, x);
        sums[group(i)] += x - *first[group(i)].get_or_insert(x);
    });
    let means: Vec<f64> = first.iter().zip(&sums).map(|(first, sum)| first.unwrap_or(0.0) + sum / count).collect();
    let mut squares = vec![0.0; groups];
    elements.each(|i, x| {
        let distance = after(steps, i, x) - means[group(i)];
        squares[group(i)] += distance * distance;
    });
    means.into_iter().zip(squares).map(|(mean, sum)| (mean, not_zero((sum / count).sqrt()))).collect()
}

/// The same for bytes, from how often each code occurs.
fn of_bytes(codes: &[u8], groups: usize, inner: usize, steps: &[Step]) -> Vec<(f64, f64)> {
    let mut counts = vec![[0u64; 256]; groups];
    for (block, chunk) in codes.chunks_exact(inner.max(1)).enumerate() {
        chunk.iter().for_each(|code| counts[block % groups][usize::from(*code)] += 1);
    }
    let table: [f64; 256] = std::array::from_fn(|code| after(steps, 0, code as f64));
    let moments = |counts: &[u64; 256]| {
        let weighted = || table.iter().zip(counts).filter(|(_, n)| **n > 0).map(|(x, n)| (*x, *n as f64));
        if let (Some((x, _)), 1) = (weighted().next(), weighted().count()) {
            return (x, 1.0);
        }
        let count = counts.iter().sum::<u64>().max(1) as f64;
        let mean = weighted().map(|(x, n)| x * n).sum::<f64>() / count;
        let deviation = (weighted().map(|(x, n)| (x - mean) * (x - mean) * n).sum::<f64>() / count).sqrt();
        (mean, not_zero(deviation))
    };
    counts.iter().map(moments).collect()
}

fn not_zero(deviation: f64) -> f64 {
    if deviation > 0.0 { deviation } else { 1.0 }
}
