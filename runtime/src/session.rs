//! A training session: the compiled programs of one train block bound to their inputs and results.
//! It knows how to initialise, take a step and evaluate a batch; what to do when is the trainer's.
//!
//! A session holds a *full* and, where the split does not divide, a *short* form of the training
//! and evaluation programs. Nothing is compiled or allocated after it was made.

use crate::data::Split;
use crate::execute::{Clock, Executor};
use crate::plan::{Element, Fault, Slot};
use crate::random::EVALUATION;

/// One program and the places of what goes in and comes out.
#[derive(Clone, Debug)]
pub struct Binding {
    /// Its number in the bundle.
    pub program: usize,
    /// Samples in its minibatch.
    pub batch: usize,
    /// Fields it reads, by their place in the data set.
    pub fields: Vec<(usize, Slot)>,
    /// Number of this update from 1, where the program reads it.
    pub step: Option<Slot>,
    /// How many updates there will be.
    pub steps: Option<Slot>,
    /// Number of the epoch from 0.
    pub epoch: Option<Slot>,
    /// Scalars that come out: the loss first, then the metrics. Means over the minibatch.
    pub results: Vec<(String, Slot)>,
}

/// The programs of one mode: for full batches, and for the short last one of each split size.
#[derive(Clone, Debug, Default)]
pub struct Forms {
    /// One for each batch size that occurs.
    pub sizes: Vec<Binding>,
}

impl Forms {
    /// The program for that many samples.
    #[must_use]
    pub fn of(&self, batch: usize) -> Option<&Binding> {
        self.sizes.iter().find(|b| b.batch == batch)
    }
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Updates made.
    pub step: u64,
    /// The epoch at hand, from 0.
    pub epoch: u64,
    /// Samples of this epoch that were used.
    pub sample: usize,
}

/// Compiled programs, bound.
pub struct Session {
    /// Runs them.
    pub executor: Executor,
    /// Fills parameters, states and slots.
    pub init: Binding,
    /// The step.
    pub training: Forms,
    /// The forward pass of evaluation.
    pub evaluation: Forms,
    /// Seed of all draws.
    pub seed: u64,
    /// How many updates there will be.
    pub steps: u64,
}

impl Session {
    /// Gives every persistent tensor its initial value.
    ///
    /// # Errors
    /// If generated code faults; so do the following.
    pub fn initialise(&mut self) -> Result<(), Fault> {
        let clock = Clock { seed: self.seed, step: 0, sample: 0 };
        self.executor.run(self.init.program, clock)
    }

    /// Makes one update on the given samples; the results are read with [`Self::results`].
    pub fn train(&mut self, split: Option<&Split>, samples: &[u32], at: Position) -> Result<(), Fault> {
        let missing = || Fault::new(format!("no program was compiled for {} samples", samples.len()));
        let program = self.fill_training(split, samples, at).ok_or_else(missing)?;
        self.executor.run(program, Clock { seed: self.seed, step: at.step + 1, sample: 0 })
    }

    /// Fills the inputs of the update that `at` stands before, without making it; the program's
    /// number, if there is one for that many samples.
    pub fn fill_training(&mut self, split: Option<&Split>, samples: &[u32], at: Position) -> Option<usize> {
        let Self { executor, training, steps, .. } = self;
        let binding = training.of(if split.is_some() { samples.len() } else { 1 })?;
        fill(executor, binding, split, samples);
        supply(executor, binding, at, *steps);
        Some(binding.program)
    }

    /// Evaluates the given samples of a split; changes nothing that lives from step to step.
    pub fn evaluate(&mut self, split: Option<&Split>, samples: &[u32], at: Position) -> Result<(), Fault> {
        let Self { executor, evaluation, steps, seed, .. } = self;
        let size = if split.is_some() { samples.len() } else { 1 };
        let binding =
            evaluation.of(size).ok_or_else(|| Fault::new(format!("no program was compiled for {size} samples")))?;
        fill(executor, binding, split, samples);
        supply(executor, binding, at, *steps);
        executor.run(binding.program, Clock { seed: *seed, step: EVALUATION | at.step, sample: 0 })
    }

    /// Adds each result of the last run of `binding`'s program, times `weight`, to `sums`.
    pub fn add_results(executor: &Executor, binding: &Binding, weight: f64, sums: &mut [f64]) {
        for ((_, slot), sum) in binding.results.iter().zip(sums) {
            *sum += weight * scalar(executor, slot);
        }
    }
}

/// Copies the samples of each field the program reads into its input.
fn fill(executor: &mut Executor, binding: &Binding, split: Option<&Split>, samples: &[u32]) {
    let Some(split) = split else { return };
    for (field, slot) in &binding.fields {
        match slot.element {
            Element::F32 => split.numbers(*field, samples, executor.f32s_mut(slot)),
            Element::F64 => split.numbers(*field, samples, executor.f64s_mut(slot)),
            Element::I32 => split.classes(*field, samples, executor.i32s_mut(slot)),
        }
    }
}

/// Fills the scalars that a program reads.
pub fn supply(executor: &mut Executor, binding: &Binding, at: Position, steps: u64) {
    let mut put = |slot: &Option<Slot>, value: f64| {
        if let Some(slot) = slot {
            executor.write_f64(slot, &[value]);
        }
    };
    put(&binding.step, (at.step + 1) as f64);
    put(&binding.steps, steps as f64);
    put(&binding.epoch, at.epoch as f64);
}

/// A scalar tensor as f64.
fn scalar(executor: &Executor, slot: &Slot) -> f64 {
    match slot.element {
        Element::F32 => f64::from(executor.f32s(slot)[0]),
        Element::F64 => executor.f64s(slot)[0],
        Element::I32 => f64::from(executor.i32s(slot)[0]),
    }
}
