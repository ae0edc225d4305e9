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
    let out = folder.path(&format!("{seed}"));
    succeed(&format!("run tests/run/initialisers.nn --seed {seed} --precision f64 --json --out {}", out.display()));
    read_arrays(&out.join("weights.safetensors"))
}

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
    assert_eq!(drawn.len(), wanted.len());
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
