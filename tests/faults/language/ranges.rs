//! An argument that its parameter cannot be is refused where it stands.

use super::{lines, program, refused, right, said};

fn of(definitions: &str, body: &str) -> String {
    let model = format!("{definitions}\nmodel M(x: [4]) -> [4] {{ {body} }}");
    program(&model, "squared_error(M(x), y)")
}

fn optimizer(rule: &str) -> String {
    let model = "model M(x: [4]) -> [4] { dense(x, 4) }";
    lines(model, &format!("    objective = squared_error(M(x), y)\n    optimizer = {rule}\n"))
}

#[test]
fn a_layer_says_what_its_settings_may_be() {
    let range = "`p` of `dropout` must be at least 0 and below 1, but is 50";
    refused(
        &of("", "x |> dense(4) |> dropout(50)"),
        "out-of-range",
        &[range, "each element is 0 with probability `p`", "write `0.5`"],
    );
    refused(&of("", "x |> dense(4) |> dropout(1)"), "out-of-range", &["below 1, but is 1"]);
    refused(&of("", "x |> dense(4) |> dropout(p = -0.1)"), "out-of-range", &["but is -0.1"]);
    let norm = ["`eps` of `layer_norm` must be", "a small number", "takes its sizes from its input: leave the 16 out"];
    refused(&of("", "x |> dense(4) |> layer_norm(16)"), "out-of-range", &norm);
    refused(&of("", "layer_norm(dense(x, 4), 16)"), "out-of-range", &norm);
    right(&of("", "x |> dense(4) |> layer_norm()"));
    right(&of("", "x |> dense(4) |> dropout(0)"));
    for (body, says) in [
        ("x |> dense(0)", "`units` of `dense` must be at least 1, but is 0"),
        ("x |> dense(4) |> jitter(-1)", "`sigma` of `jitter` must be at least 0"),
        ("x |> dense(4) |> elu(-1)", "`alpha` of `elu` must be above 0"),
        ("x |> dense(4, init = xavier_uniform(-1))", "`gain` of `xavier_uniform` must be above 0"),
        ("kept: [4] ~ bernoulli(2); kept * dense(x, 4)", "`p` of `bernoulli` must be at least 0 and at most 1"),
        ("e: [4] ~ normal(0, -1); e + dense(x, 4)", "the deviation of a normal distribution is not negative"),
        ("e: [4] ~ uniform(1, 0); e + dense(x, 4)", "write `uniform(0, 1)`"),
    ] {
        refused(&of("", body), "out-of-range", &[says]);
    }
}

/// The number may come from a parameter further out.
#[test]
fn an_inner_layer_is_given_what_the_outer_one_was() {
    let outer = "layer thin(x: [4], share = 0.1) -> [4] { x |> dense(4) |> dropout(share) }";
    refused(
        &of(outer, "thin(x, share = 7)"),
        "out-of-range",
        &["`p` of `dropout`", "but is 7", "in this use of `thin`"],
    );
    right(&of(outer, "thin(x, share = 0.7)"));
}

#[test]
fn optimisers_and_schedules_say_theirs() {
    for (rule, says) in [
        ("sgd(lr = -0.1)", "`lr` of `sgd` must be at least 0, but is -0.1"),
        ("adam(beta1 = 1.5)", "`beta1` of `adam` must be at least 0 and below 1, but is 1.5"),
        ("momentum(0.1, alpha = 90)", "write `0.9`"),
        ("adamw(1e-3, decay = -0.1)", "`decay` of `adamw`"),
        ("sgd(warm_up(cosine(0.1), over = 0))", "`over` of `warm_up` must be above 0"),
        ("sgd(plateau(0.1, factor = 2))", "`factor` of `plateau` must be above 0 and below 1"),
    ] {
        let valid = optimizer(rule).replace("    batch", "    valid = split(0.2)\n    batch");
        refused(&valid, "out-of-range", &[says]);
    }
    let clip = optimizer("sgd(lr = 0.1)").replace("    batch", "    clip = global_norm(-1)\n    batch");
    refused(&clip, "out-of-range", &["`limit` of `global_norm` must be above 0"]);
}

/// What a schedule is when it starts is known as well.
#[test]
fn a_schedule_is_looked_at_where_it_starts() {
    refused(&optimizer("sgd(cosine(-0.1))"), "out-of-range", &["`lr` of `sgd` must be at least 0, but begins as -0.1"]);
    right(&optimizer("sgd(warm_up(cosine(0.1), over = 10))"));
}

#[test]
fn a_program_declares_ranges_of_its_own() {
    let f = |range: &str| format!("fn f(x: [4], b = 2, a = 1 where {range}) -> [4] {{ a * b * x }}");
    right(&of(&f("0 < a <= b"), "f(dense(x, 4), a = 2)"));
    refused(&of(&f("0 < a <= b"), "f(dense(x, 4), a = 3)"), "out-of-range", &["above 0 and at most 2, but is 3"]);
    refused(&of(&f("b >= a > 0"), "f(dense(x, 4), a = 3)"), "out-of-range", &["above 0 and at most 2, but is 3"]);
    refused(&of(&f("a < 1"), "f(dense(x, 4))"), "out-of-range", &["below 1, but is 1"]);
    refused(&of(&f("c < 3"), "f(dense(x, 4))"), "unexpected-token", &["which numbers `a` may be"]);
    refused(&of(&f("a == 3"), "f(dense(x, 4))"), "unexpected-token", &["`0 <= a < 1`"]);
    refused(&of(&f("1 < a > 3"), "f(dense(x, 4))"), "unexpected-token", &["which numbers `a` may be"]);
    refused(&of("", "f = fn(v, b = 2 where b < 1) = b * v; f(dense(x, 4))"), "out-of-range", &["`b` of this function"]);
    let block = optimizer("sgd(lr = rate)").replace("train t", "train t(rate = 2 where rate < 1)");
    refused(&block, "out-of-range", &["`rate` of `t` must be below 1"]);
}

#[test]
fn data_and_train_blocks_have_theirs() {
    let points = "data p { train = moons(20); x: [2] = point; y: class(2) = label }
model N(x: [2]) -> [2] { x |> dense(2) }
train t { data = p; objective = cross_entropy(N(x), y); optimizer = sgd(lr = 0.1); batch = 4; epochs = 1; valid = split(0.5) }
";
    for (from, to) in [
        ("moons(20)", "moons(20, noise = -1)"),
        ("moons(20)", "spirals(20, turns = -1)"),
        ("moons(20)", "blobs(20, noise = -0.5)"),
        ("moons(20)", "xor(20, noise = -0.5)"),
        ("moons(20)", "moons(-5)"),
        ("split(0.5)", "split(1.5)"),
        ("batch = 4", "batch = 0"),
        ("epochs = 1", "epochs = -1"),
        ("epochs = 1", "epochs = 1; stop = early_stopping(valid.loss, patience = -1)"),
    ] {
        let (fine, said) = said("check", &points.replace(from, to));
        assert!(!fine && said.matches("error[").count() == 1, "{to}: {said}");
    }
    right(points);
}
