//! The typed tree: what the checker makes of one `train` block. Every call is resolved and
//! instantiated, every extent is a number, every read is proven inside or guarded; what remains
//! is scalar expressions over indices, grouped in passes. Whole-tensor arithmetic has become
//! indexed definitions, layers have become parameters, states, draws and definitions under their
//! path, and nothing is known by name any more.
//!
//! The minibatch is still unwritten in types: a value is *per sample* or not. In expressions it is
//! explicit: the first position of every read of a per-sample value is its sample, which is
//! [`SAMPLE`] for the sample at hand. A definition whose value is per sample has [`SAMPLE`] free;
//! a reduction over `batch` binds it.

pub mod bounds;
pub mod expr;
pub mod print;
pub mod prune;
pub mod reach;

use crate::scalar::{Binary, Kind, Unary};
use grammar::span::Span;
pub use nnc_core::catalogue::Value as DataValue;
use nnc_core::number::Precision;
use nnc_core::random::Distribution;
use std::sync::Arc;

/// A value of a [`Pass`], by its place in [`Pass::values`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub u32);

/// An index, by its place in [`Pass::indices`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IndexId(pub u32);

/// The sample at hand: index 0 of every pass, of extent [`Extent::Batch`], named `batch`.
pub const SAMPLE: IndexId = IndexId(0);

/// How far an index runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extent {
    /// From 0 to below the number.
    Fixed(usize),
    /// Over the samples of the minibatch.
    Batch,
}

/// An index and its extent.
#[derive(Clone, Debug, PartialEq)]
pub struct Index {
    /// As written.
    pub name: String,
    /// Its range.
    pub extent: Extent,
}

/// What a tensor's elements are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Element {
    /// A real number.
    Number,
    /// A whole number from 0 to below the number of classes.
    Class(usize),
    /// The number of a sample of the minibatch.
    Sample,
    /// A truth value.
    Bool,
}

impl Element {
    /// The scalar kind that carries it.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::Number => Kind::Float,
            Self::Class(_) | Self::Sample => Kind::Int,
            Self::Bool => Kind::Bool,
        }
    }
}

/// The type of a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Type {
    /// Whether there is one for each sample of the minibatch.
    pub per_sample: bool,
    /// Extents, without the minibatch.
    pub dims: Vec<usize>,
    /// Of its elements.
    pub element: Element,
}

/// Which values of a metric are better.
pub use grammar::ast::Better;

/// Reductions; `mean`, `logsumexp`, `any` and `all` stay as written here.
pub use grammar::ast::ReduceOp;

/// A scalar expression over indices.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A Float.
    Number(f64),
    /// An Int (a dimension, an index or class number).
    Int(i64),
    /// A Bool.
    Bool(bool),
    /// An index as a value (Int).
    Index(IndexId),
    /// The number of samples in the minibatch (Int).
    BatchSize,
    /// An element of a value; the first position is the sample where the value is per sample.
    Read { value: ValueId, at: Vec<Expr>, otherwise: Option<Box<Expr>> },
    /// A scalar function; operands already have equal kinds (`ToFloat` is explicit).
    Unary(Unary, Box<Expr>),
    /// A scalar function of two arguments.
    Binary(Binary, Box<Expr>, Box<Expr>),
    /// `if c then a else b`, per element.
    Select(Box<Expr>, Box<Expr>, Box<Expr>),
    /// A reduction that binds `over`. `Argmax` yields an Int, row-major over `over`.
    Reduce { op: ReduceOp, over: Vec<IndexId>, body: Box<Expr> },
}

/// A number the runtime supplies at each step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Supplied {
    /// The number of this update, from 1 (Float).
    Step,
    /// How many updates there will be (Float).
    Steps,
    /// The number of this epoch, from 0 (Float).
    Epoch,
    /// The share of this minibatch in the samples of the update, 1 unless gradients are accumulated (Float).
    Share,
    /// A figure of the last epoch that has ended, by its place in [`Train::figures`]; infinite in the first (Float).
    Figure(usize),
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Definition {
    /// Field of the data set, by its place in [`Train::fields`].
    Field(usize),
    /// By its place in [`Train::parameters`].
    Parameter(usize),
    /// The state before this step, by its place in [`Train::states`].
    State(usize),
    /// An optimiser's state before this step, by its place in [`Train::slots`].
    Slot(usize),
    /// The objective's derivative by parameter (in the update pass only). `of` is the objective; `shifted` if it is
    /// taken at the gradient points.
    Gradient { parameter: usize, of: usize, shifted: bool },
    /// The sum over a whole split of what [`Outcome::Total`] of that number is for a minibatch.
    Total(usize),
    /// A number the runtime supplies.
    Supplied(Supplied),
    /// Numbers as the program lists them, row-major.
    Listed(Arc<[f64]>),
    /// Fresh draws; `site` is a hash of the instance path and use number.
    Draw { distribution: Distribution, site: u32 },
    /// `value[indices] = expr`; the indices match the type's dims.
    Indexed { indices: Vec<IndexId>, value: Expr },
    /// `value[at] += expr` over the indices, from zero; [`SAMPLE`] is implied where per sample.
    Accumulate { indices: Vec<IndexId>, at: Vec<Expr>, dropping: bool, value: Expr },
    /// A value as it was one turn earlier: what a `scan` carries. Along axis `turn` of the dims
    /// its element at turn t is that of `of` at turn t - 1, and at turn 0 that of `initial`.
    ///
    /// `of` has the very type of this value: both are per sample or neither is. `initial` has the
    /// same without the axis `turn`; it may be unbatched where this is per sample, and then all
    /// samples begin alike. `of` may be, and usually is, defined later in [`Pass::values`] from
    /// this value: everything that a scan's body computes has the turn as an index like any other,
    /// so that its values hold all turns at once, and a value that needs no earlier turn is
    /// no part of the recurrence. Within one turn no value may depend on itself.
    Delayed { of: ValueId, initial: ValueId, turn: usize },
}

/// A value of a pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// Its path: the instance's and its own name (`conv2d.y`).
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// Where it comes from.
    pub definition: Definition,
    /// Where it is defined in the source.
    pub span: Span,
    /// Whether the source says that what it takes of the minibatch it takes `per microbatch`.
    pub per_microbatch: bool,
    /// Whether it is what a layer or model gives to what is none: in metrics of whole splits all that is made of it is
    /// computed in 64 bits.
    pub given: bool,
}

/// What a pass is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The parameter's initial value (init pass) or next value (update pass).
    Parameter(usize),
    /// In the update pass: the point at which the gradient is taken instead of the parameter
    /// (`grad at p`).
    GradientPoint(usize),
    /// The state's initial value (init pass) or next value (training and evaluation pass).
    State(usize),
    /// The slot's initial value (init pass) or next value (update pass).
    Slot(usize),
    /// An objective to be minimised; a per-sample one means its mean over the minibatch.
    Objective(usize),
    /// A metric, likewise.
    Metric(String),
    /// What a minibatch adds to a sum over a whole split, by number.
    Total(usize),
    /// A metric of a whole split, computed from [`Definition::Total`]s alone.
    Report(String),
    /// A named local of the train block (`logits`), for `predict`.
    Output(String),
}

/// A list of values, each before its uses but for [`Definition::Delayed`], and which of them matter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pass {
    /// Index 0 is [`SAMPLE`].
    pub indices: Vec<Index>,
    /// In order of definition.
    pub values: Vec<Value>,
    /// What comes out.
    pub outcomes: Vec<(Outcome, ValueId)>,
}

/// A trainable tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Path of bindings (`fc1.W`).
    pub path: String,
    /// Path with saved names (`fc1.weight`).
    pub saved: String,
    /// Extents.
    pub dims: Vec<usize>,
    /// Its `param` statement.
    pub span: Span,
    /// The application that made the instance it belongs to.
    pub instance: Span,
    /// Left out of training by `freeze`.
    pub frozen: bool,
    /// Frozen, though its initial value is drawn at random and the program does not say that this is meant: it must be
    /// given a value by what the block starts from.
    pub needs_value: bool,
    /// The slot, by its place in [`Train::slots`], that evaluation uses in the place of the parameter (`eval = e`).
    pub evaluated: Option<usize>,
}

/// A tensor that training carries from step to step beside the parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Path of bindings.
    pub path: String,
    /// Path with saved names.
    pub saved: String,
    /// Extents.
    pub dims: Vec<usize>,
    /// Its `state` statement.
    pub span: Span,
    /// Whether its next value stands under an `if training` or its `else`, so that the program says what evaluation does.
    pub told: bool,
}

/// A field of the data set as the network sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name in the data block.
    pub name: String,
    /// Per sample always.
    pub ty: Type,
    /// The columns of the source that it reads, put one behind the other; none if it has a source of its own.
    pub columns: Vec<String>,
    /// Applied in order to the column, such as `standardize`.
    pub transforms: Vec<DataCall>,
    /// Its line.
    pub span: Span,
}

/// A loader or transform of the runtime, called with plain values.
#[derive(Clone, Debug, PartialEq)]
pub struct DataCall {
    /// Its name, as in [`nnc_core::catalogue`].
    pub name: String,
    /// Positional arguments first, then named ones.
    pub args: Vec<(Option<String>, DataValue)>,
    /// The call.
    pub span: Span,
}

/// Samples made by a rule: `for a: 97, b: 97 { .. }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// How many.
    pub count: usize,
    /// For each field an [`Outcome::Output`] of its name: a value whose first dimensions are the
    /// rule's indices, which together, row-major, are the number of the sample.
    pub pass: Pass,
}

/// The data a train block uses.
#[derive(Clone, Debug, PartialEq)]
pub struct DataSet {
    /// Its name.
    pub name: String,
    /// `train`, `valid`, `test` and where each comes from.
    pub splits: Vec<(String, DataCall)>,
    /// Where the samples come from instead, if a rule makes them.
    pub generated: Option<Generated>,
    /// Other settings of the block (`samples = 1201`, `noise`, `subset`).
    pub settings: Vec<(String, DataValue, Span)>,
    /// Its name in the source.
    pub span: Span,
}

/// `stop = early_stopping(monitor = valid.loss, patience = 3)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Stopping {
    /// Split and metric watched, such as `valid.loss`.
    pub monitor: String,
    /// Epochs without improvement before it stops.
    pub patience: usize,
    /// Which values of the figure are better.
    pub better: Better,
}

/// The settings of a train block that are numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Samples in a minibatch; `None` in a program without data.
    pub batch: Option<usize>,
    /// Passes over the training split.
    pub epochs: Option<usize>,
    /// Updates, where given instead of epochs.
    pub steps: Option<usize>,
    /// Minibatches whose gradients make one update.
    pub accumulate: usize,
    /// The seed of all randomness.
    pub seed: u64,
    /// Share of the training split kept for validation: `valid = split(0.1)`.
    pub valid_share: Option<f64>,
    /// Early stopping.
    pub stop: Option<Stopping>,
    /// Whether training data is shuffled each epoch (default true).
    pub shuffle: bool,
    /// The numbers computed with (default 32 bits).
    pub precision: Precision,
}

/// Parameters that one rule moves.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The rule as written, without the set it is for.
    pub rule: Span,
    /// By their places in [`Train::parameters`].
    pub parameters: Vec<usize>,
}

/// `start = other.weights`.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// The train block whose parameters this one starts from, where they have the same names.
    pub train: String,
    /// Its only model, whose name its paths do not have, where this block has several, whose paths have theirs.
    pub model: Option<String>,
    /// Where it is said.
    pub span: Span,
}

/// One checked `train` block.
#[derive(Clone, Debug, PartialEq)]
pub struct Train {
    /// Its name.
    pub name: String,
    /// The objectives' names in reports, in the order in which they are stepped: `loss` for one alone; several are
    /// reported with their sum, which is the `loss` then.
    pub objectives: Vec<String>,
    /// Which rule moves which parameters.
    pub groups: Vec<Group>,
    /// Figures that the update reads, as split and name: `("valid", "loss")`.
    pub figures: Vec<(String, String)>,
    /// The block whose weights this one starts from.
    pub start: Option<Start>,
    /// The data, unless the program minimises a function.
    pub data: Option<DataSet>,
    /// The data's fields that the passes use.
    pub fields: Vec<Field>,
    /// All parameters; the same for both modes.
    pub parameters: Vec<Parameter>,
    /// All states.
    pub states: Vec<State>,
    /// The optimisers' states.
    pub slots: Vec<State>,
    /// Initial values of parameters, states and slots.
    pub init: Pass,
    /// Forward pass with `training` true: objectives, metrics, next states.
    pub training: Pass,
    /// Forward pass with `training` false: objectives, metrics, outputs.
    pub evaluation: Pass,
    /// From parameters, gradients and slots to their next values, clipping included.
    pub update: Pass,
    /// Numbers.
    pub settings: Settings,
    /// The block's name in the source.
    pub span: Span,
}

impl Train {
    /// The extents of the sum over a split of that number.
    #[must_use]
    pub fn total_dims(&self, number: usize) -> Vec<usize> {
        let total = self.evaluation.outcomes.iter().find(|(o, _)| *o == Outcome::Total(number));
        total.map_or_else(Vec::new, |(_, id)| self.evaluation.v(*id).ty.dims.clone())
    }

    /// The states whose next values stand outside `if training`: evaluation carries them on from minibatch to minibatch,
    /// from their initial values at the beginning of a split. All others it reads as training has left them.
    #[must_use]
    pub fn carried(&self) -> Vec<usize> {
        let state = |(outcome, _): &(Outcome, ValueId)| match outcome {
            Outcome::State(s) => Some(*s),
            _ => None,
        };
        self.evaluation.outcomes.iter().filter_map(state).collect()
    }

    /// The path of the tensor that evaluation uses for a parameter, and that is saved as its value.
    #[must_use]
    pub fn evaluated_path(&self, parameter: usize) -> &str {
        let p = &self.parameters[parameter];
        p.evaluated.map_or(&p.path, |slot| &self.slots[slot].path)
    }
}

impl Pass {
    /// How far an index runs.
    pub fn extent(&self, id: IndexId) -> Extent {
        self.indices[id.0 as usize].extent
    }

    /// The scalar kind of an expression.
    pub fn kind_of(&self, expr: &Expr) -> Kind {
        match expr {
            Expr::Number(_) => Kind::Float,
            Expr::Int(_) | Expr::Index(_) | Expr::BatchSize => Kind::Int,
            Expr::Bool(_) => Kind::Bool,
            Expr::Read { value, .. } => self.v(*value).ty.element.kind(),
            Expr::Unary(op, a) => op.result(self.kind_of(a)),
            Expr::Binary(op, a, _) => op.result(self.kind_of(a)),
            Expr::Select(_, a, _) => self.kind_of(a),
            Expr::Reduce { op, body, .. } => match op {
                ReduceOp::Argmax => Kind::Int,
                _ => self.kind_of(body),
            },
        }
    }

    /// The value of that id.
    #[must_use]
    pub fn v(&self, id: ValueId) -> &Value {
        &self.values[id.0 as usize]
    }
}

/// A tensor given to a [`Function`].
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// The name of the parameter.
    pub name: String,
    /// Never per sample.
    pub ty: Type,
    /// The parameter.
    pub span: Span,
}

/// A callable checked on its own, with inputs of stated extents. In its pass,
/// [`Definition::Field`] is an input by number; every outcome is an [`Outcome::Output`].
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The inputs, in order.
    pub inputs: Vec<Input>,
    /// Those of the layers in it.
    pub parameters: Vec<Parameter>,
    /// Those of the layers in it.
    pub states: Vec<State>,
    /// The body, with `training` true.
    pub pass: Pass,
}
