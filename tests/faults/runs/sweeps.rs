//! Sweeps: everything they name is there before anything runs, and every point is told of once, whatever ends them.

use super::{ends, has, killed, within};
use crate::common::{Folder, bytes, errors, text};
use serde_json::Value;
use std::fs;

const SWEEP: &str = "data points {
    train = blobs(20, classes = 2, noise = 1.0, seed = 1)
    test  = blobs(20, classes = 2, noise = 1.0, seed = 2)
    x: [2]      = point
    y: class(2) = label
}

model Net(x: [2], width: dim) -> [2] { x |> dense(width) as fc1 |> relu |> dense(2) as fc2 }

train wide(width: dim = 8) {
    data      = points
    logits    = Net(x, width)
    objective = cross_entropy(logits, y)
    optimizer = sgd(lr = 1e-2)
    metrics   = { error = 1 - accuracy(logits, y) }
    batch     = 10
    epochs    = 2
}

sweep widths {
    width in [2, 3]
    train = wide(width)
    plot train.error, test.error against width
}
";

/// What is misspelt is said at its place, with what was meant, and nothing runs.
#[test]
fn what_a_sweep_names_is_checked_first() {
    let folder = Folder::new("sweep-names");
    for (right, wrong, said) in [
        ("test.error against", "test.eror against", "did you mean `error`?"),
        ("test.error against", "tset.error against", "did you mean `test`?"),
        ("test.error against", "valid.error against", "without figures of a split `valid`"),
        ("against width", "against widht", "did you mean `width`?"),
        ("against width", "against width by noise", "no axis `noise`"),
        ("train = wide(width)", "train = wid(width)", "did you mean `wide`?"),
        ("    train = wide(width)\n", "", "does not say what it trains"),
        ("[2, 3]", "[]", "a list of numbers"),
        ("[2, 3]", "[2, 2]", "the value 2 twice"),
        ("[2, 3]", "[2, 9007199254740993]", "more digits"),
        ("[2, 3]\n", "[2, 3]\n    width in [4]\n", "two axes `width`"),
        (
            "[2, 3]",
            &format!("[{}]", (1..=10_001).map(|n| n.to_string()).collect::<Vec<_>>().join(", ")),
            "more than 10000",
        ),
        ("[2, 3]\n", &format!("[2, 3]\n{}", axes(30)), "more than 10000 points: 2 of `width` times 10 of `a0` times"),
    ] {
        assert!(SWEEP.contains(right));
        folder.write("s.nn", SWEEP.replace(right, wrong));
        has(&ends(&folder.0, "sweep s.nn --out r", 1), &[said, "s.nn:"]);
        has(&ends(&folder.0, "check s.nn", 1), &[said]);
        assert!(!folder.path("r").exists(), "{wrong}: nothing has run");
    }
    folder.write(
        "s.nn",
        SWEEP.replace(
            "epochs    = 2",
            "epochs    = 2\n    valid = split(0.5)\n    stop = early_stopping(monitor = valid.eror, patience = 1)",
        ),
    );
    has(&ends(&folder.0, "check s.nn", 1), &["did you mean `error`?"]);
}

/// Axes of ten values each, named a0, a1 and so on.
fn axes(count: usize) -> String {
    (0..count).map(|n| format!("    a{n} in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n")).collect()
}

/// Killed at any of its moments and given again, a sweep comes to the same folder.
#[test]
fn a_killed_sweep_ends_the_same() {
    let folder = Folder::new("sweep-killed");
    folder.write("s.nn", SWEEP);
    ends(&folder.0, "sweep s.nn --out whole", 0);
    let files =
        ["points.jsonl", "widths.svg", "width=2/metrics.jsonl", "width=3/metrics.jsonl", "width=3/weights.safetensors"];
    let left = |run: &str| files.map(|file| bytes(&folder.path(run).join(file)));
    let wanted = left("whole");
    // Moments of the first point, of the line of it, and of the second.
    for moments in [vec![5], vec![30, 29, 31], vec![60, 20], vec![55, 7, 33, 40]] {
        let _ = fs::remove_dir_all(folder.path("r"));
        for moment in &moments {
            let output = killed(&folder.0, "sweep s.nn --out r", *moment);
            assert!(output.status.code().is_none(), "{moment} of {moments:?}: {}", errors(&output));
            for line in fs::read_to_string(folder.path("r/points.jsonl")).unwrap_or_default().lines() {
                assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
            }
        }
        ends(&folder.0, "sweep s.nn --out r", 0);
        assert!(left("r") == wanted, "{moments:?}");
    }
}

/// Points of another program are not taken for points of this one.
#[test]
fn a_changed_program_is_swept_anew() {
    let folder = Folder::new("sweep-changed");
    folder.write("s.nn", SWEEP);
    ends(&folder.0, "sweep s.nn --out r", 0);
    let old = text(&folder.path("r/points.jsonl"));
    folder.write("s.nn", SWEEP.replace("lr = 1e-2", "lr = 1e-1"));
    let told = |line: &str| String::from_utf8_lossy(&within(&folder.0, line).stdout).lines().count();
    assert_eq!(told("sweep s.nn --out r --json"), 2);
    let new = text(&folder.path("r/points.jsonl"));
    assert!(new != old && new.lines().count() == 2);
    assert_eq!(told("sweep s.nn --out r --json"), 0, "nothing is missing");
    // A value more is one point more.
    folder.write("s.nn", SWEEP.replace("lr = 1e-2", "lr = 1e-1").replace("[2, 3]", "[2, 3, 4]"));
    assert_eq!(told("sweep s.nn --out r --json"), 1);
    // Changed while a point was half done.
    folder.write("s.nn", SWEEP.replace("[2, 3]", "[5]"));
    killed(&folder.0, "sweep s.nn --out half", 24);
    folder.write("s.nn", SWEEP.replace("[2, 3]", "[5]").replace("lr = 1e-2", "lr = 1e-1"));
    ends(&folder.0, "sweep s.nn --out half", 0);
    ends(&folder.0, "sweep s.nn --out whole", 0);
    assert_eq!(text(&folder.path("half/points.jsonl")), text(&folder.path("whole/points.jsonl")));
}
