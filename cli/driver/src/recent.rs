//! Which run under `runs/` is the last: the one that was begun, or gone on with, last. It is written down when that happens,
//! in `runs/.recent`, a folder a line with the newest first; times of files say something else after a copy.

use crate::fault::Fault;
use crate::folder::Folder;
use runtime::file::{self, replace};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

const RUNS: &str = "runs";
const LIST: &str = ".recent";

/// The newest first.
fn list() -> Vec<String> {
    let text = file::read_text(&Path::new(RUNS).join(LIST), file::LOG).unwrap_or_default();
    text.lines().map(str::to_string).collect()
}

#[allow(clippy::disallowed_methods, reason = "a folder is opened to be locked; nothing is read")]
/// Writes down that a run begins or goes on in the folder, if it lies in `runs/`.
pub fn note(folder: &Path) -> Result<(), Fault> {
    let whole = |path: &Path| fs::canonicalize(path).ok();
    let Some(path) = whole(folder) else { return Ok(()) };
    let Some(name) = path.file_name().and_then(|n| n.to_str()).map(str::to_string) else { return Ok(()) };
    if path.parent().map(Path::to_path_buf) != whole(Path::new(RUNS)) {
        return Ok(());
    }
    // One command at a time reads the list and writes it anew.
    let turn = File::open(RUNS).map_err(|e| Fault::data(format!("cannot open {RUNS}: {e}")))?;
    let _ = turn.lock();
    let mut names = list();
    names.retain(|n| *n != name && Path::new(RUNS).join(n).is_dir());
    names.insert(0, name);
    let text: String = names.iter().map(|n| format!("{n}\n")).collect();
    replace(&Path::new(RUNS).join(LIST), text.as_bytes()).map_err(Fault::data)
}

/// The folder of the last run, to go on in it.
pub fn last() -> Result<Folder, Fault> {
    let noted: Vec<Folder> = list().iter().map(|n| Folder::at(Path::new(RUNS).join(n))).collect();
    let Some(last) = noted.iter().find(|f| f.path.is_dir()) else {
        return Err(Fault::data(format!("no run is noted as the last under {RUNS}/{}", others(&resumable()))));
    };
    if last.has_checkpoint() {
        return Ok(last.clone());
    }
    let rest = noted.iter().filter(|f| f.has_checkpoint()).map(|f| f.path.clone()).collect::<Vec<_>>();
    let path = last.path.display();
    Err(Fault::data(format!("the last run, {path}, has no checkpoint yet{}", others(&rest))))
}

/// All runs that can be gone on with, in the order of their names.
fn resumable() -> Vec<PathBuf> {
    let entries = fs::read_dir(RUNS).into_iter().flatten().filter_map(|e| Some(e.ok()?.path()));
    let mut found: Vec<PathBuf> = entries.filter(|p| Folder::at(p).has_checkpoint()).collect();
    found.sort();
    found
}

fn others(paths: &[PathBuf]) -> String {
    match paths {
        [] => String::new(),
        [first, ..] => {
            let names: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
            format!("; there are checkpoints in {}: say which, as in --resume {}", names.join(", "), first.display())
        }
    }
}
