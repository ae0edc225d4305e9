//! NumPy's NPZ: a ZIP archive with an NPY file for each array. The first dimension counts samples.

use super::files::{Files, Source};
use super::npy;
use super::spec::Field;
use super::table::{Column, Table, Values};
use crate::error::{DataError, Kind, Result, cut, listed};
use crate::zipped::{self, Archive};
use std::path::Path;

/// The arrays by their names. With a `part`, those whose names end in `_part`, without that ending. Only the arrays that
/// fields read are read; without fields all are.
///
/// # Errors
/// If the file is missing or broken, or the arrays read have different numbers of samples.
pub fn load(files: &Files, name: &str, part: Option<&str>, fields: &[Field]) -> Result<Table> {
    let path = files.find(name)?;
    read(files, &path, part, fields).map_err(|e| e.in_file(&path))
}

fn read(files: &Files, path: &Path, part: Option<&str>, fields: &[Field]) -> Result<Table> {
    let mut archive = zipped::open(path, files.limit)?;
    let ending = part.map(|p| format!("_{p}")).unwrap_or_default();
    let mut columns: Vec<(usize, Column)> = vec![];
    let mut left = files.limit;
    for i in 0..archive.len() {
        let (entry, bytes) = zipped::member(&mut archive, i)?;
        let Some(name) = entry.strip_suffix(".npy").and_then(|n| n.strip_suffix(&ending)) else { continue };
        if !fields.is_empty() && fields.iter().all(|f| !f.columns.iter().any(|c| c == name)) {
            let unread = DataError::new(Kind::Request, format!("the array `{}` was not read", cut(name)));
            columns.push((0, Column::new(name, vec![], Values::Unusable(unread))));
            continue;
        }
        if bytes > left {
            let message = format!("the arrays hold more than the limit of {} MiB", files.limit >> 20);
            return Err(DataError::new(Kind::TooLarge, message));
        }
        left -= bytes;
        columns.push(array(&mut archive, i, name, bytes)?);
    }
    let read = || columns.iter().filter(|(_, c)| !matches!(c.values, Values::Unusable(_)));
    let Some((count, first)) = read().next().map(|(n, c)| (*n, c.name.clone())) else {
        return Err(nothing(&columns, part));
    };
    if let Some((other, column)) = read().find(|(n, _)| *n != count) {
        let message =
            format!("the array `{}` has {count} samples, but `{}` has {other}", cut(&first), cut(&column.name));
        return Err(DataError::new(Kind::Mismatch, message).help("the first dimension counts samples"));
    }
    let file = Some(path.to_path_buf());
    Ok(Table::new(count, columns.into_iter().map(|(_, c)| Column { file: file.clone(), ..c }).collect()))
}

fn array(archive: &mut Archive, i: usize, name: &str, size: u64) -> Result<(usize, Column)> {
    let what = format!("the array `{}`", cut(name));
    let bytes = zipped::contents(archive, i, &what, size)?;
    npy::column(&mut Source::of_bytes(bytes, u64::MAX), name)
        .map_err(|e| DataError { message: format!("{what}: {}", e.message), ..e })
}

fn nothing(columns: &[(usize, Column)], part: Option<&str>) -> DataError {
    let names: Vec<_> = columns.iter().map(|(_, c)| c.name.as_str()).collect();
    let message = match part {
        Some(part) if names.is_empty() => format!("no array's name ends in `_{part}`"),
        _ if names.is_empty() => "the archive holds no arrays".to_string(),
        _ => "no field reads any of the arrays".to_string(),
    };
    let help = if names.is_empty() {
        "the arrays are files that end in .npy".into()
    } else {
        format!("they are {}", listed(names))
    };
    DataError::new(Kind::Request, message).help(help)
}
