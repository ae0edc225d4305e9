//! Programs through the checker: what is elaborated, and what is refused with which words.
#![allow(clippy::unwrap_used)]

use grammar::diagnostic::Diagnostic;
use grammar::span::Sources;
use nnc_compiler::check::check;
use nnc_compiler::library;
use nnc_compiler::typed::print::print;
use std::path::Path;

/// Checks a program against the standard library: the printed trees, and the diagnostics.
fn run(text: &str) -> (String, Vec<Diagnostic>, Sources) {
    let mut sources = Sources::default();
    let source = sources.add("test.nn", text);
    let (program, mut diagnostics) = grammar::parse(source, text);
    let (library, found) = library::parse(&mut sources, &library::texts());
    diagnostics.extend(found);
    let (checked, found) = check(&sources, &program, &library);
    diagnostics.extend(found);
    (checked.trains.iter().map(print).collect(), diagnostics, sources)
}

/// The printed tree of a program without errors.
fn tree(text: &str) -> String {
    let (printed, diagnostics, sources) = run(text);
    assert!(diagnostics.is_empty(), "{}", shown(&diagnostics, &sources));
    assert!(!printed.is_empty(), "no train block");
    printed
}

/// Diagnostics, a line for each place.
fn shown(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let mut out = String::new();
    for d in diagnostics {
        let at = |span| {
            let (line, column) = sources.line_column(span);
            format!("{line}:{column} `{}`", sources.text(span).chars().take(40).collect::<String>())
        };
        out += &format!("{}: {} at {} ({})\n", d.code, d.message, at(d.primary.span), d.primary.text);
        d.secondary.iter().for_each(|l| out += &format!("    {}: {}\n", at(l.span), l.text));
        d.notes.iter().for_each(|n| out += &format!("    note: {n}\n"));
        d.help.iter().for_each(|h| out += &format!("    help: {}\n", h.text));
    }
    out
}

#[test]
fn examples_are_well_typed() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");
    let mut failed = String::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if entry.extension().is_some_and(|e| e == "nn") {
            let text = std::fs::read_to_string(&entry).unwrap();
            let (printed, diagnostics, sources) = run(&text);
            if !diagnostics.is_empty() || (printed.is_empty() && text.contains("\ntrain ")) {
                failed += &format!("{}\n{}", entry.display(), shown(&diagnostics, &sources));
            }
            if std::env::var("SHOW").is_ok_and(|s| entry.to_string_lossy().contains(&s)) {
                println!("{printed}");
            }
        }
    }
    assert!(failed.is_empty(), "{failed}");
}

const HEAD: &str = "
data d { train = moons(100)
         x: [4] = point
         y: class(3) = label }
";

/// A program of a model body, with everything else right.
fn program(model: &str) -> String {
    format!(
        "{HEAD}{model}
train t {{ data = d
  z = Net(x)
  objective = cross_entropy(z, y)
  optimizer = sgd(lr = 0.1)
  batch = 8
  epochs = 1 }}"
    )
}

/// The one diagnostic of a wrong program.
fn wrong(text: &str) -> (Diagnostic, String) {
    let (_, diagnostics, sources) = run(text);
    let all = shown(&diagnostics, &sources);
    assert_eq!(diagnostics.len(), 1, "{all}");
    println!("{all}");
    let d = diagnostics.into_iter().next().unwrap();
    let at = sources.text(d.primary.span).to_string();
    (d, at)
}

#[track_caller]
fn refuses(text: &str, code: &str, at: &str) -> Diagnostic {
    let (d, place) = wrong(text);
    assert_eq!((d.code, place.as_str()), (code, at), "{}", d.message);
    d
}

#[test]
fn a_dense_layer_is_written_out() {
    let text = tree(&program("model Net(x: [4]) -> [3] { x |> dense(5) |> relu |> dense(3) as last }"));
    for line in ["param dense.W \"dense.weight\": [5, 4]", "param last.b \"last.bias\": [3]", "z: [3] per sample"] {
        assert!(text.contains(line) || line.starts_with("z:"), "{line} is missing in\n{text}");
    }
}

#[test]
fn a_shape_that_does_not_fit_is_refused_where_it_is_used() {
    let d = refuses(
        &program(
            "layer add(a: [4], b: [3]) -> [4] { a + b }\nmodel Net(x: [4]) -> [3] { add(x, dense(x, 3)) |> dense(3) }",
        ),
        "shape-mismatch",
        "a + b",
    );
    assert!(d.message.contains("[4] and [3]"));
}

#[test]
fn a_rank_that_does_not_fit_suggests_a_way() {
    let text = program(
        "fn grid(x: [4]) -> [2, 2] { y[i, j] = x[2*i + j] }\nmodel Net(x: [4]) -> [3] { x |> grid |> dense(3) }",
    );
    let d = refuses(&text, "rank-mismatch", "dense(3)");
    assert!(d.secondary.iter().any(|l| l.text.contains("[2, 2] comes from here")));
    assert!(d.help.iter().any(|h| h.text.contains("flatten")));
}

#[test]
fn reads_outside_are_refused_with_their_range() {
    let text =
        program("fn slide(x: [4]) -> [4] { y[i] = x[i + 1] }\nmodel Net(x: [4]) -> [3] { x |> slide |> dense(3) }");
    let d = refuses(&text, "out-of-bounds", "i + 1");
    assert!(d.message.contains("from 1 to 4"), "{}", d.message);
}

#[test]
fn a_condition_keeps_reads_inside() {
    let text = tree(&program(
        "fn join[n, m](a: [n], b: [m]) -> [n + m] { y[k] = if k < n then a[k] else b[k - n] }
         model Net(x: [4]) -> [3] { join(x, dense(x, 2)) |> dense(3) }",
    ));
    assert!(text.contains("or 0.0"), "{text}");
}

#[test]
fn dimensions_must_be_whole() {
    let text =
        program("fn half[n](x: [n]) -> [n / 3] { y[i] = x[i] }\nmodel Net(x: [4]) -> [3] { x |> half |> dense(3) }");
    let d = refuses(&text, "dimension-not-whole", "n / 3");
    assert!(d.message.contains("4/3"), "{}", d.message);
}

#[test]
fn misspelt_words_suggest_the_nearest() {
    let d = refuses(&program("model Net(x: [4]) -> [3] { x |> dence(3) }"), "unknown-name", "dence");
    assert!(d.help[0].text.contains("dense"));
    let text = program("model Net(x: [4]) -> [3] { dense(x, 3) }").replace("epochs = 1", "epochs = 1\n  sede = 3");
    let d = refuses(&text, "unknown-setting", "sede");
    assert!(d.help[0].text.contains("seed"));
    let d = refuses(&program("model Net(x: [4]) -> [3] { dense(x, unit = 3) }"), "unknown-argument", "unit");
    assert!(d.help[0].text.contains("units"));
}

#[test]
fn missing_settings_are_named() {
    let text = program("model Net(x: [4]) -> [3] { dense(x, 3) }").replace("epochs = 1", "");
    refuses(&text, "missing-setting", "t");
}

#[test]
fn ranges_of_indices_must_be_known_and_agree() {
    let text = program("fn f(x: [4]) { y[i] = x[2*i] }\nmodel Net(x: [4]) -> [3] { x |> f |> dense(3) }");
    refuses(&text, "index-range-unknown", "i");
    let text = program(
        "fn f(x: [4], z: [3]) { y[i] = x[i] + z[i] }\nmodel Net(x: [4]) -> [3] { f(x, dense(x, 3)) |> dense(3) }",
    );
    refuses(&text, "index-range-conflict", "i");
}

#[test]
fn states_are_one_for_all_samples() {
    let text = program(
        "layer f(x: [4]) -> [4] { state m: [4] = 0\n if training { m' = x }\n x + m }\nmodel Net(x: [4]) -> [3] { x |> f |> dense(3) }",
    );
    refuses(&text, "state-per-sample", "m'");
}

#[test]
fn parameters_are_the_same_in_both_modes() {
    let text = program("model Net(x: [4]) -> [3] { y = dense(x, 3)\n if training { y |> batch_norm } else { y } }");
    refuses(&text, "param-in-training-if", "batch_norm");
}

#[test]
fn a_layer_that_calls_itself_is_refused() {
    let text = program("layer f(x: [4]) -> [4] { f(x) }\nmodel Net(x: [4]) -> [3] { x |> f |> dense(3) }");
    refuses(&text, "endless-call", "f(x)");
}

#[test]
fn a_class_is_no_number() {
    let text = program("model Net(x: [4]) -> [3] { dense(x, 3) }")
        .replace("cross_entropy(z, y)", "cross_entropy(z, sum[i] x[i])");
    refuses(&text, "class-needs-whole-number", "sum[i] x[i]");
    let text = program("model Net(x: [4]) -> [3] { dense(x, 3) }").replace("class(3)", "class(4)");
    refuses(&text, "shape-mismatch", "y");
}

#[test]
fn one_instance_is_shared_and_templates_are_not() {
    let text =
        tree(&program("model Net(x: [4]) -> [3] { f = dense(4)\n x |> f |> f |> dense(4) |> dense(4) |> dense(3) }"));
    let params: Vec<_> = text.lines().filter(|l| l.starts_with("  param") && l.contains(".W")).collect();
    assert_eq!(params.len(), 4, "{text}");
}

#[test]
fn loops_unroll_with_parameters_of_their_own() {
    let text = tree(&program(
        "model Net(x: [4]) -> [3] { h = for l in 1..3 with h = x { h |> dense(4) |> relu }\n dense(h, 3) }",
    ));
    assert!(text.contains("param h.3.dense.W"), "{text}");
}

#[test]
fn statistics_over_the_batch_are_unbatched() {
    let text =
        tree(&program("model Net(x: [4]) -> [3] { x |> dense(6) |> batch_norm |> relu |> dropout(0.3) |> dense(3) }"));
    assert!(text.contains("-> state 1 = batch_norm.running_var'"), "{text}");
    assert!(text.contains("dropout.mask~: [6] per sample ~ uniform"), "{text}");
}

#[test]
fn optimisers_by_group_with_schedules() {
    let text = program("model Net(x: [4]) -> [3] { x |> dense(5) as a |> dense(3) }").replace(
        "sgd(lr = 0.1)",
        "adamw(lr = one_cycle(peak = 3e-3), decay = 0.1) on weights, nesterov(lr = 0.1) on rest\n  freeze = a.* as drawn\n  clip = global_norm(1.0)",
    );
    let text = tree(&text);
    for part in ["slot dense.W.m", "slot dense.b.v", "gradient point", "param a.W \"a.weight\": [5, 4] frozen"] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
}

#[test]
fn attention_lifts_a_function_over_the_indices_around_it() {
    let text = tree(&program(
        "fn attend[t, h, d](q: [t, h, d], k: [t, h, d], v: [t, h, d]) -> [t, h, d] {
            s[a, i, j] = if j <= i then (sum[e] q[i, a, e] * k[j, a, e]) / sqrt(d) else -inf
            p[a, i] = softmax(s[a, i])
            y[i, a, e] = sum[j] p[a, i, j] * v[j, a, e]
         }
         fn heads[n](x: [n], count: dim) -> [2, count, n / (2 * count)] { y[t, h, e] = x[(t, h, e)] }
         model Net(x: [4]) -> [3] {
            q = dense(x, 12) |> heads(2)
            attend(q, q, q) |> flatten |> dense(3)
         }",
    ));
    assert!(text.contains("attend.p"), "{text}");
    println!("{text}");
}

#[test]
fn samples_meet_across_the_batch() {
    let text = tree(&program(
        "fn sim[n](a: [n], b: [n]) = sum[i] a[i] * b[i]
         model Net(x: [4]) -> [3] {
            h = dense(x, 3)
            total = logsumexp[b: batch] sim(h, h@b)
            h - total
         }",
    ));
    assert!(text.contains("logsumexp[b."), "{text}");
    println!("{text}");
}

#[test]
fn tokens_read_rows_of_a_table() {
    let text = tree(
        "data d { train = csv(\"a.csv\")
                  x: [6] of class(65) = features
                  y: class(65) = label }
         layer embed[t, v](x: [t] of class(v), width: dim) -> [t, width] {
            param E: [v, width] ~ normal(0, 0.02)
            y[i, e] = E[x[i], e]
         }
         model Net(x: [6] of class(65)) -> [65] { x |> embed(8) |> layer_norm |> flatten |> dense(65, init = uniform(-0.1, 0.1)) }
         train t { data = d
            z = Net(x)
            objective = cross_entropy(z, y)
            optimizer = sgd(lr = linear_decay(0.1, 0.01, 100)) \n batch = 4 \n steps = 10 }",
    );
    assert!(text.contains("embed.E[x[batch, i."), "{text}");
}

#[test]
fn two_objectives_move_their_own_parameters() {
    let text = tree(
        "data d { train = moons(100)\n x: [2] = point\n y: class(2) = label }
         model G(x: [2]) -> [2] { x |> dense(4) |> relu |> dense(2) }
         model D(x: [2]) -> [2] { x |> dense(4) |> relu |> dense(2) }
         train t { data = d
            a = D(G(x))
            objective d = cross_entropy(D(x), y) over params(D)
            objective g = cross_entropy(a, y) over params(G)
            optimizer = sgd(lr = 0.1) on params(D), adam(lr = 0.1) on params(G)
            batch = 4\n epochs = 1 }",
    );
    for part in ["param D.dense.W", "param G.dense2.b", "gradient of objective 1 by parameter", "-> objective 1"] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
}

#[test]
fn deep_nesting_is_refused_and_does_not_crash() {
    let deep = format!("{}x{}", "(".repeat(5000), ")".repeat(5000));
    let (_, diagnostics, _) = run(&program(&format!("model Net(x: [4]) -> [3] {{ dense({deep}, 3) }}")));
    assert!(!diagnostics.is_empty());
    let long = vec!["x"; 280].join(" + ");
    let (_, diagnostics, sources) = run(&program(&format!("model Net(x: [4]) -> [3] {{ dense({long}, 3) }}")));
    assert!(diagnostics.is_empty(), "{}", shown(&diagnostics, &sources));
}

#[test]
fn independent_errors_are_all_reported() {
    let text = program(
        "fn f(x: [4]) -> [4] { y[i] = x[i + 1] }\nfn g(x: [4]) { dence(x) }\nmodel Net(x: [4]) -> [3] { x |> f |> dense(3) }",
    );
    let (_, diagnostics, sources) = run(&text.replace("epochs = 1", "epochs = 1\n  sede = 3"));
    let codes: Vec<_> = diagnostics.iter().map(|d| d.code).collect();
    assert_eq!(codes, ["out-of-bounds", "unknown-name", "unknown-setting"], "{}", shown(&diagnostics, &sources));
}

#[test]
fn a_misspelt_local_is_one_error() {
    let text = program("model Net(x: [4]) -> [3] { dense(x, 3) }")
        .replace("z = Net(x)", "logits = Net(x)")
        .replace("cross_entropy(z, y)", "cross_entropy(logitz, y)");
    let d = refuses(&text, "unknown-name", "logitz");
    assert!(d.help[0].text.contains("`logits`"));
}

#[test]
fn accumulations_bind_the_indices_of_their_positions() {
    let text = tree(&program(
        "fn spread(e: [4]) -> [8] { y[2*i + 1] += e[i] }
         model Net(x: [4]) -> [3] { x |> spread |> dense(3) }",
    ));
    assert!(text.contains("+= x[batch, i."), "{text}");
}

/// The texts of all files in a folder and those in it.
fn texts(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    entries.flat_map(|e| if e.is_dir() { texts(&e) } else { vec![std::fs::read_to_string(e).unwrap()] }).collect()
}

#[test]
fn every_code_is_in_the_table() {
    let sources = texts(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/check")));
    let known: Vec<_> = nnc_compiler::check::codes::CODES.iter().map(|c| c.0).collect();
    assert!(sources.iter().any(|text| text.contains("Diagnostic::error(")));
    for text in &sources {
        for rest in text.split("Diagnostic::error(").skip(1) {
            if let Some(code) = rest.trim_start().strip_prefix('"').and_then(|r| r.split('"').next()) {
                assert!(known.contains(&code), "{code} is not in the table");
            }
        }
    }
}

#[test]
fn every_optimiser_of_the_library_elaborates() {
    let mut sources = Sources::default();
    let (library, _) = library::parse(&mut sources, &library::texts());
    let mut count = 0;
    for item in library.iter().flat_map(|f| &f.items) {
        if let grammar::ast::Item::Callable(c) = item
            && c.kind == grammar::ast::CallableKind::Optimizer
        {
            // Two groups, since a rule with decay for both is warned of.
            let rule = format!("{0}(lr = warm_up(cosine(0.1), 10)) on weights, {0}(lr = 0.1) on rest", c.name.name);
            let text = tree(&program("model Net(x: [4]) -> [3] { dense(x, 3) }").replace("sgd(lr = 0.1)", &rule));
            assert!(text.contains("-> parameter 1 = dense.b'"), "{rule}\n{text}");
            count += 1;
        }
    }
    assert!(count > 5);
}

#[test]
fn normalisations_and_pictures_elaborate() {
    for layer in ["batch_norm", "group_norm(2)", "instance_norm", "layer_norm", "rms_norm"] {
        let model = format!(
            "fn grid(x: [4]) -> [1, 2, 2] {{ y[c, i, j] = x[(c, i, j)] }}
             model Net(x: [4]) -> [3] {{ x |> grid |> conv2d(4, kernel = 2, pad = 1) |> {layer} |> gelu |> avg_pool(2, stride = 1) |> global_avg_pool |> dense(3) }}"
        );
        tree(&program(&model));
    }
}
