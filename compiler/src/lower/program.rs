//! What lowering makes of a train block: a module in index notation, and what its tensors are to whoever runs it.

use crate::ir::Module;
use crate::typed::Supplied;

/// A module and the names by which the runtime finds its tensors.
#[derive(Clone, Debug)]
pub struct Program {
    /// The code.
    pub module: Module,
    /// For each field of the data set that the module reads: its place in `Train::fields` and its tensor.
    pub fields: Vec<(usize, String)>,
    /// Scalars to fill before each run.
    pub supplied: Vec<(Supplied, String)>,
    /// What comes out: objectives and metrics (means over the minibatch), outputs, gradients.
    pub results: Vec<(Produced, String)>,
    /// What sums over a split are made of, in the order of the pass's values: results of programs of the run's
    /// precision, inputs of [`super::programs::sums`].
    pub handed: Vec<String>,
}

/// What a result of a program is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Produced {
    /// Mean objective over the minibatch; in `evaluation` it is one for each sample where it is per sample.
    Objective(usize),
    /// Mean of a metric over the minibatch, likewise.
    Metric(String),
    /// A named local of the train block.
    Output(String),
    /// Derivative of objective `of` by a parameter.
    Gradient { parameter: usize, of: usize },
    /// What the minibatch adds to a sum over a whole split.
    Total(usize),
    /// A metric of a whole split.
    Report(String),
    /// The draws of a site, under its path.
    Draw(String),
}
