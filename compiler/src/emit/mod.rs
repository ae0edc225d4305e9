//! Schedules → machine code and a plan the runtime executes.

use crate::backend::cranelift::functions::{Functions, Listing};
use crate::backend::cranelift::jit;
pub use crate::backend::cranelift::object;
use crate::ir::{Module, Role, TensorId};
use crate::plan::{Plan, Planned, plan};
use crate::schedule::Turns;
use crate::target::{Target, Vectors};
pub use nnc_core::number::Precision;
use nnc_core::plan::{self as launch, Bundle, Fault, Launch, Program, Work};

/// How to compile.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What Floats are.
    pub precision: Precision,
    /// The instructions to use.
    pub vectors: Vectors,
}

impl Options {
    /// For this machine, with the best instructions that it has.
    #[must_use]
    pub fn new(precision: Precision) -> Self {
        Self { precision, vectors: Vectors::best() }
    }

    fn target(&self) -> Target {
        Target::new(self.precision, self.vectors)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new(Precision::F32)
    }
}

/// The text of a module's stages.
#[derive(Clone, Debug, Default)]
pub struct Dump {
    /// Loops.
    pub loops: String,
    /// Kernels.
    pub kernels: String,
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
/// As [`compile`]; a fault with an excess where memory is what lacks.
pub fn compile_within(modules: &[(&str, &Module)], options: &Options, most: usize) -> Result<Bundle, Fault> {
    let plan = plan(modules, &options.target(), 0, most)?;
    let mut functions = Functions::new(jit::module(options.vectors)?);
    for (_, kernel) in &plan.kernels {
        functions.kernel(kernel, None)?;
    }
    let (code, entries) = jit::finish(functions)?;
    Ok(bundle(modules, plan, Box::new(code), &entries))
}

/// The text forms of every stage of one module.
///
/// # Errors
/// As [`compile`].
pub fn dump(name: &str, module: &Module, options: &Options) -> Result<Dump, Fault> {
    let plan = plan(&[(name, module)], &options.target(), 0, usize::MAX)?;
    let mut functions = Functions::new(jit::module(options.vectors)?);
    let mut dump = Dump { loops: plan.schedules.iter().map(|s| s.text()).collect(), ..Dump::default() };
    for (label, kernel) in &plan.kernels {
        dump.kernels.push_str(&format!("kernel of {label}\n{}", kernel.text()));
        functions.kernel(
            kernel,
            Some(&mut |text: Listing| {
                dump.clif.push_str(&format!("; {label}\n{}\n", text.clif));
                dump.assembly.push_str(&format!("; {label}\n{}\n", text.assembly));
            }),
        )?;
    }
    Ok(dump)
}

/// The bundle of planned programs whose kernels are in memory.
fn bundle(
    modules: &[(&str, &Module)],
    plan: Plan,
    code: Box<dyn std::any::Any + Send + Sync>,
    entries: &[launch::Entry],
) -> Bundle {
    let mut programs = vec![];
    let Plan { schedules, layout, launches, .. } = plan;
    for (number, launches) in launches.into_iter().enumerate() {
        let launches = launches.into_iter().map(|(label, tasks, work)| {
            let work = match work {
                Planned::Work(work) => work,
                Planned::Kernel { number, words, extent, grain } => {
                    Work::Kernel { entry: entries[number], words, extent, grain }
                }
            };
            Launch { label, tasks, work }
        });
        let launches = launches.collect();
        let schedule = &schedules[number];
        let module = &schedule.module;
        let slot = |t: TensorId| layout.slot(number, module, t);
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
        let recurrence =
            |t: &Turns| launch::Recurrence { launches: t.steps.clone(), turns: t.count, descending: t.descending };
        let recurrences = schedule.recurrences.iter().map(recurrence).collect();
        let (name, bytes) = (modules[number].0.to_string(), layout.bytes[number]);
        programs.push(Program { name, launches, recurrences, tensors, inputs, outputs, bytes });
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
    let (persistent, arena_bytes, holdings) = (layout.persistent, layout.arena_bytes, layout.holdings);
    Bundle { programs, persistent, arena_bytes, scratch_bytes, holdings, table_bytes, code }
}
