//! A system that gives no more memory, threads or room on the disk: a sentence and the status of such trouble, never an end
//! by a signal, never a fault of nnc.

use super::{ends, has, project};
use crate::common::{Folder, bytes, errors, text};
use std::path::Path;
use std::process::{Command, Output};

/// Runs the command under limits of the shell.
fn limited(folder: &Path, limits: &str, line: &str) -> Output {
    let script = format!("{limits}; exec '{}' {line}", env!("CARGO_BIN_EXE_nnc"));
    Command::new("sh").current_dir(folder).args(["-c", &script]).output().expect("a shell")
}

/// From too little to enough: each run succeeds, or says that there is no memory.
#[test]
#[cfg(target_os = "linux")]
fn whatever_memory_there_is() {
    let folder = project("address-space");
    let (mut refused, mut done) = (0, 0);
    for mebibytes in (36..=132).step_by(8) {
        let line = format!("run t.nn --epochs 1 --threads 4 --out r{mebibytes}");
        let output = limited(&folder.0, &format!("ulimit -v {}", mebibytes << 10), &line);
        let said = errors(&output);
        match output.status.code() {
            Some(0) => done += 1,
            // The system could not even load the program.
            Some(127) => {}
            Some(3) => {
                assert!(["memory", "thread"].iter().any(|word| said.contains(word)), "{mebibytes} MiB: {said}");
                refused += 1;
            }
            other => panic!("{mebibytes} MiB: {other:?} {:?} {said}", output.status),
        }
    }
    assert!(refused > 0 && done > 0, "{refused} refused, {done} done");
}

/// Stacks for a thousand threads are more than the address space has: fewer run, to the same bits.
#[test]
#[cfg(target_os = "linux")]
fn refused_threads() {
    let folder = project("threads");
    ends(&folder.0, "run t.nn --threads 1 --out one", 0);
    let output = limited(&folder.0, "ulimit -v 1000000", "run t.nn --threads 1000 --out many");
    has(&errors(&output), &["warning: the system starts only ", " of 1000 threads"]);
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let [one, many] = ["one", "many"].map(|run| bytes(&folder.path(run).join("weights.safetensors")));
    assert!(one == many);
    // Those that put batches together: none of them is needed either.
    let output = limited(&folder.0, "ulimit -v 1000000", "run t.nn --threads 1 --workers 1000 --out fed");
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    assert!(bytes(&folder.path("fed/weights.safetensors")) == one);
}

/// Files may have 512 bytes a block at most: what does not fit is named with its cause, and the old file stands.
#[test]
#[cfg(target_os = "linux")]
fn no_room_for_a_file() {
    let folder = project("room");
    let full = "trap '' XFSZ; ulimit -f 2";
    folder.write("out.txt", "old");
    let ast = limited(&folder.0, full, "emit t.nn --stage typed -o out.txt");
    assert_eq!(ast.status.code(), Some(3), "{}", errors(&ast));
    has(&errors(&ast), &["out.txt", "File too large", "still stands"]);
    assert_eq!(text(&folder.path("out.txt")), "old");
    ends(&folder.0, "run t.nn --out r --stop-after 6", 130);
    let before = bytes(&folder.path("r/checkpoint/state.safetensors"));
    let run = limited(&folder.0, full, "run t.nn --resume r");
    assert_eq!(run.status.code(), Some(3), "{}", errors(&run));
    has(&errors(&run), &["r/", "File too large"]);
    assert_eq!(bytes(&folder.path("r/checkpoint/state.safetensors")), before);
    // Given room, it goes on as if nothing had been.
    ends(&folder.0, "run t.nn --resume r", 0);
    ends(&folder.0, "run t.nn --out whole", 0);
    for file in ["weights.safetensors", "metrics.jsonl"] {
        assert!(bytes(&folder.path("r").join(file)) == bytes(&folder.path("whole").join(file)), "{file}");
    }
    for line in ["plot r -o picture", "export t.nn --onnx --weights r -o net.onnx", "emit t.nn --stage obj -o t.o"] {
        let output = limited(&folder.0, "trap '' XFSZ; ulimit -f 0", line);
        assert_eq!(output.status.code(), Some(3), "{line}: {}", errors(&output));
        has(&errors(&output), &["cannot write the file: File too large"]);
        assert!(!["picture.svg", "net.onnx", "t.o", ".net.onnx.new"].iter().any(|f| folder.path(f).exists()));
    }
}

/// A large network is refused before it takes anything, whatever the limit; one buffer that does not fit is named.
#[test]
#[cfg(target_os = "linux")]
fn one_buffer_too_many() {
    let folder = Folder::new("buffer");
    folder.write("t.nn", super::TABLE.replace("dense(4)", "dense(4000000)"));
    folder.write("points.csv", super::table(0.0));
    let output = limited(&folder.0, "ulimit -v 600000", "run t.nn --epochs 1 --threads 1 --out r");
    assert_eq!(output.status.code(), Some(3), "{}", errors(&output));
    has(&errors(&output), &["memory"]);
}
