//! A type that is no type is an error wherever a type can stand.

use super::{lines, program, refused, right};

#[test]
fn a_word_that_is_no_type_is_refused() {
    for definition in [
        "fn f(x: [4], u: bananas) -> [4] { x * u }",
        "fn f(x: [4]) -> bananas { x * 2 }",
        "fn f(r: { a: bananas }) -> [4] { r.a }",
        "fn f(x: [4]) -> { a: bananas } { { a = x } }",
        "layer f(x: [4]) -> [4] { state s: bananas = 0; x + s }",
        "layer f(x: [4]) -> [4] { param s: bananas ~ zeros; x + s }",
        "layer f(x: [4]) -> [4] { h: bananas = 2 * x; h }",
        "layer f(x: [4]) -> [4] { h: bananas ~ normal(0, 1); h + x }",
        "layer f(x: [4]) -> [4] { h: [4] of bananas = x; h }",
        "layer f(x: [4]) -> [4] { g = fn(v: bananas) = v; g(x) }",
    ] {
        // Used or not.
        let text =
            program(&format!("{definition}\nmodel M(x: [4]) -> [4] {{ dense(x, 4) }}"), "squared_error(M(x), y)");
        refused(&text, "unknown-type", &["there is no type `bananas`"]);
    }
    let model = "model M(x: [4]) -> [4] { dense(x, 4) }";
    let local = "    h: bananas = M(x)\n    objective = squared_error(h, y)\n    optimizer = sgd(lr = 0.1)\n";
    refused(&lines(model, local), "unknown-type", &["there is no type `bananas`"]);
    let setting = program(model, "squared_error(w * M(x), y)").replace("train t", "train t(w: bananas = 2)");
    refused(&setting, "unknown-type", &["there is no type `bananas`"]);
}

#[test]
fn the_word_of_another_language_is_known() {
    for (word, meant) in
        [("int", "dim"), ("float", "number"), ("boolean", "bool"), ("Module", "layer"), ("nmber", "number")]
    {
        let text = program(
            &format!("fn f(x: [4], u: {word}) -> [4] {{ x }}\nmodel M(x: [4]) -> [4] {{ dense(x, 4) }}"),
            "squared_error(M(x), y)",
        );
        refused(&text, "unknown-type", &[&format!("write `{meant}`")]);
        right(&text.replace(word, meant));
    }
}

/// A word for a setting says nothing of a value; `number` is a single number, as `[]` is.
#[test]
fn words_stand_where_they_mean_something() {
    let text = |ty: &str, value: &str| {
        let f = format!("fn f(x: [4]) -> {ty} {{ {value} }}\nmodel M(x: [4]) -> [4] {{ dense(x, 4) * f(x) }}");
        program(&f, "squared_error(M(x), y)")
    };
    right(&text("number", "x[0]"));
    refused(&text("number", "2 * x"), "rank-mismatch", &["should have shape []"]);
    refused(&text("dim", "x[0]"), "unknown-type", &["`dim` is the type of a setting"]);
    let state = "layer f(x: [4]) -> [4] { state s: number = 0; s' = s + 1; x + s }
model M(x: [4]) -> [4] { x |> dense(4) |> f }";
    right(&program(state, "squared_error(M(x), y)"));
}
