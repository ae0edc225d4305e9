//! `nnc predict`: what a trained network says about new samples.

use crate::args;
use crate::bind::{self, binding};
use crate::fault::Fault;
use crate::part::Part;
use crate::{folder, front, grad, say};
use compiler::emit::Precision;
use compiler::ir::TensorId;
use compiler::lower::programs::{Produced, Program, init, prediction};
use compiler::optimise::dead;
use compiler::optimise::expr::sources;
use compiler::typed::Train;
use runtime::arrays::{self, Array, Weights};
use runtime::data::{self, Column, Field, Kind, Origin, Split, Table, Values};
use runtime::execute::{Clock, Executor};
use runtime::plan::Element;
use runtime::random::EVALUATION;
use runtime::session::{self, Position};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The split that the inputs become.
const SPLIT: &str = "inputs";

/// Reads samples, computes the named locals of the train block, writes them.
pub fn predict(options: &args::Predict) -> Result<(), Fault> {
    let front = front::load(&options.program, false)?;
    let train = front::choose(&front, &options.program)?;
    let part = Part { of: &options.of, from: &[] };
    let wanted = predicted(train, &part, 1)?;
    let fields: Vec<usize> = wanted.fields.iter().map(|(f, _)| *f).collect();
    let samples = samples(train, &fields, options)?;
    let weights = folder::weights(&options.weights)?;
    let outputs = outputs(train, &weights, &fields, &samples, options)?;
    arrays::write(&options.output, &outputs, train.settings.precision == Precision::F64).map_err(Fault::data)?;
    for (name, array) in &outputs {
        say!("{name}: {}", array.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" x "));
    }
    Ok(())
}

/// The program that predicts a part, from the fields that it needs.
fn predicted(train: &Train, part: &Part, batch: usize) -> Result<Program, Fault> {
    let mut program = prediction(train, batch);
    part.cut(&mut program, &train.name)?;
    dead::run(&mut program.module);
    let read: BTreeSet<TensorId> = program.module.items.iter().flat_map(|i| sources(&program.module, i)).collect();
    let module = &program.module;
    let is_read = |name: &String| {
        let given = module.outputs.iter().map(|(_, id)| id).chain(&read);
        given.into_iter().any(|id| module.t(*id).name == *name)
    };
    program.fields.retain(|(_, tensor)| is_read(tensor));
    Ok(program)
}

/// The samples given, field by field, after the transforms of the data block.
fn samples(train: &Train, fields: &[usize], options: &args::Predict) -> Result<Split, Fault> {
    let Some(mut spec) = bind::data_spec(train, &options.program.file, &options.machine.resources)? else {
        return Err(Fault::usage("the program has no data, so it takes no inputs"));
    };
    spec.fields = fields.iter().map(|f| spec.fields[*f].clone()).collect();
    // Fields that have sources of their own stand beside no other samples.
    let as_is = options.as_is || spec.fields.iter().any(|f| f.columns.is_empty());
    let is_table = options.inputs.extension().is_some_and(|e| e == "csv");
    for field in spec.fields.iter_mut().filter(|_| as_is) {
        if !is_table {
            field.columns = vec![field.name.clone()];
        }
        field.transforms.clear();
    }
    let given = if is_table { table(&spec.fields, &options.inputs)? } else { inputs(&spec.fields, options, as_is)? };
    if as_is {
        spec.settings.clear();
        spec.valid_share = None;
        spec.splits = vec![("train".to_string(), given)];
    } else {
        spec.splits.push((SPLIT.to_string(), given));
    }
    let name = if as_is { "train" } else { SPLIT };
    let set = data::load(&spec).map_err(|e| match e.kind {
        Kind::Mismatch if !as_is => Fault::data(format!(
            "{}: {e}\n  note: the inputs pass through the transforms of the data block; --as-is takes what the network sees",
            options.inputs.display()
        )),
        _ => Fault::data(e),
    })?;
    set.splits.into_iter().find(|s| s.name == name).ok_or_else(|| Fault::internal("the inputs became no split"))
}

/// The samples of a table of comma-separated values.
fn table(fields: &[Field], path: &Path) -> Result<Origin, Fault> {
    let features = fields.iter().map(Field::width).sum();
    data::load_inputs(path, features).map(Origin::Table).map_err(Fault::data)
}

/// The samples of a file's arrays as a table.
fn inputs(fields: &[Field], options: &args::Predict, as_is: bool) -> Result<Origin, Fault> {
    let path = &options.inputs;
    let mut arrays = arrays::read(path).map_err(Fault::data)?;
    let mut columns = vec![];
    let mut count = None;
    for field in fields {
        let only = if fields.len() == 1 && arrays.len() == 1 { arrays.pop_first().map(|(_, a)| a) } else { None };
        let array = only.or_else(|| arrays.remove(&field.name)).ok_or_else(|| {
            Fault::data(format!("{} has no array `{}`, a field that the network reads", path.display(), field.name))
        })?;
        let (first, shape) = array.shape.split_first().map_or((1, &[][..]), |(f, r)| (*f, r));
        if first == 0 {
            return Err(Fault::data(format!("{}: array `{}` has no samples", path.display(), field.name)));
        }
        let others = *count.get_or_insert(first);
        if others != first {
            return Err(Fault::data(format!(
                "{}: array `{}` has {first} samples where another has {others}",
                path.display(),
                field.name
            )));
        }
        if as_is && shape != field.dims {
            return Err(Fault::data(format!(
                "{}: array `{}` has shape {:?}; the network takes samples of shape {:?}, the first dimension counting them",
                path.display(),
                field.name,
                array.shape,
                field.dims
            )));
        }
        let values: Vec<f32> = array.values.iter().map(|v| *v as f32).collect();
        match field.columns.as_slice() {
            [] => columns.push(Column::new(&field.name, shape.to_vec(), Values::Numbers(values))),
            [one] => columns.push(Column::new(one, shape.to_vec(), Values::Numbers(values))),
            // A vector of several columns, which the other splits have one by one.
            several => columns.extend(several.iter().enumerate().map(|(k, name)| {
                let own = values.iter().skip(k).step_by(several.len()).copied().collect();
                Column::new(name, vec![], Values::Numbers(own))
            })),
        }
    }
    Ok(Origin::Table(Table::new(count.unwrap_or(0), columns)))
}

/// Every named local of the train block for all samples, batch by batch.
fn outputs(
    train: &Train,
    weights: &Weights,
    fields: &[usize],
    samples: &Split,
    options: &args::Predict,
) -> Result<BTreeMap<String, Array>, Fault> {
    let batch = train.settings.batch.unwrap_or(1).min(samples.count);
    let rest = samples.count % batch;
    let part = Part { of: &options.of, from: &[] };
    let mut programs = vec![("init".to_string(), init(train))];
    programs.push(("prediction".to_string(), predicted(train, &part, batch)?));
    if rest > 0 {
        programs.push(("rest".to_string(), predicted(train, &part, rest)?));
    }
    let bundle = bind::compile(&mut programs, train.settings.precision)?;
    let bindings = (1..programs.len())
        .map(|k| binding(train, &bundle, k, &programs[k].1, if k == 1 { batch } else { rest }))
        .collect::<Result<Vec<_>, _>>()?;
    let mut executor = Executor::new(bundle, bind::threads(options.machine.resources.threads)).map_err(Fault::data)?;
    let clock = Clock { seed: train.settings.seed, step: 0, sample: 0 };
    executor.run(0, clock).map_err(Fault::internal)?;
    grad::load_parameters(&mut executor, train, weights)?;
    let mut gathered: BTreeMap<String, Array> = BTreeMap::new();
    let order: Vec<u32> = (0..samples.count as u32).collect();
    for chunk in order.chunks(batch) {
        let which = usize::from(chunk.len() != batch);
        let binding = &bindings[which];
        for (field, slot) in &binding.fields {
            let column = fields.iter().position(|f| f == field).unwrap_or(0);
            match slot.element {
                Element::F32 => samples.numbers(column, chunk, executor.f32s_mut(slot)),
                Element::F64 => samples.numbers(column, chunk, executor.f64s_mut(slot)),
                Element::I32 => samples.classes(column, chunk, executor.i32s_mut(slot)),
            }
        }
        session::supply(&mut executor, binding, Position::default(), 1, (1.0, &[]));
        executor.run(binding.program, Clock { step: EVALUATION, ..clock }).map_err(Fault::internal)?;
        gather(&executor, &programs[1 + which].1, binding.program, &mut gathered)?;
    }
    Ok(gathered)
}

/// Appends the outputs of the last run.
fn gather(
    executor: &Executor,
    program: &Program,
    number: usize,
    gathered: &mut BTreeMap<String, Array>,
) -> Result<(), Fault> {
    for (result, name) in &program.results {
        let Produced::Output(output) = result else { continue };
        let slot = executor.program(number).output(name);
        let slot = slot.ok_or_else(|| Fault::internal(format!("{name} has no place")))?;
        let values = executor.read_f64(slot);
        match gathered.get_mut(output) {
            None => drop(gathered.insert(output.clone(), Array { shape: slot.shape.clone(), values })),
            Some(array) => {
                if let (Some(all), Some(more)) = (array.shape.first_mut(), slot.shape.first()) {
                    *all += more;
                    array.values.extend(values);
                }
            }
        }
    }
    Ok(())
}
