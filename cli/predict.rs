//! `nnc predict`: what a trained network says about new samples.

use crate::args;
use crate::load;
use crate::say;
use compiler::emit::Precision;
use driver::fault::Fault;
use driver::predict::{self, Question};
use runtime::arrays;

/// Reads samples, computes the named locals of the train block, writes them.
pub fn predict(options: &args::Predict) -> Result<(), Fault> {
    let loaded = load::load(&options.program, false)?;
    let train = load::choose(&loaded, &options.program)?;
    let question = Question {
        request: &options.program.request()?,
        resources: &options.machine.resources.plain(),
        weights: &options.weights,
        inputs: &options.inputs,
        as_is: options.as_is,
        of: &options.of,
    };
    let outputs = predict::predict(train, &question)?;
    arrays::write(&options.output, &outputs, train.settings.precision == Precision::F64).map_err(Fault::data)?;
    for (name, array) in &outputs {
        say!("{name}: {}", array.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" x "));
    }
    Ok(())
}
