//! What makes work with the command pleasant: pictures of several runs and of schedules, the library's pages, a project to
//! begin with, completions, a table of the epochs.

mod common;

use common::{Folder, errors, fail, nnc, run, succeed, text};
use serde_json::Value;

/// Loss by epoch from a run's table.
fn table(folder: &Folder, run: &str) -> Vec<Vec<String>> {
    let table = text(&folder.path(&format!("{run}/metrics.csv")));
    table.lines().map(|l| l.split(',').map(str::to_string).collect()).collect()
}

#[test]
fn runs_are_drawn_together() {
    let folder = Folder::new("plot");
    let at = folder.0.display();
    for (name, seed) in [("first", 1), ("second", 2)] {
        succeed(&format!("run examples/moons.nn --epochs 6 --seed {seed} --out {at}/{name}"));
    }
    let rows = table(&folder, "first");
    assert_eq!((rows.len(), &rows[0][..3]), (7, &["epoch", "step", "train.loss"].map(str::to_string)[..]));
    assert!(rows[1..].iter().all(|r| r.len() == rows[0].len() && r[2].parse::<f64>().is_ok()), "{rows:?}");
    let said = succeed(&format!("plot {at}/first {at}/second/metrics.jsonl -o {at}/both.png"));
    assert!(said.contains("both.svg"), "{said}");
    let svg = text(&folder.path("both.svg"));
    for shown in ["first train", "second train", "loss", "accuracy", "epoch"] {
        assert!(svg.contains(shown), "no `{shown}`");
    }
    assert!(common::bytes(&folder.path("both.png")).starts_with(b"\x89PNG"));
    folder.write("empty.jsonl", "{\"event\":\"start\"}\n");
    assert!(fail(&format!("plot {at}/empty.jsonl"), 3).contains("no whole epoch"));
    assert!(fail(&format!("plot {at}/nowhere"), 3).contains("nowhere"));
    assert!(fail("plot", 2).contains("nnc plot runs/"));
}

#[test]
fn a_schedule_is_drawn_and_is_the_one_that_is_run() {
    let folder = Folder::new("schedule");
    let at = folder.0.display();
    succeed(&format!("plot lr examples/digits.nn --steps 900 -o {at}/rate"));
    let svg = text(&folder.path("rate.svg"));
    assert!(svg.contains("update") && svg.contains("digits"), "{}", &svg[..200]);
    assert!(fail("plot lr examples/digits.nn --setting beta1", 2).contains("lr does"));
    assert!(fail("plot lr examples/xor.nn", 2).contains("lr"));
}

#[test]
fn a_new_project_runs() {
    let folder = Folder::new("new");
    let project = folder.path("first_net");
    let said = succeed(&format!("new {}", project.display()));
    assert!(said.contains("nnc run first_net.nn"), "{said}");
    let mut command = nnc();
    command.current_dir(&project).args(["run", "first_net.nn", "--set", "steps=30", "--json"]);
    let output = command.output().expect("the command starts");
    assert!(output.status.success(), "{}", errors(&output));
    assert!(project.join("runs/first_net-1/curves.png").is_file());
    assert!(text(&project.join("README.md")).starts_with("# first_net"));
    assert!(fail(&format!("new {}", project.display()), 2).contains("already there"));
    fail(&format!("new {}/2048", folder.0.display()), 2);
}

#[test]
fn the_library_has_pages() {
    let list = succeed("doc");
    for shown in ["std/conv.nn", "conv2d", "one_cycle", "in data blocks", "images"] {
        assert!(list.contains(shown), "no {shown}");
    }
    let page = succeed("doc conv2d");
    assert!(page.contains("layer conv2d[") && page.contains("correlate2d(") && !page.contains("///"), "{page}");
    assert!(
        page.contains("\n\nExample:\n    model Net(x: [3, 8, 8]) -> [16, 8, 8] { x |> conv2d(16, pad = 1) }\n\n"),
        "{page}"
    );
    assert!(succeed("doc correlate2d").contains("sum["), "the formula of a convolution");
    assert!(succeed("doc text").contains("text(file, context, [stride], [from], [to])"));
    assert!(fail("doc conv2", 2).contains("did you mean `conv2d`?"));
}

#[test]
fn shells_are_served() {
    assert!(succeed("completions bash").contains("completions"));
    for shell in ["zsh", "fish"] {
        assert!(succeed(&format!("completions {shell}")).contains("message-format"), "{shell}");
    }
    fail("completions cobol", 2);
}

/// Figures of a run with so many workers; three minibatches make an update.
fn figures(folder: &Folder, workers: usize) -> Vec<Value> {
    let flags = format!("--workers {workers} --set accumulate=3 --out {}/{workers}", folder.0.display());
    let output = run(&format!("run examples/digits.nn --epochs 2 --json {flags}"));
    assert!(output.status.success(), "{}", errors(&output));
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = lines.lines().map(|l| serde_json::from_str::<Value>(l).expect("JSON"));
    lines.map(|mut l| (l["seconds"].take(), l).1).filter(|l| l["event"] == "epoch").collect()
}

#[test]
fn workers_change_no_bit() {
    let folder = Folder::new("workers");
    let without = figures(&folder, 0);
    assert_eq!(without.len(), 2);
    for workers in [1, 2, 8] {
        assert_eq!(without, figures(&folder, workers), "{workers} workers");
    }
}

#[test]
fn fewer_samples_are_kept_of_every_split() {
    let folder = Folder::new("samples");
    let line = format!("run examples/digits.nn --samples 50 --epochs 1 --out {}/run", folder.0.display());
    assert!(succeed(&line).contains("50 train, 50 test samples"));
}

#[test]
fn memory_is_listed_by_part_and_program() {
    let checked = succeed("check examples/digits.nn --memory");
    for shown in ["for minibatches of 32", "parameters, states and optimiser", "training[32]", "evaluation[32]", "data"]
    {
        assert!(checked.contains(shown), "no `{shown}` in {checked}");
    }
}
