//! Of two things of one name in one list none is taken silently.

use super::{DATA, lines, program, refused};

#[test]
fn a_name_stands_once_in_a_list() {
    for definition in [
        "fn f(a: [], a: []) -> [] = a",
        "fn f[n, n](a: [n]) -> [n] = a",
        "fn f[n](n: [n]) -> [] = sum[i] n[i]",
        "fn f(x: [4]) -> [] { r = { a = x[0], a = x[1] }; r.a }",
        "layer f(x: [4]) -> [4] { dropout(x, p = 0.1, p = 0.9) }",
        "layer f(x: [4]) -> [4] { g = fn(v, v) = v; g(x, x) }",
        "layer f(x: [4]) -> [4] { e: [4] ~ normal(0, 1); h = x + e; e: [4] ~ normal(0, 2); h + e }",
    ] {
        let text =
            program(&format!("{definition}\nmodel M(x: [4]) -> [4] {{ dense(x, 4) }}"), "squared_error(M(x), y)");
        // A draw is seen when it is made.
        let used = if definition.contains('~') { text.replace("dense(x, 4)", "f(dense(x, 4))") } else { text };
        refused(&used, "duplicate-definition", &["twice"]);
    }
}

#[test]
fn a_field_is_not_hidden_by_a_line_of_the_block() {
    let model = "model M(x: [4]) -> [4] { dense(x, 4) }";
    let objective = "    objective = squared_error(M(x), y)\n    optimizer = sgd(lr = 0.1)\n";
    let line = format!("    y = [1, 2, 3, 4]\n{objective}");
    refused(&lines(model, &line), "duplicate-definition", &["`y` is a field of the data"]);
    let metrics = format!("{objective}    metrics = {{ a = mse(M(x), y), a = mae(M(x), y) }}\n");
    refused(&lines(model, &metrics), "duplicate-definition", &["`a` is given twice"]);
    let field = DATA.replace("    y:", "    x: [4] = random_normal(64, [4], seed = 3)\n    y:");
    let text = lines(model, objective).replace(DATA, &field);
    refused(&text, "duplicate-definition", &["`x` is given twice"]);
}
