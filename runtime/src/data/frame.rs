//! Tables of named columns (CSV, Parquet) on the way to a [`Table`]: numbers, or words that become classes.

use super::error::{DataError, Kind, Result};
use super::table::{Column, Table, Values};
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
    /// that this is no number.
    pub fn word(&mut self, word: &str, misfit: impl FnOnce() -> DataError) {
        match &mut self.cells {
            Cells::Numbers(numbers) if numbers.is_empty() => {
                self.cells = Cells::Words(vec![word.to_string()], misfit());
            }
            Cells::Numbers(_) => self.cells = Cells::Broken(misfit()),
            Cells::Words(words, _) => words.push(word.to_string()),
            Cells::Broken(_) => {}
        }
    }

    /// Makes the column unusable, unless it is already.
    pub fn breaks(&mut self, error: DataError) {
        if !matches!(self.cells, Cells::Broken(_)) {
            self.cells = Cells::Broken(error);
        }
    }

    /// Why the column cannot be read as numbers.
    fn no_numbers(&self) -> Option<&DataError> {
        match &self.cells {
            Cells::Numbers(_) => None,
            Cells::Words(_, error) | Cells::Broken(error) => Some(error),
        }
    }

    fn column(&self, name: &str, path: &Path) -> Column {
        let whole = |x: &f64| x.fract() == 0.0 && x.abs() <= f64::from(i32::MAX);
        let mut names = vec![];
        let values = match &self.cells {
            Cells::Broken(error) => Values::Unusable(error.clone().in_file(path)),
            Cells::Words(words, error) => {
                names = words.clone();
                names.sort();
                names.dedup();
                let codes = words.iter().map(|w| names.partition_point(|n| n < w) as i32).collect();
                Values::Words(codes, error.clone().in_file(path))
            }
            Cells::Numbers(n) if n.iter().all(whole) => Values::Integers(n.iter().map(|x| *x as i32).collect()),
            Cells::Numbers(n) => Values::Numbers(n.iter().map(|x| *x as f32).collect()),
        };
        Column { file: Some(path.to_path_buf()), names, ..Column::new(name, vec![], values) }
    }
}

/// The place of the label among the columns: the one named, or the last.
///
/// # Errors
/// If there is no column of that name.
pub fn label_at(series: &[Series], label: Option<&str>, path: &Path) -> Result<usize> {
    let Some(name) = label else { return Ok(series.len().saturating_sub(1)) };
    series.iter().position(|s| s.name == name).ok_or_else(|| {
        let names: Vec<_> = series.iter().map(|s| s.name.as_str()).collect();
        DataError::new(Kind::Request, format!("there is no column `{name}` to be the label"))
            .help(format!("the columns are {}", names.join(", ")))
            .in_file(path)
    })
}

/// Every column under its name; besides, `features`, all but the label's as one vector, and `label`, where there is one.
#[must_use]
pub fn table(count: usize, series: &[Series], label: Option<usize>, path: &Path) -> Table {
    let features: Vec<_> = series.iter().enumerate().filter(|(i, _)| Some(*i) != label).map(|(_, s)| s).collect();
    let mut columns: Vec<_> = series.iter().map(|s| s.column(&s.name, path)).collect();
    let joined = Column::new("features", vec![features.len()], joined(count, &features, path));
    let marked = label.and_then(|at| series.get(at)).map(|s| s.column("label", path));
    for extra in std::iter::once(Column { file: Some(path.to_path_buf()), ..joined }).chain(marked) {
        if columns.iter().all(|c| c.name != extra.name) {
            columns.push(extra);
        }
    }
    Table::new(count, columns)
}

/// The cells of each sample, one behind the other.
fn joined(count: usize, series: &[&Series], path: &Path) -> Values {
    if let Some(error) = series.iter().find_map(|s| s.no_numbers()) {
        return Values::Unusable(error.clone().in_file(path));
    }
    let mut out = Vec::with_capacity(count * series.len());
    for row in 0..count {
        out.extend(series.iter().filter_map(|s| match &s.cells {
            Cells::Numbers(numbers) => Some(numbers[row] as f32),
            Cells::Words(..) | Cells::Broken(_) => None,
        }));
    }
    Values::Numbers(out)
}
