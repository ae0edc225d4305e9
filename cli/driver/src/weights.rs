//! Saved weights into the tensors of a program.

use crate::fault::Fault;
use compiler::emit::Precision;
use compiler::typed::Train;
use runtime::arrays::{Taken, Weights};
use runtime::execute::Executor;

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
