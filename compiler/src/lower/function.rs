//! A callable on its own as an IR module: its inputs, parameters and states are all inputs, its
//! results are outputs.

use super::pass::Lowering;
use crate::ir::{Module, Role, TensorId};
use crate::scalar::Kind;
use crate::typed::{Definition, Function, Outcome, Supplied, ValueId};
use std::collections::BTreeMap;

/// Lowers a function. Names of values inside it lose the function's name before them.
#[must_use]
pub fn function(f: &Function) -> Module {
    let mut module = Module::default();
    let mut declare =
        |name: &str, dims: &[usize], kind, span| module.tensor(name, dims.to_vec(), kind, Role::Input, Some(span));
    let inputs: Vec<TensorId> =
        f.inputs.iter().map(|i| declare(&i.name, &i.ty.dims, i.ty.element.kind(), i.span)).collect();
    let parameters: Vec<TensorId> =
        f.parameters.iter().map(|p| declare(&p.path, &p.dims, Kind::Float, p.span)).collect();
    let states: Vec<TensorId> = f.states.iter().map(|s| declare(&s.path, &s.dims, Kind::Float, s.span)).collect();
    let mut supplied: BTreeMap<Supplied, TensorId> = BTreeMap::new();
    let mut leaves = |m: &mut Module, leaf: &Definition| match leaf {
        Definition::Field(n) => inputs[*n],
        Definition::Parameter(n) => parameters[*n],
        Definition::State(n) | Definition::Slot(n) => states[*n],
        Definition::Supplied(s) => *supplied.entry(*s).or_insert_with(|| {
            let name = format!("{s:?}").to_lowercase();
            m.tensor(&name, vec![], Kind::Float, Role::Input, None)
        }),
        Definition::Gradient { .. }
        | Definition::Total(_)
        | Definition::Draw { .. }
        | Definition::Listed(_)
        | Definition::Indexed { .. }
        | Definition::Accumulate { .. }
        | Definition::Delayed { .. } => unreachable!("not a leaf of a function"),
    };
    let wanted: Vec<ValueId> = f.pass.outcomes.iter().map(|(_, id)| *id).collect();
    let results = Lowering::new(&f.pass, 1).demand(&mut module, &wanted, &mut leaves);
    for ((outcome, _), tensor) in f.pass.outcomes.iter().zip(results) {
        if let Outcome::Output(name) = outcome {
            module.outputs.push((name.clone(), tensor));
        }
    }
    shorten(&mut module, &format!("{}.", f.name));
    module
}

/// Takes the prefix from names that stay unique without it.
fn shorten(module: &mut Module, prefix: &str) {
    for k in 0..module.tensors.len() {
        if let Some(short) = module.tensors[k].name.strip_prefix(prefix).map(str::to_string)
            && !module.tensors.iter().any(|t| t.name == short)
        {
            module.tensors[k].name = short;
        }
    }
}
