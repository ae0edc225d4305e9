//! ZIP archives of arrays, as NumPy's savez writes them: opened with every name known to be there once, and unpacked up to
//! what a member says it holds.

use crate::error::{DataError, Kind, Result};
use crate::file::{self, Input, size};
use std::collections::BTreeSet;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use zip::ZipArchive;
use zip::result::ZipError;

/// An open archive.
pub type Archive = ZipArchive<BufReader<Input>>;

/// How many times its packed size a member may hold beyond [`FREE`]: numbers worth reading do not pack as well.
pub const MOST_PACKED: u64 = 256;
/// What is unpacked however small the packed file is.
pub const FREE: u64 = 64 << 20;

/// The most that `packed` bytes may become.
#[must_use]
pub fn most_unpacked(packed: u64) -> u64 {
    packed.saturating_mul(MOST_PACKED).max(FREE)
}

/// Opens an archive of at most `limit` bytes.
///
/// # Errors
/// If it cannot be opened, is broken, or has a name twice.
pub fn open(path: &Path, limit: u64) -> Result<Archive> {
    let archive = ZipArchive::new(BufReader::new(file::open(path, limit)?)).map_err(|e| broken("the archive", &e))?;
    if !archive.has_duplicate_names() {
        return Ok(archive);
    }
    let start = archive.central_directory_start();
    let name = twice(&mut archive.into_inner(), start).unwrap_or_default();
    Err(DataError::new(Kind::Malformed, format!("the archive has two members called `{name}`"))
        .help("save it anew with one of them; nobody can tell which is meant"))
}

/// The first name that a directory from `start` on has twice: each entry has 46 bytes, of which three numbers say how long
/// the name and two more things behind it are.
fn twice(archive: &mut (impl Read + Seek), start: u64) -> io::Result<String> {
    let mut known = BTreeSet::new();
    archive.seek(SeekFrom::Start(start))?;
    loop {
        let mut entry = [0; 46];
        archive.read_exact(&mut entry)?;
        let length = |at: usize| usize::from(u16::from_le_bytes([entry[at], entry[at + 1]]));
        let mut rest = vec![0; length(28) + length(30) + length(32)];
        archive.read_exact(&mut rest)?;
        let name = String::from_utf8_lossy(&rest[..length(28)]).into_owned();
        if !known.insert(name.clone()) {
            return Ok(name);
        }
    }
}

/// Name and size of a member.
///
/// # Errors
/// If it is broken, or holds far more than its packed size lets expect.
pub fn member(archive: &mut Archive, i: usize) -> Result<(String, u64)> {
    let entry = archive.by_index(i).map_err(|e| broken("the archive", &e))?;
    let name = entry.name().map_err(|e| broken("the archive", &e))?.into_owned();
    let (bytes, packed) = (entry.size(), entry.compressed_size());
    if bytes > most_unpacked(packed) {
        let message = format!("`{name}` would hold {}, unpacked from {}", size(bytes), size(packed));
        return Err(DataError::new(Kind::TooLarge, message).help(format!(
            "what packs better than {MOST_PACKED} to 1 is no data; if this is, save it with numpy.savez, not packed"
        )));
    }
    Ok((name, bytes))
}

/// The contents of a member, which says that it has `size` bytes.
///
/// # Errors
/// If it is broken, or has more or less.
pub fn contents(archive: &mut Archive, i: usize, what: &str, size: u64) -> Result<Vec<u8>> {
    let mut bytes = vec![];
    let entry = archive.by_index(i).map_err(|e| broken(what, &e))?;
    entry.take(size.saturating_add(1)).read_to_end(&mut bytes).map_err(|e| broken(what, &ZipError::Io(e)))?;
    if bytes.len() as u64 != size {
        let message = format!("{what} has {} bytes where the archive says {size}", bytes.len());
        return Err(DataError::new(Kind::Malformed, message).help("fetch the file again"));
    }
    Ok(bytes)
}

fn broken(what: &str, error: &ZipError) -> DataError {
    DataError::new(Kind::Malformed, format!("{what} is broken or cut short ({error})"))
        .help("this must be a file saved by numpy.savez; fetch it again")
}
