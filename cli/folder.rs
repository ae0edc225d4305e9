//! The folder of a run: where it is, what is kept in it.

use crate::args;
use crate::fault::Fault;
use crate::front;
use compiler::typed::Train;
use runtime::arrays::{self, Array};
use runtime::checkpoint;
use runtime::data::{Record, Trained};
use runtime::file::replace;
use runtime::log::{self, Log};
use runtime::plan::{Element, Slot};
use runtime::plot::Picture;
use runtime::session::{Position, Session};
use runtime::weights::{self, Tensor, Values};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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
pub struct Folder {
    /// Where.
    pub path: PathBuf,
}

impl Folder {
    /// `out` itself, else `runs/NAME-N` with the first number not taken; not made yet.
    pub fn planned(out: Option<&Path>, name: &str) -> Result<Self, Fault> {
        let path = match out {
            Some(path) if path.is_file() => {
                let message = format!("{} is a file; --out names a folder", path.display());
                return Err(Fault::data(message));
            }
            Some(path) => path.to_path_buf(),
            None => (1..)
                .map(|n| Path::new("runs").join(format!("{name}-{n}")))
                .find(|p| !p.exists())
                .unwrap_or_else(|| Path::new("runs").join(name)),
        };
        Ok(Self { path })
    }

    /// Makes it.
    pub fn make(&self) -> Result<(), Fault> {
        std::fs::create_dir_all(&self.path)
            .map_err(|e| Fault::data(format!("cannot make the folder {}: {e}", self.path.display())))
    }

    /// The folder given, or with `last` the newest under `runs/` that has a checkpoint.
    pub fn existing(asked: &Path) -> Result<Self, Fault> {
        if asked != Path::new("last") {
            return Ok(Self { path: asked.to_path_buf() });
        }
        let newest = std::fs::read_dir("runs")
            .into_iter()
            .flat_map(|entries| entries.filter_map(|e| Some(e.ok()?.path())))
            .filter_map(|p| Some((std::fs::metadata(checkpoint::path(&p)).ok()?.modified().ok()?, p)))
            .max();
        match newest {
            Some((_, path)) => Ok(Self { path }),
            None => Err(Fault::data("there is no run with a checkpoint under runs/")),
        }
    }

    /// Keeps the source as run, with what it uses of other files, and the environment.
    pub fn describe(&self, source: &str, environment: &serde_json::Value) -> Result<(), Fault> {
        replace(&self.path.join("source.nn"), source.as_bytes()).map_err(Fault::data)?;
        replace(&self.path.join("environment.json"), format!("{environment:#}\n").as_bytes()).map_err(Fault::data)
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

    /// The train block with the run's seed, unless the command names one.
    pub fn seeded(&self, train: &Train, options: &args::Program) -> Result<Train, Fault> {
        let mut train = train.clone();
        let told = front::settings(options)?.iter().any(|(key, _)| key == "seed");
        if let Some(seed) = self.seed.filter(|_| !told) {
            train.settings.seed = seed;
        }
        Ok(train)
    }
}

/// The weights in a file, or those that the run in a folder has ended with, else its best ones so far.
pub fn weights(path: &Path) -> Result<BTreeMap<String, Array>, Fault> {
    let inside = ["weights.safetensors", "best.safetensors"].map(|name| path.join(name));
    let file = inside.iter().find(|p| p.exists()).map_or(path, PathBuf::as_path);
    arrays::read(file).map_err(Fault::data)
}

/// What weights were trained on, if they are a run's: its folder, or a file in it.
pub fn record(weights: &Path) -> Result<Option<Record>, Fault> {
    let run = if weights.is_dir() { weights } else { weights.parent().unwrap_or(weights) };
    let file = run.join(COLUMNS);
    // A run's folder has its source; elsewhere a file of that name is somebody else's.
    if !file.is_file() || !run.join("source.nn").is_file() {
        return Ok(None);
    }
    let broken = |e: &dyn std::fmt::Display| {
        Fault::data(format!("{}: what the run was trained on cannot be read ({e})", file.display()))
    };
    let kept: Kept =
        serde_json::from_slice(&weights::read_whole(&file).map_err(Fault::data)?).map_err(|e| broken(&e))?;
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
