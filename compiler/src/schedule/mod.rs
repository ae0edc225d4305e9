//! Index notation → steps of loop nests and contractions, with a plan of what lives where.
//!
//! In: a verified module. Out: a [`Schedule`], whose steps in order compute every output and
//! update. The order of every sum is settled here, by shapes alone. The steps of a recurrence follow each
//! other; they are run once for every turn, each on what lies at that turn.

pub mod affine;
pub mod contraction;
pub mod group;
pub mod localise;
pub mod memory;
pub mod nest;
pub mod operands;
pub mod order;
pub mod shape;

use crate::ir::recurrence::{Recurrence, recurrences};
use crate::ir::verify::expect_verified;
use crate::ir::{Combine, Draw, Listed, Module, TensorId};
use contraction::Product;
use group::Group;
use nest::Nest;
use nnc_core::number::Precision;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::ops::Range;

/// What a step does.
#[derive(Clone, Debug)]
pub enum Task {
    /// Runs generated loops.
    Nest(Nest),
    /// Runs the contraction engine.
    Product(Box<Product>),
    /// Draws random numbers.
    Draw(Draw),
    /// Puts listed numbers where they belong.
    Listed(Listed),
}

/// One launch to be.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it does.
    pub task: Task,
    /// Tensors it writes.
    pub defines: Vec<TensorId>,
    /// Tensors it reads.
    pub reads: BTreeSet<TensorId>,
}

/// Steps that are run once for every turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turns {
    /// By their places.
    pub steps: Range<usize>,
    /// How many turns.
    pub count: usize,
    /// Whether the last turn comes first.
    pub descending: bool,
}

/// A module as steps.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// The module after preparation; its tensors are those of the steps.
    pub module: Module,
    /// In execution order.
    pub steps: Vec<Step>,
    /// Which steps are run turn by turn, in order.
    pub recurrences: Vec<Turns>,
    /// Which updates happen in place and which at the end.
    pub places: memory::Places,
}

/// Schedules a module.
///
/// # Panics
/// In debug builds, when preparation breaks an invariant of the IR: a fault of the compiler.
#[must_use]
pub fn schedule(module: &Module, precision: Precision) -> Schedule {
    let module = operands::prepare(module);
    expect_verified(&module, "operands were prepared");
    let recurrences = recurrences(&module);
    let groups = group::group(&module, &recurrences);
    let mut read_by_others: BTreeSet<TensorId> = groups.iter().flat_map(|g| g.sources(&module)).collect();
    read_by_others.extend(module.outputs.iter().map(|(_, t)| *t));
    read_by_others.extend(module.updates.iter().map(|(_, from)| *from));
    let needed = |t: TensorId| read_by_others.contains(&t);
    let live: Vec<&Group> = groups.iter().filter(|g| g.targets().any(needed)).collect();
    let turns = turns(&live, &recurrences);
    let step = |g: &&Group| step(&module, g, g.recurrence().map(|n| &recurrences[n]), &needed, precision);
    let steps: Vec<Step> = live.iter().map(step).collect();
    let places = memory::places(&module, &steps, &turns);
    Schedule { module, steps, recurrences: turns, places }
}

/// Which of the groups are run turn by turn.
fn turns(groups: &[&Group], recurrences: &[Recurrence]) -> Vec<Turns> {
    let steps = |number: usize| {
        let of = |g: &&Group| g.recurrence() == Some(number);
        let first = groups.iter().position(of)?;
        Some(first..first + groups[first..].iter().take_while(|g| of(g)).count())
    };
    let turns = |(number, r): (usize, &Recurrence)| {
        steps(number).map(|steps| Turns { steps, count: r.turns, descending: r.descending })
    };
    recurrences.iter().enumerate().filter_map(turns).collect()
}

fn step(
    module: &Module,
    group: &Group,
    recurrence: Option<&Recurrence>,
    needed: &dyn Fn(TensorId) -> bool,
    precision: Precision,
) -> Step {
    let reads = group.sources(module);
    let task = match group {
        Group::Draw(draw) => Task::Draw(draw.clone()),
        Group::Listed(listed) => Task::Listed(listed.clone()),
        Group::Defs(defs, _) => {
            let turn = recurrence.and_then(|r| r.variable(module, &defs[0]));
            nest_or_product(module, defs, turn, needed, precision)
        }
    };
    let defines = match &task {
        Task::Nest(nest) => {
            let mut written: Vec<TensorId> = vec![];
            nest.stores.iter().for_each(|s| {
                if !written.contains(&s.tensor) {
                    written.push(s.tensor);
                }
            });
            written
        }
        _ => group.targets().collect(),
    };
    Step { task, defines, reads }
}

fn nest_or_product(
    module: &Module,
    defs: &[crate::ir::Def],
    turn: Option<u32>,
    needed: &dyn Fn(TensorId) -> bool,
    precision: Precision,
) -> Task {
    let members: Vec<&crate::ir::Def> = defs.iter().collect();
    let mut nest = localise::localise(module, &members, turn, needed);
    if defs[0].combine == Combine::Sum
        && defs[0].scatter.is_none()
        && let Some(product) = contraction::product(&nest, precision)
    {
        return Task::Product(Box::new(product));
    }
    shape::shape(&mut nest, precision);
    Task::Nest(nest)
}

impl Schedule {
    /// Its text form: every step with its loops.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        for (number, step) in self.steps.iter().enumerate() {
            if let Some(turns) = self.recurrences.iter().find(|r| r.steps.start == number) {
                let (last, order) = (turns.steps.end - 1, if turns.descending { ", the last first" } else { "" });
                let _ = writeln!(out, "steps {number} to {last} in each of {} turns{order}", turns.count);
            }
            let _ = writeln!(out, "step {number}: {}", self.label(step));
            match &step.task {
                Task::Nest(nest) => out.push_str(&nest.text(&self.module)),
                Task::Product(product) => out.push_str(&self.product_text(product)),
                Task::Listed(listed) => {
                    let _ = writeln!(out, "  list of {} numbers", listed.bits.len());
                }
                Task::Draw(draw) => {
                    let _ = writeln!(out, "  draw {:?} at site {:08x}", draw.distribution, draw.site);
                }
            }
        }
        for (to, from) in &self.places.copies {
            let _ = writeln!(out, "copy {} <- {}", self.module.t(*to).name, self.module.t(*from).name);
        }
        for (from, to) in &self.places.shared {
            let _ = writeln!(out, "in place {} <- {}", self.module.t(*to).name, self.module.t(*from).name);
        }
        out
    }

    /// Bytes of the tables that its contractions will have.
    #[must_use]
    pub fn table_bytes(&self) -> usize {
        let bytes = |step: &Step| if let Task::Product(product) = &step.task { product.table_bytes() } else { 0 };
        self.steps.iter().map(bytes).fold(0, usize::saturating_add)
    }

    /// The names of what a step defines.
    #[must_use]
    pub fn label(&self, step: &Step) -> String {
        let names: Vec<&str> = step.defines.iter().map(|t| self.module.t(*t).name.as_str()).collect();
        names.join(", ")
    }

    fn product_text(&self, product: &Product) -> String {
        let [a, b, _] = product.tensors.map(|t| self.module.t(t).name.clone());
        let [batch, m, n, k] = product.extents();
        let (rows, columns) = product.tile;
        format!("  product {a} * {b}: batch {batch} m {m} n {n} k {k}, tiles of {rows} by {columns}\n")
    }
}
