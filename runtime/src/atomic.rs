//! Writing a file so that at any moment it is the old one or the new one, never half.

use crate::moments;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes beside the target, flushes to the disk, then renames over it. What is no plain file, such as `/dev/stdout`, is
/// written to as it is; behind a link the file that it leads to is replaced.
///
/// # Errors
/// Whatever the system reports; the old file, if any, then still stands.
#[allow(clippy::disallowed_methods, reason = "opened to be written to")]
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let old = fs::metadata(path).ok();
    if old.as_ref().is_some_and(|old| !old.is_file()) {
        return OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let path = if old.is_some() { fs::canonicalize(path)? } else { path.to_path_buf() };
    let beside = beside(&path)?;
    let result = write_synced(&beside, bytes, old.map(|old| old.permissions()), &path);
    if result.is_err() {
        let _ = fs::remove_file(&beside);
        return result;
    }
    moments::pass();
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    #[allow(clippy::disallowed_methods, reason = "nothing is read: the folder is flushed to the disk")]
    let folder = File::open(folder)?;
    folder.sync_all()
}

/// Where the new contents of a file stand until they are complete. One name for all processes: what a killed one left
/// behind is overwritten by the next.
pub fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    Ok(path.with_file_name(format!(".{}.new", name.to_string_lossy())))
}

fn write_synced(beside: &Path, bytes: &[u8], permissions: Option<fs::Permissions>, path: &Path) -> io::Result<()> {
    moments::pass();
    let mut file = alone(beside)?;
    if let Some(permissions) = permissions.filter(|_| file.metadata().is_ok_and(|m| m.is_file())) {
        file.set_permissions(permissions)?;
    }
    let (first, rest) = bytes.split_at(bytes.len() / 2);
    file.write_all(first)?;
    moments::pass();
    file.write_all(rest)?;
    file.sync_all()?;
    moments::pass();
    fs::rename(beside, path)
}

/// An empty file that no other process writes to at the same time: whoever comes second waits until the first has put its
/// own in place.
#[allow(clippy::disallowed_methods, reason = "opened to be written to")]
fn alone(beside: &Path) -> io::Result<File> {
    loop {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(beside)?;
        // A file system without locks has no second process either, as far as one can know.
        let locked = file.lock().is_ok();
        if !locked || is_at(&file, beside) {
            if file.metadata()?.is_file() {
                file.set_len(0)?;
            }
            return Ok(file);
        }
    }
}

/// Whether the open file is still the one of that name: another process may have renamed it.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |of: fs::Metadata| (of.dev(), of.ino());
    file.metadata().map(place).ok() == fs::metadata(path).map(place).ok()
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}
