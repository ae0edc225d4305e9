//! Names of tensors and indices that the language accepts: `d.conv1.W` becomes `d_conv1_W`.

use crate::ir::{Module, TensorId};
use crate::scalar::{Binary, Unary};
use grammar::token::{Infix, reduction};
use std::collections::BTreeSet;

/// Letters for indices, in the order they are handed out.
const LETTERS: [&str; 14] = ["i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v"];
/// Names the language gives a meaning to.
const GIVEN: [&str; 16] = [
    "pi", "inf", "training", "batch", "step", "steps", "epoch", "size", "uniform", "normal", "params", "weights",
    "theta", "grad", "fan_in", "fan_out",
];

/// Words that are no names.
const RESERVED: [&str; 15] =
    ["param", "state", "if", "then", "else", "for", "in", "scan", "where", "fn", "use", "as", "or", "true", "false"];

/// What everything in a module is called.
pub struct Names {
    /// The callable.
    pub title: String,
    tensors: Vec<String>,
    indices: Vec<String>,
}

impl Names {
    /// Names for the tensors of a module, each different, and for its indices.
    pub fn of(m: &Module, title: &str) -> Self {
        let title = unused(&legal(title), is_taken);
        let mut used = BTreeSet::from([title.clone()]);
        let mut tensors = vec![];
        for tensor in &m.tensors {
            let name = unused(&legal(&tensor.name), |n| is_taken(n) || used.contains(n));
            used.insert(name.clone());
            tensors.push(name);
        }
        let free = |n: &&str| !used.contains(*n);
        let indices = LETTERS.iter().copied().filter(free).map(str::to_string).collect();
        Self { title, tensors, indices }
    }

    /// The name of a tensor.
    pub fn tensor(&self, id: TensorId) -> &str {
        &self.tensors[id.0 as usize]
    }

    /// Whether a tensor has that name.
    pub fn is_used(&self, name: &str) -> bool {
        self.tensors.iter().any(|t| t == name)
    }

    /// The name of domain variable `v`.
    pub fn index(&self, v: u32) -> String {
        let beyond = || unused(&format!("i{v}"), |n| self.tensors.iter().any(|t| t == n));
        self.indices.get(v as usize).cloned().unwrap_or_else(beyond)
    }
}

/// The name with every sign that no name may hold turned into `_`.
pub fn legal(name: &str) -> String {
    let sign = |c: char| if c.is_alphanumeric() || c == '_' { c } else { '_' };
    let name: String = name.chars().map(sign).collect();
    if name.chars().next().is_none_or(|c| !c.is_alphabetic()) { format!("v{name}") } else { name }
}

/// The name, with the first number after it that makes it different from all taken ones.
pub fn unused(name: &str, taken: impl Fn(&str) -> bool) -> String {
    if !taken(name) {
        return name.to_string();
    }
    (2..).map(|k| format!("{name}_{k}")).find(|n| !taken(n)).unwrap_or_default()
}

/// Whether the language has a use of its own for the name.
fn is_taken(name: &str) -> bool {
    RESERVED.contains(&name)
        || reduction(name).is_some()
        || Infix::from_word(name).is_some()
        || GIVEN.contains(&name)
        || Unary::ALL.iter().any(|u| u.name() == name)
        || Binary::ALL.iter().any(|b| b.name() == name)
}
