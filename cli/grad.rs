//! `nnc grad`: loss and gradients of one batch for given parameters, and the draws that were made,
//! for comparing with other systems.

use crate::args;
use crate::{folder, load};
use compiler::emit::Precision;
use compiler::lower::program::Produced;
use compiler::lower::programs::{gradients, init};
use compiler::typed::{Element, Train};
use driver::bind::binding;
use driver::compile;
use driver::fault::Fault;
use driver::machine;
use runtime::arrays::{self, Array, Taken, Weights};
use runtime::execute::{Clock, Executor};
use runtime::session;
use std::collections::BTreeMap;

/// Runs one forward and backward pass and writes `loss`, `grad.NAME`, `draw.NAME` and `param.NAME`.
pub fn grad(options: &args::Grad) -> Result<(), Fault> {
    let loaded = load::load(&options.program, false)?;
    let train = load::choose(&loaded, &options.program)?;
    let inputs = arrays::read(&options.inputs).map_err(Fault::data)?;
    let batch = batch_of(train, &inputs)?;
    let mut programs = vec![("init".to_string(), init(train)), ("gradients".to_string(), gradients(train, batch))];
    let bundle = compile::compile(&mut programs, train.settings.precision, None)?;
    let start = binding(train, &bundle, 0, &programs[0].1, 1)?;
    let pass = binding(train, &bundle, 1, &programs[1].1, batch)?;
    let mut executor = Executor::new(bundle, machine::threads(options.threads)).map_err(Fault::data)?;
    let clock = Clock { seed: train.settings.seed, step: 0, sample: 0 };
    executor.run(start.program, clock).map_err(Fault::internal)?;
    if let Some(path) = &options.params {
        load_parameters(&mut executor, train, &folder::weights(path)?)?;
    }
    for (field, slot) in &pass.fields {
        let field = &train.fields[*field];
        let array = &inputs[&field.name];
        if let Element::Class(classes) = field.ty.element
            && let Some(bad) = array.values.iter().find(|v| v.fract() != 0.0 || !(0.0..classes as f64).contains(*v))
        {
            let message = format!("array `{}` holds {bad}, which is no class from 0 to {}", field.name, classes - 1);
            return Err(Fault::data(message));
        }
        executor.write_f64(slot, &array.values);
    }
    session::supply(&mut executor, &pass, session::Position::default(), 1, (1.0, &[]));
    executor.run(pass.program, Clock { step: 1, ..clock }).map_err(Fault::internal)?;
    let mut out: BTreeMap<String, Array> = BTreeMap::new();
    let compiled = executor.program(pass.program);
    for (result, name) in &programs[1].1.results {
        let key = match result {
            Produced::Objective(_) if train.objectives.len() == 1 => "loss".to_string(),
            Produced::Objective(k) => format!("loss.{}", train.objectives[*k]),
            Produced::Metric(metric) => format!("metric.{metric}"),
            Produced::Output(output) => format!("output.{output}"),
            Produced::Total(n) => format!("total.{n}"),
            Produced::Report(metric) => format!("metric.{metric}"),
            Produced::Draw(path) => format!("draw.{path}"),
            Produced::Gradient { parameter, .. } => format!("grad.{}", train.parameters[*parameter].saved),
        };
        let slot = compiled.output(name).ok_or_else(|| Fault::internal(format!("{name} has no place")))?;
        out.insert(key, Array { shape: slot.shape.clone(), values: executor.read_f64(slot) });
    }
    if train.objectives.len() > 1 {
        let each = train.objectives.iter().filter_map(|name| out.get(&format!("loss.{name}"))?.values.first());
        out.insert("loss".to_string(), Array { shape: vec![], values: vec![each.sum()] });
    }
    for (parameter, slot) in train.parameters.iter().filter_map(|p| Some((p, compiled.tensors.get(&p.path)?))) {
        let array = Array { shape: slot.shape.clone(), values: executor.read_f64(slot) };
        out.insert(format!("param.{}", parameter.saved), array);
    }
    arrays::write(&options.output, &out, train.settings.precision == Precision::F64).map_err(Fault::data)
}

/// Number of samples, the same in every field's array, whose other extents are the field's.
fn batch_of(train: &Train, inputs: &BTreeMap<String, Array>) -> Result<usize, Fault> {
    let mut batch = None;
    for field in &train.fields {
        let array = inputs.get(&field.name).ok_or_else(|| {
            let names: Vec<&str> = inputs.keys().map(String::as_str).collect();
            Fault::data(format!("the inputs have no array `{}`; they have: {}", field.name, names.join(", ")))
        })?;
        let (first, rest) = array.shape.split_first().map_or((0, &[][..]), |(f, r)| (*f, r));
        if rest != field.ty.dims || *batch.get_or_insert(first) != first || first == 0 {
            return Err(Fault::data(format!(
                "array `{}` has shape {:?}; the program wants [samples, {}]",
                field.name,
                array.shape,
                field.ty.dims.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
            )));
        }
    }
    Ok(batch.unwrap_or(1))
}

/// Fills parameters and states from arrays by saved name; every one must be there and fit.
pub fn load_parameters(executor: &mut Executor, train: &Train, weights: &Weights) -> Result<(), Fault> {
    let double = train.settings.precision == Precision::F64;
    let parameters = train.parameters.iter().map(|p| (p.path.as_str(), &p.saved));
    let states = train.states.iter().map(|s| (s.path.as_str(), &s.saved));
    for (k, (path, saved)) in parameters.chain(states).enumerate() {
        let Some(slot) = executor.bundle().persistent.get(path).cloned() else { continue };
        let taken = match slot.element {
            _ if k < train.parameters.len() => Taken::Parameter,
            nnc_core::number::Element::I32 => Taken::Whole,
            _ => Taken::State,
        };
        let Some(array) = weights.get(saved, taken, double).map_err(Fault::data)? else {
            if k >= train.parameters.len() {
                continue;
            }
            return Err(Fault::data(format!("the weights have no array `{saved}`")));
        };
        if array.shape != slot.shape {
            return Err(Fault::data(format!(
                "array `{saved}` has shape {:?}, the program's has {:?}",
                array.shape, slot.shape
            )));
        }
        executor.write_f64(&slot, &array.values);
        if let Some(evaluated) = train.parameters.get(k).and_then(|p| Some(&train.slots[p.evaluated?].path))
            && let Some(slot) = executor.bundle().persistent.get(evaluated).cloned()
        {
            executor.write_f64(&slot, &array.values);
        }
    }
    Ok(())
}
