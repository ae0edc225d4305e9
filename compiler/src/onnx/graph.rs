//! A graph of ONNX nodes while it is built: values have names, constants are shared.

use super::proto::{self, Attribute, Extent, Message, Type};
use std::collections::BTreeMap;

/// The name of the extent that is known when the graph runs.
pub const BATCH: &str = "batch";

/// The graph.
#[derive(Debug, Default)]
pub struct Graph {
    nodes: Vec<Message>,
    constants: Vec<Message>,
    shared: BTreeMap<(Type, Vec<usize>, Vec<u8>), String>,
    made: usize,
    /// The extent that stands for any number of samples, and an input whose first extent it is.
    any: Option<(usize, String)>,
}

impl Graph {
    /// An empty graph; `any` as in the graph.
    #[must_use]
    pub fn new(any: Option<(usize, String)>) -> Self {
        Self { any, ..Self::default() }
    }

    /// The file of the graph with these inputs and outputs.
    #[must_use]
    pub fn finish(self, name: &str, inputs: &[Message], outputs: &[Message]) -> Vec<u8> {
        proto::model(name, &self.nodes, &self.constants, inputs, outputs).bytes()
    }

    /// Whether an extent stands for any number of samples.
    #[must_use]
    pub fn is_any(&self, extent: usize) -> bool {
        self.any.as_ref().is_some_and(|(n, _)| *n == extent)
    }

    /// The extents of a shape, as inputs and outputs declare them.
    #[must_use]
    pub fn extents(&self, dims: &[usize]) -> Vec<Extent> {
        dims.iter().map(|d| if self.is_any(*d) { Extent::Named(BATCH) } else { Extent::Known(*d) }).collect()
    }

    /// Adds a node; the name of its value.
    pub fn node(&mut self, op: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> String {
        self.made += 1;
        let name = format!("{}.{}", op.to_lowercase(), self.made);
        self.named(&name, op, inputs, attributes);
        name
    }

    /// Adds a node whose value has a given name.
    pub fn named(&mut self, name: &str, op: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) {
        self.nodes.push(proto::node(op, inputs, name, attributes));
    }

    /// Adds a constant of a given name.
    pub fn weight(&mut self, name: &str, dims: &[usize], values: &[f32]) {
        let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constants.push(proto::tensor(name, Type::Float, dims, &raw));
    }

    fn shared(&mut self, kind: Type, dims: &[usize], raw: Vec<u8>) -> String {
        let key = (kind, dims.to_vec(), raw);
        if let Some(name) = self.shared.get(&key) {
            return name.clone();
        }
        let name = format!("known.{}", self.shared.len() + 1);
        self.constants.push(proto::tensor(&name, kind, dims, &key.2));
        self.shared.insert(key, name.clone());
        name
    }

    /// A constant of integers.
    pub fn ints(&mut self, dims: &[usize], values: &[i64]) -> String {
        self.shared(Type::Int, dims, values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    /// A real constant.
    pub fn float(&mut self, value: f64) -> String {
        self.shared(Type::Float, &[], (value as f32).to_le_bytes().to_vec())
    }

    /// A constant of real or whole numbers.
    pub fn listed(&mut self, kind: Type, dims: &[usize], values: &[f64]) -> String {
        let raw = match kind {
            Type::Int => values.iter().flat_map(|v| (*v as i64).to_le_bytes()).collect(),
            _ => values.iter().flat_map(|v| (*v as f32).to_le_bytes()).collect(),
        };
        self.shared(kind, dims, raw)
    }

    /// A constant of truth values.
    pub fn bools(&mut self, dims: &[usize], values: &[bool]) -> String {
        self.shared(Type::Bool, dims, values.iter().map(|b| u8::from(*b)).collect())
    }

    /// A vector of axes.
    pub fn axes(&mut self, axes: &[usize]) -> String {
        let axes: Vec<i64> = axes.iter().map(|a| *a as i64).collect();
        self.ints(&[axes.len()], &axes)
    }

    /// The number of samples, as a vector of one element.
    fn batch(&mut self) -> Option<String> {
        let input = self.any.as_ref()?.1.clone();
        Some(self.node("Shape", &[&input], &[("start", Attribute::Int(0)), ("end", Attribute::Int(1))]))
    }

    /// A shape as a vector.
    pub fn shape(&mut self, dims: &[usize]) -> String {
        if !dims.iter().any(|d| self.is_any(*d)) {
            return self.axes(dims);
        }
        let parts: Vec<String> =
            dims.iter().filter_map(|d| if self.is_any(*d) { self.batch() } else { Some(self.axes(&[*d])) }).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        self.node("Concat", &parts, &[("axis", Attribute::Int(0))])
    }

    /// The numbers from 0 to below an extent.
    pub fn iota(&mut self, extent: usize) -> String {
        match if self.is_any(extent) { self.batch() } else { None } {
            None => self.ints(&[extent], &(0..extent as i64).collect::<Vec<_>>()),
            Some(batch) => {
                let axis = self.axes(&[0]);
                let (zero, one) = (self.ints(&[], &[0]), self.ints(&[], &[1]));
                let end = self.node("Squeeze", &[&batch, &axis], &[]);
                self.node("Range", &[&zero, &end, &one], &[])
            }
        }
    }
}
