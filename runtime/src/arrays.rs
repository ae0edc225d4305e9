//! Named arrays in files: `.safetensors` and `.npz`, read into f64 whatever they were stored as.
//! For weights from elsewhere and for comparing with other systems; training's own weights are
//! written by `weights`.

use crate::data::files::{Files, Source};
use crate::data::{Column, DataError, Kind, Values, cut, npy};
use crate::file::{self, ARRAYS};
use crate::{head, zipped};
use npyz::WriterBuilder;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

type Result<T> = std::result::Result<T, DataError>;

/// Elements, row-major, and their extents.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Extents; empty for a scalar.
    pub shape: Vec<usize>,
    /// As many as the extents' product.
    pub values: Vec<f64>,
}

/// Reads all arrays of a file; the name's ending decides the format.
///
/// # Errors
/// If the file is missing, broken, too large, of another format, or holds elements that are no numbers.
pub fn read(path: &Path) -> Result<BTreeMap<String, Array>> {
    Ok(read_all(path)?.into_iter().map(|(name, (array, _))| (name, array)).collect())
}

/// All arrays of a file, and whether each is stored as whole numbers.
fn read_all(path: &Path) -> Result<BTreeMap<String, (Array, bool)>> {
    let arrays = || match extension(path) {
        Some("safetensors") => read_safetensors(&head::whole(path)?),
        Some("npz") => read_npz(path),
        Some("npy") => read_npy(Files { folders: vec![], limit: ARRAYS }.open(path)?)
            .map(|array| BTreeMap::from([(stem(path), array)]))
            .map_err(|e| DataError { message: format!("no whole npy file: {}", e.message), ..e }),
        _ => Err(malformed("the name ends neither in .safetensors nor in .npz or .npy")),
    };
    arrays().map_err(|e| e.in_file(path))
}

/// Arrays that are meant as weights: each is looked at when it is used for one.
pub struct Weights {
    file: PathBuf,
    arrays: BTreeMap<String, Array>,
    /// The names of those that are stored as whole numbers.
    whole: BTreeSet<String>,
}

/// What a tensor of a program takes from a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// A parameter: finite real numbers.
    Parameter,
    /// A state of real numbers, which may be infinite, such as the least loss so far.
    State,
    /// A state of whole numbers.
    Whole,
}

impl Weights {
    /// Reads the arrays of a file.
    ///
    /// # Errors
    /// As [`read`].
    pub fn read(path: &Path) -> Result<Self> {
        let all = read_all(path)?;
        let whole = all.iter().filter(|(_, (_, whole))| *whole).map(|(name, _)| name.clone()).collect();
        let arrays = all.into_iter().map(|(name, (array, _))| (name, array)).collect();
        Ok(Self { file: path.to_path_buf(), arrays, whole })
    }

    /// All of them, unlooked at.
    #[must_use]
    pub fn arrays(&self) -> &BTreeMap<String, Array> {
        &self.arrays
    }

    /// The array of that name, if there is one and it is what is to be taken from it, in 32 bits unless `double`.
    ///
    /// # Errors
    /// If it holds what is no such number: weights that are no numbers make everything else none.
    pub fn get(&self, name: &str, taken: Taken, double: bool) -> Result<Option<&Array>> {
        let Some(array) = self.arrays.get(name) else { return Ok(None) };
        fit(name, array, self.whole.contains(name), taken, double).map_err(|e| e.in_file(&self.file))?;
        Ok(Some(array))
    }
}

/// Refuses an array that cannot be what it is taken for; the message names the first element that is wrong.
fn fit(name: &str, array: &Array, whole: bool, taken: Taken, double: bool) -> Result<()> {
    if whole && taken == Taken::Parameter {
        let message = format!("`{name}` holds whole numbers, but the program takes real numbers from it");
        return Err(DataError::new(Kind::BadValue, message)
            .help("if these are weights, save them as float32; whole numbers are often codes for weights, or counts"));
    }
    let lost = |x: f64| !double && x.is_finite() && !(x as f32).is_finite();
    let wrong = |x: &f64| match taken {
        Taken::Parameter => !x.is_finite() || lost(*x),
        Taken::State => x.is_nan() || lost(*x),
        Taken::Whole => x.fract() != 0.0 || x.abs() > f64::from(i32::MAX),
    };
    let Some(at) = array.values.iter().position(wrong) else { return Ok(()) };
    let (value, place) = (array.values[at], place(at, &array.shape));
    let (what, help) = match taken {
        _ if lost(value) => ("which no number of 32 bits is", "run with --precision f64"),
        Taken::Whole => ("where the program takes whole numbers", "take weights of this program"),
        _ => ("not a finite number", "the run that wrote them has diverged; take weights that it saved before"),
    };
    Err(DataError::new(Kind::BadValue, format!("`{name}` holds {value} at {place:?}, {what}")).help(help))
}

/// The indices of an element, from its number.
fn place(at: usize, shape: &[usize]) -> Vec<usize> {
    let mut rest = at;
    let mut place: Vec<usize> =
        shape.iter().rev().map(|extent| (rest % extent.max(&1), rest /= extent.max(&1)).0).collect();
    place.reverse();
    place
}

/// Writes arrays, as f64 if `double`, else f32; the file is the old one or the new one, never half.
///
/// # Errors
/// If the file cannot be written, or its ending is neither `.safetensors` nor `.npz`.
pub fn write(path: &Path, arrays: &BTreeMap<String, Array>, double: bool) -> Result<()> {
    let bytes = match extension(path) {
        Some("safetensors") => safetensors_bytes(arrays, double),
        Some("npz") => npz_bytes(arrays, double),
        Some("npy") => lone_npy_bytes(arrays, double),
        _ => Err(malformed("the name ends neither in .safetensors nor in .npz or .npy")),
    };
    let bytes = bytes.map_err(|e| e.in_file(path))?;
    crate::file::replace(path, &bytes)
}

/// The file's name without its ending.
fn stem(path: &Path) -> String {
    path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
}

fn extension(path: &Path) -> Option<&str> {
    path.extension()?.to_str()
}

fn malformed(message: impl Into<String>) -> DataError {
    DataError::new(Kind::Malformed, message)
}

fn read_safetensors(bytes: &[u8]) -> Result<BTreeMap<String, (Array, bool)>> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| malformed(format!("no valid safetensors file: {e}")))?;
    let whole = |dtype| matches!(dtype, Dtype::I64 | Dtype::I32 | Dtype::U8 | Dtype::BOOL);
    file.iter().map(|(name, view)| Ok((name.to_string(), (from_view(name, &view)?, whole(view.dtype()))))).collect()
}

fn from_view(name: &str, view: &TensorView) -> Result<Array> {
    let data = view.data();
    let values = match view.dtype() {
        Dtype::F64 => data.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
        Dtype::F32 => data.as_chunks().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect(),
        Dtype::I64 => data.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b) as f64).collect(),
        Dtype::I32 => data.as_chunks().0.iter().map(|b| f64::from(i32::from_le_bytes(*b))).collect(),
        Dtype::BF16 => data.as_chunks().0.iter().map(|[a, b]| f64::from(f32::from_le_bytes([0, 0, *a, *b]))).collect(),
        Dtype::F16 => data.as_chunks().0.iter().map(|b| f64::from(npy::half(u16::from_le_bytes(*b)))).collect(),
        Dtype::U8 | Dtype::BOOL => data.iter().map(|b| f64::from(*b)).collect(),
        other => return Err(malformed(format!("array `{name}` holds {other:?}; save it as F32 or F64"))),
    };
    Ok(Array { shape: view.shape().to_vec(), values })
}

fn safetensors_bytes(arrays: &BTreeMap<String, Array>, double: bool) -> Result<Vec<u8>> {
    let encoded: Vec<(String, Vec<usize>, Vec<u8>)> = arrays
        .iter()
        .map(|(name, a)| {
            let bytes = if double {
                a.values.iter().flat_map(|v| v.to_le_bytes()).collect()
            } else {
                a.values.iter().flat_map(|v| (*v as f32).to_le_bytes()).collect()
            };
            (name.clone(), a.shape.clone(), bytes)
        })
        .collect();
    let dtype = if double { Dtype::F64 } else { Dtype::F32 };
    let views = encoded
        .iter()
        .map(|(name, shape, bytes)| Ok((name.clone(), TensorView::new(dtype, shape.clone(), bytes)?)))
        .collect::<std::result::Result<Vec<_>, safetensors::SafeTensorError>>();
    views.and_then(|v| safetensors::serialize(v, None)).map_err(|e| malformed(e.to_string()))
}

fn read_npz(path: &Path) -> Result<BTreeMap<String, (Array, bool)>> {
    let mut archive = zipped::open(path, ARRAYS)?;
    let mut arrays = BTreeMap::new();
    let mut left = ARRAYS;
    for k in 0..archive.len() {
        let (full, size) = zipped::member(&mut archive, k)?;
        let Some(name) = full.strip_suffix(".npy").map(str::to_string) else { continue };
        left = left.checked_sub(size).ok_or_else(|| file::too_large(ARRAYS - left + size, ARRAYS))?;
        let what = format!("array `{}`", cut(&name));
        let content = zipped::contents(&mut archive, k, &what, size)?;
        let array = read_npy(Source::of_bytes(content, ARRAYS))
            .map_err(|e| DataError { message: format!("{what}: {}", e.message), ..e })?;
        arrays.insert(name, array);
    }
    Ok(arrays)
}

fn read_npy(mut source: Source) -> Result<(Array, bool)> {
    let npy::Array { shape, values, .. } = npy::array(&mut source)?;
    let whole = matches!(values, Values::Integers(_) | Values::Bytes(_));
    let values = Column::new("", vec![], values).into_numbers()?;
    Ok((Array { shape, values }, whole))
}

fn npz_bytes(arrays: &BTreeMap<String, Array>, double: bool) -> Result<Vec<u8>> {
    let mut archive = zip::ZipWriter::new(Cursor::new(vec![]));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let failed = |e: String| malformed(e);
    for (name, array) in arrays {
        archive.start_file(format!("{name}.npy"), options).map_err(|e| failed(e.to_string()))?;
        let content = npy_bytes(array, double).map_err(|e| failed(e.to_string()))?;
        archive.write_all(&content).map_err(|e| failed(e.to_string()))?;
    }
    Ok(archive.finish().map_err(|e| failed(e.to_string()))?.into_inner())
}

/// The only array, without its name.
fn lone_npy_bytes(arrays: &BTreeMap<String, Array>, double: bool) -> Result<Vec<u8>> {
    let mut all = arrays.values();
    match (all.next(), all.next()) {
        (Some(array), None) => npy_bytes(array, double).map_err(|e| malformed(e.to_string())),
        _ => Err(malformed(format!("a .npy file holds one array, not {}; write .npz", arrays.len()))),
    }
}

fn npy_bytes(array: &Array, double: bool) -> std::io::Result<Vec<u8>> {
    let shape: Vec<u64> = array.shape.iter().map(|d| *d as u64).collect();
    let mut content = vec![];
    if double {
        let mut writer =
            npyz::WriteOptions::<f64>::new().shape(&shape).default_dtype().writer(&mut content).begin_nd()?;
        writer.extend(array.values.iter().copied())?;
        writer.finish()?;
    } else {
        let mut writer =
            npyz::WriteOptions::<f32>::new().shape(&shape).default_dtype().writer(&mut content).begin_nd()?;
        writer.extend(array.values.iter().map(|v| *v as f32))?;
        writer.finish()?;
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_16_bits_are_read() {
        let half = |bits| f64::from(npy::half(bits));
        let expected = [(0x0000, 0.0), (0x3c00, 1.0), (0xc000, -2.0), (0x3555, 0.333_251_953_125), (0x7bff, 65504.0)];
        for (bits, number) in expected {
            assert_eq!(half(bits), number);
        }
        assert_eq!((half(0x0001), half(0x83ff)), (2f64.powi(-24), -1023.0 * 2f64.powi(-24)));
        assert_eq!(half(0xfc00), f64::NEG_INFINITY);
        assert!(half(0x7e00).is_nan());
        let bytes = [0x80, 0x3f, 0x49, 0xc0];
        let view = TensorView::new(Dtype::BF16, vec![2], &bytes).expect("a view");
        assert_eq!(from_view("x", &view).expect("an array").values, [1.0, -3.140_625]);
    }

    #[test]
    fn both_formats_give_back_what_was_written() {
        let folder = std::env::temp_dir().join(format!("nnc-arrays-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let array = Array { shape: vec![2, 3], values: vec![1.0, -2.5, 3.0, 1e-9, 5.0, 6.25] };
        let scalar = Array { shape: vec![], values: vec![0.1] };
        let arrays = BTreeMap::from([("a.b".to_string(), array), ("loss".to_string(), scalar)]);
        for name in ["t.safetensors", "t.npz"] {
            let path = folder.join(name);
            write(&path, &arrays, true).expect("written");
            assert_eq!(read(&path).expect("read"), arrays, "{name}");
            write(&path, &arrays, false).expect("written");
            assert_eq!(read(&path).expect("read")["a.b"].values[1], -2.5);
            let bytes = std::fs::read(&path).expect("bytes");
            std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("cut");
            assert!(read(&path).is_err(), "{name}, cut in half, is refused");
        }
        std::fs::remove_dir_all(folder).expect("removed");
    }
}
