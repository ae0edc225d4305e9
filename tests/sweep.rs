//! `nnc sweep`: a line of figures for every point of the grid, the picture, and a sweep that was stopped goes on to the
//! same end. Each point is what `nnc run` makes of the same settings.

mod common;

use common::{Folder, bytes, errors, fail, nnc, succeed, text};
use serde_json::Value;
use std::path::Path;

const PROGRAM: &str = "tests/run/sweep.nn";
/// Three widths, two shares of noise, two seeds.
const POINTS: usize = 12;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect()
}

fn points(folder: &Path) -> Vec<Value> {
    lines(&text(&folder.join("points.jsonl")))
}

/// Sweeps into a folder; the points that were run now.
fn swept(folder: &Path) -> Vec<Value> {
    lines(&succeed(&format!("sweep {PROGRAM} --json --threads 1 --out {}", folder.display())))
}

#[test]
fn every_point_has_its_line_and_the_picture_its_curves() {
    let folder = Folder::new("sweep");
    let out = folder.path("grid");
    let told = swept(&out);
    assert_eq!(told, points(&out));
    assert_eq!(told.len(), POINTS);
    let grid: Vec<_> = [2.0, 8.0, 32.0]
        .iter()
        .flat_map(|w| [0.0, 0.2].map(|n| (*w, n)))
        .flat_map(|(w, n)| [1.0, 2.0].map(|s| [w, n, s]))
        .collect();
    for (line, point) in told.iter().zip(&grid) {
        assert_eq!(["width", "noise", "seed"].map(|axis| line[axis].as_f64().unwrap_or(f64::NAN)), *point);
        for split in ["train", "test"] {
            for figure in ["loss", "error"] {
                assert!(line[split][figure].as_f64().is_some_and(f64::is_finite), "{split}.{figure} in {line}");
            }
        }
    }
    let losses: std::collections::BTreeSet<String> = told.iter().map(|l| l["train"]["loss"].to_string()).collect();
    assert_eq!(losses.len(), POINTS, "no two points are the same run");
    let svg = text(&out.join("widths.svg"));
    for shown in ["train.error, noise 0", "test.error, noise 0.2", "width"] {
        assert!(svg.contains(shown), "no `{shown}`");
    }
    assert!(bytes(&out.join("widths.png")).starts_with(b"\x89PNG"));
}

/// A point of the grid is the run of the train block with the values of its parameters.
#[test]
fn a_point_is_a_run() {
    let folder = Folder::new("point");
    let out = folder.path("grid");
    let told = swept(&out);
    let run = folder.path("run");
    let line =
        format!("run {PROGRAM} --json --threads 1 --set seed=1 --set width=2 --set noise=0 --out {}", run.display());
    let done = lines(&succeed(&line)).pop().expect("a last line");
    assert_eq!(told[0]["train"], done["train"]);
    assert_eq!(told[0]["test"], done["test"]);
}

/// Stopped anywhere, and with lines lost, a sweep given again runs what is missing and ends the same.
#[test]
fn a_stopped_sweep_goes_on() {
    let folder = Folder::new("stopped");
    let (whole, stopped) = (folder.path("whole"), folder.path("stopped"));
    let wanted = swept(&whole);
    let mut command = nnc();
    command.args(["sweep", PROGRAM, "--json", "--threads", "1", "--out"]).arg(&stopped);
    // As a kill would end it, within the third point or the fourth.
    let output = command.env("NNC_END_AT", "250").output().expect("the command starts");
    assert!(output.status.code().is_none(), "{}", errors(&output));
    let done = points(&stopped).len();
    assert!((2..POINTS).contains(&done), "{done} points when it was killed");
    assert_eq!(swept(&stopped).len(), POINTS - done, "only what is missing is run");
    assert_eq!(points(&stopped), wanted);
    assert!(swept(&stopped).is_empty(), "nothing is missing");
    let kept: String = text(&stopped.join("points.jsonl")).lines().skip(2).map(|l| format!("{l}\n")).collect();
    std::fs::write(stopped.join("points.jsonl"), kept).expect("a file to write");
    std::fs::remove_dir_all(stopped.join("width=2,noise=0,seed=1")).expect("the folder of a point");
    assert_eq!(swept(&stopped), wanted[..2]);
    assert_eq!(bytes(&stopped.join("widths.svg")), bytes(&whole.join("widths.svg")));
}

#[test]
fn what_is_asked_for_must_be_there() {
    assert!(fail("sweep examples/xor.nn", 2).contains("no such sweep"));
    assert!(fail(&format!("sweep {PROGRAM} --sweep heights"), 2).contains("no such sweep"));
}
