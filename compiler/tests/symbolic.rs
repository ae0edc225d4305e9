//! Derivatives as programs: what is printed parses, checks, and means the same numbers; the
//! textbook's examples come out as in the textbook.

use grammar::span::Sources;
use nnc_compiler::check::function::{self, Dimension};
use nnc_compiler::ir::cost::cost;
use nnc_compiler::ir::interpret::{Values, interpret};
use nnc_compiler::ir::{Module, TensorId};
use nnc_compiler::lower::programs::{classes, gradients, training};
use nnc_compiler::scalar::Kind;
use nnc_compiler::symbolic::{Derivative, Mode, Question, derive, whole};
use nnc_compiler::{check, library, lower, source};
use std::collections::BTreeMap;
use std::path::Path;

/// The callable's module, and the classes of its inputs.
fn module(text: &str, name: &str, dims: &[Dimension]) -> (Module, BTreeMap<TensorId, usize>) {
    let mut sources = Sources::default();
    let (library, _) = library::parse(&mut sources, &library::texts());
    let id = sources.add("test.nn", text);
    let (file, wrong) = grammar::parse(id, text);
    assert!(wrong.is_empty(), "{wrong:?}\n{text}");
    let callable = function::find(&file, &library, name).unwrap_or_else(|| panic!("no {name} in\n{text}"));
    let function = function::function(&file, &library, callable, dims)
        .unwrap_or_else(|d| panic!("{:?}\n{text}", d.iter().map(|d| &d.message).collect::<Vec<_>>()));
    let class = |(k, i): (usize, &nnc_compiler::typed::Input)| match i.ty.element {
        nnc_compiler::typed::Element::Class(n) => Some((TensorId(k as u32), n)),
        _ => None,
    };
    let classes = function.inputs.iter().enumerate().filter_map(class).collect();
    (lower::function(&function), classes)
}

fn tensor(m: &Module, name: &str) -> TensorId {
    let at = m.tensors.iter().position(|t| t.name == name);
    TensorId(at.unwrap_or_else(|| panic!("no {name}")) as u32)
}

fn derivative(text: &str, name: &str, dims: &[Dimension], by: &[&str], mode: Mode) -> Derivative {
    let (m, _) = module(text, name, dims);
    let by = by.iter().map(|x| vec![tensor(&m, x)]).collect();
    let question = Question { of: m.outputs[0].1, by, mode };
    derive(m, &question)
}

/// Numbers that look random, the same every time; classes are small whole numbers.
fn filled(m: &Module, given: &[TensorId], classes: &BTreeMap<TensorId, usize>) -> Values {
    let mut seed = 17u64;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as f64 / (1u64 << 31) as f64
    };
    let value = |t: &TensorId, x: f64| match classes.get(t) {
        Some(n) => (x * *n as f64).floor(),
        None => 2.0 * x - 0.7,
    };
    given.iter().map(|t| (*t, (0..m.t(*t).len()).map(|_| value(t, next())).collect())).collect()
}

/// Reads the printed program and compares its numbers, output by output.
fn round_trip(m: &Module, text: &str, title: &str, classes: &BTreeMap<TensorId, usize>, zero_allowed: bool) {
    let point = filled(m, &source::given(m), classes);
    same_at(&point, m, text, title, zero_allowed);
}

/// The same at a point, which gives every input of the program a value.
fn same_at(point: &Values, m: &Module, text: &str, title: &str, zero_allowed: bool) {
    let given = source::given(m);
    let mut inputs = point.clone();
    for (k, t) in m.tensors.iter().enumerate() {
        inputs.entry(TensorId(k as u32)).or_insert_with(|| vec![0.0; t.len()]);
    }
    let no_draws = &mut |_: &_, t: &nnc_compiler::ir::Tensor| vec![0.25; t.len()];
    let expected = interpret(m, &inputs, no_draws).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let (again, _) = module(text, title, &[]);
    // The parameters are printed in the order of `given`.
    let inputs: Values = given.iter().enumerate().map(|(k, t)| (TensorId(k as u32), point[t].clone())).collect();
    let found = interpret(&again, &inputs, no_draws).unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert_eq!(m.outputs.len(), again.outputs.len(), "{text}");
    let mut some = zero_allowed;
    for ((name, t), (_, u)) in m.outputs.iter().zip(&again.outputs) {
        let (a, b) = (&expected[t], &found[u]);
        assert_eq!(m.t(*t).shape, again.t(*u).shape, "{name}\n{text}");
        for (x, y) in a.iter().zip(b) {
            assert!((x - y).abs() <= 1e-9 * (1.0 + x.abs()) || x.is_nan() && y.is_nan(), "{name}: {x} {y}\n{text}");
            some |= *x != 0.0 && x.is_finite();
        }
    }
    assert!(some, "everything is zero:\n{text}");
}

const PATHS: &str = include_str!("../../examples/paths.nn");

fn evaluated(d: &Derivative, at: &[(&str, f64)]) -> f64 {
    let point = at.iter().map(|(name, x)| (tensor(&d.module, name), vec![*x])).collect();
    d.evaluate(&point).expect("a value")[0][0]
}

/// Product along the edges, sum over the paths: 2*1 + 3*1 = 5 (course row D3), in both modes (D5).
#[test]
fn two_paths_sum_to_five() {
    for mode in [Mode::Reverse, Mode::Forward] {
        let d = derivative(PATHS, "e", &[], &["b"], mode);
        assert_eq!(evaluated(&d, &[("a", 2.0), ("b", 1.0)]), 5.0, "{}", d.source("e_by_b", &BTreeMap::new()));
        assert_eq!(d.expanded.map(|e| e.paths.count), Some(2.0));
        let d = derivative(PATHS, "e", &[], &["a"], mode);
        assert_eq!(evaluated(&d, &[("a", 2.0), ("b", 1.0)]), 2.0);
        let d = derivative(PATHS, "e", &[], &["b", "b"], mode);
        assert_eq!(evaluated(&d, &[("a", 2.0), ("b", 1.0)]), 2.0, "the second derivative");
    }
}

/// (α+β+γ)(δ+ε+ζ): one product where the expanded sum has nine (course row D4).
#[test]
fn nine_paths_are_one_product() {
    let d = derivative(PATHS, "two", &[], &["x"], Mode::Reverse);
    let text = d.source("two_by_x", &BTreeMap::new());
    assert_eq!(text, "fn two_by_x(α, β, γ, δ, ε, ζ) { d_x = (α + β + γ) * (δ + ε + ζ) }\n");
    let expanded = d.expanded.expect("a first derivative");
    assert_eq!((expanded.paths.count, expanded.paths.multiplications()), (9.0, 9.0));
    assert_eq!((d.cost().0.muls, d.cost().0.adds), (1, 4));
}

/// What the page shows is what comes out.
#[test]
fn the_page_is_true() {
    let page = include_str!("../../docs/derivatives.md");
    let shown = [
        derivative(PATHS, "e", &[], &["b"], Mode::Reverse).source("e_by_b", &BTreeMap::new()),
        derivative(PATHS, "e", &[], &["b"], Mode::Forward).source("e_by_b", &BTreeMap::new()),
        derivative(PATHS, "two", &[], &["x"], Mode::Reverse).source("two_by_x", &BTreeMap::new()),
        derivative(PATHS, "e", &[], &["b", "b"], Mode::Reverse).source("e_by_b_b", &BTreeMap::new()),
    ];
    for text in shown {
        assert!(page.contains(&text), "{text}");
    }
}

/// The size of the derivative is linear in the number of stages, the sum over the paths is not.
#[test]
fn size_grows_linearly_with_the_stages() {
    for n in [1usize, 2, 10, 30] {
        let d = derivative(PATHS, "stages", &[("n".into(), vec![n])], &["x"], Mode::Reverse);
        assert_eq!(d.cost().0.operations(), 3 * n as u64 - 1);
        let paths = d.expanded.expect("a first derivative").paths.count;
        assert_eq!(paths, 3f64.powi(n as i32));
        let text = d.source("stages_by_x", &BTreeMap::new());
        assert!(text.len() < 60 * n + 60, "{text}");
        round_trip(&d.module, &text, "stages_by_x", &BTreeMap::new(), false);
    }
}

/// Functions that between them use every form of the IR.
const FUNCTIONS: &[(&str, &str)] = &[
    ("matvec", "fn f(W: [4, 3], x: [3]) { y[i] = tanh(sum[j] W[i, j] * x[j])\n sum[i] y[i] * y[i] }"),
    ("window", "fn f(k: [3], x: [6]) { y[i]: [6] = sum[u: 3] k[u] * (x[i + u - 1] or 0)\n sum[i] y[i]^3 }"),
    ("stride", "fn f(x: [7]) { y[i]: [3] = max[u: 3] x[2*i + u]\n sum[i] y[i]^2 }"),
    ("scatter", "fn f(x: [5], W: [3]) { y[i + j]: [7] += x[i] * W[j]\n sum[i] y[i]^2 }"),
    ("gather", "fn f(E: [4, 2], c: [3] of class(4)) { sum[t, d] E[c[t], d]^2 }"),
    ("concat", "fn f(a: [2], b: [3]) { y[i]: [5] = if i < 2 then a[i] else b[i - 2]\n sum[i] y[i] * y[i] * (i + 1) }"),
    ("loss", "fn f(z: [5], y: class(5)) { logsumexp[i] z[i] - z[y] }"),
    ("mixed", "fn f(x: [3]) { m = mean[i] x[i]\n sum[i] (sqrt(1 + (x[i] - m)^2) / (2 + cos(x[i])) + abs(x[i])) }"),
    ("nested", "fn f(x) { tanh(tanh(tanh(tanh(tanh(x) * x) * x) * x) * x) }"),
    ("chosen", "fn f(x: [4], a) { sum[i] (if x[i] > a then exp(x[i] * a) else min(x[i], a) * 1e-7) }"),
    ("power", "fn f(x, y) { (1 + x^2)^y / erf(y + 2) + log1p(x^2) * expm1(y) - floor(x) * y }"),
    ("vector", "fn f(x: [3], M: [3, 3]) { y[i] = sum[j] M[i, j] * x[j] * x[i] }"),
    ("product", "fn f(x: [4]) { prod[i] (x[i] + 2) }"),
    (
        "scan",
        "fn f(x: [4, 2], w: [2, 2], h0: [2]) {\n hs = scan e in x with h = h0 { y[i] = tanh(e[i] + sum[j] w[i, j] * h[j])\n y }\n\
         sum[i] hs[3, i] * hs[1, i] }",
    ),
    ("fold", "fn f(x: [2, 3]) { y[(i, j)] = x[i, j]^2\n sum[k] y[k] * (k mod 3 + 1) }"),
];

#[test]
fn printed_derivatives_mean_the_same_numbers() {
    for (label, text) in FUNCTIONS {
        let (m, classes) = module(text, "f", &[]);
        let inputs: Vec<TensorId> = source::given(&m).into_iter().filter(|t| m.t(*t).kind == Kind::Float).collect();
        for mode in [Mode::Reverse, Mode::Forward] {
            for by in [vec![inputs.clone()], vec![vec![inputs[0]]; 2]] {
                let twice = by.len() == 2;
                let d = derive(m.clone(), &Question { of: m.outputs[0].1, by, mode });
                println!("{label} {mode:?}\n{}", d.source("df", &classes));
                round_trip(&d.module, &d.source("df", &classes), "df", &classes, twice);
            }
        }
    }
}

/// Reverse and forward mode agree where one input has one result.
#[test]
fn both_modes_agree() {
    for (label, text) in
        FUNCTIONS.iter().filter(|(_, text)| text.starts_with("fn f(x)") || text.starts_with("fn f(x, y)"))
    {
        let values = [Mode::Reverse, Mode::Forward].map(|mode| {
            let d = derivative(text, "f", &[], &["x"], mode);
            let point = filled(&d.module, &d.given(), &BTreeMap::new());
            d.evaluate(&point).expect("a value")[0][0]
        });
        assert!((values[0] - values[1]).abs() < 1e-12 * (1.0 + values[0].abs()), "{label}: {values:?}");
    }
}

/// Extents made smaller, so that the interpreter computes the steps of large examples in seconds.
const SHRUNK: [(&str, &[(&str, &str)]); 5] = [
    ("resnet20", &[("[3, 32, 32]", "[3, 8, 8]")]),
    ("transformer", &[("[64]", "[6]"), ("context = 64", "context = 6"), ("[64, 65]", "[6, 65]")]),
    ("characters", &[]),
    ("lenet", &[]),
    ("cifar", &[]),
];
/// Operations of a step, on three samples, that the interpreter is asked for.
const PATIENCE: u64 = 40_000_000;

/// The gradients and the whole step of every example, as source: read again they compute the same numbers.
#[test]
fn backward_programs_and_steps_are_source() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut paths: Vec<_> = std::fs::read_dir(folder).expect("examples").map(|e| e.expect("a file").path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "nn"));
    paths.sort();
    let mut left_out = vec![];
    for path in paths {
        let label = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let mut text = std::fs::read_to_string(&path).expect("a program");
        for (from, to) in SHRUNK.iter().filter(|(l, _)| *l == label).flat_map(|(_, changes)| *changes) {
            assert!(text.contains(from), "{label} has no {from}");
            text = text.replace(from, to);
        }
        let mut sources = Sources::default();
        let (library, _) = library::parse(&mut sources, &library::texts());
        let id = sources.add(&label, &text);
        let (file, _) = grammar::parse(id, &text);
        let (checked, wrong) = check::check(&sources, &file, &library);
        assert!(wrong.is_empty(), "{label}: {wrong:?}");
        for train in &checked.trains {
            for program in [gradients(train, 3), training(train, 3)] {
                if cost(&program.module).operations() > PATIENCE {
                    left_out.push(label.clone());
                    continue;
                }
                let classes = classes(train, &program);
                let m = whole(program.module);
                let text = source::print(&m, "backward", &classes);
                // Moments and variances are positive; here everything is.
                let mut point = filled(&m, &source::given(&m), &classes);
                for (tensor, values) in &mut point {
                    if !classes.contains_key(tensor) {
                        values.iter_mut().for_each(|x| *x = 0.05 + 0.1 * x.abs());
                    }
                }
                same_at(&point, &m, &text, "backward", false);
            }
        }
    }
    assert_eq!(left_out, Vec::<String>::new());
}
