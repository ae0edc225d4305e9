//! `nnc eval`: loss and metrics of saved weights on a split. For the weights that a run has ended with they are what the
//! run has printed, to the bit: seed, step and epoch are those of the run.

use crate::args;
use crate::folder::Moment;
use crate::output::Printed;
use crate::say;
use crate::{folder, grad, load};
use driver::bind;
use driver::fault::Fault;
use serde_json::json;

/// Loads the weights, evaluates the split, prints the figures.
pub fn eval(options: &args::Eval) -> Result<(), Fault> {
    let loaded = load::load(&options.program, options.json)?;
    let record = folder::record(&options.weights)?;
    let moment = Moment::of(&options.weights)?;
    let train = &moment.seeded(load::choose(&loaded, &options.program)?, &options.program.request()?);
    let mut bound = bind::bind(train, &options.program.file, &options.machine.plain(), record, &mut Printed)?;
    let data = bound.data.as_ref().ok_or_else(|| Fault::usage("the program has no data to evaluate on"))?;
    let split = data.split(&options.split).ok_or_else(|| {
        let names: Vec<&str> = data.splits.iter().map(|s| s.name.as_str()).collect();
        Fault::usage(format!("there is no split `{}`; there are: {}", options.split, names.join(", ")))
    })?;
    let weights = folder::weights(&options.weights)?;
    bound.session.initialise().map_err(Fault::internal)?;
    grad::load_parameters(&mut bound.session.executor, train, &weights)?;
    bound.session.figures = moment.figures;
    let metrics = bound.session.evaluate(Some(split), moment.at).map_err(Fault::internal)?;
    if options.json {
        let figures: serde_json::Map<_, _> = metrics.into_iter().map(|(k, v)| (k, json!(v))).collect();
        say!("{}", json!({"split": options.split, "samples": split.count, "metrics": figures}));
        return Ok(());
    }
    let width = metrics.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    say!("{} ({} samples)", options.split, split.count);
    for (name, value) in metrics {
        say!("  {name:width$}  {value:.6}");
    }
    Ok(())
}
