//! `nnc sweep`: trains a block for every point of a grid, keeps what is done, and draws the pictures that the sweep asks
//! for. The folder holds `points.jsonl`, a line for each point that is done, a folder for each run, and the pictures; the
//! command given again goes on where it was stopped.

use crate::args;
use crate::load;
use crate::output::Printed;
use crate::run;
use crate::say;
use driver::conditions;
use driver::fault::{Fault, FaultKind};
use driver::folder::{Folder, Root};
use driver::program::{self, Program};
use driver::run::{Options, Place, train_one};
use grammar::ast::{self, Arg, Expr, ExprKind, Item, UnaryOp};
use runtime::file::replace;
use runtime::plot::{Chart, Curve, Picture};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// The name of the file with a line for each point.
const POINTS: &str = "points.jsonl";
/// The key of a line that says of which program it tells.
const PROGRAM: &str = "program";

/// An axis of the grid: its name, and each value as a number and as it was written.
type Axis<'a> = (&'a str, Vec<(f64, &'a Expr)>);

/// Runs what is not done yet, and draws.
pub fn sweep(options: &args::Sweep) -> Result<(), Fault> {
    let loaded = load::load(&options.program, options.json)?;
    let sweep = choose(&loaded, options)?;
    let axes = axes(sweep)?;
    let (train, given) = call(sweep)?;
    let folder = options.out.clone().unwrap_or_else(|| Path::new("runs").join(&sweep.name.name));
    let interrupted = run::listen()?;
    let root = Root::new(&Folder::asked(&folder)?.path, false);
    root.hold(&folder)?;
    let mut lines = done(&folder.join(POINTS))?;
    let count: usize = axes.iter().map(|(_, values)| values.len()).product();
    for number in 0..count {
        let point = point(&axes, number);
        let named: Vec<(&str, f64)> = axes.iter().zip(&point).map(|((name, _), (v, _))| (*name, *v)).collect();
        let here = |line: &Value| named.iter().all(|(name, v)| line[*name].as_f64() == Some(*v));
        let program = at_point(&loaded, train, given, &axes, &point)?;
        let identity = identity(&program, options)?;
        if lines.iter().any(|line| here(line) && line[PROGRAM] == identity) {
            continue;
        }
        // Of another program: as if it had never been run.
        lines.retain(|line| !here(line));
        let text: Vec<String> = named.iter().map(|(name, v)| format!("{name}={v}")).collect();
        let place = folder.join(text.join(","));
        let mut line: Map<String, Value> = named.iter().map(|(name, v)| ((*name).to_string(), json!(v))).collect();
        line.insert(PROGRAM.into(), json!(identity));
        line.extend(figures(&program, options, &place, &root, &interrupted)?);
        let line = Value::Object(line);
        if options.json {
            say!("{line}");
        } else {
            say!("{} of {count}: {}", number + 1, text.join(", "));
        }
        lines.push(line);
        let all: String = lines.iter().map(|line| format!("{line}\n")).collect();
        replace(&folder.join(POINTS), all.as_bytes()).map_err(Fault::data)?;
    }
    draw(sweep, &axes, &lines, &folder)?;
    if !options.json {
        say!(
            "{count} points: {}; picture: {}.png",
            folder.join(POINTS).display(),
            folder.join(&sweep.name.name).display()
        );
    }
    Ok(())
}

/// The sweep asked for, or the only one.
fn choose<'a>(loaded: &'a Program, options: &args::Sweep) -> Result<&'a ast::Sweep, Fault> {
    let sweeps: Vec<&ast::Sweep> = loaded
        .file
        .items
        .iter()
        .filter_map(|item| if let Item::Sweep(sweep) = item { Some(sweep) } else { None })
        .filter(|s| options.sweep.as_ref().is_none_or(|name| s.name.name == *name))
        .collect();
    match sweeps.as_slice() {
        [sweep] => Ok(sweep),
        [] => Err(Fault::usage(format!("{} has no such sweep", options.program.file.display()))),
        _ => Err(Fault::usage("there are several sweeps; choose one with --sweep NAME")),
    }
}

fn wrong(message: impl Into<String>) -> Fault {
    Fault::new(FaultKind::Program, message)
}

/// The axes with their values, which are lists of numbers.
fn axes(sweep: &ast::Sweep) -> Result<Vec<Axis<'_>>, Fault> {
    let mut axes = vec![];
    for (name, values) in &sweep.axes {
        let name = name.name.as_str();
        let listed = numbers(values).filter(|v| !v.is_empty());
        let example = || wrong(format!("the values of `{name}` are a list of numbers: `{name} in [1, 2, 4]`"));
        axes.push((name, listed.ok_or_else(example)?));
    }
    Ok(axes)
}

/// A list of numbers, each with its text.
fn numbers(list: &Expr) -> Option<Vec<(f64, &Expr)>> {
    let ExprKind::List(list) = &list.kind else { return None };
    list.iter().map(|e| Some((number(e)?, e))).collect()
}

fn number(e: &Expr) -> Option<f64> {
    match &e.kind {
        ExprKind::Number { value, .. } => Some(*value),
        ExprKind::Unary { op: UnaryOp::Neg, value } => number(value).map(|v| -v),
        _ => None,
    }
}

/// The train block that is swept, and what it is given.
fn call(sweep: &ast::Sweep) -> Result<(&str, &[Arg]), Fault> {
    let missing = || wrong(format!("the sweep `{0}` says what it trains: `train = block(width)`", sweep.name.name));
    let train = sweep.train.as_ref().ok_or_else(missing)?;
    match &train.kind {
        ExprKind::Name(name) => Ok((name, &[])),
        ExprKind::Call { callee, args } => match &callee.kind {
            ExprKind::Name(name) => Ok((name, args)),
            _ => Err(missing()),
        },
        _ => Err(missing()),
    }
}

/// The values of the point of that number; the last axis runs fastest.
fn point<'a>(axes: &[Axis<'a>], number: usize) -> Vec<(f64, &'a Expr)> {
    let mut rest = number;
    let mut point: Vec<(f64, &Expr)> =
        axes.iter().rev().map(|(_, values)| (values[rest % values.len()], rest /= values.len()).0).collect();
    point.reverse();
    point
}

/// The program with the swept block alone, its parameters being those of the point. An axis `seed` that the block is not
/// given as a parameter is its seed.
fn at_point(
    loaded: &Program,
    train: &str,
    given: &[Arg],
    axes: &[Axis<'_>],
    point: &[(f64, &Expr)],
) -> Result<Program, Fault> {
    let on_axis = |name: &str| axes.iter().zip(point).find(|((axis, _), _)| *axis == name).map(|(_, (_, e))| *e);
    let mut file = loaded.file.clone();
    file.items.retain(|item| match item {
        Item::Sweep(_) => false,
        Item::Train(t) => t.name.name == train,
        _ => true,
    });
    for item in &mut file.items {
        let Item::Train(block) = item else { continue };
        for (n, param) in block.params.iter_mut().enumerate() {
            let named = given.iter().find(|a| a.name.as_ref().is_some_and(|name| name.name == param.name.name));
            let Some(arg) = named.or_else(|| given.get(n).filter(|a| a.name.is_none())) else { continue };
            let value = if let ExprKind::Name(axis) = &arg.value.kind { on_axis(axis) } else { None };
            param.default = Some(value.unwrap_or(&arg.value).clone());
        }
        if let Some(seed) = on_axis("seed")
            && !block.params.iter().any(|p| p.name.name == "seed")
        {
            program::replace_setting(block, "seed", seed);
        }
    }
    load::changed(loaded, loaded.sources.clone(), file)
}

/// Trains at a point; the final figures of each split, or that it diverged.
fn figures(
    program: &Program,
    options: &args::Sweep,
    place: &Path,
    root: &Root,
    interrupted: &AtomicBool,
) -> Result<Map<String, Value>, Fault> {
    let train = program.checked.trains.first().ok_or_else(no_block)?;
    if train.start.is_some() {
        return Err(wrong("a block that starts from another's weights cannot be swept"));
    }
    let run = Options { request: options.program.request()?, machine: options.machine.plain(), ..Options::default() };
    let folder = Folder::at(place);
    let resume = folder.has_checkpoint();
    let place = |resume| Place { folder: folder.clone(), start: None, resume, settled: true, noted: false, root };
    let mut end = train_one(program, train, &run, place(resume), interrupted, &mut Printed);
    if resume && matches!(&end, Err(fault) if fault.kind == FaultKind::Usage) {
        // What was begun there is another run: it is not gone on with.
        end = train_one(program, train, &run, place(false), interrupted, &mut Printed);
    }
    match end {
        Ok(done) => Ok(done.into_iter().filter(|(k, _)| ["train", "valid", "test"].contains(&k.as_str())).collect()),
        Err(fault) if fault.kind == FaultKind::Diverged => {
            Ok([("diverged".to_string(), json!(true))].into_iter().collect())
        }
        Err(fault) => Err(fault),
    }
}

/// What tells the run of a point from that of another program or of other settings: a hash of the train block as checked,
/// and of the flags that change what it trains on.
fn identity(program: &Program, options: &args::Sweep) -> Result<String, Fault> {
    let train = program.checked.trains.first().ok_or_else(no_block)?;
    let samples = options.machine.resources.samples;
    let declared = conditions::declared(train);
    let text = format!("{} {:?} {declared:?} {samples:?}", compiler::typed::print::print(train), train.settings);
    Ok(runtime::checkpoint::digest_of(text.as_bytes()))
}

fn no_block() -> Fault {
    wrong("there is no train block of the name that the sweep trains")
}

/// The points done so far.
fn done(path: &Path) -> Result<Vec<Value>, Fault> {
    if !path.exists() {
        return Ok(vec![]);
    }
    runtime::log::read(path).map_err(Fault::data)
}

/// A chart for each `plot` line, with a curve for each figure and each value of the axis after `by`; the mean is taken
/// over the other axes.
fn draw(sweep: &ast::Sweep, axes: &[Axis<'_>], lines: &[Value], folder: &Path) -> Result<(), Fault> {
    let mut charts = vec![];
    for plot in &sweep.plots {
        let values = |name: &str| {
            axes.iter()
                .find(|(axis, _)| *axis == name)
                .map(|(_, v)| v)
                .ok_or_else(|| wrong(format!("the sweep has no axis `{name}`")))
        };
        let across = values(&plot.against.name)?;
        let by: Vec<Option<(&str, f64)>> = match &plot.by {
            Some(by) => values(&by.name)?.iter().map(|(v, _)| Some((by.name.as_str(), *v))).collect(),
            None => vec![None],
        };
        let mut curves = vec![];
        for value in &plot.values {
            let figure = figure_name(value)?;
            for by in &by {
                let here = |x: f64| {
                    let at = |line: &&Value| {
                        line[plot.against.name.as_str()].as_f64() == Some(x)
                            && by.is_none_or(|(name, v)| line[name].as_f64() == Some(v))
                    };
                    let found: Vec<f64> =
                        lines.iter().filter(at).filter_map(|l| l[figure.0][figure.1].as_f64()).collect();
                    (x, found.iter().sum::<f64>() / found.len() as f64)
                };
                let of = by.map_or(String::new(), |(name, v)| format!(", {name} {v}"));
                let name = format!("{}.{}{of}", figure.0, figure.1);
                curves.push(Curve { name, points: across.iter().map(|(x, _)| here(*x)).collect() });
            }
        }
        let (low, high) = across.iter().fold((f64::INFINITY, 0.0_f64), |(l, h), (x, _)| (l.min(*x), h.max(*x)));
        let figures: Vec<&str> = plot.values.iter().filter_map(|v| figure_name(v).ok()).map(|f| f.1).collect();
        let title = figures.first().copied().unwrap_or_default().to_string();
        charts.push(Chart {
            title,
            x_label: plot.against.name.clone(),
            log_x: low > 0.0 && high >= 32.0 * low,
            log_y: false,
            curves,
        });
    }
    if charts.is_empty() {
        return Ok(());
    }
    let picture = Picture { title: sweep.name.name.clone(), charts };
    picture.save(&folder.join(&sweep.name.name)).map_err(Fault::data)
}

/// `test.error` as its two words.
fn figure_name(value: &Expr) -> Result<(&str, &str), Fault> {
    match &value.kind {
        ExprKind::Field { base, field } => match &base.kind {
            ExprKind::Name(split) => Ok((split, &field.name)),
            _ => Err(wrong("a sweep draws figures such as `test.loss`")),
        },
        _ => Err(wrong("a sweep draws figures such as `test.loss`")),
    }
}
