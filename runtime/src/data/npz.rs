//! NumPy's NPZ: a ZIP archive with an NPY file for each array. The first dimension counts samples.

use super::error::{DataError, Kind, Result, cut, listed};
use super::files::{Files, Source};
use super::npy;
use super::spec::Field;
use super::table::{Column, Table, Values};
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;
use zip::ZipArchive;
use zip::result::ZipError;

type Archive = ZipArchive<BufReader<File>>;

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
    let file = File::open(path).map_err(|e| DataError::io(&e, "cannot open the file"))?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|e| broken("the archive", &e))?;
    distinct(&archive)?;
    let ending = part.map(|p| format!("_{p}")).unwrap_or_default();
    let mut columns: Vec<(usize, Column)> = vec![];
    let mut left = files.limit;
    for i in 0..archive.len() {
        let (entry, bytes) = member(&mut archive, i)?;
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

/// Refuses an archive with two arrays of one name: only one of them could be read, and nothing says which is meant.
///
/// # Errors
/// If it has.
pub fn distinct<R: Read + Seek>(archive: &ZipArchive<R>) -> Result<()> {
    if !archive.has_duplicate_names() {
        return Ok(());
    }
    let names = archive.file_names().flatten().map(|n| n.trim_end_matches(".npy").to_string());
    let names: Vec<String> = names.collect();
    let help = format!("it has {}; save it anew with numpy.savez", listed(names.iter().map(String::as_str)));
    Err(DataError::new(Kind::Malformed, "two arrays of this archive have the same name").help(help))
}

/// Name and size of a member.
fn member(archive: &mut Archive, i: usize) -> Result<(String, u64)> {
    let entry = archive.by_index(i).map_err(|e| broken("the archive", &e))?;
    let name = entry.name().map_err(|e| broken("the archive", &e))?.into_owned();
    Ok((name, entry.size()))
}

fn array(archive: &mut Archive, i: usize, name: &str, size: u64) -> Result<(usize, Column)> {
    let what = format!("the array `{}`", cut(name));
    let mut bytes = vec![];
    let entry = archive.by_index(i).map_err(|e| broken(&what, &e))?;
    entry.take(size + 1).read_to_end(&mut bytes).map_err(|e| broken(&what, &ZipError::Io(e)))?;
    if bytes.len() as u64 != size {
        let message = format!("{what} has {} bytes where the archive says {size}", bytes.len());
        return Err(DataError::new(Kind::Malformed, message).help("fetch the file again"));
    }
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

fn broken(what: &str, error: &ZipError) -> DataError {
    DataError::new(Kind::Malformed, format!("{what} is broken or cut short ({error})"))
        .help("this must be a file saved by numpy.savez; fetch it again")
}
