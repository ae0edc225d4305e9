//! Comma-separated values: one sample a line. Every column is there under its name in the header
//! (`c1`, `c2`, .. without one); besides, `features` is all columns but the label's as one vector,
//! and `label` the label's (the last, unless named).

use super::error::{DataError, Kind, Position, Result};
use super::files::Files;
use super::table::{Column, Table, Values};
use std::path::Path;

/// Reads a table of numbers.
///
/// # Errors
/// If the file is missing, its lines have different lengths, or it holds no samples. A cell that
/// is no number spoils its column only.
pub fn load(files: &Files, name: &str, header: bool, label: Option<&str>) -> Result<Table> {
    let path = files.find(name)?;
    read(files, &path, header, label).map_err(|e| e.in_file(&path))
}

fn read(files: &Files, path: &Path, header: bool, label: Option<&str>) -> Result<Table> {
    let text = files.open(path)?.take_rest()?;
    let mut reader =
        ::csv::ReaderBuilder::new().has_headers(false).flexible(true).trim(::csv::Trim::All).from_reader(&text[..]);
    let mut cells: Vec<Cells> = Vec::new();
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
            cell.push(text, line, column + 1);
        }
        count += 1;
    }
    if count == 0 {
        return Err(DataError::new(Kind::Malformed, "the file holds no samples"));
    }
    let label = match label {
        None => cells.len() - 1,
        Some(name) => cells.iter().position(|c| c.name == name).ok_or_else(|| {
            DataError::new(Kind::Request, format!("there is no column `{name}` to be the label"))
                .help(format!("the columns are {}", cells.iter().map(|c| &*c.name).collect::<Vec<_>>().join(", ")))
        })?,
    };
    Ok(table(count, cells, label, path))
}

/// One column while it is read.
struct Cells {
    name: String,
    numbers: Vec<f64>,
    broken: Option<DataError>,
}

fn named(first: &::csv::StringRecord, header: bool) -> Vec<Cells> {
    let name = |(i, text): (usize, &str)| if header { text.to_string() } else { format!("c{}", i + 1) };
    let cells = |name| Cells { name, numbers: Vec::new(), broken: None };
    first.iter().enumerate().map(name).map(cells).collect()
}

impl Cells {
    fn push(&mut self, text: &str, line: u64, column: usize) {
        if self.broken.is_some() {
            return;
        }
        match text.parse::<f64>() {
            Ok(x) if (x as f32).is_finite() => self.numbers.push(x),
            Ok(_) => self.breaks(format!("`{text}` is not a finite number"), line, column),
            Err(_) if text.is_empty() => self.breaks("a value is missing".to_string(), line, column),
            Err(_) => self.breaks(format!("`{text}` is not a number"), line, column),
        }
    }

    fn breaks(&mut self, message: String, line: u64, column: usize) {
        let error = DataError::new(Kind::BadValue, format!("{message} (column `{}`)", self.name));
        let help = if line == 1 {
            "if the first line holds names, leave out `header = false`"
        } else {
            "correct the cell, or read another column"
        };
        self.broken = Some(error.at(Position::Cell { line, column }).help(help));
        self.numbers = Vec::new();
    }

    fn column(&self, name: &str, path: &Path) -> Column {
        let whole = |x: &f64| x.fract() == 0.0 && x.abs() <= f64::from(i32::MAX);
        let values = match &self.broken {
            Some(error) => Values::Unusable(error.clone().in_file(path)),
            None if self.numbers.iter().all(whole) => {
                Values::Integers(self.numbers.iter().map(|x| *x as i32).collect())
            }
            None => Values::Numbers(self.numbers.iter().map(|x| *x as f32).collect()),
        };
        Column { file: Some(path.to_path_buf()), ..Column::new(name, vec![], values) }
    }
}

fn table(count: usize, cells: Vec<Cells>, label: usize, path: &Path) -> Table {
    let features: Vec<_> = cells.iter().enumerate().filter(|(i, _)| *i != label).map(|(_, c)| c).collect();
    let values = match features.iter().find_map(|c| c.broken.as_ref()) {
        Some(error) => Values::Unusable(error.clone().in_file(path)),
        None => {
            Values::Numbers((0..count).flat_map(|row| features.iter().map(move |c| c.numbers[row] as f32)).collect())
        }
    };
    let mut columns: Vec<_> = cells.iter().map(|c| c.column(&c.name, path)).collect();
    let joined = Column { file: Some(path.to_path_buf()), ..Column::new("features", vec![features.len()], values) };
    let marked = cells[label].column("label", path);
    for extra in [joined, marked] {
        if columns.iter().all(|c| c.name != extra.name) {
            columns.push(extra);
        }
    }
    Table::new(count, columns)
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
