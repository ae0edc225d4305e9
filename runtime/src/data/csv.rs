//! Comma-separated values: one sample a line. Every column is there under its name in the header (`c1`, `c2`, .. without
//! one). A column of words is one of classes, numbered in the order of the alphabet.
//!
//! What could be meant in two ways is refused: a first line that may be a sample, quotation marks that do not fit, cells
//! separated by another sign, words that stand for missing values.

use super::files::{Files, Source};
use super::frame::{self, Series};
use super::table::Table;
use crate::error::{DataError, Kind, Position, Result, cut};
use ::csv::{ReaderBuilder, StringRecord};
use std::path::Path;

/// Words that stand for a missing value.
const MISSING: [&str; 8] = ["NA", "N/A", "n/a", "#N/A", "<NA>", "NULL", "null", "NaT"];

/// Reads a table. Whether the first line holds names is said by `header`, or else must be plain; `label` names the label's
/// column.
///
/// # Errors
/// If the file is missing, its lines have different lengths, or it holds no samples. A cell that
/// is no number spoils its column only.
pub fn load(files: &Files, name: &str, header: Option<bool>, label: Option<&str>) -> Result<Table> {
    load_at(files, &files.find(name)?, header, label)
}

/// As [`load`], from a place that is known.
///
/// # Errors
/// As there.
pub fn load_at(files: &Files, path: &Path, header: Option<bool>, label: Option<&str>) -> Result<Table> {
    let table = || {
        let text = decoded(files.open(path)?)?;
        let (count, cells) = read(text.trim_start_matches('\u{feff}'), header)?;
        frame::table(count, cells, label, header != Some(false), path)
    };
    table().map_err(|e: DataError| e.in_file(path))
}

/// The columns of a text and how many cells each has.
fn read(text: &str, header: Option<bool>) -> Result<(usize, Vec<Series>)> {
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut columns: Vec<Series> = vec![];
    let mut record = StringRecord::new();
    let mut lines = Lines { text, at: 0, line: 1 };
    let mut count = 0;
    loop {
        let start = reader.position().byte() as usize;
        if !reader.read_record(&mut record).map_err(|e| DataError::new(Kind::Malformed, e.to_string()))? {
            break;
        }
        let raw = &text[start..reader.position().byte() as usize];
        let row =
            Row { line: lines.of(start + raw.len() - raw.trim_start_matches(['\r', '\n']).len()), raw, cells: &record };
        if raw.trim().is_empty() {
            continue;
        }
        row.check_marks()?;
        if columns.is_empty() {
            row.check_commas(header == Some(false))?;
            columns = named(&record, header != Some(false));
            if header != Some(false) {
                continue;
            }
        }
        if record.len() != columns.len() {
            return Err(row.ragged(columns.len()));
        }
        if count == 0 && header.is_none() {
            row.check_names(&columns)?;
        }
        columns.iter_mut().enumerate().for_each(|(n, column)| push(column, &row, n, header));
        count += 1;
    }
    match count {
        0 => Err(DataError::new(Kind::Malformed, "the file holds no samples")),
        _ => Ok((count, columns)),
    }
}

fn named(first: &StringRecord, header: bool) -> Vec<Series> {
    let name = |(i, text): (usize, &str)| if header { text.trim().to_string() } else { format!("c{}", i + 1) };
    first.iter().enumerate().map(name).map(Series::new).collect()
}

/// Adds cell number `n` of a row to its column: a number, or, in a column that has begun so, a word.
fn push(column: &mut Series, row: &Row, n: usize, header: Option<bool>) {
    let text = row.cells[n].trim();
    let help = match header {
        Some(false) if row.line == 1 => "if the first line holds names, leave out `header = false`",
        _ => "correct the cell, or read another column",
    };
    let wrong = |what: String, name: &str| {
        let message = format!("{what} (column `{}`)", cut(name));
        DataError::new(Kind::BadValue, message).at(row.place(n)).help(help)
    };
    match text.parse::<f64>() {
        Ok(_) if whole(text).is_some_and(|w| !frame::is_exact(w)) => {
            column.breaks(|_| frame::inexact(text).at(row.place(n)));
        }
        Ok(x) if x.is_finite() => column.number(x),
        Ok(_) => column.breaks(|name| wrong(format!("`{}` is not a finite number", cut(text)), name)),
        Err(_) if text.is_empty() => column.breaks(|name| wrong("a value is missing".to_string(), name)),
        Err(_) if MISSING.contains(&text) => {
            column.breaks(|name| wrong(format!("`{text}` stands for a missing value"), name));
        }
        Err(_) => column.word(text, |name| wrong(no_number(text), name)),
    }
}

/// The whole number that a text writes out; one of more digits than 128 bits hold is taken for the largest there is.
fn whole(text: &str) -> Option<i128> {
    let digits = text.trim_start_matches(['+', '-']);
    let is_whole = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    is_whole.then(|| text.parse().unwrap_or(i128::MAX))
}

fn no_number(text: &str) -> String {
    let pointed = text.replace(',', ".");
    let shown = cut(text);
    match other_sign(text) {
        Some(sign) => format!("`{shown}` is not a number: {}", separated_by(sign)),
        None if pointed != text && pointed.parse::<f64>().is_ok() => {
            format!("`{shown}` is not a number: decimals stand after a point, as in `{}`", cut(&pointed))
        }
        None => format!("`{shown}` is not a number"),
    }
}

/// The sign that parts a line or cell into numbers, if it is not the comma.
fn other_sign(line: &str) -> Option<char> {
    let number = |part: &str| {
        let part = part.trim();
        !part.starts_with(',') && !part.ends_with(',') && part.replace(',', ".").parse::<f64>().is_ok()
    };
    [';', '\t', '|'].into_iter().find(|sign| line.contains(*sign) && line.split(*sign).all(number))
}

fn separated_by(sign: char) -> String {
    let sign = if sign == '\t' { "tabs".to_string() } else { format!("`{sign}`") };
    format!("the cells of this file are separated by {sign}, where commas are read")
}

/// One line of a table, or several where line breaks stand inside quotation marks.
struct Row<'a> {
    /// The number of its first line.
    line: u64,
    /// As it stands in the file.
    raw: &'a str,
    cells: &'a StringRecord,
}

impl Row<'_> {
    /// Where cell number `n` begins.
    fn place(&self, n: usize) -> Position {
        let within: u64 = self.cells.iter().take(n).map(breaks).sum();
        Position::Cell { line: self.line + within, column: n + 1 }
    }

    fn malformed(&self, n: usize, message: impl Into<String>) -> DataError {
        DataError::new(Kind::Malformed, message).at(self.place(n))
    }

    fn ragged(&self, expected: usize) -> DataError {
        let got = self.cells.len();
        let help = if got == 2 * expected {
            "if the numbers are written with decimal commas, write them with points; cells are separated by commas"
        } else {
            "give every line the same number of cells, separated by commas"
        };
        self.malformed(got.min(expected), format!("this line has {got} cells, the first line has {expected}"))
            .help(help)
    }

    /// Refuses quotation marks that are never closed or stand inside a cell: where it ends would be a guess.
    fn check_marks(&self) -> Result<()> {
        #[derive(PartialEq)]
        enum At {
            Start,
            Bare,
            Quoted,
            /// Behind a mark that closes the cell, or is the first of two that stand for one.
            Closed,
            /// Behind the blanks after a closed cell.
            Ended,
        }
        let (mut at, mut n) = (At::Start, 0);
        for c in self.raw.trim().chars() {
            at = match (at, c) {
                (At::Quoted, '"') => At::Closed,
                (At::Quoted, _) | (At::Start | At::Closed, '"') => At::Quoted,
                (_, ',') => {
                    n += 1;
                    At::Start
                }
                (At::Closed | At::Ended, c) if c.is_whitespace() => At::Ended,
                (At::Closed | At::Ended, _) | (At::Bare, '"') => {
                    return Err(self.malformed(n, "a quotation mark stands inside this cell").help(
                        "a cell begins and ends with one, or has none; write one that belongs to its text twice",
                    ));
                }
                (At::Start | At::Bare, _) => At::Bare,
            };
        }
        if at == At::Quoted {
            // The cells before it are whole, so that the place is right although this one took in the rest of the file.
            return Err(self.malformed(n, "the quotation mark that opens this cell is never closed").help("close it"));
        }
        Ok(())
    }

    /// Refuses a first line that another sign parts into cells.
    fn check_commas(&self, is_sample: bool) -> Result<()> {
        let line = self.raw.trim();
        let alone = if is_sample { None } else { [';', '\t', '|'].into_iter().find(|s| line.contains(*s)) };
        match other_sign(line).or(alone.filter(|_| self.cells.len() == 1)) {
            Some(sign) => {
                let help = "save the table with commas between its cells, and decimals after points";
                Err(self.malformed(0, separated_by(sign)).help(help))
            }
            None => Ok(()),
        }
    }

    /// Refuses names that may as well be the first sample: wherever this one, the first or second, has a number, they have
    /// one.
    fn check_names(&self, columns: &[Series]) -> Result<()> {
        let number = |text: &str| text.trim().parse::<f64>().is_ok();
        let mut numbers = columns.iter().zip(self.cells).filter(|(_, cell)| number(cell)).peekable();
        if numbers.peek().is_none() || !numbers.all(|(column, _)| number(&column.name)) {
            return Ok(());
        }
        let message = "the first line of the table may be a sample: it has numbers where the second has";
        let error = DataError::new(Kind::Malformed, message).at(Position::Cell { line: 1, column: 1 });
        Err(error.help("write `csv(.., header = false)` if it is one, `header = true` if these are the columns' names"))
    }
}

/// Line breaks, of which `\r\n` is one.
fn breaks(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let is_break = |(i, b): (usize, &u8)| *b == b'\n' || *b == b'\r' && bytes.get(i + 1) != Some(&b'\n');
    bytes.iter().enumerate().filter(|at| is_break(*at)).count() as u64
}

/// Counts lines as far as a text has been read.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The number of the line that has this byte; never one before the last asked for.
    fn of(&mut self, byte: usize) -> u64 {
        self.line += breaks(&self.text[self.at..byte]);
        self.at = byte;
        self.line
    }
}

/// The most bytes of a line: some million cells.
const LONGEST_LINE: usize = 16 << 20;

fn decoded(mut source: Source) -> Result<String> {
    let mut bytes = source.take_mark()?;
    if bytes == b"\xff\xfe" || bytes == b"\xfe\xff" {
        return Err(DataError::new(Kind::Malformed, "the file is UTF-16").help("save it as UTF-8"));
    }
    source.take_text(&mut bytes, LONGEST_LINE)?;
    String::from_utf8(bytes).map_err(|e| {
        let before = String::from_utf8_lossy(&e.as_bytes()[..e.utf8_error().valid_up_to()]).into_owned();
        let line = before.rsplit(['\n', '\r']).next().unwrap_or_default();
        DataError::new(Kind::Malformed, "the cell is not UTF-8 text")
            .at(Position::Cell { line: breaks(&before) + 1, column: line.matches(',').count() + 1 })
            .help("store the file as UTF-8 comma-separated values")
    })
}
