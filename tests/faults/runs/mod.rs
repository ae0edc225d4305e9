//! Runs: their folders, what they are resumed with, what ends them.

mod folders;
mod limits;
mod output;
mod resume;
mod sweeps;

use crate::common::{Folder, errors, nnc};
use std::path::Path;
use std::process::Output;

/// A small program whose data is a table in the same folder.
const TABLE: &str = r#"data points {
    train = csv("points.csv", label = "kind")
    x: [2]      = features
    y: class(2) = label
}

model Net(x: [2]) -> [2] { x |> dense(4) as fc1 |> tanh |> dense(2) as fc2 }

train t {
    data      = points
    logits    = Net(x)
    objective = cross_entropy(logits, y)
    optimizer = adam(lr = 1e-2)
    metrics   = { accuracy = accuracy(logits, y) }
    batch     = 5
    epochs    = 4
    seed      = 3
}
"#;

/// Twenty points, a column of which can be moved.
fn table(shift: f64) -> String {
    let row = |i: usize| format!("{},{},{}\n", i as f64 / 10.0 + shift, (i * 7 % 5) as f64, i % 2);
    std::iter::once("a,b,kind\n".to_string()).chain((0..20).map(row)).collect()
}

/// A folder with the program and its data.
fn project(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("t.nn", TABLE);
    folder.write("points.csv", table(0.0));
    folder
}

/// Runs the command in a folder, with the arguments of a line.
fn within(folder: &Path, line: &str) -> Output {
    nnc().current_dir(folder).args(line.split_whitespace()).output().expect("the command starts")
}

/// As [`within`], with the status it must end with; what it wrote to standard error.
fn ends(folder: &Path, line: &str, status: i32) -> String {
    let output = within(folder, line);
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(status), "nnc {line}\n{said}");
    said
}

/// As [`within`], in a process that ends at a moment as a kill would end it.
fn killed(folder: &Path, line: &str, moment: u64) -> Output {
    let mut command = nnc();
    command.current_dir(folder).args(line.split_whitespace()).env("NNC_END_AT", moment.to_string());
    command.output().expect("the command starts")
}

fn has(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "no `{part}` in\n{said}");
    }
}
