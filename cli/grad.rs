//! `nnc grad`: loss and gradients of one batch for given parameters, and the draws that were made,
//! for comparing with other systems.

use crate::args;
use crate::load;
use compiler::emit::Precision;
use driver::fault::Fault;
use driver::{folder, gradients, machine};
use runtime::arrays;

/// Runs one forward and backward pass and writes `loss`, `grad.NAME`, `draw.NAME` and `param.NAME`.
pub fn grad(options: &args::Grad) -> Result<(), Fault> {
    let loaded = load::load(&options.program, false)?;
    let train = load::choose(&loaded, &options.program)?;
    let inputs = arrays::read(&options.inputs).map_err(Fault::data)?;
    let parameters = options.params.as_deref().map(folder::weights).transpose()?;
    let threads = machine::threads(options.threads);
    let out = gradients::gradients(train, &inputs, parameters.as_ref(), threads)?;
    arrays::write(&options.output, &out, train.settings.precision == Precision::F64).map_err(Fault::data)
}
