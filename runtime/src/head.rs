//! The head of a safetensors file: eight bytes say how long it is, then JSON says of every tensor its name, type, shape and
//! place. In: a path. Out: the whole file, once the head is known to be true: the elements are not read before, so that
//! what a broken file claims costs no memory.

use crate::data::{DataError, Kind, Position, Result};
use crate::file::{self, ARRAYS, size};
use safetensors::tensor::Metadata;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use std::collections::BTreeSet;
use std::fmt;
use std::io::Read;
use std::path::Path;

/// The longest head, which has room for a hundred thousand tensors.
const LONGEST: u64 = 16 << 20;

/// All bytes of a safetensors file whose head fits what follows it.
///
/// # Errors
/// If the file cannot be opened or read, or the head is broken, names a tensor twice, or tells of more or less than follows.
pub fn whole(path: &Path) -> Result<Vec<u8>> {
    checked(path).map_err(|e| e.in_file(path))
}

fn checked(path: &Path) -> Result<Vec<u8>> {
    let mut input = file::open(path, ARRAYS)?;
    let whole = input.size();
    let cannot = |e: std::io::Error| DataError::io(&e, "cannot read the file");
    let mut bytes = vec![];
    (&mut input).take(8).read_to_end(&mut bytes).map_err(cannot)?;
    let Ok(length) = <[u8; 8]>::try_from(&bytes[..]).map(u64::from_le_bytes) else {
        return Err(broken(format!("it has {whole} bytes, and eight at least say how long its head is"), 0));
    };
    if length > LONGEST || length > whole - 8 {
        let message = format!("its head would be {length} bytes long, of {whole} in the file and {LONGEST} at most");
        return Err(broken(message, 0));
    }
    (&mut input).take(length).read_to_end(&mut bytes).map_err(cannot)?;
    let expected = 8 + length + elements(&bytes[8..])?;
    if expected != whole {
        let message = format!("its head tells of {}, but it holds {}", in_bytes(expected), in_bytes(whole));
        return Err(broken(message, whole.min(expected)));
    }
    let mut all = file::room(whole)?;
    all.append(&mut bytes);
    input.read_to_end(&mut all).map_err(cannot)?;
    Ok(all)
}

/// Bytes of all elements that a head tells of.
fn elements(head: &[u8]) -> Result<u64> {
    let names = serde_json::Deserializer::from_slice(head).deserialize_map(Names);
    if let Some(name) = names.map_err(|e| broken(format!("its head is no JSON: {e}"), 8 + e.column() as u64))? {
        return Err(broken(format!("it has two tensors called `{name}`"), 8)
            .help("save it anew with one of them; nobody can tell which is meant"));
    }
    let metadata: Metadata = serde_json::from_slice(head).map_err(|e| broken(format!("its head says: {e}"), 8))?;
    Ok(metadata.data_len() as u64)
}

fn in_bytes(count: u64) -> String {
    if count < 1024 { size(count) } else { format!("{count} bytes") }
}

fn broken(message: String, at: u64) -> DataError {
    DataError::new(Kind::Malformed, format!("this is no whole safetensors file: {message}"))
        .at(Position::Byte(at))
        .help("it is cut short, damaged or of another format; take another copy")
}

/// Finds the first name that an object has twice.
struct Names;

impl<'de> Visitor<'de> for Names {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object with a name for each tensor")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> std::result::Result<Self::Value, M::Error> {
        let (mut known, mut twice) = (BTreeSet::new(), None);
        while let Some((name, _)) = map.next_entry::<String, IgnoredAny>()? {
            if !known.insert(name.clone()) {
                twice.get_or_insert(name);
            }
        }
        Ok(twice)
    }
}
