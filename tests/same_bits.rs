//! A run is a function of its source and seed to the last bit: for any number of threads, however often it is killed
//! and resumed, and when it is interrupted. Evaluation as well.

mod common;

use common::{Folder, bytes, data, errors, nnc, succeed, text};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

const DIGITS: &str = "tests/run/digits_bn_dropout.nn";
const EVERYTHING: &str = "tests/run/everything.nn";
const LENET: &str = "tests/run/lenet_bn_dropout.nn";

/// A flag for the folder with MNIST, or nothing, and then says why.
fn mnist() -> Option<String> {
    let folder = data();
    let there = folder.join("mnist").is_dir();
    if !there {
        println!("skipped: no MNIST in {}; NNC_DATA names the folder that has it", folder.display());
    }
    there.then(|| format!(" --data-dir {}", folder.display()))
}

/// What a finished run leaves that must not differ.
#[derive(PartialEq)]
struct Left {
    weights: Vec<u8>,
    best: Vec<u8>,
    metrics: String,
}

fn left(run: &Path) -> Left {
    let [weights, best] = ["weights.safetensors", "best.safetensors"].map(|f| bytes(&run.join(f)));
    Left { weights, best, metrics: text(&run.join("metrics.jsonl")) }
}

fn assert_same(found: &Left, wanted: &Left, what: &str) {
    assert_eq!(found.metrics, wanted.metrics, "{what}: other metrics");
    assert!(found.weights == wanted.weights, "{what}: other weights");
    assert!(found.best == wanted.best, "{what}: other best weights");
}

/// Trains to the end in a new folder.
fn whole_run(program: &str, folder: &Folder, name: &str, flags: &str) -> Left {
    let out = folder.path(name);
    succeed(&format!("run {program} --json --out {}{flags}", out.display()));
    left(&out)
}

fn any_number_of_threads(program: &str, flags: &str) {
    let folder = Folder::new(&format!("threads-{}", flags.len()));
    let one = whole_run(program, &folder, "1", &format!("{flags} --threads 1"));
    for threads in [2, 7, 16] {
        let many = whole_run(program, &folder, &threads.to_string(), &format!("{flags} --threads {threads}"));
        assert_same(&many, &one, &format!("{program} on {threads} threads"));
    }
    let other = whole_run(program, &folder, "seed", &format!("{flags} --seed 77"));
    assert!(other.weights != one.weights, "another seed leads elsewhere, or the comparison sees nothing");
}

#[test]
fn threads_change_no_bit_of_digits() {
    any_number_of_threads(DIGITS, "");
}

#[test]
fn threads_change_no_bit_of_lenet() {
    if let Some(data) = mnist() {
        any_number_of_threads(LENET, &data);
    }
}

/// The arguments that start a run, or go on with it if it has a checkpoint.
fn sitting(program: &str, out: &Path, flags: &str) -> Vec<String> {
    let begun = out.join("checkpoint/state.safetensors").exists();
    let words = ["run", program, "--json", if begun { "--resume" } else { "--out" }];
    let rest = std::iter::once(out.display().to_string()).chain(flags.split_whitespace().map(str::to_string));
    words.map(str::to_string).into_iter().chain(rest).collect()
}

/// Runs to the end, but ends the process as a kill would at each moment of `moments` in turn, counted in changes of the
/// file system from the start of each sitting.
fn killed(program: &str, flags: &str, moments: &[u64]) {
    let folder = Folder::new(&format!("kills-{}-{}", moments.len(), flags.len()));
    let wanted = whole_run(program, &folder, "whole", flags);
    let out = folder.path("killed");
    for moment in moments {
        let output = nnc().args(sitting(program, &out, flags)).env("NNC_END_AT", moment.to_string()).output();
        let output = output.expect("the command starts");
        assert!(output.status.code().is_none(), "not killed at moment {moment}: {}", errors(&output));
    }
    let output = nnc().args(sitting(program, &out, flags)).output().expect("the command starts");
    assert!(output.status.success(), "after {moments:?}: {}", errors(&output));
    assert_same(&left(&out), &wanted, &format!("{program} killed at {moments:?}"));
}

#[test]
fn kills_change_no_bit() {
    // Before the first checkpoint, so that the run is begun anew; then within log lines, best weights and checkpoints.
    killed(DIGITS, " --epochs 10", &[3, 17, 45, 30, 15, 18, 11, 40]);
}

#[test]
#[ignore = "takes minutes"]
fn kills_at_every_moment_change_no_bit() {
    (1..60).for_each(|moment| killed(DIGITS, " --epochs 10", &[moment]));
    if let Some(data) = mnist() {
        killed(LENET, &data, &(30..50).collect::<Vec<_>>());
    }
}

#[test]
fn a_finished_run_resumed_stays_as_it_is() {
    let folder = Folder::new("finished");
    let wanted = whole_run(DIGITS, &folder, "run", " --epochs 3");
    succeed(&format!("run {DIGITS} --epochs 3 --json --resume {}", folder.path("run").display()));
    assert_same(&left(&folder.path("run")), &wanted, "resumed at its end");
}

/// Runs to the end in sittings of so many updates, each of which ends as one that is interrupted does; how many of them
/// ended within an epoch.
fn in_sittings(program: &str, out: &Path, flags: &str, updates: &[u64]) -> usize {
    let mut within_an_epoch = 0;
    for updates in updates {
        let line = sitting(program, out, &format!("{flags} --stop-after {updates}"));
        let output = nnc().args(line).output().expect("the command starts");
        assert_eq!(output.status.code(), Some(130), "{}", errors(&output));
        assert!(errors(&output).contains(&format!("--resume {}", out.display())), "{}", errors(&output));
        let checkpoint = runtime::checkpoint::load(out).unwrap_or_else(|e| panic!("{e}")).0;
        within_an_epoch += usize::from(checkpoint.position > 0);
    }
    let output = nnc().args(sitting(program, out, flags)).output().expect("the command starts");
    assert!(output.status.success(), "{}", errors(&output));
    within_an_epoch
}

/// 4000 samples in updates of 27 are 149 an epoch, 1788 in all. Stops at the first update, within an epoch, at its last
/// update, at the first of one, and after several.
#[test]
fn interruptions_change_no_bit_of_all_that_is_carried() {
    let folder = Folder::new("everything");
    let wanted = whole_run(EVERYTHING, &folder, "whole", "");
    let out = folder.path("stopped");
    // After 1, 100, 149, 150, 447 and 1000 updates.
    assert_eq!(in_sittings(EVERYTHING, &out, "", &[1, 99, 49, 1, 297, 553]), 4);
    assert_same(&left(&out), &wanted, "stopped six times");
}

#[test]
fn kills_change_no_bit_of_all_that_is_carried() {
    killed(EVERYTHING, "", &[30, 20, 21, 22, 23, 24]);
}

#[test]
fn threads_change_no_bit_of_all_that_is_carried() {
    any_number_of_threads(EVERYTHING, "");
}

/// Stopping after a number of updates and Ctrl-C are one mechanism in the training loop; that the signal reaches it is
/// shown here. Wherever it arrives, the run ends with a checkpoint, from which the end is the same.
#[test]
fn ctrl_c_leaves_a_checkpoint() {
    let folder = Folder::new("interrupted");
    // Long enough that it cannot end before the signal, whatever the machine does: the signal ends it.
    let flags = " --epochs 1000000 --set stop=early_stopping(monitor=valid.loss,patience=1000000)";
    let out = folder.path("stopped");
    let mut command = nnc();
    command.args(sitting(DIGITS, &out, flags)).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
    assert!(lines.any(|l| l.contains("\"epoch\":2,")), "the run tells of its second epoch");
    let sent = std::process::Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status();
    assert!(sent.is_ok_and(|s| s.success()));
    lines.for_each(drop);
    let output = child.wait_with_output().expect("a child that ends");
    assert_eq!(output.status.code(), Some(130), "{}", errors(&output));
    assert!(errors(&output).contains(&format!("--resume {}", out.display())), "{}", errors(&output));
    let reached = runtime::checkpoint::load(&out).unwrap_or_else(|e| panic!("{e}")).0.step;
    // The run that stops at the same update by itself has the same checkpoint.
    let other = folder.path("counted");
    let line = sitting(DIGITS, &other, &format!("{flags} --stop-after {reached}"));
    assert_eq!(nnc().args(line).output().expect("the command starts").status.code(), Some(130));
    let [found, wanted] = [&out, &other].map(|run| bytes(&run.join("checkpoint/state.safetensors")));
    assert!(found == wanted, "interrupted after {reached} updates");
}

#[test]
fn evaluating_twice_gives_the_same_figures() {
    let folder = Folder::new("evaluated");
    let run = whole_run(DIGITS, &folder, "run", " --epochs 2");
    let weights = folder.path("run/weights.safetensors");
    let figures = |threads: usize| {
        let line = format!("eval {DIGITS} --weights {} --split test --json --threads {threads}", weights.display());
        let found: serde_json::Value = serde_json::from_str(&succeed(&line)).expect("one JSON object");
        found["metrics"].clone()
    };
    let first = figures(1);
    assert_eq!(first, figures(1));
    assert_eq!(first, figures(2));
    let told = run.metrics.lines().last().and_then(|l| serde_json::from_str::<serde_json::Value>(l).ok());
    assert_eq!(told.map(|l| l["test"].clone()), Some(first), "the run's own figures");
}
