//! Schedules → launches: where every tensor lies, which kernel or contraction a step is, and in how many tasks it is cut.
//!
//! Several modules become one plan: tensors that live from run to run are matched by name and share one place;
//! everything else of the modules overlaps, since one runs at a time. Nests that differ only in what a kernel is told
//! when it runs share one kernel. Out comes plain data; a renderer of `backend/` makes code of the kernels.

pub mod layout;

use crate::ir::{Draw, Listed, Module, TensorId};
use crate::kernel::Kernel;
use crate::kernel::lower::lower;
use crate::kernel::template::{Memory, Template};
use crate::schedule::nest::{Form, Nest};
use crate::schedule::order;
use crate::schedule::{Schedule, Step, Task, schedule};
use crate::target::Target;
use layout::Layout;
use nnc_core::number::Element;
use nnc_core::number::Precision;
use nnc_core::plan::{Excess, FILL_GRAIN, Fault, Fill, Work};
use std::collections::HashMap;

/// Work, in operations, below which a task is not worth handing to another thread.
const WORTH_A_TASK: usize = 1 << 15;
/// Tasks of one kernel at most.
const TASKS: usize = 64;
/// Grain of a kernel whose only loop runs in lanes, in elements: whole cache lines for every thread.
const LINE: usize = 64;

/// What a launch does; a kernel is known by its number.
pub enum Planned {
    /// A kernel, with its run-time words, the extent of its outermost loop, and how much of that a task takes.
    Kernel { number: usize, words: Box<[u64]>, extent: usize, grain: usize },
    /// Anything else.
    Work(Work),
}

/// The launches of a program: what they define, how many tasks, what they do.
pub type Launches = Vec<(String, usize, Planned)>;

/// Programs scheduled and laid out, with their kernels.
pub struct Plan {
    /// Of each program.
    pub schedules: Vec<Schedule>,
    /// Where everything lies.
    pub layout: Layout,
    /// By number, each with what the first launch of it defines.
    pub kernels: Vec<(String, Kernel)>,
    /// Of each program.
    pub launches: Vec<Launches>,
}

/// Plans modules that share persistent tensors, laying them out from byte `head` of the arena on; refuses what needs more
/// than `most` bytes before anything is made that grows with its tensors.
///
/// # Errors
/// When persistent tensors of one name differ, a fault of ours; with an [`Excess`] where memory is what lacks.
pub fn plan(modules: &[(&str, &Module)], target: &Target, head: usize, most: usize) -> Result<Plan, Fault> {
    let schedules: Vec<Schedule> = modules.iter().map(|(_, m)| schedule(m, target.precision)).collect();
    let layout = Layout::new(modules, &schedules, target.precision, head)?;
    let tables = schedules.iter().map(Schedule::table_bytes).fold(0, usize::saturating_add);
    let bytes = layout.arena_bytes.saturating_add(tables);
    if bytes > most {
        return Err(Fault::excess(Excess { bytes, holdings: layout.holdings }));
    }
    let mut planner = Planner { target, layout: &layout, kernels: vec![], made: HashMap::new() };
    let launches = schedules.iter().enumerate().map(|(number, s)| planner.launches(s, number)).collect();
    let kernels = planner.kernels;
    Ok(Plan { schedules, layout, kernels, launches })
}

struct Planner<'a> {
    target: &'a Target,
    layout: &'a Layout,
    kernels: Vec<(String, Kernel)>,
    made: HashMap<Template, usize>,
}

impl Planner<'_> {
    fn launches(&mut self, schedule: &Schedule, number: usize) -> Launches {
        let layout = self.layout;
        let mut launches = vec![];
        for step in &schedule.steps {
            let (tasks, work) = match &step.task {
                Task::Nest(nest) => self.kernel(schedule, step, nest, number),
                Task::Product(product) => {
                    let [a, b, c] = product.tensors.map(|t| layout.offset(number, t));
                    let size = self.target.precision.bytes();
                    let at = &product.base;
                    let base = [a + at[0] * size, b + at[1] * size, c + at[2] * size];
                    let work = product.work(base, self.target.vectors);
                    (work.tasks(), Planned::Work(Work::Contraction(Box::new(work))))
                }
                Task::Draw(draw) => {
                    let fill = fill(draw, layout, number, &schedule.module);
                    (fill.slot.len.div_ceil(FILL_GRAIN).max(1), Planned::Work(Work::Fill(fill)))
                }
                Task::Listed(listed) => {
                    let to = layout.offset(number, listed.target);
                    let bytes = listed_bytes(listed, &schedule.module, self.target.precision);
                    (1, Planned::Work(Work::Listed { to, bytes }))
                }
            };
            launches.push((schedule.label(step), tasks, work));
        }
        for (to, from) in &schedule.places.copies {
            let bytes = layout.slot(number, &schedule.module, *from).bytes();
            let (to, from, name) = (layout.offset(number, *to), layout.offset(number, *from), *to);
            launches.push((schedule.module.t(name).name.clone(), 1, Planned::Work(Work::Copy { from, to, bytes })));
        }
        launches
    }

    fn kernel(&mut self, schedule: &Schedule, step: &Step, nest: &Nest, number: usize) -> (usize, Planned) {
        let memory = |t: TensorId| {
            let tensor = schedule.module.t(t);
            Memory { offset: self.layout.offset(number, t), kind: tensor.kind, len: tensor.len() }
        };
        let (template, words) = Template::new(nest, &memory, order::lanes(self.target.precision));
        let number = match self.made.get(&template) {
            Some(number) => *number,
            None => {
                self.kernels.push((schedule.label(step), lower(&template, self.target)));
                self.made.insert(template, self.kernels.len() - 1);
                self.kernels.len() - 1
            }
        };
        let (extent, grain) = split(nest);
        (extent.div_ceil(grain), Planned::Kernel { number, words, extent, grain })
    }
}

/// Extent of the loop that tasks share, and how much of it a task takes: a function of the nest alone.
fn split(nest: &Nest) -> (usize, usize) {
    let first = nest.first();
    if nest.outer == first || nest.form == Form::Accumulate {
        return (1, 1);
    }
    let extent = nest.extents[first];
    let tasks = (nest.cost() / WORTH_A_TASK).clamp(1, TASKS);
    let grain = extent.div_ceil(tasks);
    let whole = if nest.outer == first + 1 && nest.lane_loop() == Some(first) { LINE } else { 1 };
    (extent, grain.next_multiple_of(whole))
}

fn fill(draw: &Draw, layout: &Layout, number: usize, module: &Module) -> Fill {
    let slot = layout.slot(number, module, draw.target);
    Fill { slot, site: draw.site, distribution: draw.distribution, per_sample: draw.per_sample }
}

/// Listed numbers as they are held.
fn listed_bytes(listed: &Listed, module: &Module, precision: Precision) -> Box<[u8]> {
    let values = listed.values();
    match Element::of(module.t(listed.target).kind, precision) {
        Element::F32 => values.flat_map(|v| (v as f32).to_le_bytes()).collect(),
        Element::F64 => values.flat_map(f64::to_le_bytes).collect(),
        Element::I32 => values.flat_map(|v| (v as i32).to_le_bytes()).collect(),
    }
}
