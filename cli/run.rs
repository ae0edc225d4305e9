//! `nnc run`: compiles a program and trains it, and keeps the run's folder.

use crate::args;
use crate::bind::{self, Bound};
use crate::diverged;
use crate::fault::{Fault, FaultKind};
use crate::folder::{self, Folder};
use crate::front::{self, Front};
use crate::groups;
use crate::progress::{Display, figures};
use crate::{complain, say};
use compiler::emit::Precision;
use compiler::modules;
use compiler::typed::Train;
use runtime::arrays::{Array, Taken, Weights};
use runtime::checkpoint::{self, Best, Exact};
use runtime::log::Log;
use runtime::plan::Slot;
use runtime::session::{Position, Session, Sums};
use runtime::trainer::{self, End, Metrics, Monitor, Observer, Progress, Record, Settings};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Longest time between two checkpoints of a running epoch.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(30);

/// Compiles, trains, evaluates; leaves a folder with everything about the run. Train blocks whose weights it begins
/// with are run before it, each in a folder of its name inside that one.
pub fn run(options: &args::Run) -> Result<(), Fault> {
    let front = front::load(&options.program, options.json)?;
    let goal = front::choose(&front, &options.program)?;
    if options.dry_run {
        let bound = bind_for(goal, options)?;
        announce(&front, goal, &bound, options);
        return Ok(());
    }
    let interrupted = listen()?;
    let mut place = None;
    let folder = match &options.resume {
        Some(asked) => Folder::existing(asked)?,
        // Made only when there is something to keep: a program that cannot run leaves nothing.
        None => Folder::planned(options.out.as_deref(), &goal.name)?,
    };
    let resumes = |folder: &Folder| options.resume.is_some() && checkpoint::path(&folder.path).exists();
    for train in front::needed(&front, goal) {
        let inside = Folder { path: folder.path.join(&train.name) };
        let done = resumes(&inside) && checkpoint::load(&inside.path).is_ok_and(|(progress, _)| progress.finished);
        if !done {
            let resume = resumes(&inside);
            let place = Place { folder: inside, start: place, resume, quiet: false };
            train_one(&front, train, options, place, &interrupted)?;
        }
        place = Some(folder.path.join(&train.name));
    }
    let resume = resumes(&folder) || (options.resume.is_some() && place.is_none());
    let place = Place { folder, start: place, resume, quiet: false };
    train_one(&front, goal, options, place, &interrupted).map(|_| ())
}

/// Where a train block is run.
pub struct Place {
    /// Its own.
    pub folder: Folder,
    /// The folder of the run whose weights it begins with.
    pub start: Option<PathBuf>,
    /// Whether it goes on from the folder's checkpoint.
    pub resume: bool,
    /// Whether nothing is printed.
    pub quiet: bool,
}

fn bind_for(train: &Train, options: &args::Run) -> Result<Bound, Fault> {
    bind::bind(train, &options.program.file, &options.machine)
}

/// Runs one train block; returns its final figures as they are logged.
pub fn train_one(
    front: &Front,
    train: &Train,
    options: &args::Run,
    place: Place,
    interrupted: &AtomicBool,
) -> Result<Map<String, Value>, Fault> {
    let mut bound = bind_for(train, options)?;
    if !place.quiet {
        announce(front, train, &bound, options);
    }
    begin(train, &mut bound, place.start.as_deref())?;
    let mut run = Run::open(front, train, &mut bound, options, place)?;
    let settings = settings(train, &bound);
    let mut progress = run.progress.clone();
    let Bound { session, data, .. } = &mut bound;
    let end = trainer::train(session, data.as_ref(), &settings, &mut progress, interrupted, &mut run);
    run.display.finish();
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
            Err(diverged::explain(front, train, &mut bound, &settings, restore, step))
        }
        End::Finished => run.finish(&mut bound, &settings, &progress, None),
        End::StoppedEarly { best } => run.finish(&mut bound, &settings, &progress, Some(best)),
    }
}

/// Gives all tensors their initial values; parameters and states that the run in the folder `start` has saved under
/// the same name and in the same shape begin as it left them.
fn begin(train: &Train, bound: &mut Bound, start: Option<&Path>) -> Result<(), Fault> {
    bound.session.initialise().map_err(Fault::internal)?;
    let Some(start) = start else { return Ok(()) };
    let weights = Weights::read(&start.join("weights.safetensors")).map_err(Fault::data)?;
    let tensors = weights.arrays();
    let double = train.settings.precision == Precision::F64;
    let persistent = bound.session.executor.bundle().persistent.clone();
    let parameters = train.parameters.iter().map(|p| (&p.saved, &p.path));
    let states = train.states.iter().map(|s| (&s.saved, &s.path));
    let model = train.start.as_ref().and_then(|s| s.model.as_deref());
    let there = |saved: &str, name: &str| {
        let inside = model.and_then(|m| saved.strip_prefix(m)?.strip_prefix('.'));
        name == saved || Some(name) == inside
    };
    let mut found = vec![];
    for (k, (saved, path)) in parameters.chain(states).enumerate() {
        let Some(slot) = persistent.get(path) else { continue };
        let fits = |(name, array): &(&String, &Array)| there(saved, name) && array.shape == slot.shape;
        let Some((name, _)) = tensors.iter().find(fits) else { continue };
        let taken = if k < train.parameters.len() { Taken::Parameter } else { Taken::State };
        if let Some(array) = weights.get(name, taken, double).map_err(Fault::data)? {
            bound.session.executor.write_f64(slot, &array.values);
            found.push(saved.as_str());
        }
    }
    if found.is_empty() {
        let (has, wants): (Vec<&str>, Vec<&str>) =
            (tensors.keys().map(String::as_str).collect(), train.parameters.iter().map(|p| p.saved.as_str()).collect());
        return Err(Fault::data(format!(
            "`{}` shares no tensor with the weights it is to start from: it has {}; they have {}",
            train.name,
            wants.join(", "),
            has.join(", ")
        )));
    }
    bound.session.restart().map_err(Fault::internal)
}

/// Says what is about to run, and which rule moves which parameters.
fn announce(front: &Front, train: &Train, bound: &Bound, options: &args::Run) {
    let parameters: usize = train.parameters.iter().map(|p| p.dims.iter().product::<usize>()).sum();
    let groups = groups::groups(front, train);
    if options.json {
        let groups: Vec<Value> =
            groups.iter().map(|(rule, names)| json!({"rule": rule, "parameters": names})).collect();
        let start = json!({"event": "start", "train": train.name, "parameters": parameters,
            "planned_bytes": bound.planned_bytes, "compile_s": bound.compile_s, "compiled": bound.compiled,
            "groups": groups});
        say!("{start}");
        return;
    }
    say!(
        "{}: {parameters} parameters, {} of memory planned, {} programs compiled in {:.0} ms",
        train.name,
        bind::size(bound.planned_bytes),
        bound.compiled,
        bound.compile_s * 1e3
    );
    if let Some(data) = &bound.data {
        let splits: Vec<String> = data.splits.iter().map(|s| format!("{} {}", s.count, s.name)).collect();
        let parts = if bound.accumulate > 1 { format!(" in {} parts", bound.accumulate) } else { String::new() };
        say!(
            "data {}: {} samples; {} of {}{parts} an epoch",
            data.name,
            splits.join(", "),
            updates(bound.steps_per_epoch),
            bound.batch * bound.accumulate
        );
    }
    groups::lines(&groups).iter().for_each(|line| say!("{line}"));
}

/// `1 update`, `2 updates`.
fn updates(n: u64) -> String {
    format!("{n} update{}", if n == 1 { "" } else { "s" })
}

/// First Ctrl-C: checkpoint and stop; second: stop now.
pub fn listen() -> Result<Arc<AtomicBool>, Fault> {
    let flag = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&flag);
    ctrlc::set_handler(move || {
        if seen.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(FaultKind::Interrupted.status()));
        }
    })
    .map_err(Fault::internal)?;
    Ok(flag)
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
        // Losses and errors fall, everything else rises.
        monitor: Monitor {
            split: split.to_string(),
            metric: metric.to_string(),
            rising: !["loss", "error"].iter().any(|w| metric.contains(w)),
        },
        patience: train.settings.stop.as_ref().map(|s| s.patience as u64),
        interval: interval(bound.epochs, bound.steps_per_epoch, train.settings.steps),
        workers: bound.workers,
    }
}

/// Updates from one line of the log to the next: fifty lines in all, if that is no more than one in a hundred.
fn interval(epochs: u64, steps_per_epoch: u64, limit: Option<usize>) -> u64 {
    let updates = epochs.saturating_mul(steps_per_epoch).min(limit.map_or(u64::MAX, |s| s as u64));
    (updates / 50).clamp(1, 100)
}

/// A run under way: its folder, its log and what is on the screen.
struct Run {
    folder: Folder,
    log: Log,
    display: Display,
    json: bool,
    quiet: bool,
    name: String,
    plan: String,
    seed: u64,
    progress: Progress,
    saved: Vec<(String, Slot)>,
    persistent: Vec<(String, Slot)>,
    last_checkpoint: Instant,
    /// The folder of the run whose weights this one began with.
    start: Option<PathBuf>,
}

impl Run {
    /// Makes the folder, or takes up the one to be resumed.
    fn open(front: &Front, train: &Train, bound: &mut Bound, options: &args::Run, place: Place) -> Result<Self, Fault> {
        let Place { folder, start, resume: resumes, quiet } = place;
        let persistent: Vec<(String, Slot)> =
            bound.session.executor.bundle().persistent.iter().map(|(n, s)| (n.clone(), s.clone())).collect();
        let slot = |path: &str| persistent.iter().find(|(n, _)| n == path).map(|(_, s)| s.clone());
        let parameters = train.parameters.iter().enumerate().map(|(n, p)| (&p.saved, train.evaluated_path(n)));
        let states = train.states.iter().map(|s| (&s.saved, s.path.as_str()));
        let saved = parameters.chain(states).filter_map(|(saved, path)| Some((saved.clone(), slot(path)?))).collect();
        let plan = bound.fingerprint.clone();
        let resumed = if resumes {
            Some(resume(&folder, bound, &plan, &persistent)?)
        } else {
            folder.make()?;
            None
        };
        let log = folder.log(resumed.as_ref().map(|p| p.at))?;
        let updates = (bound.epochs * bound.steps_per_epoch).min(train.settings.steps.map_or(u64::MAX, |s| s as u64));
        let mut run = Self {
            display: Display::new(bound.epochs, updates, options.json || quiet),
            json: options.json && !quiet,
            quiet,
            name: train.name.clone(),
            plan,
            seed: bound.session.seed,
            progress: resumed.clone().unwrap_or_default(),
            saved,
            persistent,
            last_checkpoint: Instant::now(),
            start,
            folder,
            log,
        };
        if resumed.is_none() {
            let set: BTreeMap<String, String> = front::settings(&options.program)?.into_iter().collect();
            let environment = json!({"version": env!("CARGO_PKG_VERSION"), "seed": bound.session.seed, "target": "cpu",
                "threads": bind::threads(options.machine.resources.threads), "plan": run.plan, "set": set,
                "system": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)});
            let source = modules::as_one(&front.sources, &front.file);
            run.folder.describe(&source, &environment)?;
            run.log
                .append(&json!({"event": "start", "train": train.name, "seed": bound.session.seed}))
                .map_err(Fault::data)?;
        }
        Ok(run)
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
        };
        checkpoint::save(&self.folder.path, &saved, &folder::tensors(session, &self.persistent)).map_err(Fault::data)
    }

    /// Puts the session back to the last checkpoint, or to the beginning.
    fn last_good(&self, train: &Train, bound: &mut Bound) -> Result<Progress, Fault> {
        if checkpoint::path(&self.folder.path).exists() {
            return resume(&self.folder, bound, &self.plan, &self.persistent);
        }
        begin(train, bound, self.start.as_deref())?;
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
        let mut done = Map::new();
        done.insert("event".into(), json!("done"));
        let mut shown = vec![];
        for name in ["train", "valid", "test"] {
            let Some(split) = bound.data.as_ref().and_then(|d| d.split(name)) else { continue };
            let metrics =
                trainer::evaluate(&mut bound.session, split, bound.batch, progress.at).map_err(Fault::internal)?;
            done.insert(name.into(), object(&metrics));
            shown.push((name, metrics));
        }
        if bound.data.is_none() {
            let mut sums = Sums::default();
            bound.session.evaluate(None, &[], progress.at, &mut sums).map_err(Fault::internal)?;
            let names = bound.session.evaluation_names();
            let metrics = bound.session.metrics(&names, &sums, 1.0).map_err(Fault::internal)?;
            done.insert("train".into(), object(&metrics));
            shown.push(("end", metrics));
        }
        done.insert("steps".into(), json!(progress.at.step));
        done.insert("seconds".into(), json!(progress.seconds));
        done.insert("dir".into(), json!(self.folder.path.display().to_string()));
        let mut logged = done.clone();
        logged.insert("step".into(), json!(progress.at.step));
        // Time and place differ from run to run; the log of a resumed run does not.
        logged.remove("seconds");
        logged.remove("dir");
        self.log.append(&Value::Object(logged.clone())).map_err(Fault::data)?;
        self.folder.draw(&self.name)?;
        if self.quiet {
            return Ok(logged);
        }
        if self.json {
            say!("{}", Value::Object(done));
            return Ok(logged);
        }
        if let Some(best) = early {
            say!("stopped early: no better figure since epoch {best}, whose weights are restored");
        }
        for (name, metrics) in shown {
            say!("{name:<5}  {}", figures(&metrics));
        }
        let path = self.folder.path.display();
        say!(
            "{} in {:.1} s; curves: {path}/curves.png, weights: {path}/weights.safetensors",
            updates(progress.at.step),
            progress.seconds
        );
        Ok(logged)
    }
}

/// Loads the checkpoint of a folder into the session.
fn resume(folder: &Folder, bound: &mut Bound, plan: &str, persistent: &[(String, Slot)]) -> Result<Progress, Fault> {
    let (saved, tensors) = checkpoint::load(&folder.path).map_err(Fault::data)?;
    if saved.plan != plan {
        complain!(
            "warning: the program, its settings or the kind of machine differ from the interrupted run's; \
             the result will not be the same to the bit"
        );
    }
    folder::restore(&mut bound.session, persistent, &tensors)?;
    Ok(Progress {
        at: Position { step: saved.step, epoch: saved.epoch, sample: saved.position as usize },
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

impl Observer for Run {
    fn updated(&mut self, session: &Session, progress: &Progress, loss: f64) -> Result<(), String> {
        self.display.updated(progress.at.step, loss);
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
        let mut line = Map::new();
        line.insert("event".into(), json!("epoch"));
        line.insert("epoch".into(), json!(record.epoch));
        line.insert("step".into(), json!(record.step));
        for (split, metrics) in &record.splits {
            line.insert(split.clone(), object(metrics));
        }
        self.log.append(&Value::Object(line.clone())).map_err(|e| e.to_string())?;
        if self.json {
            line.insert("seconds".into(), json!(record.seconds));
            say!("{}", Value::Object(line));
        }
        self.display.epoch(record);
        if best {
            self.folder.save_weights("best.safetensors", session, &self.saved).map_err(|e| e.to_string())?;
        }
        self.checkpoint(session, progress, false).map_err(|e| e.to_string())
    }
}
