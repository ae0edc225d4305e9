//! Comma-separated values: one sample a line. Every column is there under its name in the header
//! (`c1`, `c2`, .. without one); besides, `features` is all columns but the label's as one vector,
//! and `label` the label's (the last, unless named). A column of words is one of classes, numbered in
//! the order of the alphabet.

use super::error::{DataError, Kind, Position, Result};
use super::files::{Files, LIMIT};
use super::frame::{self, Series};
use super::table::Table;
use std::path::Path;

/// Reads a table of numbers.
///
/// # Errors
/// If the file is missing, its lines have different lengths, or it holds no samples. A cell that
/// is no number spoils its column only.
pub fn load(files: &Files, name: &str, header: bool, label: Option<&str>) -> Result<Table> {
    let path = files.find(name)?;
    let (count, cells) = read(files, &path, header).map_err(|e| e.in_file(&path))?;
    let label = frame::label_at(&cells, label, &path)?;
    Ok(frame::table(count, &cells, Some(label), &path))
}

/// Reads a table of samples that a network of `features` numbers is asked about: the last column is the label, unless all
/// of them are needed.
///
/// # Errors
/// As [`load`].
pub fn load_inputs(path: &Path, features: usize) -> Result<Table> {
    let files = Files { folders: vec![], limit: LIMIT };
    let (count, cells) = read(&files, path, true).map_err(|e| e.in_file(path))?;
    let label = (cells.len() > features).then(|| cells.len() - 1);
    Ok(frame::table(count, &cells, label, path))
}

/// The columns of a file and how many cells each has.
fn read(files: &Files, path: &Path, header: bool) -> Result<(usize, Vec<Series>)> {
    let text = files.open(path)?.take_text()?;
    let mut reader =
        ::csv::ReaderBuilder::new().has_headers(false).flexible(true).trim(::csv::Trim::All).from_reader(&text[..]);
    let mut cells: Vec<Series> = Vec::new();
    let mut record = ::csv::StringRecord::new();
    let mut count = 0;
    while reader.read_record(&mut record).map_err(|e| not_text(&e))? {
        let line = record.position().map_or(0, ::csv::Position::line);
        if cells.is_empty() {
            cells = named(&record, header);
            if header {
                continue;
            }
        }
        if record.len() != cells.len() {
            return Err(ragged(line, record.len(), cells.len()));
        }
        for (column, (cell, text)) in cells.iter_mut().zip(record.iter()).enumerate() {
            push(cell, text, line, column + 1);
        }
        count += 1;
    }
    if count == 0 {
        return Err(DataError::new(Kind::Malformed, "the file holds no samples"));
    }
    Ok((count, cells))
}

fn named(first: &::csv::StringRecord, header: bool) -> Vec<Series> {
    let name = |(i, text): (usize, &str)| if header { text.to_string() } else { format!("c{}", i + 1) };
    first.iter().enumerate().map(name).map(Series::new).collect()
}

/// Adds a cell to its column: a number, or, in a column that has begun so, a word.
fn push(series: &mut Series, text: &str, line: u64, column: usize) {
    let help = if line == 1 {
        "if the first line holds names, leave out `header = false`"
    } else {
        "correct the cell, or read another column"
    };
    let breaks =
        |message: String| DataError::new(Kind::BadValue, message).at(Position::Cell { line, column }).help(help);
    let name = series.name.clone();
    match text.parse::<f64>() {
        Ok(x) if (x as f32).is_finite() => series.number(x),
        Ok(_) => series.breaks(breaks(format!("`{text}` is not a finite number (column `{name}`)"))),
        Err(_) if text.is_empty() => series.breaks(breaks(format!("a value is missing (column `{name}`)"))),
        Err(_) => series.word(text, || breaks(format!("`{text}` is not a number (column `{name}`)"))),
    }
}

fn ragged(line: u64, got: usize, expected: usize) -> DataError {
    DataError::new(Kind::Malformed, format!("this line has {got} cells, the first line has {expected}"))
        .at(Position::Cell { line, column: got.min(expected) + 1 })
        .help("give every line the same number of cells, separated by commas")
}

fn not_text(error: &::csv::Error) -> DataError {
    let line = error.position().map_or(1, ::csv::Position::line);
    DataError::new(Kind::Malformed, "the line is not UTF-8 text")
        .at(Position::Cell { line, column: 1 })
        .help("store the file as UTF-8 comma-separated values")
}
