//! What the library's initialisers draw: means, deviations and bounds as their formulas say, other numbers for another
//! seed and for another parameter.

mod common;

use common::{Folder, read_arrays, succeed};
use runtime::arrays::Array;
use std::collections::BTreeMap;

/// Inputs and outputs of the parameters `[300, 200]`.
const FANS: (f64, f64) = (200.0, 300.0);

/// The parameters at their start.
fn drawn(folder: &Folder, seed: u64) -> BTreeMap<String, Array> {
    drawn_in(folder, seed, "f64")
}

fn drawn_in(folder: &Folder, seed: u64, precision: &str) -> BTreeMap<String, Array> {
    let out = folder.path(&format!("{seed}-{precision}"));
    let program = "tests/run/initialisers.nn";
    succeed(&format!("run {program} --seed {seed} --precision {precision} --json --out {}", out.display()));
    read_arrays(&out.join("weights.safetensors"))
}

/// Parameters that begin orthogonal, and their gain.
const ORTHOGONAL: [(&str, f64); 6] =
    [("square", 1.0), ("tall", 2.0), ("wide", 1.0), ("kernel", 0.5), ("narrow", 1.0), ("line", 1.0)];

fn moments(values: &[f64]) -> (f64, f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / values.len() as f64;
    (mean, variance.sqrt(), values.iter().fold(0.0, |m: f64, x| m.max(x.abs())))
}

#[test]
fn moments_are_those_of_the_formulas() {
    let folder = Folder::new("initialisers");
    let drawn = drawn(&folder, 3);
    let (fan_in, fan_out) = FANS;
    let uniform = |a: f64| (0.0, a / 3f64.sqrt(), a);
    // No normal number of sixty thousand lies six deviations out (a chance of 1e-4), the largest about four.
    let normal = |sigma: f64| (0.0, sigma, 6.0 * sigma);
    let wanted = [
        ("none", (0.0, 0.0, 0.0)),
        ("full", (1.0, 0.0, 1.0)),
        ("half", (0.5, 0.0, 0.5)),
        ("coin", (0.3, (0.3f64 * 0.7).sqrt(), 1.0)),
        ("xu", uniform((6.0 / (fan_in + fan_out)).sqrt())),
        ("xn", normal(2.0 * (2.0 / (fan_in + fan_out)).sqrt())),
        ("hu", uniform((6.0 / fan_in).sqrt())),
        ("hn", normal((2.0 / fan_in).sqrt())),
        ("lu", uniform((3.0 / fan_in).sqrt())),
        ("ln", normal((1.0 / fan_in).sqrt())),
    ];
    assert_eq!(drawn.len(), wanted.len() + ORTHOGONAL.len());
    for (name, (mean, deviation, largest)) in wanted {
        let found = moments(&drawn[name].values);
        // Of n numbers the mean's own deviation is 1 / sqrt(n) of theirs, 0.4 %, and that of their deviation less.
        assert!((found.0 - mean).abs() <= 0.02 * deviation, "{name}: mean {}", found.0);
        assert!((found.1 - deviation).abs() <= 0.02 * deviation, "{name}: deviation {}", found.1);
        assert!(found.2 <= largest && found.2 >= 0.6 * largest, "{name}: largest {}", found.2);
    }
}

#[test]
fn parameters_and_seeds_draw_numbers_of_their_own() {
    let folder = Folder::new("seeds");
    let (three, again, four) = (drawn(&folder, 3), drawn(&folder, 3), drawn(&folder, 4));
    assert_eq!(three["hn"].values, again["hn"].values);
    assert_ne!(three["hn"].values, four["hn"].values);
    let product: f64 = three["hn"].values.iter().zip(&three["ln"].values).map(|(a, b)| a * b).sum();
    let length = |name: &str| three[name].values.iter().map(|x| x * x).sum::<f64>().sqrt();
    let correlation = product / (length("hn") * length("ln"));
    assert!(correlation.abs() < 0.02, "{correlation}");
}

/// Taken as a matrix, all dimensions but the first being columns, W W^T = gain^2 I, or W^T W where it is taller than wide.
#[test]
fn orthogonal_rows_or_columns() {
    let folder = Folder::new("orthogonal");
    // Rounding of sums of up to 60 products, and of the few steps that come after them.
    for (precision, bound) in [("f32", 2e-6), ("f64", 1e-14)] {
        let drawn = drawn_in(&folder, 3, precision);
        for (name, gain) in ORTHOGONAL {
            let Array { shape, values } = &drawn[name];
            let (rows, columns) = (shape[0], values.len() / shape[0]);
            let wide = rows <= columns;
            let (few, many) = if wide { (rows, columns) } else { (columns, rows) };
            let w =
                |short: usize, long: usize| values[if wide { short * columns + long } else { long * columns + short }];
            for a in 0..few {
                for b in 0..few {
                    let product: f64 = (0..many).map(|k| w(a, k) * w(b, k)).sum();
                    let wanted = if a == b { gain * gain } else { 0.0 };
                    assert!(
                        (product - wanted).abs() <= bound * gain * gain,
                        "{name} in {precision}: {a} by {b} is {product}, not {wanted}"
                    );
                }
            }
        }
    }
}

/// No direction is preferred: over seeds the mean of an element is zero, and the mean of its square 1 / n.
#[test]
fn orthogonal_matrices_have_no_preferred_direction() {
    let folder = Folder::new("haar");
    let first: Vec<f64> = (0..12).flat_map(|seed| drawn(&folder, seed)["square"].values.clone()).collect();
    let (mean, deviation, _) = moments(&first);
    // 19,200 elements of deviation 1 / sqrt(40): their mean's own is 0.0011, and that of a matrix's square is exact.
    assert!(mean.abs() < 5e-3, "{mean}");
    assert!((deviation - (1.0 / 40f64).sqrt()).abs() < 1e-3, "{deviation}");
}
