//! NumPy's NPY: a magic number, a version, the length of a header that is a Python dictionary
//! (`descr`, `fortran_order`, `shape`), then the elements. The first dimension counts samples.

use super::files::{Files, Source};
use super::frame;
use super::table::{Column, Table, Values};
use crate::error::{DataError, Kind, Position, Result, cut};
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
    let (count, column) = column(&mut files.open(path)?, name)?;
    Ok((count, Column { file: Some(path.to_path_buf()), ..column }))
}

/// An array as a column of that name, and its samples.
///
/// # Errors
/// If it is broken, has no samples, or holds what is no finite number.
pub fn column(source: &mut Source, name: &str) -> Result<(usize, Column)> {
    let Array { shape, values, start, width } = array(source)?;
    let (count, shape) = match &shape[..] {
        [] => return Err(malformed("a single number has no samples", start)),
        shape if shape.contains(&0) => return Err(malformed("the array is empty", start)),
        [count, shape @ ..] => (*count, shape),
    };
    let bad = match &values {
        Values::Numbers(v) => v.iter().position(|x| !x.is_finite()).map(|i| (i, f64::from(v[i]))),
        Values::Doubles(v) => v.iter().position(|x| !x.is_finite()).map(|i| (i, v[i])),
        _ => None,
    };
    if let Some((i, x)) = bad {
        let row = i / shape.iter().product::<usize>().max(1) + 1;
        let message = format!("element {i} (sample {row}) is {x}, not a finite number");
        return Err(DataError::new(Kind::BadValue, message).at(Position::Byte(start + (i * width) as u64)));
    }
    Ok((count, Column::new(name, shape.to_vec(), values)))
}

/// What an NPY file holds.
pub struct Array {
    /// Extents; none for a single number.
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: Values,
    /// The first byte of the elements.
    start: u64,
    /// Bytes of one element.
    width: usize,
}

/// Reads an array, whatever its shape and values.
///
/// # Errors
/// If it is broken or of a type that is not read, or a whole number in it would be rounded.
pub fn array(source: &mut Source) -> Result<Array> {
    let magic = source.take_bytes(8, "the magic number")?;
    if &magic[..6] != b"\x93NUMPY" {
        return Err(malformed("the file does not begin with NPY's magic number", 0).help("is it another format?"));
    }
    let (length, body) = match magic[6] {
        1 => (u64::from(little(&source.take_bytes(2, "the header's length")?) as u16), 10),
        2 | 3 => (little(&source.take_bytes(4, "the header's length")?), 12),
        version => return Err(malformed(format!("version {version} of NPY is unknown"), 6)),
    };
    if length > 65_536 {
        return Err(malformed(format!("a header of {length} bytes is no header"), 8));
    }
    let header = source.take_bytes(length, "the header")?;
    let Header { element, columns_first, shape } =
        Header::parse(&String::from_utf8_lossy(&header)).map_err(|e| e.at(Position::Byte(body)))?;
    let bytes = shape.iter().try_fold(element.width as u64, |a, d| a.checked_mul(*d as u64));
    let data = source.take_bytes(bytes.unwrap_or(u64::MAX), "the elements")?;
    source.finish()?;
    let start = body + length;
    let values =
        element.decode(&data).map_err(|(i, error)| error.at(Position::Byte(start + (i * element.width) as u64)))?;
    let values = if columns_first { rows_first(values, &shape) } else { values };
    Ok(Array { shape, values, start, width: element.width })
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
    /// Whether the first index runs fastest, as in Fortran.
    columns_first: bool,
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
        let descr = after("'descr'").ok_or_else(|| bad("`descr`"))?;
        if descr.starts_with('[') {
            return Err(DataError::new(Kind::Malformed, "the array holds records of several fields")
                .help("save each field as an array of its own"));
        }
        let descr = descr.strip_prefix('\'').and_then(|d| d.split('\'').next()).ok_or_else(|| bad("`descr`"))?;
        let element = Element::parse(descr)?;
        let columns_first = match after("'fortran_order'").ok_or_else(|| bad("`fortran_order`"))? {
            order if order.starts_with("True") => true,
            order if order.starts_with("False") => false,
            _ => return Err(bad("`fortran_order`")),
        };
        let inner =
            after("'shape'").and_then(|s| s.strip_prefix('(')?.split(')').next()).ok_or_else(|| bad("`shape`"))?;
        // Python 2 wrote `3L`.
        let extents = inner.split(',').map(|d| d.trim().trim_end_matches('L')).filter(|d| !d.is_empty());
        let shape = extents.map(str::parse).collect::<std::result::Result<_, _>>().map_err(|_| bad("`shape`"))?;
        Ok(Self { element, columns_first, shape })
    }
}

impl Element {
    fn parse(descr: &str) -> Result<Self> {
        let unknown = || {
            let what = match descr.trim_start_matches(['<', '>', '|', '=']).bytes().next() {
                Some(b'O') => "Python objects",
                Some(b'S' | b'U') => "texts",
                Some(b'c') => "complex numbers",
                Some(b'M' | b'm') => "dates or times",
                _ => "another type",
            };
            DataError::new(Kind::Malformed, format!("the elements are {what} (`{}`), which cannot be read", cut(descr)))
                .help("save numbers: float64, float32, float16, whole numbers or truth values")
        };
        let [order, letter, width] = descr.as_bytes() else { return Err(unknown()) };
        let width = usize::from(width.wrapping_sub(b'0'));
        let known = match letter {
            b'f' => matches!(width, 2 | 4 | 8),
            b'i' | b'u' => matches!(width, 1 | 2 | 4 | 8),
            b'b' => width == 1,
            _ => false,
        };
        if !known || !b"<>|=".contains(order) {
            return Err(unknown());
        }
        Ok(Self { letter: *letter, width, big: *order == b'>' })
    }

    /// All elements, or the number of the first that would be rounded, and why.
    fn decode(self, data: &[u8]) -> std::result::Result<Values, (usize, DataError)> {
        match (self.letter, self.width) {
            (b'b', _) => return Ok(Values::Bytes(data.iter().map(|b| u8::from(*b != 0)).collect())),
            (b'u', 1) => return Ok(Values::Bytes(data.to_vec())),
            _ => {}
        }
        let words = data
            .chunks_exact(self.width)
            .map(|b| if self.big { b.iter().fold(0, |a, b| a << 8 | u64::from(*b)) } else { little(b) });
        match (self.letter, self.width) {
            (b'f', 2) => return Ok(Values::Numbers(words.map(|w| half(w as u16)).collect())),
            (b'f', 4) => return Ok(Values::Numbers(words.map(|w| f32::from_bits(w as u32)).collect())),
            (b'f', _) => return Ok(Values::Doubles(words.map(f64::from_bits).collect())),
            _ => {}
        }
        let (signed, shift) = (self.letter == b'i', 64 - 8 * self.width as u32);
        let whole = |w: u64| if signed { i128::from((w << shift) as i64 >> shift) } else { i128::from(w) };
        if let Some(few) = words.clone().map(|w| i32::try_from(whole(w)).ok()).collect() {
            return Ok(Values::Integers(few));
        }
        let exact = |(i, w)| match whole(w) {
            n if frame::is_exact(n) => Ok(n as f64),
            n => Err((i, frame::inexact(&n.to_string()))),
        };
        words.enumerate().map(exact).collect::<std::result::Result<_, _>>().map(Values::Doubles)
    }
}

/// A number of 16 bits: sign, five bits of exponent, ten of fraction; 32 bits hold it exactly.
#[must_use]
pub fn half(bits: u16) -> f32 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023) / 1024.0);
    let magnitude = match exponent {
        0 => fraction * 2f32.powi(-14),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction) * 2f32.powi(exponent - 15),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

/// What was stored with the first index running fastest, with the last one so.
fn rows_first(values: Values, shape: &[usize]) -> Values {
    fn turned<T: Copy>(values: &[T], shape: &[usize]) -> Vec<T> {
        let mut index = vec![0; shape.len()];
        let mut out = Vec::with_capacity(values.len());
        for _ in 0..values.len() {
            out.push(values[index.iter().zip(shape).rev().fold(0, |at, (i, extent)| at * extent + i)]);
            // The next index, the last one first.
            for (i, extent) in index.iter_mut().zip(shape).rev() {
                *i = (*i + 1) % extent;
                if *i > 0 {
                    break;
                }
            }
        }
        out
    }
    match values {
        Values::Numbers(v) => Values::Numbers(turned(&v, shape)),
        Values::Doubles(v) => Values::Doubles(turned(&v, shape)),
        Values::Bytes(v) => Values::Bytes(turned(&v, shape)),
        Values::Integers(v) => Values::Integers(turned(&v, shape)),
        other => other,
    }
}
