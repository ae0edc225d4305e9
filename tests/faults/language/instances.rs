//! A model is one instance in a train block, whatever it is called there; two layers never come to share parameters
//! because their names come out alike.

use super::{parameters, program, refused};

const NET: &str = "model Net(x: [4]) -> [4] { x |> dense(4) as fc }\n";

fn of_net(layer: &str, objective: &str) -> Vec<String> {
    parameters(&program(&format!("{NET}{layer}"), objective))
}

/// Its weight and bias, once.
#[test]
fn a_model_that_is_bound_to_a_name_is_the_model() {
    let bound = "layer two(x: [4]) -> [4] { net = Net; net(x) + Net(2 * x) }";
    assert_eq!(of_net(bound, "squared_error(two(x), y)"), ["fc.W", "fc.b"]);
    assert_eq!(
        of_net("layer two(x: [4]) -> [4] { Net(x) + Net(2 * x) }", "squared_error(two(x), y)"),
        ["fc.W", "fc.b"]
    );
    let in_block = "squared_error(p(x) + q(x) + Net(x), y)\n    p = Net\n    q = p";
    assert_eq!(of_net("", in_block), ["fc.W", "fc.b"]);
}

#[test]
fn a_model_that_is_an_argument_is_the_model() {
    for used in
        ["repeat(x, 3, Net)", "residual(x, Net)", "residual(Net(x), Net)", "x |> residual(Net) |> repeat(2, Net)"]
    {
        let layer = format!("layer use_of(x: [4]) -> [4] {{ {used} }}");
        assert_eq!(of_net(&layer, "squared_error(use_of(x), y)"), ["fc.W", "fc.b"], "{used}");
    }
    let every = "fn rows(x: [4]) -> [3, 4] { y[i, j]: [3, 4] = x[j] }
layer of_rows(x: [4]) -> [4] { r = rows(x) |> positionwise(Net); s = scan e in rows(x) with h = x { Net(h) + e }; r[0] + s[2] }";
    assert_eq!(of_net(every, "squared_error(of_rows(x) + Net(x), y)"), ["fc.W", "fc.b"]);
}

/// A layer, in contrast, is another one in every use and every turn.
#[test]
fn a_layer_is_an_instance_of_its_own_in_every_use() {
    let layer = "layer lin(x: [4]) -> [4] { x |> dense(4, bias = false) as fc }
layer use_of(x: [4]) -> [4] { repeat(x, 3, lin) + lin(x) }";
    let found =
        parameters(&program(&format!("{layer}\nmodel M(x: [4]) -> [4] {{ use_of(x) }}"), "squared_error(M(x), y)"));
    assert_eq!(found.len(), 4, "{found:?}");
}

/// `as` makes another network of a model; it is the only word that does.
#[test]
fn as_makes_another_network_of_a_model() {
    let found = of_net("", "squared_error(Net(x) + teacher(x) + teacher(2 * x), y)\n    teacher = Net as teacher");
    assert_eq!(found, ["fc.W", "fc.b", "teacher.fc.W", "teacher.fc.b"]);
    let inside = "layer pair(x: [4]) -> [4] { (Net(x) as own) + Net(x) }";
    let found = of_net(inside, "squared_error(pair(x) + pair(2 * x), y)");
    assert_eq!(found, ["pair.own.fc.W", "pair.own.fc.b", "fc.W", "fc.b", "pair2.own.fc.W", "pair2.own.fc.b"]);
}

/// Two models that only a layer names have their names before their parameters, as when the block names them.
#[test]
fn models_that_only_a_layer_names_are_two() {
    let models = "model A(x: [4]) -> [4] { x |> dense(4, bias = false) }
model B(x: [4]) -> [4] { x |> dense(4, bias = false) }
layer both(x: [4]) -> [4] { A(x) + B(x) }";
    assert_eq!(parameters(&program(models, "squared_error(both(x), y)")), ["A.dense.W", "B.dense.W"]);
}

/// The second unnamed layer would be `dense2` by counting, which is taken.
#[test]
fn counting_passes_names_that_were_given() {
    let model = "model M(x: [4]) -> [4] {
    x |> dense(4, bias = false) as dense2 |> relu |> dense(4, bias = false) |> relu |> dense(4, bias = false)
}";
    assert_eq!(parameters(&program(model, "squared_error(M(x), y)")), ["dense2.W", "dense.W", "dense3.W"]);
}

#[test]
fn names_are_given_once() {
    let twice = "model M(x: [4]) -> [4] { x |> dense(4) as fc |> relu |> dense(4) as fc }";
    refused(&program(twice, "squared_error(M(x), y)"), "duplicate-definition", &["two things are called `fc` here"]);
    let param = "model M(x: [4]) -> [4] { param fc: [4] ~ zeros; fc + (x |> dense(4) as fc) }";
    refused(&program(param, "squared_error(M(x), y)"), "duplicate-definition", &["two things are called `fc` here"]);
    let taken = "model M(x: [4]) -> [4] { x |> dense(4) |> relu |> dense(4) |> relu |> dense(4) as dense2 }";
    refused(&program(taken, "squared_error(M(x), y)"), "duplicate-definition", &["`dense2`"]);
    let models = "squared_error((Net(x) as a) + (Net(2 * x) as a), y)";
    refused(&program(NET, models), "duplicate-definition", &["two things are called `a` here"]);
}

/// A layer of the block and one of its model, both `fc`; two loops without a name.
#[test]
fn layers_whose_paths_come_out_alike_are_refused() {
    refused(
        &program(NET, "squared_error(dense(Net(x), 4) as fc, y)"),
        "duplicate-definition",
        &["two layers would have one `fc.W`", "the first one", "the second one"],
    );
    let loops = "model M(x: [4]) -> [4] {
    h = relu(for l in 1..2 with h = x { dense(h, 4) })
    for l in 1..2 with g = h { dense(g, 4) }
}";
    refused(&program(loops, "squared_error(M(x), y)"), "duplicate-definition", &["`1.dense.W`", "h = for .."]);
    let named = loops
        .replace("h = relu(for l in 1..2 with h = x { dense(h, 4) })", "h = for l in 1..2 with h = x { dense(h, 4) }");
    assert_eq!(parameters(&program(&named, "squared_error(M(x), y)")).len(), 8);
}

/// A local function that names its layer may be used twice; each use is a layer of its own.
#[test]
fn a_local_function_may_name_its_layer() {
    let model = "model M(x: [4]) -> [4] { f = fn(v) = v |> dense(4, bias = false) as lin |> relu; f(f(x)) }";
    assert_eq!(parameters(&program(model, "squared_error(M(x), y)")), ["lin.W", "lin2.W"]);
}

/// Files have one tensor of a name.
#[test]
fn two_parameters_are_not_saved_as_one() {
    let model = "model M(x: [4]) -> [4] { param a \"w\": [4] ~ zeros; param b \"w\": [4] ~ ones; x * a + b }";
    refused(
        &program(model, "squared_error(M(x), y)"),
        "duplicate-definition",
        &["`b` and `a` would both be saved as `w`"],
    );
    let state =
        "model M(x: [4]) -> [4] { param a \"w\": [4] ~ ones; state s \"w\": [4] = 0; s' = mean[batch] x; x * a + s }";
    refused(&program(state, "squared_error(M(x), y)"), "duplicate-definition", &["would both be saved as `w`"]);
}

/// The program's own `exp` is meant in the program, not in the library's softmax: softmax of equal logits is 1/4 each.
#[test]
fn a_function_of_the_program_does_not_change_the_library() {
    let text = program(
        "fn exp(x) = x\nmodel M(x: [4]) -> [4] { param w: [4] ~ zeros; w * x |> softmax }",
        "squared_error(M(x), y)",
    );
    let (fine, said) = super::said("emit --stage ir", &text);
    assert!(fine && said.contains("exp("), "{said}");
}
