//! What holds where the elaborator is.

use crate::typed::IndexId;

/// What a distribution is to fill.
#[derive(Clone)]
pub(super) struct Target {
    /// The draw's or parameter's path.
    pub path: String,
    /// Extents, those of surrounding indices first.
    pub dims: Vec<usize>,
    /// The indices that run over them.
    pub axes: Vec<IndexId>,
    /// How many of the axes belong to the surroundings.
    pub lifted: usize,
    /// Whether there is a draw for each sample.
    pub per_sample: bool,
}
