//! The functions of an object that a caller calls: inputs in, every launch of a program, results out.

use super::super::functions::{Functions, fault};
use super::super::lanes::Types;
use super::super::{Launches, Planned};
use super::contraction;
use super::memory::{load, word};
use super::{Export, Interface, Run};
use crate::typed::Supplied;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type, Value, types};
use cranelift_frontend::FunctionBuilder;
use cranelift_module::{DataDescription, FuncId, Linkage, Module};
use runtime::plan::{Element, Fault, Fill, Slot, Work};
use runtime::random::{Distribution, EVALUATION};

/// Functions that launches call.
pub struct Helpers {
    /// By number.
    pub kernels: Vec<FuncId>,
    /// The contraction engine, if any launch is one.
    pub engine: Option<FuncId>,
    /// Draws of each distribution that occurs.
    pub fills: Vec<(Distribution, FuncId)>,
    /// Copies memory.
    pub copy: FuncId,
    /// The scratch's first byte in the arena.
    pub scratch: usize,
    /// Bytes of the arena, scratch included.
    pub arena_bytes: usize,
    /// Machine types.
    pub types: Types,
}

/// Offsets of the control words in the arena.
const SEED: i32 = 0;
const STEP: i32 = 8;

/// Adds an export.
///
/// # Errors
/// When Cranelift refuses it: a fault of ours.
pub fn entry<M: Module>(
    functions: &mut Functions<M>,
    helpers: &Helpers,
    export: &Export,
    interface: &Interface,
    supplied: Vec<(Supplied, Slot)>,
    launches: &Launches,
) -> Result<(), Fault> {
    let pointer = functions.pointer();
    let mut params = vec![pointer];
    params.extend(interface.inputs.iter().map(|_| pointer));
    match export.run {
        Run::Init => params.push(types::I64),
        Run::Step | Run::Predict => {
            params.extend(supplied.iter().filter(|(s, _)| *s != Supplied::Step).map(|_| types::F64));
            let results = if export.run == Run::Step { 1 } else { interface.outputs.len() };
            params.extend(std::iter::repeat_n(pointer, results));
        }
    }
    functions.define(&export.symbol, Linkage::Export, &params, None, None, &mut |module, b| {
        let start = b.create_block();
        b.append_block_params_for_function_params(start);
        b.switch_to_block(start);
        b.seal_block(start);
        let params = b.block_params(start).to_vec();
        let mut body = Body { module, b, helpers, pointer, arena: params[0] };
        let (inputs, rest) = params[1..].split_at(interface.inputs.len());
        for (slot, from) in interface.inputs.iter().zip(inputs) {
            let to = body.at(slot.offset);
            body.copy(to, *from, slot.bytes());
        }
        let (clock, outputs) = match export.run {
            Run::Init => (body.begin(rest[0]), &[][..]),
            Run::Step | Run::Predict => body.set_numbers(export.run, &supplied, rest),
        };
        for (_, _, planned) in launches {
            body.launch(planned, clock)?;
        }
        if export.run == Run::Step {
            body.results(&interface.outputs, outputs[0]);
        } else {
            for (slot, to) in interface.outputs.iter().zip(outputs) {
                let from = body.at(slot.offset);
                body.copy(*to, from, slot.bytes());
            }
        }
        body.b.ins().return_(&[]);
        Ok(())
    })?;
    Ok(())
}

/// What tells the draws of one run from those of another: seed and step.
#[derive(Clone, Copy)]
struct Clock {
    seed: Value,
    step: Value,
}

/// A function's body while it is emitted.
struct Body<'a, 'b, M> {
    module: &'a mut M,
    b: &'a mut FunctionBuilder<'b>,
    helpers: &'a Helpers,
    pointer: Type,
    arena: Value,
}

impl<M: Module> Body<'_, '_, M> {
    /// The address of a byte of the arena.
    fn at(&mut self, offset: usize) -> Value {
        self.b.ins().iadd_imm_s(self.arena, offset as i64)
    }

    fn number(&mut self, value: usize) -> Value {
        self.b.ins().iconst(types::I64, value as i64)
    }

    fn call(&mut self, function: FuncId, arguments: &[Value]) {
        let function = self.module.declare_func_in_func(function, self.b.func);
        self.b.ins().call(function, arguments);
    }

    fn copy(&mut self, to: Value, from: Value, bytes: usize) {
        let bytes = self.number(bytes);
        self.call(self.helpers.copy, &[to, from, bytes]);
    }

    /// The address of constant data.
    fn constant(&mut self, bytes: Vec<u8>) -> Result<Value, Fault> {
        let id = self.module.declare_anonymous_data(false, false).map_err(fault)?;
        let mut data = DataDescription::new();
        data.define(bytes.into());
        data.set_align(64);
        self.module.define_data(id, &data).map_err(fault)?;
        let data = self.module.declare_data_in_func(id, self.b.func);
        Ok(self.b.ins().symbol_value(self.pointer, data))
    }

    /// Notes the seed; no update was made.
    fn begin(&mut self, seed: Value) -> Clock {
        let step = self.number(0);
        self.b.ins().store(MemFlagsData::trusted(), seed, self.arena, SEED);
        self.b.ins().store(MemFlagsData::trusted(), step, self.arena, STEP);
        Clock { seed, step }
    }

    /// Sets the numbers a program reads; what is left of the arguments are the results' places.
    fn set_numbers<'p>(
        &mut self,
        run: Run,
        supplied: &[(Supplied, Slot)],
        arguments: &'p [Value],
    ) -> (Clock, &'p [Value]) {
        let seed = word(self.b, self.arena, SEED / 8);
        let before = word(self.b, self.arena, STEP / 8);
        let this = self.b.ins().iadd_imm_s(before, 1);
        let step = if run == Run::Step {
            self.b.ins().store(MemFlagsData::trusted(), this, self.arena, STEP);
            this
        } else {
            self.b.ins().bor_imm_s(before, EVALUATION as i64)
        };
        let mut left = arguments;
        for (which, slot) in supplied {
            let value = match (which, left.split_first()) {
                (Supplied::Steps | Supplied::Epoch, Some((first, rest))) => {
                    left = rest;
                    *first
                }
                _ => self.b.ins().fcvt_from_sint(types::F64, this),
            };
            let value = self.rounded(value, slot.element);
            let at = self.at(slot.offset);
            self.b.ins().store(MemFlagsData::trusted(), value, at, 0);
        }
        (Clock { seed, step }, left)
    }

    fn rounded(&mut self, value: Value, element: Element) -> Value {
        if element == Element::F32 { self.b.ins().fdemote(types::F32, value) } else { value }
    }

    fn launch(&mut self, planned: &Planned, clock: Clock) -> Result<(), Fault> {
        match planned {
            Planned::Kernel { number, words, extent, .. } => {
                let words = self.constant(words.iter().flat_map(|w| w.to_le_bytes()).collect())?;
                let (begin, end) = (self.number(0), self.number(*extent));
                self.call(self.helpers.kernels[*number], &[self.arena, begin, end, words]);
            }
            Planned::Work(Work::Contraction(work)) => {
                let engine = self.helpers.engine.ok_or_else(|| Fault::new("a contraction without an engine"))?;
                let plan = self.constant(contraction::plan(work, self.helpers.types))?;
                let scratch = self.at(self.helpers.scratch);
                self.call(engine, &[self.arena, scratch, plan]);
            }
            Planned::Work(Work::Fill(fill)) => self.fill(fill, clock)?,
            Planned::Work(Work::Copy { from, to, bytes }) => {
                let (to, from) = (self.at(*to), self.at(*from));
                self.copy(to, from, *bytes);
            }
            Planned::Work(Work::Kernel { .. }) => {
                return Err(Fault::new("a kernel in memory cannot go into an object"));
            }
        }
        Ok(())
    }

    fn fill(&mut self, fill: &Fill, clock: Clock) -> Result<(), Fault> {
        let found = self.helpers.fills.iter().find(|(d, _)| *d == fill.distribution);
        let (_, function) = *found.ok_or_else(|| Fault::new("a draw without its function"))?;
        let rows = if fill.per_sample { fill.slot.shape[0] } else { 1 };
        let row = fill.slot.len / rows.max(1);
        let to = self.at(fill.slot.offset);
        let [rows, row, site] = [rows, row, fill.site as usize].map(|n| self.number(n));
        self.call(function, &[to, rows, row, site, clock.step, clock.seed]);
        Ok(())
    }

    /// Copies scalars into the caller's array.
    fn results(&mut self, slots: &[Slot], to: Value) {
        let kind = self.helpers.types.float();
        let size = kind.bytes() as i32;
        for (slot, number) in slots.iter().zip(0..) {
            let at = self.at(slot.offset);
            let value = if slot.element == Element::I32 {
                let whole = load(self.b, types::I32, at, 0);
                self.b.ins().fcvt_from_sint(kind, whole)
            } else {
                load(self.b, kind, at, 0)
            };
            self.b.ins().store(MemFlagsData::new().with_notrap(), value, to, number * size);
        }
    }
}
