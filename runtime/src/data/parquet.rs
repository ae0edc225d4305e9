//! Parquet, a compressed format of tables. Every flat column is there under its name, numbers or words; besides, `features` and
//! `label` as for CSV. Read only where the feature `parquet` is built in, because it takes long to build.

use super::files::Files;
use super::table::Table;
use crate::error::Result;
use std::path::Path;

/// Reads a table.
///
/// # Errors
/// If the file is missing or broken, it holds no samples, or nnc was built without the feature. A cell that is neither number
/// nor text spoils its column only.
pub fn load(files: &Files, name: &str, label: Option<&str>) -> Result<Table> {
    load_at(files, &files.find(name)?, label)
}

/// As [`load`], from a place that is known.
///
/// # Errors
/// As there.
pub fn load_at(files: &Files, path: &Path, label: Option<&str>) -> Result<Table> {
    read::read(files, path, label).map_err(|e| e.in_file(path))
}

#[cfg(feature = "parquet")]
mod read {
    use super::super::files::Files;
    use super::super::frame::{self, Series};
    use super::super::table::Table;
    use crate::error::{DataError, Kind, Position, Result, cut};
    use crate::file;
    use ::parquet::file::reader::{FileReader, SerializedFileReader};
    use ::parquet::record::Field;
    use std::fs::File;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::path::Path;

    pub fn read(files: &Files, path: &Path, label: Option<&str>) -> Result<Table> {
        let file = file::open(path, files.limit)?.into_file();
        // The reader trusts what a file says of itself; one that lies may bring it down.
        let rows = catch_unwind(AssertUnwindSafe(|| rows(files, file)));
        let (count, series) = rows.unwrap_or_else(|_| Err(broken(&"its parts contradict each other", 1)))?;
        if count == 0 {
            return Err(DataError::new(Kind::Malformed, "the file holds no samples"));
        }
        frame::table(count, series, label, true, path)
    }

    /// Rows and columns.
    fn rows(files: &Files, file: File) -> Result<(usize, Vec<Series>)> {
        let reader = SerializedFileReader::new(file).map_err(|e| broken(&e, 1))?;
        let size: i64 = reader.metadata().row_groups().iter().map(|g| g.total_byte_size()).sum();
        if size < 0 || size as u64 > files.limit {
            let message = format!("the table holds more than the limit of {} MiB", files.limit >> 20);
            return Err(DataError::new(Kind::TooLarge, message).help("keep fewer columns or rows"));
        }
        let schema = reader.metadata().file_metadata().schema();
        let mut series: Vec<_> = schema.get_fields().iter().map(|f| Series::new(f.name().to_string())).collect();
        let mut count = 0;
        for row in reader.get_row_iter(None).map_err(|e| broken(&e, 1))? {
            let row = row.map_err(|e| broken(&e, count + 1))?;
            count += 1;
            for (series, (_, cell)) in series.iter_mut().zip(row.get_column_iter()) {
                push(series, cell, count);
            }
        }
        Ok((count, series))
    }

    fn push(series: &mut Series, cell: &Field, row: usize) {
        let wrong = |what: String, name: &str| {
            DataError::new(Kind::BadValue, format!("{what} (column `{}`)", cut(name))).at(Position::Row(row))
        };
        match (number(cell), cell) {
            (_, Field::Long(x)) if !frame::is_exact(i128::from(*x)) => {
                series.breaks(|_| frame::inexact(&x.to_string()).at(Position::Row(row)));
            }
            (_, Field::ULong(x)) if !frame::is_exact(i128::from(*x)) => {
                series.breaks(|_| frame::inexact(&x.to_string()).at(Position::Row(row)));
            }
            (Some(x), _) if x.is_finite() => series.number(x),
            (Some(x), _) => series.breaks(|name| wrong(format!("{x} is not a finite number"), name)),
            (None, Field::Null) => series.breaks(|name| wrong("a value is missing".to_string(), name)),
            (None, Field::Str(text)) => {
                series.word(text, |name| wrong(format!("`{}` is not a number", cut(text)), name));
            }
            _ => series.breaks(|name| wrong("only numbers and texts can be read".to_string(), name)),
        }
    }

    fn number(cell: &Field) -> Option<f64> {
        Some(match *cell {
            Field::Bool(b) => f64::from(u8::from(b)),
            Field::Byte(x) => f64::from(x),
            Field::Short(x) => f64::from(x),
            Field::Int(x) => f64::from(x),
            Field::Long(x) => x as f64,
            Field::UByte(x) => f64::from(x),
            Field::UShort(x) => f64::from(x),
            Field::UInt(x) => f64::from(x),
            Field::ULong(x) => x as f64,
            Field::Float16(x) => x.to_f64(),
            Field::Float(x) => f64::from(x),
            Field::Double(x) => x,
            _ => return None,
        })
    }

    fn broken(error: &dyn std::fmt::Display, row: usize) -> DataError {
        DataError::new(Kind::Malformed, format!("the file is no whole Parquet file ({error})"))
            .at(Position::Row(row))
            .help("it must be a Parquet file, plain or compressed by Snappy or gzip; fetch it again")
    }
}

#[cfg(not(feature = "parquet"))]
mod read {
    use super::super::files::Files;
    use super::super::table::Table;
    use crate::error::{DataError, Kind, Result};
    use std::path::Path;

    pub fn read(_: &Files, _: &Path, _: Option<&str>) -> Result<Table> {
        Err(DataError::new(Kind::Request, "this nnc was built without the feature that reads Parquet")
            .help("build it with `cargo build --release --features parquet`, or store the table as CSV"))
    }
}
