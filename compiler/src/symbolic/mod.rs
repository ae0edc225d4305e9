//! Derivatives as a thing to read: a factored program in the language itself, its value at a
//! point, and how much arithmetic it takes beside the sum over all paths.
//!
//! In: an IR module, the tensor differentiated and the tensors it is differentiated by. Out: a
//! [`Derivative`]. The passes here are for readers; nothing compiled goes through them.

mod factor;
mod inline;
pub mod paths;
mod rebuild;

use crate::differentiate::{forward, reverse};
use crate::ir::cost::{Cost, cost_of};
use crate::ir::interpret::{Fault, Values, interpret};
use crate::ir::recurrence::arrange;
use crate::ir::{Combine, Item, Module, Role, TensorId};
use crate::optimise::{dead, gather, share, simplify};
use crate::scalar::Kind;
use crate::source;
use paths::Paths;
use std::collections::BTreeMap;

/// Which way the chain rule is walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// From one input to all that depends on it: a directional derivative.
    Forward,
    /// From one result back to all it depends on: a gradient (of the sum of its elements).
    Reverse,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// The tensor differentiated.
    pub of: TensorId,
    /// By what, once for each time it is differentiated. Only the last may have several tensors.
    pub by: Vec<Vec<TensorId>>,
    /// Which way.
    pub mode: Mode,
}

/// A derivative as a program.
#[derive(Clone, Debug)]
pub struct Derivative {
    /// The program; its outputs are the derivatives asked for, in order.
    pub module: Module,
    /// Tensors from this number on came with the derivative, those before with the function.
    pub first: usize,
    /// The directions of forward mode by tensors that are no scalars, each an input of its own.
    pub directions: Vec<TensorId>,
    /// The sum over the paths written out; only for a first derivative.
    pub expanded: Option<Expanded>,
}

/// The derivative as a sum over paths.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expanded {
    /// Paths and their factors.
    pub paths: Paths,
    /// Additions and multiplications of their sum, the factors being known.
    pub operations: f64,
}

/// Differentiates and brings the result into its most readable form.
#[must_use]
pub fn derive(mut m: Module, question: &Question) -> Derivative {
    let first = m.tensors.len();
    let expanded = (question.by.len() == 1).then(|| expanded(&m, question.of, &question.by[0]));
    m.updates.clear();
    let mut directions = BTreeMap::new();
    let mut of = question.of;
    let mut results = vec![];
    for (k, by) in question.by.iter().enumerate() {
        results = match question.mode {
            Mode::Reverse => reverse(&mut m, of, by),
            Mode::Forward => by.iter().map(|x| tangent(&mut m, of, *x, &mut directions)).collect(),
        };
        name_results(&mut m, question, k, &results);
        of = results[0];
    }
    let last = question.by.last().map_or(&[][..], Vec::as_slice);
    m.outputs = last.iter().zip(results).map(|(x, r)| (format!("d_{}", m.t(*x).name), r)).collect();
    readable(&mut m, first);
    Derivative { module: m, first, directions: directions.into_values().collect(), expanded }
}

/// The directional derivative of `of` as `x` changes: by 1 where it is a scalar, else along an input.
fn tangent(m: &mut Module, of: TensorId, x: TensorId, directions: &mut BTreeMap<TensorId, TensorId>) -> TensorId {
    let name = format!("direction.{}", m.t(x).name);
    let shape = m.t(x).shape.clone();
    let along = if shape.is_empty() {
        let one = m.float(1.0);
        let along = m.define(&name, shape, &[], Combine::Set, one, None);
        let definition = m.items.pop();
        m.items.splice(0..0, definition);
        along
    } else {
        *directions.entry(x).or_insert_with(|| m.tensor(&name, shape, Kind::Float, Role::Input, None))
    };
    let tangents = forward(m, &[(x, along)]);
    tangents.get(&of).copied().unwrap_or_else(|| {
        let (shape, zero) = (m.t(of).shape.clone(), m.float(0.0));
        m.define("zero", shape, &[], Combine::Set, zero, None)
    })
}

/// A second derivative says so by its name, and so does one of several tangents.
fn name_results(m: &mut Module, question: &Question, k: usize, results: &[TensorId]) {
    let by = &question.by[k];
    if k == 0 && (question.mode == Mode::Reverse || by.len() == 1) {
        return;
    }
    let before: Vec<String> = question.by[..k].iter().map(|b| m.t(b[0]).name.clone()).collect();
    for (x, result) in by.iter().zip(results) {
        let names = [&before[..], &[m.t(*x).name.clone()]].concat().join(".");
        let name = format!("{}.{names}", vec!["d"; k + 1].concat());
        if !m.tensors.iter().any(|t| t.name == name) {
            m.tensors[result.0 as usize].name = name;
        }
    }
}

/// The passes for readers: nothing unused, nothing twice, common factors out, short definitions in
/// place of those read once.
fn readable(m: &mut Module, first: usize) {
    simplify::run(m);
    share::run(m);
    dead::run(m);
    factor::run(m);
    arrange(m);
    inline::run(m, first);
    factor::run(m);
    inline::name_shared(m);
    share::run(m);
    simplify::run(m);
    dead::run(m);
    arrange(m);
}

/// The sum over the paths from all of `by` to `of`.
fn expanded(m: &Module, of: TensorId, by: &[TensorId]) -> Expanded {
    let mut all = Paths::default();
    let mut operations = 0.0;
    for x in by {
        let paths = paths::paths(m, *x, of);
        let results = (m.t(*x).len() as f64).min(paths.count);
        operations += paths.multiplications() + paths.additions(results);
        all += paths;
    }
    Expanded { paths: all, operations }
}

impl Derivative {
    /// The program as text.
    #[must_use]
    pub fn source(&self, title: &str, classes: &BTreeMap<TensorId, usize>) -> String {
        source::print(&self.module, title, classes)
    }

    /// Arithmetic of the derivative itself, and of the function's values that it uses.
    #[must_use]
    pub fn cost(&self) -> (Cost, Cost) {
        let (mut own, mut shared) = (Cost::default(), Cost::default());
        for item in &self.module.items {
            if let Item::Def(def) = item {
                let part = if (def.target.0 as usize) < self.first { &mut shared } else { &mut own };
                *part += cost_of(&self.module, def);
            }
        }
        (own, shared)
    }

    /// The tensors that the program needs from outside.
    #[must_use]
    pub fn given(&self) -> Vec<TensorId> {
        source::given(&self.module)
    }

    /// Whether it draws random numbers, so that it has no value at a point.
    #[must_use]
    pub fn draws(&self) -> bool {
        self.module.items.iter().any(|i| matches!(i, Item::Draw(_)))
    }

    /// The outputs in f64 at a point, which has a value for every tensor of [`Self::given`].
    ///
    /// # Errors
    /// When a value is missing or of the wrong size, or a class lies outside.
    pub fn evaluate(&self, point: &Values) -> Result<Vec<Vec<f64>>, Fault> {
        let mut inputs = point.clone();
        for (k, tensor) in self.module.tensors.iter().enumerate() {
            let id = TensorId(k as u32);
            if tensor.role != Role::Temporary && !self.given().contains(&id) {
                inputs.entry(id).or_insert_with(|| vec![0.0; tensor.len()]);
            }
        }
        let values = interpret(&self.module, &inputs, &mut |_, t| vec![0.0; t.len()])?;
        Ok(self.module.outputs.iter().map(|(_, t)| values.get(t).cloned().unwrap_or_default()).collect())
    }
}

/// A whole program of a train block in its most readable form: what it gives out, and the next
/// values of what it updates, are its outputs. Accumulations are turned into the sums that readers
/// know from papers: the gradient of a convolution is a convolution.
#[must_use]
pub fn whole(mut m: Module) -> Module {
    for (target, next) in std::mem::take(&mut m.updates) {
        m.outputs.push((format!("{}.next", m.t(target).name), next));
    }
    let first = m.tensors.len();
    readable(&mut m, first);
    gather::run(&mut m);
    readable(&mut m, first);
    m
}
