//! `nnc eval`: loss and metrics of saved weights on a split.

use crate::args;
use crate::load;
use crate::output::Printed;
use crate::say;
use driver::evaluate::{Evaluation, evaluate};
use driver::fault::Fault;
use serde_json::json;

/// Loads the weights, evaluates the split, prints the figures.
pub fn eval(options: &args::Eval) -> Result<(), Fault> {
    let loaded = load::load(&options.program, options.json)?;
    let train = load::choose(&loaded, &options.program)?;
    let (request, machine) = (options.program.request()?, options.machine.plain());
    let Evaluation { samples, metrics } =
        evaluate(train, &request, &machine, &options.weights, &options.split, &mut Printed)?;
    if options.json {
        let figures: serde_json::Map<_, _> = metrics.into_iter().map(|(k, v)| (k, json!(v))).collect();
        say!("{}", json!({"split": options.split, "samples": samples, "metrics": figures}));
        return Ok(());
    }
    let width = metrics.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    say!("{} ({samples} samples)", options.split);
    for (name, value) in metrics {
        say!("  {name:width$}  {value:.6}");
    }
    Ok(())
}
