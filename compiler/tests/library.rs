//! Every definition of the library is tested. Functions, layers and losses have a train block `of_NAME` in `tests/grad`,
//! whose gradient by every parameter and every number that goes in must be the same by reverse mode, forward mode and
//! finite differences; a definition without a block fails. Initialisers, optimisers, schedules and metrics must occur in
//! the programs whose numbers the tests of the command compare with other systems or with formulas.

mod common;

use common::{Counts, check};
use grammar::ast::{CallableKind, Item};
use grammar::diagnostic::Severity;
use grammar::span::{SourceId, Sources};
use nnc_compiler::ir::random::{Prng, Program};
use nnc_compiler::ir::{Item as Step, Module, Role, TensorId};
use nnc_compiler::lower::program::Produced;
use nnc_compiler::lower::programs::forward;
use nnc_compiler::scalar::Kind;
use nnc_compiler::typed::Train;
use nnc_compiler::{check as checker, library};
use nnc_core::random::Distribution;
use std::path::Path;

/// The library's definitions.
fn definitions() -> Vec<(CallableKind, String)> {
    let parsed = library::texts().into_iter().flat_map(|(_, text)| grammar::parse(SourceId(0), &text).0.items);
    parsed
        .filter_map(|item| match item {
            Item::Callable(callable) => Some((callable.kind, callable.name.name)),
            _ => None,
        })
        .collect()
}

/// The texts of the programs in a folder of the repository.
fn programs(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<_> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "nn"));
    paths.sort();
    let text = |p: &Path| std::fs::read_to_string(p).unwrap_or_else(|e| panic!("{}: {e}", p.display()));
    paths.iter().map(|p| (p.display().to_string(), text(p))).collect()
}

/// The train blocks of a program, which must have no errors.
fn trains(name: &str, text: &str) -> Vec<Train> {
    let mut sources = Sources::default();
    let (library, _) = library::parse(&mut sources, &library::texts());
    let source = sources.add(name, text);
    let (file, trouble) = grammar::parse(source, text);
    assert!(trouble.is_empty(), "{name}: {trouble:?}");
    let (checked, mut trouble) = checker::check(&sources, &file, &library);
    // Roots and logarithms of what may be zero are warned of; here they are wanted, away from zero.
    trouble.retain(|d| d.severity == Severity::Error);
    assert!(trouble.is_empty(), "{name}: {trouble:?}");
    checked.trains
}

/// The forward pass of training on three samples, with random numbers in everything it reads.
fn filled(train: &Train, rng: &mut Prng) -> Program {
    let lowered = forward(train, 3);
    let mut module = lowered.module;
    let (_, name) = lowered.results.iter().find(|(r, _)| *r == Produced::Objective(0)).expect("an objective");
    module.outputs.retain(|(_, tensor)| module.tensors[tensor.0 as usize].name == *name);
    module.updates.clear();
    assert_eq!(module.outputs.len(), 1, "{}", train.name);
    let classes = train.fields.iter().filter_map(|f| match f.ty.element {
        nnc_compiler::typed::Element::Class(n) => Some((format!("input.{}", f.name), n)),
        _ => None,
    });
    let classes: Vec<(String, usize)> = classes.collect();
    let given = |m: &Module, id: &TensorId| m.t(*id).role != Role::Temporary;
    let ids: Vec<TensorId> = (0..module.tensors.len() as u32).map(TensorId).filter(|id| given(&module, id)).collect();
    let mut contents = |id: TensorId| -> Vec<f64> {
        let tensor = module.t(id);
        let below = classes.iter().find(|(name, _)| *name == tensor.name).map_or(1, |(_, n)| *n);
        let number = |rng: &mut Prng| match tensor.kind {
            Kind::Float => 1.5 * rng.signed_unit(),
            Kind::Int | Kind::Bool => rng.below(below) as f64,
        };
        (0..tensor.len()).map(|_| number(rng)).collect()
    };
    let inputs = ids.iter().map(|id| (*id, contents(*id))).collect();
    let drawn = module.items.iter().filter_map(|step| match step {
        Step::Draw(draw) => Some(draw),
        Step::Def(_) | Step::Listed(_) => None,
    });
    let draws = drawn
        .map(|d| {
            let unit = |x: &f64| if d.distribution == Distribution::Uniform { x / 3.0 + 0.5 } else { *x };
            (d.target, contents(d.target).iter().map(unit).collect())
        })
        .collect();
    let states: Vec<&String> = train.states.iter().map(|s| &s.path).collect();
    let free = |id: &TensorId| module.t(*id).kind == Kind::Float && !states.contains(&&module.t(*id).name);
    let wrt = ids.into_iter().filter(free).collect();
    Program { module, inputs, draws, wrt }
}

#[test]
fn every_gradient_is_right() {
    let mut tested: Vec<String> = vec![];
    let mut counts = Counts::default();
    for (name, text) in programs("tests/grad") {
        for train in trains(&name, &text) {
            for seed in 1..4 {
                check(&filled(&train, &mut Prng(seed)), &train.name, seed, &mut counts);
            }
            tested.push(train.name);
        }
    }
    let Counts { programs, not_finite, stuck, wild, flat, .. } = counts;
    assert_eq!((not_finite, stuck, wild, flat), (0, 0, 0, 0), "of {programs}");
    for (kind, name) in definitions() {
        if matches!(kind, CallableKind::Fn | CallableKind::Layer | CallableKind::Loss) {
            assert!(tested.contains(&format!("of_{name}")), "no train block of tests/grad is named of_{name}");
        }
    }
}

#[test]
fn every_definition_without_gradient_is_used() {
    let all: String = ["tests/reference", "tests/run", "tests/grad", "tests/forms"]
        .iter()
        .flat_map(|f| programs(f))
        .map(|p| p.1)
        .collect();
    let words: Vec<&str> = all.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    for (kind, name) in definitions() {
        assert!(words.contains(&name.as_str()), "no test program uses the {} {name}", kind.word());
    }
}
