//! Compiled code computes what the interpreter says: values and gradients of random programs and of every definition of
//! the library, optimised, in both precisions. How near is said in `common/agreement.rs`.

mod common;

use common::agreement::{Counts, check};
use common::{repository, text};
use compiler::differentiate::reverse;
use compiler::ir::random::{Prng, program};
use compiler::ir::{Role, TensorId};
use compiler::lower::programs::gradients;
use compiler::scalar::Kind;
use grammar::span::Sources;

/// Values and gradients of the random programs of these seeds.
fn check_random(seeds: std::ops::Range<u64>) {
    let mut counts = Counts::default();
    for seed in seeds {
        let random = program(seed);
        let (mut module, mut inputs) = (random.module, random.inputs);
        let objective = module.outputs[0].1;
        let found = reverse(&mut module, objective, &random.wrt);
        module.outputs.extend(found.into_iter().enumerate().map(|(k, t)| (format!("gradient {k}"), t)));
        // Numbers that both precisions read alike.
        inputs.values_mut().flat_map(|v| v.iter_mut()).for_each(|x| *x = f64::from(*x as f32));
        check(&format!("random program {seed}"), &module, &inputs, &mut counts);
    }
    println!("{counts:?}");
    let Counts { programs, not_finite, decided_by_rounding } = counts;
    assert!(5 * (not_finite + decided_by_rounding) < programs, "too many were left out: {counts:?}");
}

#[test]
fn a_hundred_random_programs() {
    check_random(0..100);
}

#[test]
#[ignore = "takes minutes"]
fn two_thousand_random_programs() {
    check_random(1000..3000);
}

/// Loss and gradients of every train block of `tests/grad`, which has one for each definition of the library.
#[test]
fn library_definitions() {
    let mut counts = Counts::default();
    for name in ["functions", "layers", "losses", "sequences", "windows"] {
        let mut sources = Sources::default();
        let (library, _) = compiler::library::parse(&mut sources, &compiler::library::texts());
        let source = text(&repository(&format!("tests/grad/{name}.nn")));
        let id = sources.add(name, source.clone());
        let (file, _) = grammar::parse(id, &source);
        let (checked, mut trouble) = compiler::check::check(&sources, &file, &library);
        trouble.retain(|d| d.severity == grammar::diagnostic::Severity::Error);
        assert!(trouble.is_empty(), "{trouble:?}");
        for train in &checked.trains {
            let mut module = gradients(train, 3).module;
            module.updates.clear();
            let mut rng = Prng(1);
            let given = (0..module.tensors.len() as u32).map(TensorId).filter(|t| module.t(*t).role != Role::Temporary);
            let number = |kind: Kind, rng: &mut Prng| match kind {
                Kind::Float => f64::from((1.5 * rng.signed_unit()) as f32),
                Kind::Int | Kind::Bool => rng.below(6) as f64,
            };
            let inputs = given
                .map(|t| (t, (0..module.t(t).len()).map(|_| number(module.t(t).kind, &mut rng)).collect()))
                .collect();
            check(&train.name, &module, &inputs, &mut counts);
        }
    }
    println!("{counts:?}");
    assert!(counts.programs > 35 && counts.not_finite + counts.decided_by_rounding == 0, "{counts:?}");
}
