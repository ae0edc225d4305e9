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
use super::{Compiler, Made, Options, Planned, element};
use crate::ir::Module;
use crate::schedule::memory::aligned;
use crate::typed::Supplied;
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::Configurable;
use cranelift_module::{FuncId, Module as _, default_libcall_names};
use cranelift_object::{ObjectBuilder, ObjectModule};
use entry::Helpers;
use runtime::plan::{Element, Fault, Slot, Work};
use std::collections::BTreeMap;
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

/// A function to be made of a program.
#[derive(Clone, Debug)]
pub struct Export {
    /// Its name for the linker.
    pub symbol: String,
    /// What it is.
    pub run: Run,
    /// Tensors copied from the caller's memory before, in the order of the arguments.
    pub inputs: Vec<String>,
    /// Numbers set before: the update's is counted, the others are arguments, in this order.
    pub supplied: Vec<(Supplied, String)>,
    /// Tensors copied to the caller's memory afterwards.
    pub outputs: Vec<String>,
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

/// What an export copies in and out.
#[derive(Clone, Debug)]
pub struct Interface {
    /// As [`Export::inputs`].
    pub inputs: Vec<Slot>,
    /// As [`Export::outputs`].
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

/// Compiles modules that share persistent tensors into an object with a function for each export, the module of the
/// same number.
///
/// # Errors
/// As [`super::compile`], and when a name is that of no tensor: faults of ours.
pub fn object(
    modules: &[(&str, &Module)],
    exports: &[Export],
    saved: &Saved,
    options: &Options,
    target: Target,
) -> Result<Object, Fault> {
    let builder = ObjectBuilder::new(target.isa, "program", default_libcall_names()).map_err(fault)?;
    let mut compiler = Compiler::new(ObjectModule::new(builder), options, false);
    let made = compiler.make(modules, CONTROL)?;
    let (types, mut functions) = (compiler.types, compiler.functions);
    let helpers = helpers(&mut functions, &made, types)?;
    let mut interfaces = vec![];
    for (number, export) in exports.iter().enumerate() {
        let slots = Slots { made: &made, number, types };
        let interface = Interface { inputs: slots.all(&export.inputs)?, outputs: slots.all(&export.outputs)? };
        let supplied =
            export.supplied.iter().map(|(s, name)| Ok((*s, slots.one(name)?))).collect::<Result<_, Fault>>()?;
        entry::entry(
            &mut functions,
            &helpers,
            export,
            &interface,
            supplied,
            &made.planned[number],
            &made.schedules[number].recurrences,
        )?;
        interfaces.push(interface);
    }
    let persistent = made.layout.persistent;
    let saved_bytes = save::functions(&mut functions, helpers.copy, saved, &persistent)?;
    let state_bytes = persistent.values().map(|s| s.offset + aligned(s.bytes())).max().unwrap_or(CONTROL);
    let bytes = functions.module.finish().emit().map_err(fault)?;
    Ok(Object { bytes, arena_bytes: helpers.arena_bytes, state_bytes, saved_bytes, persistent, interfaces })
}

/// The functions that launches need beside kernels, and the scratch behind the arena.
fn helpers(functions: &mut Functions<ObjectModule>, made: &Made, types: Types) -> Result<Helpers, Fault> {
    let works = || {
        made.planned
            .iter()
            .flat_map(|program| program.iter())
            .filter_map(|(_, _, p)| if let Planned::Work(w) = p { Some(w) } else { None })
    };
    let contracts = works().any(|w| matches!(w, Work::Contraction(_)));
    let mut fills: Vec<(runtime::random::Distribution, FuncId)> = vec![];
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

/// Finds the tensors of a module in the arena.
struct Slots<'a> {
    made: &'a Made,
    number: usize,
    types: Types,
}

impl Slots<'_> {
    fn one(&self, name: &str) -> Result<Slot, Fault> {
        let module = &self.made.schedules[self.number].module;
        let at = module.tensors.iter().position(|t| t.name == name);
        let at = at.ok_or_else(|| Fault::new(format!("no program has a tensor {name}")))?;
        Ok(self.made.layout.slot(self.number, module, crate::ir::TensorId(at as u32), self.types))
    }

    fn all(&self, names: &[String]) -> Result<Vec<Slot>, Fault> {
        names.iter().map(|n| self.one(n)).collect()
    }
}

/// The element of a program's Floats.
pub fn float_element(options: &Options) -> Element {
    element(crate::scalar::Kind::Float, Types { precision: options.precision })
}

/// The triple of this machine.
#[must_use]
pub fn host() -> String {
    Triple::host().to_string()
}
