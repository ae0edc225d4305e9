//! Puts a module's items into steps, each of which becomes one launch.
//!
//! Pointwise definitions over one domain share a step where all that a later one reads of an earlier
//! one is its own element: values then pass in registers. A definition may move up to an earlier
//! step, never past one that defines what it reads, nor into a recurrence or out of it.

use crate::ir::recurrence::Recurrence;
use crate::ir::{Combine, Def, Draw, Item, Listed, Module, Node, TensorId};
use crate::optimise::expr::{reads, roots, sources};
use std::collections::{BTreeMap, BTreeSet};

/// Definitions in one pointwise step at most: values passed in registers should fit there.
const MEMBERS: usize = 8;

/// Items that run together.
#[derive(Clone, Debug)]
pub enum Group {
    /// Definitions over one domain; several only if pointwise. All of them or none are members of the
    /// recurrence of that number, with the same turn.
    Defs(Vec<Def>, Option<usize>),
    /// A draw.
    Draw(Draw),
    /// A list of numbers.
    Listed(Listed),
}

impl Group {
    /// Tensors it defines.
    pub fn targets(&self) -> impl Iterator<Item = TensorId> {
        let (defs, draw): (&[Def], _) = match self {
            Self::Defs(defs, _) => (defs, None),
            Self::Draw(draw) => (&[], Some(draw.target)),
            Self::Listed(listed) => (&[], Some(listed.target)),
        };
        defs.iter().map(|d| d.target).chain(draw)
    }

    /// Tensors it reads that it has not defined by then.
    #[must_use]
    pub fn sources(&self, module: &Module) -> BTreeSet<TensorId> {
        let Self::Defs(defs, _) = self else { return BTreeSet::new() };
        let mut all: BTreeSet<TensorId> = BTreeSet::new();
        for (known, def) in defs.iter().enumerate() {
            let read = sources(module, &Item::Def(def.clone()));
            all.extend(read.into_iter().filter(|t| defs[..known].iter().all(|d| d.target != *t)));
        }
        all
    }

    /// The recurrence whose member it is, by number.
    #[must_use]
    pub fn recurrence(&self) -> Option<usize> {
        match self {
            Self::Defs(_, recurrence) => *recurrence,
            Self::Draw(_) | Self::Listed(_) => None,
        }
    }
}

/// Groups the items, in execution order.
#[must_use]
pub fn group(module: &Module, recurrences: &[Recurrence]) -> Vec<Group> {
    let mut groups: Vec<Group> = vec![];
    let mut step_of: BTreeMap<TensorId, usize> = BTreeMap::new();
    for (place, item) in module.items.iter().enumerate() {
        let number = recurrences.iter().position(|r| r.items.contains(&place));
        let within = (number, number.map(|n| &recurrences[n]));
        let step = match item {
            Item::Def(def) if is_pointwise(def) => join(module, &mut groups, &step_of, def, within),
            Item::Def(def) => push(&mut groups, Group::Defs(vec![def.clone()], number)),
            Item::Draw(draw) => push(&mut groups, Group::Draw(draw.clone())),
            Item::Listed(listed) => push(&mut groups, Group::Listed(listed.clone())),
        };
        step_of.insert(item.target(), step);
    }
    groups
}

fn push(groups: &mut Vec<Group>, group: Group) -> usize {
    groups.push(group);
    groups.len() - 1
}

fn is_pointwise(def: &Def) -> bool {
    def.combine == Combine::Set && def.scatter.is_none()
}

/// Adds a pointwise definition to the last group it may join, or as a new one.
fn join(
    module: &Module,
    groups: &mut Vec<Group>,
    step_of: &BTreeMap<TensorId, usize>,
    def: &Def,
    (number, recurrence): (Option<usize>, Option<&Recurrence>),
) -> usize {
    let read = sources(module, &Item::Def(def.clone()));
    let first = read.iter().filter_map(|t| step_of.get(t)).copied().max().unwrap_or(0);
    let axis = |t: TensorId| recurrence.and_then(|r| r.axis(t));
    let same_turn =
        |g: &Group| g.recurrence() == number && g.targets().next().is_some_and(|t| axis(t) == axis(def.target));
    let fits = |g: &usize| same_turn(&groups[*g]) && may_join(module, &groups[*g], def);
    let candidate = (first..groups.len()).rev().find(fits);
    match candidate.map(|g| (g, &mut groups[g])) {
        Some((g, Group::Defs(members, _))) => {
            members.push(def.clone());
            g
        }
        _ => push(groups, Group::Defs(vec![def.clone()], number)),
    }
}

fn may_join(module: &Module, group: &Group, def: &Def) -> bool {
    let Group::Defs(members, _) = group else { return false };
    let same_domain = members.len() < MEMBERS && is_pointwise(&members[0]) && members[0].domain == def.domain;
    let targets: BTreeSet<TensorId> = group.targets().collect();
    same_domain && reads_own_elements(module, def, &targets)
}

/// Whether all that is read of `targets` is the element being defined.
fn reads_own_elements(module: &Module, def: &Def, targets: &BTreeSet<TensorId>) -> bool {
    let own = |at: &[crate::ir::ExprId]| at.iter().enumerate().all(|(v, p)| *module.node(*p) == Node::Var(v as u32));
    let all = roots(&Item::Def(def.clone())).into_iter().flat_map(|root| reads(module, root));
    let mut relevant = all.filter_map(|read| match module.node(read) {
        Node::Read { tensor, at, .. } if targets.contains(tensor) => Some(own(at)),
        _ => None,
    });
    relevant.all(|own| own)
}
