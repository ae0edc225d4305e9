//! What is said when a file cannot be written.

use crate::data::{DataError, Kind};
use std::io;
use std::path::Path;

/// Writes `bytes` as the new contents of `path` in one piece; its folder is made if need be. On
/// failure the old file stands.
///
/// # Errors
/// If a step fails; the message names the cause.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| crate::atomic::write(path, bytes)).map_err(|e| unwritable(&e, path))
}

/// An error of writing, with the file and what can be done.
pub(crate) fn unwritable(error: &io::Error, path: &Path) -> DataError {
    let help = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space; what was there before still stands"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => "choose a place that can be written to",
        _ => "what was there before still stands",
    };
    DataError::new(Kind::Unwritable, format!("cannot write the file: {error}")).in_file(path).help(help)
}

/// Removes a file, if there is one, and what a killed process has left half written beside it.
///
/// # Errors
/// If it is there and cannot be removed.
pub fn remove(path: &Path) -> Result<(), DataError> {
    crate::moments::pass();
    let beside = crate::atomic::beside(path).map_err(|e| unwritable(&e, path))?;
    for path in [path, &beside] {
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound && e.kind() != io::ErrorKind::NotADirectory => {
                return Err(DataError::new(Kind::Unwritable, format!("cannot remove the file: {e}")).in_file(path));
            }
            _ => {}
        }
    }
    Ok(())
}
