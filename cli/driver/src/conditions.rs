//! All that decides the result of a run, by name and as text: kept in its checkpoint, and compared when it is gone on with.
//!
//! Threads, workers, memory and the place of files are not among them: no result depends on those. The length of a run is,
//! but only where the program reads it, or where the run has gone further than it is now to go.

use crate::bind::Bound;
use crate::fault::Fault;
use compiler::lower::scheduled::{self, Point};
use compiler::typed::{DataCall, Element, Outcome, Train};
use runtime::checkpoint;
use runtime::data::Value;
use runtime::trainer::Settings;
use std::path::Path;

/// By name, in the order in which they are told.
pub type Conditions = Vec<(String, String)>;

/// The condition that says how many updates a run makes.
const UPDATES: &str = "updates";
/// The condition that says how many epochs these are.
const EPOCHS: &str = "epochs";
/// Conditions of which [`PROGRAM`] is a consequence, so that it says nothing new where one of them differs.
const BEFORE_PROGRAM: [&str; 7] = ["nnc", "processor", "precision", "batch", "accumulate", "objectives", "metrics"];
const PROGRAM: &str = "compiled programs";
/// Updates at which a schedule of another length is compared.
const COMPARED: u64 = 16;

/// The conditions of a run of the block, which begins with the weights of the run in `start`.
pub fn of(train: &Train, bound: &Bound, settings: &Settings, start: Option<&Path>) -> Result<Conditions, Fault> {
    let mut list = declared(train);
    let mut add = |name: &str, value: String| list.push((name.to_string(), value));
    add("batch", bound.batch.to_string());
    let patience = train.settings.stop.as_ref().map_or(String::new(), |s| format!(", for {} epochs", s.patience));
    let monitor = &settings.monitor;
    let better = if monitor.rising { "more" } else { "less" };
    add("watched", format!("{}.{}, {better} is better{patience}", monitor.split, monitor.metric));
    add(EPOCHS, bound.epochs.to_string());
    add(UPDATES, total(bound, settings).to_string());
    for split in bound.data.iter().flat_map(|d| &d.splits) {
        add(&format!("samples of {}", split.name), format!("{} ({:016x})", split.count, split.digest()));
    }
    if let Some(start) = start {
        add("weights it begins with", checkpoint::digest(&start.join("weights.safetensors")).map_err(Fault::data)?);
    }
    add(PROGRAM, bound.fingerprint.clone());
    Ok(list)
}

/// What the train block itself says of them.
pub fn declared(train: &Train) -> Conditions {
    let mut list = Conditions::new();
    let mut add = |name: &str, value: String| list.push((name.to_string(), value));
    let given = &train.settings;
    add("nnc", env!("CARGO_PKG_VERSION").to_string());
    add("processor", std::env::consts::ARCH.to_string());
    add("train block", train.name.clone());
    add("seed", given.seed.to_string());
    add("precision", format!("{:?}", given.precision).to_lowercase());
    add("accumulate", given.accumulate.to_string());
    add("shuffle", given.shuffle.to_string());
    add("valid", given.valid_share.map_or("none set aside".to_string(), |s| format!("split({s})")));
    add("objectives", train.objectives.join(", "));
    let metrics = train.evaluation.outcomes.iter().filter_map(|(outcome, _)| match outcome {
        Outcome::Metric(name) | Outcome::Report(name) => Some(name.as_str()),
        _ => None,
    });
    add("metrics", metrics.collect::<Vec<_>>().join(", "));
    let Some(data) = &train.data else { return list };
    add("data", data.name.clone());
    data.splits.iter().for_each(|(split, source)| add(&format!("data {split}"), call(source)));
    data.settings.iter().for_each(|(name, value, _)| add(&format!("data {name}"), text(value)));
    for field in &train.fields {
        let steps = field.transforms.iter().map(call);
        let columns = (!field.columns.is_empty()).then(|| field.columns.join(", "));
        let element = if let Element::Class(n) = field.ty.element { format!(" of class({n})") } else { String::new() };
        let made: Vec<String> = columns.into_iter().chain(steps).collect();
        add(&format!("field {}", field.name), format!("{:?}{element} = {}", field.ty.dims, made.join(" |> ")));
    }
    list
}

/// Updates of the whole run.
pub fn total(bound: &Bound, settings: &Settings) -> u64 {
    bound.epochs.saturating_mul(bound.steps_per_epoch).min(settings.limit)
}

fn call(call: &DataCall) -> String {
    let argument = |(name, value): &(Option<String>, Value)| match name {
        Some(name) => format!("{name} = {}", text(value)),
        None => text(value),
    };
    match call.args.as_slice() {
        [] => call.name.clone(),
        args => format!("{}({})", call.name, args.iter().map(argument).collect::<Vec<_>>().join(", ")),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Number(n) => n.to_string(),
        Value::Bool(b) => b.to_string(),
        Value::Text(t) => format!("{t:?}"),
        Value::List(list) => format!("[{}]", list.iter().map(text).collect::<Vec<_>>().join(", ")),
    }
}

/// What of a run to be gone on with is not as it was.
#[derive(Debug, Default)]
pub struct Differences {
    /// Each keeps the result from being that of a run without interruption; whole lines.
    pub lines: Vec<String>,
    /// Of another length, which changes nothing of what has been done.
    pub longer: Option<String>,
}

/// Compares the conditions of a checkpoint with those of now.
pub fn compare(train: &Train, bound: &Bound, saved: &checkpoint::Progress, now: &Conditions) -> Differences {
    let old = |name: &str| saved.conditions.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    let new = |name: &str| now.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    let gone = saved.conditions.iter().filter(|(name, _)| new(name).is_none()).map(|(name, _)| name);
    let mut lines = vec![];
    let mut differ = vec![];
    for name in now.iter().map(|(name, _)| name).chain(gone).map(String::as_str) {
        if [EPOCHS, UPDATES].contains(&name) || old(name) == new(name) {
            continue;
        }
        differ.push(name);
        let says = |value: Option<&str>| value.unwrap_or("nothing").to_string();
        lines.push(match (old(name), new(name)) {
            (Some(old), Some(new)) if name == PROGRAM => format!("{name}: {old} then, {new} now"),
            (Some(old), Some(new)) if name.starts_with("samples of ") => samples(name, old, new),
            (old, new) => format!("{name}: {} then, {} now", says(old), says(new)),
        });
    }
    let entails = |d: &&str| BEFORE_PROGRAM.contains(d) || d.starts_with("samples of ") || d.starts_with("field ");
    if differ.iter().any(entails) {
        lines.retain(|line| !line.starts_with(PROGRAM));
    }
    let mut found = Differences { lines, longer: None };
    let number = |text: Option<&str>| text.and_then(|t| t.parse::<u64>().ok()).unwrap_or_default();
    let (then, length) = (number(old(UPDATES)), number(new(UPDATES)));
    if then != length {
        let epochs = |list: Option<&str>| list.unwrap_or("?").to_string();
        let (e_then, e_now) = (epochs(old(EPOCHS)), epochs(new(EPOCHS)));
        let both = match train.data.is_some() && e_then != e_now {
            true => format!("{e_then} epochs ({then} updates) then, {e_now} epochs ({length} updates) now"),
            false => format!("{then} updates then, {length} now"),
        };
        match wrong_length(train, bound, saved, (then, length)) {
            Some(why) => found.lines.push(format!("length: {both}; {why}")),
            None => found.longer = Some(both),
        }
    }
    found
}

/// `1437 (3f2a..)` then and now.
fn samples(name: &str, old: &str, new: &str) -> String {
    let count = |text: &str| text.split(' ').next().unwrap_or_default().to_string();
    match count(old) == count(new) {
        true => format!("{name}: {} as before, but their values, or their order, are others", count(old)),
        false => format!("{name}: {} then, {} now", count(old), count(new)),
    }
}

/// Why a run of another length is not the continuation of this one; `None` if it is.
fn wrong_length(train: &Train, bound: &Bound, saved: &checkpoint::Progress, (then, now): (u64, u64)) -> Option<String> {
    if saved.step > now {
        return Some(format!("{} updates have been made already", saved.step));
    }
    if bound.reads_steps {
        let names = otherwise(train, saved.step.max(1), then, now);
        let which = if names.is_empty() { "something".to_string() } else { names.join(", ") };
        return Some(format!("{which} in the program depends on the length (`steps`), from the first update on"));
    }
    let cut_off = saved.finished && saved.position > 0 && train.data.is_some();
    let counted = saved.best.is_some_and(|best| best.epoch == saved.epoch + 1) || !train.figures.is_empty();
    (cut_off && counted)
        .then(|| format!("the figures of epoch {}, which `steps` had cut off, count already", saved.epoch + 1))
}

/// The settings that are schedules and have other values in the updates made, in a run of the other length.
fn otherwise(train: &Train, made: u64, then: u64, now: u64) -> Vec<String> {
    let points = |steps: u64| -> Vec<Point> {
        let at = |k: u64| Point { step: (1 + k * (made - 1) / COMPARED) as f64, steps: steps as f64, epoch: 0.0 };
        (0..=COMPARED).map(at).collect()
    };
    let values = |name: &str, steps: u64| scheduled::values(train, name, &points(steps)).ok().flatten();
    let names = scheduled::names(train);
    names.into_iter().filter(|n| values(n, then) != values(n, now)).map(|n| format!("`{n}`")).collect()
}
