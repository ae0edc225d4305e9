//! A part of a network: up to some of the named locals of its train block, and from others on, which are given.

use crate::fault::Fault;
use compiler::ir::Role;
use compiler::lower::program::{Produced, Program};
use compiler::lower::programs::forget_idle_states;

/// The names that bound it.
pub struct Part<'a> {
    /// What comes out; all that has a name if this is empty.
    pub of: &'a [String],
    /// What is given instead of computed.
    pub from: &'a [String],
}

/// The named results of a program: tensor and name.
#[must_use]
pub fn outputs(program: &Program) -> Vec<(String, String)> {
    let output = |(produced, tensor): &(Produced, String)| match produced {
        Produced::Output(name) => Some((tensor.clone(), name.clone())),
        _ => None,
    };
    program.results.iter().filter_map(output).collect()
}

impl Part<'_> {
    /// Leaves of a program that predicts what belongs to the part; what is given becomes an input, tensor and name.
    pub fn cut(&self, program: &mut Program, train: &str) -> Result<Vec<(String, String)>, Fault> {
        let named = outputs(program);
        if named.is_empty() {
            return Err(Fault::usage(format!(
                "train block {train} names no result; give the network's a name there, such as `logits = Net(x)`"
            )));
        }
        let find = |name: &String| {
            let found = named.iter().find(|(_, n)| n == name).cloned();
            let names: Vec<&str> = named.iter().map(|(_, n)| n.as_str()).collect();
            found.ok_or_else(|| {
                Fault::usage(format!("train block {train} has no tensor named `{name}`; it has: {}", names.join(", ")))
            })
        };
        let given = self.from.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        let wanted = self.of.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        let keeps = |name: &str| {
            (wanted.is_empty() || wanted.iter().any(|(_, n)| n == name)) && !given.iter().any(|(_, n)| n == name)
        };
        program.results.retain(|(p, _)| matches!(p, Produced::Output(name) if keeps(name)));
        let module = &mut program.module;
        module.outputs.retain(|(name, _)| program.results.iter().any(|(_, tensor)| tensor == name));
        if module.outputs.is_empty() {
            return Err(Fault::usage("nothing is left to come out: `--of` names only what is given".to_string()));
        }
        for (tensor, _) in &given {
            let Some(place) = module.tensors.iter().position(|t| t.name == *tensor) else { continue };
            module.tensors[place].role = Role::Input;
            module.items.retain(|item| item.target().0 as usize != place);
        }
        forget_idle_states(module);
        Ok(given)
    }
}
