//! What a program asks of the runtime's data: a plain mirror of a checked data block.

use super::files::Files;
use super::record::Record;
use super::table::Table;
pub use nnc_core::catalogue::Value;

/// A data block with the settings of the train block that concern data.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The block's name.
    pub name: String,
    /// `train`, `valid`, `test` and where each comes from. May be empty if every field has a source
    /// of its own; then there is the split `train` only.
    pub splits: Vec<(String, Origin)>,
    /// What the network sees of a sample.
    pub fields: Vec<Field>,
    /// `samples`, `noise`, `subset`: see [`nnc_core::catalogue::SETTINGS`].
    pub settings: Vec<(String, Value)>,
    /// The share of the training split to set aside for validation.
    pub valid_share: Option<f64>,
    /// The most samples that each split keeps.
    pub at_most: Option<usize>,
    /// The program's seed.
    pub seed: u64,
    /// Whether the run's numbers have 64 bits rather than 32.
    pub double: bool,
    /// What the weights to be used were trained on, where that is known: the data must fit it.
    pub record: Option<Record>,
    /// Where files are looked for.
    pub files: Files,
}

/// Where the samples of a split come from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A loader of the catalogue.
    Call(Call),
    /// Samples computed before, such as those of a rule.
    Table(Table),
}

/// A field of the data block.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Extents of one sample's value.
    pub dims: Vec<usize>,
    /// Of its elements.
    pub element: Element,
    /// The columns it reads, put one behind the other; none if the first of `transforms` is a source
    /// of its own (`random_normal(..)`).
    pub columns: Vec<String>,
    /// Applied in order.
    pub transforms: Vec<Call>,
}

/// What a field's elements are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// Real numbers.
    Number,
    /// Whole numbers from 0 to below the number of classes.
    Class(usize),
}

/// A loader, source or transform with its arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Its name in the catalogue.
    pub name: String,
    /// Positional arguments first, then named ones.
    pub args: Vec<(Option<String>, Value)>,
}

impl Field {
    /// Elements of one sample's value.
    #[must_use]
    pub fn width(&self) -> usize {
        self.dims.iter().product()
    }
}
