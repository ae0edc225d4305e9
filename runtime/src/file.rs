//! Opening files to read them, and replacing them. Every file that a user or a program names is opened here: `clippy.toml`
//! bans the other ways. What is opened is a regular file (behind links): a pipe, a device or a folder is refused before
//! anything waits for it or reads from it. No more is read than the file held when it was opened, and no more than the
//! reader's limit.

use crate::error::{DataError, Kind, Position, Result};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// The most bytes of a program's text. One of them is a hundred times the whole library.
pub const PROGRAM: u64 = 4 << 20;
/// The most bytes of a log.
pub const LOG: u64 = 256 << 20;
/// The most bytes of a file of weights or arrays.
pub const ARRAYS: u64 = 4 << 30;

/// An open file that is read as it was when it was opened: one that has grown or shrunk since is an error.
#[derive(Debug)]
pub struct Input {
    file: File,
    size: u64,
    at: u64,
}

/// Opens a regular file of at most `limit` bytes.
///
/// # Errors
/// If it is missing, no regular file, or larger.
pub fn open(path: &Path, limit: u64) -> Result<Input> {
    opened(path, limit).map_err(|e| e.in_file(path))
}

fn opened(path: &Path, limit: u64) -> Result<Input> {
    let cannot = |e: io::Error| DataError::io(&e, "cannot open the file");
    // Asked before opening, since opening alone may wait for ever or set a device going; and after it, since what the
    // name stands for may have changed in between.
    only_regular(&std::fs::metadata(path).map_err(cannot)?)?;
    let file = without_waiting(path).map_err(cannot)?;
    let about = file.metadata().map_err(cannot)?;
    only_regular(&about)?;
    if about.len() > limit {
        return Err(too_large(about.len(), limit));
    }
    Ok(Input { file, size: about.len(), at: 0 })
}

/// Opens a file to read it, in such a way that a pipe without a writer is not waited for.
#[allow(clippy::disallowed_methods, reason = "the one place that opens files to read them")]
fn without_waiting(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    options.open(path)
}

/// Refuses what is no regular file.
///
/// # Errors
/// If it is a folder, a pipe, a device or a socket: the message says which.
pub fn only_regular(about: &Metadata) -> Result<()> {
    if about.is_file() {
        return Ok(());
    }
    let (what, help) = if about.is_dir() {
        ("a folder", "give the name of a file in it")
    } else {
        (special(about), "write what it would give into a file, and name that")
    };
    Err(DataError::new(Kind::Unreadable, format!("this is {what}, not a file")).help(help))
}

#[cfg(unix)]
fn special(about: &Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let kind = about.file_type();
    match () {
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    }
}

#[cfg(not(unix))]
fn special(_: &Metadata) -> &'static str {
    "a device"
}

/// All bytes of a file, at most `limit`.
///
/// # Errors
/// As [`open`]; if it changes while it is read; if there is no memory for it.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    open(path, limit)?.rest().map_err(|e| e.in_file(path))
}

/// The text of a file of at most `limit` bytes.
///
/// # Errors
/// As [`read`], and if it is no UTF-8.
pub fn read_text(path: &Path, limit: u64) -> Result<String> {
    text(read(path, limit)?).map_err(|e| e.in_file(path))
}

/// Bytes as text.
///
/// # Errors
/// If they are no UTF-8: the position is that of the first byte that belongs to no character.
pub fn text(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|e| {
        DataError::new(Kind::Malformed, "this is not UTF-8 text: the byte here does not belong to any character")
            .at(Position::Byte(e.utf8_error().valid_up_to() as u64))
            .help("store it as UTF-8")
    })
}

/// What the system says of itself in a file such as `/proc/meminfo`, whose size nobody knows before.
#[must_use]
pub fn of_the_system(path: &str) -> Option<String> {
    let mut text = String::new();
    without_waiting(Path::new(path)).ok()?.take(PROGRAM).read_to_string(&mut text).ok()?;
    Some(text)
}

impl Input {
    /// Bytes that the file holds.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The file itself, for readers that ask it for its size.
    #[must_use]
    pub fn into_file(self) -> File {
        self.file
    }

    /// All that is left.
    ///
    /// # Errors
    /// If it changes while it is read, or there is no memory for it.
    pub fn rest(mut self) -> Result<Vec<u8>> {
        let left = self.size - self.at.min(self.size);
        let mut bytes = room(left)?;
        self.read_to_end(&mut bytes).map_err(|e| DataError::io(&e, "cannot read the file"))?;
        Ok(bytes)
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read(buffer)?;
        self.at += got as u64;
        if self.at > self.size {
            return Err(io::Error::other("it grew while it was read"));
        }
        if got == 0 && !buffer.is_empty() && self.at < self.size {
            return Err(io::Error::other("it was cut while it was read"));
        }
        Ok(got)
    }
}

impl Seek for Input {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = self.file.seek(to)?;
        Ok(self.at)
    }
}

/// An empty vector with room for that many bytes.
///
/// # Errors
/// If there is no memory for it.
pub fn room(bytes: u64) -> Result<Vec<u8>> {
    let mut room = Vec::new();
    let count = usize::try_from(bytes).unwrap_or(usize::MAX);
    room.try_reserve_exact(count).map_err(|_| {
        DataError::new(Kind::TooLarge, format!("it holds {}, for which there is no memory", size(bytes)))
    })?;
    Ok(room)
}

/// What is said of a file that is too large.
pub fn too_large(bytes: u64, limit: u64) -> DataError {
    let message = format!("it holds {}; the limit is {}", size(bytes), size(limit));
    DataError::new(Kind::TooLarge, message)
}

/// A number of bytes in words; what is not a whole number of units is rounded up.
#[must_use]
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..0x10_0000 => format!("{} KiB", bytes.div_ceil(1 << 10)),
        _ => format!("{} MiB", bytes.div_ceil(1 << 20)),
    }
}

/// Writes `bytes` as the new contents of `path` in one piece; its folder is made if need be. On
/// failure the old file stands.
///
/// # Errors
/// If a step fails; the message names the cause.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
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
pub fn remove(path: &Path) -> Result<()> {
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
