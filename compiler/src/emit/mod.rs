//! Schedules → machine code and a plan the runtime executes.
//!
//! Several modules become one bundle: tensors that live from run to run are matched by name and
//! share one place; everything else of the modules overlaps, since one runs at a time.

pub mod access;
pub mod arithmetic;
pub mod functions;
pub mod jit;
pub mod kernel;
pub mod lanes;
pub mod loops;
pub mod object;
pub mod point;
pub mod reduce;
pub mod store;
pub mod template;

#[cfg(test)]
mod agreement;
mod layout;

use crate::ir::{Distribution, Draw, Listed, Module, Role, TensorId};
pub use crate::numeric::ops::Precision;
use crate::scalar::Kind;
use crate::schedule::nest::{Form, Nest};
use crate::schedule::{Schedule, Step, Task, Turns, Vectors, schedule};
use cranelift_jit::JITModule;
use functions::{Functions, Listing};
use lanes::Types;
use layout::Layout;
use runtime::execute::FILL_GRAIN;
pub use runtime::plan;
use runtime::plan::{Bundle, Excess, Fault};
use runtime::plan::{Element, Fill, Launch, Program, Work};
use runtime::random;
use template::{Memory, Template};

/// Work, in operations, below which a task is not worth handing to another thread.
const WORTH_A_TASK: usize = 1 << 15;
/// Tasks of one kernel at most.
const TASKS: usize = 64;
/// Grain of a kernel whose only loop runs in lanes, in elements: whole cache lines for every thread.
const LINE: usize = 64;

/// How to compile.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What Floats are.
    pub precision: Precision,
}

impl Default for Options {
    fn default() -> Self {
        Self { precision: Precision::F32 }
    }
}

/// The text of a module's stages.
#[derive(Clone, Debug, Default)]
pub struct Dump {
    /// Loops.
    pub loops: String,
    /// Cranelift's intermediate code.
    pub clif: String,
    /// Machine code.
    pub assembly: String,
}

/// Compiles modules that share persistent tensors into one bundle with one arena.
///
/// # Errors
/// When persistent tensors of one name differ in shape, or code cannot be made: faults of ours.
pub fn compile(modules: &[(&str, &Module)], options: &Options) -> Result<Bundle, Fault> {
    compile_within(modules, options, usize::MAX)
}

/// As [`compile`], refusing what needs more than `most` bytes before anything is made that grows with its tensors.
///
/// # Errors
/// As [`compile`]; a fault with an [`Excess`] where memory is what lacks.
pub fn compile_within(modules: &[(&str, &Module)], options: &Options, most: usize) -> Result<Bundle, Fault> {
    let mut compiler = Compiler::new(jit::module()?, options, false);
    compiler.most = most;
    let made = compiler.make(modules, 0)?;
    bundle(modules, made, compiler.functions)
}

/// The text forms of every stage of one module.
///
/// # Errors
/// As [`compile`].
pub fn dump(name: &str, module: &Module, options: &Options) -> Result<Dump, Fault> {
    let mut compiler = Compiler::new(jit::module()?, options, true);
    compiler.make(&[(name, module)], 0)?;
    Ok(compiler.dump)
}

/// A launch whose kernel, if it has one, is known by number.
enum Planned {
    Kernel { number: usize, words: Box<[u64]>, extent: usize, grain: usize },
    Work(Work),
}

/// The launches of a program: what they define, how many tasks, what they do.
type Launches = Vec<(String, usize, Planned)>;

struct Compiler<M> {
    types: Types,
    functions: Functions<M>,
    /// Bytes that a plan may need.
    most: usize,
    /// Whether texts are asked for.
    listing: bool,
    dump: Dump,
}

/// Programs scheduled and laid out, their kernels made.
struct Made {
    schedules: Vec<Schedule>,
    layout: Layout,
    planned: Vec<Launches>,
}

impl<M: cranelift_module::Module> Compiler<M> {
    fn new(module: M, options: &Options, listing: bool) -> Self {
        let types = Types { precision: options.precision };
        Self { types, functions: Functions::new(module), most: usize::MAX, listing, dump: Dump::default() }
    }

    /// Schedules, lays out from byte `head` of the arena on, and makes the kernels.
    fn make(&mut self, modules: &[(&str, &Module)], head: usize) -> Result<Made, Fault> {
        let vectors = Vectors { width: self.types.width(), double: self.types.precision == Precision::F64 };
        let schedules: Vec<Schedule> = modules.iter().map(|(_, m)| schedule(m, vectors)).collect();
        let layout = Layout::new(modules, &schedules, self.types, head)?;
        let tables = schedules.iter().map(Schedule::table_bytes).fold(0, usize::saturating_add);
        let bytes = layout.arena_bytes.saturating_add(tables);
        if bytes > self.most {
            return Err(Fault::excess(Excess { bytes, holdings: layout.holdings }));
        }
        let mut planned = vec![];
        for (number, schedule) in schedules.iter().enumerate() {
            if self.listing {
                self.dump.loops.push_str(&schedule.text());
            }
            planned.push(self.launches(schedule, &layout, number)?);
        }
        Ok(Made { schedules, layout, planned })
    }

    fn launches(&mut self, schedule: &Schedule, layout: &Layout, number: usize) -> Result<Launches, Fault> {
        let mut launches = vec![];
        for step in &schedule.steps {
            let (tasks, work) = match &step.task {
                Task::Nest(nest) => self.kernel(schedule, step, nest, layout, number)?,
                Task::Product(product) => {
                    let [a, b, c] = product.tensors.map(|t| layout.offset(number, t));
                    let size = self.types.float().bytes() as usize;
                    let at = &product.base;
                    let work = product.work([a + at[0] * size, b + at[1] * size, c + at[2] * size]);
                    (work.tasks(), Planned::Work(Work::Contraction(Box::new(work))))
                }
                Task::Draw(draw) => {
                    let fill = fill(draw, layout, number, &schedule.module, self.types);
                    (fill.slot.len.div_ceil(FILL_GRAIN).max(1), Planned::Work(Work::Fill(fill)))
                }
                Task::Listed(listed) => {
                    let to = layout.offset(number, listed.target);
                    let bytes = listed_bytes(listed, &schedule.module, self.types);
                    (1, Planned::Work(Work::Listed { to, bytes }))
                }
            };
            launches.push((schedule.label(step), tasks, work));
        }
        for (to, from) in &schedule.places.copies {
            let bytes = layout.slot(number, &schedule.module, *from, self.types).bytes();
            let (to, from, name) = (layout.offset(number, *to), layout.offset(number, *from), *to);
            launches.push((schedule.module.t(name).name.clone(), 1, Planned::Work(Work::Copy { from, to, bytes })));
        }
        Ok(launches)
    }

    fn kernel(
        &mut self,
        schedule: &Schedule,
        step: &Step,
        nest: &Nest,
        layout: &Layout,
        number: usize,
    ) -> Result<(usize, Planned), Fault> {
        let memory = |t: TensorId| {
            let tensor = schedule.module.t(t);
            Memory { offset: layout.offset(number, t), kind: tensor.kind, len: tensor.len() }
        };
        let (template, words) = Template::new(nest, &memory, self.types.width());
        let Self { functions, dump, types, listing, .. } = self;
        let mut keep = |text: Listing| {
            let label = schedule.label(step);
            dump.clif.push_str(&format!("; {label}\n{}\n", text.clif));
            dump.assembly.push_str(&format!("; {label}\n{}\n", text.assembly));
        };
        let observe: Option<&mut dyn FnMut(Listing)> = if *listing { Some(&mut keep) } else { None };
        let number = functions.kernel(template, *types, observe)?;
        let (extent, grain) = split(nest);
        Ok((extent.div_ceil(grain), Planned::Kernel { number, words, extent, grain }))
    }
}

/// The bundle of programs whose kernels are in memory.
fn bundle(modules: &[(&str, &Module)], made: Made, functions: Functions<JITModule>) -> Result<Bundle, Fault> {
    let Made { schedules, layout, planned } = made;
    let (code, entries) = jit::finish(functions)?;
    let mut programs = vec![];
    for (number, launches) in planned.into_iter().enumerate() {
        let launches = launches.into_iter().map(|(label, tasks, work)| {
            let work = match work {
                Planned::Work(work) => work,
                Planned::Kernel { number, words, extent, grain } => {
                    Work::Kernel { entry: entries[number], words, extent, grain }
                }
            };
            Launch { label, tasks, work }
        });
        programs.push(program(modules[number].0, &schedules[number], &layout, number, launches.collect()));
    }
    let contractions = || {
        programs.iter().flat_map(|p| &p.launches).filter_map(|l| match &l.work {
            Work::Contraction(c) => Some(c),
            _ => None,
        })
    };
    let scratch_bytes = contractions().map(|c| c.scratch_bytes()).max().unwrap_or(0);
    let listed = |l: &Launch| if let Work::Listed { bytes, .. } = &l.work { bytes.len() } else { 0 };
    let listed: usize = programs.iter().flat_map(|p| &p.launches).map(listed).sum();
    let table_bytes = contractions().map(|c| c.table_bytes()).sum::<usize>() + listed;
    let Layout { persistent, holdings, arena_bytes, .. } = layout;
    let code = Box::new(code);
    Ok(Bundle { programs, persistent, arena_bytes, scratch_bytes, holdings, table_bytes, code })
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

fn fill(draw: &Draw, layout: &Layout, number: usize, module: &Module, types: Types) -> Fill {
    let distribution = match draw.distribution {
        Distribution::Uniform => random::Distribution::Uniform,
        Distribution::Normal => random::Distribution::Normal,
    };
    let slot = layout.slot(number, module, draw.target, types);
    Fill { slot, site: draw.site, distribution, per_sample: draw.per_sample }
}

fn program(name: &str, schedule: &Schedule, layout: &Layout, number: usize, launches: Vec<Launch>) -> Program {
    let module = &schedule.module;
    let slot = |t: TensorId| layout.slot(number, module, t, layout.types);
    let outputs = module.outputs.iter().map(|(name, t)| (name.clone(), slot(*t))).collect();
    let lasting =
        |role: Role| (0..module.tensors.len() as u32).map(TensorId).filter(move |t| module.t(*t).role == role);
    let mut tensors: std::collections::BTreeMap<_, _> = lasting(Role::Input)
        .chain(lasting(Role::Persistent))
        .chain(module.outputs.iter().map(|(_, t)| *t))
        .map(|t| (module.t(t).name.clone(), slot(t)))
        .collect();
    tensors.retain(|_, slot| slot.len > 0);
    let inputs = lasting(Role::Input).map(|t| module.t(t).name.clone()).collect();
    let turns = |t: &Turns| plan::Recurrence { launches: t.steps.clone(), turns: t.count, descending: t.descending };
    let recurrences = schedule.recurrences.iter().map(turns).collect();
    let bytes = layout.bytes[number];
    Program { name: name.to_string(), launches, recurrences, tensors, inputs, outputs, bytes }
}

/// Listed numbers as they are held.
fn listed_bytes(listed: &Listed, module: &Module, types: Types) -> Box<[u8]> {
    let values = listed.values();
    match element(module.t(listed.target).kind, types) {
        Element::F32 => values.flat_map(|v| (v as f32).to_le_bytes()).collect(),
        Element::F64 => values.flat_map(f64::to_le_bytes).collect(),
        Element::I32 => values.flat_map(|v| (v as i32).to_le_bytes()).collect(),
    }
}

/// How elements of a kind are held.
fn element(kind: Kind, types: Types) -> Element {
    match (kind, types.precision) {
        (Kind::Float, Precision::F32) => Element::F32,
        (Kind::Float, Precision::F64) => Element::F64,
        _ => Element::I32,
    }
}
