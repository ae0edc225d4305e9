//! What evaluation, metrics, gradients and starting weights mean.

mod carried;
mod direction;
mod draws;
mod gradients;
mod starting;
mod sums;

use crate::common::{Folder, succeed};
use serde_json::Value;
use std::path::Path;

/// The lines that a run of a program prints for other programs; its folder is `run` in the folder given.
fn train(folder: &Folder, program: &Path, more: &str) -> Vec<Value> {
    let line = format!("run {} --json --threads 1 --out {} {more}", program.display(), folder.path("run").display());
    let said = succeed(&line);
    said.lines().map(|l| serde_json::from_str(l).expect("a line of JSON")).collect()
}

/// The line of that event.
fn event<'a>(lines: &'a [Value], name: &str) -> &'a Value {
    lines.iter().find(|l| l["event"] == name).unwrap_or_else(|| panic!("no event {name} in {lines:?}"))
}

/// The figures of a split, as `nnc eval` prints them for the weights of the run in the folder.
fn evaluated(folder: &Folder, program: &Path, split: &str) -> Value {
    let weights = folder.path("run");
    let line = format!("eval {} --json --weights {} --split {split}", program.display(), weights.display());
    let said: Value = serde_json::from_str(&succeed(&line)).expect("JSON");
    said["metrics"].clone()
}
