//! Lowers the rule of a data block: a module without inputs whose outputs are the fields.

use super::pass::Lowering;
use crate::ir::Module;
use crate::typed::{Outcome, Rule, ValueId};

/// The module that computes every field of every sample, row-major, under the field's name.
#[must_use]
pub fn rule(rule: &Rule) -> Module {
    let mut module = Module::default();
    let wanted: Vec<ValueId> = rule.pass.outcomes.iter().map(|(_, id)| *id).collect();
    let mut leaves = |_: &mut Module, _: &_| unreachable!("a rule reads nothing from outside");
    let tensors = Lowering::new(&rule.pass, 1).demand(&mut module, &wanted, &mut leaves);
    for ((outcome, _), tensor) in rule.pass.outcomes.iter().zip(tensors) {
        if let Outcome::Output(name) = outcome {
            module.outputs.push((name.clone(), tensor));
        }
    }
    module
}
