//! Files of a folder, or of a folder in a tar archive, as if both were one thing.

use super::files::Files;
use crate::error::{DataError, Kind, Position, Result};
use crate::file;
use std::io::Read;
use std::path::{Path, PathBuf};

/// One file: its path in the folder asked for, parts parted by `/`, and its contents.
pub struct Member {
    /// Such as `cat/0001.png`.
    pub name: String,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// Folders in folders beyond which nobody keeps files.
const DEEPEST: usize = 64;
/// The most files and folders that are looked at.
const MOST: usize = 4_000_000;

/// The files whose names are wanted, of at most `most` bytes each, in the order of their names, and where the folder was
/// found.
///
/// # Errors
/// If there is no such folder, a file cannot be read, an archive is broken, or all are more than the limit together.
pub fn gather(files: &Files, folder: &str, most: u64, wanted: impl Fn(&str) -> bool) -> Result<(PathBuf, Vec<Member>)> {
    let (path, inner) = files.find_folder(folder)?;
    let most = most.min(files.limit);
    let mut members = match &inner {
        None => in_folder(files, &path, most, &wanted)?,
        Some(inner) => in_archive(files, &path, inner, most, &wanted).map_err(|e| e.in_file(&path))?,
    };
    members.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((inner.map_or(path.clone(), |inner| path.join(inner)), members))
}

fn in_folder(files: &Files, folder: &Path, most: u64, wanted: &impl Fn(&str) -> bool) -> Result<Vec<Member>> {
    let mut members = vec![];
    let mut budget = Budget(files.limit);
    let mut seen = 0;
    // Each with its name and with the folders around it, so that a link back to one of them is noticed.
    let mut open = vec![(String::new(), folder.to_path_buf(), vec![])];
    while let Some((prefix, path, mut around)) = open.pop() {
        let cannot = |e: std::io::Error| DataError::io(&e, "cannot read the folder").in_file(&path);
        let real = path.canonicalize().map_err(cannot)?;
        if around.contains(&real) || around.len() > DEEPEST {
            return Err(DataError::new(Kind::Malformed, "this folder is inside itself: a link leads back to it")
                .help("take the link away")
                .in_file(&path));
        }
        around.push(real);
        for entry in std::fs::read_dir(&path).map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            seen += 1;
            if seen > MOST {
                let message = format!("there are more than {MOST} files and folders in it");
                return Err(DataError::new(Kind::TooLarge, message).in_file(folder));
            }
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                open.push((format!("{name}/"), entry.path(), around.clone()));
            } else if wanted(&name) {
                let mut source = files.at_most(most).open(&entry.path())?;
                let bytes = source.take_rest().map_err(|e| e.in_file(&entry.path()))?;
                budget.spend(bytes.len())?;
                members.push(Member { name, bytes });
            }
        }
    }
    Ok(members)
}

fn in_archive(
    files: &Files,
    path: &Path,
    inner: &str,
    most: u64,
    wanted: &impl Fn(&str) -> bool,
) -> Result<Vec<Member>> {
    let broken = |at: u64, e: &dyn std::fmt::Display| {
        DataError::new(Kind::Malformed, format!("the archive is broken or cut short ({e})"))
            .at(Position::Byte(at))
            .help("fetch the file again")
    };
    let mut members = vec![];
    let mut budget = Budget(files.limit);
    let mut archive = tar::Archive::new(files.open(path)?);
    let (mut end, mut found) = (0, inner.is_empty());
    for entry in archive.entries().map_err(|e| broken(0, &e))? {
        let mut entry = entry.map_err(|e| broken(end, &e))?;
        let start = entry.raw_file_position();
        end = start + entry.size().next_multiple_of(512);
        let full = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let full = full.trim_start_matches("./");
        let Some(name) = full.strip_prefix(inner).map(|n| if inner.is_empty() { Some(n) } else { n.strip_prefix('/') })
        else {
            continue;
        };
        found |= name.is_some();
        let Some(name) = name.filter(|n| entry.header().entry_type().is_file() && wanted(n)) else { continue };
        if entry.size() > most {
            return Err(file::too_large(entry.size(), most).in_file(&path.join(full)));
        }
        let mut bytes = vec![];
        (&mut entry).take(most).read_to_end(&mut bytes).map_err(|e| broken(start, &e))?;
        budget.spend(bytes.len())?;
        members.push(Member { name: name.to_string(), bytes });
    }
    // What ends without the two blocks of zeros that end an archive was cut, or else before the checksum of the packed
    // file, which stands behind all.
    let mut source = archive.into_inner();
    source.skip_rest()?;
    if source.offset() < end + 1024 {
        return Err(broken(source.offset(), &"it has no end"));
    }
    if !found {
        return Err(DataError::new(Kind::Missing, format!("the archive holds no folder `{inner}`")));
    }
    Ok(members)
}

/// Bytes that may still be read.
struct Budget(u64);

impl Budget {
    fn spend(&mut self, bytes: usize) -> Result<()> {
        self.0 = self.0.checked_sub(bytes as u64).ok_or_else(|| {
            DataError::new(Kind::TooLarge, "the files hold more than the limit together").help("keep fewer of them")
        })?;
        Ok(())
    }
}
