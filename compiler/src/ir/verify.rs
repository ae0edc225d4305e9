//! The verifier: says what is wrong with a module, after every pass in tests and debug builds.
//!
//! * Names are unique. Every temporary is defined by exactly one item, before it is read (members of
//!   one recurrence: at an earlier turn, or earlier in the turn); inputs and persistent tensors by none.
//!   A draw is Float.
//! * A projection's first variables have the extents of the target; a pointwise definition has no
//!   others, no scatter is anything but a sum. Kinds of value and target agree (`Argmax`: Float, Int).
//! * Every operand has a kind that its function takes; a divisor of `FloorDiv` and `Mod` is a
//!   positive constant; variables belong to the domain; a read has a position for each axis.
//! * No unguarded read or scatter leaves its tensor at any point of the domain, as far as positions
//!   over variables alone say, and unless it stands in a branch of a choice, which may exclude it.
//! * Outputs and updates name tensors that have a value; an update changes a persistent tensor to
//!   one of its shape and kind.

use super::recurrence::{cyclic_ranges, recurrence};
use super::{Combine, Def, ExprId, Item, Module, Node, Role, TensorId};
use crate::scalar::{Binary, Kind};
use std::collections::{BTreeSet, HashSet};

/// Up to so many points of a domain are all tried; of larger ones, the corners.
const POINTS: usize = 4096;

/// Verifies a module in debug builds.
///
/// # Panics
/// When something does not hold after the stage of that name: a fault of the compiler.
pub fn expect_verified(module: &Module, stage: &str) {
    if cfg!(debug_assertions)
        && let Err(wrong) = verify(module)
    {
        panic!("after {stage}: {}", wrong.join("; "));
    }
}

/// Checks all that is said at the head of this file.
///
/// # Errors
/// A sentence for each thing wrong.
pub fn verify(module: &Module) -> Result<(), Vec<String>> {
    let mut verifier =
        Verifier { m: module, defined: HashSet::new(), open: HashSet::new(), wrong: Vec::new(), place: String::new() };
    verifier.module();
    if verifier.wrong.is_empty() { Ok(()) } else { Err(verifier.wrong) }
}

struct Verifier<'a> {
    m: &'a Module,
    defined: HashSet<TensorId>,
    /// The members of the recurrence being checked.
    open: HashSet<TensorId>,
    wrong: Vec<String>,
    /// The definition being checked.
    place: String,
}

impl Verifier<'_> {
    fn demand(&mut self, holds: bool, message: impl FnOnce() -> String) {
        if !holds {
            let message = format!("{}: {}", self.place, message());
            self.wrong.push(message);
        }
    }

    fn module(&mut self) {
        self.place = "module".into();
        let mut names = HashSet::new();
        for (k, tensor) in self.m.tensors.iter().enumerate() {
            self.demand(names.insert(tensor.name.as_str()), || format!("`{}` names two tensors", tensor.name));
            if tensor.role != Role::Temporary {
                self.defined.insert(TensorId(k as u32));
            }
        }
        let mut recurrences = cyclic_ranges(self.m).into_iter().peekable();
        for (k, item) in self.m.items.iter().enumerate() {
            if let Some(range) = recurrences.next_if(|r| r.start == k) {
                self.cycle(range);
            }
            self.item(item);
        }
        self.ends();
    }

    /// Items that depend on each other must be a recurrence.
    fn cycle(&mut self, items: std::ops::Range<usize>) {
        let first = self.m.items[items.start].target();
        self.place = if self.exists(first) { self.m.t(first).name.clone() } else { "module".into() };
        self.open.clear();
        if recurrence(self.m, items.clone()).is_some() {
            self.open = self.m.items[items].iter().map(Item::target).collect();
        } else {
            let last = self.m.items[items.end - 1].target();
            self.demand(false, || format!("is read before it is defined, up to {last:?}, and they are no recurrence"));
        }
    }

    fn ends(&mut self) {
        self.place = "module".into();
        for (label, tensor) in &self.m.outputs {
            self.demand(self.defined.contains(tensor), || format!("output `{label}` has no value"));
        }
        for (to, from) in &self.m.updates {
            let known = self.exists(*to) && self.defined.contains(from);
            self.demand(known, || format!("update {to:?} = {from:?} names a tensor without a value"));
            if known {
                let (to, from) = (self.m.t(*to), self.m.t(*from));
                self.demand(to.role == Role::Persistent, || format!("`{}` is updated but not persistent", to.name));
                let alike = to.shape == from.shape && to.kind == from.kind;
                self.demand(alike, || format!("`{}` is updated by `{}` of another type", to.name, from.name));
            }
        }
    }

    fn exists(&self, tensor: TensorId) -> bool {
        (tensor.0 as usize) < self.m.tensors.len()
    }

    fn item(&mut self, item: &Item) {
        let target = item.target();
        if !self.exists(target) {
            return self.demand(false, || format!("an item defines {target:?}, which is no tensor"));
        }
        self.place = self.m.t(target).name.clone();
        let temporary = self.m.t(target).role == Role::Temporary;
        self.demand(temporary, || "is defined, but not a temporary".into());
        match item {
            Item::Def(def) => self.definition(def),
            Item::Listed(listed) => {
                let tensor = self.m.t(target);
                self.demand(tensor.kind != Kind::Bool, || "is a list, but of truth values".into());
                let whole = tensor.kind == Kind::Float || listed.values().all(|v| v == f64::from(v as i32));
                self.demand(whole, || "is Int, but a number of its list is not".into());
                let (given, wanted) = (listed.bits.len(), tensor.len());
                self.demand(given == wanted, || format!("is given {given} numbers, but has {wanted}"));
            }
            Item::Draw(_) => self.demand(self.m.t(target).kind == Kind::Float, || "is drawn, but not Float".into()),
        }
        let first = self.defined.insert(target) || !temporary;
        self.demand(first, || "is defined twice".into());
    }

    fn definition(&mut self, def: &Def) {
        let target = self.m.t(def.target);
        let roots: Vec<ExprId> = def.scatter.iter().flat_map(|s| s.at.iter().copied()).chain([def.value]).collect();
        let before = self.wrong.len();
        for id in self.m.reachable(&roots) {
            self.node(id, def);
        }
        if self.wrong.len() > before {
            return;
        }
        self.kinds(def);
        match &def.scatter {
            Some(scatter) => {
                self.demand(def.combine == Combine::Sum, || format!("a scatter is a sum, not {:?}", def.combine));
                self.position(def.target, &scatter.at);
                if !scatter.dropping {
                    self.stays_inside(def.target, &scatter.at, &def.domain);
                }
            }
            None => {
                let fits = def.domain.starts_with(&target.shape);
                self.demand(fits, || format!("the domain {:?} does not begin with {:?}", def.domain, target.shape));
                let pointwise = def.combine == Combine::Set && def.domain.len() > target.shape.len();
                self.demand(!pointwise, || "several values for one element".into());
            }
        }
        for id in unconditional(self.m, &roots) {
            if let Node::Read { tensor, at, otherwise: None } = self.m.node(id) {
                self.stays_inside(*tensor, at, &def.domain);
            }
        }
    }

    fn kinds(&mut self, def: &Def) {
        let (value, target) = (self.m.kind(def.value), self.m.t(def.target).kind);
        let agree = match def.combine {
            Combine::Argmax => value == Kind::Float && target == Kind::Int,
            Combine::Sum | Combine::Prod => value == target && value != Kind::Bool,
            Combine::Set | Combine::Max | Combine::Min => value == target,
        };
        self.demand(agree, || format!("{:?} of {value:?} into {target:?}", def.combine));
    }

    fn node(&mut self, id: ExprId, def: &Def) {
        let kind = |e: ExprId| self.m.kind(e);
        match self.m.node(id) {
            Node::Float(_) | Node::Int(_) | Node::Bool(_) => {}
            Node::Var(k) => {
                self.demand((*k as usize) < def.domain.len(), || format!("variable {k} is not of the domain"));
            }
            Node::Read { tensor, at, otherwise } => {
                let known = self.defined.contains(tensor) || self.open.contains(tensor);
                if !self.exists(*tensor) || !known {
                    return self.demand(false, || format!("{tensor:?} is read before it is defined"));
                }
                self.position(*tensor, at);
                let agree = otherwise.is_none_or(|o| self.m.kind(o) == self.m.t(*tensor).kind);
                self.demand(agree, || "the alternative of a read is of another kind".into());
            }
            Node::Unary(op, a) => {
                let takes = op.facts().takes.admits(kind(*a));
                self.demand(takes, || format!("`{}` of {:?}", op.name(), self.m.kind(*a)));
            }
            Node::Binary(op, a, b) => {
                let takes = kind(*a) == kind(*b) && op.facts().takes.admits(kind(*a));
                self.demand(takes, || format!("`{}` of {:?}, {:?}", op.name(), self.m.kind(*a), self.m.kind(*b)));
                let known = !matches!(op, Binary::FloorDiv | Binary::Mod) || self.m.positive_int(*b).is_some();
                self.demand(known, || "the divisor is no positive number".into());
            }
            Node::Select(c, a, b) => {
                let agree = kind(*c) == Kind::Bool && kind(*a) == kind(*b);
                self.demand(agree, || "the branches of a choice are of two kinds, or its condition not Bool".into());
            }
        }
    }

    /// A position has an Int for each axis.
    fn position(&mut self, tensor: TensorId, at: &[ExprId]) {
        let tensor = self.m.t(tensor);
        let fits = at.len() == tensor.shape.len() && at.iter().all(|p| self.m.kind(*p) == Kind::Int);
        self.demand(fits, || format!("a position of {} parts in `{}{:?}`", at.len(), tensor.name, tensor.shape));
    }

    /// No point of the domain leads outside, as far as can be said without contents of tensors.
    fn stays_inside(&mut self, tensor: TensorId, at: &[ExprId], domain: &[usize]) {
        if domain.contains(&0) || self.m.proven_inside(tensor, at, domain) {
            return;
        }
        let shape = &self.m.t(tensor).shape;
        for (p, extent) in at.iter().zip(shape) {
            let variables = self.m.variables(*p);
            let outside = points(&variables, domain).into_iter().find_map(|point| {
                self.m.at_point(*p, &point).filter(|v| *v < 0 || *v >= *extent as i64).map(|v| (point, v))
            });
            if let Some((point, value)) = outside {
                let name = &self.m.t(tensor).name;
                self.demand(false, || format!("position {value} at {point:?} lies outside `{name}{shape:?}`"));
            }
        }
    }
}

/// What is evaluated at every point: not what stands in a branch of a choice or behind a guard.
fn unconditional(m: &Module, roots: &[ExprId]) -> BTreeSet<ExprId> {
    let mut seen = BTreeSet::new();
    let mut open = roots.to_vec();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        match m.node(id) {
            Node::Select(c, _, _) => open.push(*c),
            Node::Read { at, .. } => open.extend(at),
            _ => open.extend(m.operands(id)),
        }
    }
    seen
}

/// Points of the domain that tell about an expression of these variables: all, or the corners.
fn points(variables: &BTreeSet<u32>, domain: &[usize]) -> Vec<Vec<i64>> {
    let extents: Vec<usize> = variables.iter().map(|v| domain[*v as usize]).collect();
    let all = extents.iter().try_fold(1usize, |n, e| n.checked_mul(*e)).is_some_and(|n| n <= POINTS);
    let mut points = vec![vec![0; domain.len()]];
    for (v, extent) in variables.iter().zip(extents) {
        let last = extent as i64 - 1;
        let values: Vec<i64> = if all { (0..=last).collect() } else { vec![0, last] };
        let with = |point: &Vec<i64>, value: i64| {
            let mut point = point.clone();
            point[*v as usize] = value;
            point
        };
        points = points.iter().flat_map(|point| values.iter().map(move |value| with(point, *value))).collect();
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{random, text};

    #[test]
    fn random_programs_are_well_formed() {
        for seed in 0..200 {
            let module = random::program(seed).module;
            assert_eq!(verify(&module), Ok(()), "seed {seed}\n{}", text::print(&module));
        }
    }

    #[test]
    fn random_programs_survive_as_text() {
        for seed in 0..200 {
            let text = text::print(&random::program(seed).module);
            let again = text::parse(&text).unwrap_or_else(|e| panic!("seed {seed}: {e}\n{text}"));
            assert_eq!(text::print(&again), text, "seed {seed}");
            assert_eq!(verify(&again), Ok(()), "seed {seed}");
        }
    }

    #[test]
    fn each_fault_is_found() {
        let sources = [
            ("input x: f[3]\ny[i0: 3] = x[i0 + 1]", "outside `x"),
            ("input x: f[3]\ny[i0: 3, i1: 2] = x[i0 - i1]", "outside `x"),
            ("input x: f[3]\nover [i0: 3] y: f[2] at [i0] += x[i0]", "outside `y"),
            ("input x: f[3]\ny[i0: 9000] = x[i0]", "outside `x"),
            ("input x: f[3]\ny[i0: 3] = x[i0, i0]", "parts"),
            ("input x: f[3]\ny[i0: 3] = x[i0] + i0", "`+` of Float, Int"),
            ("input x: f[3]\ny[i0: 3] = select(x[i0], 1.0, 2.0)", "condition not Bool"),
            ("input x: f[3]\ny[i0: 3] = x[i4]", "variable 4"),
            ("input x: f[3]\ny[i0: 3] = x[mod(i0, i0)]", "divisor"),
            ("y[i0: 3] = argmax[r0: 3] r0", "Argmax of Int"),
            ("y[i0: 3] = sum[r0: 3] i0 == r0", "Sum of Bool"),
            ("input x: f[3]\nupdate x = x", "not persistent"),
            ("persistent x: f[3]\ny[] = 1.0\nupdate x = y", "another type"),
        ];
        for (source, part) in sources {
            let module = text::parse(source).unwrap_or_else(|e| panic!("{source}: {e}"));
            let wrong = verify(&module).err().unwrap_or_default().join("\n");
            assert!(wrong.contains(part), "{source}: {wrong}");
        }
    }

    #[test]
    fn order_and_roles_count() {
        let mut module =
            text::parse("input x: f[3]\na[i0: 3] = x[i0]\nb[i0: 3] = a[i0]\noutput b = b").expect("parses");
        assert_eq!(verify(&module), Ok(()));
        module.items.swap(0, 1);
        assert!(verify(&module).is_err());
        module.items.swap(0, 1);
        module.items.push(module.items[0].clone());
        assert!(verify(&module).is_err());
        module.items.pop();
        module.tensors[1].role = Role::Input;
        assert!(verify(&module).is_err());
    }

    #[test]
    fn a_choice_may_exclude_what_is_outside() {
        let source = "input a: f[2]\ninput b: f[3]\ny[i0: 5] = select(i0 < 2, a[i0], b[i0 - 2])";
        assert_eq!(verify(&text::parse(source).expect("parses")), Ok(()));
    }
}
