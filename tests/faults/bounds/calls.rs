//! Calls that call themselves, and calls that double.

use super::{SETTINGS, accepted, program, refused};

/// A layer that puts `k` of its kind behind each other.
const REC: &str =
    "layer rec[n](x: [n], k: dim) -> [n] {\n    if k == 0 { x } else { x |> dense(n) as d |> tanh |> rec(k - 1) }\n}\n";

fn checked(before: &str, body: &str) -> String {
    refused("calls", "check FILE", &program(before, body, SETTINGS), 1)
}

#[test]
fn a_recursion_that_ends_at_fifty_is_taken() {
    for depth in [7, 20, 50] {
        accepted("ends", "check FILE", &program(REC, &format!("    x |> rec({depth}) |> dense(1) as fc"), SETTINGS));
    }
}

#[test]
fn a_deeper_one_is_told_the_limit() {
    let said = checked(REC, "    x |> rec(100) |> dense(1) as fc");
    assert!(said.contains("calls itself more than 64 times, which is as deep as nnc goes"), "{said}");
    assert_eq!(said.matches("error[").count(), 1, "{said}");
}

#[test]
fn an_endless_one_is_known_by_its_second_call() {
    let endless = "layer rec[n](x: [n], k: dim) -> [n] {\n    x |> dense(n) as d |> tanh |> rec(k)\n}\n";
    let said = checked(endless, "    x |> rec(3) |> dense(1) as fc");
    assert!(said.contains("calls itself without end"), "{said}");
}

/// Two calls in each: 2^64 of them before the limit, were the first refusal not the last.
#[test]
fn an_endless_one_that_doubles_ends_at_once() {
    let two = "layer rec[n](x: [n], k: dim) -> [n] {\n    rec(x, k + 1) + rec(2 * x, k + 1)\n}\n";
    let said = checked(two, "    x |> rec(3) |> dense(1) as fc");
    assert!(said.contains("calls itself more than 64 times"), "{said}");
    assert_eq!(said.matches("error[").count(), 1, "{said}");
}

/// Thirty functions, each of which calls the one before twice: 2^30 applications of the first.
#[test]
fn functions_that_double_are_counted_and_named() {
    let mut functions = "fn f0(x: []) = tanh(x)\n".to_string();
    for k in 1..=30 {
        functions.push_str(&format!("fn f{k}(x: []) = f{}(x) + f{}(2 * x)\n", k - 1, k - 1));
    }
    let said = checked(&functions, "    h[i]: [4] = f30(x[i])\n    h |> dense(1) as fc");
    assert!(said.contains("too-deep") && said.contains("has more than") && said.contains("`f0`"), "{said}");
    assert_eq!(said.matches("error[").count(), 1, "{said}");
}

/// Records that hold the one before twice: 2^24 tensors at the end, if they are written out.
#[test]
fn records_that_double_are_counted() {
    let lines: String = (1..=24).map(|k| format!("    r{k} = {{ a = r{}, b = r{} }}\n", k - 1, k - 1)).collect();
    let said = checked(
        "",
        &format!("    r0 = {{ a = x, b = x }}\n{lines}    h = r24{}\n    h |> dense(1) as fc", ".a".repeat(25)),
    );
    assert!(said.contains("too-deep") && said.contains("has more than"), "{said}");
    assert_eq!(said.matches("error[").count(), 1, "{said}");
}

/// Each unknown name is an error, but guesses are made for the first hundred only, and a person is shown as many.
#[test]
fn thousands_of_mistakes_are_counted_not_printed() {
    let lines: Vec<String> = (0..2000).map(|k| format!("    a{k} = unknwn{k}(x)")).collect();
    let said = checked("", &format!("{}\n    x |> dense(1) as fc", lines.join("\n")));
    assert!(said.contains("more like these"), "{said}");
    assert_eq!(said.matches("error[").count(), 100);
}
