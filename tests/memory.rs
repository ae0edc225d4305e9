//! The memory a program plans is the memory it takes: the resident set grows by what was planned, give or take a tenth
//! and two megabytes (the machine code, tables of the compiler, stacks), over a program that needs next to nothing.

mod common;

use common::succeed;

/// Planned bytes and the largest resident set.
fn measured(program: &str) -> (f64, f64) {
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

#[test]
#[cfg(target_os = "linux")]
#[ignore = "takes half a minute"]
fn a_big_network() {
    planned_is_taken(&["mlp-big"]);
}
