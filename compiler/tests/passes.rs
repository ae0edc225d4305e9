//! The optimiser: whole models, forward and backward, keep their values and get the structure that
//! makes them fast; and each pass by itself, on text.

use nnc_compiler::differentiate::reverse;
use nnc_compiler::ir::interpret::{Values, interpret};
use nnc_compiler::ir::text::{parse, print};
use nnc_compiler::ir::verify::verify;
use nnc_compiler::ir::{Item, Module, Role, TensorId};
use nnc_compiler::optimise::{PASSES, contraction::contraction, optimise};
use nnc_compiler::scalar::Kind;

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

fn assert_same(before: &[(String, Vec<f64>)], m: &Module, what: &str) {
    for ((name, old), (_, new)) in before.iter().zip(outputs(m)) {
        for (a, b) in old.iter().zip(&new) {
            assert!((a - b).abs() <= 1e-9 * (1.0 + a.abs()), "{what}: {name}: {a} became {b}\n{}", print(m));
        }
    }
}

/// Runs the passes one by one, comparing values after each.
fn checked(text: &str) -> Module {
    let mut m = trained(text);
    let before = outputs(&m);
    for pass in PASSES {
        (pass.run)(&mut m);
        assert_eq!(verify(&m), Ok(()), "after {}:\n{}", pass.name, print(&m));
        assert_same(&before, &m, pass.name);
    }
    m
}

/// The targets of the contractions and of the scatters of a module.
fn structure(m: &Module) -> (Vec<String>, Vec<String>) {
    let defs = m.items.iter().filter_map(|i| match i {
        Item::Def(d) => Some(d),
        Item::Draw(_) => None,
    });
    let name = |d: &&nnc_compiler::ir::Def| m.t(d.target).name.clone();
    let contractions = defs.clone().filter(|d| contraction(m, d).is_some()).map(|d| name(&d)).collect();
    (contractions, defs.filter(|d| d.scatter.is_some()).map(|d| name(&d)).collect())
}

#[test]
fn show() {
    for text in [
        include_str!("passes/models/layers.ir"),
        include_str!("passes/models/windows.ir"),
        include_str!("passes/models/centred.ir"),
        include_str!("passes/models/lookup.ir"),
    ] {
        println!("{}\n------", print(&trained(text)));
        let m = checked(text);
        println!("{}\n{:?}\n=======", print(&m), structure(&m));
    }
}
