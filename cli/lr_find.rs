//! `nnc lr-find`: trains while the learning rate rises exponentially from next to nothing to far too much, and shows the
//! loss against the rate (Smith 2017). The rate to begin with lies where the loss falls fastest.
//!
//! The program stays as it is: its rules are given a schedule in the place of the setting, as `--set` would.

use crate::args;
use crate::load;
use crate::output::Printed;
use crate::say;
use compiler::check::optimizer_arguments::{each_rule, optimizer, set_argument};
use driver::bind;
use driver::fault::{Fault, FaultKind};
use driver::program::{self, Program};
use driver::steps::Steps;
use grammar::ast::{Expr, File, Item};
use grammar::parser::parse;
use grammar::span::Sources;
use runtime::plot::{Chart, Curve, Picture};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Rows of the table.
const ROWS: usize = 20;
/// A smoothed loss so many times the lowest ends the search: all that follows is worse.
const HOPELESS: f64 = 4.0;
/// The part of the updates on each side over which the loss is smoothed.
const SMOOTHED_OVER: usize = 40;

/// The loss at a rate.
#[derive(Clone, Copy)]
struct Point {
    rate: f64,
    loss: f64,
    smoothed: f64,
}

/// Searches, draws, and says where to begin.
pub fn lr_find(options: &args::LrFind) -> Result<(), Fault> {
    if !(options.from > 0.0 && options.to > options.from && options.to.is_finite() && options.steps >= 20) {
        return Err(Fault::usage(
            "the rate rises: --from is above 0 and below --to, and there are at least 20 --steps",
        ));
    }
    let loaded = load::load(&options.program, options.json)?;
    let name = load::choose(&loaded, &options.program)?.name.clone();
    let program = rising(&loaded, &name, options)?;
    let points = smoothed(searched(&program, options)?, options.steps);
    let (steepest, lowest) = (steepest(&points, options.steps), lowest(&points));
    let stem = options.output.clone().unwrap_or_else(|| PathBuf::from("lr-find")).with_extension("");
    draw(&name, options, &points, steepest, &stem)?;
    if options.json {
        let point = |p: &Point| json!({"rate": p.rate, "loss": p.loss, "smoothed": p.smoothed});
        let list: Vec<Value> = points.iter().map(point).collect();
        say!(
            "{}",
            json!({"train": name, "setting": options.setting, "suggestion": steepest.map(|p| p.rate),
                "lowest": lowest.map(|p| p.rate), "points": list, "picture": format!("{}.svg", stem.display())})
        );
        return Ok(());
    }
    table(options, &points);
    match steepest {
        Some(at) => say!("the loss falls fastest at {} = {:.2e}", options.setting, at.rate),
        None => say!("the loss falls at no {} of these", options.setting),
    }
    if let Some(at) = lowest {
        say!("it is lowest at {:.2e}", at.rate);
    }
    say!("{0}.svg and {0}.png", stem.display());
    Ok(())
}

/// The program with the chosen block alone, whose rate rises over so many updates.
fn rising(loaded: &Program, train: &str, options: &args::LrFind) -> Result<Program, Fault> {
    let mut sources = loaded.sources.clone();
    let mut file = loaded.file.clone();
    let (schedule, rate, steps) = schedule(&mut sources, &file, options)?;
    file.items.push(schedule);
    file.items.retain(|item| match item {
        Item::Sweep(_) => false,
        Item::Train(t) => t.name.name == train,
        _ => true,
    });
    let mut settings = vec![];
    let mut found = false;
    for item in &mut file.items {
        let Item::Train(block) = item else { continue };
        each_rule(block, &mut |rule| {
            let Some(optimizer) = optimizer(rule, &loaded.file, &loaded.library) else { return };
            settings.extend(optimizer.params.iter().map(|p| p.name.name.clone()));
            if optimizer.params.iter().any(|p| p.name.name == options.setting) {
                found = true;
                set_argument(rule, optimizer, &options.setting, rate.clone());
            }
        });
        // The search has its own length, and begins at the start.
        block.entries.retain(|e| !["epochs", "stop", "start"].contains(&e.lhs.name.name.as_str()));
        program::replace_setting(block, "steps", &steps);
    }
    if !found {
        let others = if settings.is_empty() { "none".to_string() } else { settings.join(", ") };
        return Err(Fault::usage(format!(
            "the optimiser of {train} has no setting `{}`; --setting names another of its settings: {others}",
            options.setting
        )));
    }
    load::changed(loaded, sources, file)
}

/// A schedule that rises from one rate to another, a call of it, and the number of updates.
fn schedule(sources: &mut Sources, file: &File, options: &args::LrFind) -> Result<(Item, Expr, Expr), Fault> {
    let taken = |name: &str| file.items.iter().any(|i| matches!(i, Item::Callable(c) if c.name.name == name));
    let mut name = "rising_rate".to_string();
    while taken(&name) {
        name.push('_');
    }
    let args::LrFind { from, to, steps, .. } = options;
    let text = format!(
        "schedule {name}(from, to) = from * (to / from)^(k / (steps - 1))\n\
         train settings {{\nrate = {name}({from:e}, {to:e})\nsteps = {steps}\n}}\n"
    );
    let id = sources.add("lr-find", text.clone());
    let mut items = parse(id, &text).0.items.into_iter();
    match (items.next(), items.next()) {
        (Some(schedule), Some(Item::Train(train))) => {
            let mut values = train.entries.into_iter().map(|e| e.value);
            match (values.next(), values.next()) {
                (Some(rate), Some(steps)) => Ok((schedule, rate, steps)),
                _ => Err(Fault::internal("the schedule of a rising rate has no settings")),
            }
        }
        _ => Err(Fault::internal("the schedule of a rising rate cannot be read")),
    }
}

/// Rates and losses of the updates, up to the last, or the first at which nothing can be gained any more.
fn searched(program: &Program, options: &args::LrFind) -> Result<Vec<(f64, f64)>, Fault> {
    let Some(train) = program.checked.trains.first() else {
        return Err(Fault::internal("the train block of the search is lost"));
    };
    let mut bound = bind::bind(train, &options.program.file, &options.machine.plain(), None, &mut Printed)?;
    bound.session.initialise().map_err(Fault::internal)?;
    let mut steps = Steps::new(&bound);
    let mut points = vec![];
    let (mut mean, mut best) = (0.0, f64::INFINITY);
    for k in 0..options.steps {
        steps.next(&mut bound)?;
        let loss = steps.loss(&bound);
        if !loss.is_finite() {
            break;
        }
        let share = k as f64 / (options.steps - 1) as f64;
        points.push((options.from * (options.to / options.from).powf(share), loss));
        mean = if k == 0 { loss } else { 0.9 * mean + 0.1 * loss };
        best = best.min(mean);
        if mean > HOPELESS * best.abs() && k >= options.steps / 10 {
            break;
        }
    }
    if points.is_empty() {
        return Err(Fault::new(FaultKind::Diverged, "the loss of the first update is no finite number"));
    }
    Ok(points)
}

/// Each loss with the mean of those around it.
fn smoothed(points: Vec<(f64, f64)>, steps: usize) -> Vec<Point> {
    let reach = (steps / SMOOTHED_OVER).max(1);
    let around = |i: usize| &points[i.saturating_sub(reach)..(i + reach + 1).min(points.len())];
    let mean = |i: usize| around(i).iter().map(|p| p.1).sum::<f64>() / around(i).len() as f64;
    points.iter().enumerate().map(|(i, (rate, loss))| Point { rate: *rate, loss: *loss, smoothed: mean(i) }).collect()
}

fn lowest(points: &[Point]) -> Option<Point> {
    points.iter().copied().min_by(|a, b| a.smoothed.total_cmp(&b.smoothed))
}

/// Where the smoothed loss falls most from one update to the next, before it is lowest.
fn steepest(points: &[Point], steps: usize) -> Option<Point> {
    let reach = (steps / SMOOTHED_OVER).max(1);
    let low = lowest(points)?.rate;
    let fall = |i: usize| points[i + reach].smoothed - points[i - reach].smoothed;
    let inside = (reach..points.len().saturating_sub(reach)).filter(|i| points[*i].rate <= low);
    let found = inside.min_by(|a, b| fall(*a).total_cmp(&fall(*b))).filter(|i| fall(*i) < 0.0);
    found.map(|i| points[i])
}

fn table(options: &args::LrFind, points: &[Point]) {
    say!("{:>10}  {:>10}  {:>10}", options.setting, "loss", "smoothed");
    let every = points.len().div_ceil(ROWS).max(1);
    for p in points.iter().step_by(every) {
        say!("{:>10.2e}  {:>10.4}  {:>10.4}", p.rate, p.loss, p.smoothed);
    }
}

/// The loss, smoothed as well, against the rate, with a line where it falls fastest.
fn draw(
    name: &str,
    options: &args::LrFind,
    points: &[Point],
    steepest: Option<Point>,
    stem: &Path,
) -> Result<(), Fault> {
    let curve = |name: &str, of: fn(&Point) -> f64| Curve {
        name: name.to_string(),
        points: points.iter().map(|p| (p.rate, of(p))).collect(),
    };
    let mut curves = vec![curve("loss", |p| p.loss), curve("smoothed", |p| p.smoothed)];
    if let Some(at) = steepest {
        let ends = |f: fn(f64, f64) -> f64, start| points.iter().fold(start, |e, p| f(e, p.smoothed));
        let (low, high) = (ends(f64::min, f64::INFINITY), ends(f64::max, f64::NEG_INFINITY));
        let name = format!("{} = {:.1e}", options.setting, at.rate);
        curves.push(Curve { name, points: vec![(at.rate, low), (at.rate, high)] });
    }
    let (title, x_label) = ("loss".to_string(), options.setting.clone());
    let chart = Chart { title, x_label, log_x: true, log_y: false, curves };
    Picture { title: name.to_string(), charts: vec![chart] }.save(stem).map_err(Fault::data)
}
