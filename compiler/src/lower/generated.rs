//! Lowers the samples that a rule of a data block makes: a module without inputs whose outputs are the fields.

use super::pass::Lowering;
use crate::ir::Module;
use crate::typed::{Generated, Outcome, ValueId};

/// The module that computes every field of every sample, row-major, under the field's name.
#[must_use]
pub fn generated(data: &Generated) -> Module {
    let mut module = Module::default();
    let wanted: Vec<ValueId> = data.pass.outcomes.iter().map(|(_, id)| *id).collect();
    let mut leaves = |_: &mut Module, _: &_| unreachable!("a rule reads nothing from outside");
    let tensors = Lowering::new(&data.pass, 1).demand(&mut module, &wanted, &mut leaves);
    for ((outcome, _), tensor) in data.pass.outcomes.iter().zip(tensors) {
        if let Outcome::Output(name) = outcome {
            module.outputs.push((name.clone(), tensor));
        }
    }
    module
}
