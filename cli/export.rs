//! `nnc export --onnx`: the network for inference elsewhere, with trained weights.

use crate::args::{self, MessageFormat};
use crate::load;
use crate::{object, render, say};
use compiler::lower::programs::{init, prediction};
use compiler::onnx::{self, Refusal, Source};
use compiler::optimise::optimise;
use compiler::typed::{Supplied, Train};
use driver::compile;
use driver::fault::{Fault, FaultKind};
use driver::folder;
use driver::part::{self, Part};
use driver::program::Program;
use driver::weights::load_parameters;
use grammar::diagnostic::Diagnostic;
use runtime::execute::{Clock, Executor};
use runtime::file::replace;
use std::collections::BTreeMap;

/// Numbers of samples that stand for any: primes, so that no other extent is a multiple by chance.
const ANY: [usize; 3] = [1009, 2003, 4001];

/// Writes the file; for any number of samples where the network treats each by itself.
pub fn export(options: &args::Export) -> Result<(), Fault> {
    if !options.onnx {
        return Err(Fault::usage("say which format: --onnx"));
    }
    let loaded = load::load(&options.program, false)?;
    let train = load::choose(&loaded, &options.program)?;
    let known = known(train, options)?;
    let part = Part { of: &options.of, from: &options.from };
    let fixed = options.batch.or(train.settings.batch).unwrap_or(1);
    let any = ANY.into_iter().find(|n| !dims(train).any(|d| d.is_multiple_of(*n)));
    let for_any = any.filter(|_| options.batch.is_none()).map(|any| file(train, &part, any, Some(any), &known));
    let (bytes, samples) = match for_any.transpose()? {
        Some(Ok(bytes)) => (bytes, "any number of".to_string()),
        _ => {
            let bytes = file(train, &part, fixed, None, &known)?.map_err(|refusal| refused(&loaded, &refusal))?;
            (bytes, fixed.to_string())
        }
    };
    replace(&options.output, &bytes).map_err(Fault::data)?;
    say!("{}: {}, for {samples} samples at once", options.output.display(), compile::size(bytes.len()));
    Ok(())
}

/// Every extent that a program of the train block can have but the number of samples.
fn dims(train: &Train) -> impl Iterator<Item = usize> {
    let parameters = train.parameters.iter().flat_map(|p| p.dims.clone());
    let values = train.evaluation.values.iter().flat_map(|v| v.ty.dims.clone());
    parameters.chain(values)
}

/// Shows where the program says what the format cannot.
fn refused(loaded: &Program, refusal: &Refusal) -> Fault {
    let message = format!("this cannot be said in ONNX: {}", refusal.message);
    let Some(span) = refusal.span else { return Fault::usage(message) };
    let help = "export a part: `--of NAME` up to that local of the train block, `--from NAME` with that one given";
    let d = Diagnostic::error("not-supported", span, message).here("here").help(help);
    render::print(&loaded.sources, &[d], MessageFormat::Human);
    Fault::new(FaultKind::Program, "nothing was exported")
}

/// The file; the inner error is what the format has no words for.
fn file(
    train: &Train,
    part: &Part,
    batch: usize,
    any: Option<usize>,
    known: &BTreeMap<String, (String, Vec<f32>)>,
) -> Result<Result<Vec<u8>, Refusal>, Fault> {
    let mut program = prediction(train, batch);
    let given = part.cut(&mut program, &train.name)?;
    if !program.module.updates.is_empty() {
        return Err(Fault::usage(object::carries(train, "an ONNX file")));
    }
    optimise(&mut program.module);
    let mut known = known.clone();
    for (which, tensor) in &program.supplied {
        let value = if *which == Supplied::Epoch { 0.0 } else { 1.0 };
        known.insert(tensor.clone(), (tensor.clone(), vec![value]));
    }
    let fields = program.fields.iter().map(|(f, tensor)| (tensor.clone(), train.fields[*f].name.clone()));
    let source = Source {
        name: &train.name,
        module: &program.module,
        any,
        inputs: fields.chain(given).collect(),
        outputs: part::outputs(&program),
        known,
    };
    Ok(onnx::export(&source))
}

/// Parameters and states by path: their saved names and values, from the file or, without one, initial.
fn known(train: &Train, options: &args::Export) -> Result<BTreeMap<String, (String, Vec<f32>)>, Fault> {
    let mut programs = vec![("init".to_string(), init(train))];
    let bundle = compile::compile(&mut programs, train.settings.precision, None)?;
    let mut executor = Executor::new(bundle, 1).map_err(Fault::data)?;
    let clock = Clock { seed: train.settings.seed, step: 0, sample: 0 };
    executor.run(0, clock).map_err(Fault::internal)?;
    if let Some(weights) = &options.weights {
        load_parameters(&mut executor, train, &folder::weights(weights)?)?;
    }
    let parameters = train.parameters.iter().enumerate().map(|(k, p)| (train.evaluated_path(k), &p.saved));
    let states = train.states.iter().map(|s| (s.path.as_str(), &s.saved));
    let value = |(path, saved): (&str, &String)| {
        let slot = executor.bundle().persistent.get(path)?;
        Some((path.to_string(), (saved.clone(), executor.read_f64(slot).iter().map(|v| *v as f32).collect())))
    };
    Ok(parameters.chain(states).filter_map(value).collect())
}
