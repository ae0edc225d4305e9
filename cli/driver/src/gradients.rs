//! Loss and gradients of one batch for given parameters, and the draws that were made, for comparing with other systems.

use crate::bind::binding;
use crate::compile;
use crate::fault::Fault;
use crate::weights::load_parameters;
use compiler::lower::program::Produced;
use compiler::lower::programs;
use compiler::typed::{Element, Train};
use runtime::arrays::{Array, Weights};
use runtime::execute::{Clock, Executor};
use runtime::session;
use std::collections::BTreeMap;

/// One forward and backward pass over an array for each data field, with the parameters given or the initial ones of the
/// seed: `loss`, `output.NAME`, `metric.NAME`, `grad.NAME`, `draw.NAME` and `param.NAME`.
///
/// # Errors
/// For arrays that do not fit the program, and for more memory than the machine has.
pub fn gradients(
    train: &Train,
    inputs: &BTreeMap<String, Array>,
    parameters: Option<&Weights>,
    threads: usize,
) -> Result<BTreeMap<String, Array>, Fault> {
    let batch = batch_of(train, inputs)?;
    let mut programs =
        vec![("init".to_string(), programs::init(train)), ("gradients".to_string(), programs::gradients(train, batch))];
    let bundle = compile::compile(&mut programs, train.settings.precision, None)?;
    let start = binding(train, &bundle, 0, &programs[0].1, 1)?;
    let pass = binding(train, &bundle, 1, &programs[1].1, batch)?;
    let mut executor = Executor::new(bundle, threads).map_err(Fault::data)?;
    let clock = Clock { seed: train.settings.seed, step: 0, sample: 0 };
    executor.run(start.program, clock).map_err(Fault::internal)?;
    if let Some(parameters) = parameters {
        load_parameters(&mut executor, train, parameters)?;
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
    Ok(out)
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
