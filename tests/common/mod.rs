//! What the tests of the whole program share: running the command, folders that go away, files of arrays.

#![allow(dead_code, reason = "every test is a crate of its own and uses a part")]

pub mod agreement;

use runtime::arrays::{self, Array};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The command, ready to be run in the repository.
pub fn nnc() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nnc"));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

/// Runs the command with the arguments of a line, split at blanks.
pub fn run(line: &str) -> Output {
    nnc().args(line.split_whitespace()).output().expect("the command starts")
}

/// As [`run`], which must succeed; what it wrote to standard output.
pub fn succeed(line: &str) -> String {
    let output = run(line);
    assert!(output.status.success(), "nnc {line}\n{}", errors(&output));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// As [`run`], which must end with a status; what it wrote to standard error.
pub fn fail(line: &str, status: i32) -> String {
    let output = run(line);
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(status), "nnc {line}\n{said}");
    said
}

/// What a command wrote to standard error.
pub fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The folder with the data sets that are too large for the repository: the one that `NNC_DATA` names, else the one
/// beside the repository.
pub fn data() -> PathBuf {
    std::env::var_os("NNC_DATA").map_or_else(|| repository("../shared/data"), PathBuf::from)
}

/// An empty folder that is removed with its contents when dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    /// One that no other test has.
    pub fn new(name: &str) -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("nnc-{name}-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a folder for temporary files");
        Self(path)
    }

    /// A path inside.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file and returns its path.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, contents).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Reads a file that must be there.
pub fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Reads the text of a file that must be there.
pub fn text(path: &Path) -> String {
    String::from_utf8(bytes(path)).expect("UTF-8")
}

/// Reads a file of arrays that must be there.
pub fn read_arrays(path: &Path) -> BTreeMap<String, Array> {
    arrays::read(path).unwrap_or_else(|e| panic!("{e}"))
}
