//! The optimiser: whole models, forward and backward, keep their values and get the structure that
//! makes them fast; and each pass by itself, on text.

use nnc_compiler::differentiate::reverse;
use nnc_compiler::ir::interpret::{Values, interpret};
use nnc_compiler::ir::random::program;
use nnc_compiler::ir::text::{parse, print};
use nnc_compiler::ir::verify::verify;
use nnc_compiler::ir::{Combine, Def, ExprId, Item, Module, Node, Role, TensorId};
use nnc_compiler::optimise::{PASSES, contraction::contraction};
use nnc_compiler::scalar::{Binary, Kind, Unary};
use std::path::Path;

/// A module from `tests/passes/models`, with the gradient of `loss` by every persistent tensor as
/// an output `d NAME`.
fn trained(text: &str) -> Module {
    let mut m = parse(text).expect("the model parses");
    let loss = m.outputs[0].1;
    let of = |m: &Module, id: &TensorId| m.t(*id).role == Role::Persistent && m.t(*id).kind == Kind::Float;
    let wrt: Vec<TensorId> = (0..m.tensors.len() as u32).map(TensorId).filter(|t| of(&m, t)).collect();
    let gradients = reverse(&mut m, loss, &wrt);
    for (w, g) in wrt.iter().zip(gradients) {
        let name = format!("d {}", m.t(*w).name);
        m.outputs.push((name, g));
    }
    m
}

/// Numbers for inputs and persistent tensors, different everywhere, some negative.
fn numbers(m: &Module) -> Values {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        state >> 33
    };
    let given = m.tensors.iter().enumerate().filter(|(_, t)| t.role != Role::Temporary);
    let contents = given.map(|(id, t)| {
        let one = |n: u64| if t.kind == Kind::Float { n as f64 / 2f64.powi(30) - 1.0 } else { (n % 2) as f64 };
        (TensorId(id as u32), (0..t.len()).map(|_| one(next())).collect())
    });
    contents.collect()
}

fn outputs(m: &Module) -> Vec<(String, Vec<f64>)> {
    let mut draws = |_: &_, t: &nnc_compiler::ir::Tensor| vec![0.25; t.len()];
    let values = interpret(m, &numbers(m), &mut draws).unwrap_or_else(|e| panic!("{e}\n{}", print(m)));
    m.outputs.iter().map(|(name, t)| (name.clone(), values[t].clone())).collect()
}

/// Compares outputs, to 1e-9 of their size; what was no number must stay none.
fn assert_close(before: &[(String, Vec<f64>)], after: &[(String, Vec<f64>)], m: &Module, what: &str) {
    for ((name, old), (_, new)) in before.iter().zip(after) {
        for (a, b) in old.iter().zip(new) {
            let close = (a - b).abs() <= 1e-9 * (1.0 + a.abs()) || a == b || a.is_nan() && b.is_nan();
            assert!(close, "{what}: {name}: {a} became {b}\n{}", print(m));
        }
    }
}

/// Runs the passes one by one, comparing values after each.
fn checked(text: &str) -> Module {
    let mut m = trained(text);
    let before = outputs(&m);
    for pass in PASSES {
        pass.apply(&mut m);
        assert_eq!(verify(&m), Ok(()), "after {}:\n{}", pass.name, print(&m));
        assert_close(&before, &outputs(&m), &m, pass.name);
    }
    m
}

/// The targets of the contractions and of the scatters of a module.
fn structure(m: &Module) -> (Vec<String>, Vec<String>) {
    let defs = m.items.iter().filter_map(|i| match i {
        Item::Def(d) => Some(d),
        Item::Draw(_) | Item::Listed(_) => None,
    });
    let name = |d: &&nnc_compiler::ir::Def| m.t(d.target).name.clone();
    let contractions = defs.clone().filter(|d| contraction(m, d).is_some()).map(|d| name(&d)).collect();
    (contractions, defs.filter(|d| d.scatter.is_some()).map(|d| name(&d)).collect())
}

fn defined<'a>(m: &'a Module, name: &str) -> &'a Def {
    let named = |i: &&Item| m.t(i.target()).name == name;
    match m.items.iter().find(named) {
        Some(Item::Def(d)) => d,
        _ => panic!("`{name}` is not defined in\n{}", print(m)),
    }
}

#[test]
fn layers_contract_forward_and_backward() {
    let m = checked(include_str!("passes/models/layers.ir"));
    let (contractions, scatters) = structure(&m);
    assert_eq!(contractions, ["z", "o", "d.h", "d.W", "d.V"]);
    assert!(scatters.is_empty(), "the gradient of an element chosen by class is pointwise: {scatters:?}");
    // Of the first layer's value only what the bound leaves is kept.
    assert!(print(&m).contains("0.0 < h["), "{}", print(&m));
    let seen = contraction(&m, defined(&m, "d.W")).expect("seen above");
    assert_eq!((seen.batch, seen.m, seen.n, seen.k), (vec![], vec![0], vec![1], vec![2]));
}

#[test]
fn windows_contract_forward_and_backward() {
    let m = checked(include_str!("passes/models/windows.ir"));
    let (contractions, scatters) = structure(&m);
    assert!(scatters.is_empty(), "{scatters:?}\n{}", print(&m));
    assert_eq!(contractions, ["c1", "c2", "d", "o", "d.f", "d.h.phases", "d.h1", "d.W", "d.W2", "d.V", "d.U"]);
    // Stride 1: the sum over window and filters visits no point in vain.
    assert_eq!(defined(&m, "d.h1").domain, [2, 4, 8, 8, 3, 3, 4]);
    // Stride 2, window 3: two of three taps in each phase.
    assert_eq!(defined(&m, "d.h.phases").domain, [2, 4, 5, 2, 5, 2, 2, 2, 5]);
    // Maxima of windows that do not overlap.
    assert_eq!(defined(&m, "d.d").combine, Combine::Set);
}

#[test]
fn costly_parts_of_centred_values_are_computed_once() {
    let m = checked(include_str!("passes/models/centred.ir"));
    let costly = |d: &Def| {
        let wide = d.domain.iter().product::<usize>() > 3;
        let root = |e: &ExprId| matches!(m.node(*e), Node::Unary(Unary::Sqrt, _) | Node::Binary(Binary::Div, ..));
        wide && m.reachable(&[d.value]).iter().any(root)
    };
    let defs = m.items.iter().filter_map(|i| match i {
        Item::Def(d) => Some(d),
        Item::Draw(_) | Item::Listed(_) => None,
    });
    assert_eq!(defs.filter(|d| costly(d)).count(), 0, "{}", print(&m));
}

#[test]
fn rows_read_by_number_keep_their_scatter() {
    let m = checked(include_str!("passes/models/lookup.ir"));
    assert_eq!(structure(&m).1, ["d.E"]);
}

#[test]
fn random_programs_keep_their_values() {
    let mut left_out = 0;
    for seed in 0..200 {
        let program = program(seed);
        let mut m = program.module.clone();
        let gradients = reverse(&mut m, program.objective().expect("an objective"), &program.wrt);
        m.outputs.extend(gradients.into_iter().enumerate().map(|(k, g)| (format!("gradient {k}"), g)));
        let run = |m: &Module, what: &str| {
            let values = interpret(m, &program.inputs, &mut |d, _| program.draws[&d.target].clone());
            let values = values.unwrap_or_else(|e| panic!("seed {seed}, {what}: {e}\n{}", print(m)));
            m.outputs.iter().map(|(name, t)| (name.clone(), values[t].clone())).collect::<Vec<_>>()
        };
        let before = run(&m, "before");
        if before.iter().any(|(_, values)| values.iter().any(|v| v.is_nan())) {
            // A factor that is NaN leaves its sum, and then makes NaN what no term of the sum would have shown.
            left_out += 1;
            continue;
        }
        for pass in PASSES {
            pass.apply(&mut m);
            assert_eq!(verify(&m), Ok(()), "seed {seed}, {}:\n{}", pass.name, print(&m));
            let after = run(&m, pass.name);
            assert_close(&before, &after, &m, &format!("seed {seed}, {}", pass.name));
        }
    }
    assert!(left_out < 20, "{left_out} programs are not finite");
}

/// Each file of `tests/passes`: the pass's name, a module, a line `----`, the module after the pass.
/// `NNC_BLESS=1` writes the second anew.
#[test]
fn files_say_what_a_pass_does() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/passes");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("the folder").map(|f| f.expect("an entry").path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "ir"));
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let text = std::fs::read_to_string(&file).expect("readable");
        let (head, rest) = text.split_once('\n').expect("a first line");
        let (before, after) = rest.split_once("----\n").unwrap_or((rest, ""));
        let pass = PASSES.iter().find(|p| p.name == head.trim()).unwrap_or_else(|| panic!("no pass `{head}`"));
        let mut m = parse(before).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let values = outputs(&m);
        pass.apply(&mut m);
        assert_eq!(verify(&m), Ok(()), "{}:\n{}", file.display(), print(&m));
        assert_close(&values, &outputs(&m), &m, &file.display().to_string());
        let printed = print(&m);
        if std::env::var_os("NNC_BLESS").is_some() {
            std::fs::write(&file, format!("{head}\n{before}----\n{printed}")).expect("writable");
        } else {
            assert_eq!(printed, after, "{}", file.display());
        }
    }
}
