//! NumPy's NPY: a magic number, a version, the length of a header that is a Python dictionary
//! (`descr`, `fortran_order`, `shape`), then the elements. The first dimension counts samples.

use super::error::{DataError, Kind, Position, Result};
use super::files::{Files, Source};
use super::table::{Column, Table, Values};
use std::path::Path;

/// Column `x` from one file, and `y` from another if given.
///
/// # Errors
/// If a file is missing or broken, or the counts differ.
pub fn load(files: &Files, x: &str, y: Option<&str>) -> Result<Table> {
    let mut columns = Vec::new();
    let mut count = None;
    for (column, name) in [("x", Some(x)), ("y", y)] {
        let Some(name) = name else { continue };
        let path = files.find(name)?;
        let (rows, column) = read(files, &path, column).map_err(|e| e.in_file(&path))?;
        if *count.get_or_insert(rows) != rows {
            let message = format!("{rows} samples here, but {} in `{x}`", count.unwrap_or(rows));
            return Err(DataError::new(Kind::Mismatch, message).in_file(&path));
        }
        columns.push(column);
    }
    Ok(Table::new(count.unwrap_or(0), columns))
}

fn read(files: &Files, path: &Path, name: &str) -> Result<(usize, Column)> {
    let (count, column) = array(&mut files.open(path)?, name)?;
    Ok((count, Column { file: Some(path.to_path_buf()), ..column }))
}

/// An array as a column of that name, and its samples.
///
/// # Errors
/// If it is broken, or has no samples.
pub fn array(source: &mut Source, name: &str) -> Result<(usize, Column)> {
    let start = source.take_bytes(8, "the magic number")?;
    if &start[..6] != b"\x93NUMPY" {
        return Err(malformed("the file does not begin with NPY's magic number", 0).help("is it another format?"));
    }
    let (length, body) = match start[6] {
        1 => (u64::from(little(&source.take_bytes(2, "the header's length")?) as u16), 10),
        2 | 3 => (little(&source.take_bytes(4, "the header's length")?), 12),
        version => return Err(malformed(format!("version {version} of NPY is unknown"), 6)),
    };
    if length > 65_536 {
        return Err(malformed(format!("a header of {length} bytes is no header"), 8));
    }
    let header = source.take_bytes(length, "the header")?;
    let header = Header::parse(&String::from_utf8_lossy(&header)).map_err(|e| e.at(Position::Byte(body)))?;
    let (count, shape) = match header.shape.as_slice() {
        [count, shape @ ..] => (count, shape),
        [] => return Err(malformed("a single number has no samples", body)),
    };
    let bytes = header.shape.iter().try_fold(header.element.width as u64, |a, d| a.checked_mul(*d as u64));
    let data = source.take_bytes(bytes.unwrap_or(u64::MAX), "the elements")?;
    source.finish()?;
    let values = header.element.decode(&data).map_err(|(i, x)| {
        let row = i / shape.iter().product::<usize>().max(1) + 1;
        DataError::new(Kind::BadValue, format!("element {i} (sample {row}) is {x}, not a finite number that fits"))
            .at(Position::Byte(body + length + (i * header.element.width) as u64))
    })?;
    Ok((*count, Column::new(name, shape.to_vec(), values)))
}

fn malformed(message: impl Into<String>, offset: u64) -> DataError {
    DataError::new(Kind::Malformed, message).at(Position::Byte(offset))
}

fn little(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |a, b| a << 8 | u64::from(*b))
}

/// What an element is: a letter (`f` real, `i` signed, `u` unsigned, `b` truth), bytes, byte order.
#[derive(Clone, Copy, Debug)]
struct Element {
    letter: u8,
    width: usize,
    big: bool,
}

struct Header {
    element: Element,
    shape: Vec<usize>,
}

impl Header {
    /// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
    fn parse(text: &str) -> Result<Self> {
        let bad = |what: &str| DataError::new(Kind::Malformed, format!("the NPY header has no readable {what}"));
        let after = |key: &str| {
            let rest = &text[text.find(key)? + key.len()..];
            Some(rest.trim_start().strip_prefix(':')?.trim_start())
        };
        let order = after("'fortran_order'").ok_or_else(|| bad("`fortran_order`"))?;
        if !order.starts_with("False") {
            return Err(DataError::new(Kind::Malformed, "the array is stored column by column")
                .help("save it with numpy.ascontiguousarray"));
        }
        let descr = after("'descr'").and_then(|d| d.strip_prefix('\'')?.split('\'').next());
        let element = Element::parse(descr.ok_or_else(|| bad("`descr`"))?)?;
        let inner =
            after("'shape'").and_then(|s| s.strip_prefix('(')?.split(')').next()).ok_or_else(|| bad("`shape`"))?;
        let shape = inner.split(',').map(str::trim).filter(|d| !d.is_empty()).map(str::parse::<usize>);
        let shape: Vec<usize> = shape.collect::<std::result::Result<_, _>>().map_err(|_| bad("`shape`"))?;
        if shape.contains(&0) {
            return Err(DataError::new(Kind::Malformed, "the array is empty"));
        }
        Ok(Self { element, shape })
    }
}

impl Element {
    fn parse(descr: &str) -> Result<Self> {
        let unknown = || {
            DataError::new(Kind::Malformed, format!("elements of type `{descr}` cannot be read"))
                .help("save numbers: float32, float64, whole numbers or truth values")
        };
        let [order, letter, width] = descr.as_bytes() else { return Err(unknown()) };
        let width = usize::from(width.wrapping_sub(b'0'));
        let known = match letter {
            b'f' => matches!(width, 4 | 8),
            b'i' | b'u' => matches!(width, 1 | 2 | 4 | 8),
            b'b' => width == 1,
            _ => false,
        };
        if !known || !b"<>|=".contains(order) {
            return Err(unknown());
        }
        Ok(Self { letter: *letter, width, big: *order == b'>' })
    }

    /// All elements, or the first that is not finite or does not fit, with its number.
    fn decode(self, data: &[u8]) -> std::result::Result<Values, (usize, f64)> {
        if self.width == 1 && self.letter != b'i' {
            return Ok(Values::Bytes(data.to_vec()));
        }
        let words = data
            .chunks_exact(self.width)
            .map(|b| if self.big { b.iter().fold(0, |a, b| a << 8 | u64::from(*b)) } else { little(b) });
        let shift = 64 - 8 * self.width as u32;
        if self.letter == b'f' {
            let real = |w: u64| if self.width == 4 { f64::from(f32::from_bits(w as u32)) } else { f64::from_bits(w) };
            let check = |(i, w)| if (real(w) as f32).is_finite() { Ok(real(w) as f32) } else { Err((i, real(w))) };
            return words.enumerate().map(check).collect::<std::result::Result<_, _>>().map(Values::Numbers);
        }
        let signed = self.letter == b'i';
        let whole = |w: u64| if signed { i128::from((w << shift) as i64 >> shift) } else { i128::from(w) };
        let check = |(i, w)| i32::try_from(whole(w)).map_err(|_| (i, whole(w) as f64));
        words.enumerate().map(check).collect::<std::result::Result<_, _>>().map(Values::Integers)
    }
}
