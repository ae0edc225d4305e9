//! Programs and files that would take time or memory without end.

mod calls;
mod files;
mod growth;
mod lists;
mod memory;
mod shapes;

use crate::common::{Folder, errors, nnc};
use std::path::Path;
use std::process::{Command, Output};

/// A model of four numbers, whose body is given, and how it is trained.
fn program(before: &str, body: &str, settings: &str) -> String {
    format!(
        "data d {{\n    x: [4] = random_normal(64, [4], seed = 1)\n    y: [1] = random_normal(64, [1], seed = 2)\n}}\n\
         {before}\nmodel Net(x: [4]) -> [1] {{\n{body}\n}}\n\
         train t {{\n    data = d\n    objective = squared_error(Net(x), y)\n    optimizer = sgd(lr = 0.1)\n{settings}\n}}\n"
    )
}

/// The usual way to train it.
const SETTINGS: &str = "    batch = 8\n    epochs = 1";

/// Runs the command on a program with an address space of two gigabytes: what would take more does not end well.
fn confined(folder: &Folder, command: &str, text: &str) -> Output {
    let file = folder.write("program.nn", text);
    let line = format!("ulimit -v 2000000; exec \"$0\" {command}");
    let line = line.replace("FILE", &file.display().to_string());
    let binary = nnc().get_program().to_owned();
    let at: &Path = &folder.0;
    Command::new("sh").arg("-c").arg(line).arg(binary).current_dir(at).output().expect("a shell")
}

/// As [`confined`]; what it said, where it must end with a status.
fn refused(name: &str, command: &str, text: &str, status: i32) -> String {
    let folder = Folder::new(name);
    let output = confined(&folder, command, text);
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(status), "nnc {command}\n{said}");
    said
}

/// As [`confined`], which must succeed.
fn accepted(name: &str, command: &str, text: &str) -> String {
    let folder = Folder::new(name);
    let output = confined(&folder, command, text);
    assert!(output.status.success(), "nnc {command}\n{}", errors(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
