//! Finding and opening data files. A program names files relative to where its data lies; it can
//! reach nothing else. Sizes are checked before anything is read, and decompression stops at the
//! limit.

use crate::error::{DataError, Kind, Position, Result};
use crate::file;
use crate::zipped::{MOST_PACKED, most_unpacked};
use flate2::read::MultiGzDecoder;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::{Component, Path, PathBuf};

/// The largest amount of data that one file may hold once decompressed, unless told otherwise.
pub const LIMIT: u64 = 4 << 30;

/// How a gzip file begins.
const GZIP: &[u8] = &[0x1f, 0x8b];

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
            // Pipes and devices are found as well, to be refused by what they are.
            if let Some(found) = self.folders.iter().map(|f| f.join(candidate)).find(|p| p.exists() && !p.is_dir()) {
                return Ok(found);
            }
        }
        // A folder only where there is nothing else, and to be refused likewise.
        if let Some(folder) = self.folders.iter().map(|f| f.join(name)).find(|p| p.is_dir()) {
            return Ok(folder);
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

    /// The same places, with another limit.
    #[must_use]
    pub fn at_most(&self, limit: u64) -> Self {
        Self { limit, ..self.clone() }
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
        let input = file::open(path, self.limit)?;
        let size = input.size();
        let mut buffered = BufReader::with_capacity(1 << 16, input);
        let packed = buffered.fill_buf().map_err(|e| DataError::io(&e, "cannot read the file"))?.starts_with(GZIP);
        if !packed {
            return Ok(Source { reader: Box::new(buffered), offset: 0, limit: self.limit, packed: None });
        }
        let reader = Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(buffered)));
        Ok(Source { reader, offset: 0, limit: self.limit.min(most_unpacked(size)), packed: Some(size) })
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
    /// Bytes of the compressed file, if it is one.
    packed: Option<u64>,
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
        Self { reader: Box::new(Cursor::new(bytes)), offset: 0, limit, packed: None }
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
            return Err(self.too_large().at(Position::Byte(self.offset)));
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

    /// The first two bytes, or fewer at the end: where a mark of byte order stands.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn take_mark(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        (&mut *self).take(2).read_to_end(&mut bytes).map_err(|e| self.failed(&e))?;
        Ok(bytes)
    }

    /// Appends all that is left to `bytes`, which came before. It is text: a byte of zero ends it, since texts have none and
    /// files that stand for nothing but their size have only those. A line has `longest` bytes at most.
    ///
    /// # Errors
    /// As [`Self::take_rest`], and if there is a zero or a longer line.
    pub fn take_text(&mut self, bytes: &mut Vec<u8>, longest: usize) -> Result<()> {
        let before = self.offset() - bytes.len() as u64;
        let mut seen = 0;
        let mut line = 0;
        loop {
            let got = (&mut *self).take(1 << 20).read_to_end(bytes).map_err(|e| self.failed(&e))?;
            if let Some(zero) = bytes[seen..].iter().position(|b| *b == 0) {
                return Err(DataError::new(Kind::Malformed, "this is no text: the byte here is zero")
                    .at(Position::Byte(before + (seen + zero) as u64))
                    .help("store it as UTF-8 text"));
            }
            line = bytes[seen..].iter().rposition(|b| matches!(b, b'\n' | b'\r')).map_or(line, |at| seen + at + 1);
            if bytes.len() - line > longest {
                let message = format!("the line that begins here is longer than {}", file::size(longest as u64));
                return Err(DataError::new(Kind::TooLarge, message)
                    .at(Position::Byte(before + line as u64))
                    .help("a table has a line for each sample; numbers in one long line are better kept as .npy"));
            }
            seen = bytes.len();
            if got == 0 {
                return Ok(());
            }
        }
    }

    /// Reads what is left and throws it away, so that the checksums at the end of a compressed file are compared.
    ///
    /// # Errors
    /// If it cannot be read, or is more than the limit.
    pub fn skip_rest(&mut self) -> Result<()> {
        std::io::copy(self, &mut std::io::sink()).map_err(|e| self.failed(&e)).map(drop)
    }

    fn too_large(&self) -> DataError {
        let Some(packed) = self.packed.filter(|packed| self.limit == most_unpacked(*packed)) else {
            return too_large(self.limit);
        };
        let message = format!("the file unpacks to more than {}, from {}", file::size(self.limit), file::size(packed));
        DataError::new(Kind::TooLarge, message).help(format!(
            "what packs better than {MOST_PACKED} to 1 is seldom data; if this is, unpack it with gunzip and name that"
        ))
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
            return self.too_large();
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
