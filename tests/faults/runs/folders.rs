//! A folder is one run's: never in part another's, never two's at once; and the last run is the one that was last.

use super::{ends, has, killed, project, within};
use crate::common::{bytes, errors, text};
use std::fs;
use std::fs::File;
use std::process::Command;

/// Killed at any moment, a new run in the folder of an old one leaves the old one, nothing, or the new one.
#[test]
fn a_new_run_leaves_nothing_of_the_old_one() {
    let folder = project("anew");
    ends(&folder.0, "run t.nn --out new --seed 9 --epochs 1", 0);
    ends(&folder.0, "run t.nn --out old --epochs 1", 0);
    let [new, old] = ["new", "old"].map(|run| bytes(&folder.path(run).join("weights.safetensors")));
    // Each moment of taking the old run away and describing the new one; then some of each kind.
    for moment in (1..20).chain((20..).step_by(7)) {
        let _ = fs::remove_dir_all(folder.path("r"));
        let copied = Command::new("cp").args(["-r", "old", "r"]).current_dir(&folder.0).status();
        assert!(copied.is_ok_and(|s| s.success()));
        let ended = killed(&folder.0, "run t.nn --out r --seed 9 --epochs 1", moment).status.success();
        let seed = |file: &str| text(&folder.path(file)).contains("\"seed\": 9");
        let of_new = folder.path("r/environment.json").exists() && seed("r/environment.json");
        if let Ok(weights) = fs::read(folder.path("r/weights.safetensors")) {
            assert!(weights == if of_new { new.clone() } else { old.clone() }, "moment {moment}");
        }
        if folder.path("r/checkpoint/state.safetensors").exists() {
            let saved = runtime::checkpoint::load(&folder.path("r")).unwrap_or_else(|e| panic!("{e}")).0;
            assert_eq!(saved.seed, if of_new { 9 } else { 3 }, "moment {moment}");
        }
        let resumed = within(&folder.0, "run t.nn --resume r --seed 9 --epochs 1");
        if resumed.status.success() {
            assert!(bytes(&folder.path("r/weights.safetensors")) == new, "moment {moment}");
        } else {
            assert!([Some(2), Some(3)].contains(&resumed.status.code()), "{}", errors(&resumed));
        }
        if ended {
            // The moments of taking nine files away, and of writing as many.
            assert!(moment > 40, "{moment}");
            break;
        }
    }
}

#[test]
fn files_of_others_are_not_touched() {
    let folder = project("strangers");
    fs::create_dir(folder.path("mine")).expect("a folder");
    folder.write("mine/weights.safetensors", "mine");
    let said = ends(&folder.0, "run t.nn --out mine", 3);
    has(&said, &["mine/weights.safetensors is there already", "--out"]);
    assert_eq!(text(&folder.path("mine/weights.safetensors")), "mine");
    // Beside those of a run they stay.
    ends(&folder.0, "run t.nn --out r --epochs 1", 0);
    folder.write("r/notes.txt", "mine");
    folder.write("r/checkpoint/mine", "mine");
    ends(&folder.0, "run t.nn --out r --epochs 1", 0);
    assert_eq!([text(&folder.path("r/notes.txt")), text(&folder.path("r/checkpoint/mine"))], ["mine", "mine"]);
}

/// Whoever holds the folder keeps other runs, resumed runs and sweeps out; the lock goes with its holder.
#[test]
fn two_runs_are_never_in_one_folder() {
    let folder = project("two");
    ends(&folder.0, "run t.nn --out r --stop-after 6", 130);
    let before = bytes(&folder.path("r/checkpoint/state.safetensors"));
    let held = File::open(folder.path("r")).expect("a folder");
    held.lock().expect("a lock");
    for line in ["run t.nn --out r", "run t.nn --resume r"] {
        has(&ends(&folder.0, line, 3), &["another nnc is writing into r", "--out"]);
    }
    folder.write(
        "s.nn",
        super::TABLE.replace("train t {", "train t(width: dim = 4) {")
            + "sweep w {\n    width in [1]\n    train = t(width)\n}\n",
    );
    has(&ends(&folder.0, "sweep s.nn --out r", 3), &["another nnc is writing into r"]);
    assert_eq!(bytes(&folder.path("r/checkpoint/state.safetensors")), before);
    drop(held);
    ends(&folder.0, "run t.nn --resume r", 0);
}

/// Numbers of runs are taken when they are given out, and given back where nothing has come of it.
#[test]
fn runs_take_the_next_number() {
    let folder = project("numbers");
    ends(&folder.0, "run t.nn --epochs 1", 0);
    fs::create_dir(folder.path("runs/t-2")).expect("a folder");
    ends(&folder.0, "run t.nn --epochs 1", 0);
    assert!(folder.path("runs/t-3/weights.safetensors").exists());
    fs::remove_file(folder.path("points.csv")).expect("a file");
    ends(&folder.0, "run t.nn --epochs 1", 3);
    assert!(!folder.path("runs/t-4").exists());
}

/// The last run is the one that was begun or gone on with last, whatever the times of files say.
#[test]
fn the_last_run_is_the_last_one() {
    let folder = project("last");
    let at = |line: &str, status| ends(&folder.0, &format!("run t.nn {line}"), status);
    has(&at("--resume last", 3), &["no run is noted as the last"]);
    at("--stop-after 2", 130);
    at("--stop-after 3", 130);
    // As after a copy that keeps no times: the older run has the newer file.
    let state = "runs/t-1/checkpoint/state.safetensors";
    let copy = bytes(&folder.path(state));
    folder.write(state, copy);
    has(&at("--resume last --stop-after 1", 130), &["stopped after 4 updates", "runs/t-2"]);
    has(&at("--resume runs/t-1 --stop-after 1", 130), &["stopped after 3 updates"]);
    has(&at("--resume last --stop-after 1", 130), &["stopped after 4 updates", "runs/t-1"]);
    // Begun, and killed before its first checkpoint: no older one is taken in its place.
    killed(&folder.0, "run t.nn", 20);
    assert!(!folder.path("runs/t-3/checkpoint/state.safetensors").exists());
    has(&at("--resume last", 3), &["runs/t-3, has no checkpoint yet", "--resume runs/t-1"]);
    fs::remove_dir_all(folder.path("runs/t-3")).expect("a folder");
    has(&at("--resume last", 0), &[]);
}

#[test]
fn projects_have_any_name() {
    let folder = project("new");
    for (name, program) in
        [("my-project", "my_project"), ("2nd.try", "nd_try"), ("train", "train_net"), ("arms", "arms_net")]
    {
        ends(&folder.0, &format!("new {name}"), 0);
        ends(&folder.0, &format!("check {name}/{program}.nn"), 0);
        assert!(text(&folder.path(&format!("{name}/README.md"))).contains(program));
    }
    has(&ends(&folder.0, "new 123", 2), &["has a letter"]);
    has(&ends(&folder.0, "new my-project", 2), &["already there"]);
}

/// Whole numbers are kept to the last digit, or refused.
#[test]
fn seeds_are_exact() {
    let folder = project("seeds");
    for flags in ["--set seed=9007199254740993", "--seed 9007199254740993", "--seed 1152921504606846975"] {
        ends(&folder.0, &format!("run t.nn --epochs 1 --out r {flags}"), 0);
        let found = text(&folder.path("r/environment.json"));
        let seed = flags.rsplit([' ', '=']).next().unwrap_or_default();
        has(&found, &[&format!("\"seed\": {seed},")]);
    }
    // Of data as well, which keeps its numbers in 53 bits.
    folder.write(
        "d.nn",
        super::TABLE
            .replace("csv(\"points.csv\", label = \"kind\")", "moons(20, seed = 9007199254740993)")
            .replace("= features", "= point"),
    );
    has(&ends(&folder.0, "check d.nn", 1), &["9007199254740993 has more digits", "9007199254740992"]);
    for flags in ["--seed 18446744073709551615", "--set seed=123456789012345678901234567890", "--set epochs=9e18"] {
        has(&ends(&folder.0, &format!("run t.nn --out s {flags}"), 1), &["error"]);
    }
}
