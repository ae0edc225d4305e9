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

use crate::ir::{Item, Module, Role, TensorId};
use crate::scalar::Kind;
use graph::Graph;
use proto::Type;
use std::collections::BTreeMap;

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

/// The file.
///
/// # Errors
/// A sentence that names what cannot be said in ONNX, or cannot for any number of samples.
pub fn export(source: &Source) -> Result<Vec<u8>, String> {
    let module = source.module;
    if let Some(any) = source.any {
        independent(module, any)?;
    }
    let of_samples = |(tensor, name): &(String, String)| {
        let any = source.any?;
        let first = module.tensors.iter().find(|t| t.name == *tensor)?.shape.first()?;
        (*first == any).then(|| (any, name.clone()))
    };
    let graph = Graph::new(source.inputs.iter().find_map(of_samples));
    let mut export = Export { module, graph, names: BTreeMap::new() };
    let mut inputs = vec![];
    for (number, tensor) in module.tensors.iter().enumerate() {
        let id = TensorId(number as u32);
        let called = source.inputs.iter().find(|(t, _)| *t == tensor.name).map(|(_, name)| name);
        if let Some(name) = called {
            inputs.push(proto::value(name, element(tensor.kind), &export.graph.extents(&tensor.shape)));
            export.names.insert(id, name.clone());
        } else if let Some((name, values)) = source.known.get(&tensor.name) {
            export.graph.weight(name, &tensor.shape, values);
            export.names.insert(id, name.clone());
        } else if tensor.role != Role::Temporary && reads(module, id) {
            return Err(format!("nothing is known of `{}`", tensor.name));
        }
    }
    for item in &module.items {
        match item {
            Item::Def(def) => export.definition(def).map_err(|e| format!("`{}`: {e}", module.t(def.target).name))?,
            Item::Draw(draw) => {
                let name = &module.t(draw.target).name;
                return Err(format!("`{name}` draws random numbers, which an exported network cannot"));
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

/// Whether any definition reads the tensor.
fn reads(module: &Module, id: TensorId) -> bool {
    module.nodes.iter().any(|n| matches!(n, crate::ir::Node::Read { tensor, .. } if *tensor == id))
}

/// Checks that the number of samples occurs only as an extent of its own.
fn independent(module: &Module, any: usize) -> Result<(), String> {
    let derived = |n: usize| n > any && n.is_multiple_of(any);
    for item in &module.items {
        if let Item::Def(def) = item
            && (def.domain.iter().any(|d| derived(*d)) || module.t(def.target).shape.iter().any(|d| derived(*d)))
        {
            return Err(format!("`{}` mixes samples", module.t(def.target).name));
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
