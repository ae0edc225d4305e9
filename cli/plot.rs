//! `nnc plot`: the curves of runs together in one picture, and how a schedule goes.

use crate::args::{self, Plotted};
use crate::output::Printed;
use crate::{load, say};
use compiler::lower::scheduled::{self, Point};
use compiler::typed::Train;
use driver::bind;
use driver::fault::Fault;
use runtime::log;
use runtime::plot::{Chart, Curve, Picture};
use std::path::{Path, PathBuf};

/// The most points of a schedule that are drawn.
const POINTS: u64 = 2000;

/// Draws what is asked for and says where it is.
pub fn plot(options: &args::Plot) -> Result<(), Fault> {
    let (picture, stem) = match &options.what {
        None => (runs(&options.runs)?, options.output.clone().unwrap_or_else(|| "curves".into())),
        Some(Plotted::Lr(of)) => (schedule(of)?, of.output.clone().unwrap_or_else(|| of.setting.clone().into())),
    };
    let stem = stem.with_extension("");
    picture.save(&stem).map_err(Fault::data)?;
    say!("{0}.svg and {0}.png", stem.display());
    Ok(())
}

/// The curves of the logs of several runs.
fn runs(folders: &[PathBuf]) -> Result<Picture, Fault> {
    if folders.is_empty() {
        return Err(Fault::usage("say which runs: nnc plot runs/lenet-1 runs/lenet-2"));
    }
    let read = |path: &PathBuf| {
        let file = if path.is_dir() { path.join("metrics.jsonl") } else { path.clone() };
        let lines = log::read(&file).map_err(Fault::data)?;
        match lines.iter().any(|l| l["event"] == "epoch") {
            true => Ok((run_name(path), lines)),
            false => Err(Fault::data(format!("{} tells of no whole epoch yet", file.display()))),
        }
    };
    let logs = folders.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(match &logs[..] {
        [(name, lines)] => Picture::of_log(name, lines),
        _ => Picture::of_logs(&logs),
    })
}

/// The name of a run's folder.
fn run_name(path: &Path) -> String {
    let folder = if path.is_dir() { Some(path) } else { path.parent() };
    let name = folder.and_then(|p| p.canonicalize().ok()).and_then(|p| Some(p.file_name()?.display().to_string()));
    name.unwrap_or_else(|| path.display().to_string())
}

/// A scheduled setting of the optimiser over a whole run.
fn schedule(options: &args::PlotSchedule) -> Result<Picture, Fault> {
    let loaded = load::load(&options.program, false)?;
    let train = load::choose(&loaded, &options.program)?;
    let (steps, per_epoch) = extent(train, options)?;
    let spaced = (0..steps.min(POINTS)).map(|i| if steps <= POINTS { i } else { i * (steps - 1) / (POINTS - 1) });
    let updates: Vec<u64> = spaced.collect();
    let point = |k: &u64| Point { step: (k + 1) as f64, steps: steps as f64, epoch: (k / per_epoch) as f64 };
    let points: Vec<Point> = updates.iter().map(point).collect();
    let mut curves = vec![];
    for name in scheduled::names(train).into_iter().filter(|n| n.split('#').next() == Some(options.setting.as_str())) {
        let values = scheduled::values(train, &name, &points).map_err(Fault::internal)?.unwrap_or_default();
        curves.push(Curve { name, points: updates.iter().map(|k| *k as f64).zip(values).collect() });
    }
    if curves.is_empty() {
        return Err(nothing(train, &options.setting));
    }
    let x_label = "update".to_string();
    let chart = Chart { title: options.setting.clone(), x_label, curves, ..Chart::default() };
    Ok(Picture { title: train.name.clone(), charts: vec![chart] })
}

/// Updates of the run, and of an epoch.
fn extent(train: &Train, options: &args::PlotSchedule) -> Result<(u64, u64), Fault> {
    if let Some(steps) = options.steps {
        return Ok((steps.max(1), steps.max(1)));
    }
    let bound = bind::bind(train, &options.program.file, &options.machine.plain(), None, &mut Printed)?;
    Ok((bound.session.steps.max(1), bound.steps_per_epoch.max(1)))
}

fn nothing(train: &Train, setting: &str) -> Fault {
    let names = scheduled::names(train);
    let others = if names.is_empty() { "nothing does".to_string() } else { format!("{} does", names.join(", ")) };
    Fault::usage(format!("no `{setting}` changes over the run of {}; {others}", train.name))
}
