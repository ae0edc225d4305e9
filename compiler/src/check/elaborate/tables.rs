//! What all passes of a train block share: its parameters, states and fields, each by a number.

use super::frames::Origin;
use crate::typed::{Field, Group, Parameter, State, ValueId};
use std::collections::BTreeMap;

/// A parameter and what only the checker needs to know of it.
pub struct ParameterInfo {
    /// As it will be in the typed tree.
    pub parameter: Parameter,
    /// The model it belongs to.
    pub model: Option<String>,
    /// The instance that declares it.
    pub origin: Origin,
}

/// What all passes of a train block share.
#[derive(Default)]
pub struct Tables {
    /// Parameters in order of first use.
    pub parameters: Vec<ParameterInfo>,
    /// Their numbers by path.
    pub parameter_numbers: BTreeMap<String, usize>,
    /// States in order of first use.
    pub states: Vec<State>,
    /// Their numbers by path.
    pub state_numbers: BTreeMap<String, usize>,
    /// The instances that declare them.
    pub state_origins: Vec<Origin>,
    /// States of the update rules.
    pub slots: Vec<State>,
    /// Fields of the data set that are used.
    pub fields: Vec<Field>,
    /// Draw sites taken, and by what.
    pub sites: BTreeMap<u32, String>,
    /// How many parameters there were when a set of them was last asked for.
    pub asked: Option<usize>,
    /// The objectives' names.
    pub objectives: Vec<String>,
    /// Which rule moves which parameters.
    pub groups: Vec<Group>,
    /// Figures that the update reads.
    pub figures: Vec<(String, String)>,
    /// What evaluation uses in the place of a parameter, as a value of the update pass.
    pub evaluated: BTreeMap<usize, ValueId>,
}
