//! The index-notation IR: a program is a list of tensor definitions over explicit, concrete
//! extents. There is no catalogue of operators; a dense layer, a convolution, a loss and an
//! optimiser are all definitions of one form:
//!
//! ```text
//! T[i0, i1] = sum[r0: 784] W[i1, r0] * x[i0, r0]          a projection (reduces r0)
//! T[i0] = max(x[i0], 0)                                    pointwise
//! over [i0: 3, i1: 4]  T[2*i0 + i1] += e                   a scatter
//! listed T: f[3] = [0.5, -1.0, 2.0]                        numbers as they are
//! ```
//!
//! Expressions are hash-consed in one arena per module, so equal expressions have equal ids and
//! sharing inside a definition is free. They mention the definition's domain variables by number,
//! so two definitions over the same domain share expressions too. The batch is an ordinary axis
//! here (the first one of every per-sample tensor).
//!
//! Invariants (the verifier checks them): tensors are defined once and, but for the members of one
//! [`recurrence`], before they are read;
//! inputs and persistent tensors are never a target; a projection's first `rank` variables have
//! the extents of the target; positions are Int, and lie inside the tensor unless the read has an
//! `otherwise` (or the scatter is `dropping`); operands have the kinds of [`crate::scalar`].

pub mod affine;
pub mod build;
pub mod cost;
pub mod evaluate;
pub mod interpret;
pub mod random;
mod range;
pub mod recurrence;
mod rewrite;
pub mod text;
pub mod verify;

pub use affine::Linear;
pub use range::Interval;

use crate::scalar::{Binary, Kind, Unary};
use crate::tally::{Work, count};
use grammar::span::Span;
use nnc_core::random::Distribution;
use std::collections::HashMap;
use std::sync::Arc;

/// Index of a node in [`Module::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExprId(pub u32);

/// Index of a tensor in [`Module::tensors`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorId(pub u32);

/// A scalar expression over domain variables.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    /// A Float constant, by its f64 bits.
    Float(u64),
    /// An Int constant.
    Int(i64),
    /// A Bool constant.
    Bool(bool),
    /// The domain variable of that number (Int).
    Var(u32),
    /// An element of a tensor. With `otherwise`, a position outside yields that instead.
    Read { tensor: TensorId, at: Box<[ExprId]>, otherwise: Option<ExprId> },
    /// A function of one argument.
    Unary(Unary, ExprId),
    /// A function of two arguments.
    Binary(Binary, ExprId, ExprId),
    /// `Select(c, a, b)`: a where c, else b; the other branch leaks neither value nor gradient.
    Select(ExprId, ExprId, ExprId),
}

/// How a definition's values combine into an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Combine {
    /// Exactly one value an element: pointwise.
    Set,
    /// Sum, from 0.
    Sum,
    /// Product, from 1.
    Prod,
    /// Largest, from minus infinity (Float) or the least integer; for Bool, or.
    Max,
    /// Smallest, from infinity; for Bool, and.
    Min,
    /// Row-major number of the first largest, over the reduced variables (value Float, target Int).
    Argmax,
}

/// Where a scatter's values go: `over domain: target[at] += value`, elements starting from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scatter {
    /// A position for each axis of the target.
    pub at: Vec<ExprId>,
    /// Values whose position lies outside the target are dropped.
    pub dropping: bool,
}

/// One definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Def {
    /// What is defined.
    pub target: TensorId,
    /// Extents of the domain variables 0, 1, ..
    pub domain: Vec<usize>,
    /// How values combine. A scatter is always `Sum`.
    pub combine: Combine,
    /// The value at a point of the domain.
    pub value: ExprId,
    /// `None`: a projection; variable k < rank is position k of the target, the rest are reduced.
    pub scatter: Option<Scatter>,
}

impl Def {
    /// The expressions it evaluates: its scatter positions and its value.
    #[must_use]
    pub fn roots(&self) -> Vec<ExprId> {
        self.scatter.iter().flat_map(|s| s.at.iter().copied()).chain([self.value]).collect()
    }
}

/// Random numbers by counter; see `nnc_core::random` for the counter's layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw {
    /// Filled with draws (Float).
    pub target: TensorId,
    /// Which draw site: a hash of the instance path and use number.
    pub site: u32,
    /// Of what.
    pub distribution: Distribution,
    /// Whether the first axis is the sample.
    pub per_sample: bool,
}

/// Numbers as the program lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Filled with them (Float or Int).
    pub target: TensorId,
    /// The bits of each as an f64, row-major.
    pub bits: Arc<[u64]>,
}

impl Listed {
    /// The numbers of a target, row-major.
    #[must_use]
    pub fn new(target: TensorId, values: &[f64]) -> Self {
        Self { target, bits: values.iter().map(|v| v.to_bits()).collect() }
    }

    /// The numbers, row-major.
    pub fn values(&self) -> impl Iterator<Item = f64> {
        self.bits.iter().map(|b| f64::from_bits(*b))
    }
}

/// One step of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A definition.
    Def(Def),
    /// A draw.
    Draw(Draw),
    /// A list of numbers.
    Listed(Listed),
}

impl Item {
    /// The tensor it defines.
    #[must_use]
    pub fn target(&self) -> TensorId {
        match self {
            Self::Def(d) => d.target,
            Self::Draw(d) => d.target,
            Self::Listed(l) => l.target,
        }
    }

    /// The definition, if it is one.
    #[must_use]
    pub fn def(&self) -> Option<&Def> {
        match self {
            Self::Def(d) => Some(d),
            Self::Draw(_) | Self::Listed(_) => None,
        }
    }
}

/// Where a tensor's contents come from and how long they live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Filled by the runtime before each run of the module.
    Input,
    /// Lives from run to run: parameters, states, optimiser slots. Changed only through `updates`.
    Persistent,
    /// Defined by an item; need not outlive the run unless it is an output.
    Temporary,
}

/// A tensor: name, extents, kind, role and the source it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Unique in the module; paths such as `conv1.W`.
    pub name: String,
    /// Extents; empty for a scalar.
    pub shape: Vec<usize>,
    /// Of its elements.
    pub kind: Kind,
    /// Where it comes from.
    pub role: Role,
    /// The definition in the source, for messages.
    pub span: Option<Span>,
}

impl Tensor {
    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        points(&self.shape)
    }

    /// Whether it has no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Elements of one tensor beyond which no machine holds it.
const MOST_ELEMENTS: usize = 1 << 40;
/// Points of one domain beyond which nothing is computed over it: far more than can be, and few enough that counts of
/// operations fit 64 bits.
const MOST_POINTS: usize = 1 << 55;

/// The product of some extents, or the largest number if it is larger.
#[must_use]
pub fn points(extents: &[usize]) -> usize {
    extents.iter().fold(1, |n: usize, extent| n.saturating_mul(*extent))
}

/// A program in index notation.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// All tensors.
    pub tensors: Vec<Tensor>,
    /// The expression arena; append only, through the builder functions.
    pub nodes: Vec<Node>,
    /// The kind of each node: found once, from those of its operands, which are there before it.
    kinds: Vec<Kind>,
    interned: HashMap<Node, ExprId>,
    /// The tensors' names, and the number that makes the next one of that name another.
    names: HashMap<String, u32>,
    /// In execution order.
    pub items: Vec<Item>,
    /// What the runtime may read after a run, by name.
    pub outputs: Vec<(String, TensorId)>,
    /// After a run, the persistent tensor (first) takes the contents of the second.
    pub updates: Vec<(TensorId, TensorId)>,
}

impl Module {
    /// Adds a tensor; its name is made unique by a number where it is taken.
    pub fn tensor(&mut self, name: &str, shape: Vec<usize>, kind: Kind, role: Role, span: Option<Span>) -> TensorId {
        let mut unique = name.to_string();
        if let Some(next) = self.names.get(name).copied() {
            let mut k = next;
            unique = format!("{name}#{k}");
            while self.names.contains_key(&unique) {
                k += 1;
                unique = format!("{name}#{k}");
            }
            self.names.insert(name.to_string(), k + 1);
        }
        self.names.insert(unique.clone(), 2);
        self.tensors.push(Tensor { name: unique, shape, kind, role, span });
        TensorId((self.tensors.len() - 1) as u32)
    }

    /// A tensor that no machine holds, or whose definition nobody can wait for.
    #[must_use]
    pub fn uncountable(&self) -> Option<TensorId> {
        let large = self.tensors.iter().position(|t| t.len() > MOST_ELEMENTS).map(|n| TensorId(n as u32));
        let long = |def: &&Def| points(&def.domain) > MOST_POINTS;
        large.or_else(|| self.items.iter().filter_map(Item::def).find(long).map(|def| def.target))
    }

    /// The tensor of that id.
    #[must_use]
    pub fn t(&self, id: TensorId) -> &Tensor {
        &self.tensors[id.0 as usize]
    }

    /// The node of that id.
    #[must_use]
    pub fn node(&self, id: ExprId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// Interns a node as it is (no rewriting).
    pub fn intern(&mut self, node: Node) -> ExprId {
        if let Some(id) = self.interned.get(&node) {
            return *id;
        }
        let id = ExprId(self.nodes.len() as u32);
        self.kinds.push(self.kind_of(&node));
        self.nodes.push(node.clone());
        self.interned.insert(node, id);
        id
    }

    /// A Float constant.
    pub fn float(&mut self, value: f64) -> ExprId {
        self.intern(Node::Float(value.to_bits()))
    }

    /// An Int constant.
    pub fn int(&mut self, value: i64) -> ExprId {
        self.intern(Node::Int(value))
    }

    /// A domain variable.
    pub fn var(&mut self, number: u32) -> ExprId {
        self.intern(Node::Var(number))
    }

    /// A read proven inside.
    pub fn read(&mut self, tensor: TensorId, at: Vec<ExprId>) -> ExprId {
        self.intern(Node::Read { tensor, at: at.into(), otherwise: None })
    }

    /// A read of the element at variables `0..rank` of the tensor.
    pub fn read_here(&mut self, tensor: TensorId) -> ExprId {
        let rank = self.t(tensor).shape.len() as u32;
        let at = (0..rank).map(|v| self.var(v)).collect();
        self.read(tensor, at)
    }

    /// A function of one argument, unsimplified.
    pub fn unary(&mut self, op: Unary, a: ExprId) -> ExprId {
        self.intern(Node::Unary(op, a))
    }

    /// A function of two arguments, unsimplified.
    pub fn binary(&mut self, op: Binary, a: ExprId, b: ExprId) -> ExprId {
        self.intern(Node::Binary(op, a, b))
    }

    /// A choice, unsimplified.
    pub fn select(&mut self, c: ExprId, a: ExprId, b: ExprId) -> ExprId {
        self.intern(Node::Select(c, a, b))
    }

    /// The kind of an expression.
    #[must_use]
    pub fn kind(&self, id: ExprId) -> Kind {
        self.kinds[id.0 as usize]
    }

    fn kind_of(&self, node: &Node) -> Kind {
        match node {
            Node::Float(_) => Kind::Float,
            Node::Int(_) | Node::Var(_) => Kind::Int,
            Node::Bool(_) => Kind::Bool,
            Node::Read { tensor, .. } => self.t(*tensor).kind,
            Node::Unary(op, a) => op.result(self.kind(*a)),
            Node::Binary(op, a, _) => op.result(self.kind(*a)),
            Node::Select(_, a, _) => self.kind(*a),
        }
    }

    /// The operands of a node, positions and `otherwise` of a read included.
    #[must_use]
    pub fn operands(&self, id: ExprId) -> Vec<ExprId> {
        count(Work::Nodes);
        match self.node(id) {
            Node::Float(_) | Node::Int(_) | Node::Bool(_) | Node::Var(_) => vec![],
            Node::Read { at, otherwise, .. } => at.iter().copied().chain(*otherwise).collect(),
            Node::Unary(_, a) => vec![*a],
            Node::Binary(_, a, b) => vec![*a, *b],
            Node::Select(c, a, b) => vec![*c, *a, *b],
        }
    }

    /// Adds a projection that defines a new temporary of the given shape: `domain` is the shape
    /// followed by the reduced extents.
    pub fn define(
        &mut self,
        name: &str,
        shape: Vec<usize>,
        reduced: &[usize],
        combine: Combine,
        value: ExprId,
        span: Option<Span>,
    ) -> TensorId {
        let kind = if combine == Combine::Argmax { Kind::Int } else { self.kind(value) };
        let domain = shape.iter().chain(reduced).copied().collect();
        let target = self.tensor(name, shape, kind, Role::Temporary, span);
        self.items.push(Item::Def(Def { target, domain, combine, value, scatter: None }));
        target
    }
}
