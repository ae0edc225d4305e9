//! MNIST-1D (Greydanus: "Scaling down deep learning", 2020; github.com/greydanus/mnist1d,
//! Apache-2.0): ten hand-drawn shapes of 12 points, each padded, stretched, scaled, rotated in
//! time, filled up with correlated noise, roughened, sheared and resampled to 40 values. The shapes
//! and the constants are the published ones, the random stream is ours.

use super::generate::is_test;
use super::table::{Column, Table, Values};
use crate::error::Result;
use crate::random::{Generator, Place, sites};

const CLASSES: usize = 10;
const PER_CLASS: usize = 500;
const TRAINING: usize = 4_000;
/// Values of a finished signal.
const LENGTH: usize = 40;
/// Values while it is worked on: the shape and the largest padding.
const WORKING: usize = 12 + PADDING.1;
const PADDING: (usize, usize) = (36, 60);
const SCALE: f64 = 0.4;
const ROTATION: u64 = 48;
const CORRELATED_NOISE: f64 = 0.25;
const WHITE_NOISE: f64 = 0.02;
const SHEAR: f64 = 0.75;

/// The shapes of the ten digits, as published.
const SHAPES: [[f64; 12]; CLASSES] = [
    [5.0, 6.0, 6.5, 6.75, 7.0, 7.0, 7.0, 7.0, 6.75, 6.5, 6.0, 5.0],
    [5.0, 3.0, 3.0, 3.4, 3.8, 4.2, 4.6, 5.0, 5.4, 5.8, 5.0, 5.0],
    [5.0, 6.0, 6.5, 6.5, 6.0, 5.25, 4.75, 4.0, 3.5, 3.5, 4.0, 5.0],
    [5.0, 6.0, 6.5, 6.5, 6.0, 5.0, 5.0, 6.0, 6.5, 6.5, 6.0, 5.0],
    [5.0, 4.4, 3.8, 3.2, 2.6, 2.6, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0],
    [5.0, 3.0, 3.0, 3.0, 3.0, 5.0, 6.0, 6.5, 6.5, 6.0, 4.5, 5.0],
    [5.0, 4.0, 3.5, 3.25, 3.0, 3.0, 3.0, 3.0, 3.25, 3.5, 4.0, 5.0],
    [5.0, 7.0, 7.0, 6.6, 6.2, 5.8, 5.4, 5.0, 4.6, 4.2, 5.0, 5.0],
    [5.0, 4.0, 3.5, 3.5, 4.0, 5.0, 5.0, 4.0, 3.5, 3.5, 4.0, 5.0],
    [5.0, 4.0, 3.5, 3.5, 4.0, 5.0, 5.0, 5.0, 5.0, 4.7, 4.3, 5.0],
];

/// Columns `signal` ([40]) and `label`: 4,000 samples for `train`, the other 1,000 for `test`.
///
/// # Errors
/// If the part is neither.
pub fn load(part: &str, seed: u64) -> Result<Table> {
    let test = is_test(part)?;
    let mut order: Vec<usize> = (0..CLASSES * PER_CLASS).collect();
    let mut shuffle = Generator::new(Place { seed, site: sites::DATA, step: 1 }, 0);
    for i in (1..order.len()).rev() {
        order.swap(i, shuffle.below(i as u64 + 1) as usize);
    }
    let shapes = SHAPES.map(whitened);
    let signals: Vec<[f64; LENGTH]> = order
        .iter()
        .map(|n| signal(&shapes[n / PER_CLASS], Generator::new(Place { seed, site: sites::DATA, step: 0 }, *n as u32)))
        .collect();
    // As published, the scale is that of all 5,000 signals together.
    let total = (signals.len() * LENGTH) as f64;
    let mean = signals.iter().map(|s| s.iter().sum::<f64>()).sum::<f64>() / total;
    let spread = signals.iter().map(|s| s.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>()).sum::<f64>() / total;
    let range = if test { TRAINING..signals.len() } else { 0..TRAINING };
    let numbers = signals[range.clone()].iter().flat_map(|s| s.map(|x| (x - mean) / spread.sqrt())).collect();
    let labels: Vec<u8> = order[range].iter().map(|n| (n / PER_CLASS) as u8).collect();
    let count = labels.len();
    let signal = Column::new("signal", vec![LENGTH], Values::Doubles(numbers));
    Ok(Table::new(count, vec![signal, Column::new("label", vec![], Values::Bytes(labels))]))
}

/// Mean 0 and deviation 1, then moved to begin at 0, at a sixth of the size.
fn whitened(shape: [f64; 12]) -> [f64; 12] {
    let mean = shape.iter().sum::<f64>() / 12.0;
    let deviation = (shape.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 12.0).sqrt();
    shape.map(|x| (x - shape[0]) / deviation / 6.0)
}

fn signal(shape: &[f64; 12], mut random: Generator) -> [f64; LENGTH] {
    let padding = PADDING.0 + (random.uniform() * (PADDING.1 - PADDING.0 + 1) as f64) as usize;
    // A tiny offset tells the shape's own zeros from the padding, which noise will replace.
    let mut padded: Vec<f64> = shape.iter().map(|x| x + 1e-8).collect();
    padded.resize(shape.len() + padding, 0.0);
    let mut x: [f64; WORKING] = resampled(&padded);
    let scale = 1.0 + SCALE * (random.uniform() - 0.5);
    x.rotate_right(random.below(ROTATION) as usize);
    let noise = blurred(std::array::from_fn(|_| CORRELATED_NOISE * random.normal()));
    for (value, noise) in x.iter_mut().zip(noise) {
        *value = if *value == 0.0 { noise } else { *value * scale };
        *value += WHITE_NOISE * random.normal();
    }
    let slope = SHEAR * (random.uniform() - 0.5);
    for (i, value) in x.iter_mut().enumerate() {
        *value -= slope * (i as f64 / (WORKING - 1) as f64 - 0.5);
    }
    resampled(&x)
}

/// `N` values at equal distances from the first to the last of `x`, by linear interpolation.
fn resampled<const N: usize>(x: &[f64]) -> [f64; N] {
    std::array::from_fn(|i| {
        let at = i as f64 * (x.len() - 1) as f64 / (N - 1) as f64;
        let left = (at as usize).min(x.len() - 2);
        x[left] + (x[left + 1] - x[left]) * (at - left as f64)
    })
}

/// Convolution with a Gaussian of deviation 2, cut off at 4 deviations, mirrored at the ends.
fn blurred(x: [f64; WORKING]) -> [f64; WORKING] {
    /// exp(-1/8), the weight at distance one.
    const NEXT: f64 = 0.882_496_902_584_595_5;
    let weights: [f64; 9] = std::array::from_fn(|k| (0..k * k).fold(1.0, |w, _| w * NEXT));
    let total = weights[0] + 2.0 * weights[1..].iter().sum::<f64>();
    let mirrored = |i: isize| {
        let last = WORKING as isize - 1;
        x[(if i < 0 {
            -1 - i
        } else if i > last {
            2 * last + 1 - i
        } else {
            i
        }) as usize]
    };
    std::array::from_fn(|i| {
        (-8..=8isize).map(|d| weights[d.unsigned_abs()] * mirrored(i as isize + d)).sum::<f64>() / total
    })
}
