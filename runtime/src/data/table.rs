//! What a loader yields: named columns of equal length, before any transform.

use crate::error::{DataError, Kind, Position, Result, cut, listed};
use std::path::PathBuf;

/// Samples as named columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Number of samples.
    pub count: usize,
    /// Each with `count` rows.
    pub columns: Vec<Column>,
    /// Where it is that of a file for which `features` and `label` mean something: what it says of its columns.
    pub frame: Option<Frame>,
    /// What whoever runs the program should know of them, though nothing is wrong.
    pub notes: Vec<String>,
}

/// What the table of a file says of its columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The columns of the file; what a field makes itself stands behind them.
    pub width: usize,
    /// Whether the file names them; else they are `c1`, `c2`, ..
    pub named: bool,
    /// Which of them is the label.
    pub label: Label,
}

/// What is known of the label's column before other tables are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// Nothing.
    Unsaid,
    /// The data block names it: its place.
    At(usize),
    /// The table has none.
    Absent,
}

/// One value for each sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// As fields name it.
    pub name: String,
    /// Extents of one sample's value; empty for a scalar.
    pub shape: Vec<usize>,
    /// Elements from the first of one sample to the first of the next: the product of the extents, or less where samples
    /// are windows that overlap.
    pub stride: usize,
    /// All samples' elements, row-major.
    pub values: Values,
    /// What the classes are called, where the data says so: folders, characters, words.
    pub names: Vec<String>,
    /// The file it was read from, for messages.
    pub file: Option<PathBuf>,
}

/// Elements in the form they were stored in.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Real numbers stored in 32 bits, all finite.
    Numbers(Vec<f32>),
    /// Real numbers, all finite, as exact as 64 bits can be.
    Doubles(Vec<f64>),
    /// Whole numbers below 256, such as pixels.
    Bytes(Vec<u8>),
    /// Whole numbers.
    Integers(Vec<i32>),
    /// Classes whose names are words, and why they are no numbers.
    Words(Vec<i32>, DataError),
    /// The column holds something else, which matters only to a field that reads it.
    Unusable(DataError),
}

impl Table {
    /// A table of columns of `count` rows each.
    #[must_use]
    pub fn new(count: usize, columns: Vec<Column>) -> Self {
        Self { count, columns, frame: None, notes: vec![] }
    }

    /// The column of that name.
    ///
    /// # Errors
    /// If there is none: the message lists those there are.
    pub fn column(&self, name: &str) -> Result<&Column> {
        self.place(name).map(|i| &self.columns[i])
    }

    /// Says of a table that goes by position which column is the label, if anything: none if there are just as many as the
    /// network needs, else the one of the name given.
    pub fn settle_label(&mut self, needed: usize, label: Option<&str>) {
        let place = label.and_then(|name| self.columns.iter().position(|c| c.name == name));
        if let Some(frame) = self.frame.as_mut().filter(|f| !f.named) {
            frame.label = match place {
                _ if frame.width == needed => Label::Absent,
                Some(place) => Label::At(place),
                None => Label::Unsaid,
            };
        }
    }

    /// A table of `count` of its samples, evenly spaced.
    #[must_use]
    pub fn thinned(&self, count: usize) -> Self {
        let samples: Vec<usize> = (0..count).map(|i| i * self.count / count).collect();
        let columns = self.columns.iter().map(|c| c.picked(&samples)).collect();
        Self { count, columns, frame: self.frame.clone(), notes: self.notes.clone() }
    }

    /// The column at a place, or those at several put one behind the other for each sample. What is not `kept` for others
    /// leaves the table.
    ///
    /// # Errors
    /// If those to be joined are no numbers.
    pub fn take(&mut self, places: &[usize], kept: impl Fn(usize) -> bool) -> Result<Column> {
        if let [place] = *places {
            return Ok(if kept(place) { self.columns[place].clone() } else { self.columns[place].taken() });
        }
        let mut parts = vec![];
        for place in places {
            let column = &mut self.columns[*place];
            let (name, file, width) = (column.name.clone(), column.file.clone(), column.width());
            let again = kept(*place) || places.iter().filter(|p| *p == place).count() > 1;
            let numbers = if again { column.numbers()? } else { column.taken().into_numbers()? };
            parts.push((name, file, width, numbers));
        }
        let row = |i: usize| parts.iter().flat_map(move |(_, _, width, values)| &values[i * width..(i + 1) * width]);
        let values = Values::Doubles((0..self.count).flat_map(row).copied().collect());
        let width = parts.iter().map(|(_, _, width, _)| width).sum();
        let names: Vec<&str> = parts.iter().map(|(name, ..)| name.as_str()).collect();
        let file = parts.iter().find_map(|(_, file, ..)| file.clone());
        Ok(Column { file, ..Column::new(&names.join(", "), vec![width], values) })
    }

    /// Where the column of that name stands.
    ///
    /// # Errors
    /// If there is none: the message lists those there are.
    pub fn place(&self, name: &str) -> Result<usize> {
        self.columns.iter().position(|c| c.name == name).ok_or_else(|| {
            let error = DataError::new(Kind::Request, format!("the data has no column `{name}`"))
                .help(format!("its columns are {}", listed(self.columns.iter().map(|c| c.name.as_str()))));
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
        let stride = shape.iter().product();
        Self { name: name.to_string(), shape, stride, values, names: vec![], file: None }
    }

    /// The column of the given samples.
    fn picked(&self, samples: &[usize]) -> Self {
        fn pick<T: Copy>(column: &Column, values: &[T], samples: &[usize]) -> Vec<T> {
            let row = |s: &usize| s * column.stride..s * column.stride + column.width();
            samples.iter().flat_map(|s| &values[row(s)]).copied().collect()
        }
        let values = match &self.values {
            Values::Numbers(v) => Values::Numbers(pick(self, v, samples)),
            Values::Doubles(v) => Values::Doubles(pick(self, v, samples)),
            Values::Bytes(v) => Values::Bytes(pick(self, v, samples)),
            Values::Integers(v) => Values::Integers(pick(self, v, samples)),
            Values::Words(v, error) => Values::Words(pick(self, v, samples), error.clone()),
            Values::Unusable(error) => Values::Unusable(error.clone()),
        };
        let (shape, names) = (self.shape.clone(), self.names.clone());
        Self { names, file: self.file.clone(), ..Self::new(&self.name, shape, values) }
    }

    /// Elements of one sample's value.
    #[must_use]
    pub fn width(&self) -> usize {
        self.shape.iter().product()
    }

    /// The column, which leaves an empty one behind.
    fn taken(&mut self) -> Self {
        let empty = Self { file: self.file.clone(), ..Self::new(&self.name, vec![], Values::Bytes(vec![])) };
        std::mem::replace(self, empty)
    }

    /// Its elements as numbers, windows that overlap written out.
    ///
    /// # Errors
    /// If they are no numbers.
    pub fn numbers(&self) -> Result<Vec<f64>> {
        let numbers: Vec<f64> = match &self.values {
            Values::Numbers(v) => v.iter().map(|x| f64::from(*x)).collect(),
            Values::Doubles(v) => v.clone(),
            Values::Bytes(v) => v.iter().map(|b| f64::from(*b)).collect(),
            Values::Integers(v) => v.iter().map(|i| f64::from(*i)).collect(),
            Values::Words(_, error) | Values::Unusable(error) => return Err(error.clone()),
        };
        let width = self.width();
        Ok(if self.stride == width { numbers } else { written_out(&numbers, self.stride, width) })
    }

    /// As [`Self::numbers`], without a copy where it has none to make.
    ///
    /// # Errors
    /// As there.
    pub fn into_numbers(self) -> Result<Vec<f64>> {
        let apart = self.stride == self.width();
        match self.values {
            Values::Doubles(values) if apart => Ok(values),
            _ => self.numbers(),
        }
    }

    /// Its elements as numbers of classes, all from 0 to below `classes`.
    ///
    /// # Errors
    /// If an element is anything else.
    pub fn classes(&self, classes: usize) -> Result<Vec<i32>> {
        if self.names.len() > classes {
            return Err(self.too_few(classes));
        }
        let values: Vec<i32> = match &self.values {
            Values::Bytes(v) => v.iter().map(|b| i32::from(*b)).collect(),
            Values::Integers(v) | Values::Words(v, _) => v.clone(),
            Values::Numbers(v) => self.whole(v.iter().map(|x| f64::from(*x)), classes)?,
            Values::Doubles(v) => self.whole(v.iter().copied(), classes)?,
            Values::Unusable(error) => return Err(error.clone()),
        };
        match values.iter().position(|c| *c < 0 || *c as usize >= classes) {
            Some(i) => Err(self.no_class(i, &values[i].to_string(), classes)),
            None => Ok(values),
        }
    }

    fn whole(&self, numbers: impl Iterator<Item = f64>, classes: usize) -> Result<Vec<i32>> {
        let whole = |(i, x): (usize, f64)| {
            let inside = x.fract() == 0.0 && x.abs() < 2_147_483_648.0;
            if inside { Ok(x as i32) } else { Err(self.no_class(i, &format!("{x:?}"), classes)) }
        };
        numbers.enumerate().map(whole).collect()
    }

    fn too_few(&self, classes: usize) -> DataError {
        let count = self.names.len();
        let message = format!(
            "column `{}` has {count} classes, but the field is declared with class({classes})",
            cut(&self.name)
        );
        let shown: Vec<_> = self.names.iter().take(12).map(|n| cut(n)).collect();
        let more = if count > shown.len() { ", .." } else { "" };
        let help = format!("write class({count}); the classes are {}{more}", shown.join(", "));
        let error = DataError::new(Kind::Mismatch, message).help(help);
        match &self.file {
            Some(file) => error.in_file(file),
            None => error,
        }
    }

    fn no_class(&self, element: usize, value: &str, classes: usize) -> DataError {
        let row = element / self.stride.max(1) + 1;
        let error = DataError::new(
            Kind::BadValue,
            format!("column `{}` holds {value}, which is no class from 0 to {}", cut(&self.name), classes - 1),
        )
        .at(Position::Row(row))
        .help("declare the field with more classes, or correct the label; classes count from 0");
        match &self.file {
            Some(file) => error.in_file(file),
            None => error,
        }
    }
}

/// All windows of `width` elements, each `stride` after the one before, one behind the other.
pub(super) fn written_out<T: Copy>(values: &[T], stride: usize, width: usize) -> Vec<T> {
    let last = values.len().saturating_sub(width);
    (0..=last).step_by(stride.max(1)).flat_map(|start| &values[start..start + width]).copied().collect()
}
