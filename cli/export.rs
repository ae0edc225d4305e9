//! `nnc export --onnx`: the network for inference elsewhere, with trained weights.

use crate::args;
use crate::bind;
use crate::fault::Fault;
use crate::{folder, front, grad, say};
use compiler::lower::programs::{Produced, Program, init, prediction};
use compiler::onnx::{self, Source};
use compiler::optimise::optimise;
use compiler::typed::{Supplied, Train};
use runtime::execute::{Clock, Executor};
use std::collections::BTreeMap;

/// Numbers of samples that stand for any: primes, so that no other extent is a multiple by chance.
const ANY: [usize; 3] = [1009, 2003, 4001];

/// Writes the file; for any number of samples where the network treats each by itself.
pub fn export(options: &args::Export) -> Result<(), Fault> {
    if !options.onnx {
        return Err(Fault::usage("say which format: --onnx"));
    }
    let front = front::load(&options.program, false)?;
    let train = front::choose(&front, &options.program)?;
    let known = known(train, options)?;
    let fixed = options.batch.or(train.settings.batch).unwrap_or(1);
    let any = ANY.into_iter().find(|n| !dims(train).any(|d| d.is_multiple_of(*n)));
    let (bytes, samples) = match any.filter(|_| options.batch.is_none()) {
        None => (file(train, fixed, None, &known)?, fixed.to_string()),
        Some(any) => match file(train, any, Some(any), &known) {
            Ok(bytes) => (bytes, "any number of".to_string()),
            Err(_) => (file(train, fixed, None, &known)?, fixed.to_string()),
        },
    };
    std::fs::write(&options.output, &bytes)
        .map_err(|e| Fault::data(format!("cannot write {}: {e}", options.output.display())))?;
    say!("{}: {}, for {samples} samples at once", options.output.display(), bind::size(bytes.len()));
    Ok(())
}

/// Every extent that a program of the train block can have but the number of samples.
fn dims(train: &Train) -> impl Iterator<Item = usize> {
    let parameters = train.parameters.iter().flat_map(|p| p.dims.clone());
    let values = train.evaluation.values.iter().flat_map(|v| v.ty.dims.clone());
    parameters.chain(values)
}

fn file(
    train: &Train,
    batch: usize,
    any: Option<usize>,
    known: &BTreeMap<String, (String, Vec<f32>)>,
) -> Result<Vec<u8>, Fault> {
    let mut program = prediction(train, batch);
    optimise(&mut program.module);
    if program.results.is_empty() {
        return Err(Fault::usage(format!(
            "train block {} names nothing to export; give the network's result a name, such as `logits = Net(x)`",
            train.name
        )));
    }
    let mut known = known.clone();
    for (which, tensor) in &program.supplied {
        let value = if *which == Supplied::Epoch { 0.0 } else { 1.0 };
        known.insert(tensor.clone(), (tensor.clone(), vec![value]));
    }
    let source = Source {
        name: &train.name,
        module: &program.module,
        any,
        inputs: program.fields.iter().map(|(f, tensor)| (tensor.clone(), train.fields[*f].name.clone())).collect(),
        outputs: outputs(&program),
        known,
    };
    onnx::export(&source).map_err(|e| Fault::usage(format!("this cannot be said in ONNX: {e}")))
}

fn outputs(program: &Program) -> Vec<(String, String)> {
    let output = |(produced, tensor): &(Produced, String)| match produced {
        Produced::Output(name) => Some((tensor.clone(), name.clone())),
        _ => None,
    };
    program.results.iter().filter_map(output).collect()
}

/// Parameters and states by path: their saved names and values, from the file or, without one, initial.
fn known(train: &Train, options: &args::Export) -> Result<BTreeMap<String, (String, Vec<f32>)>, Fault> {
    let mut programs = vec![("init".to_string(), init(train))];
    let bundle = bind::compile(&mut programs, args::Precision::F32)?;
    let mut executor = Executor::new(bundle, 1).map_err(Fault::data)?;
    let clock = Clock { seed: train.settings.seed, step: 0, sample: 0 };
    executor.run(0, clock).map_err(Fault::internal)?;
    if let Some(weights) = &options.weights {
        grad::load_parameters(&mut executor, train, &folder::weights(weights)?)?;
    }
    let parameters = train.parameters.iter().map(|p| (&p.path, &p.saved));
    let states = train.states.iter().map(|s| (&s.path, &s.saved));
    let value = |(path, saved): (&String, &String)| {
        let slot = executor.bundle().persistent.get(path)?;
        Some((path.clone(), (saved.clone(), executor.read_f64(slot).iter().map(|v| *v as f32).collect())))
    };
    Ok(parameters.chain(states).filter_map(value).collect())
}
