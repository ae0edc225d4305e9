//! Weights that a train block starts from, and what is frozen.

use crate::common::{Folder, fail, read_arrays, run, succeed};
use std::path::PathBuf;

/// Two blocks, the second of which starts from the first.
fn program(folder: &Folder, second: &str, more: &str) -> PathBuf {
    let text = format!(
        "data d {{\n x: [4] = random_normal(20, [4], seed = 1)\n y: class(2) = random_class(20, 2, seed = 2)\n}}\n\
         model First(x: [4]) -> [2] {{ x |> dense(3) as body |> tanh |> dense(2) as old }}\n\
         model Second(x: [4]) -> [2] {{ {second} }}\n\
         train one {{\n data = d\n objective = cross_entropy(First(x), y)\n optimizer = sgd(lr = 0.1)\n batch = 10\n epochs = 1\n}}\n\
         train two {{\n data = d\n objective = cross_entropy(Second(x), y)\n optimizer = sgd(lr = 0.1)\n start = one.weights\n\
         {more}\n batch = 10\n epochs = 1\n}}\n"
    );
    folder.write("p.nn", text)
}

const GOOD: &str = "x |> dense(3) as body |> tanh |> dense(2) as head";

fn line(folder: &Folder, program: &std::path::Path) -> String {
    format!("run {} --train two --threads 1 --out {}", program.display(), folder.path("run").display())
}

#[test]
fn a_run_says_what_it_has_taken_and_what_not() {
    let folder = Folder::new("starting");
    let program = program(&folder, GOOD, "");
    let said = succeed(&line(&folder, &program));
    let list = "begins with the weights of one:\n  body.weight  body.bias\n\
                begins with initial values of its own:\n  head.weight  head.bias\n\
                left in the weights of one:\n  old.bias  old.weight\n";
    assert!(said.contains(list), "{said}");
    let said = succeed(&format!("{} --json", line(&folder, &program)));
    let weights = said.lines().find(|l| l.contains("\"event\":\"weights\"")).expect("an event of its own");
    let weights: serde_json::Value = serde_json::from_str(weights).expect("JSON");
    assert_eq!(weights["from"], "one");
    assert_eq!(weights["taken"], serde_json::json!(["body.weight", "body.bias"]));
    assert_eq!(weights["initial"], serde_json::json!(["head.weight", "head.bias"]));
    assert_eq!(weights["left"], serde_json::json!(["old.bias", "old.weight"]));
}

#[test]
fn a_frozen_parameter_that_the_weights_do_not_have_is_an_error() {
    let folder = Folder::new("starting-frozen");
    let misnamed = "x |> dense(3) as bodi |> tanh |> dense(2) as old";
    let path = program(&folder, misnamed, "freeze = bodi.*");
    let said = fail(&line(&folder, &path), 3);
    assert!(said.contains("freezes `bodi.weight`, which the weights of `one` do not have"), "{said}");
    // Fixed initial values are values: only the weights are drawn at random.
    assert!(!said.contains("`bodi.bias`"), "{said}");
    let path = program(&folder, misnamed, "freeze = bodi.* as drawn");
    succeed(&line(&folder, &path));
}

#[test]
fn shapes_that_differ_under_one_name_are_an_error_with_both() {
    let folder = Folder::new("starting-shape");
    let path = program(&folder, "x |> dense(5) as body |> tanh |> dense(2) as head", "");
    let said = fail(&line(&folder, &path), 3);
    assert!(said.contains("`body.weight` has shape [5, 4] here, but [3, 4] in the weights of `one`"), "{said}");
}

#[test]
fn random_features_are_frozen_only_on_purpose() {
    let folder = Folder::new("starting-features");
    let write = |freeze: &str| {
        let text = format!(
            "data d {{\n x: [4] = random_normal(20, [4], seed = 1)\n y: class(2) = random_class(20, 2, seed = 2)\n}}\n\
             model Net(x: [4]) -> [2] {{ x |> dense(3) as a |> tanh |> dense(3) as b |> tanh |> dense(2) as c }}\n\
             train t {{\n data = d\n objective = cross_entropy(Net(x), y)\n optimizer = sgd(lr = 0.1)\n freeze = {freeze}\n\
             batch = 10\n epochs = 1\n}}\n"
        );
        folder.write("p.nn", text)
    };
    let line = |path: &std::path::Path| format!("check {}", path.display());
    for wrong in ["a.*", "[a.*, b.*]", "a.* as drawn, b.*", "weights"] {
        let said = fail(&line(&write(wrong)), 1);
        assert!(said.contains("frozen-at-random"), "{wrong}: {said}");
    }
    for right in ["a.* as drawn", "[a.*, b.*] as drawn", "a.* as drawn, b.* as drawn", "a.bias", "a.b, b.b"] {
        let output = run(&line(&write(right)));
        assert!(output.status.success(), "{right}: {}", crate::common::errors(&output));
    }
    // And they stay as they were.
    let path = write("a.* as drawn");
    let weights = |epochs: usize| {
        let out = folder.path(&format!("run{epochs}"));
        succeed(&format!("run {} --epochs {epochs} --out {}", path.display(), out.display()));
        read_arrays(&out.join("weights.safetensors"))
    };
    let (one, two) = (weights(1), weights(2));
    assert_eq!(one["a.weight"].values, two["a.weight"].values);
    assert_ne!(one["c.weight"].values, two["c.weight"].values);
}
