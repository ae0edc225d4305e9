//! Lists of numbers: as long as they like, in time that grows with their length.

use super::{SETTINGS, accepted, program};
use crate::common::{Folder, errors, nnc, read_arrays};

/// Numbers that f32 holds exactly, no two neighbours alike.
fn numbers(count: usize) -> Vec<f64> {
    (0..count).map(|k| ((k * 7919) % 2048) as f64 / 1024.0 - 1.0).collect()
}

fn list(values: &[f64]) -> String {
    let texts: Vec<String> = values.iter().map(f64::to_string).collect();
    format!("[{}]", texts.join(", "))
}

/// Parameters of the given extents that begin at zero, moved once by the rate 1 against the derivative of `total`: they
/// become what `total` multiplies them with, negated.
fn moved(name: &str, extents: &str, total: &str) -> Vec<f64> {
    let text = format!(
        "model Point() -> [{extents}] {{\n    param p: [{extents}] ~ zeros\n    p\n}}\n{total}\n\
         train t {{\n    objective = total(Point())\n    optimizer = sgd(lr = 1)\n    steps = 1\n}}\n"
    );
    let folder = Folder::new(name);
    let file = folder.write("t.nn", text);
    let out = folder.path("out");
    let output = nnc().arg("run").arg(&file).arg("--out").arg(&out).output().expect("the command starts");
    assert!(output.status.success(), "{}", errors(&output));
    read_arrays(&out.join("weights.safetensors"))["p"].values.clone()
}

#[test]
fn a_list_of_twenty_thousand_numbers_is_read_and_differentiated() {
    let values = numbers(20_000);
    let total = format!("fn total[n](p: [n]) {{\n    c = {}\n    sum[i] c[i] * p[i]\n}}", list(&values));
    let moved = moved("long", "20000", &total);
    // d/dp[i] of the sum over c[i] p[i] is c[i].
    assert!(moved.iter().zip(&values).all(|(w, c)| *w == -c));
}

#[test]
fn a_list_of_lists_lies_row_by_row() {
    let values = numbers(60 * 50);
    let rows: Vec<String> = values.chunks(50).map(list).collect();
    let total = format!(
        "fn total(p: [60, 50]) {{\n    c = [{}]\n    sum[i, j] c[i, j] * p[i, j]\n}}",
        rows.join(",\n        ")
    );
    let moved = moved("rows", "60, 50", &total);
    assert!(moved.iter().zip(&values).all(|(w, c)| *w == -c));
}

/// Three parts of it: read with an offset, out of its bounds, and by a class.
#[test]
fn a_list_is_read_like_any_tensor() {
    let values = numbers(100);
    let order: Vec<usize> = (0..100).map(|k| (k * 37) % 100).collect();
    let classes: Vec<String> = order.iter().map(usize::to_string).collect();
    let total = format!(
        "fn total(p: [100]) {{\n    c = {}\n    o: [100] of class(100) = [{}]\n    \
         sum[i: 100] (c[o[i]] + 4 * (c[i + 1] or 0)) * p[i]\n}}",
        list(&values),
        classes.join(", ")
    );
    let moved = moved("read", "100", &total);
    let wanted = |i: usize| values[order[i]] + 4.0 * values.get(i + 1).copied().unwrap_or(0.0);
    assert!((0..100).all(|i| moved[i] == -wanted(i)), "{moved:?}");
}

/// What is not a number is chosen by its place; by halves, so that a long list is not a deep expression.
#[test]
fn a_list_of_expressions_is_chosen_by_halves() {
    let entries: Vec<String> = (0..500).map(|k| format!("{k} * x[{}]", k % 4)).collect();
    let body = format!("    c = [{}]\n    h[i]: [500] = c[i]\n    h |> dense(1) as fc", entries.join(", "));
    accepted("chosen", "check FILE", &program("", &body, SETTINGS));
}

#[test]
fn the_text_of_a_list_is_read_back() {
    let body = format!("    c = {}\n    h[i]: [40] = c[i] * x[0]\n    h |> dense(1) as fc", list(&numbers(40)));
    let text = accepted("text", "emit FILE --stage ir --form index", &program("", &body, SETTINGS));
    assert!(text.contains("listed "), "{text}");
    let module = compiler::ir::text::parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert_eq!(compiler::ir::text::print(&module), text);
    let source = accepted("source", "emit FILE --stage grad", &program("", &body, SETTINGS));
    assert!(
        source.contains("list: [40] = [-1, 0.7333984375, "),
        "the numbers stand in the program as source\n{source}"
    );
}
