//! The folder of a run: where it is, what is kept in it, and that it is never two runs' at once.
//!
//! A folder is a run's if nnc has described one there (`environment.json`). A new run takes away all that an earlier one has
//! left before it writes anything, the checkpoint first and the description last, so that at any moment the folder is the
//! old run's, in part, or the new one's, and never both. Files of the same names that no run has left are not touched.

use crate::fault::Fault;
use crate::program::Request;
use compiler::typed::Train;
use nnc_core::number::Element;
use nnc_core::plan::Slot;
use runtime::arrays::Weights;
use runtime::checkpoint;
use runtime::data::{Record, Trained};
use runtime::file::{self, replace};
use runtime::log::{self, Log};
use runtime::plot::Picture;
use runtime::session::{Position, Session};
use runtime::weights::{self, Tensor, Values};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What describes a run.
const DESCRIPTION: &str = "environment.json";
/// All that a run leaves in its folder, in the order in which the next run there takes it away.
const LEFT: [&str; 10] = [
    "checkpoint/state.safetensors",
    "weights.safetensors",
    "best.safetensors",
    "metrics.jsonl",
    "metrics.csv",
    "curves.svg",
    "curves.png",
    "source.nn",
    COLUMNS,
    DESCRIPTION,
];

/// The file that says which columns of the data a run was trained on.
const COLUMNS: &str = "columns.json";
/// Its form; a file of another is refused.
const FORMAT: u32 = 1;

/// What stands in it.
#[derive(Serialize, Deserialize)]
struct Kept {
    #[serde(rename = "columns_of_nnc")]
    format: u32,
    #[serde(flatten)]
    trained: Trained,
}

/// A run's folder.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Where.
    pub path: PathBuf,
}

impl Folder {
    /// Takes the folder as it is, to go on in it.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The folder asked for with `--out`; not made yet.
    pub fn asked(out: &Path) -> Result<Self, Fault> {
        if out.is_file() {
            return Err(Fault::data(format!("{} is a file; --out names a folder", out.display())));
        }
        Ok(Self::at(out))
    }

    /// Whether there is something to go on from.
    pub fn has_checkpoint(&self) -> bool {
        checkpoint::path(&self.path).exists()
    }

    /// What the folder says of the run in it, if there is one.
    pub fn description(&self) -> Option<Value> {
        let text = file::read(&self.path.join(DESCRIPTION), file::LOG).ok()?;
        let found: Value = serde_json::from_slice(&text).ok()?;
        (found.get("plan").is_some() && found.get("version").is_some()).then_some(found)
    }

    /// Takes away what an earlier run has left.
    pub fn clear(&self) -> Result<(), Fault> {
        let left = LEFT.map(|name| self.path.join(name));
        if self.description().is_none() {
            return match left.iter().find(|file| file.exists()) {
                None => Ok(()),
                Some(file) => Err(Fault::data(format!(
                    "{} is there already and is not of a run of nnc, which would write a file of this name; choose \
                     another folder with --out",
                    file.display()
                ))),
            };
        }
        left.iter().try_for_each(|file| file::remove(file)).map_err(Fault::data)?;
        // Not if there is anything else in it.
        let _ = fs::remove_dir(self.path.join("checkpoint"));
        Ok(())
    }

    /// Takes away what an earlier run has left here and in the folders of the blocks that it began with.
    fn clear_all(&self) -> Result<(), Fault> {
        let described = self.description();
        let inside = described.as_ref().and_then(|d| d["begins_with"].as_array()).into_iter().flatten();
        for name in inside.filter_map(Value::as_str).filter(|name| !name.contains(['/', '\\', '.'])) {
            let inner = Self::at(self.path.join(name));
            if inner.description().is_some() {
                inner.clear()?;
                let _ = fs::remove_dir(&inner.path);
            }
        }
        self.clear()
    }

    /// Describes the run that begins: the environment, and the source as run, with what it uses of other files.
    pub fn describe(&self, source: &str, environment: &Value) -> Result<(), Fault> {
        replace(&self.path.join(DESCRIPTION), format!("{environment:#}\n").as_bytes()).map_err(Fault::data)?;
        replace(&self.path.join("source.nn"), source.as_bytes()).map_err(Fault::data)
    }

    /// Keeps which columns of the data the fields read, so that the weights are never used on others.
    pub fn keep_columns(&self, trained: &Trained) -> Result<(), Fault> {
        let kept = serde_json::to_value(Kept { format: FORMAT, trained: trained.clone() }).map_err(Fault::internal)?;
        replace(&self.path.join(COLUMNS), format!("{kept:#}\n").as_bytes()).map_err(Fault::data)
    }

    /// The log, new or cut back to the given position.
    pub fn log(&self, resumed_at: Option<Position>) -> Result<Log, Fault> {
        let path = self.path.join("metrics.jsonl");
        match resumed_at {
            Some(at) => Log::resume(&path, at.epoch, at.step),
            None => Log::create(&path),
        }
        .map_err(Fault::data)
    }

    /// Draws the curves of the log so far, as SVG and PNG, and writes its epochs as a table.
    pub fn draw(&self, title: &str) -> Result<(), Fault> {
        let lines = log::read(&self.path.join("metrics.jsonl")).map_err(Fault::data)?;
        replace(&self.path.join("metrics.csv"), log::table(&lines).as_bytes()).map_err(Fault::data)?;
        Picture::of_log(title, &lines).save(&self.path.join("curves")).map_err(Fault::data)
    }

    /// Writes the tensors given as (saved name, place).
    pub fn save_weights(&self, file: &str, session: &Session, named: &[(String, Slot)]) -> Result<(), Fault> {
        weights::write(&self.path.join(file), &tensors(session, named)).map_err(Fault::data)
    }

    /// Puts the tensors of a weights file back.
    pub fn load_weights(&self, file: &str, session: &mut Session, named: &[(String, Slot)]) -> Result<(), Fault> {
        let tensors = weights::read(&self.path.join(file)).map_err(Fault::data)?;
        restore(session, named, &tensors)
    }
}

/// Where the run stood that has left weights: with it, draws and schedules are those of the run's last evaluation.
#[derive(Default)]
pub struct Moment {
    /// The seed it ran with, if a checkpoint lies beside the weights.
    pub seed: Option<u64>,
    /// Its end.
    pub at: Position,
    /// Figures of its last epoch that the program reads.
    pub figures: Vec<f64>,
}

impl Moment {
    /// Of weights in the folder of a run, named by the folder or by the file; the beginning of a run for any others.
    pub fn of(weights: &Path) -> Result<Self, Fault> {
        let folder = if weights.is_dir() { Some(weights) } else { weights.parent() };
        let Some(folder) = folder.filter(|f| checkpoint::path(f).exists()) else { return Ok(Self::default()) };
        let (progress, _) = checkpoint::load(folder).map_err(Fault::data)?;
        Ok(Self {
            seed: Some(progress.seed),
            at: Position { step: progress.step, epoch: progress.epoch, sample: progress.position as usize },
            figures: progress.figures.iter().map(|v| v.0).collect(),
        })
    }

    /// The train block with the run's seed, unless the request names one.
    #[must_use]
    pub fn seeded(&self, train: &Train, request: &Request) -> Train {
        let mut train = train.clone();
        let told = request.settings.iter().any(|(key, _)| key == "seed");
        if let Some(seed) = self.seed.filter(|_| !told) {
            train.settings.seed = seed;
        }
        train
    }
}

/// The outermost folder of a command, and the locks on all folders that it writes to. Locks are the system's (`flock`), on
/// the folders themselves: they leave no file behind and go with the process, however it ends.
#[derive(Debug)]
pub struct Root {
    path: PathBuf,
    /// Whether a run begins here, so that what an earlier one has left is taken away.
    begins: bool,
    /// Whether the folder was made to have its name, and goes again if nothing is put into it.
    reserved: bool,
    held: Mutex<Vec<(PathBuf, Option<File>)>>,
}

impl Root {
    /// A folder in which the command begins a run, or goes on with one.
    pub fn new(path: &Path, begins: bool) -> Self {
        Self::with(path, begins, false)
    }

    fn with(path: &Path, begins: bool, reserved: bool) -> Self {
        Self { path: path.to_path_buf(), begins, reserved, held: Mutex::default() }
    }

    /// `runs/NAME-N` with the first number not taken. Made at once, so that another command takes another number.
    pub fn numbered(name: &str) -> Result<Self, Fault> {
        let runs = Path::new("runs");
        make(runs)?;
        for number in 1_u64.. {
            let path = runs.join(format!("{name}-{number}"));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self::with(&path, true, true)),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(cannot_make(&path, &e)),
            }
        }
        Err(Fault::internal("no number is left for a run"))
    }

    /// The folder.
    pub fn folder(&self) -> Folder {
        Folder::at(&self.path)
    }

    /// Makes a folder inside (or the root itself) if need be and keeps it for this process; the root first, from which
    /// an earlier run is taken away where one begins.
    pub fn hold(&self, path: &Path) -> Result<(), Fault> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        for path in [self.path.as_path(), path] {
            if held.iter().any(|(p, _)| p == path) {
                continue;
            }
            make(path)?;
            held.push((path.to_path_buf(), locked(path)?));
            if self.begins && path == self.path {
                self.folder().clear_all()?;
            }
        }
        Ok(())
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        if self.reserved {
            // Fails where something is in it.
            let _ = fs::remove_dir(&self.path);
        }
    }
}

fn make(path: &Path) -> Result<(), Fault> {
    fs::create_dir_all(path).map_err(|e| cannot_make(path, &e))
}

fn cannot_make(path: &Path, error: &std::io::Error) -> Fault {
    Fault::data(format!("cannot make the folder {}: {error}", path.display()))
}

/// The folder, locked; none where the file system knows no locks.
#[allow(clippy::disallowed_methods, reason = "a folder is opened to be locked; nothing is read")]
fn locked(path: &Path) -> Result<Option<File>, Fault> {
    let Ok(folder) = File::open(path) else { return Ok(None) };
    match folder.try_lock() {
        Ok(()) => Ok(Some(folder)),
        Err(TryLockError::WouldBlock) => Err(Fault::data(format!(
            "another nnc is writing into {}; wait until it has ended, or choose another folder with --out",
            path.display()
        ))),
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

/// The weights in a file, or those that the run in a folder has ended with, else its best ones so far.
pub fn weights(path: &Path) -> Result<Weights, Fault> {
    let inside = ["weights.safetensors", "best.safetensors"].map(|name| path.join(name));
    let file = inside.iter().find(|p| p.exists()).map_or(path, PathBuf::as_path);
    Weights::read(file).map_err(Fault::data)
}

/// What weights were trained on, if they are a run's: its folder, or a file in it.
pub fn record(weights: &Path) -> Result<Option<Record>, Fault> {
    let run = if weights.is_dir() { weights } else { weights.parent().unwrap_or(weights) };
    let columns = run.join(COLUMNS);
    // A run's folder has its source; elsewhere a file of that name is somebody else's.
    if !columns.is_file() || !run.join("source.nn").is_file() {
        return Ok(None);
    }
    let broken = |e: &dyn std::fmt::Display| {
        Fault::data(format!("{}: what the run was trained on cannot be read ({e})", columns.display()))
    };
    let kept: Kept =
        serde_json::from_slice(&file::read(&columns, file::LOG).map_err(Fault::data)?).map_err(|e| broken(&e))?;
    match kept.format {
        FORMAT => Ok(Some(Record { source: format!("the run {}", run.display()), trained: kept.trained })),
        other => Err(broken(&format!("its format is {other}, this nnc reads {FORMAT}"))),
    }
}

/// Tensors of the session under the names given.
pub fn tensors<'a>(session: &'a Session, named: &[(String, Slot)]) -> Vec<Tensor<'a>> {
    let executor = &session.executor;
    let values = |slot: &Slot| match slot.element {
        Element::F32 => Values::F32(Cow::Borrowed(executor.f32s(slot))),
        Element::F64 => Values::F64(Cow::Borrowed(executor.f64s(slot))),
        Element::I32 => Values::I32(Cow::Borrowed(executor.i32s(slot))),
    };
    named
        .iter()
        .map(|(name, slot)| Tensor { name: name.clone(), shape: slot.shape.clone(), values: values(slot) })
        .collect()
}

/// Copies tensors back by name; all must be there, in the shape and number format they are wanted in.
pub fn restore(session: &mut Session, named: &[(String, Slot)], tensors: &[Tensor]) -> Result<(), Fault> {
    for (name, slot) in named {
        let misfit = || {
            Fault::data(format!(
                "the saved state has no `{name}` of shape {:?}; go on with the program it is of, which is kept beside it \
                 as source.nn",
                slot.shape
            ))
        };
        let tensor = tensors.iter().find(|t| t.name == *name && t.shape == slot.shape).ok_or_else(misfit)?;
        let executor = &mut session.executor;
        match (&tensor.values, slot.element) {
            (Values::F32(v), Element::F32) => executor.f32s_mut(slot).copy_from_slice(v),
            (Values::F64(v), Element::F64) => executor.f64s_mut(slot).copy_from_slice(v),
            (Values::I32(v), Element::I32) => executor.i32s_mut(slot).copy_from_slice(v),
            _ => return Err(misfit()),
        }
    }
    Ok(())
}
