//! What a trained network says about new samples.

use crate::bind::{self, binding};
use crate::compile;
use crate::fault::Fault;
use crate::folder::{self, Moment};
use crate::machine::{self, Resources};
use crate::part::Part;
use crate::program::Request;
use crate::weights::load_parameters;
use compiler::ir::TensorId;
use compiler::lower::program::{Produced, Program};
use compiler::lower::programs::{afresh, init, prediction};
use compiler::optimise::dead;
use compiler::optimise::expr::sources;
use compiler::typed::Train;
use nnc_core::number::Element;
use nnc_core::random::EVALUATION;
use runtime::arrays::{self, Array, Weights};
use runtime::data::{
    self, Column, Field, Kind, Origin, Record, Spec, Split, Table, Value, Values, goes_by_features, listed,
};
use runtime::execute::{Clock, Executor};
use runtime::session;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The split that the inputs become.
const SPLIT: &str = "inputs";

/// Which samples, which weights, and what of the network is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The program as it was asked for.
    pub request: &'a Request,
    /// Where data is found, and how many threads compute.
    pub resources: &'a Resources,
    /// Saved weights, or the folder of a run.
    pub weights: &'a Path,
    /// The samples: arrays by the names of fields, one array, or a table.
    pub inputs: &'a Path,
    /// Whether they are what the network sees, so that no transforms of the data block are applied.
    pub as_is: bool,
    /// The named locals of the train block that are wanted; all if none is named.
    pub of: &'a [String],
}

/// The named locals of the train block, for all samples.
///
/// # Errors
/// For samples or weights that cannot be read or do not fit the program.
pub fn predict(train: &Train, question: &Question) -> Result<BTreeMap<String, Array>, Fault> {
    let moment = Moment::of(question.weights)?;
    let train = &moment.seeded(train, question.request);
    let part = Part { of: question.of, from: &[] };
    let wanted = predicted(train, &part, 1)?;
    let fields: Vec<usize> = wanted.fields.iter().map(|(f, _)| *f).collect();
    let samples = samples(train, &fields, question)?;
    let weights = folder::weights(question.weights)?;
    outputs(train, &weights, &fields, &samples, &moment, question)
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
fn samples(train: &Train, fields: &[usize], question: &Question) -> Result<Split, Fault> {
    let Some(mut spec) = bind::data_spec(train, &question.request.file, question.resources)? else {
        return Err(Fault::usage("the program has no data, so it takes no inputs"));
    };
    spec.record = folder::record(question.weights)?;
    spec.fields = fields.iter().map(|f| spec.fields[*f].clone()).collect();
    // Fields that have sources of their own stand beside no other samples.
    let as_is = question.as_is || spec.fields.iter().any(|f| f.columns.is_empty());
    let name = if as_is { "train" } else { SPLIT };
    let given = match data::is_table(question.inputs) {
        true => table(&mut spec, question, as_is)?,
        false => inputs(&mut spec.fields, question, as_is)?,
    };
    if as_is {
        spec.fields.iter_mut().for_each(|field| field.transforms.clear());
        spec.settings.clear();
        spec.valid_share = None;
        spec.splits.clear();
    }
    spec.splits.push((name.to_string(), Origin::Table(given)));
    let set = data::load(&spec).map_err(|e| match e.kind {
        Kind::Mismatch if !as_is => Fault::data(format!(
            "{}: {e}\n  note: the inputs pass through the transforms of the data block; --as-is takes what the network sees",
            question.inputs.display()
        )),
        _ => Fault::data(e),
    })?;
    set.splits.into_iter().find(|s| s.name == name).ok_or_else(|| Fault::internal("the inputs became no split"))
}

/// The samples of a table, read as the data block reads its training data.
fn table(spec: &mut Spec, question: &Question, as_is: bool) -> Result<Table, Fault> {
    let call = spec.splits.iter().find_map(|(name, origin)| match origin {
        Origin::Call(call) if name == "train" => Some(call),
        _ => None,
    });
    let mut table = data::table_like(question.inputs, call).map_err(Fault::data)?;
    if !as_is {
        return Ok(table);
    }
    let label = call.and_then(|c| c.args.iter().find(|(name, _)| name.as_deref() == Some("label")));
    let label = label.and_then(|(_, value)| if let Value::Text(name) = value { Some(name.clone()) } else { None });
    table.settle_label(spec.fields.iter().map(Field::width).sum(), label.as_deref());
    // No training table stands beside, so that something else must say which column is which.
    if spec.record.is_none() && goes_by_features(&table, &spec.fields) {
        let trained = data::trained(spec).map_err(|e| {
            Fault::data(format!(
                "{}: nothing says in which order the network takes these columns: the weights are not in the folder of their \
                 run, and the training data cannot be opened ({e})",
                question.inputs.display()
            ))
        })?;
        spec.record = Some(Record { source: "the training data".to_string(), trained });
    }
    Ok(table)
}

/// The samples of a file's arrays as a table.
fn inputs(fields: &mut [Field], question: &Question, as_is: bool) -> Result<Table, Fault> {
    let path = question.inputs;
    let mut arrays = arrays::read(path).map_err(Fault::data)?;
    let fault = |message: String| Fault::data(format!("{}: {message}", path.display()));
    let mut columns = vec![];
    let mut count = None;
    let alone = fields.len() == 1;
    for field in fields {
        let name = &field.name;
        let array = taken(&mut arrays, field, alone, path)?;
        let (first, shape) = array.shape.split_first().map_or((1, &[][..]), |(f, r)| (*f, r));
        if first == 0 {
            return Err(fault(format!("array `{name}` has no samples")));
        }
        let others = *count.get_or_insert(first);
        if others != first {
            return Err(fault(format!("array `{name}` has {first} samples where another has {others}")));
        }
        if as_is && shape != field.dims {
            return Err(fault(format!(
                "array `{name}` has shape {:?}; the network takes samples of shape {:?}, the first dimension counting them",
                array.shape, field.dims
            )));
        }
        if as_is {
            field.columns = vec![name.clone()];
        }
        match field.columns.as_slice() {
            [] => columns.push(Column::new(name, shape.to_vec(), Values::Doubles(array.values))),
            [one] => columns.push(Column::new(one, shape.to_vec(), Values::Doubles(array.values))),
            // A vector of several columns, which the other splits have one by one.
            several if shape == [several.len()] => columns.extend(several.iter().enumerate().map(|(k, column)| {
                let own = array.values.iter().skip(k).step_by(several.len()).copied().collect();
                Column::new(column, vec![], Values::Doubles(own))
            })),
            several => {
                return Err(fault(format!(
                    "array `{name}` has shape {:?}; it stands for the columns {}, so its samples have shape [{}]",
                    array.shape,
                    several.join(", "),
                    several.len()
                )));
            }
        }
    }
    Ok(Table::new(count.unwrap_or(0), columns))
}

/// The array of a field: the one of its name, or of its column's. The only one of a file without names, and one that NumPy
/// named, may have any other where one field is read.
fn taken(arrays: &mut BTreeMap<String, Array>, field: &Field, alone: bool, path: &Path) -> Result<Array, Fault> {
    let nameless = path.extension().is_some_and(|e| e == "npy") || arrays.contains_key("arr_0");
    if alone && nameless && arrays.len() == 1 {
        return Ok(arrays.pop_first().map_or(Array { shape: vec![], values: vec![] }, |(_, array)| array));
    }
    let column = if let [one] = &field.columns[..] { Some(one) } else { None };
    let found = arrays.remove(&field.name).or_else(|| arrays.remove(column?));
    found.ok_or_else(|| {
        let message = format!("{} has no array `{}`, a field that the network reads", path.display(), field.name);
        Fault::data(format!("{message}; it has {}", listed(arrays.keys().map(String::as_str))))
    })
}

/// Every named local of the train block for all samples, batch by batch.
fn outputs(
    train: &Train,
    weights: &Weights,
    fields: &[usize],
    samples: &Split,
    moment: &Moment,
    question: &Question,
) -> Result<BTreeMap<String, Array>, Fault> {
    let batch = train.settings.batch.unwrap_or(1).min(samples.count);
    let rest = samples.count % batch;
    let part = Part { of: question.of, from: &[] };
    let mut programs = vec![("init".to_string(), init(train))];
    programs.push(("prediction".to_string(), predicted(train, &part, batch)?));
    if rest > 0 {
        programs.push(("rest".to_string(), predicted(train, &part, rest)?));
    }
    let predicting = programs.len();
    programs.extend(afresh(train).map(|program| ("afresh".to_string(), program)));
    let bundle = compile::compile(&mut programs, train.settings.precision, None)?;
    let bindings = (1..predicting)
        .map(|k| binding(train, &bundle, k, &programs[k].1, if k == 1 { batch } else { rest }))
        .collect::<Result<Vec<_>, _>>()?;
    let mut executor = Executor::new(bundle, machine::threads(question.resources.threads)).map_err(Fault::data)?;
    let clock = Clock { seed: train.settings.seed, step: 0, sample: 0 };
    executor.run(0, clock).map_err(Fault::internal)?;
    load_parameters(&mut executor, train, weights)?;
    // States that evaluation carries on begin anew.
    if programs.len() > predicting {
        executor.run(predicting, clock).map_err(Fault::internal)?;
    }
    let steps = train.settings.steps.map_or(1, |s| s as u64);
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
        session::supply(&mut executor, binding, moment.at, steps, (1.0, &moment.figures));
        let sample = chunk.first().map_or(0, |n| u64::from(*n));
        let clock = Clock { step: EVALUATION | moment.at.step, sample, ..clock };
        executor.run(binding.program, clock).map_err(Fault::internal)?;
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
