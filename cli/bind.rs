//! From a checked train block to a session ready to run: opens the data, lowers and compiles every
//! program the run will need (a short last batch has its own), binds inputs and results.

use crate::args::{Machine, Precision};
use crate::fault::{Fault, FaultKind};
use crate::say;
use compiler::emit::{self, Options};
use compiler::ir::interpret::{Values, interpret};
use compiler::ir::text::print;
use compiler::ir::{Module, TensorId};
use compiler::lower;
use compiler::lower::programs::{Produced, Program, evaluation, init, training};
use compiler::optimise::optimise;
use compiler::typed::{self, DataValue, Supplied, Train};
use runtime::data::{self, Call, Column, DataSet, Element, Field, Files, Origin, Spec, Table, Value};
use runtime::execute::Executor;
use runtime::feed;
use runtime::plan::{Bundle, Slot};
use runtime::session::{Binding, Forms, Session};
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
        settings: data.settings.iter().map(|(k, v, _)| (k.clone(), value(v))).collect(),
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
    Call { name: call.name.clone(), args: call.args.iter().map(|(k, v)| (k.clone(), value(v))).collect() }
}

fn value(v: &DataValue) -> Value {
    match v {
        DataValue::Number(n) => Value::Number(*n),
        DataValue::Bool(b) => Value::Bool(*b),
        DataValue::Text(t) => Value::Text(t.clone()),
        DataValue::List(list) => Value::List(list.iter().map(value).collect()),
    }
}

/// Threads to use: those asked for, else all cores.
pub fn threads(asked: Option<usize>) -> usize {
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1)
}

/// Options of the back end for a precision.
pub fn options(precision: Precision) -> Options {
    let precision = match precision {
        Precision::F32 => emit::Precision::F32,
        Precision::F64 => emit::Precision::F64,
    };
    Options { precision }
}

/// Optimises and compiles named programs into one bundle.
pub fn compile(programs: &mut [(String, Program)], precision: Precision) -> Result<Bundle, Fault> {
    programs.iter_mut().for_each(|(_, program)| optimise(&mut program.module));
    let modules: Vec<(&str, &Module)> = programs.iter().map(|(name, p)| (name.as_str(), &p.module)).collect();
    emit::compile(&modules, &options(precision)).map_err(Fault::internal)
}

/// Opens the data and compiles everything a run of the train block needs.
pub fn bind(train: &Train, program: &Path, machine: &Machine, precision: Precision) -> Result<Bound, Fault> {
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
    let mut evaluation_sizes: Vec<usize> =
        ["train", "valid", "test"].iter().filter_map(|s| count(s)).flat_map(|n| batch_sizes(n, batch)).collect();
    evaluation_sizes.sort_unstable_by(|a, b| b.cmp(a));
    evaluation_sizes.dedup();
    if data.is_none() {
        evaluation_sizes.push(1);
    }
    let mut programs = vec![("init".to_string(), init(train))];
    programs.extend(training_sizes.iter().map(|n| (format!("training[{n}]"), training(train, *n))));
    programs.extend(evaluation_sizes.iter().map(|n| (format!("evaluation[{n}]"), evaluation(train, *n))));
    let bundle = compile(&mut programs, precision)?;
    let compile_s = started.elapsed().as_secs_f64();
    let threads = threads(machine.threads);
    let split = data.as_ref().and_then(|d| d.split("train"));
    let workers = machine.workers.unwrap_or_else(|| split.map_or(0, |s| feed::usual_workers(s, batch)));
    let batches = split.map_or(0, |s| feed::bytes(s, batch, workers));
    let planned_bytes = bundle.planned_bytes(threads) + data.as_ref().map_or(0, DataSet::bytes) + batches;
    let sizes = [&[1][..], &training_sizes, &evaluation_sizes].concat();
    let bindings: Vec<Binding> = programs
        .iter()
        .zip(sizes)
        .enumerate()
        .map(|(k, ((_, program), batch))| binding(&bundle, k, program, batch))
        .collect::<Result<_, _>>()?;
    let steps_per_epoch = samples.map_or(train.settings.steps.unwrap_or(1), |n| n.div_ceil(batch)) as u64;
    let epochs = match (&data, train.settings.epochs, train.settings.steps) {
        (None, _, _) => 1,
        (Some(_), Some(epochs), _) => epochs as u64,
        (Some(_), None, Some(steps)) => (steps as u64).div_ceil(steps_per_epoch),
        (Some(_), None, None) => 1,
    };
    let compiled = bindings.len();
    let fingerprint = fingerprint(&programs[..=training_sizes.len()], precision);
    let mut bindings = bindings.into_iter();
    let first = bindings.next().ok_or_else(|| Fault::internal("no program was compiled"))?;
    let session = Session {
        executor: Executor::new(bundle, threads).map_err(|e| Fault::new(FaultKind::Data, e.to_string()))?,
        init: first,
        training: Forms { sizes: bindings.by_ref().take(training_sizes.len()).collect() },
        evaluation: Forms { sizes: bindings.collect() },
        seed: train.settings.seed,
        steps: train.settings.steps.map_or(epochs * steps_per_epoch, |s| s as u64),
    };
    Ok(Bound {
        session,
        data,
        batch,
        epochs,
        steps_per_epoch,
        workers,
        compile_s,
        compiled,
        planned_bytes,
        fingerprint,
    })
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
pub fn binding(bundle: &Bundle, number: usize, program: &Program, batch: usize) -> Result<Binding, Fault> {
    let compiled = &bundle.programs[number];
    let place = |name: &String| -> Result<Slot, Fault> {
        let slot = compiled.tensors.get(name).or_else(|| compiled.output(name));
        slot.cloned().ok_or_else(|| Fault::internal(format!("the plan of {} has no tensor {name}", compiled.name)))
    };
    let supplied =
        |which: Supplied| program.supplied.iter().find(|(s, _)| *s == which).map(|(_, name)| place(name)).transpose();
    let objectives = program.results.iter().filter(|(r, _)| matches!(r, Produced::Objective(_))).count();
    let mut results = vec![];
    for (result, name) in &program.results {
        match result {
            Produced::Objective(_) if objectives == 1 => results.insert(0, ("loss".to_string(), place(name)?)),
            Produced::Objective(k) => results.push((format!("loss{}", k + 1), place(name)?)),
            Produced::Metric(metric) => results.push((metric.clone(), place(name)?)),
            Produced::Output(_) | Produced::Gradient { .. } | Produced::Draw(_) => {}
        }
    }
    Ok(Binding {
        program: number,
        batch,
        fields: program.fields.iter().map(|(f, name)| Ok((*f, place(name)?))).collect::<Result<_, Fault>>()?,
        step: supplied(Supplied::Step)?,
        steps: supplied(Supplied::Steps)?,
        epoch: supplied(Supplied::Epoch)?,
        results,
    })
}

/// Prints the memory each train block's step needs, data aside.
pub fn print_memory(trains: &[Train]) -> Result<(), Fault> {
    for train in trains {
        let batch = train.settings.batch.unwrap_or(1);
        let mut programs = vec![("init".to_string(), init(train)), ("training".to_string(), training(train, batch))];
        let bundle = compile(&mut programs, Precision::F32)?;
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
