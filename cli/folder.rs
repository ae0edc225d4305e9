//! The folder of a run: where it is, what is kept in it.

use crate::fault::Fault;
use runtime::arrays::Weights;
use runtime::checkpoint;
use runtime::file::replace;
use runtime::log::{self, Log};
use runtime::plan::{Element, Slot};
use runtime::plot::Picture;
use runtime::session::{Position, Session};
use runtime::weights::{self, Tensor, Values};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

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

/// The weights in a file, or the best ones in the folder of a run.
pub fn weights(path: &Path) -> Result<Weights, Fault> {
    let inside = ["best.safetensors", "weights.safetensors"].map(|name| path.join(name));
    let file = inside.iter().find(|p| p.exists()).map_or(path, PathBuf::as_path);
    Weights::read(file).map_err(Fault::data)
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
