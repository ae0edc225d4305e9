//! Loss, gradients, optimisers and schedules against JAX and PyTorch: the files of `tests/reference`, whose README says
//! how they were made.

mod common;

use common::{Folder, read_arrays, repository, succeed, text};
use compiler::lower::scheduled::{self, Point};
use nnc::{args, load};
use runtime::arrays::Array;
use std::collections::{BTreeMap, BTreeSet};

type Arrays = BTreeMap<String, Array>;

fn length(values: &[f64]) -> f64 {
    values.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// How far an array is from the one expected, relative to that one's length, or to `longest` where that one is
/// nothing but rounding.
fn distance(found: &Array, expected: &Array, longest: f64) -> f64 {
    assert_eq!(found.shape, expected.shape);
    let difference: Vec<f64> = found.values.iter().zip(&expected.values).map(|(a, b)| a - b).collect();
    let own = length(&expected.values);
    length(&difference) / if own > 1e-9 * longest { own } else { longest }
}

/// Every array expected is found, within the bound.
fn compare(what: &str, found: &Arrays, expected: &Arrays, bound: f64) {
    let longest = expected.values().map(|a| length(&a.values)).fold(0.0, f64::max);
    for (name, wanted) in expected {
        let found = found.get(name).unwrap_or_else(|| panic!("{what}: no {name}"));
        let off = distance(found, wanted, longest);
        // Not `off > bound`, which a NaN would pass.
        assert!(off <= bound, "{what}: {name} is off by {off:e}");
    }
}

/// Loss and every gradient of a network. The bounds leave float64 and float32 some thousand and ten units in the last
/// place: sums of up to a thousand terms, taken in another order than JAX takes them.
fn network(name: &str) {
    let folder = Folder::new(name);
    let base = format!("tests/reference/{name}");
    let expected = read_arrays(&repository(&format!("{base}.expected.npz")));
    for (precision, bound) in [("f64", 1e-10), ("f32", 1e-5)] {
        let out = folder.path(&format!("{precision}.npz"));
        succeed(&format!(
            "grad {base}.nn --inputs {base}.inputs.npz --params {base}.params.npz --precision {precision} -o {}",
            out.display()
        ));
        let found = read_arrays(&out);
        compare(&format!("{name} in {precision}"), &found, &expected, bound);
        let gradients = found.keys().filter(|k| k.starts_with("grad.")).count();
        assert_eq!(gradients + 1, expected.len(), "{name}: as many gradients as expected");
    }
}

#[test]
fn mlp() {
    network("mlp");
}

#[test]
fn lenet() {
    network("lenet");
}

#[test]
fn digits() {
    network("digits");
}

#[test]
fn strided() {
    network("strided");
}

#[test]
fn norms() {
    network("norms");
}

#[test]
fn windows() {
    network("windows");
}

#[test]
fn sequences() {
    network("sequences");
}

#[test]
fn blocks() {
    network("blocks");
}

#[test]
fn losses() {
    network("losses");
}

/// Every train block of a program, run to its end, leaves the parameters expected under `BLOCK.name`.
fn updates(name: &str, bounds: [(&str, f64); 2]) {
    let folder = Folder::new(name);
    let program = format!("tests/reference/{name}.nn");
    let expected = read_arrays(&repository(&format!("tests/reference/{name}.expected.npz")));
    let source = text(&repository(&program));
    let blocks: BTreeSet<&str> = source.lines().filter_map(|l| l.strip_prefix("train ")?.split(' ').next()).collect();
    assert_eq!(blocks, expected.keys().filter_map(|k| k.split('.').next()).collect());
    for (block, (precision, bound)) in blocks.iter().flat_map(|b| bounds.map(|p| (b, p))) {
        let out = folder.path(&format!("{block}-{precision}"));
        succeed(&format!("run {program} --train {block} --precision {precision} --out {} --json", out.display()));
        let found = read_arrays(&out.join("weights.safetensors"));
        let wanted: Arrays = found
            .keys()
            .map(|k| (k.clone(), expected.get(&format!("{block}.{k}")).cloned()))
            .map(|(k, v)| (k.clone(), v.unwrap_or_else(|| panic!("nothing is expected of {block}.{k}"))))
            .collect();
        assert!(!wanted.is_empty());
        compare(&format!("{block} in {precision}"), &found, &wanted, bound);
    }
}

/// Fifty steps carry an error of one step on; steps divided by roots of squared gradients enlarge it where these are
/// small. In float32 that leaves four digits.
#[test]
fn optimizers() {
    updates("optimizers", [("f64", 1e-10), ("f32", 1e-4)]);
}

/// The rate of every update is that of PyTorch's schedule, or of its formula. PyTorch makes some of its rates one from
/// another, which rounds fifty times.
#[test]
fn rates_at_every_update() {
    let options = args::Program { file: repository("tests/reference/schedules.nn"), ..args::Program::default() };
    let loaded = load::load(&options, false).unwrap_or_else(|e| panic!("{e}"));
    let expected = read_arrays(&repository("tests/reference/schedules.expected.npz"));
    let points: Vec<Point> = (1..=50).map(|k| Point { step: f64::from(k), steps: 50.0, epoch: 0.0 }).collect();
    let mut changing = 0;
    for train in &loaded.checked.trains {
        let wanted = &expected[&format!("{}.rates", train.name)].values;
        assert_eq!(wanted.len(), points.len());
        let found = scheduled::values(train, "lr", &points).unwrap_or_else(|e| panic!("{e:?}"));
        let Some(found) = found else {
            assert!(wanted.iter().all(|w| w == &wanted[0]), "{} does not change", train.name);
            continue;
        };
        changing += 1;
        for (k, (found, wanted)) in found.iter().zip(wanted).enumerate() {
            assert!(
                (found - wanted).abs() <= 1e-12 * wanted.abs().max(0.1),
                "{} at {k}: {found}, not {wanted}",
                train.name
            );
        }
    }
    assert_eq!(changing, 9, "all but the constant rate");
}

/// A sum of fifty rates; PyTorch makes some of its rates one from another, which rounds fifty times.
#[test]
fn schedules() {
    updates("schedules", [("f64", 1e-12), ("f32", 1e-5)]);
}
