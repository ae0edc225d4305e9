//! `nnc run`: compiles a program and trains it, and keeps the run's folder.

use crate::args;
use crate::groups;
use crate::load;
use crate::output::{Printed, write_error};
use crate::progress::{Display, figures};
use crate::render::colour_wanted;
use crate::{complain, say};
use compiler::typed::{Better, Stopping, Train};
use driver::bind::{self, Bound};
use driver::compile;
use driver::fault::{Fault, FaultKind};
use driver::folder::{Folder, Root};
use driver::listener::{Listener, Notice};
use driver::program::Program;
use driver::recent;
use driver::run::{self, Ended, Watcher, updates};
use driver::start::Taken;
use grammar::diagnostic::Diagnostic;
use grammar::render::human;
use grammar::span::Sources;
use runtime::trainer::{Metrics, Record};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Compiles, trains, evaluates; leaves a folder with everything about the run. Train blocks whose weights it begins
/// with are run before it, each in a folder of its name inside that one.
pub fn run(options: &args::Run) -> Result<(), Fault> {
    let loaded = load::load(&options.program, options.json)?;
    let goal = load::choose(&loaded, &options.program)?;
    let asked = options.plain()?;
    if options.dry_run {
        let bound = bind::bind(goal, &asked.request.file, &asked.machine, None, &mut Printed)?;
        announce(&loaded, goal, &bound, options.json);
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
    let mut screen = Screen { json: options.json, display: None };
    run::run(&loaded, goal, &asked, &root, resumes, &interrupted, &mut screen)
}

/// Shows a run to a person, or as JSON lines to a program.
struct Screen {
    json: bool,
    /// Bar and table of the train block that is run.
    display: Option<Display>,
}

impl Listener for Screen {
    fn notice(&mut self, notice: Notice) {
        complain!("{notice}");
    }
}

impl Watcher for Screen {
    fn compiled(&mut self, program: &Program, train: &Train, bound: &Bound) {
        announce(program, train, bound, self.json);
    }

    fn takes(&mut self, taken: &Taken) {
        announce_weights(taken, self.json);
    }

    fn begins(&mut self, epochs: u64, updates: u64) {
        self.display = Some(Display::new(epochs, updates, self.json));
    }

    fn updated(&mut self, step: u64, loss: f64) {
        self.display.iter().for_each(|display| display.updated(step, loss));
    }

    fn epoch(&mut self, record: &Record) {
        if self.json {
            let mut line = run::line(record);
            line.insert("seconds".into(), json!(record.seconds));
            say!("{}", Value::Object(line));
        }
        self.display.iter().for_each(|display| display.epoch(record));
    }

    fn rests(&mut self) {
        self.display.iter().for_each(Display::finish);
    }

    fn diverged(&mut self, sources: &Sources, place: &Diagnostic) {
        Printed.diverged(sources, place);
    }

    fn ended(&mut self, ended: &Ended) {
        if self.json {
            say!("{}", Value::Object(done(ended)));
            return;
        }
        if let Some(best) = ended.early {
            say!("stopped early: no better figure since epoch {best}, whose weights are restored");
        }
        for (name, metrics) in &ended.splits {
            let name = if ended.data { name } else { "end" };
            say!("{name:<5}  {}", figures(metrics));
        }
        let path = ended.folder.display();
        say!(
            "{} in {:.1} s; curves: {path}/curves.png, weights: {path}/weights.safetensors",
            updates(ended.steps),
            ended.seconds
        );
    }
}

/// Of a run that a command makes by the way, only what is wrong is printed.
impl Watcher for Printed {
    fn diverged(&mut self, sources: &Sources, place: &Diagnostic) {
        write_error(format_args!("{}", human(sources, place, colour_wanted())));
    }
}

/// The last line of a run in JSON.
fn done(ended: &Ended) -> Map<String, Value> {
    let object = |metrics: &Metrics| -> Map<String, Value> {
        metrics.iter().map(|(name, value)| (name.clone(), json!(value))).collect()
    };
    let mut done = Map::new();
    done.insert("event".into(), json!("done"));
    done.extend(ended.splits.iter().map(|(name, metrics)| ((*name).to_string(), json!(object(metrics)))));
    done.insert("steps".into(), json!(ended.steps));
    done.insert("seconds".into(), json!(ended.seconds));
    done.insert("dir".into(), json!(ended.folder.display().to_string()));
    done
}

/// Says which weights it begins with.
fn announce_weights(Taken { from, taken, initial, left }: &Taken, json: bool) {
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

/// Says what is about to run, and which rule moves which parameters.
fn announce(program: &Program, train: &Train, bound: &Bound, json: bool) {
    let parameters: usize = train.parameters.iter().map(|p| p.dims.iter().product::<usize>()).sum();
    let groups = driver::groups::groups(program, train);
    let carried: Vec<&str> = train.carried().into_iter().map(|s| train.states[s].saved.as_str()).collect();
    if json {
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
