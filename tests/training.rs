//! What train blocks say beyond one objective and one rule: numbers against formulas.

mod common;

use common::{Folder, read_arrays, repository, succeed};
use serde_json::Value;

const PROGRAM: &str = "tests/run/training.nn";

/// Runs a train block in double precision; the last line that it prints.
fn run(folder: &Folder, block: &str, more: &str) -> Value {
    let out = folder.path(block);
    let line = format!("run {PROGRAM} --train {block} --precision f64 --json --out {} {more}", out.display());
    let printed = succeed(&line);
    let last = printed.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|e| panic!("{e}: {last}"))
}

fn parameter(folder: &Folder, block: &str, name: &str) -> Vec<f64> {
    read_arrays(&folder.path(block).join("weights.safetensors"))[name].values.clone()
}

/// Four microbatches of 8 make the update of one minibatch of 32: with a penalty, dropout and clipping, and in the last
/// update of an epoch, which has 4 samples. Only the order of sums differs.
#[test]
fn accumulated_gradients_are_those_of_one_minibatch() {
    let folder = Folder::new("accumulate");
    let (whole, parts) = (run(&folder, "whole", ""), run(&folder, "parts", ""));
    assert_eq!(whole["steps"], 12);
    assert_eq!(parts["steps"], 12);
    for name in ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"] {
        let (a, b) = (parameter(&folder, "whole", name), parameter(&folder, "parts", name));
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-13), "{name}: {a:?} {b:?}");
    }
    // What is said to be of each microbatch may be accumulated as well.
    assert!(run(&folder, "normed", "")["train"]["loss"].as_f64().is_some_and(f64::is_finite));
}

/// The second objective is computed with the parameter that the first has moved.
#[test]
fn objectives_are_stepped_in_order() {
    let folder = Folder::new("turns");
    run(&folder, "turns", "");
    let (mut p, mut q, mut v) = (0.5, -0.25, 0.0);
    for _ in 0..10 {
        p -= 0.1 * 2.0 * (p * q - 1.0) * q;
        v = 0.9 * v + 2.0 * (p + 2.0 * q) * 2.0;
        q -= 0.05 * v;
    }
    let found = (parameter(&folder, "turns", "A.p")[0], parameter(&folder, "turns", "B.q")[0]);
    assert!((found.0 - p).abs() < 1e-13 && (found.1 - q).abs() < 1e-13, "{found:?} and not {p}, {q}");
}

/// `loss` is the sum of the objectives, in every line of a run and where updates read it; each has a figure of its own too.
#[test]
fn the_loss_is_the_sum_of_the_objectives() {
    let folder = Folder::new("sum");
    for block in ["turns", "plateau_of_two"] {
        let done = run(&folder, block, "");
        assert_eq!(done["event"], "done");
        let lines = common::text(&folder.path(block).join("metrics.jsonl"));
        let lines: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
        let mut sums = 0;
        for figures in lines.iter().flat_map(|l| ["train", "valid"].map(|s| &l[s])).filter(|f| f.is_object()) {
            let of = |name: &str| figures[name].as_f64().unwrap_or_else(|| panic!("no {name} in {figures}"));
            // Read from text, each may be off in its last place.
            assert!((of("loss") - of("a") - of("b")).abs() < 1e-14, "{figures}");
            sums += 1;
        }
        assert!(sums >= 2, "{lines:?}");
    }
    // Epochs at rates 1, 1, 1/2: the sum only rises, though the second objective falls.
    assert_eq!(parameter(&folder, "plateau_of_two", "A.p"), [0.5 + 1.0 + 1.0 + 0.5]);
}

/// Epochs at rates 1, 1, 1/2, 1/4, 1/8: the first figure is better than none, every later one is worse.
#[test]
fn a_schedule_reads_the_validation_loss() {
    let folder = Folder::new("plateau");
    run(&folder, "rising", "");
    assert_eq!(parameter(&folder, "rising", "p"), [0.5 + 2.0 + 0.5 + 0.25 + 0.125]);
}

/// Sums over a split are exact, so no figure depends on the size of the minibatch.
#[test]
fn metrics_of_a_split_are_exact() {
    let folder = Folder::new("figures");
    let done = run(&folder, "figures", "");
    let weights = folder.path("figures").join("weights.safetensors");
    let eval = |batch: usize| -> Value {
        let line = format!(
            "eval {PROGRAM} --train figures --precision f64 --json --split valid --set batch={batch} --weights {}",
            weights.display()
        );
        serde_json::from_str(&succeed(&line)).unwrap_or_else(|e| panic!("{e}"))
    };
    let figure = |of: &Value, name: &str| of[name].as_f64().unwrap_or_else(|| panic!("no {name} in {of}"));
    let valid = &done["valid"];
    let names = ["precision", "recall", "f1", "macro_f1", "perplexity", "r2", "auc"];
    for batch in [1, 7, 16, 41] {
        let found = eval(batch);
        for name in names {
            let (a, b) = (figure(&found["metrics"], name), figure(valid, name));
            assert!((a - b).abs() < 1e-12, "{name} is {a} with minibatches of {batch}, {b} with 7");
        }
    }
    let count = |a: usize, b: usize| figure(valid, &format!("confusion[{a}, {b}]"));
    let hits: f64 = (0..3).map(|c| count(c, c)).sum();
    let all: f64 = (0..3).flat_map(|a| (0..3).map(move |b| (a, b))).map(|(a, b)| count(a, b)).sum();
    assert_eq!(all, 41.0);
    let close = |name: &str, wanted: f64| assert!((figure(valid, name) - wanted).abs() < 1e-12, "{name}: {wanted}");
    close("accuracy", hits / all);
    close("precision", count(1, 1) / (count(0, 1) + count(1, 1) + count(2, 1)));
    close("recall", count(1, 1) / (count(1, 0) + count(1, 1) + count(1, 2)));
    let (p, r) = (figure(valid, "precision"), figure(valid, "recall"));
    close("f1", 2.0 * p * r / (p + r));
    close("perplexity", figure(valid, "loss").exp());
}

/// A block runs after the one whose weights it starts from, in one command, and takes what has the same name.
#[test]
fn a_train_block_starts_from_another() {
    let folder = Folder::new("start");
    run(&folder, "head", "");
    let code = read_arrays(&folder.path("head").join("code/weights.safetensors"));
    let head = read_arrays(&folder.path("head").join("weights.safetensors"));
    for name in ["Encoder.fc.weight", "Encoder.fc.bias"] {
        assert_eq!(code[name].values, head[name].values, "{name} is frozen");
    }
    assert!(repository(PROGRAM).exists());
    // Resumed when it is done, nothing is computed anew.
    let before = common::bytes(&folder.path("head").join("weights.safetensors"));
    succeed(&format!("run {PROGRAM} --train head --precision f64 --json --resume {}", folder.path("head").display()));
    assert_eq!(before, common::bytes(&folder.path("head").join("weights.safetensors")));
}
