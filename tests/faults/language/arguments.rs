//! Which parameter an argument is for is said, unless it is an input, has no default value, or is the first setting.

use super::{lines, program, refused, right};

fn optimizer(rule: &str) -> String {
    let model = "model M(x: [4]) -> [4] { dense(x, 4) }";
    lines(model, &format!("    objective = squared_error(M(x), y)\n    optimizer = {rule}\n"))
}

fn of(body: &str) -> String {
    program(&format!("model M(x: [4]) -> [4] {{ {body} }}"), "squared_error(M(x), y)")
}

/// `adam(0.9, 0.999)` would have the learning rate 0.9.
#[test]
fn a_setting_beyond_the_first_has_its_name() {
    refused(&optimizer("adam(0.9, 0.999)"), "argument-needs-name", &["would be `beta1`", "`beta1 = ..`"]);
    refused(&optimizer("sgd(cosine(0.1, 0.01))"), "argument-needs-name", &["would be `end`"]);
    refused(&of("x |> dense(4, he_normal)"), "argument-needs-name", &["would be `init`"]);
    refused(&of("f = fn(v) = dense(v, 4, zeros); f(x)"), "argument-needs-name", &["would be `init`"]);
    let own = "fn f(x: [4], a = 1, b = 2) -> [4] { a * b * x }\nmodel M(x: [4]) -> [4] { f(dense(x, 4), 3, 4) }";
    refused(&program(own, "squared_error(M(x), y)"), "argument-needs-name", &["would be `b`"]);
}

#[test]
fn inputs_and_the_first_setting_need_none() {
    right(&optimizer("adam(1e-3, beta1 = 0.8)"));
    right(&optimizer("sgd(linear_decay(0.1, 0.01, 100))"));
    right(&of("x |> dense(4) |> dropout(0.3) |> residual(dense(4), shortcut = dense(4))"));
    // What has the parameter's own name says which it is.
    right(&of("init = he_normal; x |> dense(4, init)"));
    refused(&of("start = he_normal; x |> dense(4, start)"), "argument-needs-name", &["would be `init`"]);
    right(&of("h = dense(x, 4); lerp(h, x, 0.5) + cosine_lerp(h, x, 0.5)"));
}
