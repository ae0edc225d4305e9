//! What a run of a train block will hold, before it holds it: every program that the run needs is compiled (a short last
//! batch has its own), and the bytes of each part are known to the last. Nothing is allocated for tensors yet.
//!
//! In: a checked train block and its data, opened. Out: a [`Plan`], of which [`crate::bind`] makes a session. Where the
//! data is not at hand the plan is that of full minibatches.

use crate::compile;
use crate::fault::{Fault, FaultKind};
use crate::machine::{self, Resources};
use compiler::check::small_batch;
use compiler::emit::Precision;
use compiler::ir::text::print;
use compiler::lower::program::Program;
use compiler::lower::programs::{self, accumulation, application, evaluation, init, sums, training};
use compiler::typed::{DataValue, Pass, Supplied, Train};
use nnc_core::plan::Bundle;
use runtime::data::DataSet;
use runtime::feed;
use runtime::trainer::batch_sizes;
use std::time::Instant;

/// The programs of one turn of an update, by number: of a minibatch with its size, and after all of them.
pub type Turn = (Vec<(usize, usize)>, Option<usize>);

/// What makes the metrics of whole splits, compiled for 64 bits.
pub struct Report {
    /// By name; the first makes the metrics of the sums.
    pub programs: Vec<(String, Program)>,
    /// What a minibatch of training adds to the sums, for each size, by number.
    pub training: Vec<(usize, usize)>,
    /// What one of evaluation adds to them.
    pub evaluation: Vec<(usize, usize)>,
    /// All of them, compiled.
    pub bundle: Bundle,
}

/// A train block compiled for its data.
pub struct Plan {
    /// The data, unless the program has none or it is not at hand.
    pub data: Option<DataSet>,
    /// Samples in a minibatch, at most the training split's.
    pub batch: usize,
    /// Passes over the training split.
    pub epochs: u64,
    /// Updates in an epoch.
    pub steps_per_epoch: u64,
    /// Threads that compute.
    pub threads: usize,
    /// Threads that put batches together ahead of time.
    pub workers: usize,
    /// Bytes of those batches.
    batches: usize,
    /// Seconds spent compiling.
    pub compile_s: f64,
    /// By name; the first fills all tensors.
    pub programs: Vec<(String, Program)>,
    /// The program that fills the slots anew where the run begins with weights of another.
    pub restart: Option<usize>,
    /// The program that gives the states that evaluation carries on their initial values, where there are any.
    pub afresh: Option<usize>,
    /// The step.
    pub turns: Vec<Turn>,
    /// The forward pass for each size of minibatch, by number.
    pub evaluation: Vec<(usize, usize)>,
    /// All of them, compiled.
    pub bundle: Bundle,
    /// What makes the metrics of whole splits, where there are any.
    pub report: Option<Report>,
    /// A hash of the programs, and of what their bits depend on.
    pub fingerprint: String,
    /// Whether a program reads how many updates there will be.
    pub reads_steps: bool,
}

impl Plan {
    /// Compiles everything a run of the train block needs.
    ///
    /// # Errors
    /// For minibatches too small for the program, for more memory than `allowed` (or than the machine has), and faults
    /// of ours.
    pub fn new(
        train: &Train,
        data: Option<DataSet>,
        resources: &Resources,
        allowed: Option<usize>,
    ) -> Result<Self, Fault> {
        let count = |split: &str| data.as_ref().and_then(|d| Some(d.split(split)?.count));
        let samples = count("train").or_else(|| declared(train));
        let batch = match (train.settings.batch, samples) {
            (Some(batch), Some(samples)) => batch.min(samples),
            (None, Some(samples)) => samples,
            (_, None) => 1,
        };
        let started = Instant::now();
        let sizes = samples.map_or(vec![1], |n| batch_sizes(n, batch));
        samples.map_or(Ok(()), |n| large_enough(train, &sizes, n))?;
        let mut programs = vec![("init".to_string(), init(train))];
        let mut restart = None;
        if train.start.is_some() {
            restart = Some(programs.len());
            programs.push(("restart".to_string(), programs::restart(train)));
        }
        let turns = step_programs(train, &sizes, &mut programs);
        let afresh = programs::afresh(train).map(|program| {
            programs.push(("afresh".to_string(), program));
            programs.len() - 1
        });
        let first_evaluation = programs.len();
        let evaluated = evaluation_sizes(&[samples, count("valid"), count("test")], batch);
        let evaluation_programs = evaluated.iter().map(|n| (format!("evaluation[{n}]"), evaluation(train, *n)));
        programs.extend(evaluation_programs);
        let threads = machine::threads(resources.threads);
        let bundle = compile::compile(&mut programs, train.settings.precision, allowed)?.tiled_for(threads);
        let report = compiled_report(train, (&sizes, &evaluated), threads, allowed)?;
        let all = || programs.iter().chain(report.iter().flat_map(|r| &r.programs)).map(|(_, p)| p);
        let reads_steps = all().any(|p| p.supplied.iter().any(|(s, _)| *s == Supplied::Steps));
        let fingerprint = fingerprint(all(), train.settings.precision);
        let compile_s = started.elapsed().as_secs_f64();
        let per_update = batch * train.settings.accumulate;
        let split = data.as_ref().and_then(|d| d.split("train"));
        let workers = resources.workers.unwrap_or_else(|| split.map_or(0, |s| feed::usual_workers(s, per_update)));
        let batches = split.map_or(0, |s| feed::bytes(s, per_update, workers));
        let steps_per_epoch = samples.map_or(train.settings.steps.unwrap_or(1), |n| n.div_ceil(per_update)) as u64;
        let epochs = match (&train.data, train.settings.epochs, train.settings.steps) {
            (None, _, _) => 1,
            (Some(_), Some(epochs), _) => epochs as u64,
            (Some(_), None, Some(steps)) => (steps as u64).div_ceil(steps_per_epoch),
            (Some(_), None, None) => 1,
        };
        Ok(Self {
            batch,
            epochs,
            steps_per_epoch,
            threads,
            workers,
            batches,
            compile_s,
            fingerprint,
            reads_steps,
            restart,
            afresh,
            turns,
            evaluation: (first_evaluation..).zip(evaluated).collect(),
            programs,
            bundle,
            report,
            data,
        })
    }

    /// How many programs were compiled.
    pub fn compiled(&self) -> usize {
        self.programs.len() + self.report.as_ref().map_or(0, |r| r.programs.len())
    }

    /// Bytes the run will hold.
    pub fn bytes(&self) -> usize {
        let report = self.report.as_ref().map_or(0, |r| r.bundle.planned_bytes(self.threads));
        let data = self.data.as_ref().map_or(0, DataSet::bytes);
        self.bundle.planned_bytes(self.threads) + report + data + self.batches
    }

    /// The parts of [`Self::bytes`]: what each is called, and its bytes. Programs run one at a time in one place, so
    /// that the largest counts for all.
    pub fn parts(&self) -> Vec<(String, usize)> {
        let largest = self.bundle.programs.iter().map(|p| p.bytes).max().unwrap_or(0);
        let report = self.report.as_ref().map_or(0, |r| r.bundle.planned_bytes(self.threads));
        let parts = [
            ("parameters, states and optimiser".to_string(), self.bundle.arena_bytes - largest),
            ("the largest program".to_string(), largest),
            (format!("scratch of {} threads", self.threads), self.threads * self.bundle.scratch_bytes),
            ("tables of contractions".to_string(), self.bundle.table_bytes),
            ("metrics of whole splits".to_string(), report),
            ("data".to_string(), self.data.as_ref().map_or(0, DataSet::bytes)),
            ("minibatches put together ahead".to_string(), self.batches),
        ];
        parts.into_iter().filter(|(_, bytes)| *bytes > 0).collect()
    }
}

/// How many samples training has as far as the program says so; where it does not, one full minibatch.
fn declared(train: &Train) -> Option<usize> {
    let data = train.data.as_ref()?;
    let said = data.settings.iter().find_map(|(name, value, _)| match value {
        DataValue::Number(n) if name == "samples" => Some(*n as usize),
        _ => None,
    });
    said.or(train.settings.batch).map(|n| n.max(1))
}

/// Sizes of minibatch that evaluation meets, large ones first.
fn evaluation_sizes(splits: &[Option<usize>], batch: usize) -> Vec<usize> {
    let mut sizes: Vec<usize> = splits.iter().flatten().flat_map(|n| batch_sizes(*n, batch)).collect();
    if sizes.is_empty() {
        sizes.push(1);
    }
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes.dedup();
    sizes
}

/// Refuses a size of minibatch that leaves one of so few samples that a formula over the minibatch divides by zero.
fn large_enough(train: &Train, sizes: &[usize], samples: usize) -> Result<(), Fault> {
    let Some((size, value)) = sizes.iter().find_map(|n| Some((*n, small_batch::divided_by_zero(&train.training, *n)?)))
    else {
        return Ok(());
    };
    let batch = sizes.iter().copied().max().unwrap_or(size);
    let better = small_batch::better_batch(&train.training, samples, batch);
    let help = better.map_or(String::new(), |b| format!("; `batch = {b}` leaves none so small"));
    Err(Fault::new(
        FaultKind::Program,
        format!(
            "{samples} samples in minibatches of {batch} leave one of {size}, for which `{}` divides by zero{help}",
            value.name
        ),
    ))
}

/// Adds the programs of a training step.
fn step_programs(train: &Train, sizes: &[usize], programs: &mut Vec<(String, Program)>) -> Vec<Turn> {
    let mut add = |name: String, program: Program| {
        programs.push((name, program));
        programs.len() - 1
    };
    if train.settings.accumulate == 1 {
        let minibatch = sizes.iter().map(|n| (add(format!("training[{n}]"), training(train, *n)), *n)).collect();
        return vec![(minibatch, None)];
    }
    (0..train.objectives.len())
        .map(|of| {
            let name = &train.objectives[of];
            let part = |n: &usize| (add(format!("accumulation.{name}[{n}]"), accumulation(train, *n, of)), *n);
            let minibatch = sizes.iter().map(part).collect();
            (minibatch, Some(add(format!("update.{name}"), application(train, of))))
        })
        .collect()
}

/// Compiles what makes the metrics of whole splits, in 64 bits, for the sizes of minibatch of training and evaluation.
fn compiled_report(
    train: &Train,
    (trained, evaluated): (&[usize], &[usize]),
    threads: usize,
    allowed: Option<usize>,
) -> Result<Option<Report>, Fault> {
    let mut programs = vec![("report".to_string(), programs::report(train))];
    if programs[0].1.results.is_empty() {
        return Ok(None);
    }
    let mut add = |mode: &str, pass: &Pass, size: usize| {
        programs.push((format!("sums.{mode}[{size}]"), sums(train, pass, size)));
        (programs.len() - 1, size)
    };
    let training = trained.iter().map(|n| add("training", &train.training, *n)).collect();
    let evaluation = evaluated.iter().map(|n| add("evaluation", &train.evaluation, *n)).collect();
    let bundle = compile::compile(&mut programs, Precision::F64, allowed)?.tiled_for(threads);
    Ok(Some(Report { programs, training, evaluation, bundle }))
}

/// A hash (FNV-1a) of what the bits of a run depend on beside its data.
fn fingerprint<'a>(programs: impl Iterator<Item = &'a Program>, precision: Precision) -> String {
    let mut text = format!("{} {precision:?} {} ", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    programs.for_each(|program| text.push_str(&print(&program.module)));
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}
