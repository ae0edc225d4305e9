//! From a split's column to a field: the pipeline's steps in order, then the check that the
//! field's declared type came out. Statistics are those of the training split.

use super::arguments::Arguments;
use super::catalogue::TRANSFORMS;
use super::error::{DataError, Kind, Result};
use super::spec::{Call, Field};

/// One field on its way, for all splits at once.
pub struct Pipeline {
    /// Extents of one sample's value.
    pub shape: Vec<usize>,
    /// Each split's elements; the first split is the training split.
    pub splits: Vec<Vec<f32>>,
}

impl Pipeline {
    /// Applies `calls` and checks that the result is of the type of `field`.
    ///
    /// # Errors
    /// If a call is not as the catalogue says, or shapes do not fit.
    pub fn run(mut self, field: &Field, calls: &[Call]) -> Result<Vec<Vec<f32>>> {
        for call in calls {
            let args = Arguments::bind(TRANSFORMS, call)?;
            match args.name() {
                "standardize" => self.center_and_scale(),
                "reshape" => self.reshape(field)?,
                "scale" => self.each(|x, by| x * by, args.number("by", 1.0)?),
                "shift" => self.each(|x, by| x + by, args.number("by", 0.0)?),
                _ => self.one_hot(field)?,
            }
        }
        if self.shape != field.dims {
            let message =
                format!("field `{}` is declared {:?}, its source gives {:?}", field.name, field.dims, self.shape);
            let fits = self.shape.iter().product::<usize>() == field.width();
            let help = if fits { "add `|> reshape`".to_string() } else { format!("declare it {:?}", self.shape) };
            return Err(DataError::new(Kind::Mismatch, message).help(help));
        }
        Ok(self.splits)
    }

    fn each(&mut self, f: impl Fn(f64, f64) -> f64, by: f64) {
        self.splits.iter_mut().flat_map(|s| s.iter_mut()).for_each(|x| *x = f(f64::from(*x), by) as f32);
    }

    fn reshape(&mut self, field: &Field) -> Result<()> {
        if self.shape.iter().product::<usize>() != field.width() {
            let message = format!("field `{}`: {:?} cannot be reshaped to {:?}", field.name, self.shape, field.dims);
            return Err(DataError::new(Kind::Mismatch, message).help("both must have the same number of elements"));
        }
        self.shape = field.dims.clone();
        Ok(())
    }

    /// Mean 0 and deviation 1 for each feature of a vector, or each channel (first axis) of more.
    fn center_and_scale(&mut self) {
        let inner = if self.shape.len() < 2 { 1 } else { self.shape[1..].iter().product() };
        let groups = self.shape.first().copied().unwrap_or(1);
        let statistics: Vec<_> = (0..groups).map(|g| mean_and_deviation(&self.splits[0], groups, inner, g)).collect();
        for split in &mut self.splits {
            for (block, chunk) in split.chunks_exact_mut(inner).enumerate() {
                let (mean, deviation) = statistics[block % groups];
                chunk.iter_mut().for_each(|x| *x = ((f64::from(*x) - mean) / deviation) as f32);
            }
        }
    }

    fn one_hot(&mut self, field: &Field) -> Result<()> {
        let classes = field.dims.last().copied().unwrap_or(1);
        for split in &mut self.splits {
            let mut out = vec![0.0; split.len() * classes];
            for (i, class) in split.iter().enumerate() {
                if class.fract() != 0.0 || !(0.0..classes as f32).contains(class) {
                    let message = format!("field `{}`: {class} is no class from 0 to {}", field.name, classes - 1);
                    return Err(DataError::new(Kind::BadValue, message).help("declare a longer last extent"));
                }
                out[i * classes + *class as usize] = 1.0;
            }
            *split = out;
        }
        self.shape.push(classes);
        Ok(())
    }
}

/// Mean and deviation of group `g` where blocks of `inner` elements belong to the groups in turn.
/// A deviation of zero counts as one.
fn mean_and_deviation(values: &[f32], groups: usize, inner: usize, g: usize) -> (f64, f64) {
    let members = || values.chunks_exact(inner).skip(g).step_by(groups).flat_map(|c| c.iter().map(|x| f64::from(*x)));
    let count = (values.len() / groups).max(1) as f64;
    let mean = members().sum::<f64>() / count;
    let deviation = (members().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count).sqrt();
    (mean, if deviation > 0.0 { deviation } else { 1.0 })
}
