//! The train block as its own expressions see it: fields of the data and locals, each elaborated when first used.

use super::entity::{Entity, Env, Term};
use crate::typed::Field;
use grammar::ast;
use std::collections::{BTreeMap, BTreeSet};

/// A local of the train block: not yet elaborated, being elaborated, or done.
#[derive(Clone)]
pub enum Progress<'a> {
    /// Not looked at.
    Waiting,
    /// Its value needs itself if it is asked for now.
    Running,
    /// Its value.
    Done(Entity<'a>),
}

/// The train block being elaborated.
pub struct TrainScope<'a> {
    /// Its syntax.
    pub block: &'a ast::Train,
    /// What its expressions see.
    pub env: Env<'a>,
    /// Its entries, in the current pass.
    pub progress: Vec<Progress<'a>>,
    /// Entries whose value something used.
    pub used: BTreeSet<usize>,
    /// The data set, by its fields.
    pub fields: Vec<Field>,
    /// What the pass at hand sees instead of a field, by the field's place.
    pub seen: BTreeMap<usize, Term>,
    /// Whether a field may be missing because its declaration, already reported, is wrong.
    pub fields_lost: bool,
    /// Whether several models share the block, so that each needs its name in paths.
    pub several_models: bool,
    /// The splits whose figures an epoch ends with.
    pub splits: Vec<&'static str>,
}
