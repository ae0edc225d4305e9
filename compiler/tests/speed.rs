//! Speeds of typical steps, printed; run by hand with `--ignored --nocapture`.

use nnc_compiler::emit::{Options, Precision, compile};
use nnc_compiler::ir::text::parse;
use nnc_core::plan::Work;
use runtime::execute::{Clock, Executor};
use std::collections::BTreeMap;
use std::time::Instant;

fn dense(out: &mut String, batch: usize, sizes: &[usize]) {
    use std::fmt::Write;
    let _ = writeln!(out, "input x: f[{batch}, {}]\ninput t: f[{batch}, {}]", sizes[0], sizes[sizes.len() - 1]);
    for l in 1..sizes.len() {
        let (i, o) = (sizes[l - 1], sizes[l]);
        let _ = writeln!(
            out,
            "persistent W{l}: f[{o}, {i}]\npersistent m{l}: f[{o}, {i}]\npersistent v{l}: f[{o}, {i}]\npersistent b{l}: f[{o}]"
        );
    }
    let last = sizes.len() - 1;
    for l in 1..sizes.len() {
        let (i, o) = (sizes[l - 1], sizes[l]);
        let input = if l == 1 { "x".to_string() } else { format!("a{}", l - 1) };
        let _ = writeln!(out, "h{l}[i0: {batch}, i1: {o}] = sum[r0: {i}] W{l}[i1, r0] * {input}[i0, r0]");
        let _ = writeln!(out, "a{l}[i0: {batch}, i1: {o}] = max(h{l}[i0, i1] + b{l}[i1], 0.0)");
    }
    let _ = writeln!(out, "g{last}[i0: {batch}, i1: {}] = a{last}[i0, i1] - t[i0, i1]", sizes[last]);
    for l in (1..=last).rev() {
        let (i, o) = (sizes[l - 1], sizes[l]);
        let input = if l == 1 { "x".to_string() } else { format!("a{}", l - 1) };
        let _ = writeln!(out, "d{l}[i0: {batch}, i1: {o}] = select(a{l}[i0, i1] <= 0.0, 0.0, g{l}[i0, i1])");
        let _ = writeln!(out, "G{l}[i0: {o}, i1: {i}] = sum[r0: {batch}] d{l}[r0, i0] * {input}[r0, i1]");
        let _ = writeln!(out, "B{l}[i0: {o}] = sum[r0: {batch}] d{l}[r0, i0]");
        if l > 1 {
            let _ = writeln!(out, "g{}[i0: {batch}, i1: {i}] = sum[r0: {o}] W{l}[r0, i1] * d{l}[i0, r0]", l - 1);
        }
        let _ = writeln!(out, "M{l}[i0: {o}, i1: {i}] = 0.9 * m{l}[i0, i1] + 0.1 * G{l}[i0, i1]");
        let _ = writeln!(out, "V{l}[i0: {o}, i1: {i}] = 0.999 * v{l}[i0, i1] + 0.001 * G{l}[i0, i1] * G{l}[i0, i1]");
        let _ = writeln!(
            out,
            "N{l}[i0: {o}, i1: {i}] = W{l}[i0, i1] - 0.001 * M{l}[i0, i1] / (sqrt(V{l}[i0, i1]) + 1.0e-8)"
        );
        let _ = writeln!(out, "C{l}[i0: {o}] = b{l}[i0] - 0.001 * B{l}[i0]");
    }
    for l in 1..=last {
        let _ = writeln!(out, "update W{l} = N{l}\nupdate m{l} = M{l}\nupdate v{l} = V{l}\nupdate b{l} = C{l}");
    }
}

const CONVOLUTIONS: &str = "input x: f[64, 1, 28, 28]\ninput g: f[64, 16, 10, 10]\n\
    persistent W1: f[6, 1, 5, 5]\npersistent W2: f[16, 6, 5, 5]\n\
    c1[i0: 64, i1: 6, i2: 28, i3: 28] = sum[r0: 1, r1: 5, r2: 5] W1[i1, r0, r1, r2] * (x[i0, r0, i2 + r1 - 2, i3 + r2 - 2] or 0.0)\n\
    p1[i0: 64, i1: 6, i2: 14, i3: 14] = max[r0: 2, r1: 2] c1[i0, i1, 2 * i2 + r0, 2 * i3 + r1]\n\
    c2[i0: 64, i1: 16, i2: 10, i3: 10] = sum[r0: 6, r1: 5, r2: 5] W2[i1, r0, r1, r2] * p1[i0, r0, i2 + r1, i3 + r2]\n\
    G2[i0: 16, i1: 6, i2: 5, i3: 5] = sum[r0: 64, r1: 10, r2: 10] g[r0, i0, r1, r2] * p1[r0, i1, r1 + i2, r2 + i3]\n\
    d1[i0: 64, i1: 6, i2: 14, i3: 14] = sum[r0: 16, r1: 5, r2: 5] W2[r0, i1, r1, r2] * (g[i0, r0, i2 - r1, i3 - r2] or 0.0)\n\
    e1[i0: 64, i1: 6, i2: 28, i3: 28] = select(c1[i0, i1, i2, i3] == p1[i0, i1, div(i2, 2), div(i3, 2)], d1[i0, i1, div(i2, 2), div(i3, 2)], 0.0)\n\
    G1[i0: 6, i1: 1, i2: 5, i3: 5] = sum[r0: 64, r1: 28, r2: 28] e1[r0, i0, r1, r2] * (x[r0, i1, r1 + i2 - 2, r2 + i3 - 2] or 0.0)\n\
    output c2 = c2\noutput G2 = G2\noutput G1 = G1\n";

fn measure(name: &str, text: &str, precision: Precision) {
    let module = parse(text).unwrap_or_else(|e| panic!("{e:?}"));
    let start = Instant::now();
    let bundle = compile(&[(name, &module)], &Options::new(precision)).unwrap_or_else(|e| panic!("{e}"));
    let compiled = start.elapsed();
    let flops: BTreeMap<String, usize> = bundle.programs[0]
        .launches
        .iter()
        .filter_map(|l| match &l.work {
            Work::Contraction(c) => Some((l.label.clone(), 2 * c.multiply_adds())),
            _ => None,
        })
        .collect();
    let mut executor = Executor::new(bundle, 1).unwrap_or_else(|e| panic!("{e}"));
    let mut best = BTreeMap::new();
    let mut fastest = f64::INFINITY;
    for _ in 0..200 {
        let mut total = 0.0;
        let observe = &mut |label: &str, seconds: f64| {
            total += seconds;
            let least = best.entry(label.to_string()).or_insert(f64::INFINITY);
            *least = seconds.min(*least);
        };
        executor.profile(0, Clock::default(), observe).unwrap_or_else(|e| panic!("{e}"));
        fastest = total.min(fastest);
    }
    println!("{name} {precision:?}: compiled in {compiled:.1?}, step {:.1} us", fastest * 1e6);
    for (label, seconds) in best {
        let rate = flops.get(&label).map(|f| format!("{:.1} GFLOP/s", *f as f64 / seconds * 1e-9)).unwrap_or_default();
        println!("  {:10.1} us  {label} {rate}", seconds * 1e6);
    }
}

#[test]
#[ignore = "measures"]
fn speeds() {
    let (mut tiny, mut mid, mut square) = (String::new(), String::new(), String::new());
    dense(&mut tiny, 32, &[16, 32, 16, 2]);
    dense(&mut mid, 64, &[784, 256, 128, 10]);
    dense(&mut square, 256, &[1024, 1024]);
    measure("tiny", &tiny, Precision::F32);
    measure("mid", &mid, Precision::F32);
    measure("square", &square, Precision::F32);
    measure("convolutions", CONVOLUTIONS, Precision::F32);
}
