//! Loss and metrics of saved weights on a split. For the weights that a run has ended with they are what the run has
//! found, to the bit: seed, step and epoch are those of the run.

use crate::bind;
use crate::fault::Fault;
use crate::folder::{self, Moment};
use crate::listener::Listener;
use crate::machine::Machine;
use crate::program::Request;
use crate::weights::load_parameters;
use compiler::typed::Train;
use runtime::trainer::Metrics;
use std::path::Path;

/// What was found.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// In the split.
    pub samples: usize,
    /// The loss and the metrics, by name.
    pub metrics: Metrics,
}

/// Loads the weights (a file, or the folder of a run) and evaluates the split.
///
/// # Errors
/// For weights that cannot be read or do not fit, and where the program has no such split.
pub fn evaluate(
    train: &Train,
    request: &Request,
    machine: &Machine,
    weights: &Path,
    split: &str,
    listener: &mut dyn Listener,
) -> Result<Evaluation, Fault> {
    let record = folder::record(weights)?;
    let moment = Moment::of(weights)?;
    let train = &moment.seeded(train, request);
    let mut bound = bind::bind(train, &request.file, machine, record, listener)?;
    let data = bound.data.as_ref().ok_or_else(|| Fault::usage("the program has no data to evaluate on"))?;
    let split = data.split(split).ok_or_else(|| {
        let names: Vec<&str> = data.splits.iter().map(|s| s.name.as_str()).collect();
        Fault::usage(format!("there is no split `{split}`; there are: {}", names.join(", ")))
    })?;
    let weights = folder::weights(weights)?;
    bound.session.initialise().map_err(Fault::internal)?;
    load_parameters(&mut bound.session.executor, train, &weights)?;
    bound.session.figures = moment.figures;
    let metrics = bound.session.evaluate(Some(split), moment.at).map_err(Fault::internal)?;
    Ok(Evaluation { samples: split.count, metrics })
}
