//! Index notation → an ONNX file: the network of a program for inference elsewhere, with its weights.
//!
//! Every definition becomes nodes: contractions products of matrices or, in general, `Einsum`; convolutions `Conv`;
//! other sums, products, maxima `Reduce..` of what stands inside, which is computed element by element. A value in a
//! definition has an axis for each variable it depends on, in ascending order; reads bring tensors into that form.

mod conv;
mod definition;
mod expression;
mod graph;
pub mod proto;
mod read;
mod unroll;

use crate::ir::{Item, Module, Role, Tensor, TensorId};
use crate::optimise::expr::sources;
use crate::scalar::Kind;
use grammar::span::Span;
use graph::Graph;
use proto::{Attribute, Type};
use std::collections::{BTreeMap, BTreeSet};
use unroll::{Step, unroll};

/// What is exported.
#[derive(Clone, Debug)]
pub struct Source<'a> {
    /// What the graph is called.
    pub name: &'a str,
    /// The program.
    pub module: &'a Module,
    /// The extent that stands for any number of samples, if the file is to take any.
    pub any: Option<usize>,
    /// Input tensors and what they are called outside.
    pub inputs: Vec<(String, String)>,
    /// Output tensors and what they are called outside.
    pub outputs: Vec<(String, String)>,
    /// Tensors that are known: what they are called outside, and their elements.
    pub known: BTreeMap<String, (String, Vec<f32>)>,
}

/// What cannot be said in ONNX, or cannot for any number of samples.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// A sentence that names it.
    pub message: String,
    /// Where it stands in the program, if that is known.
    pub span: Option<Span>,
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self { message, span: None }
    }
}

impl Refusal {
    fn at(tensor: &Tensor, message: String) -> Self {
        Self { message, span: tensor.span }
    }
}

/// The file.
///
/// # Errors
/// What cannot be said.
pub fn export(source: &Source) -> Result<Vec<u8>, Refusal> {
    let (module, steps) = unroll(source.module)?;
    let module = &module;
    if let Some(any) = source.any {
        independent(module, any)?;
    }
    let read = read(module, &steps);
    let of_samples = |(tensor, name): &(String, String)| {
        let any = source.any?;
        let place = module.tensors.iter().position(|t| t.name == *tensor)?;
        let counts = module.tensors[place].shape.first() == Some(&any) && read.contains(&TensorId(place as u32));
        counts.then(|| (any, name.clone()))
    };
    let graph = Graph::new(source.inputs.iter().find_map(of_samples));
    let mut export = Export { module, graph, names: BTreeMap::new() };
    let mut inputs = vec![];
    for (number, tensor) in module.tensors.iter().enumerate() {
        let id = TensorId(number as u32);
        let called = source.inputs.iter().find(|(t, _)| *t == tensor.name && read.contains(&id)).map(|(_, name)| name);
        if let Some(name) = called {
            inputs.push(proto::value(name, element(tensor.kind), &export.graph.extents(&tensor.shape)));
            export.names.insert(id, name.clone());
        } else if let Some((name, values)) = source.known.get(&tensor.name) {
            export.graph.weight(name, &tensor.shape, values);
            export.names.insert(id, name.clone());
        } else if tensor.role != Role::Temporary && read.contains(&id) {
            return Err(format!("nothing is known of `{}`", tensor.name).into());
        }
    }
    for step in &steps {
        match step {
            Step::Item(Item::Def(def)) => {
                let tensor = module.t(def.target);
                export.definition(def).map_err(|e| Refusal::at(tensor, format!("`{}`: {e}", tensor.name)))?;
            }
            Step::Joined { tensor, axis, turns } => export.join(*tensor, *axis, turns),
            Step::Item(Item::Listed(listed)) => {
                let tensor = module.t(listed.target);
                let values: Vec<f64> = listed.values().collect();
                let name = export.graph.listed(element(tensor.kind), &tensor.shape, &values);
                export.names.insert(listed.target, name);
            }
            Step::Item(Item::Draw(draw)) => {
                let tensor = module.t(draw.target);
                let message = format!("`{}` draws random numbers, which an exported network cannot", tensor.name);
                return Err(Refusal::at(tensor, message));
            }
        }
    }
    let mut outputs = vec![];
    for (tensor, name) in &source.outputs {
        let id = module.outputs.iter().find(|(n, _)| n == tensor).map(|(_, id)| *id);
        let id = id.ok_or_else(|| format!("there is no output `{tensor}`"))?;
        let value = export.names.get(&id).cloned().ok_or_else(|| format!("`{tensor}` is not computed"))?;
        export.graph.named(name, "Identity", &[&value], &[]);
        let tensor = module.t(id);
        outputs.push(proto::value(name, element(tensor.kind), &export.graph.extents(&tensor.shape)));
    }
    Ok(export.graph.finish(source.name, &inputs, &outputs))
}

/// The tensors that any step reads or the caller is given as they are.
fn read(module: &Module, steps: &[Step]) -> BTreeSet<TensorId> {
    let items = steps.iter().filter_map(|s| if let Step::Item(item) = s { Some(item) } else { None });
    let read = items.flat_map(|item| sources(module, item));
    read.chain(module.outputs.iter().map(|(_, id)| *id)).collect()
}

/// Checks that the number of samples occurs only as an extent of its own.
fn independent(module: &Module, any: usize) -> Result<(), Refusal> {
    let derived = |n: usize| n > any && n.is_multiple_of(any);
    for item in &module.items {
        if let Item::Def(def) = item
            && (def.domain.iter().any(|d| derived(*d)) || module.t(def.target).shape.iter().any(|d| derived(*d)))
        {
            let tensor = module.t(def.target);
            return Err(Refusal::at(tensor, format!("`{}` mixes samples", tensor.name)));
        }
    }
    Ok(())
}

/// The type of a kind's elements.
fn element(kind: Kind) -> Type {
    match kind {
        Kind::Float => Type::Float,
        Kind::Int => Type::Int,
        Kind::Bool => Type::Bool,
    }
}

/// An export at work.
struct Export<'a> {
    module: &'a Module,
    graph: Graph,
    /// The values of tensors so far.
    names: BTreeMap<TensorId, String>,
}

impl Export<'_> {
    /// The turns of a tensor, one behind the other.
    fn join(&mut self, tensor: TensorId, axis: usize, turns: &[TensorId]) {
        let turns: Vec<&str> = turns.iter().filter_map(|t| self.names.get(t)).map(String::as_str).collect();
        let joined = self.graph.node("Concat", &turns, &[("axis", Attribute::Int(axis as i64))]);
        self.names.insert(tensor, joined);
    }
}
