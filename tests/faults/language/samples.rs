//! `batch` is how many samples there are, `this` the number of the one at hand.

use super::{lines, program, refused, right, said};
use crate::common::{Folder, read_arrays, succeed};

fn with(layer: &str) -> String {
    program(&format!("{layer}\nmodel M(x: [4]) -> [4] {{ x |> dense(4) |> f }}"), "squared_error(M(x), y)")
}

/// What read `batch` as the sample at hand is refused, with a change that means what it meant.
#[test]
fn the_count_is_not_taken_for_a_number() {
    let write = &["`batch` is how many samples the minibatch has", "write `this`"][..];
    for layer in [
        "layer f(x: [4]) -> [4] { y[i] = if i == batch then 0 else x[i] }",
        "layer f(x: [4]) -> [4] { n = sum[b: batch] (if b == batch then 0 else 1); n * x }",
        "layer f(x: [4]) -> [4] { n = sum[b: batch] (if batch > b then 0 else 1); n * x }",
        "layer f(x: [4]) -> [4] { state last: [8, 4] = 0; y[k] = x[k] + (last[batch, k] or 0) }",
        "layer f(x: [4]) -> [4] { param start: [8] ~ zeros; x + start[batch] }",
        "layer f(x: [4]) -> [4] { x@batch }",
    ] {
        refused(&with(layer), "batch-is-a-count", write);
        // `this` instead compiles, but for a read that nothing keeps inside.
        let changed = layer.replace("== batch", "== this").replace("(if batch", "(if this");
        let changed = changed.replace("[batch", "[this").replace("@batch", "@this");
        if layer.contains("start") {
            refused(&with(&changed), "out-of-bounds", &["from 0 on"]);
        } else {
            right(&with(&changed));
        }
    }
}

#[test]
fn a_position_of_what_every_sample_has_is_left_out() {
    for (layer, changed) in [
        ("partner ~ shuffled; x@partner[batch]", "partner ~ shuffled; x@partner"),
        ("y[i] = x[batch, i]", "y[i] = x[i]"),
    ] {
        let text = |body: &str| with(&format!("layer f(x: [4]) -> [4] {{ {body} }}"));
        refused(&text(layer), "batch-is-a-count", &["leave it out"]);
        right(&text(changed));
    }
}

/// The count itself stays a number like any other, also to compare with.
#[test]
fn the_count_may_be_computed_with() {
    right(&with("layer f(x: [4]) -> [4] { y[i] = if i < batch then x[i] / batch else x[i] }"));
    right(&with("layer f(x: [4]) -> [4] { y[i] = if i == (batch) then 0 else x[i] }"));
}

/// The number depends on where a minibatch is cut.
#[test]
fn the_number_in_a_microbatch_is_no_number_in_the_minibatch() {
    let text = |factor: &str| {
        let layer =
            format!("layer f(x: [4]) -> [4] {{ x * {factor} }}\nmodel M(x: [4]) -> [4] {{ x |> dense(4) |> f }}");
        lines(&layer, "    objective = squared_error(M(x), y)\n    optimizer = sgd(lr = 0.1)\n    accumulate = 2\n")
    };
    refused(&text("this"), "batch-is-cut", &[]);
    right(&text("2"));
}

/// A state with a row for every place in the minibatch carries what was there on. Two minibatches, 0 to 3 and 4 to 7: the
/// second reads the first, and leaves itself.
#[test]
fn a_state_carries_on_by_place() {
    let text = "data d { for a: 8 { x: [1] = [a] } }
layer kept(x: [1]) -> [1] {
    state last: [4] = 0
    next[i]: [4] = sum[batch] (if this == i then x[0] else 0)
    last' = next
    y[k] = x[k] - (last[this] or 0)
}
model M(x: [1]) -> [1] { param w: [1] ~ ones; w * kept(x) }
train t {
    data = d
    objective = M(x)[0]
    optimizer = sgd(lr = 0)
    batch = 4
    epochs = 1
    shuffle = false
}
";
    let folder = Folder::new("carried");
    let path = folder.write("net.nn", text);
    let out = folder.path("run");
    let printed = succeed(&format!("run {} --json --out {}", path.display(), out.display()));
    let state = &read_arrays(&out.join("weights.safetensors"))["kept.last"].values;
    assert_eq!(state[..], [4.0, 5.0, 6.0, 7.0]);
    // The mean of 0, 1, 2, 3 and, in the second minibatch, of 4 - 0, 5 - 1, 6 - 2, 7 - 3.
    let epoch = printed.lines().find(|l| l.contains("\"event\":\"epoch\"")).expect("an epoch");
    assert!(epoch.contains("\"loss\":2.75"), "{printed}");
}

#[test]
fn an_initial_value_has_no_sample() {
    let (fine, said) = said("check", &with("layer f(x: [4]) -> [4] { param w: [4] ~ constant(this); x * w }"));
    assert!(!fine && said.contains("not-known-yet"), "{said}");
}
