//! IDX, the format of MNIST: four bytes of magic (two zeros, element type, number of dimensions),
//! the dimensions as big-endian 32-bit numbers, then the elements row-major.

use super::files::{Files, Source};
use super::table::{Column, Table, Values};
use crate::error::{DataError, Kind, Position, Result};
use std::path::Path;

/// Columns `image` and `label` from two IDX files. Images without a channel axis get one.
///
/// # Errors
/// If a file is missing or broken, or the counts differ.
pub fn load(files: &Files, images: &str, labels: &str) -> Result<Table> {
    let (image_path, label_path) = (files.find(images)?, files.find(labels)?);
    let mut image = read(files, &image_path, "image")?;
    let label = read(files, &label_path, "label")?;
    if !label.1.shape.is_empty() {
        return Err(DataError::new(Kind::Malformed, "labels must be one number a sample").in_file(&label_path));
    }
    if image.0 != label.0 {
        let message = format!("{} images, but {} labels in {}", image.0, label.0, label_path.display());
        return Err(DataError::new(Kind::Mismatch, message)
            .in_file(&image_path)
            .help("take both files from one split"));
    }
    if image.1.shape.len() == 2 {
        image.1.shape.insert(0, 1);
    }
    Ok(Table::new(image.0, vec![image.1, label.1]))
}

/// One IDX file as a column: the first dimension counts samples.
fn read(files: &Files, path: &Path, name: &str) -> Result<(usize, Column)> {
    let inner = || {
        let mut source = files.open(path)?;
        let (kind, dims) = header(&mut source)?;
        let width = width(kind).ok_or_else(|| bad_magic(format!("element type 0x{kind:02x} is unknown")))?;
        let elements = dims.iter().try_fold(1u64, |a, d| a.checked_mul(*d));
        let bytes = elements.and_then(|n| n.checked_mul(width)).unwrap_or(u64::MAX);
        let body = source.take_bytes(bytes, "the elements")?;
        source.finish()?;
        let shape = dims[1..].iter().map(|d| *d as usize).collect();
        let values = decode(kind, body, 4 + 4 * dims.len() as u64)?;
        Ok((dims[0] as usize, Column { file: Some(path.to_path_buf()), ..Column::new(name, shape, values) }))
    };
    inner().map_err(|e: DataError| e.in_file(path))
}

fn header(source: &mut Source) -> Result<(u8, Vec<u64>)> {
    let magic = source.take_bytes(4, "the magic number")?;
    if magic[0] != 0 || magic[1] != 0 || magic[3] == 0 {
        return Err(bad_magic(format!("the file begins {magic:02x?}, not with two zero bytes, a type and a rank")));
    }
    let sizes = source.take_bytes(4 * u64::from(magic[3]), "the dimensions")?;
    let dims: Vec<u64> =
        sizes.chunks_exact(4).map(|d| u64::from(u32::from_be_bytes([d[0], d[1], d[2], d[3]]))).collect();
    match dims.iter().position(|d| *d == 0) {
        Some(axis) => Err(DataError::new(Kind::Malformed, format!("dimension {} is zero", axis + 1))
            .at(Position::Byte(4 + 4 * axis as u64))),
        None => Ok((magic[2], dims)),
    }
}

fn bad_magic(message: String) -> DataError {
    DataError::new(Kind::Malformed, message).at(Position::Byte(0)).help("this is no IDX file; is it another format?")
}

/// Bytes of an element of that type.
fn width(kind: u8) -> Option<u64> {
    match kind {
        0x08 | 0x09 => Some(1),
        0x0b => Some(2),
        0x0c | 0x0d => Some(4),
        0x0e => Some(8),
        _ => None,
    }
}

fn decode(kind: u8, body: Vec<u8>, start: u64) -> Result<Values> {
    let finite = |i: usize, x: f64, width: u64| match x.is_finite() {
        true => Ok(()),
        false => Err(DataError::new(Kind::BadValue, format!("element {i} is {x}, not a finite number"))
            .at(Position::Byte(start + i as u64 * width))),
    };
    Ok(match kind {
        0x08 => Values::Bytes(body),
        0x09 => Values::Integers(body.iter().map(|b| i32::from(*b as i8)).collect()),
        0x0b => Values::Integers(body.chunks_exact(2).map(|b| i32::from(i16::from_be_bytes([b[0], b[1]]))).collect()),
        0x0c => Values::Integers(body.chunks_exact(4).map(|b| i32::from_be_bytes([b[0], b[1], b[2], b[3]])).collect()),
        0x0d => {
            let numbers: Vec<f32> =
                body.chunks_exact(4).map(|b| f32::from_be_bytes([b[0], b[1], b[2], b[3]])).collect();
            numbers.iter().enumerate().try_for_each(|(i, x)| finite(i, f64::from(*x), 4))?;
            Values::Numbers(numbers)
        }
        _ => {
            let eight = |b: &[u8]| f64::from_be_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]);
            let numbers: Vec<f64> = body.chunks_exact(8).map(eight).collect();
            numbers.iter().enumerate().try_for_each(|(i, x)| finite(i, *x, 8))?;
            Values::Doubles(numbers)
        }
    })
}
