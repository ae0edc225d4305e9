//! A training session: the compiled programs of one train block bound to their inputs and results.
//! It knows how to initialise, take a step and evaluate a batch; what to do when is the trainer's.
//!
//! A session holds a *full* and, where the split does not divide, a *short* form of the training
//! and evaluation programs. Nothing is compiled or allocated after it was made.

use crate::data::Split;
use crate::execute::{Clock, Executor};
use nnc_core::number::Element;
use nnc_core::plan::{Fault, Slot};
use nnc_core::random::EVALUATION;

/// What the sum of several objectives is called.
const LOSS: &str = "loss";

/// Named numbers: `loss` first, then the objectives where there are several, then the metrics.
pub type Metrics = Vec<(String, f64)>;

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
    /// The share of the minibatch in the samples of the update.
    pub share: Option<Slot>,
    /// Figures of the last epoch, by their place in [`Session::figures`].
    pub figures: Vec<(usize, Slot)>,
    /// What comes out, the objectives first, then the metrics: scalars, which are means over the minibatch, or one for
    /// each sample.
    pub results: Vec<(String, Slot)>,
    /// Tensors that come out and are summed over a whole split, by number.
    pub totals: Vec<(usize, Slot)>,
    /// What such sums are made of beside fields: it comes out of programs of the run's precision, and goes in the same
    /// order into those of [`Report`].
    pub handed: Vec<Slot>,
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

/// What an update does, or an objective's turn in it: a program for each minibatch, and one after all of them where
/// their gradients are accumulated.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    /// Of a minibatch.
    pub minibatch: Forms,
    /// After them.
    pub update: Option<Binding>,
}

/// Makes the metrics of whole splits, in 64 bits: sums of what the minibatches give, and the metrics of these.
pub struct Report {
    /// Runs the programs.
    pub executor: Executor,
    /// What a minibatch of training adds to the sums.
    pub training: Forms,
    /// What a minibatch of evaluation adds to them.
    pub evaluation: Forms,
    /// Makes the metrics; its results are tensors.
    pub binding: Binding,
    /// Its inputs, by the number of the sum.
    pub inputs: Vec<(usize, Slot)>,
}

impl Report {
    /// Adds to `sums` what a minibatch gives, of its samples and of what the last run of `by`'s program has handed on.
    fn add(
        &mut self,
        training: bool,
        (from, by): (&Executor, &Binding),
        given: &Given,
        sums: &mut Sums,
    ) -> Result<(), Fault> {
        let Self { executor, training: trained, evaluation, .. } = self;
        let forms = if training { trained } else { evaluation };
        let missing = || Fault::new(format!("no program sums over {} samples", by.batch));
        let form = forms.of(by.batch).ok_or_else(missing)?;
        given.fill(executor, form, 1.0);
        by.handed.iter().zip(&form.handed).for_each(|(out, input)| widen((from, out), (executor, input)));
        executor.run(form.program, Clock::default())?;
        sums.add(executor, form, 0, by.batch);
        Ok(())
    }
}

/// What a program is run on, beside what lives from run to run.
struct Given<'a> {
    split: Option<&'a Split>,
    samples: &'a [u32],
    at: Position,
    steps: u64,
    figures: &'a [f64],
}

impl Given<'_> {
    /// Fills the inputs of a program, for a minibatch that has this share in the update.
    fn fill(&self, executor: &mut Executor, binding: &Binding, share: f64) {
        fill(executor, binding, self.split, self.samples);
        supply(executor, binding, self.at, self.steps, (share, self.figures));
    }
}

/// Sums over the samples seen so far: of each result, weighted by samples, and of what is summed over a split.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums {
    /// Results, in the order of the mode's names.
    pub means: Vec<f64>,
    /// Elements of all totals, in the order of their numbers.
    pub totals: Vec<f64>,
}

impl Sums {
    /// Forgets all.
    pub fn clear(&mut self) {
        self.means.clear();
        self.totals.clear();
    }

    /// Adds what the last run of a binding's program gave for `samples` samples; its results come after `first` others.
    fn add(&mut self, executor: &Executor, binding: &Binding, first: usize, samples: usize) {
        if self.means.len() < first + binding.results.len() {
            self.means.resize(first + binding.results.len(), 0.0);
        }
        for ((_, slot), sum) in binding.results.iter().zip(&mut self.means[first..]) {
            *sum += if slot.shape.is_empty() {
                samples as f64 * scalar(executor, slot, 0)
            } else {
                (0..length(slot)).map(|element| scalar(executor, slot, element)).sum()
            };
        }
        let elements: usize = binding.totals.iter().map(|(_, slot)| length(slot)).sum();
        if self.totals.len() < elements {
            self.totals.resize(elements, 0.0);
        }
        let mut sums = self.totals.iter_mut();
        for (_, slot) in &binding.totals {
            for (element, sum) in (0..length(slot)).zip(&mut sums) {
                *sum += scalar(executor, slot, element);
            }
        }
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
    /// Fills the slots anew for parameters that stand, where the run begins with weights of another.
    pub restart: Option<Binding>,
    /// Gives the states that evaluation carries from minibatch to minibatch their initial values, where there are any.
    pub afresh: Option<Binding>,
    /// Where those states are.
    pub carried: Vec<Slot>,
    /// The step: a turn, or one for each objective where gradients are accumulated.
    pub training: Vec<Turn>,
    /// The forward pass of evaluation.
    pub evaluation: Forms,
    /// Metrics of whole splits, where there are any.
    pub report: Option<Report>,
    /// The names of the objectives among the results; their sum is the loss.
    pub objectives: Vec<String>,
    /// Samples of a minibatch.
    pub batch: usize,
    /// Figures of the last epoch that the update reads.
    pub figures: Vec<f64>,
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

    /// Begins with the parameters as they stand: the rules' states that depend on them get their initial values anew.
    pub fn restart(&mut self) -> Result<(), Fault> {
        let Some(binding) = &self.restart else { return Ok(()) };
        self.executor.run(binding.program, Clock { seed: self.seed, step: 0, sample: 0 })
    }

    /// Makes one update on the given samples, in one minibatch or several; adds the results to `sums`.
    pub fn train(
        &mut self,
        split: Option<&Split>,
        samples: &[u32],
        at: Position,
        sums: &mut Sums,
    ) -> Result<(), Fault> {
        let mut first = 0;
        for turn in 0..self.training.len() {
            let mut done = 0;
            for chunk in samples.chunks(self.batch.max(1)) {
                let share = chunk.len() as f64 / samples.len() as f64;
                let missing = || Fault::new(format!("no program was compiled for {} samples", chunk.len()));
                let program = self.fill_training(turn, split, chunk, at, share).ok_or_else(missing)?;
                self.executor.run(program, Clock { seed: self.seed, step: at.step + 1, sample: done })?;
                let Self { executor, training, report, steps, figures, .. } = self;
                let Some(binding) = training[turn].minibatch.of(chunk.len()) else { continue };
                sums.add(executor, binding, first, chunk.len());
                // The first turn sees the parameters that the update begins with.
                if let (Some(report), 0) = (report, turn) {
                    let given = Given { split, samples: chunk, at, steps: *steps, figures };
                    report.add(true, (executor, binding), &given, sums)?;
                }
                done += chunk.len() as u64;
            }
            first += self.training[turn].minibatch.sizes.first().map_or(0, |b| b.results.len());
            if let Some(binding) = &self.training[turn].update {
                supply(&mut self.executor, binding, at, self.steps, (1.0, &self.figures));
                self.executor.run(binding.program, Clock { seed: self.seed, step: at.step + 1, sample: 0 })?;
            }
        }
        Ok(())
    }

    /// Fills the inputs of one minibatch of the update that `at` stands before, without computing it; the program's
    /// number, if there is one for that many samples.
    pub fn fill_training(
        &mut self,
        turn: usize,
        split: Option<&Split>,
        samples: &[u32],
        at: Position,
        share: f64,
    ) -> Option<usize> {
        let Self { executor, training, steps, figures, .. } = self;
        let binding = training[turn].minibatch.of(if split.is_some() { samples.len() } else { 1 })?;
        Given { split, samples, at, steps: *steps, figures }.fill(executor, binding, share);
        Some(binding.program)
    }

    /// The figures of a split, or of a program without data: means over its samples, and metrics of the whole. What
    /// lives from step to step stays as it is: the states that evaluation carries on begin anew here, and are put back.
    pub fn evaluate(&mut self, split: Option<&Split>, at: Position) -> Result<Metrics, Fault> {
        let left: Vec<Vec<f64>> = self.carried.iter().map(|slot| self.executor.read_f64(slot)).collect();
        if let Some(binding) = &self.afresh {
            self.executor.run(binding.program, Clock { seed: self.seed, step: 0, sample: 0 })?;
        }
        let samples: Vec<u32> = (0..split.map_or(1, |s| s.count) as u32).collect();
        let mut sums = Sums::default();
        for chunk in samples.chunks(self.batch.max(1)) {
            self.evaluate_batch(split, chunk, at, &mut sums)?;
        }
        self.carried.iter().zip(&left).for_each(|(slot, values)| self.executor.write_f64(slot, values));
        let names = self.evaluation_names();
        self.metrics(&names, &sums, samples.len() as f64)
    }

    /// Evaluates a minibatch of consecutive samples and adds the results to `sums`. A draw is that of the sample's
    /// number in the split, wherever minibatches are cut.
    fn evaluate_batch(
        &mut self,
        split: Option<&Split>,
        samples: &[u32],
        at: Position,
        sums: &mut Sums,
    ) -> Result<(), Fault> {
        let Self { executor, evaluation, report, steps, seed, figures, .. } = self;
        let size = if split.is_some() { samples.len() } else { 1 };
        let binding =
            evaluation.of(size).ok_or_else(|| Fault::new(format!("no program was compiled for {size} samples")))?;
        let given = Given { split, samples, at, steps: *steps, figures };
        given.fill(executor, binding, 1.0);
        let sample = samples.first().map_or(0, |n| u64::from(*n));
        executor.run(binding.program, Clock { seed: *seed, step: EVALUATION | at.step, sample })?;
        sums.add(executor, binding, 0, size);
        report.as_mut().map_or(Ok(()), |report| report.add(false, (executor, binding), &given, sums))
    }

    /// The names of the results of a training step, in order.
    #[must_use]
    pub fn training_names(&self) -> Vec<String> {
        let bindings = self.training.iter().filter_map(|t| t.minibatch.sizes.first());
        bindings.flat_map(|b| &b.results).map(|(name, _)| name.clone()).collect()
    }

    /// The loss that sums over `samples` samples of training stand for: that of all objectives.
    #[must_use]
    pub fn loss(&self, sums: &Sums, samples: f64) -> f64 {
        let bindings = self.training.iter().filter_map(|t| t.minibatch.sizes.first());
        let results = bindings.flat_map(|b| &b.results).zip(&sums.means);
        results.filter(|((name, _), _)| self.objectives.contains(name)).map(|(_, sum)| sum / samples).sum()
    }

    /// The names of the results of evaluation, in order.
    #[must_use]
    pub fn evaluation_names(&self) -> Vec<String> {
        let binding = self.evaluation.sizes.first();
        binding.iter().flat_map(|b| &b.results).map(|(name, _)| name.clone()).collect()
    }

    /// The figures that sums over `samples` samples stand for; `names` are those of the mode's results.
    pub fn metrics(&mut self, names: &[String], sums: &Sums, samples: f64) -> Result<Metrics, Fault> {
        let means = names.iter().zip(&sums.means).map(|(name, sum)| (name.clone(), sum / samples));
        let mut metrics: Metrics = means.collect();
        if self.objectives.len() > 1 {
            let loss = metrics.iter().filter(|(name, _)| self.objectives.contains(name)).map(|m| m.1).sum();
            metrics.insert(0, (LOSS.to_string(), loss));
        }
        let Some(Report { executor, evaluation, binding, inputs, .. }) = &mut self.report else { return Ok(metrics) };
        let Some(sizes) = evaluation.sizes.first().map(|b| &b.totals) else { return Ok(metrics) };
        for (number, input) in inputs.iter() {
            let before: usize = sizes.iter().filter(|(n, _)| n < number).map(|(_, slot)| length(slot)).sum();
            if let Some(values) = sums.totals.get(before..before + length(input)) {
                executor.write_f64(input, values);
            }
        }
        executor.run(binding.program, Clock { seed: self.seed, step: 0, sample: 0 })?;
        for (name, slot) in &binding.results {
            let values = executor.read_f64(slot);
            let named = values.iter().enumerate().map(|(k, v)| (format!("{name}{}", place(&slot.shape, k)), *v));
            metrics.extend(named);
        }
        Ok(metrics)
    }
}

/// `[0, 2]` for the element of that number; nothing for a scalar.
fn place(shape: &[usize], element: usize) -> String {
    let mut rest = element;
    let mut at: Vec<String> = shape.iter().rev().map(|n| ((rest % n).to_string(), rest /= n).0).collect();
    at.reverse();
    if at.is_empty() { String::new() } else { format!("[{}]", at.join(", ")) }
}

fn length(slot: &Slot) -> usize {
    slot.shape.iter().product()
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

/// Fills the scalars that a program reads: those of the position, the minibatch's share in the update, and figures.
pub fn supply(executor: &mut Executor, binding: &Binding, at: Position, steps: u64, (share, figures): (f64, &[f64])) {
    let mut put = |slot: &Option<Slot>, value: f64| {
        if let Some(slot) = slot {
            executor.write_f64(slot, &[value]);
        }
    };
    put(&binding.step, (at.step + 1) as f64);
    put(&binding.steps, steps as f64);
    put(&binding.epoch, at.epoch as f64);
    put(&binding.share, share);
    for (number, slot) in &binding.figures {
        executor.write_f64(slot, &[figures.get(*number).copied().unwrap_or(f64::INFINITY)]);
    }
}

/// Copies a tensor into an input of a program of 64 bits.
fn widen((from, out): (&Executor, &Slot), (to, input): (&mut Executor, &Slot)) {
    match out.element {
        Element::F32 => {
            let values = to.f64s_mut(input).iter_mut().zip(from.f32s(out));
            values.for_each(|(wide, value)| *wide = f64::from(*value));
        }
        Element::F64 => to.f64s_mut(input).copy_from_slice(from.f64s(out)),
        Element::I32 => to.i32s_mut(input).copy_from_slice(from.i32s(out)),
    }
}

/// An element of a tensor as f64.
fn scalar(executor: &Executor, slot: &Slot, element: usize) -> f64 {
    match slot.element {
        Element::F32 => f64::from(executor.f32s(slot)[element]),
        Element::F64 => executor.f64s(slot)[element],
        Element::I32 => f64::from(executor.i32s(slot)[element]),
    }
}
