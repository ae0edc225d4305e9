//! From a checked train block to a session ready to run: opens the data, lowers and compiles every
//! program the run will need (a short last batch has its own), binds inputs and results.

use crate::args::Machine;
use crate::doctor;
use crate::fault::{Fault, FaultKind};
use crate::say;
use compiler::check::short;
use compiler::emit::{self, Options, Precision};
use compiler::ir::interpret::{Values, interpret};
use compiler::ir::text::print;
use compiler::ir::{Module, TensorId};
use compiler::lower;
use compiler::lower::programs::{
    self, Produced, Program, accumulation, application, evaluation, init, report, training,
};
use compiler::optimise::optimise;
use compiler::typed::{self, Supplied, Train};
use runtime::data::{self, Call, Column, DataSet, Element, Field, Files, Origin, Spec, Table};
use runtime::execute::Executor;
use runtime::feed;
use runtime::plan::{Bundle, Holding, Slot};
use runtime::session::{Binding, Forms, Report, Session, Turn};
use runtime::trainer::batch_sizes;
use std::path::Path;
use std::time::Instant;

/// A train block compiled for its data.
pub struct Bound {
    /// Ready to run; nothing initialised yet.
    pub session: Session,
    /// The data, unless the program has none.
    pub data: Option<DataSet>,
    /// Samples in a minibatch, at most the training split's.
    pub batch: usize,
    /// Minibatches in an update.
    pub accumulate: usize,
    /// Passes over the training split.
    pub epochs: u64,
    /// Updates in an epoch.
    pub steps_per_epoch: u64,
    /// Threads that put batches together ahead of time.
    pub workers: usize,
    /// Seconds spent compiling.
    pub compile_s: f64,
    /// Programs compiled.
    pub compiled: usize,
    /// Bytes the run will hold: arena, scratch, tables and data.
    pub planned_bytes: usize,
    /// A hash of the programs and of what their bits depend on.
    pub fingerprint: String,
}

/// Opens the data a train block names; `None` if it has none.
pub fn open_data(train: &Train, program: &Path, machine: &Machine) -> Result<Option<DataSet>, Fault> {
    let spec = data_spec(train, program, machine)?;
    spec.map(|spec| runtime::data::load(&spec).map_err(Fault::data)).transpose()
}

/// What the runtime has to know to open the data a train block names.
///
/// # Errors
/// When samples made by a rule cannot be computed: a fault of ours.
pub fn data_spec(train: &Train, program: &Path, machine: &Machine) -> Result<Option<Spec>, Fault> {
    let Some(data) = train.data.as_ref() else { return Ok(None) };
    Ok(Some(Spec {
        name: data.name.clone(),
        splits: origins(data, &train.fields)?,
        fields: train.fields.iter().map(field).collect(),
        settings: data.settings.iter().map(|(k, v, _)| (k.clone(), v.clone())).collect(),
        valid_share: train.settings.valid_share,
        at_most: machine.samples,
        seed: train.settings.seed,
        files: Files::usual(machine.data_dir.as_deref(), Some(program)),
    }))
}

/// Where the samples of each split come from.
fn origins(data: &typed::DataSet, fields: &[typed::Field]) -> Result<Vec<(String, Origin)>, Fault> {
    let Some(rule) = &data.rule else {
        return Ok(data.splits.iter().map(|(name, c)| (name.clone(), Origin::Call(call(c)))).collect());
    };
    let module = lower::rule(rule);
    let computed =
        interpret(&module, &Values::new(), &mut |_, _| vec![]).map_err(|e| Fault::internal(e.to_string()))?;
    let column = |(name, tensor): &(String, TensorId)| {
        let field = fields.iter().find(|f| f.name == *name)?;
        let numbers = &computed[tensor];
        let values = match field.ty.element {
            typed::Element::Class(_) => data::Values::Integers(numbers.iter().map(|x| *x as i32).collect()),
            _ => data::Values::Numbers(numbers.iter().map(|x| *x as f32).collect()),
        };
        Some(Column::new(name, field.ty.dims.clone(), values))
    };
    let table = Table::new(rule.count, module.outputs.iter().filter_map(column).collect());
    Ok(vec![("train".to_string(), Origin::Table(table))])
}

fn field(field: &typed::Field) -> Field {
    let element = match field.ty.element {
        typed::Element::Class(n) => Element::Class(n),
        _ => Element::Number,
    };
    Field {
        name: field.name.clone(),
        dims: field.ty.dims.clone(),
        element,
        columns: field.columns.clone(),
        transforms: field.transforms.iter().map(call).collect(),
    }
}

fn call(call: &typed::DataCall) -> Call {
    Call { name: call.name.clone(), args: call.args.clone() }
}

/// Threads to use: those asked for, else all cores.
pub fn threads(asked: Option<usize>) -> usize {
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1)
}

/// Optimises and compiles named programs into one bundle.
pub fn compile(programs: &mut [(String, Program)], precision: Precision) -> Result<Bundle, Fault> {
    programs.iter_mut().for_each(|(_, program)| optimise(&mut program.module));
    let modules: Vec<(&str, &Module)> = programs.iter().map(|(name, p)| (name.as_str(), &p.module)).collect();
    emit::compile(&modules, &Options { precision }).map_err(Fault::internal)
}

/// Refuses a size of minibatch that leaves one of so few samples that a formula over the minibatch divides by zero.
fn large_enough(train: &Train, sizes: &[usize], samples: usize) -> Result<(), Fault> {
    let Some((size, value)) = sizes.iter().find_map(|n| Some((*n, short::divided_by_zero(&train.training, *n)?)))
    else {
        return Ok(());
    };
    let batch = sizes.iter().copied().max().unwrap_or(size);
    let better = short::better_batch(&train.training, samples, batch);
    let help = better.map_or(String::new(), |b| format!("; `batch = {b}` leaves none so small"));
    Err(Fault::new(
        FaultKind::Program,
        format!(
            "{samples} samples in minibatches of {batch} leave one of {size}, for which `{}` divides by zero{help}",
            value.name
        ),
    ))
}

/// Opens the data and compiles everything a run of the train block needs.
pub fn bind(train: &Train, program: &Path, machine: &Machine) -> Result<Bound, Fault> {
    let data = open_data(train, program, machine)?;
    let count = |split: &str| data.as_ref().and_then(|d| Some(d.split(split)?.count));
    let samples = count("train");
    let batch = match (train.settings.batch, samples) {
        (Some(batch), Some(samples)) => batch.min(samples),
        (None, Some(samples)) => samples,
        (_, None) => 1,
    };
    let started = Instant::now();
    let mut training_sizes = samples.map_or(vec![1], |n| batch_sizes(n, batch));
    training_sizes.dedup();
    samples.map_or(Ok(()), |n| large_enough(train, &training_sizes, n))?;
    let mut evaluation_sizes: Vec<usize> =
        ["train", "valid", "test"].iter().filter_map(|s| count(s)).flat_map(|n| batch_sizes(n, batch)).collect();
    evaluation_sizes.sort_unstable_by(|a, b| b.cmp(a));
    evaluation_sizes.dedup();
    if data.is_none() {
        evaluation_sizes.push(1);
    }
    let mut programs = vec![("init".to_string(), init(train))];
    let restarts = train.start.is_some();
    if restarts {
        programs.push(("restart".to_string(), programs::restart(train)));
    }
    let turns = step_programs(train, &training_sizes, &mut programs);
    let stepping = programs.len();
    programs.extend(evaluation_sizes.iter().map(|n| (format!("evaluation[{n}]"), evaluation(train, *n))));
    let threads = threads(machine.threads);
    let bundle = compile(&mut programs, train.settings.precision)?.tiled_for(threads);
    let compile_s = started.elapsed().as_secs_f64();
    let per_update = batch * train.settings.accumulate;
    let split = data.as_ref().and_then(|d| d.split("train"));
    let workers = machine.workers.unwrap_or_else(|| split.map_or(0, |s| feed::usual_workers(s, per_update)));
    let batches = split.map_or(0, |s| feed::bytes(s, per_update, workers));
    let planned_bytes = bundle.planned_bytes(threads) + data.as_ref().map_or(0, DataSet::bytes) + batches;
    fits(&bundle, planned_bytes, machine.memory)?;
    let bind = |k: usize, size: usize| binding(train, &bundle, k, &programs[k].1, size);
    let training = turns
        .into_iter()
        .map(|(minibatch, update)| {
            let sizes = minibatch.into_iter().map(|(k, size)| bind(k, size)).collect::<Result<_, _>>()?;
            Ok(Turn { minibatch: Forms { sizes }, update: update.map(|k| bind(k, 1)).transpose()? })
        })
        .collect::<Result<Vec<Turn>, Fault>>()?;
    let evaluation: Vec<Binding> =
        (stepping..).zip(&evaluation_sizes).map(|(k, size)| bind(k, *size)).collect::<Result<_, _>>()?;
    let first = bind(0, 1)?;
    let restart = if restarts { Some(bind(1, 1)?) } else { None };
    let steps_per_epoch = samples.map_or(train.settings.steps.unwrap_or(1), |n| n.div_ceil(per_update)) as u64;
    let epochs = match (&data, train.settings.epochs, train.settings.steps) {
        (None, _, _) => 1,
        (Some(_), Some(epochs), _) => epochs as u64,
        (Some(_), None, Some(steps)) => (steps as u64).div_ceil(steps_per_epoch),
        (Some(_), None, None) => 1,
    };
    let fingerprint = fingerprint(&programs[..stepping], train.settings.precision);
    let report = bind_report(train)?;
    let compiled = programs.len() + usize::from(report.is_some());
    let session = Session {
        executor: Executor::new(bundle, threads).map_err(|e| Fault::new(FaultKind::Data, e.to_string()))?,
        init: first,
        restart,
        training,
        evaluation: Forms { sizes: evaluation },
        report,
        batch,
        figures: vec![],
        seed: train.settings.seed,
        steps: train.settings.steps.map_or(epochs * steps_per_epoch, |s| s as u64),
    };
    let accumulate = train.settings.accumulate;
    Ok(Bound {
        session,
        data,
        batch,
        accumulate,
        epochs,
        steps_per_epoch,
        workers,
        compile_s,
        compiled,
        planned_bytes,
        fingerprint,
    })
}

/// Refuses a run that needs more memory than is allowed, or than the machine has, naming the largest buffers.
fn fits(bundle: &Bundle, planned_bytes: usize, allowed: Option<usize>) -> Result<(), Fault> {
    let Some(most) = allowed.or_else(doctor::memory).filter(|most| *most < planned_bytes) else { return Ok(()) };
    let mut holdings: Vec<_> = bundle.holdings.iter().collect();
    holdings.sort_by_key(|h| std::cmp::Reverse(h.bytes));
    let line = |h: &&Holding| format!("\n  {:>10}  {}", size(h.bytes), h.name);
    let largest: String = holdings.iter().take(5).map(line).collect();
    let whose = if allowed.is_some() { "allowed" } else { "this machine has" };
    let (needed, most) = (size(planned_bytes), size(most));
    Err(Fault::data(format!("the run needs {needed}, more than the {most} {whose}; its largest buffers are{largest}")))
}

/// The programs of one turn of an update, by number: of a minibatch with its size, and after all of them.
type TurnPrograms = (Vec<(usize, usize)>, Option<usize>);

/// Adds the programs of a training step.
fn step_programs(train: &Train, sizes: &[usize], programs: &mut Vec<(String, Program)>) -> Vec<TurnPrograms> {
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

/// Compiles what makes the metrics of whole splits, where there are any.
fn bind_report(train: &Train) -> Result<Option<Report>, Fault> {
    let mut programs = vec![("report".to_string(), report(train))];
    if programs[0].1.results.is_empty() {
        return Ok(None);
    }
    let bundle = compile(&mut programs, Precision::F64)?;
    let binding = binding(train, &bundle, 0, &programs[0].1, 1)?;
    let input = |(name, slot): (&String, &Slot)| Some((name.strip_prefix("total.")?.parse().ok()?, slot.clone()));
    let inputs = bundle.programs[0].tensors.iter().filter_map(input).collect();
    let executor = Executor::new(bundle, 1).map_err(|e| Fault::new(FaultKind::Data, e.to_string()))?;
    Ok(Some(Report { executor, binding, inputs }))
}

/// A hash (FNV-1a) of what the bits of a run depend on beside its data; the programs are those that
/// change what lives from step to step.
fn fingerprint(programs: &[(String, Program)], precision: Precision) -> String {
    let mut text = format!("{} {precision:?} {} ", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    programs.iter().for_each(|(_, program)| text.push_str(&print(&program.module)));
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}

/// Finds the places of a program's inputs and results in the bundle.
pub fn binding(
    train: &Train,
    bundle: &Bundle,
    number: usize,
    program: &Program,
    batch: usize,
) -> Result<Binding, Fault> {
    let compiled = &bundle.programs[number];
    let place = |name: &String| -> Result<Slot, Fault> {
        let slot = compiled.tensors.get(name).or_else(|| compiled.output(name));
        slot.cloned().ok_or_else(|| Fault::internal(format!("the plan of {} has no tensor {name}", compiled.name)))
    };
    let supplied =
        |which: Supplied| program.supplied.iter().find(|(s, _)| *s == which).map(|(_, name)| place(name)).transpose();
    let (mut results, mut totals, mut figures) = (vec![], vec![], vec![]);
    for (result, name) in &program.results {
        match result {
            Produced::Objective(k) if *k == 0 => results.insert(0, (train.objectives[0].clone(), place(name)?)),
            Produced::Objective(k) => results.push((train.objectives[*k].clone(), place(name)?)),
            Produced::Metric(metric) | Produced::Report(metric) => results.push((metric.clone(), place(name)?)),
            Produced::Total(n) => totals.push((*n, place(name)?)),
            Produced::Output(_) | Produced::Gradient { .. } | Produced::Draw(_) => {}
        }
    }
    totals.sort_by_key(|(n, _)| *n);
    for (which, name) in &program.supplied {
        if let Supplied::Figure(n) = which {
            figures.push((*n, place(name)?));
        }
    }
    Ok(Binding {
        program: number,
        batch,
        fields: program.fields.iter().map(|(f, name)| Ok((*f, place(name)?))).collect::<Result<_, Fault>>()?,
        step: supplied(Supplied::Step)?,
        steps: supplied(Supplied::Steps)?,
        epoch: supplied(Supplied::Epoch)?,
        share: supplied(Supplied::Share)?,
        figures,
        results,
        totals,
    })
}

/// Prints the memory each train block's step needs, data aside.
pub fn print_memory(trains: &[Train]) -> Result<(), Fault> {
    for train in trains {
        let batch = train.settings.batch.unwrap_or(1);
        let mut programs = vec![("init".to_string(), init(train)), ("training".to_string(), training(train, batch))];
        let bundle = compile(&mut programs, train.settings.precision)?;
        say!("{}: {} for a step of {batch} samples on one thread", train.name, size(bundle.planned_bytes(1)));
    }
    Ok(())
}

/// Bytes in a form people read.
pub fn size(bytes: usize) -> String {
    let b = bytes as f64;
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", b / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", b / 1_048_576.0),
        _ => format!("{:.2} GiB", b / 1_073_741_824.0),
    }
}
