//! The training loop: epochs over shuffled minibatches, evaluation, early stopping, checkpoints.
//!
//! The state of a run is the persistent tensors and a [`Progress`]; both together are a
//! checkpoint, and going on from one gives the same bits as never having stopped, because data
//! order and draws are functions of the seed and the position alone.

use crate::data::{DataSet, Split, epoch_order};
use crate::feed::{self, Course, Feed};
use crate::session::{Position, Session, Sums};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

pub use crate::session::Metrics;

/// What the trainer must know beside the session.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Samples in a minibatch.
    pub batch: usize,
    /// Minibatches in an update.
    pub accumulate: usize,
    /// Figures of an epoch that the updates after it read, as split and name.
    pub figures: Vec<(String, String)>,
    /// Passes over the training split (1 in a program without data).
    pub epochs: u64,
    /// Updates in an epoch of a program without data.
    pub steps: u64,
    /// Whether the order changes from epoch to epoch.
    pub shuffle: bool,
    /// Updates after which the run ends, within an epoch if need be.
    pub limit: u64,
    /// Which figure tells the best epoch.
    pub monitor: Monitor,
    /// Epochs without a better figure before the run stops early; `None` for never.
    pub patience: Option<u64>,
    /// The update after which the run stops as if it had been interrupted there.
    pub pause: Option<u64>,
    /// Updates between two interim records; 0 for none.
    pub interval: u64,
    /// Threads that put batches together ahead of time; no result depends on it.
    pub workers: usize,
}

/// A figure that is watched.
#[derive(Clone, Debug, PartialEq)]
pub struct Monitor {
    /// `train`, `valid` or `test`.
    pub split: String,
    /// `loss` or a metric.
    pub metric: String,
    /// Whether larger is better.
    pub rising: bool,
}

/// All that a run is beside its tensors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Where it stands.
    pub at: Position,
    /// Sums of this epoch's results.
    pub sums: Sums,
    /// Figures of the last epoch that updates read, in the order of [`Settings::figures`].
    pub figures: Vec<f64>,
    /// Seconds trained, over all sittings.
    pub seconds: f64,
    /// The best monitored value so far and the epoch that had it.
    pub best: Option<(f64, u64)>,
}

/// One epoch's figures.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// From 1.
    pub epoch: u64,
    /// Updates made so far.
    pub step: u64,
    /// Seconds trained so far.
    pub seconds: f64,
    /// By split.
    pub splits: Vec<(String, Metrics)>,
}

impl Record {
    /// A figure such as `valid.loss`.
    #[must_use]
    pub fn figure(&self, split: &str, metric: &str) -> Option<f64> {
        let (_, metrics) = self.splits.iter().find(|(s, _)| s == split)?;
        metrics.iter().find(|(m, _)| m == metric).map(|(_, v)| *v)
    }
}

/// Told of everything that happens; keeps the run folder and the progress bar.
pub trait Observer {
    /// After an update, with the loss of its minibatch.
    ///
    /// # Errors
    /// Whatever keeps the run from going on, such as a full disk.
    fn updated(&mut self, session: &Session, progress: &Progress, loss: f64) -> Result<(), String>;

    /// After every `interval` updates, with loss and metrics of the last minibatch.
    ///
    /// # Errors
    /// As above.
    fn interim(&mut self, progress: &Progress, metrics: &Metrics) -> Result<(), String>;

    /// After an epoch; `best` if its monitored figure is the best so far.
    ///
    /// # Errors
    /// As above.
    fn epoch(&mut self, session: &Session, progress: &Progress, record: &Record, best: bool) -> Result<(), String>;
}

/// How training ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// All epochs done.
    Finished,
    /// The monitored figure no longer improved.
    StoppedEarly {
        /// The epoch (from 1) with the best figure.
        best: u64,
    },
    /// Asked to stop; the progress says where.
    Interrupted,
    /// A loss that is no finite number, at this update (from 1).
    Diverged {
        /// Which update.
        step: u64,
    },
}

/// Trains from `progress` on until the end of the last epoch.
///
/// # Errors
/// What the observer reports.
pub fn train(
    session: &mut Session,
    data: Option<&DataSet>,
    settings: &Settings,
    progress: &mut Progress,
    interrupted: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<End, String> {
    let Some(split) = data.and_then(|d| d.split("train")) else {
        return epochs(session, data, settings, progress, interrupted, observer, None);
    };
    let from = (progress.at.epoch, progress.at.sample);
    let Settings { shuffle, epochs: until, workers, .. } = *settings;
    let batch = settings.batch * settings.accumulate;
    let course = Course { seed: session.seed, shuffle, batch, from, until };
    feed::with(split, course, workers, |feed| epochs(session, data, settings, progress, interrupted, observer, feed))
}

/// All epochs that are left.
fn epochs(
    session: &mut Session,
    data: Option<&DataSet>,
    settings: &Settings,
    progress: &mut Progress,
    interrupted: &AtomicBool,
    observer: &mut dyn Observer,
    feed: Option<&Feed>,
) -> Result<End, String> {
    let numbers = (0..(settings.batch * settings.accumulate) as u32).collect();
    let mut batches = Batches { feed, taken: 0, numbers };
    while progress.at.epoch < settings.epochs && progress.at.step < settings.limit {
        if let Some(best) = patience_lost(settings, progress) {
            return Ok(End::StoppedEarly { best });
        }
        let started = Instant::now();
        let before = progress.seconds;
        let end = epoch(session, data, settings, progress, interrupted, observer, (started, before), &mut batches)?;
        progress.seconds = before + started.elapsed().as_secs_f64();
        if let Some(end) = end {
            return Ok(end);
        }
        let record = close_epoch(session, data, progress)?;
        let best = is_best(settings, progress, &record);
        let figure = |(split, name): &(String, String)| record.figure(split, name).unwrap_or(f64::INFINITY);
        progress.figures = settings.figures.iter().map(figure).collect();
        // An epoch cut off by the limit stays the one at hand.
        if progress.at.sample >= samples_in(data, settings) {
            progress.at = Position { epoch: progress.at.epoch + 1, sample: 0, ..progress.at };
            // Without data the run is one epoch, which a longer run goes on with.
            if data.is_some() {
                progress.sums.clear();
            }
        }
        observer.epoch(session, progress, &record, best)?;
    }
    Ok(End::Finished)
}

/// The best epoch, if it lies as far back as the run waits for a better one. Asked before an epoch and not after one, so
/// that a run resumed at its end stops as well.
fn patience_lost(settings: &Settings, progress: &Progress) -> Option<u64> {
    let (patience, (_, best)) = (settings.patience?, progress.best?);
    (progress.at.epoch >= best + patience).then_some(best)
}

/// Where the samples of an update are read from: the split itself, or batches that workers have put together.
struct Batches<'a> {
    feed: Option<&'a Feed>,
    taken: usize,
    /// 0, 1, ..: the samples of a batch that is a split of its own.
    numbers: Vec<u32>,
}

impl Batches<'_> {
    /// Calls `body` with a split and the numbers of the given samples in it.
    fn next(
        &mut self,
        split: Option<&Split>,
        samples: &[u32],
        body: impl FnOnce(Option<&Split>, &[u32]) -> Result<(), String>,
    ) -> Result<(), String> {
        let Some(feed) = self.feed else { return body(split, samples) };
        self.taken += 1;
        let done = feed.with_batch(self.taken - 1, |batch| body(Some(batch), &self.numbers[..batch.count]));
        done.unwrap_or_else(|| Err("a thread that puts batches together has failed".to_string()))
    }
}

/// The rest of the epoch at hand; `Some` if the run ends within it.
fn epoch(
    session: &mut Session,
    data: Option<&DataSet>,
    settings: &Settings,
    progress: &mut Progress,
    interrupted: &AtomicBool,
    observer: &mut dyn Observer,
    (started, before): (Instant, f64),
    batches: &mut Batches,
) -> Result<Option<End>, String> {
    let count = samples_in(data, settings);
    let order = epoch_order(session.seed, progress.at.epoch, count, settings.shuffle && data.is_some());
    let split = data.and_then(|d| d.split("train"));
    session.figures.clone_from(&progress.figures);
    let names = session.training_names();
    let mut update = Sums::default();
    while progress.at.sample < count && progress.at.step < settings.limit {
        if interrupted.load(Ordering::Relaxed) || settings.pause == Some(progress.at.step) {
            return Ok(Some(End::Interrupted));
        }
        let whole = settings.batch * settings.accumulate;
        let size = if data.is_some() { whole.min(count - progress.at.sample) } else { 1 };
        let samples = &order[progress.at.sample..progress.at.sample + size];
        update.clear();
        batches.next(split, samples, |split, samples| {
            session.train(split, samples, progress.at, &mut update).map_err(|e| e.to_string())
        })?;
        progress.at.step += 1;
        progress.at.sample += size;
        progress.seconds = before + started.elapsed().as_secs_f64();
        add(&update.means, &mut progress.sums.means);
        add(&update.totals, &mut progress.sums.totals);
        let loss = session.loss(&update, size as f64);
        if !loss.is_finite() {
            return Ok(Some(End::Diverged { step: progress.at.step }));
        }
        // Told before a checkpoint that counts this update as done: a run resumed there does not tell of it again.
        if settings.interval > 0 && progress.at.step.is_multiple_of(settings.interval) {
            let metrics = session.metrics(&names, &update, size as f64).map_err(|e| e.to_string())?;
            observer.interim(progress, &metrics)?;
        }
        observer.updated(session, progress, loss)?;
    }
    Ok(None)
}

fn add(update: &[f64], sums: &mut Vec<f64>) {
    sums.resize(update.len(), 0.0);
    sums.iter_mut().zip(update).for_each(|(sum, value)| *sum += *value);
}

fn samples_in(data: Option<&DataSet>, settings: &Settings) -> usize {
    match data {
        Some(data) => data.split("train").map_or(0, |s| s.count),
        None => settings.steps as usize,
    }
}

/// The epoch's figures on every split.
fn close_epoch(session: &mut Session, data: Option<&DataSet>, progress: &Progress) -> Result<Record, String> {
    let weight = progress.at.sample as f64;
    let mut splits = vec![];
    if weight > 0.0 {
        let names = session.training_names();
        let metrics = session.metrics(&names, &progress.sums, weight).map_err(|e| e.to_string())?;
        splits.push(("train".to_string(), metrics));
    }
    if let Some(data) = data
        && let Some(split) = data.split("valid")
    {
        let metrics = session.evaluate(Some(split), progress.at).map_err(|e| e.to_string())?;
        splits.push(("valid".to_string(), metrics));
    }
    Ok(Record { epoch: progress.at.epoch + 1, step: progress.at.step, seconds: progress.seconds, splits })
}

/// Whether the record has the best monitored figure so far; remembers it if so.
fn is_best(settings: &Settings, progress: &mut Progress, record: &Record) -> bool {
    let monitor = &settings.monitor;
    let Some(figure) = record.figure(&monitor.split, &monitor.metric) else { return false };
    let better = progress.best.is_none_or(|(best, _)| if monitor.rising { figure > best } else { figure < best });
    if better {
        progress.best = Some((figure, record.epoch));
    }
    better
}

/// Sizes of minibatch that occur when `count` samples are cut into batches of `batch`.
#[must_use]
pub fn batch_sizes(count: usize, batch: usize) -> Vec<usize> {
    let batch = batch.min(count).max(1);
    let rest = count % batch;
    if rest == 0 { vec![batch] } else { vec![batch, rest] }
}
