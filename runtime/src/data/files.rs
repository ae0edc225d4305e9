//! Finding and opening data files. A program names files relative to where its data lies; it can
//! reach nothing else. Sizes are checked before anything is read, and decompression stops at the
//! limit.

use super::error::{DataError, Kind, Position, Result};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

/// The largest amount of data that one file may hold once decompressed, unless told otherwise.
pub const LIMIT: u64 = 4 << 30;

/// Where files are looked for, and how large they may be.
#[derive(Clone, Debug)]
pub struct Files {
    /// Folders, in order.
    pub folders: Vec<PathBuf>,
    /// Bytes that one file may hold once decompressed.
    pub limit: u64,
}

impl Files {
    /// The usual places: the data folder given, the program's own folder, then `NNC_DATA` and its
    /// subfolders (such as `mnist`) in the order of their names.
    #[must_use]
    pub fn usual(data_dir: Option<&Path>, program: Option<&Path>) -> Self {
        let mut folders: Vec<PathBuf> = data_dir.map(with_subfolders).unwrap_or_default();
        folders.extend(program.and_then(Path::parent).map(Path::to_path_buf));
        if let Some(common) = std::env::var_os("NNC_DATA").filter(|v| !v.is_empty()) {
            folders.extend(with_subfolders(Path::new(&common)));
        }
        Self { folders, limit: LIMIT }
    }

    /// The file of that name, or its compressed or uncompressed twin (`a.csv`, `a.csv.gz`).
    ///
    /// # Errors
    /// If the name leaves the data folders, or there is no such file in them.
    pub fn find(&self, name: &str) -> Result<PathBuf> {
        self.inside(name)?;
        let twin = name.strip_suffix(".gz").map_or_else(|| format!("{name}.gz"), str::to_string);
        for candidate in [name, &twin] {
            if let Some(found) = self.folders.iter().map(|f| f.join(candidate)).find(|p| p.is_file()) {
                return Ok(found);
            }
        }
        Err(self.missing(&format!("there is no file `{name}`")))
    }

    /// The folder of that name; or the archive (`.tar`, `.tar.gz`, `.tgz`) that the name begins with, and the folder in it
    /// that is the rest.
    ///
    /// # Errors
    /// If the name leaves the data folders, or there is neither.
    pub fn find_folder(&self, name: &str) -> Result<(PathBuf, Option<String>)> {
        self.inside(name)?;
        if let Some(found) = self.folders.iter().map(|f| f.join(name)).find(|p| p.is_dir()) {
            return Ok((found, None));
        }
        let parts: Vec<&str> = name.split('/').filter(|p| !p.is_empty() && *p != ".").collect();
        let packed = |part: &&str| [".tar", ".tar.gz", ".tgz"].iter().any(|end| part.ends_with(end));
        if let Some(at) = parts.iter().position(packed) {
            return Ok((self.find(&parts[..=at].join("/"))?, Some(parts[at + 1..].join("/"))));
        }
        Err(self.missing(&format!("there is no folder `{name}`")))
    }

    /// Refuses names that leave the data folders.
    fn inside(&self, name: &str) -> Result<()> {
        let leaves = |c| !matches!(c, Component::Normal(_) | Component::CurDir);
        if name.is_empty() || Path::new(name).components().any(leaves) {
            return Err(DataError::new(Kind::Request, format!("`{name}` is no file name inside a data folder"))
                .help("give a relative name without `..`, and the folder with --data-dir"));
        }
        Ok(())
    }

    fn missing(&self, message: &str) -> DataError {
        let tried: Vec<_> = self.folders.iter().map(|f| shown(f)).collect();
        DataError::new(Kind::Missing, message)
            .help(format!("looked in {}; give its folder with --data-dir or in NNC_DATA", tried.join(", ")))
    }

    /// Opens a file for reading, decompressing it if it is gzip (which its first bytes tell).
    ///
    /// # Errors
    /// If it cannot be opened, or is larger than the limit.
    pub fn open(&self, path: &Path) -> Result<Source> {
        self.try_open(path).map_err(|e| e.in_file(path))
    }

    fn try_open(&self, path: &Path) -> Result<Source> {
        let cannot = |e: std::io::Error| DataError::io(&e, "cannot open the file");
        let mut file = File::open(path).map_err(cannot)?;
        let size = file.metadata().map_err(cannot)?.len();
        if size > self.limit {
            return Err(too_large(self.limit));
        }
        let mut magic = Vec::with_capacity(2);
        (&mut file).take(2).read_to_end(&mut magic).map_err(cannot)?;
        file.seek(SeekFrom::Start(0)).map_err(cannot)?;
        let buffered = BufReader::with_capacity(1 << 16, file);
        let reader: Box<dyn Read> = if magic == [0x1f, 0x8b] {
            Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(buffered)))
        } else {
            Box::new(buffered)
        };
        Ok(Source { reader, offset: 0, limit: self.limit })
    }
}

fn shown(folder: &Path) -> String {
    if folder.as_os_str().is_empty() { "./".to_string() } else { format!("{}/", folder.display()) }
}

fn with_subfolders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flat_map(|entries| entries.filter_map(std::result::Result::ok));
    let mut inner: Vec<_> = entries.map(|e| e.path()).filter(|p| p.is_dir()).collect();
    inner.sort();
    inner.insert(0, folder.to_path_buf());
    inner
}

fn too_large(limit: u64) -> DataError {
    DataError::new(Kind::TooLarge, format!("the file holds more than the limit of {} MiB", limit >> 20))
        .help("split it into smaller files, or keep fewer samples")
}

/// An open file that knows how far it was read and refuses to go beyond the limit.
pub struct Source {
    reader: Box<dyn Read>,
    offset: u64,
    limit: u64,
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let got = self.reader.read(buffer)?;
        self.offset += got as u64;
        if self.offset > self.limit {
            return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, "larger than the limit"));
        }
        Ok(got)
    }
}

impl Source {
    /// Bytes at hand, which may be at most `limit`.
    #[must_use]
    pub fn of_bytes(bytes: Vec<u8>, limit: u64) -> Self {
        Self { reader: Box::new(Cursor::new(bytes)), offset: 0, limit }
    }

    /// Bytes read so far.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Exactly the next `count` bytes; `what` they are, for the message.
    ///
    /// # Errors
    /// If the file ends before, or they are more than the limit (checked before reading).
    pub fn take_bytes(&mut self, count: u64, what: &str) -> Result<Vec<u8>> {
        if self.offset.saturating_add(count) > self.limit {
            return Err(too_large(self.limit).at(Position::Byte(self.offset)));
        }
        let start = self.offset;
        let mut bytes = Vec::new();
        let got = (&mut *self).take(count).read_to_end(&mut bytes).map_err(|e| self.failed(&e))?;
        if (got as u64) < count {
            let message =
                format!("the file ends within {what}: {count} bytes from {start} on were announced, {got} are there");
            return Err(DataError::new(Kind::Malformed, message)
                .at(Position::Byte(start + got as u64))
                .help("the file is cut short; fetch it again"));
        }
        Ok(bytes)
    }

    /// All that is left.
    ///
    /// # Errors
    /// If it cannot be read, or is more than the limit.
    pub fn take_rest(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes).map_err(|e| self.failed(&e))?;
        Ok(bytes)
    }

    /// Checks that nothing follows.
    ///
    /// # Errors
    /// If something does.
    pub fn finish(&mut self) -> Result<()> {
        let end = self.offset;
        let mut one = [0];
        match self.read(&mut one).map_err(|e| self.failed(&e))? {
            0 => Ok(()),
            _ => Err(DataError::new(Kind::Malformed, "more bytes follow than the header announces")
                .at(Position::Byte(end))
                .help("the header's counts and the contents disagree; fetch the file again")),
        }
    }

    /// What an error in reading means.
    pub fn failed(&self, error: &std::io::Error) -> DataError {
        if error.kind() == std::io::ErrorKind::FileTooLarge {
            return too_large(self.limit);
        }
        let broken = matches!(
            error.kind(),
            std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof
        );
        if broken {
            DataError::new(Kind::Malformed, format!("the compressed data is broken or cut short ({error})"))
                .at(Position::Byte(self.offset))
                .help("fetch the file again")
        } else {
            DataError::io(error, "cannot read the file")
        }
    }
}
