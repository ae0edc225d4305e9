//! A run: trains a block, or a block after those whose weights it begins with, and keeps the run's folder.
//!
//! In: a program, [`Options`] and the folder. Out: the final figures; what happens on the way is told to a [`Watcher`]. What must
//! hold: gone on with after any interruption, a run gives the bits of one without.

use crate::bind::{self, Bound};
use crate::conditions::{self, Conditions};
use crate::diverged;
use crate::fault::{Fault, FaultKind};
use crate::folder::{self, Folder, Root};
use crate::listener::{Listener, Notice};
use crate::machine::{self, Machine};
use crate::program::{Program, Request};
use crate::recent;
use crate::start::{self, Taken};
use compiler::modules;
use compiler::typed::{Better, Train};
use grammar::diagnostic::Diagnostic;
use grammar::span::Sources;
use nnc_core::plan::Slot;
use runtime::checkpoint::{self, Best, Exact};
use runtime::log::Log;
use runtime::session::{Position, Session, Sums};
use runtime::trainer::{self, End, Metrics, Monitor, Observer, Progress, Record, Settings};
use runtime::weights::Tensor;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Longest time between two checkpoints of a running epoch.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(30);

/// What is asked of a run beside its program.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The program as it was asked for.
    pub request: Request,
    /// Data, threads and memory.
    pub machine: Machine,
    /// Whether to go on even if the run is no longer what it was begun as.
    pub anyway: bool,
    /// Updates after which it stops as if it were interrupted.
    pub stop_after: Option<u64>,
}

/// Told of a run; each method does nothing unless it is written.
pub trait Watcher: Listener {
    /// A train block is compiled for its data and is about to be run.
    fn compiled(&mut self, _program: &Program, _train: &Train, _bound: &Bound) {}
    /// It begins with weights that another has left.
    fn takes(&mut self, _taken: &Taken) {}
    /// Its folder is open, and so many epochs and updates are to be made in all.
    fn begins(&mut self, _epochs: u64, _updates: u64) {}
    /// An update has been made.
    fn updated(&mut self, _step: u64, _loss: f64) {}
    /// An epoch has ended, and is in the log as [`line`] has it.
    fn epoch(&mut self, _record: &Record) {}
    /// No more updates are made, for whatever reason.
    fn rests(&mut self) {}
    /// The run has diverged, and this is where.
    fn diverged(&mut self, _sources: &Sources, _place: &Diagnostic) {}
    /// The run has come to its end, and all its files are written.
    fn ended(&mut self, _ended: &Ended) {}
}

impl Watcher for () {}

/// What a run has come to.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The figures of each split, with the weights that the run leaves; of a program without data as if of `train`.
    pub splits: Vec<(&'static str, Metrics)>,
    /// Whether the program has data.
    pub data: bool,
    /// Updates made.
    pub steps: u64,
    /// Seconds trained, over all sittings.
    pub seconds: f64,
    /// Where everything is.
    pub folder: PathBuf,
    /// The best epoch, whose weights are restored, if the run has stopped early.
    pub early: Option<u64>,
}

/// Trains a block after those whose weights it begins with, each of which is run in a folder of its name inside that one.
///
/// # Errors
/// For whatever keeps a run from its end; interrupted, it leaves a checkpoint to go on from.
pub fn run(
    program: &Program,
    goal: &Train,
    options: &Options,
    root: &Root,
    resumes: bool,
    interrupted: &AtomicBool,
    watcher: &mut dyn Watcher,
) -> Result<(), Fault> {
    let folder = root.folder();
    let goes_on = folder.has_checkpoint();
    let mut start = None;
    for train in program.needed(goal) {
        let inside = Folder::at(folder.path.join(&train.name));
        let resume = resumes && inside.has_checkpoint();
        let place = Place { folder: inside.clone(), start, resume, settled: resumes && goes_on, noted: true, root };
        train_one(program, train, options, place, interrupted, watcher)?;
        start = Some(inside.path);
    }
    let resume = resumes && (goes_on || start.is_none());
    let place = Place { folder, start, resume, settled: false, noted: true, root };
    train_one(program, goal, options, place, interrupted, watcher).map(|_| ())
}

/// Where a train block is run.
pub struct Place<'a> {
    /// Its own.
    pub folder: Folder,
    /// The folder of the run whose weights it begins with.
    pub start: Option<PathBuf>,
    /// Whether it goes on from the folder's checkpoint.
    pub resume: bool,
    /// Whether another run has begun with its weights already, so that it can no longer be made longer.
    pub settled: bool,
    /// Whether it is noted as the last run, where it lies in `runs/`.
    pub noted: bool,
    /// The outermost folder of the command, which keeps others out.
    pub root: &'a Root,
}

/// Runs one train block; returns its final figures as they are logged.
pub fn train_one(
    program: &Program,
    train: &Train,
    options: &Options,
    place: Place,
    interrupted: &AtomicBool,
    watcher: &mut dyn Watcher,
) -> Result<Map<String, Value>, Fault> {
    let record = if place.resume { folder::record(&place.folder.path)? } else { None };
    let mut bound = bind::bind(train, &options.request.file, &options.machine, record, watcher)?;
    watcher.compiled(program, train, &bound);
    let taken = start::begin(train, &mut bound, place.start.as_deref())?;
    taken.iter().for_each(|taken| watcher.takes(taken));
    let mut settings = settings(train, &bound);
    let mut run = Run::open(program, train, &mut bound, &settings, options, place, watcher)?;
    settings.pause = options.stop_after.map(|n| run.progress.at.step.saturating_add(n));
    let mut progress = run.progress.clone();
    let Bound { session, data, .. } = &mut bound;
    let end = trainer::train(session, data.as_ref(), &settings, &mut progress, interrupted, &mut run);
    run.watcher.rests();
    match end.map_err(Fault::data)? {
        End::Interrupted => {
            run.checkpoint(session, &progress, false)?;
            let at = run.folder.path.display();
            Err(Fault::new(
                FaultKind::Interrupted,
                format!("stopped after {}; go on with --resume {at}", updates(progress.at.step)),
            ))
        }
        End::Diverged { step } => {
            let restore = &mut |bound: &mut Bound| run.last_good(train, bound);
            let (fault, found) = diverged::explain(train, &mut bound, &settings, restore, step);
            found.iter().for_each(|found| run.watcher.diverged(&program.sources, found));
            Err(fault)
        }
        End::Finished => run.finish(&mut bound, &settings, &progress, None),
        End::StoppedEarly { best } => run.finish(&mut bound, &settings, &progress, Some(best)),
    }
}

/// `1 update`, `2 updates`.
#[must_use]
pub fn updates(n: u64) -> String {
    format!("{n} update{}", if n == 1 { "" } else { "s" })
}

fn settings(train: &Train, bound: &Bound) -> Settings {
    let valid = bound.data.as_ref().is_some_and(|d| d.split("valid").is_some());
    let watched = train.settings.stop.as_ref().map(|s| s.monitor.as_str());
    let default = if valid { "valid.loss" } else { "train.loss" };
    let (split, metric) = watched.unwrap_or(default).split_once('.').unwrap_or(("valid", "loss"));
    Settings {
        batch: bound.batch,
        accumulate: train.settings.accumulate,
        figures: train.figures.clone(),
        epochs: bound.epochs,
        steps: bound.steps_per_epoch,
        limit: train.settings.steps.map_or(u64::MAX, |s| s as u64),
        shuffle: train.settings.shuffle,
        monitor: Monitor {
            split: split.to_string(),
            metric: metric.to_string(),
            rising: train.settings.stop.as_ref().is_some_and(|s| s.better == Better::Higher),
        },
        patience: train.settings.stop.as_ref().map(|s| s.patience as u64),
        pause: None,
        interval: interval(bound.epochs, bound.steps_per_epoch, train.settings.steps),
        workers: bound.workers,
    }
}

/// Updates from one line of the log to the next: fifty lines in all, if that is no more than one in a hundred.
fn interval(epochs: u64, steps_per_epoch: u64, limit: Option<usize>) -> u64 {
    let updates = epochs.saturating_mul(steps_per_epoch).min(limit.map_or(u64::MAX, |s| s as u64));
    (updates / 50).clamp(1, 100)
}

/// A run under way: its folder, its log and who is told of it.
struct Run<'a> {
    folder: Folder,
    log: Log,
    watcher: &'a mut dyn Watcher,
    name: String,
    plan: String,
    conditions: Conditions,
    seed: u64,
    progress: Progress,
    saved: Vec<(String, Slot)>,
    persistent: Vec<(String, Slot)>,
    last_checkpoint: Instant,
    /// The folder of the run whose weights this one began with.
    start: Option<PathBuf>,
}

impl<'a> Run<'a> {
    /// Makes the folder, or takes up the one to be resumed.
    fn open(
        program: &Program,
        train: &Train,
        bound: &mut Bound,
        settings: &Settings,
        options: &Options,
        place: Place,
        watcher: &'a mut dyn Watcher,
    ) -> Result<Self, Fault> {
        let Place { folder, start, resume: resumes, settled, noted, root } = place;
        let persistent: Vec<(String, Slot)> =
            bound.session.executor.bundle().persistent.iter().map(|(n, s)| (n.clone(), s.clone())).collect();
        let slot = |path: &str| persistent.iter().find(|(n, _)| n == path).map(|(_, s)| s.clone());
        let parameters = train.parameters.iter().enumerate().map(|(n, p)| (&p.saved, train.evaluated_path(n)));
        let states = train.states.iter().map(|s| (&s.saved, s.path.as_str()));
        let saved = parameters.chain(states).filter_map(|(saved, path)| Some((saved.clone(), slot(path)?))).collect();
        let conditions = conditions::of(train, bound, settings, start.as_deref())?;
        let resumed = if resumes {
            Some(resume(train, bound, &folder, &conditions, &persistent, options.anyway, settled, root, watcher)?)
        } else {
            root.hold(&folder.path)?;
            folder.clear()?;
            describe(program, train, bound, options, &folder, &conditions)?;
            None
        };
        if noted {
            recent::note(&root.folder().path)?;
        }
        let mut log = folder.log(resumed.as_ref().map(|p| p.at))?;
        if resumed.is_none() {
            let line = json!({"event": "start", "train": train.name, "seed": bound.session.seed});
            log.append(&line).map_err(Fault::data)?;
        }
        watcher.begins(bound.epochs, conditions::total(bound, settings));
        Ok(Self {
            watcher,
            name: train.name.clone(),
            plan: bound.fingerprint.clone(),
            conditions,
            seed: bound.session.seed,
            progress: resumed.unwrap_or_default(),
            saved,
            persistent,
            last_checkpoint: Instant::now(),
            start,
            folder,
            log,
        })
    }

    fn checkpoint(&mut self, session: &Session, progress: &Progress, finished: bool) -> Result<(), Fault> {
        self.last_checkpoint = Instant::now();
        let names = session.training_names();
        let exact = |list: &[f64]| list.iter().map(|x| Exact(*x)).collect::<Vec<_>>();
        let saved = checkpoint::Progress {
            plan: self.plan.clone(),
            seed: self.seed,
            step: progress.at.step,
            epoch: progress.at.epoch,
            position: progress.at.sample as u64,
            waited: progress.best.map_or(0, |(_, epoch)| progress.at.epoch.saturating_sub(epoch)),
            best: progress.best.map(|(value, epoch)| Best { value: Exact(value), epoch, step: progress.at.step }),
            sums: names.into_iter().zip(exact(&progress.sums.means)).collect(),
            totals: exact(&progress.sums.totals),
            figures: exact(&progress.figures),
            finished,
            conditions: self.conditions.clone(),
        };
        checkpoint::save(&self.folder.path, &saved, &folder::tensors(session, &self.persistent)).map_err(Fault::data)
    }

    /// Puts the session back to the last checkpoint, or to the beginning.
    fn last_good(&self, train: &Train, bound: &mut Bound) -> Result<Progress, Fault> {
        if self.folder.has_checkpoint() {
            let (saved, tensors) = checkpoint::load(&self.folder.path).map_err(Fault::data)?;
            return restore(bound, &self.persistent, &saved, &tensors);
        }
        start::begin(train, bound, self.start.as_deref())?;
        Ok(Progress::default())
    }

    /// Restores the best weights where the run stopped early or was to, evaluates, writes what a run leaves.
    fn finish(
        mut self,
        bound: &mut Bound,
        settings: &Settings,
        progress: &Progress,
        early: Option<u64>,
    ) -> Result<Map<String, Value>, Fault> {
        self.checkpoint(&bound.session, progress, true)?;
        if settings.patience.is_some() && progress.best.is_some() {
            self.folder.load_weights("best.safetensors", &mut bound.session, &self.saved)?;
        }
        self.folder.save_weights("weights.safetensors", &bound.session, &self.saved)?;
        // What evaluation may read of the last epoch; an evaluation later takes the same from the checkpoint.
        bound.session.figures.clone_from(&progress.figures);
        let mut splits = vec![];
        for name in ["train", "valid", "test"] {
            let Some(split) = bound.data.as_ref().and_then(|d| d.split(name)) else { continue };
            splits.push((name, bound.session.evaluate(Some(split), progress.at).map_err(Fault::internal)?));
        }
        if bound.data.is_none() {
            splits.push(("train", bound.session.evaluate(None, progress.at).map_err(Fault::internal)?));
        }
        // Time and place differ from run to run; the log of a resumed run does not.
        let mut logged = Map::new();
        logged.insert("event".into(), json!("done"));
        logged.extend(splits.iter().map(|(name, metrics)| ((*name).to_string(), object(metrics))));
        logged.insert("steps".into(), json!(progress.at.step));
        logged.insert("step".into(), json!(progress.at.step));
        self.log.append(&Value::Object(logged.clone())).map_err(Fault::data)?;
        self.folder.draw(&self.name)?;
        self.watcher.ended(&Ended {
            splits,
            data: bound.data.is_some(),
            steps: progress.at.step,
            seconds: progress.seconds,
            folder: self.folder.path.clone(),
            early,
        });
        Ok(logged)
    }
}

/// Writes what tells of the run that begins.
fn describe(
    program: &Program,
    train: &Train,
    bound: &Bound,
    options: &Options,
    folder: &Folder,
    conditions: &Conditions,
) -> Result<(), Fault> {
    let set: BTreeMap<String, String> = options.request.settings.iter().cloned().collect();
    let before: Vec<&str> = program.needed(train).iter().map(|t| t.name.as_str()).collect();
    let conditions: Map<String, Value> = conditions.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
    let environment = json!({"version": env!("CARGO_PKG_VERSION"), "seed": bound.session.seed, "target": "cpu",
        "threads": machine::threads(options.machine.resources.threads), "plan": bound.fingerprint, "set": set,
        "system": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH), "begins_with": before,
        "conditions": conditions});
    folder.describe(&modules::as_one(&program.sources, &program.file), &environment)?;
    bound.data.iter().try_for_each(|data| folder.keep_columns(&data.trained))
}

/// Goes on from the checkpoint of a folder, if the run is still the one that was begun there.
fn resume(
    train: &Train,
    bound: &mut Bound,
    folder: &Folder,
    conditions: &Conditions,
    persistent: &[(String, Slot)],
    anyway: bool,
    settled: bool,
    root: &Root,
    listener: &mut dyn Listener,
) -> Result<Progress, Fault> {
    let path = folder.path.display();
    if !folder.has_checkpoint() && folder.description().is_some() {
        let message = format!("the run in {path} was stopped before its first checkpoint; begin it anew: --out {path}");
        return Err(Fault::data(message));
    }
    if folder.has_checkpoint() {
        root.hold(&folder.path)?;
    }
    let (saved, tensors) = checkpoint::load(&folder.path).map_err(Fault::data)?;
    let mut found = conditions::compare(train, bound, &saved, conditions);
    if let Some(longer) = found.longer.take_if(|_| settled) {
        found.lines.push(format!("length: {longer}; another run has begun with the weights it came to"));
    }
    let list: String = found.lines.iter().map(|line| format!("\n  {line}")).collect();
    match (list.is_empty(), anyway) {
        (true, _) => {}
        (false, true) => listener.notice(Notice::Warning(format!(
            "this is no longer the run that was begun in {path}, and its result will be neither that run's nor \
             that of a new one:{list}"
        ))),
        (false, false) => {
            return Err(Fault::usage(format!(
                "the run in {path} was begun otherwise, so that going on would give neither its result nor that of a new \
                 run:{list}\nits program is {path}/source.nn; begin a new run without --resume, or go on with what is \
                 different with --anyway"
            )));
        }
    }
    if let Some(longer) = found.longer.filter(|_| list.is_empty()) {
        listener.notice(Notice::Note(format!(
            "the length is another: {longer}. Nothing that has been computed depends on it: the weights will be those \
             of a run of this length from the start"
        )));
    }
    restore(bound, persistent, &saved, &tensors)
}

/// Puts the session back to where a checkpoint was taken.
fn restore(
    bound: &mut Bound,
    persistent: &[(String, Slot)],
    saved: &checkpoint::Progress,
    tensors: &[Tensor],
) -> Result<Progress, Fault> {
    folder::restore(&mut bound.session, persistent, tensors)?;
    // Without data the run is one epoch; a longer one goes on in it.
    let ended = bound.data.is_none() && saved.position == 0 && saved.step < bound.session.steps;
    let (epoch, sample) = if ended { (0, saved.step) } else { (saved.epoch, saved.position) };
    Ok(Progress {
        at: Position { step: saved.step, epoch, sample: sample as usize },
        sums: Sums {
            means: saved.sums.iter().map(|(_, v)| v.0).collect(),
            totals: saved.totals.iter().map(|v| v.0).collect(),
        },
        figures: saved.figures.iter().map(|v| v.0).collect(),
        seconds: 0.0,
        best: saved.best.map(|b| (b.value.0, b.epoch)),
    })
}

fn object(metrics: &Metrics) -> Value {
    Value::Object(metrics.iter().map(|(k, v)| (k.clone(), json!(v))).collect())
}

/// The line of an epoch in the log.
#[must_use]
pub fn line(record: &Record) -> Map<String, Value> {
    let mut line = Map::new();
    line.insert("event".into(), json!("epoch"));
    line.insert("epoch".into(), json!(record.epoch));
    line.insert("step".into(), json!(record.step));
    line.extend(record.splits.iter().map(|(split, metrics)| (split.clone(), object(metrics))));
    line
}

impl Observer for Run<'_> {
    fn updated(&mut self, session: &Session, progress: &Progress, loss: f64) -> Result<(), String> {
        self.watcher.updated(progress.at.step, loss);
        if self.last_checkpoint.elapsed() > CHECKPOINT_EVERY {
            self.checkpoint(session, progress, false).map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    fn interim(&mut self, progress: &Progress, metrics: &Metrics) -> Result<(), String> {
        let line = json!({"event": "interval", "epoch": progress.at.epoch + 1, "step": progress.at.step, "train": object(metrics)});
        self.log.append(&line).map_err(|e| e.to_string())
    }

    fn epoch(&mut self, session: &Session, progress: &Progress, record: &Record, best: bool) -> Result<(), String> {
        self.log.append(&Value::Object(line(record))).map_err(|e| e.to_string())?;
        self.watcher.epoch(record);
        if best {
            self.folder.save_weights("best.safetensors", session, &self.saved).map_err(|e| e.to_string())?;
        }
        self.checkpoint(session, progress, false).map_err(|e| e.to_string())
    }
}
