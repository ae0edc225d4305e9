//! Standard output that is full, or that nobody reads any more.

use super::{TABLE, has, project};
use crate::common::{errors, nnc};
use std::fs::OpenOptions;
use std::process::Stdio;

/// Commands that write to standard output.
const TALKERS: [&str; 14] = [
    "emit t.nn --stage ast",
    "emit t.nn",
    "explain",
    "explain shape-mismatch",
    "doc",
    "doc dense",
    "completions bash",
    "doctor",
    "check t.nn --memory --message-format json",
    "fmt t.nn - --check",
    "--help",
    "--version",
    "run t.nn --dry-run",
    "diff t.nn --of objective --wrt fc2.b",
];

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_behind_standard_output_is_told() {
    let folder = project("full");
    for line in TALKERS.into_iter().filter(|l| !l.starts_with("fmt")) {
        let full = OpenOptions::new().write(true).open("/dev/full").expect("a device that is always full");
        let mut command = nnc();
        let output =
            command.current_dir(&folder.0).args(line.split_whitespace()).stdout(full).output().expect("starts");
        assert_eq!(output.status.code(), Some(3), "{line}: {}", errors(&output));
        has(&errors(&output), &["standard output could not be written to the end: No space left on device"]);
    }
    // A run goes on to its end, and its files are whole.
    let full = OpenOptions::new().write(true).open("/dev/full").expect("a device that is always full");
    let mut command = nnc();
    let output =
        command.current_dir(&folder.0).args(["run", "t.nn", "--out", "r"]).stdout(full).output().expect("starts");
    assert_eq!(output.status.code(), Some(3), "{}", errors(&output));
    assert!(folder.path("r/weights.safetensors").exists());
}

/// The status of `head`'s other side: as if the signal of a closed pipe had ended it, and not a word. A run goes on.
#[test]
fn a_closed_pipe_ends_quietly() {
    let folder = project("closed");
    let unread = |line: &str| {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = nnc();
        command.current_dir(&folder.0).args(line.split_whitespace()).stdout(writer).stderr(Stdio::piped());
        command.output().expect("the command starts")
    };
    for line in TALKERS.into_iter().filter(|l| !l.starts_with("fmt") && !l.starts_with("run")) {
        let output = unread(line);
        assert_eq!((output.status.code(), errors(&output)), (Some(141), String::new()), "{line}");
    }
    let output = unread("run t.nn --out r");
    assert_eq!((output.status.code(), errors(&output)), (Some(0), String::new()));
    assert!(folder.path("r/weights.safetensors").exists() && TABLE.contains("train t"));
}

/// Files that are no plain files are written to, not replaced.
#[test]
#[cfg(target_os = "linux")]
fn devices_and_links_stay() {
    let folder = project("devices");
    let stage = |place: &str| {
        let mut command = nnc();
        command.current_dir(&folder.0).args(["emit", "t.nn", "--stage", "ast", "-o", place]);
        command.output().expect("the command starts")
    };
    assert!(String::from_utf8_lossy(&stage("/dev/stdout").stdout).contains("train"));
    let full = stage("/dev/full");
    assert_eq!(full.status.code(), Some(3));
    has(&errors(&full), &["/dev/full", "No space left on device"]);
    folder.write("real.txt", "old");
    std::os::unix::fs::symlink("real.txt", folder.path("link.txt")).expect("a link");
    assert!(stage("link.txt").status.success());
    assert!(crate::common::text(&folder.path("real.txt")).contains("train"));
    assert!(std::fs::symlink_metadata(folder.path("link.txt")).expect("a link").is_symlink());
}
