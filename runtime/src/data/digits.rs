//! The 8 × 8 handwritten digits that come with nnc (see `digits.licence.md`): test samples are
//! those whose number is 4 modulo 5, in file order.

use super::table::{Column, Table, Values};
use crate::error::{DataError, Kind, Result};
use flate2::read::GzDecoder;
use std::io::Read;

const PACKED: &[u8] = include_bytes!("digits.csv.gz");

/// Columns `image` ([1, 8, 8], values 0 to 16) and `label`.
///
/// # Errors
/// If the part is neither `train` nor `test`.
pub fn load(part: &str) -> Result<Table> {
    let test = super::generate::is_test(part)?;
    let damaged = || DataError::new(Kind::Malformed, "the built-in digits are damaged").help("install nnc again");
    let mut text = String::new();
    GzDecoder::new(PACKED).read_to_string(&mut text).map_err(|_| damaged())?;
    let (mut image, mut label) = (Vec::new(), Vec::new());
    for line in text.lines().enumerate().filter(|(i, _)| (i % 5 == 4) == test).map(|(_, line)| line) {
        for cell in line.split(',') {
            // Written with decimals: `5.0`.
            image.push(cell.parse::<f32>().map_err(|_| damaged())? as u8);
        }
        label.push(image.pop().ok_or_else(damaged)?);
    }
    let count = label.len();
    let image = Column::new("image", vec![1, 8, 8], Values::Bytes(image));
    Ok(Table::new(count, vec![image, Column::new("label", vec![], Values::Bytes(label))]))
}
