//! Compiled programs against the interpreter, and promises of the plan: same bits for any number of
//! threads, updates in place. (That a step allocates nothing is shown in `tests/step.rs` at the root.)

use nnc_compiler::differentiate::reverse;
use nnc_compiler::emit::{Options, Precision, compile, dump};
use nnc_compiler::ir::interpret::{Values, apply_updates, interpret};
use nnc_compiler::ir::random::program;
use nnc_compiler::ir::recurrence::{arrange, recurrences};
use nnc_compiler::ir::text::{parse, print};
use nnc_compiler::ir::{Draw, Module, Role, Tensor, TensorId};
use nnc_compiler::optimise::optimise;
use nnc_compiler::scalar::Kind;
use runtime::execute::{Clock, Executor};
use runtime::random::{self, Place};

const CLOCK: Clock = Clock { seed: 7, step: 3, sample: 0 };

fn module(text: &str) -> Module {
    parse(text).unwrap_or_else(|e| panic!("{e:?}"))
}

/// Contents for inputs and persistent tensors: floats around zero, small whole numbers.
fn contents(module: &Module) -> Values {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 24)
    };
    let given = module.tensors.iter().enumerate().filter(|(_, t)| t.role != Role::Temporary);
    given
        .map(|(n, t)| {
            let value = |u: f64| match t.kind {
                Kind::Float => f64::from((u * 4.0 - 2.0) as f32),
                Kind::Int => (u * 5.0).floor(),
                Kind::Bool => (u * 2.0).floor(),
            };
            (TensorId(n as u32), (0..t.len()).map(|_| value(next())).collect())
        })
        .collect()
}

fn draws(draw: &Draw, tensor: &Tensor) -> Vec<f64> {
    let mut out = vec![0.0; tensor.len()];
    let row = if draw.per_sample { tensor.len() / tensor.shape[0] } else { tensor.len() };
    let place = Place { seed: CLOCK.seed, site: draw.site, step: CLOCK.step };
    random::fill(&mut out, draw.distribution, place, row, 0, 0);
    out
}

/// Runs a module once on the given contents and returns outputs and persistent tensors by name.
fn run_on(module: &Module, given: &Values, precision: Precision, threads: usize) -> Vec<(String, Vec<f64>)> {
    let bundle = compile(&[("p", module)], &Options::new(precision)).unwrap_or_else(|e| panic!("{e}"));
    let mut executor = Executor::new(bundle, threads).unwrap_or_else(|e| panic!("{e}"));
    for (id, values) in given {
        let slot = executor.program(0).tensors[&module.t(*id).name].clone();
        executor.write_f64(&slot, values);
    }
    executor.run(0, CLOCK).unwrap_or_else(|e| panic!("{e}"));
    let program = executor.program(0);
    let outputs = program.outputs.iter().map(|(n, s)| (n.clone(), s.clone()));
    let persistent = executor.bundle().persistent.iter().map(|(n, s)| (n.clone(), s.clone()));
    outputs.chain(persistent).map(|(n, s)| (n, executor.read_f64(&s))).collect()
}

fn run(module: &Module, precision: Precision, threads: usize) -> Vec<(String, Vec<f64>)> {
    run_on(module, &contents(module), precision, threads)
}

/// What the interpreter says [`run_on`] should return.
fn expected(module: &Module, given: &Values) -> Vec<(String, Vec<f64>)> {
    let mut values = interpret(module, given, &mut draws).unwrap_or_else(|e| panic!("{e}"));
    let outputs: Vec<_> = module.outputs.iter().map(|(n, t)| (n.clone(), values[t].clone())).collect();
    apply_updates(module, &mut values);
    let mut persistent: Vec<_> = module
        .tensors
        .iter()
        .enumerate()
        .filter(|(_, t)| t.role == Role::Persistent)
        .map(|(n, t)| (t.name.clone(), values[&TensorId(n as u32)].clone()))
        .collect();
    persistent.sort_by(|a, b| a.0.cmp(&b.0));
    outputs.into_iter().chain(persistent).collect()
}

fn compare(text: &str, got: &[(String, Vec<f64>)], wanted: &[(String, Vec<f64>)], tolerance: f64) {
    for ((name, got), (_, wanted)) in got.iter().zip(wanted) {
        let scale = wanted.iter().filter(|w| w.is_finite()).fold(1.0_f64, |m, w| m.max(w.abs()));
        for (k, (g, w)) in got.iter().zip(wanted).enumerate() {
            let same = g == w || (g.is_nan() && w.is_nan()) || (g - w).abs() <= tolerance * scale;
            assert!(same, "{name}[{k}] is {g}, expected {w}, in\n{text}");
        }
    }
}

/// Compiled in both precisions, on one thread and on four, a program computes what it says.
fn check(text: &str) {
    let module = module(text);
    let wanted = expected(&module, &contents(&module));
    compare(text, &run(&module, Precision::F64, 1), &wanted, 1e-12);
    compare(text, &run(&module, Precision::F32, 1), &wanted, 2e-5);
    for precision in [Precision::F32, Precision::F64] {
        let (one, four) = (run(&module, precision, 1), run(&module, precision, 4));
        let bits = |values: &[(String, Vec<f64>)]| -> Vec<u64> {
            values.iter().flat_map(|(_, v)| v.iter().map(|x| x.to_bits())).collect()
        };
        assert_eq!(bits(&one), bits(&four), "threads change bits in\n{text}");
    }
}

#[test]
fn pointwise_functions() {
    check(
        "input x: f[7, 13]\n\
           y[i0: 7, i1: 13] = max(x[i0, i1], 0.0) * 2.0 + exp(x[i0, i1]) / (1.0 + tanh(x[i0, i1]) * tanh(x[i0, i1]))\n\
           z[i0: 7, i1: 13] = y[i0, i1] - log(abs(x[i0, i1]) + 0.5)\n\
           output z = z\noutput y = y\n",
    );
}

#[test]
fn whole_powers_are_products() {
    let powers: String =
        (3..=8).map(|n| format!("p{n}[i0: 7, i1: 13] = x[i0, i1] ^ {n}.0\noutput p{n} = p{n}\n")).collect();
    let text = format!("input x: f[7, 13]\n{powers}");
    check(&text);
    let dump = dump("p", &module(&text), &Options::default()).unwrap_or_else(|e| panic!("{e}"));
    assert!(!dump.loops.contains('^'), "{}", dump.loops);
}

#[test]
fn a_short_variable_that_decides_is_written_out() {
    let text = "input x: f[5, 9]\ninput z: f[5, 3, 9]\n\
        y[i0: 5, i1: 3, i2: 9] = select(i1 == 0, exp(x[i0, i2]), 0.0) \
            + select((i1 - 2 == 0) && (z[i0, i1, i2] < 0.5), tanh(x[i0, i2]), 0.0) + select(i1 < 1, z[i0, i1 + 1, i2], z[i0, i1, i2])\n\
        w[i0: 5, i1: 3, i2: 9] = y[i0, i1, i2] * select(i1 == 1, 2.0, x[i0, i2])\n\
        output y = y\noutput w = w\n";
    check(text);
    let dump = dump("p", &module(text), &Options::default()).unwrap_or_else(|e| panic!("{e}"));
    let count = |word: &str| dump.loops.matches(word).count();
    assert_eq!((count("exp"), count("tanh"), count("= w["), count("w[")), (1, 1, 0, 3), "{}", dump.loops);
}

#[test]
fn transposes_and_shifts() {
    check(
        "input x: f[7, 13]\n\
           y[i0: 13, i1: 7] = x[i1, i0]\n\
           s[i0: 7, i1: 13] = (x[i0, i1 - 2] or 1.5)\n\
           t[i0: 7, i1: 13] = (x[i0 + 1, i1] or float(i1))\n\
           output y = y\noutput s = s\noutput t = t\n",
    );
}

#[test]
fn flattening_splits_loops() {
    check(
        "input x: f[3, 4, 5, 5]\n\
           y[i0: 3, i1: 100] = x[i0, div(i1, 25), mod(div(i1, 5), 5), mod(i1, 5)] * 2.0\n\
           output y = y\n",
    );
}

#[test]
fn reductions() {
    check(
        "input x: f[9, 70]\n\
           a[i0: 9] = sum[r0: 70] x[i0, r0]\n\
           b[i0: 70] = sum[r0: 9] x[r0, i0]\n\
           c[i0: 9] = max[r0: 70] x[i0, r0]\n\
           d[i0: 70] = min[r0: 9] x[r0, i0]\n\
           e[i0: 9] = argmax[r0: 70] x[i0, r0]\n\
           f[i0: 70] = argmax[r0: 9] x[r0, i0]\n\
           g[] = sum[r0: 9, r1: 70] x[r0, r1] * x[r0, r1]\n\
           h[i0: 9] = prod[r0: 7] x[i0, r0]\n\
           output a = a\noutput b = b\noutput c = c\noutput d = d\noutput e = e\noutput f = f\noutput g = g\noutput h = h\n",
    );
}

#[test]
fn windows_and_their_gradients() {
    check(
        "input x: f[2, 3, 8, 8]\n\
           y[i0: 2, i1: 3, i2: 4, i3: 4] = max[r0: 2, r1: 2] x[i0, i1, 2 * i2 + r0, 2 * i3 + r1]\n\
           output y = y\n",
    );
}

#[test]
fn matrix_products() {
    check(
        "input x: f[33, 70]\npersistent W: f[50, 70]\n\
           y[i0: 33, i1: 50] = sum[r0: 70] W[i1, r0] * x[i0, r0]\n\
           g[i0: 50, i1: 70] = sum[r0: 33] y[r0, i0] * x[r0, i1]\n\
           n[i0: 50, i1: 70] = W[i0, i1] - 0.01 * g[i0, i1]\n\
           output y = y\nupdate W = n\n",
    );
}

#[test]
fn long_sums_in_parts() {
    check(
        "input x: f[4096, 12]\ninput y: f[4096, 9]\n\
           g[i0: 12, i1: 9] = sum[r0: 4096] x[r0, i0] * y[r0, i1]\n\
           output g = g\n",
    );
}

#[test]
fn padded_convolutions() {
    check(
        "input x: f[4, 3, 9, 9]\npersistent W: f[8, 3, 3, 3]\n\
           y[i0: 4, i1: 8, i2: 9, i3: 9] = sum[r0: 3, r1: 3, r2: 3] W[i1, r0, r1, r2] * (x[i0, r0, i2 + r1 - 1, i3 + r2 - 1] or 0.0)\n\
           g[i0: 8, i1: 3, i2: 3, i3: 3] = sum[r0: 4, r1: 9, r2: 9] y[r0, i0, r1, r2] * (x[r0, i1, r1 + i2 - 1, r2 + i3 - 1] or 0.0)\n\
           d[i0: 4, i1: 3, i2: 9, i3: 9] = sum[r0: 8, r1: 3, r2: 3] W[r0, i1, r1, r2] * (y[i0, r0, i2 + 1 - r1, i3 + 1 - r2] or 0.0)\n\
           output y = y\noutput g = g\noutput d = d\n",
    );
}

#[test]
fn batched_products() {
    check(
        "input q: f[3, 2, 16, 8]\ninput k: f[3, 2, 16, 8]\n\
           s[i0: 3, i1: 2, i2: 16, i3: 16] = sum[r0: 8] q[i0, i1, i2, r0] * k[i0, i1, i3, r0]\n\
           c[i0: 3, i1: 2, i2: 16, i3: 16] = select(i3 <= i2, s[i0, i1, i2, i3], -inf)\n\
           m[i0: 3, i1: 2, i2: 16] = max[r0: 16] c[i0, i1, i2, r0]\n\
           e[i0: 3, i1: 2, i2: 16, i3: 16] = exp(c[i0, i1, i2, i3] - m[i0, i1, i2])\n\
           t[i0: 3, i1: 2, i2: 16] = sum[r0: 16] e[i0, i1, i2, r0]\n\
           p[i0: 3, i1: 2, i2: 16, i3: 16] = e[i0, i1, i2, i3] / t[i0, i1, i2]\n\
           output p = p\n",
    );
}

#[test]
fn gathers_and_scatters() {
    check(
        "input t: i[6, 11]\npersistent E: f[5, 8]\n\
           x[i0: 6, i1: 11, i2: 8] = E[t[i0, i1], i2]\n\
           over [i0: 6, i1: 11, i2: 8] g: f[5, 8] at [t[i0, i1], i2] += x[i0, i1, i2] * 0.5\n\
           over [i0: 6, i1: 11] h: f[7] at [t[i0, i1] + i0 - 1] or drop += x[i0, i1, 0]\n\
           n[i0: 5, i1: 8] = E[i0, i1] - g[i0, i1]\n\
           output g = g\noutput h = h\nupdate E = n\n",
    );
}

#[test]
fn concatenation_reads_only_the_branch_taken() {
    check(
        "input a: f[3, 5]\ninput b: f[3, 6]\n\
           y[i0: 3, i1: 11] = select(i1 < 5, a[i0, i1], b[i0, i1 - 5])\n\
           output y = y\n",
    );
}

#[test]
fn truth_values_and_whole_numbers() {
    check(
        "input c: b[4, 9]\ninput k: i[4, 9]\ninput x: f[4, 9]\n\
           y[i0: 4, i1: 9] = select(c[i0, i1] && not(k[i0, i1] == 2), x[i0, i1], float(mod(k[i0, i1] * 7 + i1, 4)))\n\
           z[i0: 4, i1: 9] = x[i0, i1] < 0.5 || c[i0, i1]\n\
           w[i0: 4, i1: 9] = div(k[i0, i1] - 3, 2)\n\
           any[i0: 4] = max[r0: 9] c[i0, r0]\n\
           s[i0: 4] = sum[r0: 9] k[i0, r0]\n\
           output y = y\noutput z = z\noutput w = w\noutput any = any\noutput s = s\n",
    );
}

#[test]
fn draws_follow_the_clock() {
    check(
        "draw u: f[5, 9] unit site 11 per sample\ndraw n: f[40] gauss site 12\n\
           y[i0: 5, i1: 9] = select(u[i0, i1] < 0.5, 1.0, 0.0)\n\
           output u = u\noutput n = n\noutput y = y\n",
    );
}

#[test]
fn updates_take_the_old_values() {
    check(
        "persistent a: f[10]\npersistent b: f[10]\npersistent m: f[10]\ninput g: f[10]\n\
           n[i0: 10] = 0.9 * m[i0] + 0.1 * g[i0]\n\
           c[i0: 10] = a[i0] - n[i0]\n\
           r[i0: 10] = a[9 - i0]\n\
           output r = r\nupdate m = n\nupdate a = b\nupdate b = c\n",
    );
}

const PERCEPTRON: &str = "input x: f[64, 784]\ninput y: i[64]\n\
    persistent W1: f[128, 784]\npersistent b1: f[128]\npersistent W2: f[10, 128]\n\
    h[i0: 64, i1: 128] = sum[r0: 784] W1[i1, r0] * x[i0, r0]\n\
    a[i0: 64, i1: 128] = max(h[i0, i1] + b1[i1], 0.0)\n\
    z[i0: 64, i1: 10] = sum[r0: 128] W2[i1, r0] * a[i0, r0]\n\
    m[i0: 64] = max[r0: 10] z[i0, r0]\n\
    s[i0: 64] = sum[r0: 10] exp(z[i0, r0] - m[i0])\n\
    dz[i0: 64, i1: 10] = (exp(z[i0, i1] - m[i0]) / s[i0] - select(i1 == y[i0], 1.0, 0.0)) / 64.0\n\
    gW2[i0: 10, i1: 128] = sum[r0: 64] dz[r0, i0] * a[r0, i1]\n\
    da[i0: 64, i1: 128] = sum[r0: 10] W2[r0, i1] * dz[i0, r0]\n\
    dh[i0: 64, i1: 128] = select(h[i0, i1] + b1[i1] <= 0.0, 0.0, da[i0, i1])\n\
    gW1[i0: 128, i1: 784] = sum[r0: 64] dh[r0, i0] * x[r0, i1]\n\
    gb1[i0: 128] = sum[r0: 64] dh[r0, i0]\n\
    nW1[i0: 128, i1: 784] = W1[i0, i1] - 0.01 * gW1[i0, i1]\n\
    nb1[i0: 128] = b1[i0] - 0.01 * gb1[i0]\n\
    nW2[i0: 10, i1: 128] = W2[i0, i1] - 0.01 * gW2[i0, i1]\n\
    output z = z\noutput dz = dz\nupdate W1 = nW1\nupdate b1 = nb1\nupdate W2 = nW2\n";

#[test]
fn a_whole_training_step() {
    check(PERCEPTRON);
}

#[test]
fn programs_share_what_persists() {
    let train = module("persistent w: f[3]\nn[i0: 3] = w[i0] + 1.0\nupdate w = n\n");
    let eval = module("persistent w: f[3]\ns[] = sum[r0: 3] w[r0]\noutput s = s\n");
    let bundle = compile(&[("train", &train), ("eval", &eval)], &Options::default()).unwrap_or_else(|e| panic!("{e}"));
    let mut executor = Executor::new(bundle, 1).unwrap_or_else(|e| panic!("{e}"));
    for _ in 0..5 {
        executor.run(0, CLOCK).unwrap_or_else(|e| panic!("{e}"));
    }
    executor.run(1, CLOCK).unwrap_or_else(|e| panic!("{e}"));
    let slot = executor.program(1).output("s").cloned().unwrap_or_else(|| panic!("no output"));
    assert_eq!(executor.f32s(&slot), [15.0]);
}

#[test]
fn equal_nests_at_other_places_and_of_other_extents_share_a_kernel() {
    let text = "input x: f[40]
input y: f[24]
a[i0: 40] = tanh(x[i0])
b[i0: 40] = exp(a[i0]) * x[i0]
c[] = sum[r0: 40] b[r0]
d[i0: 24] = tanh(y[i0])
e[i0: 24] = exp(d[i0]) * y[i0]
f[] = sum[r0: 24] e[r0]
output a = a
output b = b
output c = c
output d = d
output e = e
output f = f
";
    let module = module(text);
    let dump = dump("p", &module, &Options::default()).unwrap_or_else(|e| panic!("{e}"));
    let (steps, kernels) = (dump.loops.matches("step ").count(), dump.clif.matches("function ").count());
    assert_eq!(2 * kernels, steps, "{}", dump.clif);
    check(text);
}

#[test]
fn stages_have_text() {
    let dump = dump("p", &module(PERCEPTRON), &Options::default()).unwrap_or_else(|e| panic!("{e}"));
    assert!(dump.loops.contains("product x * W1") && dump.loops.contains("in place W1 <- nW1"), "{}", dump.loops);
    assert!(dump.clif.contains("f32x4") && !dump.assembly.is_empty());
}

#[test]
fn random_programs_agree() {
    for seed in 0..60 {
        let random = program(seed);
        let (mut module, given) = (random.module, random.inputs);
        let wanted = expected(&module, &given);
        compare(&print(&module), &run_on(&module, &given, Precision::F64, 2), &wanted, 1e-10);
        optimise(&mut module);
        compare(&print(&module), &run_on(&module, &given, Precision::F64, 2), &wanted, 1e-9);
    }
}

/// A recurrent layer with its gradients: large enough for the contraction engine and for several tasks.
fn recurrent() -> Module {
    let mut m = module(
        "input x: f[16, 7, 24]\ninput start: f[16, 40]\npersistent U: f[40, 24]\npersistent W: f[40, 40]\n\
           later h: f[16, 7, 40]\n\
           before[i0: 16, i1: 7, i2: 40] = (h[i0, i1 - 1, i2] or start[i0, i2])\n\
           mixed[i0: 16, i1: 7, i2: 40] = sum[r0: 40] W[i2, r0] * before[i0, i1, r0]\n\
           seen[i0: 16, i1: 7, i2: 40] = sum[r0: 24] U[i2, r0] * x[i0, i1, r0]\n\
           h[i0: 16, i1: 7, i2: 40] = tanh(0.05 * mixed[i0, i1, i2] + 0.1 * seen[i0, i1, i2])\n\
           e[] = sum[r0: 16, r1: 40] h[r0, 6, r1] * h[r0, 3, r1]\noutput e = e\n",
    );
    arrange(&mut m);
    let named = |name: &str| TensorId(m.tensors.iter().position(|t| t.name == name).expect("named") as u32);
    let wrt = ["U", "W", "start"].map(named);
    let e = m.outputs[0].1;
    let gradients = reverse(&mut m, e, &wrt);
    m.outputs.extend(gradients.into_iter().enumerate().map(|(k, g)| (format!("gradient {k}"), g)));
    m
}

#[test]
fn a_recurrence_keeps_only_what_it_must_in_its_loop() {
    let mut m = recurrent();
    check(&print(&m));
    optimise(&mut m);
    check(&print(&m));
    let found = recurrences(&m);
    assert_eq!(found.iter().map(|r| r.descending).collect::<Vec<_>>(), [false, true], "{}", print(&m));
    let place = |name: &str| m.items.iter().position(|i| m.t(i.target()).name == name).expect("defined");
    // The projection of the input is one contraction over all turns before the loop, the gradients of both
    // matrices are one each after it.
    assert!(place("seen") < found[0].items.start, "{}", print(&m));
    assert!(place("d.U") >= found[1].items.end && place("d.W") >= found[1].items.end, "{}", print(&m));
    assert!(found[0].items.len() <= 3 && found[1].items.len() <= 3, "{}", print(&m));
    let loops = dump("p", &m, &Options::default()).expect("compiles").loops;
    assert!(loops.contains("in each of 7 turns, the last first"), "{loops}");
    assert_eq!(loops.matches("product ").count(), 5, "{loops}");
}

#[test]
fn recurrences_of_every_shape() {
    // Descending, along the last axis, two turns at once.
    check(
        "input x: f[9, 33]\nlater y: f[9, 33]\n\
           y[i0: 9, i1: 33] = 0.5 * (y[i0, i1 + 2] or x[i0, 0]) + x[i0, i1]\noutput y = y\n",
    );
    // A reduction, the number of the largest, a row chosen by it, and a scatter within a turn.
    check(
        "input x: f[6, 11]\ninput rows: f[11, 11]\nlater y: f[6, 11]\n\
           before[i0: 6, i1: 11] = (y[i0 - 1, i1] or 0.0)\n\
           best[i0: 6] = argmax[r0: 11] before[i0, r0] + x[i0, r0]\n\
           over [i0: 6, i1: 11] spread: f[6, 11] at [i0, mod(3 * i1, 7)] += x[i0, i1] * before[i0, i1]\n\
           total[i0: 6] = sum[r0: 11] before[i0, r0]\n\
           y[i0: 6, i1: 11] = tanh(rows[best[i0], i1] + spread[i0, i1] + 0.1 * total[i0])\noutput y = y\n",
    );
    // The turn behind other axes of a scatter; and one turn only.
    check(
        "input x: f[5, 4, 3]\nlater y: f[5, 4, 3]\n\
           over [i0: 4, i1: 5, i2: 3] spread: f[5, 4, 3] at [4 - i1, i0, i2] += (y[i1, i0 - 1, i2] or 1.0)\n\
           y[i0: 5, i1: 4, i2: 3] = 0.5 * spread[i0, i1, i2] + x[i0, i1, i2]\noutput y = y\n",
    );
    check("input x: f[1, 3]\nlater y: f[1, 3]\ny[i0: 1, i1: 3] = (y[i0 - 1, i1] or 2.0) * x[i0, i1]\noutput y = y\n");
}
