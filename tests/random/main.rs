//! Random whole programs, from text to machine code: each is checked without a complaint, its gradient by reverse mode
//! and along a direction by forward mode agree to 1e-12 of the sum of their terms, and compiled code computes loss and
//! gradients as the interpreter does, within the bounds of `common/agreement.rs`. Every form of the language and of
//! index notation must have come up.

#[path = "../common/mod.rs"]
mod common;
mod generator;

use common::agreement::{self, Counts, draws};
use compiler::check;
use compiler::differentiate::{forward, reverse};
use compiler::ir::interpret::{Values, interpret};
use compiler::ir::random::Prng;
use compiler::ir::verify::verify;
use compiler::ir::{Combine, Item, Module, Node, Role, TensorId};
use compiler::lower::program::Produced;
use compiler::lower::programs::{self, gradients};
use compiler::scalar::{Binary, Kind, Unary};
use compiler::typed::{Element, Train};
use generator::Forms;
use grammar::render::human;
use grammar::span::Sources;
use nnc_core::random::Distribution;
use std::collections::BTreeMap;

/// Samples in a minibatch.
const BATCH: usize = 3;

/// The train block of a program, which must have nothing wrong with it; warnings are about what it means.
fn train(seed: u64, source: &str) -> Train {
    let mut sources = Sources::default();
    let (library, _) = compiler::library::parse(&mut sources, &compiler::library::texts());
    let id = sources.add("random.nn", source);
    let (file, mut trouble) = grammar::parse(id, source);
    let (checked, found) = check::check(&sources, &file, &library);
    trouble.extend(found.into_iter().filter(|d| d.severity == grammar::diagnostic::Severity::Error));
    let said: String = trouble.iter().map(|d| human(&sources, d, false)).collect();
    assert!(said.is_empty(), "seed {seed}\n{source}\n{said}");
    checked.trains.into_iter().next().unwrap_or_else(|| panic!("seed {seed}: no train block\n{source}"))
}

/// Contents of everything that is given to a module: numbers that both precisions read alike, classes in their range.
fn contents(train: &Train, module: &Module, rng: &mut Prng) -> Values {
    let classes: BTreeMap<String, usize> = train
        .fields
        .iter()
        .filter_map(|f| match f.ty.element {
            Element::Class(n) => Some((format!("input.{}", f.name), n)),
            _ => None,
        })
        .collect();
    let given = (0..module.tensors.len() as u32).map(TensorId).filter(|t| module.t(*t).role != Role::Temporary);
    let mut filled = |t: TensorId| -> Vec<f64> {
        let tensor = module.t(t);
        let below = classes.get(&tensor.name).copied().unwrap_or(1);
        let number = |rng: &mut Prng| match tensor.kind {
            Kind::Float => f64::from((1.2 * rng.signed_unit()) as f32),
            Kind::Int | Kind::Bool => rng.below(below) as f64,
        };
        (0..tensor.len()).map(|_| number(rng)).collect()
    };
    given.map(|t| (t, filled(t))).collect()
}

/// The gradient along a random direction, by both modes.
fn modes_agree(train: &Train, seed: u64) {
    let lowered = programs::forward(train, BATCH);
    let mut module = lowered.module;
    let objective = lowered.results.iter().find(|(r, _)| *r == Produced::Objective(0)).map(|(_, name)| name.clone());
    let find = |m: &Module, name: &str| m.tensors.iter().position(|t| t.name == name).map(|k| TensorId(k as u32));
    let objective = objective.and_then(|name| find(&module, &name)).unwrap_or_else(|| panic!("no objective"));
    let wrt: Vec<TensorId> = train.parameters.iter().filter_map(|p| find(&module, &p.path)).collect();
    let tangents: Vec<(TensorId, TensorId)> = wrt
        .iter()
        .map(|t| {
            let (name, shape) = (format!("tangent of {}", module.t(*t).name), module.t(*t).shape.clone());
            (*t, module.tensor(&name, shape, Kind::Float, Role::Input, None))
        })
        .collect();
    let along = forward(&mut module, &tangents).get(&objective).copied();
    let gradients = reverse(&mut module, objective, &wrt);
    let verified = verify(&module);
    assert_eq!(verified, Ok(()), "seed {seed}");
    let inputs = contents(train, &module, &mut Prng(seed));
    let values = interpret(&module, &inputs, &mut draws).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    let terms = tangents.iter().zip(&gradients).flat_map(|((_, t), g)| values[t].iter().zip(&values[g]));
    let terms: Vec<f64> = terms.map(|(direction, gradient)| direction * gradient).collect();
    let (total, size) = (terms.iter().sum::<f64>(), terms.iter().map(|t| t.abs()).sum::<f64>());
    let forwarded = along.map_or(0.0, |t| values[&t][0]);
    assert!(total.is_finite(), "seed {seed}: the gradient is {total}");
    assert!((total - forwarded).abs() <= 1e-12 * size, "seed {seed}: reverse {total}, forward {forwarded}, of {size}");
}

/// Notes what a module is made of.
fn note_parts(module: &Module, parts: &mut BTreeMap<String, usize>) {
    let mut note = |what: String| *parts.entry(what).or_default() += 1;
    for item in &module.items {
        match item {
            Item::Draw(d) => {
                note(format!("draw {:?}, {}", d.distribution, if d.per_sample { "per sample" } else { "one for all" }))
            }
            Item::Listed(_) => note("list".into()),
            Item::Def(def) => {
                note(format!("{:?}", def.combine));
                if let Some(scatter) = &def.scatter {
                    note(format!("scatter{}", if scatter.dropping { " that drops" } else { "" }));
                }
                for id in module.reachable(&[def.value]) {
                    match module.node(id) {
                        Node::Unary(op, _) => note(format!("{op:?}")),
                        Node::Binary(op, ..) => note(format!("{op:?}")),
                        Node::Select(..) => note("select".into()),
                        Node::Read { otherwise, .. } => {
                            note(if otherwise.is_some() { "guarded read" } else { "read" }.into())
                        }
                        _ => {}
                    }
                }
            }
        }
    }
}

/// Everything that should come up in index notation.
fn wanted_parts() -> Vec<String> {
    let mut wanted: Vec<String> = vec!["select".into(), "read".into(), "guarded read".into()];
    wanted.extend(["scatter", "scatter that drops"].map(String::from));
    wanted.extend(
        [Combine::Set, Combine::Sum, Combine::Prod, Combine::Max, Combine::Min, Combine::Argmax]
            .map(|c| format!("{c:?}")),
    );
    wanted.extend(Unary::ALL.iter().map(|op| format!("{op:?}")));
    wanted.extend(Binary::ALL.iter().map(|op| format!("{op:?}")));
    for distribution in [Distribution::Uniform, Distribution::Normal] {
        wanted.push(format!("draw {distribution:?}, per sample"));
    }
    wanted.push("draw Uniform, one for all".into());
    wanted
}

/// Programs of these seeds; in the end every form must have come up.
fn check_seeds(seeds: std::ops::Range<u64>) {
    let (mut forms, mut parts, mut counts) = (Forms::new(), BTreeMap::new(), Counts::default());
    for seed in seeds {
        let source = generator::program(seed, &mut forms);
        let train = train(seed, &source);
        modes_agree(&train, seed);
        let mut module = gradients(&train, BATCH).module;
        module.updates.clear();
        note_parts(&module, &mut parts);
        let inputs = contents(&train, &module, &mut Prng(seed + 1));
        agreement::check(&format!("seed {seed}\n{source}"), &module, &inputs, &mut counts);
    }
    println!("{counts:?}\n{forms:#?}\n{parts:#?}");
    let Counts { programs, not_finite, decided_by_rounding } = counts;
    assert!(5 * (not_finite + decided_by_rounding) < programs, "too many were left out: {counts:?}");
    let missing: Vec<&str> = generator::FORMS.iter().filter(|f| !forms.contains_key(*f)).copied().collect();
    assert!(missing.is_empty(), "never written: {missing:?}");
    let missing: Vec<String> = wanted_parts().into_iter().filter(|p| !parts.contains_key(p)).collect();
    assert!(missing.is_empty(), "never came up: {missing:?}");
}

#[test]
fn five_hundred_programs() {
    check_seeds(0..500);
}

#[test]
#[ignore = "takes twenty minutes"]
fn ten_thousand_programs() {
    check_seeds(1000..11_000);
}
