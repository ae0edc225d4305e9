//! Named tensors in safetensors files: weights under their saved names, and the body of
//! checkpoints.

use crate::data::{DataError, Kind, Result};
use crate::file::replace;
use crate::head;
use nnc_core::number::Element;
use nnc_core::plan::{Fault, Frame, Slot};
use safetensors::tensor::{SafeTensorError, View};
use safetensors::{Dtype, SafeTensors};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

/// A tensor with its name.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor<'a> {
    /// Unique in its file.
    pub name: String,
    /// Extents; empty for a scalar.
    pub shape: Vec<usize>,
    /// Row-major; as many as the extents say.
    pub values: Values<'a>,
}

impl Tensor<'_> {
    /// A tensor of zeros.
    fn blank(name: &str, slot: &Slot) -> Self {
        let values = match slot.element {
            Element::F32 => Values::F32(Cow::Owned(vec![0.0; slot.len])),
            Element::F64 => Values::F64(Cow::Owned(vec![0.0; slot.len])),
            Element::I32 => Values::I32(Cow::Owned(vec![0; slot.len])),
        };
        Self { name: name.into(), shape: slot.shape.clone(), values }
    }
}

/// Elements, owned or borrowed from where they are computed.
#[derive(Clone, Debug, PartialEq)]
pub enum Values<'a> {
    /// Real numbers in 32 bits.
    F32(Cow<'a, [f32]>),
    /// Real numbers in 64 bits.
    F64(Cow<'a, [f64]>),
    /// Classes and truth values.
    I32(Cow<'a, [i32]>),
}

impl Values<'_> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::F32(v) => v.len(),
            Self::F64(v) => v.len(),
            Self::I32(v) => v.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All as 64-bit numbers, which loses nothing.
    #[must_use]
    pub fn to_f64(&self) -> Vec<f64> {
        match self {
            Self::F32(v) => v.iter().map(|x| f64::from(*x)).collect(),
            Self::F64(v) => v.to_vec(),
            Self::I32(v) => v.iter().map(|x| f64::from(*x)).collect(),
        }
    }

    /// All as 32-bit numbers, rounded where need be.
    #[must_use]
    pub fn to_f32(&self) -> Vec<f32> {
        match self {
            Self::F32(v) => v.to_vec(),
            Self::F64(v) => v.iter().map(|x| *x as f32).collect(),
            Self::I32(v) => v.iter().map(|x| *x as f32).collect(),
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::F32(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Self::F64(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Self::I32(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
        }
    }
}

impl View for &Tensor<'_> {
    fn dtype(&self) -> Dtype {
        match self.values {
            Values::F32(_) => Dtype::F32,
            Values::F64(_) => Dtype::F64,
            Values::I32(_) => Dtype::I32,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.values.to_bytes().into()
    }

    fn data_len(&self) -> usize {
        self.values.len() * self.dtype().bitsize() / 8
    }
}

/// Writes weights, replacing the file in one piece. Other programs (PyTorch among them) read it.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, tensors: &[Tensor]) -> Result<()> {
    replace(path, &encode(tensors, "format", "pt").map_err(|e| e.in_file(path))?)
}

/// Reads weights, in the order of their names.
///
/// # Errors
/// If the file is missing, broken, or holds elements of a type that is not read.
pub fn read(path: &Path) -> Result<Vec<Tensor<'static>>> {
    let bytes = head::whole(path)?;
    Ok(decode(&bytes).map_err(|e| e.in_file(path))?.0)
}

/// The bytes of a safetensors file with one entry of metadata (with one only, its bytes are a
/// function of the contents: more would come in any order).
pub(crate) fn encode(tensors: &[Tensor], key: &str, text: &str) -> Result<Vec<u8>> {
    let mut names: Vec<&str> = tensors.iter().map(|t| t.name.as_str()).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|w| w[0] == w[1]) {
        return Err(DataError::new(Kind::Mismatch, format!("two tensors are called `{}`", twice[0])));
    }
    if let Some(t) = tensors.iter().find(|t| t.shape.iter().product::<usize>() != t.values.len()) {
        let message = format!("tensor `{}` of shape {:?} has {} elements", t.name, t.shape, t.values.len());
        return Err(DataError::new(Kind::Mismatch, message));
    }
    let metadata = HashMap::from([(key.to_string(), text.to_string())]);
    safetensors::serialize(tensors.iter().map(|t| (t.name.as_str(), t)), Some(metadata)).map_err(|e| broken(&e))
}

/// The frame of the file that [`write`] makes of tensors with these names and what is known of their slots, whatever
/// their elements are.
///
/// # Errors
/// If two tensors have one name, a fault of ours.
pub fn frame(tensors: &[(&str, &Slot)]) -> std::result::Result<Frame, Fault> {
    let tensors: Vec<Tensor> = tensors.iter().map(|(name, slot)| Tensor::blank(name, slot)).collect();
    frame_of(&tensors).map_err(|e| Fault::new(e.to_string()))
}

fn frame_of(tensors: &[Tensor]) -> Result<Frame> {
    let mut bytes = encode(tensors, "format", "pt")?;
    let (head, metadata) = SafeTensors::read_metadata(&bytes).map_err(|e| broken(&e))?;
    // Eight bytes before the head say how long it is.
    let first = head + 8;
    let start = |t: &Tensor| metadata.info(&t.name).map_or(first, |info| first + info.data_offsets.0);
    let starts = tensors.iter().map(start).collect();
    let whole = bytes.len();
    bytes.truncate(first);
    Ok(Frame { head: bytes, starts, bytes: whole })
}

/// The tensors in the order of their names, and the metadata.
pub(crate) fn decode(bytes: &[u8]) -> Result<(Vec<Tensor<'static>>, HashMap<String, String>)> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| broken(&e))?;
    let file = SafeTensors::deserialize(bytes).map_err(|e| broken(&e))?;
    let mut views = file.tensors();
    views.sort_by(|a, b| a.0.cmp(&b.0));
    let tensor = |(name, view): (String, safetensors::tensor::TensorView)| {
        let values = values(view.dtype(), view.data()).ok_or_else(|| {
            DataError::new(Kind::Malformed, format!("tensor `{name}` has elements of type {:?}", view.dtype()))
                .help("save it as float32, float64, bfloat16 or int32")
        })?;
        Ok(Tensor { name, shape: view.shape().to_vec(), values })
    };
    let tensors = views.into_iter().map(tensor).collect::<Result<_>>()?;
    Ok((tensors, metadata.metadata().clone().unwrap_or_default()))
}

fn values(dtype: Dtype, data: &[u8]) -> Option<Values<'static>> {
    let four = |b: &[u8]| [b[0], b[1], b[2], b[3]];
    Some(match dtype {
        Dtype::F32 => Values::F32(data.chunks_exact(4).map(|b| f32::from_le_bytes(four(b))).collect()),
        Dtype::I32 => Values::I32(data.chunks_exact(4).map(|b| i32::from_le_bytes(four(b))).collect()),
        Dtype::BF16 => Values::F32(data.chunks_exact(2).map(|b| f32::from_le_bytes([0, 0, b[0], b[1]])).collect()),
        Dtype::F64 => {
            let eight = |b: &[u8]| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]);
            Values::F64(data.chunks_exact(8).map(eight).collect())
        }
        _ => return None,
    })
}

fn broken(error: &SafeTensorError) -> DataError {
    DataError::new(Kind::Malformed, format!("this is no whole safetensors file ({error})"))
        .help("it is cut short or of another format; take another copy")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<Tensor<'static>> {
        let tensor = |name: &str, shape: &[usize], values| Tensor { name: name.into(), shape: shape.to_vec(), values };
        vec![
            tensor("fc1.bias", &[], Values::F64(vec![f64::MIN_POSITIVE].into())),
            tensor("fc1.weight", &[2, 3], Values::F32(vec![1.0, -0.0, f32::NAN, 1e-45, f32::MAX, 0.1].into())),
            tensor("seen", &[1], Values::I32(vec![-7].into())),
        ]
    }

    fn bits(tensors: &[Tensor]) -> Vec<(String, Vec<usize>, Vec<u8>)> {
        tensors.iter().map(|t| (t.name.clone(), t.shape.clone(), t.values.to_bytes())).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        let path = std::env::temp_dir().join(format!("nnc-weights-{}.safetensors", std::process::id()));
        write(&path, &sample()).unwrap();
        assert_eq!(bits(&read(&path).unwrap()), bits(&sample()));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read(&path).unwrap_err().kind, Kind::Missing);
    }

    #[test]
    fn a_frame_says_where_elements_lie() {
        let whole = encode(&sample(), "format", "pt").unwrap();
        let frame = frame_of(&sample()).unwrap();
        assert_eq!((&whole[..frame.head.len()], whole.len()), (&frame.head[..], frame.bytes));
        for (tensor, start) in sample().iter().zip(frame.starts) {
            let bytes = tensor.values.to_bytes();
            assert_eq!(whole[start..start + bytes.len()], bytes, "{}", tensor.name);
        }
    }

    #[test]
    fn every_cut_and_many_changes_are_noticed_or_harmless() {
        let good = encode(&sample(), "format", "pt").unwrap();
        assert_eq!(good, encode(&sample(), "format", "pt").unwrap());
        for cut in 0..good.len() {
            assert_eq!(decode(&good[..cut]).unwrap_err().kind, Kind::Malformed, "cut at {cut}");
        }
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 0x11;
            if let Err(error) = decode(&bytes) {
                assert_eq!(error.kind, Kind::Malformed, "byte {at}");
            }
        }
        let mut huge = u64::MAX.to_le_bytes().to_vec();
        huge.extend(b"{}");
        assert_eq!(decode(&huge).unwrap_err().kind, Kind::Malformed);
    }

    #[test]
    fn what_makes_no_sense_is_not_written() {
        let mut twice = sample();
        twice.push(twice[0].clone());
        assert!(encode(&twice, "format", "pt").unwrap_err().to_string().contains("`fc1.bias`"));
        let mut short = sample();
        short[1].shape = vec![7];
        assert_eq!(encode(&short, "format", "pt").unwrap_err().kind, Kind::Mismatch);
    }
}
