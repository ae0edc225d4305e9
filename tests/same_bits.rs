//! A run is a function of its source and seed to the last bit: for any number of threads, however often it is killed
//! and resumed, and when it is interrupted. Evaluation as well.

mod common;

use common::{Folder, bytes, data, errors, nnc, succeed, text};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

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

/// Starts a run, or goes on with it if it has a checkpoint.
fn start(program: &str, out: &Path, flags: &str) -> Child {
    let begun = out.join("checkpoint/state.safetensors").exists();
    let mut command = nnc();
    command.args(["run", program, "--json", if begun { "--resume" } else { "--out" }]).arg(out);
    command.args(flags.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the command starts")
}

/// Kills a run `kills` times after times spread over three tenths of its length, resuming it each time; when it
/// reaches its end all must be as without any kill, and another run begins.
fn killed(program: &str, flags: &str, kills: usize) {
    let folder = Folder::new(&format!("kills-{kills}-{}", flags.len()));
    let began = Instant::now();
    let wanted = whole_run(program, &folder, "whole", flags);
    let length = began.elapsed();
    let (mut done, mut finished, mut last) = (0, 0, false);
    let mut state = u64::from(std::process::id());
    while !last {
        let out = folder.path(&format!("killed-{finished}"));
        let mut child = start(program, &out, flags);
        last = done >= kills;
        if !last {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            std::thread::sleep(length.mul_f64(0.3 * (state >> 40) as f64 / f64::from(1 << 24)));
            if child.try_wait().expect("a child").is_none() {
                child.kill().expect("a child to kill");
                child.wait().expect("a child that ends");
                done += 1;
                continue;
            }
        }
        let output = child.wait_with_output().expect("a child that ends");
        assert!(output.status.success(), "after {done} kills: {}", errors(&output));
        assert_same(&left(&out), &wanted, &format!("{program} killed {done} times"));
        finished += 1;
    }
}

#[test]
fn five_kills_change_no_bit() {
    killed(DIGITS, " --epochs 60", 5);
}

#[test]
#[ignore = "takes minutes"]
fn twenty_kills_change_no_bit() {
    killed(DIGITS, " --epochs 60", 20);
    if let Some(data) = mnist() {
        killed(LENET, &data, 20);
    }
}

#[test]
fn a_finished_run_resumed_stays_as_it_is() {
    let folder = Folder::new("finished");
    let wanted = whole_run(DIGITS, &folder, "run", " --epochs 3");
    succeed(&format!("run {DIGITS} --epochs 3 --json --resume {}", folder.path("run").display()));
    assert_same(&left(&folder.path("run")), &wanted, "resumed at its end");
}

/// Sends the signal of Ctrl-C.
fn interrupt(child: &Child) {
    let sent = std::process::Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status();
    assert!(sent.is_ok_and(|s| s.success()));
}

/// Interrupts a run again and again, in the middle of epochs too, and goes on with it each time.
#[test]
fn interruptions_change_no_bit_of_all_that_is_carried() {
    let folder = Folder::new("everything");
    let wanted = whole_run(EVERYTHING, &folder, "whole", "");
    let out = folder.path("stopped");
    let (mut within_an_epoch, mut stops) = (0, 0);
    loop {
        let mut child = start(EVERYTHING, &out, "");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
        // Two epochs on, and a little more.
        lines.by_ref().filter(|l| l.contains("\"epoch\":")).nth(1);
        std::thread::sleep(Duration::from_micros(700 * stops));
        interrupt(&child);
        lines.for_each(drop);
        let output = child.wait_with_output().expect("a child that ends");
        if output.status.success() {
            break;
        }
        assert_eq!(output.status.code(), Some(130), "{}", errors(&output));
        let checkpoint = runtime::checkpoint::load(&out).unwrap_or_else(|e| panic!("{e}")).0;
        within_an_epoch += usize::from(checkpoint.position > 0);
        stops += 1;
    }
    assert!(stops >= 3 && within_an_epoch >= 2, "{stops} stops, {within_an_epoch} of them within an epoch");
    assert_same(&left(&out), &wanted, &format!("interrupted {stops} times"));
}

#[test]
fn kills_change_no_bit_of_all_that_is_carried() {
    killed(EVERYTHING, "", 3);
}

#[test]
fn threads_change_no_bit_of_all_that_is_carried() {
    any_number_of_threads(EVERYTHING, "");
}

#[test]
fn ctrl_c_leaves_a_checkpoint() {
    let folder = Folder::new("interrupted");
    let flags = " --epochs 60";
    let wanted = whole_run(DIGITS, &folder, "whole", flags);
    let out = folder.path("stopped");
    let mut child = start(DIGITS, &out, flags);
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let reached = lines.find(|l| l.contains("\"epoch\":2,"));
    assert!(reached.is_some(), "the run tells of its second epoch");
    std::thread::sleep(Duration::from_millis(7));
    interrupt(&child);
    let output = child.wait_with_output().expect("a child that ends");
    assert_eq!(output.status.code(), Some(130), "{}", errors(&output));
    assert!(errors(&output).contains(&format!("--resume {}", out.display())), "{}", errors(&output));
    succeed(&format!("run {DIGITS}{flags} --json --resume {}", out.display()));
    assert_same(&left(&out), &wanted, "interrupted and resumed");
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
