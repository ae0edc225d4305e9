//! What a loader yields: named columns of equal length, before any transform.

use super::error::{DataError, Kind, Position, Result};
use std::path::PathBuf;

/// Samples as named columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Number of samples.
    pub count: usize,
    /// Each with `count` rows.
    pub columns: Vec<Column>,
}

/// One value for each sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// As fields name it.
    pub name: String,
    /// Extents of one sample's value; empty for a scalar.
    pub shape: Vec<usize>,
    /// All samples' elements, row-major.
    pub values: Values,
    /// The file it was read from, for messages.
    pub file: Option<PathBuf>,
}

/// Elements in the form they were stored in.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Real numbers, all finite.
    Numbers(Vec<f32>),
    /// Whole numbers below 256, such as pixels.
    Bytes(Vec<u8>),
    /// Whole numbers.
    Integers(Vec<i32>),
    /// The column holds something else, which matters only to a field that reads it.
    Unusable(DataError),
}

impl Table {
    /// A table of columns of `count` rows each.
    #[must_use]
    pub fn new(count: usize, columns: Vec<Column>) -> Self {
        Self { count, columns }
    }

    /// The column of that name.
    ///
    /// # Errors
    /// If there is none: the message lists those there are.
    pub fn column(&self, name: &str) -> Result<&Column> {
        self.columns.iter().find(|c| c.name == name).ok_or_else(|| {
            let names: Vec<_> = self.columns.iter().map(|c| format!("`{}`", c.name)).collect();
            let error = DataError::new(Kind::Request, format!("the data has no column `{name}`"))
                .help(format!("its columns are {}", names.join(", ")));
            match self.columns.iter().find_map(|c| c.file.as_deref()) {
                Some(file) => error.in_file(file),
                None => error,
            }
        })
    }
}

impl Column {
    /// A column that was computed.
    #[must_use]
    pub fn new(name: &str, shape: Vec<usize>, values: Values) -> Self {
        Self { name: name.to_string(), shape, values, file: None }
    }

    /// Its elements as numbers.
    ///
    /// # Errors
    /// If they are no numbers.
    pub fn numbers(&self) -> Result<Vec<f32>> {
        match &self.values {
            Values::Numbers(v) => Ok(v.clone()),
            Values::Bytes(v) => Ok(v.iter().map(|b| f32::from(*b)).collect()),
            Values::Integers(v) => Ok(v.iter().map(|i| *i as f32).collect()),
            Values::Unusable(error) => Err(error.clone()),
        }
    }

    /// Its elements as numbers of classes, all from 0 to below `classes`.
    ///
    /// # Errors
    /// If an element is anything else.
    pub fn classes(&self, classes: usize) -> Result<Vec<i32>> {
        let values: Vec<i32> = match &self.values {
            Values::Bytes(v) => v.iter().map(|b| i32::from(*b)).collect(),
            Values::Integers(v) => v.clone(),
            Values::Numbers(v) => {
                let whole = |(i, x): (usize, &f32)| {
                    let inside = x.fract() == 0.0 && x.abs() < 2_147_483_648.0;
                    if inside { Ok(*x as i32) } else { Err(self.no_class(i, &x.to_string(), classes)) }
                };
                v.iter().enumerate().map(whole).collect::<Result<_>>()?
            }
            Values::Unusable(error) => return Err(error.clone()),
        };
        match values.iter().position(|c| *c < 0 || *c as usize >= classes) {
            Some(i) => Err(self.no_class(i, &values[i].to_string(), classes)),
            None => Ok(values),
        }
    }

    fn no_class(&self, element: usize, value: &str, classes: usize) -> DataError {
        let row = element / self.shape.iter().product::<usize>().max(1) + 1;
        let error = DataError::new(
            Kind::BadValue,
            format!("column `{}` holds {value}, which is no class from 0 to {}", self.name, classes - 1),
        )
        .at(Position::Row(row))
        .help("declare the field with more classes, or correct the label; classes count from 0");
        match &self.file {
            Some(file) => error.in_file(file),
            None => error,
        }
    }
}
