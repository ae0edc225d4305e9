//! What holds where the elaborator is, and what a pass has used up so far. Both are plain values: whoever goes inside of
//! something or tries something clones one, and puts it back.

use super::entity::{PassKind, Term};
use super::frames::Activation;
use super::recurrence::Turns;
use crate::typed::IndexId;
use crate::typed::bounds::Affine;
use grammar::span::Span;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What holds here, and no longer outside.
#[derive(Clone)]
pub struct Context {
    /// The pass being written.
    pub pass: PassKind,
    /// What conditions say of indices.
    pub facts: Rc<Vec<Affine>>,
    /// Indices of the surrounding definitions and reductions.
    pub active: Vec<IndexId>,
    /// What the distribution being elaborated is to fill.
    pub target: Option<Rc<Target>>,
    /// The scan we are inside of.
    pub scan: Option<Rc<Turns>>,
    /// Whether an `if training` surrounds us.
    pub in_training_if: bool,
    /// Whether a metric surrounds us, which may sum over all samples of a split.
    pub measuring: bool,
}

impl Context {
    /// At the top of a pass.
    pub fn new(pass: PassKind) -> Self {
        let facts = Rc::default();
        Self { pass, facts, active: vec![], target: None, scan: None, in_training_if: false, measuring: false }
    }
}

/// What a pass has used up so far.
#[derive(Clone)]
pub(super) struct PassState {
    /// The instances we are inside of, outermost first, with the names given in them; never empty.
    pub activations: Vec<Activation>,
    /// The next value of states.
    pub next: BTreeMap<usize, Term>,
    /// How often a draw of a path was made.
    pub draws: BTreeMap<String, u32>,
}

impl PassState {
    /// At the beginning of a pass of the train block at the place.
    pub fn new(made: Span) -> Self {
        Self { activations: vec![Activation::outermost(made)], next: BTreeMap::new(), draws: BTreeMap::new() }
    }
}

/// What a distribution is to fill.
pub struct Target {
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
