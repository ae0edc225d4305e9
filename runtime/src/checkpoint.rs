//! Checkpoints: all that resuming needs, in one file that is replaced in one piece, so that a kill
//! at any moment leaves the old checkpoint or the new one.
//!
//! The file `checkpoint/state.safetensors` holds every persistent tensor (and, under names of the
//! trainer's choice, those of the best epoch so far); its metadata is the [`Progress`] as JSON
//! with a checksum of both. Numbers are kept by their bits.

use crate::data::{DataError, Kind, Result};
use crate::file::replace;
use crate::head;
use crate::weights::{Tensor, decode, encode};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The file of a run folder that holds its checkpoint.
#[must_use]
pub fn path(run: &Path) -> PathBuf {
    run.join("checkpoint").join("state.safetensors")
}

/// The form of [`Progress`]; a file of another is refused.
const FORMAT: u32 = 3;
/// The key of the metadata.
const KEY: &str = "nnc";

/// How far training has come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Hash of the plan: program, shapes, target, precision. Other plans cannot resume it.
    pub plan: String,
    /// The seed of all randomness.
    pub seed: u64,
    /// Updates done.
    pub step: u64,
    /// The epoch under way, from 0.
    pub epoch: u64,
    /// Samples of it already trained on.
    pub position: u64,
    /// Epochs without improvement of the monitored metric.
    pub waited: u64,
    /// The best epoch so far, if one is watched.
    pub best: Option<Best>,
    /// Sums since the epoch began (loss, metrics, seconds), by name.
    pub sums: Vec<(String, Exact)>,
    /// Sums since the epoch began of what metrics of a whole split are made of.
    pub totals: Vec<Exact>,
    /// Figures of the last epoch that updates read.
    pub figures: Vec<Exact>,
    /// Whether training had ended.
    pub finished: bool,
    /// All that decides the result of the run, by name, as text to be compared and shown.
    #[serde(default)]
    pub conditions: Vec<(String, String)>,
}

/// The best epoch so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// The monitored metric's value.
    pub value: Exact,
    /// Its epoch, from 0.
    pub epoch: u64,
    /// Updates done by its end.
    pub step: u64,
}

/// A number kept by its bits: JSON's decimals would round it, and know no infinity.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Exact(pub f64);

impl From<Exact> for String {
    fn from(number: Exact) -> Self {
        format!("{:016x}", number.0.to_bits())
    }
}

impl From<String> for Exact {
    fn from(text: String) -> Self {
        Self(u64::from_str_radix(&text, 16).map_or(f64::NAN, f64::from_bits))
    }
}

/// What stands in the metadata.
#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    checksum: String,
    progress: Progress,
}

/// Writes the checkpoint of a run folder.
///
/// # Errors
/// If it cannot be written; the old one then still stands.
pub fn save(run: &Path, progress: &Progress, tensors: &[Tensor]) -> Result<()> {
    let path = path(run);
    let header = Header { format: FORMAT, checksum: checksum(progress, tensors), progress: progress.clone() };
    let text = serde_json::to_string(&header)
        .map_err(|e| DataError::new(Kind::Unwritable, format!("the progress cannot be written: {e}")))?;
    replace(&path, &encode(tensors, KEY, &text).map_err(|e| e.in_file(&path))?)
}

/// A hash (XXH3) of the contents of a file, such as the weights that a run begins with.
///
/// # Errors
/// If it cannot be read.
pub fn digest(path: &Path) -> Result<String> {
    Ok(digest_of(&head::whole(path)?))
}

/// A hash (XXH3) of bytes, as text.
#[must_use]
pub fn digest_of(bytes: &[u8]) -> String {
    format!("{:016x}", twox_hash::XxHash3_64::oneshot(bytes))
}

/// Reads the checkpoint of a run folder; tensors come in the order of their names.
///
/// # Errors
/// If there is none, or it was damaged.
pub fn load(run: &Path) -> Result<(Progress, Vec<Tensor<'static>>)> {
    let path = path(run);
    let bytes = head::whole(&path).map_err(|e| match e.kind {
        Kind::Missing => DataError::new(Kind::Missing, "this folder holds no checkpoint")
            .in_file(run)
            .help("give the folder of a run that has saved one, such as runs/lenet-1"),
        _ => e,
    })?;
    parse(&bytes).map_err(|e| e.in_file(&path))
}

fn parse(bytes: &[u8]) -> Result<(Progress, Vec<Tensor<'static>>)> {
    let (tensors, metadata) = decode(bytes)?;
    let damaged = |what: &str| {
        DataError::new(Kind::Malformed, what.to_string()).help("resume from another copy of it, or start the run anew")
    };
    let text = metadata.get(KEY).ok_or_else(|| damaged("the file is no checkpoint"))?;
    let header: Header = serde_json::from_str(text).map_err(|_| damaged("the checkpoint's progress cannot be read"))?;
    if header.format != FORMAT {
        return Err(DataError::new(Kind::Malformed, format!("the checkpoint is of format {}", header.format))
            .help("resume it with the version of nnc that wrote it"));
    }
    if header.checksum != checksum(&header.progress, &tensors) {
        return Err(damaged("the checkpoint's contents do not match its checksum"));
    }
    Ok((header.progress, tensors))
}

/// FNV-1a in 64 bits over progress, names, shapes and elements (as 64-bit words), order of the
/// tensors aside.
fn checksum(progress: &Progress, tensors: &[Tensor]) -> String {
    let mut in_order: Vec<&Tensor> = tensors.iter().collect();
    in_order.sort_by(|a, b| a.name.cmp(&b.name));
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut mix = |word: u64| hash = (hash ^ word).wrapping_mul(0x0100_0000_01b3);
    for byte in format!("{progress:?}").bytes() {
        mix(u64::from(byte));
    }
    for tensor in in_order {
        tensor.name.bytes().for_each(|b| mix(u64::from(b)));
        tensor.shape.iter().for_each(|d| mix(*d as u64));
        match &tensor.values {
            crate::weights::Values::F32(v) => v.iter().for_each(|x| mix(u64::from(x.to_bits()))),
            crate::weights::Values::F64(v) => v.iter().for_each(|x| mix(x.to_bits())),
            crate::weights::Values::I32(v) => v.iter().for_each(|x| mix(*x as u64)),
        }
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::Values;

    struct Run(PathBuf);

    impl Run {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("nnc-checkpoint-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path);
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Run {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn progress(step: u64) -> Progress {
        Progress {
            plan: "abc".to_string(),
            seed: u64::MAX,
            step,
            best: Some(Best { value: Exact(0.1 + 0.2), epoch: 3, step: 7 }),
            sums: vec![("loss".to_string(), Exact(f64::NEG_INFINITY)), ("x".to_string(), Exact(5e-324))],
            ..Progress::default()
        }
    }

    /// Tensors all of whose elements tell the step.
    fn tensors(step: u64, size: usize) -> Vec<Tensor<'static>> {
        let tensor = |name: &str| Tensor {
            name: name.to_string(),
            shape: vec![size],
            values: Values::F32(vec![step as f32; size].into()),
        };
        vec![tensor("W"), tensor("slot/W")]
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let run = Run::new("round");
        assert_eq!(load(&run.0).unwrap_err().kind, Kind::Missing);
        for step in 0..3 {
            save(&run.0, &progress(step), &tensors(step, 10)).unwrap();
            assert_eq!(load(&run.0).unwrap(), (progress(step), tensors(step, 10)));
        }
        let left: Vec<_> = std::fs::read_dir(run.0.join("checkpoint")).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    #[test]
    fn any_changed_byte_is_noticed() {
        let run = Run::new("damage");
        save(&run.0, &progress(1), &tensors(1, 3)).unwrap();
        let good = std::fs::read(path(&run.0)).unwrap();
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            match parse(&bytes) {
                Err(error) => assert_eq!(error.kind, Kind::Malformed),
                Ok(contents) => assert_eq!(contents, (progress(1), tensors(1, 3)), "byte {at}"),
            }
            assert!(parse(&good[..at]).is_err());
        }
    }

    #[test]
    fn a_failed_save_leaves_the_old_checkpoint() {
        let run = Run::new("failed");
        save(&run.0, &progress(1), &tensors(1, 3)).unwrap();
        // A folder where the temporary file would be: works for every user, root included.
        std::fs::create_dir(run.0.join("checkpoint/.state.safetensors.new")).unwrap();
        let error = save(&run.0, &progress(2), &tensors(2, 3)).unwrap_err();
        assert_eq!(error.kind, Kind::Unwritable, "{error}");
        assert_eq!(load(&run.0).unwrap().0.step, 1);
        // A file where a folder is wanted.
        std::fs::write(run.0.join("file"), b"").unwrap();
        let error = save(&run.0.join("file"), &progress(1), &[]).unwrap_err();
        assert_eq!(error.kind, Kind::Unwritable, "{error}");
        // A device that is always full.
        #[cfg(target_os = "linux")]
        {
            std::fs::remove_dir(run.0.join("checkpoint/.state.safetensors.new")).unwrap();
            std::os::unix::fs::symlink("/dev/full", run.0.join("checkpoint/.state.safetensors.new")).unwrap();
            let error = save(&run.0, &progress(2), &tensors(2, 3)).unwrap_err();
            assert!(error.to_string().contains("free some space"), "{error}");
            assert_eq!(load(&run.0).unwrap().0.step, 1);
        }
    }

    /// The child of the next test: saves three checkpoints on top of what is there.
    #[test]
    #[ignore = "run by killed_at_every_moment"]
    fn save_three() {
        let Some(run) = std::env::var_os("NNC_TEST_RUN").map(PathBuf::from) else { return };
        let start = load(&run).map_or(0, |(p, _)| p.step);
        (start + 1..start + 4).for_each(|step| save(&run, &progress(step), &tensors(step, 2_000)).unwrap());
    }

    /// Saves three checkpoints in a process that ends at the given moment; whether it came to its end before.
    fn saved_until(run: &Path, moment: u64) -> bool {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "checkpoint::tests::save_three", "--ignored", "--quiet"]);
        child.env("NNC_TEST_RUN", run).env("NNC_END_AT", moment.to_string());
        child.output().unwrap().status.success()
    }

    #[test]
    fn killed_at_every_moment() {
        let run = Run::new("killed");
        let (mut last, mut moment, mut stood) = (0, 0, vec![]);
        while !saved_until(&run.0, moment + 1) {
            moment += 1;
            match load(&run.0) {
                Ok((progress, found)) => {
                    assert_eq!(found, tensors(progress.step, 2_000));
                    stood.push(progress.step - last);
                    last = progress.step;
                }
                Err(error) => {
                    assert!(error.kind == Kind::Missing && last == 0, "{error}");
                    stood.push(0);
                }
            }
        }
        // Of each checkpoint: before, half written, written, in place.
        assert_eq!(stood, [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3]);
        assert_eq!(load(&run.0).unwrap().0.step, last + 3);
    }
}
