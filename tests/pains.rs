//! Pains of other systems and what ends them here: one test for each, named after it. Each shows the cure as a user
//! meets it, through the command; the finer tests are elsewhere.

mod common;

use common::{Folder, bytes, fail, read_arrays, repository, run, succeed, text};
use runtime::arrays::Array;
use serde_json::Value;
use std::collections::BTreeMap;

/// Trains the program of a text in double precision and returns its weights.
fn trained(folder: &Folder, source: &str, more: &str) -> BTreeMap<String, Array> {
    let (program, out) = (folder.write("program.nn", source), folder.path("run"));
    let _ = std::fs::remove_dir_all(&out);
    succeed(&format!("run {} --precision f64 --out {} {more}", program.display(), out.display()));
    read_arrays(&out.join("weights.safetensors"))
}

/// The events of a run with `--json`.
fn events(line: &str) -> Vec<Value> {
    let event = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
    succeed(&format!("{line} --json")).lines().map(event).collect()
}

fn close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (f, e) in found.iter().zip(expected) {
        assert!((f - e).abs() <= 1e-12 * e.abs().max(1.0), "{found:?}, not {expected:?}");
    }
}

/// A program that moves `p` by gradient descent with rate 1 on an objective.
fn descent(start: &str, objective: &str, settings: &str) -> String {
    format!(
        "model Point() -> [3] {{ param p: [3] ~ constant({start}); p }}\n\
         train t {{\n    q = Point()\n    objective = {objective}\n    {settings}\n}}\n"
    )
}

/// 1: an error of shapes comes at run time and names no layer.
#[test]
fn pain_1_shapes_are_checked_before_anything_runs() {
    let said = fail("check tests/ui/shape_mismatch_between_layers.nn", 1);
    for part in ["dense(16) as fc1", "the shape [16] comes from here", "the shape [2] comes from here"] {
        assert!(said.contains(part), "no `{part}` in\n{said}");
    }
    let entries = std::fs::read_dir(repository("tests/ui")).expect("the wrong programs");
    let programs = entries.filter_map(Result::ok).filter(|e| e.path().extension().is_some_and(|x| x == "nn"));
    assert!(programs.count() >= 30, "that each mistake is found at its place and each edit helps is tested there");
}

/// 2: a loss of `[n]` against `[n, 1]` silently broadcasts.
#[test]
fn pain_2_nothing_broadcasts_by_itself() {
    let said = fail("check tests/ui/column_loss.nn", 1);
    assert!(said.contains("rank-mismatch"), "{said}");
    let said = fail("check tests/ui/vector_loss_against_scalar.nn", 1);
    assert!(said.contains("rank-mismatch"), "{said}");
}

/// 3: softmax twice, and losses that overflow.
#[test]
fn pain_3_losses_take_logits_of_any_size() {
    let output = run("check tests/ui/warning_softmax_twice.nn");
    assert!(common::errors(&output).contains("normalised-twice"));
    let folder = Folder::new("pain-3");
    let loss = "cross_entropy(q, 0) + bce_with_logits(q, [1, 0, 1])";
    let source = descent("[-1e4, 1e4, 0]", loss, "optimizer = sgd(lr = 1)\n    steps = 1");
    // The loss moves the first two by their whole probabilities, and the others by what bce adds.
    let p = &trained(&folder, &source, "")["p"].values;
    close(p, &[-1e4 + 1.0 + 1.0 / 3.0, 1e4 - 1.0 - 1.0 / 3.0, 0.5 / 3.0]);
}

const NORMALISED: &str = "data points {
    train = moons(64, seed = 1)
    test = moons(64, seed = 2)
    x: [2] = point
    y: class(2) = label
}

model Net(x: [2]) -> [2] { x |> dense(8) |> batch_norm |> relu |> dropout(0.5) |> dense(2) }

train t {
    data = points
    logits = Net(x)
    objective = cross_entropy(logits, y)
    metrics = { accuracy = accuracy(logits, y) }
    optimizer = sgd(lr = 0.1)
    batch = 16
    epochs = 2
}
";

/// 4: the mode is forgotten, or evaluation changes what it evaluates.
#[test]
fn pain_4_evaluation_is_a_program_of_its_own() {
    let folder = Folder::new("pain-4");
    trained(&folder, NORMALISED, "");
    let weights = folder.path("run/weights.safetensors");
    let before = bytes(&weights);
    let line = format!("eval {} --weights {} --json", folder.path("program.nn").display(), weights.display());
    assert_eq!(succeed(&line), succeed(&line));
    assert_eq!(bytes(&weights), before);
    // A split that is evaluated after every epoch leaves no trace in parameters and running statistics.
    let watched = NORMALISED.replace("    test =", "    valid = moons(50, seed = 3)\n    test =");
    trained(&folder, &watched, "");
    assert_eq!(bytes(&weights), before);
}

/// 5: the step as a whole cannot be compiled.
#[test]
fn pain_5_a_step_is_one_program() {
    let folder = Folder::new("pain-5");
    let settings = "optimizer = adam(lr = linear_decay(start = 0.1, end = 0, tau = 10))\n    clip = global_norm(1)\n    steps = 10";
    let program = folder.write("program.nn", descent("[1, 2, 3]", "l2(params(Point)) + squared_norm(q)", settings));
    let step = succeed(&format!("emit {} --stage grad", program.display()));
    // Forward, backward, the rate of the schedule, the moments of the rule, and what is left of it all.
    for part in ["objective = ", "d_p[i] = ", "lr = if run_step", "p_m_next = ", "p_v_next = ", "p_next = "] {
        assert!(step.contains(part), "no `{part}` in\n{step}");
    }
    assert!(step.contains("p_clipped[i] = clip * d_p[i]"), "the clipping is in it:\n{step}");
}

/// 6: another rate, or a last batch that is shorter, compiles everything again.
#[test]
fn pain_6_nothing_is_compiled_again() {
    let folder = Folder::new("pain-6");
    let program = folder.write("program.nn", NORMALISED);
    let compiled = |more: &str| {
        let out = folder.path("run");
        let _ = std::fs::remove_dir_all(&out);
        let line = format!("run {} --out {} {more}", program.display(), out.display());
        let events = events(&line);
        let starts: Vec<&Value> = events.iter().filter(|e| e["event"] == "start").collect();
        assert_eq!(starts.len(), 1);
        starts[0]["compiled"].as_u64().expect("a number of programs")
    };
    let usual = compiled("");
    assert_eq!(usual, compiled("--epochs 5"));
    assert_eq!(usual, compiled("--set optimizer=sgd(lr=linear_decay(start=0.1,end=0,tau=5))"));
    // 64 samples in batches of 24 leave 16: a step of their own, compiled before the first one.
    let ragged = compiled("--set batch=24");
    assert_eq!(ragged, compiled("--set batch=24 --epochs 5"));
    assert!(ragged <= usual + 2, "{ragged} against {usual}");
}

/// 11: a NaN says nothing of where it comes from.
#[test]
fn pain_11_a_nan_names_its_line_and_is_warned_of_before() {
    let folder = Folder::new("pain-11");
    let said = fail(&format!("run tests/nan/logarithm_of_relu.nn --out {}", folder.path("run").display()), 4);
    for part in ["tests/nan/logarithm_of_relu.nn:10:", "lies between", "element"] {
        assert!(said.contains(part), "no `{part}` in\n{said}");
    }
    let output = run("check tests/nan/logarithm_of_relu.nn");
    assert!(common::errors(&output).contains("unproven-positive"));
}

/// 12: a choice leaks NaN through the branch that is not taken.
#[test]
fn pain_12_the_branch_not_taken_has_no_say() {
    let folder = Folder::new("pain-12");
    // Of sin(x) / x.
    let slope = |x: f64| (x * x.cos() - x.sin()) / (x * x);
    let safe = [
        ("if q[i] > 0 then sqrt(q[i]) else 0", [0.0, -0.25, 0.0]),
        ("if q[i] > 0 then q[i] * log(q[i]) else 0", [0.0, -(4.0_f64.ln() + 1.0), 0.0]),
        ("if q[i] == 0 then 1 else sin(q[i]) / q[i]", [0.0, -slope(4.0), -slope(-2.0)]),
        ("if q[i] < 1 then q[i] / (if q[i] == 0 then 1 else q[i]) else exp(1e3 * (1 - q[i]))", [-1.0, 0.0, 0.0]),
        ("if q[i] <= 5 then q[i] else exp(1e4 * q[i]^2)", [-1.0, -1.0, -1.0]),
    ];
    for (choice, expected) in safe {
        let source = descent("[0, 4, -2]", &format!("sum[i] ({choice})"), "optimizer = sgd(lr = 1)\n    steps = 1");
        let p = &trained(&folder, &source, "")["p"].values;
        for ((found, start), moved) in p.iter().zip([0.0, 4.0, -2.0]).zip(expected) {
            assert!((found - (start + moved)).abs() < 1e-12, "{choice}: {p:?}");
        }
    }
}

const SUMMED: &str = "data points {
    train = blobs(56, classes = 2, noise = 1, seed = 1)
    x: [2] = point
    y: class(2) = label
}

model Net(x: [2]) -> [2] { x |> dense(5) |> tanh |> dense(2) }

train t {
    data = points
    objective = cross_entropy(Net(x), y)
    optimizer = sgd(lr = 0.1)
    batch = 32
    epochs = 3
    SETTING
}
";

/// 13: gradients accumulated over four small batches are not those of one large batch.
#[test]
fn pain_13_accumulation_is_a_larger_batch() {
    let folder = Folder::new("pain-13");
    // 56 samples: a full batch of 32 and a ragged tail of 24.
    let whole = trained(&folder, &SUMMED.replace("SETTING", ""), "");
    let parts = SUMMED.replace("batch = 32", "batch = 8").replace("SETTING", "accumulate = 4");
    let parts = trained(&folder, &parts, "");
    assert_eq!(whole.len(), 4);
    for (name, array) in &whole {
        close(&parts[name].values, &array.values);
    }
}

/// 14: a scheduler is called in the wrong order.
#[test]
fn pain_14_a_schedule_is_a_function_of_the_step() {
    let folder = Folder::new("pain-14");
    let settings = "optimizer = sgd(lr = linear_decay(start = 1, end = 0.25, tau = 3))\n    steps = STEPS";
    let source = descent("[0, 0, 0]", "sum[i] q[i]", settings);
    // The rates at 0, 1, the joint and after it: 1, 0.75, 0.5, 0.25, 0.25; the gradient is one.
    for (steps, moved) in [(1, 1.0), (2, 1.75), (3, 2.25), (4, 2.5), (5, 2.75)] {
        let p = &trained(&folder, &source.replace("STEPS", &steps.to_string()), "")["p"].values;
        close(p, &[-moved; 3]);
    }
}

/// 15: clipped before it is scaled back.
#[test]
fn pain_15_the_norm_after_the_clip_is_the_threshold() {
    let folder = Folder::new("pain-15");
    let source = descent(
        "[3, 4, 12]",
        "0.5 * squared_norm(q)",
        "optimizer = sgd(lr = 1)\n    clip = global_norm(0.5)\n    steps = 1",
    );
    let p = &trained(&folder, &source, "")["p"].values;
    let moved = p.iter().zip([3.0, 4.0, 12.0]).map(|(p, start)| (p - start) * (p - start)).sum::<f64>().sqrt();
    assert!((moved - 0.5).abs() < 1e-12, "{moved}");
}

/// 16: batch normalisation meets a last minibatch of one.
#[test]
fn pain_16_a_last_batch_of_one_is_refused_before_the_start() {
    let said = fail("check tests/ui/last_batch_of_one.nn", 1);
    assert!(said.contains("short-batch") && said.contains("1201 = 300 x 4 + 1"), "{said}");
    let folder = Folder::new("pain-16");
    let source = text(&repository("tests/ui/last_batch_of_one.nn")).replace("    samples = 1201\n", "");
    let line = format!("run {} --out {}", folder.write("program.nn", &source).display(), folder.path("run").display());
    let said = fail(&line, 1);
    assert!(said.contains("1201 samples in minibatches of 4 leave one of 1"), "{said}");
    succeed(&format!("{line} --set batch=7"));
}

/// 17: parameters that never train, silently.
#[test]
fn pain_17_what_is_not_trained_is_said() {
    for (program, code) in [("warning_no_gradient", "no-gradient"), ("warning_unused_parameter", "unused-parameter")] {
        let output = run(&format!("check tests/ui/{program}.nn"));
        let said = common::errors(&output);
        assert!(output.status.success() && said.contains(&format!("warning[{code}]")), "{said}");
    }
    // What decays and what does not is listed before the first step.
    let folder = Folder::new("pain-17");
    let groups = "optimizer = adamw(lr = 0.1, decay = 0.1) on weights, adam(lr = 0.1) on rest";
    let program = folder.write("program.nn", NORMALISED.replace("optimizer = sgd(lr = 0.1)", groups));
    let start = &events(&format!("run {} --out {}", program.display(), folder.path("run").display()))[0];
    let names = |n: usize| start["groups"][n]["parameters"].to_string();
    assert_eq!(names(0), r#"["dense.weight","dense2.weight"]"#);
    assert_eq!(names(1), r#"["dense.bias","batch_norm.weight","batch_norm.bias","dense2.bias"]"#);
}

/// 18: whether it fits is answered by a crash.
#[test]
fn pain_18_memory_is_known_before_the_start() {
    let folder = Folder::new("pain-18");
    let program = folder.write("program.nn", NORMALISED);
    let planned = |out: &str| {
        let events = events(&format!("run {} --out {}", program.display(), folder.path(out).display()));
        events[0]["planned_bytes"].as_u64().expect("a number of bytes")
    };
    // Known, the same every time, and refused where it does not fit; that it is what is taken, `tests/memory.rs` measures.
    let bytes = planned("first");
    assert_eq!(bytes, planned("second"));
    let line = format!("run {} --out {}", program.display(), folder.path("third").display());
    succeed(&format!("{line} --memory {bytes}"));
    let said = fail(&format!("{line} --memory {}", bytes - 1), 3);
    assert!(said.contains("more than") && !text(&program).is_empty(), "{said}");
}
