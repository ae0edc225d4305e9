//! What of a training step depends on the run's position alone: learning rates and other settings that are schedules.
//!
//! In: a train block. Out: their names, and their values at any update. Nothing is trained and no data is needed.

use super::program::Program;
use super::programs::training;
use crate::ir::interpret::{Fault, Values, interpret};
use crate::ir::{Item, Module, Role, TensorId};
use crate::optimise::{dead, expr};
use crate::typed::{Supplied, Train};
use std::collections::BTreeSet;

/// What a run's position is made of, in the order of the fields of [`Point`].
const POSITION: [Supplied; 3] = [Supplied::Step, Supplied::Steps, Supplied::Epoch];

/// A place in a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The number of the update, from 1.
    pub step: f64,
    /// How many there will be.
    pub steps: f64,
    /// The number of the epoch, from 0.
    pub epoch: f64,
}

/// The names of all single numbers of the update that change over a run by its position alone. A name that several groups of
/// parameters have is told apart by a number: `lr`, `lr#2`.
#[must_use]
pub fn names(train: &Train) -> Vec<String> {
    let program = training(train, 1);
    let found = positional(&program);
    found.into_iter().map(|t| program.module.t(t).name.clone()).filter(|n| !n.contains('.')).collect()
}

/// The values of one of [`names`] at the given points; none if there is no such name.
///
/// # Errors
/// If the program cannot be interpreted, a fault of the compiler.
pub fn values(train: &Train, name: &str, points: &[Point]) -> Result<Option<Vec<f64>>, Fault> {
    let mut program = training(train, 1);
    let Some(target) = positional(&program).into_iter().find(|t| program.module.t(*t).name == name) else {
        return Ok(None);
    };
    let places = places(&program);
    let module = &mut program.module;
    module.outputs = vec![(name.to_string(), target)];
    module.updates.clear();
    dead::run(module);
    forget_others(module, &places);
    let at = |point: &Point| {
        let position = [point.step, point.steps, point.epoch];
        let inputs: Values = places.iter().map(|(which, t)| (*t, vec![position[*which]])).collect();
        let found = interpret(module, &inputs, &mut |_, tensor| vec![0.0; tensor.shape.iter().product()])?;
        Ok(found.get(&target).map_or(f64::NAN, |v| v[0]))
    };
    points.iter().map(at).collect::<Result<_, _>>().map(Some)
}

/// The tensors that hold the run's position, each with its place in [`POSITION`].
fn places(program: &Program) -> Vec<(usize, TensorId)> {
    let tensor = |name: &String| program.module.tensors.iter().position(|t| t.name == *name);
    let which = |supplied: &Supplied| POSITION.iter().position(|s| s == supplied);
    let place = |(supplied, name): &(Supplied, String)| Some((which(supplied)?, TensorId(tensor(name)? as u32)));
    program.supplied.iter().filter_map(place).collect()
}

/// The definitions of single numbers that depend on the position and on nothing else.
fn positional(program: &Program) -> Vec<TensorId> {
    let module = &program.module;
    let mut known: BTreeSet<TensorId> = places(program).into_iter().map(|(_, t)| t).collect();
    let mut found = vec![];
    for item in module.items.iter().filter(|i| matches!(i, Item::Def(_))) {
        let read = expr::sources(module, item);
        if module.t(item.target()).shape.is_empty() && !read.is_empty() && read.iter().all(|t| known.contains(t)) {
            known.insert(item.target());
            found.push(item.target());
        }
    }
    found
}

/// What is no longer read needs no contents.
fn forget_others(module: &mut Module, places: &[(usize, TensorId)]) {
    for (number, tensor) in module.tensors.iter_mut().enumerate() {
        if places.iter().all(|(_, t)| t.0 != number as u32) {
            tensor.role = Role::Temporary;
        }
    }
}
