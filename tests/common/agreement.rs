//! Compiled code against the interpreter.
//!
//! How far two orders of rounding may lie apart is measured on the program itself. The interpreter, run in single
//! precision and again on inputs changed by a rounding, shows how much the program magnifies one rounding; a sum of n
//! terms has n of them. So a tensor of compiled code may differ from the interpreter's in double precision by [`SLACK`]
//! times n times what was measured (or a rounding of its largest element, if that is more), where n is the longest sum of
//! the program; in double precision by 2^-29 of that. Where one rounding decides a comparison, the program is left out.

use compiler::emit::{Options, Precision, compile};
use compiler::ir::interpret::{Choices, Values, interpret_in, interpret_noting};
use compiler::ir::random::Prng;
use compiler::ir::{Draw, Item, Module, Tensor};
use compiler::optimise::optimise;
use compiler::scalar::Kind;
use runtime::execute::{Clock, Executor};
use runtime::random::{self, Place};

/// Roundings of an expression that no sum counts.
const SLACK: f64 = 8.0;
/// Half the distance from 1 to the next larger single number.
const ROUNDING: f64 = 1.0 / 16_777_216.0;
const CLOCK: Clock = Clock { seed: 7, step: 3, sample: 0 };

/// What the runtime draws, in single precision.
pub fn draws(draw: &Draw, tensor: &Tensor) -> Vec<f64> {
    let mut out = vec![0.0; tensor.len()];
    let row = if draw.per_sample { tensor.len() / tensor.shape[0] } else { tensor.len() };
    random::fill(&mut out, draw.distribution, Place { seed: CLOCK.seed, site: draw.site, step: CLOCK.step }, row, 0, 0);
    out
}

fn outputs(module: &Module, values: &Values) -> Vec<Vec<f64>> {
    module.outputs.iter().map(|(_, t)| values[t].clone()).collect()
}

/// Outputs in double precision, with the choices made on the way.
fn exact(module: &Module, inputs: &Values, nudge: f64) -> (Vec<Vec<f64>>, Choices) {
    let mut nudged = |d: &Draw, t: &Tensor| draws(d, t).iter().map(|x| x * (1.0 + nudge)).collect();
    let (values, choices) = interpret_noting(module, inputs, &mut nudged).unwrap_or_else(|e| panic!("{e}"));
    (outputs(module, &values), choices)
}

/// Outputs with every operation rounded to single precision.
fn single(module: &Module, inputs: &Values) -> Vec<Vec<f64>> {
    let values = interpret_in(Precision::F32, module, inputs, &mut draws).unwrap_or_else(|e| panic!("{e}"));
    outputs(module, &values)
}

fn compiled(module: &Module, inputs: &Values, precision: Precision) -> Vec<Vec<f64>> {
    let bundle = compile(&[("p", module)], &Options::new(precision)).unwrap_or_else(|e| panic!("{e}"));
    let mut executor = Executor::new(bundle, 2).unwrap_or_else(|e| panic!("{e}"));
    for (id, values) in inputs {
        let slot = executor.program(0).tensors.get(&module.t(*id).name).cloned();
        slot.iter().for_each(|slot| executor.write_f64(slot, values));
    }
    executor.run(0, CLOCK).unwrap_or_else(|e| panic!("{e}"));
    executor.program(0).outputs.iter().map(|(_, slot)| executor.read_f64(slot)).collect()
}

/// The float inputs moved by a rounding, up or down.
fn moved(module: &Module, inputs: &Values, rng: &mut Prng) -> Values {
    let mut moved = inputs.clone();
    for (id, values) in &mut moved {
        if module.t(*id).kind == Kind::Float {
            values.iter_mut().for_each(|x| *x *= 1.0 + ROUNDING * rng.signed_unit().signum());
        }
    }
    moved
}

/// Terms of the longest sum.
fn longest_sum(module: &Module) -> usize {
    let points = |item: &Item| match item {
        Item::Def(def) => def.domain.iter().product::<usize>() / module.t(def.target).len().max(1),
        Item::Draw(_) | Item::Listed(_) => 1,
    };
    module.items.iter().map(points).max().unwrap_or(1).max(1)
}

fn finite(values: &[Vec<f64>]) -> bool {
    values.iter().flat_map(|v| v.iter()).all(|x| x.is_finite())
}

/// Trials from which a bound is taken at first, and before it is said to be broken: roundings that cancel in a few trials
/// (the mean of equal numbers, multiplied by 300 in a norm) do not in all of many.
const TRIALS: [usize; 2] = [4, 100];

/// For each output, how far compiled code may be from `wanted` in single precision; `None` where a rounding decides.
fn bounds(module: &Module, inputs: &Values, wanted: &[Vec<f64>], choices: Choices, trials: usize) -> Option<Vec<f64>> {
    let mut rng = Prng(5);
    let mut others = vec![single(module, inputs)];
    for _ in 0..trials {
        let near = moved(module, inputs, &mut rng);
        let (values, other) = exact(module, &near, ROUNDING * rng.signed_unit());
        if other != choices {
            return None;
        }
        others.extend([values, single(module, &near)]);
    }
    let n = longest_sum(module) as f64;
    let spread = |k: usize| {
        let distances = others.iter().flat_map(|o| o[k].iter().zip(&wanted[k]).map(|(a, b)| (a - b).abs()));
        distances.fold(0.0, f64::max)
    };
    let largest = |k: usize| wanted[k].iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    Some((0..wanted.len()).map(|k| SLACK * n * spread(k).max(ROUNDING * largest(k))).collect())
}

/// Programs left out, of how many.
#[derive(Debug, Default)]
pub struct Counts {
    /// All.
    pub programs: usize,
    /// Left out: some number is not finite.
    pub not_finite: usize,
    /// Left out: some comparison.
    pub decided_by_rounding: usize,
}

/// Compares one program, in both precisions.
pub fn check(what: &str, module: &Module, inputs: &Values, counts: &mut Counts) {
    counts.programs += 1;
    let (wanted, choices) = exact(module, inputs, 0.0);
    if !finite(&wanted) {
        counts.not_finite += 1;
        return;
    }
    let Some(mut bound) = bounds(module, inputs, &wanted, choices, TRIALS[0]) else {
        counts.decided_by_rounding += 1;
        return;
    };
    let mut optimised = module.clone();
    optimise(&mut optimised);
    for (precision, finer) in [(Precision::F64, 1.0 / 536_870_912.0), (Precision::F32, 1.0)] {
        let found = compiled(&optimised, inputs, precision);
        let far = |bound: &[f64]| {
            (0..wanted.len()).find_map(|k| {
                assert_eq!(found[k].len(), wanted[k].len());
                let at = found[k].iter().zip(&wanted[k]).position(|(f, w)| (f - w).abs() > bound[k] * finer)?;
                Some((k, at))
            })
        };
        if far(&bound).is_some() {
            match bounds(module, inputs, &wanted, choices, TRIALS[1]) {
                Some(better) => bound = better,
                None => {
                    counts.decided_by_rounding += 1;
                    return;
                }
            }
        }
        if let Some((k, at)) = far(&bound) {
            let (name, f, w) = (&module.outputs[k].0, found[k][at], wanted[k][at]);
            panic!("{what} in {precision:?}: {name}[{at}] is {f}, not {w} within {:e}", bound[k] * finer);
        }
    }
}
