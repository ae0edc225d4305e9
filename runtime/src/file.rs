//! Files replaced in one piece: whoever looks at any moment, also after a crash, finds the old
//! contents or the new, never a mixture.

use crate::data::{DataError, Kind};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes `bytes` as the new contents of `path`: to a temporary file in the same folder, through to
/// the disk, then renamed. The folder is made if it is not there. On failure the old file stands.
///
/// # Errors
/// If a step fails; the message names the cause.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // One name for all runs: what a killed run left behind is overwritten by the next.
    let temporary = folder.join(format!(".{name}.new"));
    let result = write_through(folder, &temporary, path, bytes);
    if result.is_err() {
        // Best effort: what matters is the error that led here.
        let _ = fs::remove_file(&temporary);
    }
    result.map_err(|e| unwritable(&e, path))
}

fn write_through(folder: &Path, temporary: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut file = File::create(temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(temporary, path)?;
    sync_folder(folder)
}

/// Brings the new name itself to the disk, where folders can be synchronised.
fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// An error of writing, with the file and what can be done.
pub(crate) fn unwritable(error: &io::Error, path: &Path) -> DataError {
    let help = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space; what was there before still stands"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "choose a folder that can be written to, with --out"
        }
        _ => "what was there before still stands",
    };
    DataError::new(Kind::Unwritable, format!("cannot write the file: {error}")).in_file(path).help(help)
}
