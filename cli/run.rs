//! `nnc run`: compiles a program and trains it, and keeps the run's folder.

use crate::args;
use crate::diverged;
use crate::folder::{self, Folder, Root};
use crate::groups;
use crate::load;
use crate::output::Printed;
use crate::progress::{Display, figures};
use crate::{complain, recent, say};
use compiler::emit::Precision;
use compiler::modules;
use compiler::typed::{Better, Stopping, Train};
use driver::bind::{self, Bound};
use driver::compile;
use driver::conditions::{self, Conditions};
use driver::fault::{Fault, FaultKind};
use driver::machine;
use driver::program::Program;
use nnc_core::plan::Slot;
use runtime::arrays::{self, Weights};
use runtime::checkpoint::{self, Best, Exact};
use runtime::log::Log;
use runtime::session::{Position, Session, Sums};
use runtime::trainer::{self, End, Metrics, Monitor, Observer, Progress, Record, Settings};
use runtime::weights::Tensor;
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
    let loaded = load::load(&options.program, options.json)?;
    let goal = load::choose(&loaded, &options.program)?;
    if options.dry_run {
        let bound = bind::bind(goal, &options.program.file, &options.machine.plain(), None, &mut Printed)?;
        announce(&loaded, goal, &bound, options);
        return Ok(());
    }
    let interrupted = listen()?;
    let resumes = options.resume.is_some();
    // Nothing is kept of a program that cannot run.
    let root = match (&options.resume, &options.out) {
        (Some(asked), _) if asked == Path::new("last") => Root::new(&recent::last()?.path, false),
        (Some(asked), _) => Root::new(asked, false),
        (None, Some(out)) => Root::new(&Folder::asked(out)?.path, true),
        (None, None) => Root::numbered(&goal.name)?,
    };
    let folder = root.folder();
    let goes_on = folder.has_checkpoint();
    let mut start = None;
    for train in loaded.needed(goal) {
        let inside = Folder::at(folder.path.join(&train.name));
        let resume = resumes && inside.has_checkpoint();
        let kind =
            Place { folder: inside.clone(), start, resume, settled: resumes && goes_on, quiet: false, root: &root };
        train_one(&loaded, train, options, kind, &interrupted)?;
        start = Some(inside.path);
    }
    let resume = resumes && (goes_on || start.is_none());
    let place = Place { folder, start, resume, settled: false, quiet: false, root: &root };
    train_one(&loaded, goal, options, place, &interrupted).map(|_| ())
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
    /// Whether nothing is printed.
    pub quiet: bool,
    /// The outermost folder of the command, which keeps others out.
    pub root: &'a Root,
}

/// Runs one train block; returns its final figures as they are logged.
pub fn train_one(
    loaded: &Program,
    train: &Train,
    options: &args::Run,
    place: Place,
    interrupted: &AtomicBool,
) -> Result<Map<String, Value>, Fault> {
    let record = if place.resume { folder::record(&place.folder.path)? } else { None };
    let mut bound = bind::bind(train, &options.program.file, &options.machine.plain(), record, &mut Printed)?;
    if !place.quiet {
        announce(loaded, train, &bound, options);
    }
    let taken = begin(train, &mut bound, place.start.as_deref())?;
    if !place.quiet {
        taken.iter().for_each(|taken| taken.announce(options.json));
    }
    let mut settings = settings(train, &bound);
    let mut run = Run::open(loaded, train, &mut bound, &settings, options, place)?;
    settings.pause = options.stop_after.map(|n| run.progress.at.step.saturating_add(n));
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
            Err(diverged::explain(loaded, train, &mut bound, &settings, restore, step))
        }
        End::Finished => run.finish(&mut bound, &settings, &progress, None),
        End::StoppedEarly { best } => run.finish(&mut bound, &settings, &progress, Some(best)),
    }
}

/// What a train block has taken of the weights that it starts from, by saved names.
struct Taken {
    /// The train block that left them.
    from: String,
    /// Begin as they were there.
    taken: Vec<String>,
    /// Have their own initial values, for there was nothing of their names.
    initial: Vec<String>,
    /// Are there, but not here.
    left: Vec<String>,
}

impl Taken {
    fn announce(&self, json: bool) {
        let Self { from, taken, initial, left } = self;
        if json {
            say!("{}", json!({"event": "weights", "from": from, "taken": taken, "initial": initial, "left": left}));
            return;
        }
        fn part(what: String, list: &[String]) -> (String, Vec<&str>) {
            (what, list.iter().map(String::as_str).collect())
        }
        let mut parts = vec![
            part(format!("begins with the weights of {from}"), taken),
            part("begins with initial values of its own".to_string(), initial),
            part(format!("left in the weights of {from}"), left),
        ];
        parts.retain(|(_, list)| !list.is_empty());
        groups::listed(&parts).iter().for_each(|line| say!("{line}"));
    }
}

/// Gives all tensors their initial values; parameters and states that the run in the folder `start` has saved under
/// the same name begin as it left them. Their shapes must be the same, and what is frozen must be among them.
fn begin(train: &Train, bound: &mut Bound, start: Option<&Path>) -> Result<Option<Taken>, Fault> {
    bound.session.initialise().map_err(Fault::internal)?;
    let (Some(folder), Some(start)) = (start, &train.start) else { return Ok(None) };
    if let (Some(data), Some(record)) = (&bound.data, folder::record(folder)?) {
        runtime::data::in_order(&data.trained, &record).map_err(Fault::data)?;
    }
    let weights = Weights::read(&folder.join("weights.safetensors")).map_err(Fault::data)?;
    let tensors = weights.arrays();
    let double = train.settings.precision == Precision::F64;
    let persistent = bound.session.executor.bundle().persistent.clone();
    let parameters = train.parameters.iter().map(|p| (&p.saved, &p.path));
    let states = train.states.iter().map(|s| (&s.saved, &s.path));
    let model = start.model.as_deref();
    let there = |saved: &str, name: &str| {
        let inside = model.and_then(|m| saved.strip_prefix(m)?.strip_prefix('.'));
        name == saved || Some(name) == inside
    };
    let mut found = Taken { from: start.train.clone(), taken: vec![], initial: vec![], left: vec![] };
    let mut used = vec![];
    let mut misfits = vec![];
    for (k, (saved, path)) in parameters.chain(states).enumerate() {
        let Some(slot) = persistent.get(path) else { continue };
        let kind = if k < train.parameters.len() { arrays::Taken::Parameter } else { arrays::Taken::State };
        match tensors.iter().find(|(name, _)| there(saved, name)) {
            Some((name, array)) if array.shape == slot.shape => {
                let array = weights.get(name, kind, double).map_err(Fault::data)?.unwrap_or(array);
                bound.session.executor.write_f64(slot, &array.values);
                found.taken.push(saved.clone());
                used.push(name.as_str());
            }
            Some((_, array)) => misfits.push(format!(
                "`{saved}` has shape {:?} here, but {:?} in the weights of `{}`",
                slot.shape, array.shape, start.train
            )),
            None => found.initial.push(saved.clone()),
        }
    }
    found.left = tensors.keys().filter(|name| !used.contains(&name.as_str())).cloned().collect();
    if !misfits.is_empty() {
        return Err(Fault::data(format!(
            "`{}` cannot start from these weights: {}; a layer that is to begin anew takes another name, such as `as head`",
            train.name,
            misfits.join("; ")
        )));
    }
    if found.taken.is_empty() {
        return Err(Fault::data(format!(
            "`{}` shares no tensor with the weights it is to start from: it has {}; they have {}",
            train.name,
            found.initial.join(", "),
            found.left.join(", ")
        )));
    }
    let lacking: Vec<String> = train
        .parameters
        .iter()
        .filter(|p| p.needs_value && !found.taken.contains(&p.saved))
        .map(|p| format!("`{}`", p.saved))
        .collect();
    if !lacking.is_empty() {
        return Err(Fault::data(format!(
            "`{}` freezes {}, which the weights of `{}` do not have, so that random draws would stay; they have {}. If \
             random features are meant, say `as drawn` after what is frozen",
            train.name,
            lacking.join(", "),
            start.train,
            tensors.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
        )));
    }
    bound.session.restart().map_err(Fault::internal)?;
    Ok(Some(found))
}

/// Says what is about to run, and which rule moves which parameters.
fn announce(loaded: &Program, train: &Train, bound: &Bound, options: &args::Run) {
    let parameters: usize = train.parameters.iter().map(|p| p.dims.iter().product::<usize>()).sum();
    let groups = driver::groups::groups(loaded, train);
    let carried: Vec<&str> = train.carried().into_iter().map(|s| train.states[s].saved.as_str()).collect();
    if options.json {
        let groups: Vec<Value> =
            groups.iter().map(|(rule, names)| json!({"rule": rule, "parameters": names})).collect();
        let mut start = json!({"event": "start", "train": train.name, "parameters": parameters,
            "planned_bytes": bound.planned_bytes, "compile_s": bound.compile_s, "compiled": bound.compiled,
            "groups": groups});
        if let Some(stop) = &train.settings.stop {
            let better = if stop.better == Better::Higher { "higher" } else { "lower" };
            start["stop"] = json!({"monitor": stop.monitor, "better": better, "patience": stop.patience});
        }
        if !carried.is_empty() {
            start["carried"] = json!(carried);
        }
        say!("{start}");
        return;
    }
    say!(
        "{}: {parameters} parameters, {} of memory planned, {} programs compiled in {:.0} ms",
        train.name,
        compile::size(bound.planned_bytes),
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
    if let Some(stop) = &train.settings.stop {
        say!("{}", waits(stop));
    }
    if !carried.is_empty() {
        say!("evaluation carries from minibatch to minibatch, beginning anew with every split: {}", carried.join(", "));
    }
}

/// What early stopping waits for.
fn waits(stop: &Stopping) -> String {
    let moved = if stop.better == Better::Higher { "risen" } else { "fallen" };
    let epochs = if stop.patience == 1 { "an epoch".to_string() } else { format!("{} epochs", stop.patience) };
    format!("stops when {} has not {moved} for {epochs}", stop.monitor)
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
    .map_err(|e| Fault::data(format!("cannot begin to listen for Ctrl-C, for which a thread is needed: {e}")))?;
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

/// A run under way: its folder, its log and what is on the screen.
struct Run {
    folder: Folder,
    log: Log,
    display: Display,
    json: bool,
    quiet: bool,
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

impl Run {
    /// Makes the folder, or takes up the one to be resumed.
    fn open(
        loaded: &Program,
        train: &Train,
        bound: &mut Bound,
        settings: &Settings,
        options: &args::Run,
        place: Place,
    ) -> Result<Self, Fault> {
        let Place { folder, start, resume: resumes, settled, quiet, root } = place;
        let persistent: Vec<(String, Slot)> =
            bound.session.executor.bundle().persistent.iter().map(|(n, s)| (n.clone(), s.clone())).collect();
        let slot = |path: &str| persistent.iter().find(|(n, _)| n == path).map(|(_, s)| s.clone());
        let parameters = train.parameters.iter().enumerate().map(|(n, p)| (&p.saved, train.evaluated_path(n)));
        let states = train.states.iter().map(|s| (&s.saved, s.path.as_str()));
        let saved = parameters.chain(states).filter_map(|(saved, path)| Some((saved.clone(), slot(path)?))).collect();
        let conditions = conditions::of(train, bound, settings, start.as_deref())?;
        let resumed = if resumes {
            Some(resume(train, bound, &folder, &conditions, &persistent, options.anyway, settled, root)?)
        } else {
            root.hold(&folder.path)?;
            folder.clear()?;
            describe(loaded, train, bound, options, &folder, &conditions)?;
            None
        };
        if !quiet {
            recent::note(&root.folder().path)?;
        }
        let mut log = folder.log(resumed.as_ref().map(|p| p.at))?;
        if resumed.is_none() {
            let line = json!({"event": "start", "train": train.name, "seed": bound.session.seed});
            log.append(&line).map_err(Fault::data)?;
        }
        Ok(Self {
            display: Display::new(bound.epochs, conditions::total(bound, settings), options.json || quiet),
            json: options.json && !quiet,
            quiet,
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
        // What evaluation may read of the last epoch; `nnc eval` takes the same from the checkpoint.
        bound.session.figures.clone_from(&progress.figures);
        let mut done = Map::new();
        done.insert("event".into(), json!("done"));
        let mut shown = vec![];
        for name in ["train", "valid", "test"] {
            let Some(split) = bound.data.as_ref().and_then(|d| d.split(name)) else { continue };
            let metrics = bound.session.evaluate(Some(split), progress.at).map_err(Fault::internal)?;
            done.insert(name.into(), object(&metrics));
            shown.push((name, metrics));
        }
        if bound.data.is_none() {
            let metrics = bound.session.evaluate(None, progress.at).map_err(Fault::internal)?;
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

/// Writes what tells of the run that begins.
fn describe(
    loaded: &Program,
    train: &Train,
    bound: &Bound,
    options: &args::Run,
    folder: &Folder,
    conditions: &Conditions,
) -> Result<(), Fault> {
    let set: BTreeMap<String, String> = options.program.request()?.settings.into_iter().collect();
    let before: Vec<&str> = loaded.needed(train).iter().map(|t| t.name.as_str()).collect();
    let conditions: Map<String, Value> = conditions.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
    let environment = json!({"version": env!("CARGO_PKG_VERSION"), "seed": bound.session.seed, "target": "cpu",
        "threads": machine::threads(options.machine.resources.threads), "plan": bound.fingerprint, "set": set,
        "system": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH), "begins_with": before,
        "conditions": conditions});
    folder.describe(&modules::as_one(&loaded.sources, &loaded.file), &environment)?;
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
        (false, true) => complain!(
            "warning: this is no longer the run that was begun in {path}, and its result will be neither that run's nor \
             that of a new one:{list}"
        ),
        (false, false) => {
            return Err(Fault::usage(format!(
                "the run in {path} was begun otherwise, so that going on would give neither its result nor that of a new \
                 run:{list}\nits program is {path}/source.nn; begin a new run without --resume, or go on with what is \
                 different with --anyway"
            )));
        }
    }
    if let Some(longer) = found.longer.filter(|_| list.is_empty()) {
        complain!(
            "note: the length is another: {longer}. Nothing that has been computed depends on it: the weights will be those \
             of a run of this length from the start"
        );
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
