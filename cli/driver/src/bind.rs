//! From a checked train block to a session ready to run: opens the data, has every program of the run compiled
//! ([`crate::plan`]), binds inputs and results.

use crate::compile::too_much;
use crate::fault::{Fault, FaultKind};
use crate::listener::{Listener, Notice};
use crate::machine::{self, Machine, Resources};
use crate::plan::{self, Plan};
use compiler::emit::Precision;
use compiler::ir::TensorId;
use compiler::ir::interpret::{Values, interpret};
use compiler::lower;
use compiler::lower::program::{Produced, Program};
use compiler::typed::{self, Supplied, Train};
use nnc_core::plan::{Bundle, Slot};
use runtime::data::{self, Call, Column, DataSet, Element, Field, Files, Origin, Record, Spec, Table};
use runtime::execute::Executor;
use runtime::session::{Binding, Forms, Report, Session, Turn};
use std::path::Path;

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
    /// Whether a program reads how many updates there will be.
    pub reads_steps: bool,
}

/// Opens the data a train block names; `None` if it has none. With a record it must be what that was trained on.
pub fn open_data(
    train: &Train,
    program: &Path,
    resources: &Resources,
    record: Option<Record>,
    listener: &mut dyn Listener,
) -> Result<Option<DataSet>, Fault> {
    let spec = data_spec(train, program, resources)?;
    let data = spec.map(|spec| data::load(&Spec { record, ..spec }).map_err(Fault::data)).transpose()?;
    data.iter().flat_map(|data| &data.notes).for_each(|note| listener.notice(Notice::Note(note.clone())));
    Ok(data)
}

/// What the runtime has to know to open the data a train block names.
///
/// # Errors
/// When samples made by a rule cannot be computed: a fault of ours.
pub fn data_spec(train: &Train, program: &Path, resources: &Resources) -> Result<Option<Spec>, Fault> {
    let Some(data) = train.data.as_ref() else { return Ok(None) };
    Ok(Some(Spec {
        name: data.name.clone(),
        splits: origins(data, &train.fields)?,
        fields: train.fields.iter().map(field).collect(),
        settings: data.settings.iter().map(|(k, v, _)| (k.clone(), v.clone())).collect(),
        valid_share: train.settings.valid_share,
        at_most: resources.samples,
        seed: train.settings.seed,
        double: train.settings.precision == Precision::F64,
        record: None,
        files: Files::usual(resources.data_dir.as_deref(), Some(program)),
    }))
}

/// Where the samples of each split come from.
fn origins(data: &typed::DataSet, fields: &[typed::Field]) -> Result<Vec<(String, Origin)>, Fault> {
    let Some(generated) = &data.generated else {
        return Ok(data.splits.iter().map(|(name, c)| (name.clone(), Origin::Call(call(c)))).collect());
    };
    let module = lower::generated(generated);
    let computed =
        interpret(&module, &Values::new(), &mut |_, _| vec![]).map_err(|e| Fault::internal(e.to_string()))?;
    let column = |(name, tensor): &(String, TensorId)| {
        let field = fields.iter().find(|f| f.name == *name)?;
        Some(Column::new(name, field.ty.dims.clone(), data::Values::Doubles(computed[tensor].clone())))
    };
    let table = Table::new(generated.count, module.outputs.iter().filter_map(column).collect());
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

/// Opens the data and compiles everything a run of the train block needs. With a record, that of weights which are to be
/// used, the data must be what they were trained on.
pub fn bind(
    train: &Train,
    program: &Path,
    machine: &Machine,
    record: Option<Record>,
    listener: &mut dyn Listener,
) -> Result<Bound, Fault> {
    let data = open_data(train, program, &machine.resources, record, listener)?;
    let plan = Plan::new(train, data, &machine.resources, machine.memory)?;
    fits(&plan.bundle, plan.bytes(), machine.memory)?;
    bound(train, plan, listener)
}

/// Allocates what is planned.
fn bound(train: &Train, plan: Plan, listener: &mut dyn Listener) -> Result<Bound, Fault> {
    let (planned_bytes, compiled) = (plan.bytes(), plan.compiled());
    let Plan { data, batch, epochs, steps_per_epoch, threads, workers, compile_s, bundle, programs, .. } = plan;
    let bind = |k: usize, size: usize| binding(train, &bundle, k, &programs[k].1, size);
    let sizes = |list: Vec<(usize, usize)>| -> Result<Forms, Fault> {
        Ok(Forms { sizes: list.into_iter().map(|(k, size)| bind(k, size)).collect::<Result<_, _>>()? })
    };
    let turn = |(minibatch, update): plan::Turn| -> Result<Turn, Fault> {
        Ok(Turn { minibatch: sizes(minibatch)?, update: update.map(|k| bind(k, 1)).transpose()? })
    };
    let training = plan.turns.into_iter().map(turn).collect::<Result<Vec<Turn>, Fault>>()?;
    let evaluation = sizes(plan.evaluation)?;
    let (init, restart) = (bind(0, 1)?, plan.restart.map(|k| bind(k, 1)).transpose()?);
    let afresh = plan.afresh.map(|k| bind(k, 1)).transpose()?;
    let place = |s: usize| bundle.persistent.get(&train.states[s].path).cloned();
    let carried = train.carried().into_iter().filter_map(place).collect();
    let executor = executor(bundle, threads, listener)?;
    let report = plan.report.map(|report| bound_report(train, report, &executor)).transpose()?;
    let session = Session {
        init,
        restart,
        afresh,
        carried,
        training,
        evaluation,
        executor,
        report,
        objectives: train.objectives.clone(),
        batch,
        figures: vec![],
        seed: train.settings.seed,
        steps: train.settings.steps.map_or(epochs * steps_per_epoch, |s| s as u64),
    };
    let accumulate = train.settings.accumulate;
    let (fingerprint, reads_steps) = (plan.fingerprint, plan.reads_steps);
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
        reads_steps,
    })
}

/// Refuses a run that needs more memory than is allowed, or than the machine has, naming the largest buffers.
fn fits(bundle: &Bundle, planned_bytes: usize, allowed: Option<usize>) -> Result<(), Fault> {
    let Some(most) = allowed.or_else(machine::memory).filter(|most| *most < planned_bytes) else { return Ok(()) };
    Err(too_much(planned_bytes, &bundle.holdings, most, allowed.is_some()))
}

fn executor(bundle: Bundle, threads: usize, listener: &mut dyn Listener) -> Result<Executor, Fault> {
    let executor = Executor::new(bundle, threads).map_err(no_memory)?;
    if executor.threads() < threads {
        listener.notice(Notice::Warning(format!(
            "the system starts only {} of {threads} threads; the run is slower for it, its results are the same",
            executor.threads()
        )));
    }
    Ok(executor)
}

fn no_memory(fault: nnc_core::plan::Fault) -> Fault {
    Fault::new(FaultKind::Data, fault.to_string())
}

/// What makes the metrics of whole splits, ready to run on the threads of the run's own programs.
fn bound_report(train: &Train, plan: plan::Report, beside: &Executor) -> Result<Report, Fault> {
    let plan::Report { programs, training, evaluation, bundle } = plan;
    let bind = |(k, size): &(usize, usize)| binding(train, &bundle, *k, &programs[*k].1, *size);
    let forms = |list: &[(usize, usize)]| -> Result<Forms, Fault> {
        Ok(Forms { sizes: list.iter().map(bind).collect::<Result<_, _>>()? })
    };
    let (training, evaluation, binding) = (forms(&training)?, forms(&evaluation)?, bind(&(0, 1))?);
    let input = |(name, slot): (&String, &Slot)| Some((name.strip_prefix("total.")?.parse().ok()?, slot.clone()));
    let inputs = bundle.programs[0].tensors.iter().filter_map(input).collect();
    Ok(Report { executor: beside.beside(bundle).map_err(no_memory)?, training, evaluation, binding, inputs })
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
    let (mut objectives, mut results, mut totals, mut figures) = (vec![], vec![], vec![], vec![]);
    for (result, name) in &program.results {
        match result {
            Produced::Objective(k) => objectives.push((train.objectives[*k].clone(), place(name)?)),
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
        results: objectives.into_iter().chain(results).collect(),
        totals,
        handed: program.handed.iter().map(place).collect::<Result<_, Fault>>()?,
    })
}
