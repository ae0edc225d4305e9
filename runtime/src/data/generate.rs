//! Data made by rule: small problems in the plane, and random numbers for benchmarks and tests.
//! Sample i depends on the seed and i only, so a larger set begins with the smaller one.

use super::table::{Column, Table, Values};
use crate::error::{DataError, Kind, Result};
use crate::random::{Generator, Place, fill, sites};
use nnc_core::numeric::plain::PlainF64;
use nnc_core::random::{Distribution, sin_cos_turn};

/// Whether the part of a built-in set is `test` rather than `train`.
pub(super) fn is_test(part: &str) -> Result<bool> {
    match part {
        "train" => Ok(false),
        "test" => Ok(true),
        _ => Err(DataError::new(Kind::Request, format!("there is no part `{part}`"))
            .help("the parts are \"train\" and \"test\"")),
    }
}

/// Columns `point` ([2]) and `label`; `place` gives a sample's class and its point without noise.
fn plane(count: usize, noise: f64, seed: u64, place: impl Fn(usize, &mut Generator) -> (u8, f64, f64)) -> Table {
    let (mut points, mut labels) = (Vec::new(), Vec::new());
    for i in 0..count {
        let mut random = Generator::new(Place { seed, site: sites::DATA, step: 0 }, i as u32);
        let (label, x, y) = place(i, &mut random);
        points.extend([x + noise * random.normal(), y + noise * random.normal()]);
        labels.push(label);
    }
    let point = Column::new("point", vec![2], Values::Doubles(points));
    Table::new(count, vec![point, Column::new("label", vec![], Values::Bytes(labels))])
}

/// The point at `turns` (from 0 to below 1) on the unit circle.
fn on_circle(turns: f64) -> (f64, f64) {
    let [sin, cos] = sin_cos_turn(&mut PlainF64, (turns.rem_euclid(1.0) * 4_294_967_296.0) as u32);
    (cos, sin)
}

/// Two half circles of radius 1: the upper around the origin, the lower around (1, 0.5).
#[must_use]
pub fn moons(count: usize, noise: f64, seed: u64) -> Table {
    plane(count, noise, seed, |i, random| {
        let (x, y) = on_circle(random.uniform() / 2.0);
        if i % 2 == 0 { (0, x, y) } else { (1, 1.0 - x, 0.5 - y) }
    })
}

/// Arms that wind `turns` times from the centre out to radius 1.
#[must_use]
pub fn spirals(count: usize, classes: u8, turns: f64, noise: f64, seed: u64) -> Table {
    plane(count, noise, seed, |i, random| {
        let class = (i % usize::from(classes)) as u8;
        let radius = random.uniform();
        let (x, y) = on_circle(radius * turns + f64::from(class) / f64::from(classes));
        (class, radius * x, radius * y)
    })
}

/// Clouds of deviation `noise` around centres on a circle of radius 2.
#[must_use]
pub fn blobs(count: usize, classes: u8, noise: f64, seed: u64) -> Table {
    plane(count, noise, seed, |i, _| {
        let class = (i % usize::from(classes)) as u8;
        let (x, y) = on_circle(f64::from(class) / f64::from(classes));
        (class, 2.0 * x, 2.0 * y)
    })
}

/// The corners of the unit square in turn.
#[must_use]
pub fn xor(count: usize, noise: f64, seed: u64) -> Table {
    plane(count, noise, seed, |i, _| {
        let (a, b) = ((i & 1) as u8, (i >> 1 & 1) as u8);
        (a ^ b, f64::from(a), f64::from(b))
    })
}

/// Standard normal numbers, a sample of `shape` each.
#[must_use]
pub fn random_normal(count: usize, shape: &[usize], seed: u64) -> Column {
    let width: usize = shape.iter().product();
    let mut numbers = vec![0.0; count * width];
    fill(&mut numbers, Distribution::Normal, Place { seed, site: sites::DATA, step: 0 }, width, 0, 0);
    Column::new("", shape.to_vec(), Values::Numbers(numbers))
}

/// Classes from 0 to below `classes`, a sample of `shape` each.
#[must_use]
pub fn random_class(count: usize, shape: &[usize], classes: usize, seed: u64) -> Column {
    let place = Place { seed, site: sites::DATA, step: 1 };
    let class = |i| Generator::new(place, i as u32).below(classes as u64) as i32;
    let width: usize = shape.iter().product();
    Column::new("", shape.to_vec(), Values::Integers((0..count * width).map(class).collect()))
}
