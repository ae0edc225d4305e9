//! Tables of named columns (CSV, Parquet) on the way to a [`Table`]: numbers, or words that become classes.

use super::table::{Column, Frame, Label, Table, Values};
use crate::error::{DataError, Kind, Result, cut, listed};
use std::collections::BTreeMap;
use std::path::Path;

/// One column while it is read, a cell a sample.
#[derive(Debug)]
pub struct Series {
    /// Its name.
    pub name: String,
    cells: Cells,
}

#[derive(Debug)]
enum Cells {
    Numbers(Vec<f64>),
    Words(Vec<String>, DataError),
    Broken(DataError),
}

impl Series {
    /// An empty column.
    #[must_use]
    pub fn new(name: String) -> Self {
        Self { name, cells: Cells::Numbers(Vec::new()) }
    }

    /// Adds a finite number; among words it breaks the column.
    pub fn number(&mut self, x: f64) {
        match &mut self.cells {
            Cells::Numbers(numbers) => numbers.push(x),
            Cells::Words(_, first) => self.cells = Cells::Broken(first.clone()),
            Cells::Broken(_) => {}
        }
    }

    /// Adds a word, which makes the column one of words if it is the first cell, and breaks it among numbers. `misfit` says
    /// that this is no number, given the column's name.
    pub fn word(&mut self, word: &str, misfit: impl FnOnce(&str) -> DataError) {
        match &mut self.cells {
            Cells::Numbers(numbers) if numbers.is_empty() => {
                self.cells = Cells::Words(vec![word.to_string()], misfit(&self.name));
            }
            Cells::Numbers(_) => self.cells = Cells::Broken(misfit(&self.name)),
            Cells::Words(words, _) => words.push(word.to_string()),
            Cells::Broken(_) => {}
        }
    }

    /// Makes the column unusable, unless it is already. `error` says why, given its name.
    pub fn breaks(&mut self, error: impl FnOnce(&str) -> DataError) {
        if !matches!(self.cells, Cells::Broken(_)) {
            self.cells = Cells::Broken(error(&self.name));
        }
    }

    fn column(self, path: &Path) -> Column {
        let whole = |x: &f64| x.fract() == 0.0 && x.abs() <= f64::from(i32::MAX);
        let mut names = vec![];
        let values = match self.cells {
            Cells::Broken(error) => Values::Unusable(error.in_file(path)),
            Cells::Words(words, error) => {
                names.clone_from(&words);
                names.sort();
                names.dedup();
                let codes = words.iter().map(|w| names.partition_point(|n| n < w) as i32).collect();
                Values::Words(codes, error.in_file(path))
            }
            Cells::Numbers(n) if n.iter().all(whole) => Values::Integers(n.into_iter().map(|x| x as i32).collect()),
            Cells::Numbers(n) => Values::Doubles(n),
        };
        Column { file: Some(path.to_path_buf()), names, ..Column::new(&self.name, vec![], values) }
    }
}

/// A table of all columns, each under its name. `label` is the name that the data block gives the label's, `named` whether
/// the file has names for its columns.
///
/// # Errors
/// If there is no column of that name, or a name stands twice in the file.
pub fn table(count: usize, series: Vec<Series>, label: Option<&str>, named: bool, path: &Path) -> Result<Table> {
    let names: Vec<&str> = series.iter().map(|s| s.name.as_str()).collect();
    twice(&names)?;
    let label = match label {
        Some(name) => Label::At(place_of(name, &names)?),
        None => Label::Unsaid,
    };
    let frame = Frame { width: series.len(), named, label };
    let columns = series.into_iter().map(|s| s.column(path)).collect();
    Ok(Table { frame: Some(frame), ..Table::new(count, columns) })
}

fn place_of(label: &str, names: &[&str]) -> Result<usize> {
    names.iter().position(|n| *n == label).ok_or_else(|| {
        DataError::new(Kind::Request, format!("there is no column `{label}` to be the label"))
            .help(format!("the columns are {}", listed(names.iter().copied())))
    })
}

/// Refuses a name that two columns have: nothing could say which of them is meant. Columns without a name have none.
fn twice(names: &[&str]) -> Result<()> {
    let mut seen = BTreeMap::new();
    for (place, name) in names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
        if let Some(first) = seen.insert(name, place) {
            let message =
                format!("two columns are called `{}`, number {} and number {}", cut(name), first + 1, place + 1);
            return Err(DataError::new(Kind::Malformed, message)
                .help("give every column a name of its own: names say which column a field reads"));
        }
    }
    Ok(())
}

/// Whether the whole number is one that 64 bits of a floating-point number hold exactly; those up to 2^53 all are.
#[must_use]
pub fn is_exact(whole: i128) -> bool {
    whole.unsigned_abs() < 1 << 126 && (whole as f64) as i128 == whole
}

/// Says that a whole number would be rounded to another.
#[must_use]
pub fn inexact(number: &str) -> DataError {
    let message = format!("{} has more digits than can be kept: whole numbers are exact up to 2^53", cut(number));
    DataError::new(Kind::BadValue, message)
        .help("take the same number away from the whole column, or leave it out if it only tells samples apart")
}
