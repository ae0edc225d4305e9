//! The memory a program plans is the memory it takes: the resident set grows by what was planned, give or take a tenth
//! and two megabytes (the machine code, tables of the compiler, stacks), over a program that needs next to nothing.

mod common;

use common::succeed;

/// Planned bytes and the largest resident set: the least of five runs, since pages of the binary that the system happens to
/// bring in as well are counted with it, and differ from run to run.
fn measured(program: &str) -> (f64, f64) {
    let runs = (0..5).map(|_| once(program));
    runs.reduce(|a, b| if b.1 < a.1 { b } else { a }).expect("five runs")
}

fn once(program: &str) -> (f64, f64) {
    let line = format!("bench {program} --steps 3 --json --threads 1");
    let found: serde_json::Value = serde_json::from_str(&succeed(&line)).expect("one JSON object");
    let figure = |key: &str| found[key].as_f64().expect("a number");
    (figure("planned_bytes"), figure("peak_rss_bytes"))
}

fn planned_is_taken(programs: &[&str]) {
    let (_, empty) = measured("examples/beale.nn");
    for program in programs {
        let (planned, peak) = measured(&format!("examples/bench/{program}.nn"));
        let grown = peak - empty;
        assert!((grown - planned).abs() <= 0.1 * planned + 2e6, "{program}: {planned} planned, grown by {grown}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn small_and_middling_networks() {
    planned_is_taken(&["mlp-tiny", "mlp-small", "mlp-mid", "lenet"]);
}

/// What `check --memory` says a run will hold is what the run plans: with a validation split and short minibatches, metrics
/// of whole splits, accumulated gradients, batches put together ahead, and without data.
#[test]
fn what_is_checked_is_what_is_planned() {
    let json = |line: &str| -> serde_json::Value {
        let printed = succeed(line);
        serde_json::from_str(printed.lines().next().unwrap_or_default()).expect("JSON")
    };
    let programs = [
        "examples/digits.nn",
        "examples/digits_mlp.nn",
        "examples/moons.nn",
        "examples/gan.nn",
        "examples/xor.nn",
        "tests/run/whole_splits.nn",
    ];
    for (program, flags) in programs.iter().flat_map(|p| ["--threads 1", "--threads 2 --workers 3"].map(|f| (p, f))) {
        let checked = json(&format!("check {program} --memory --message-format json {flags}"));
        let planned = json(&format!("run {program} --dry-run --json {flags}"));
        assert_eq!(checked["planned_bytes"], planned["planned_bytes"], "{program} {flags}");
        assert_eq!(checked["exact"], true);
        let bytes = |of: &serde_json::Value| of["bytes"].as_u64().unwrap_or_default();
        let parts: u64 = checked["parts"].as_array().expect("parts").iter().map(bytes).sum();
        assert_eq!(Some(parts), checked["planned_bytes"].as_u64(), "{program}: the parts add up");
        let programs = checked["programs"].as_array().expect("programs").len() as u64;
        assert_eq!(Some(programs), planned["compiled"].as_u64(), "{program}: all programs");
    }
    let all = json("check tests/run/training.nn --memory --message-format json --threads 1");
    assert_eq!(all["memory"], "whole");
    // Every train block of a program has its line.
    let lines = succeed("check tests/run/training.nn --memory --message-format json --threads 1");
    for line in lines.lines() {
        let checked: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let name = checked["memory"].as_str().expect("a name");
        let planned = json(&format!("run tests/run/training.nn --train {name} --dry-run --json --threads 1"));
        assert_eq!(checked["planned_bytes"], planned["planned_bytes"], "{name}");
    }
    assert_eq!(lines.lines().count(), 9);
}

/// Where data is not at hand that is said, and full minibatches are planned.
#[test]
fn memory_without_data_says_so() {
    let folder = common::Folder::new("absent");
    let program = folder.write(
        "absent.nn",
        "data d {\n    train = csv(\"nowhere.csv\", label = \"y\")\n    x: [3] = features\n    y: class(2) = label\n}\n\
         model Net(x: [3]) -> [2] { x |> dense(2) as fc }\n\
         train t {\n    data = d\n    objective = cross_entropy(Net(x), y)\n    optimizer = sgd(lr = 0.1)\n    batch = 8\n    epochs = 1\n}\n",
    );
    let said = succeed(&format!("check {} --memory", program.display()));
    assert!(said.contains("for minibatches of 8") && said.contains("without data and short minibatches"), "{said}");
    assert!(said.contains("nowhere.csv"), "{said}");
}

#[test]
#[cfg(target_os = "linux")]
#[ignore = "takes half a minute"]
fn a_big_network() {
    planned_is_taken(&["mlp-big"]);
}
