//! Writing a file so that at any moment it is the old one or the new one, never half.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes beside the target, flushes to the disk, then renames over it.
///
/// # Errors
/// Whatever the system reports; the old file, if any, then still stands.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    // One name for all runs: what a killed one left behind is overwritten by the next.
    let beside = path.with_file_name(format!(".{}.new", name.to_string_lossy()));
    let result = write_synced(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    if result.is_err() {
        let _ = fs::remove_file(&beside);
        return result;
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    #[allow(clippy::disallowed_methods, reason = "nothing is read: the folder is flushed to the disk")]
    let folder = File::open(folder)?;
    folder.sync_all()
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
