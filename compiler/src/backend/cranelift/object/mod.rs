//! Programs as a linkable object: functions that train and predict in memory of the caller's, and nothing else.
//!
//! Whatever a step does is in the object: kernels, contractions, draws, copies, counters. It calls nothing outside and
//! allocates nothing. The caller's block of memory, the arena, begins with [`CONTROL`] bytes (seed and number of
//! updates as 64-bit words), then come what lives from step to step, temporaries and scratch.

mod contraction;
mod draw;
mod entry;
mod memory;
mod microkernel;
mod pack;
mod save;
mod x86;

use super::functions::{Functions, fault, flags};
use super::lanes::Types;
use crate::ir::Module;
use crate::plan::{Launches, Plan, Planned, plan};
use crate::schedule::Turns;
use crate::schedule::memory::aligned;
use crate::target::Vectors;
use crate::typed::Supplied;
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::Configurable;
use cranelift_module::{FuncId, Module as _, default_libcall_names};
use cranelift_object::{ObjectBuilder, ObjectModule};
use entry::Helpers;
use nnc_core::number::Precision;
use nnc_core::plan::{Fault, Frame, Slot, Work};
use nnc_core::random::Distribution;
use std::collections::{BTreeMap, BTreeSet};
use target_lexicon::{Architecture, Triple};

/// Bytes at the arena's start for the seed and the number of updates.
pub const CONTROL: usize = 64;

/// The features that code for an x86-64 machine uses, all of the level x86-64-v3.
const X86_FEATURES: [&str; 10] = [
    "has_sse3",
    "has_ssse3",
    "has_sse41",
    "has_sse42",
    "has_popcnt",
    "has_avx",
    "has_avx2",
    "has_bmi1",
    "has_bmi2",
    "has_fma",
];

/// How a program is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// `(arena, seed)`: sets the seed, no updates made; fills what lives from step to step.
    Init,
    /// `(arena, inputs.., numbers.., results)`: one update; scalar results go into one array.
    Step,
    /// `(arena, inputs.., numbers.., outputs..)`: changes nothing that lives from step to step.
    Predict,
}

/// A function to be made of programs that run one after the other.
#[derive(Clone, Debug)]
pub struct Export {
    /// Its name for the linker.
    pub symbol: String,
    /// What it is.
    pub run: Run,
    /// Minibatches that the caller gives at once, one behind the other.
    pub minibatches: usize,
    /// The programs.
    pub parts: Vec<Part>,
}

/// A program of an export.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its module, by number.
    pub module: usize,
    /// Whether it runs for every minibatch, or once.
    pub repeated: bool,
    /// What is copied from the caller's memory before: the field's number and its tensor.
    pub inputs: Vec<(usize, String)>,
    /// Numbers set before: the update's is counted, the others are arguments.
    pub supplied: Vec<(Supplied, String)>,
    /// Tensors that come out; of a step scalars, their means over the minibatches.
    pub outputs: Vec<String>,
}

impl Export {
    /// The fields that come in, each once, in the order of the arguments.
    #[must_use]
    pub fn fields(&self) -> Vec<usize> {
        let all = self.parts.iter().flat_map(|p| &p.inputs).map(|(field, _)| *field);
        all.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The numbers that the caller says, each once, in the order of the arguments: updates are counted, and how much of
    /// an update a minibatch is follows from their number.
    #[must_use]
    pub fn numbers(&self) -> Vec<Supplied> {
        let all = self.parts.iter().flat_map(|p| &p.supplied).map(|(which, _)| *which);
        all.filter(|s| !matches!(s, Supplied::Step | Supplied::Share)).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// Tensors that are saved and loaded together.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The function that writes them into a buffer, `(arena, buffer)`.
    pub save: String,
    /// The function that reads them, `(arena, buffer)`; 0 if the buffer is of this network, else 1.
    pub load: String,
    /// Persistent tensor and the name it is saved under.
    pub tensors: Vec<(String, String)>,
    /// Persistent tensors that loading fills with what another is given, which comes second.
    pub copies: Vec<(String, String)>,
}

/// The frame of the file that holds tensors of these names, elements and shapes.
pub type Framed<'a> = &'a dyn Fn(&[(&str, &Slot)]) -> Result<Frame, Fault>;

/// What an export copies in and out.
#[derive(Clone, Debug)]
pub struct Interface {
    /// A minibatch of each field, as [`Export::fields`].
    pub inputs: Vec<Slot>,
    /// Of all parts.
    pub outputs: Vec<Slot>,
}

/// A finished object.
#[derive(Clone, Debug)]
pub struct Object {
    /// The file.
    pub bytes: Vec<u8>,
    /// Memory the caller provides, in bytes.
    pub arena_bytes: usize,
    /// How much of its beginning lives from step to step.
    pub state_bytes: usize,
    /// Bytes that saving takes.
    pub saved_bytes: usize,
    /// What lives from step to step, by name.
    pub persistent: BTreeMap<String, Slot>,
    /// One for each export.
    pub interfaces: Vec<Interface>,
}

/// A machine to make code for.
pub struct Target {
    isa: OwnedTargetIsa,
    /// What its processor must have.
    pub requires: &'static str,
}

impl Target {
    /// The machine of a triple such as `aarch64-unknown-linux-gnu`.
    ///
    /// # Errors
    /// A sentence for the user when there is no such machine or no code can be made for it.
    pub fn new(triple: &str) -> Result<Self, String> {
        let parsed: Triple = triple.parse().map_err(|e| format!("`{triple}` is no target triple: {e}"))?;
        let requires = match parsed.architecture {
            Architecture::X86_64 => "AVX2, BMI2 and FMA (the level x86-64-v3)",
            Architecture::Aarch64(_) => "nothing beyond AArch64",
            other => return Err(format!("code is made for x86_64 and aarch64, not for {other}")),
        };
        let isa = Self::isa(parsed).map_err(|e| e.message)?;
        Ok(Self { isa, requires })
    }

    fn isa(triple: Triple) -> Result<OwnedTargetIsa, Fault> {
        let x86 = triple.architecture == Architecture::X86_64;
        let mut builder = cranelift_codegen::isa::lookup(triple).map_err(fault)?;
        for feature in X86_FEATURES.iter().filter(|_| x86) {
            builder.enable(feature).map_err(fault)?;
        }
        builder.finish(flags(true)?).map_err(fault)
    }
}

/// Compiles modules that share persistent tensors into an object with a function for each export.
///
/// # Errors
/// As [`crate::emit::compile`], and when a name is that of no tensor: faults of ours.
pub fn object(
    modules: &[(&str, &Module)],
    exports: &[Export],
    saved: &Saved,
    framed: Framed,
    precision: Precision,
    target: Target,
) -> Result<Object, Fault> {
    let builder = ObjectBuilder::new(target.isa, "program", default_libcall_names()).map_err(fault)?;
    // The vectors of its contractions are chosen when it runs.
    let made = plan(modules, &crate::target::Target::new(precision, Vectors::Portable), CONTROL, usize::MAX)?;
    let (types, mut functions) = (Types { precision }, Functions::new(ObjectModule::new(builder)));
    for (_, kernel) in &made.kernels {
        functions.kernel(kernel, None)?;
    }
    let helpers = helpers(&mut functions, &made, types)?;
    let mut interfaces = vec![];
    for export in exports {
        let parts = export.parts.iter().map(|part| Placed::new(part, &made)).collect::<Result<Vec<_>, _>>()?;
        let input =
            |field: &usize| parts.iter().flat_map(|p| &p.inputs).find(|(f, _)| f == field).map(|(_, s)| s.clone());
        let interface = Interface {
            inputs: export.fields().iter().filter_map(input).collect(),
            outputs: parts.iter().flat_map(|p| p.outputs.clone()).collect(),
        };
        entry::entry(&mut functions, &helpers, export, &interface, &parts)?;
        interfaces.push(interface);
    }
    let persistent = made.layout.persistent;
    let saved_bytes = save::functions(&mut functions, helpers.copy, saved, framed, &persistent)?;
    let state_bytes = persistent.values().map(|s| s.offset + aligned(s.bytes())).max().unwrap_or(CONTROL);
    let bytes = functions.module.finish().emit().map_err(fault)?;
    Ok(Object { bytes, arena_bytes: helpers.arena_bytes, state_bytes, saved_bytes, persistent, interfaces })
}

/// The functions that launches need beside kernels, and the scratch behind the arena.
fn helpers(functions: &mut Functions<ObjectModule>, made: &Plan, types: Types) -> Result<Helpers, Fault> {
    let works = || {
        made.launches
            .iter()
            .flat_map(|program| program.iter())
            .filter_map(|(_, _, p)| if let Planned::Work(w) = p { Some(w) } else { None })
    };
    let contracts = works().any(|w| matches!(w, Work::Contraction(_)));
    let mut fills: Vec<(Distribution, FuncId)> = vec![];
    for work in works() {
        if let Work::Fill(fill) = work
            && !fills.iter().any(|(d, _)| *d == fill.distribution)
        {
            fills.push((fill.distribution, draw::fill(functions, fill.distribution, types)?));
        }
    }
    let scratch = aligned(made.layout.arena_bytes);
    let x86 = functions.module.isa().triple().architecture == Architecture::X86_64;
    let engine = if contracts { Some(contraction::engine(functions, types, x86)?) } else { None };
    let arena_bytes = scratch + if contracts { contraction::scratch_bytes(types) } else { 0 };
    let copy = memory::copy(functions)?;
    Ok(Helpers { kernels: functions.kernels.clone(), engine, fills, copy, scratch, arena_bytes, types })
}

/// A part of an export with the places of its tensors.
struct Placed<'a> {
    repeated: bool,
    inputs: Vec<(usize, Slot)>,
    supplied: Vec<(Supplied, Slot)>,
    outputs: Vec<Slot>,
    launches: &'a Launches,
    recurrences: &'a [Turns],
}

impl<'a> Placed<'a> {
    fn new(part: &Part, made: &'a Plan) -> Result<Self, Fault> {
        let schedule = &made.schedules[part.module];
        let slot = |name: &String| {
            let at = schedule.module.tensors.iter().position(|t| t.name == *name);
            let at = at.ok_or_else(|| Fault::new(format!("no program has a tensor {name}")))?;
            Ok(made.layout.slot(part.module, &schedule.module, crate::ir::TensorId(at as u32)))
        };
        Ok(Self {
            repeated: part.repeated,
            inputs: part.inputs.iter().map(|(f, name)| Ok((*f, slot(name)?))).collect::<Result<_, Fault>>()?,
            supplied: part.supplied.iter().map(|(s, name)| Ok((*s, slot(name)?))).collect::<Result<_, Fault>>()?,
            outputs: part.outputs.iter().map(slot).collect::<Result<_, Fault>>()?,
            launches: &made.launches[part.module],
            recurrences: &schedule.recurrences,
        })
    }
}

/// The triple of this machine.
#[must_use]
pub fn host() -> String {
    Triple::host().to_string()
}
