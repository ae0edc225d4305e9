//! A run is gone on with as it was begun, or it is said what is different.

use super::{TABLE, ends, has, project, table};
use crate::common::{Folder, bytes, read_arrays, text};

/// Stops after 6 of 16 updates.
fn begun(name: &str) -> Folder {
    let folder = project(name);
    has(&ends(&folder.0, "run t.nn --out r --stop-after 6", 130), &["stopped after 6 updates", "--resume r"]);
    folder
}

#[test]
fn what_is_different_is_said_and_refused() {
    let folder = begun("differences");
    let before = bytes(&folder.path("r/checkpoint/state.safetensors"));
    for (flags, line) in [
        ("--seed 4", "seed: 3 then, 4 now"),
        ("--set batch=4", "batch: 5 then, 4 now"),
        ("--precision f64", "precision: f32 then, f64 now"),
        ("--set shuffle=false", "shuffle: true then, false now"),
        ("--set metrics={wrong=1-accuracy(logits,y)}", "metrics: accuracy then, wrong now"),
        ("--set valid=split(0.2)", "samples of train: 20 then, 16 now"),
        ("--samples 10", "samples of train: 20 then, 10 now"),
        ("--set optimizer=adam(lr=2e-2)", "compiled programs: "),
    ] {
        let said = ends(&folder.0, &format!("run t.nn --resume r {flags}"), 2);
        has(&said, &["was begun otherwise", line, "--anyway", "r/source.nn"]);
        let others = said.lines().filter(|l| l.starts_with("  ") && l.contains(" then, ")).count();
        assert!(others <= 5, "{flags}: one cause, and what follows from it:\n{said}");
    }
    assert_eq!(bytes(&folder.path("r/checkpoint/state.safetensors")), before, "nothing was touched");
    // Nothing differs: threads, workers and the place of the data decide nothing.
    ends(&folder.0, "run t.nn --resume r --threads 2 --workers 1 --data-dir .", 0);
}

#[test]
fn another_file_and_another_transform_are_noticed() {
    let folder = begun("other-data");
    folder.write("points.csv", table(0.5));
    let said = ends(&folder.0, "run t.nn --resume r", 2);
    has(&said, &["samples of train: 20 as before, but their values, or their order, are others"]);
    folder.write("points.csv", table(0.0).lines().take(20).map(|l| format!("{l}\n")).collect::<String>());
    has(&ends(&folder.0, "run t.nn --resume r", 2), &["samples of train: 20 then, 19 now"]);
    folder.write("points.csv", table(0.0));
    folder.write("t.nn", TABLE.replace("= features", "= features |> standardize"));
    has(
        &ends(&folder.0, "run t.nn --resume r", 2),
        &["field x: [2] = features then, [2] = features |> standardize now"],
    );
    // Two case of the kind: the order of rows, and the names under which columns are read.
    folder.write("t.nn", TABLE);
    let mut rows: Vec<String> = table(0.0).lines().map(str::to_string).collect();
    rows[1..].reverse();
    folder.write("points.csv", rows.join("\n") + "\n");
    has(&ends(&folder.0, "run t.nn --resume r", 2), &["samples of train: 20 as before, but"]);
    folder.write("points.csv", table(0.0).replace("a,b,kind", "b,a,kind"));
    folder.write("t.nn", TABLE.replace("= features", "= [a, b]"));
    assert!(!ends(&folder.0, "run t.nn --resume r", 2).is_empty());
}

#[test]
fn anyway_goes_on_and_warns() {
    let folder = begun("anyway");
    let said = ends(&folder.0, "run t.nn --resume r --anyway --seed 4", 0);
    has(&said, &["warning: ", "seed: 3 then, 4 now", "neither"]);
    has(&ends(&folder.0, "run t.nn --anyway", 2), &["--resume"]);
}

/// The weights of a run of eight epochs from its start and of one of four that was made longer are the same where nothing
/// reads the length.
#[test]
fn a_longer_run_is_the_longer_run() {
    let folder = project("longer");
    ends(&folder.0, "run t.nn --out whole --epochs 8", 0);
    ends(&folder.0, "run t.nn --out r", 0);
    let said = ends(&folder.0, "run t.nn --resume r --epochs 8", 0);
    has(&said, &["note: ", "4 epochs (16 updates) then, 8 epochs (32 updates) now", "from the start"]);
    let [whole, longer] = ["whole", "r"].map(|run| bytes(&folder.path(run).join("weights.safetensors")));
    assert!(whole == longer);
    let [whole, longer] = ["whole", "r"].map(|run| text(&folder.path(run).join("metrics.csv")));
    assert_eq!(whole, longer);
    // Shorter than what has been made.
    let said = ends(&folder.0, "run t.nn --resume r --epochs 3", 2);
    has(&said, &["length: 8 epochs (32 updates) then, 3 epochs (12 updates) now", "32 updates have been made already"]);
    // Shorter, but not yet so far.
    ends(&folder.0, "run t.nn --out s --stop-after 6", 130);
    has(&ends(&folder.0, "run t.nn --resume s --epochs 2", 0), &["note: "]);
    ends(&folder.0, "run t.nn --out two --epochs 2", 0);
    let [two, shorter] = ["two", "s"].map(|run| bytes(&folder.path(run).join("weights.safetensors")));
    assert!(two == shorter);
}

/// A schedule over the whole run makes another run of every length, and is named.
#[test]
fn a_schedule_over_the_run_forbids_another_length() {
    let folder = project("scheduled");
    folder.write("t.nn", TABLE.replace("adam(lr = 1e-2)", "adam(lr = cosine(1e-2))"));
    ends(&folder.0, "run t.nn --out r --stop-after 6", 130);
    let said = ends(&folder.0, "run t.nn --resume r --epochs 8", 2);
    has(&said, &["length: 4 epochs", "`lr` in the program depends on the length"]);
    ends(&folder.0, "run t.nn --resume r", 0);
}

/// Without data the run is one epoch: a longer one goes on in it. Gradient descent on p^2 / 2 with rate 0.5 halves p.
#[test]
fn a_longer_run_without_data() {
    let folder = Folder::new("longer-descent");
    let source = "model Point() -> [1] { param p: [1] ~ constant(64); p }\n\
        train t {\n    q = Point()\n    objective = 0.5 * squared_norm(q)\n    optimizer = sgd(lr = 0.5)\n    steps = 2\n}\n";
    folder.write("t.nn", source);
    ends(&folder.0, "run t.nn --out r", 0);
    let p = || read_arrays(&folder.path("r/weights.safetensors"))["p"].values[0];
    assert_eq!(p(), 16.0);
    has(&ends(&folder.0, "run t.nn --resume r --set steps=5", 0), &["2 updates then, 5 now"]);
    assert_eq!(p(), 2.0);
    ends(&folder.0, "run t.nn --out whole --set steps=5", 0);
    let [whole, longer] = ["whole", "r"].map(|run| text(&folder.path(run).join("metrics.csv")));
    assert_eq!(whole, longer);
}
