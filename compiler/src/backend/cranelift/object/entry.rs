//! The functions of an object that a caller calls: inputs in, every launch of a program, results out.

use super::super::functions::{Functions, fault};
use super::super::lanes::Types;
use super::super::loops::Loop;
use super::contraction;
use super::memory::{load, word};
use super::{Export, Interface, Placed, Run};
use crate::plan::{Launches, Planned};
use crate::schedule::Turns;
use crate::typed::Supplied;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type, Value, types};
use cranelift_frontend::FunctionBuilder;
use cranelift_module::{DataDescription, FuncId, Linkage, Module};
use nnc_core::number::Element;
use nnc_core::plan::{Fault, Fill, Slot, Work};
use nnc_core::random::{Distribution, EVALUATION};
use std::collections::BTreeMap;

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
    parts: &[Placed],
) -> Result<(), Fault> {
    let pointer = functions.pointer();
    let (fields, numbers) = (export.fields(), export.numbers());
    let mut params = vec![pointer];
    params.extend(fields.iter().map(|_| pointer));
    match export.run {
        Run::Init => params.push(types::I64),
        Run::Step | Run::Predict => {
            params.extend(numbers.iter().map(|_| types::F64));
            let results = if export.run == Run::Step { 1 } else { interface.outputs.len() };
            params.extend((0..results).map(|_| pointer));
        }
    }
    functions.define(&export.symbol, Linkage::Export, &params, None, None, &mut |module, b| {
        let start = b.create_block();
        b.append_block_params_for_function_params(start);
        b.switch_to_block(start);
        b.seal_block(start);
        let params = b.block_params(start).to_vec();
        let (inputs, rest) = params[1..].split_at(fields.len());
        let mut body = Body { module, b, helpers, pointer, arena: params[0] };
        let clock = match export.run {
            Run::Init => body.begin(rest[0]),
            run => body.next(run),
        };
        let (said, outputs) = if export.run == Run::Init { (&[][..], &[][..]) } else { rest.split_at(numbers.len()) };
        let caller = Caller {
            is_step: export.run == Run::Step,
            minibatches: export.minibatches,
            inputs: fields.iter().copied().zip(inputs.iter().copied()).collect(),
            numbers: numbers.iter().copied().zip(said.iter().copied()).collect(),
        };
        let mut done = 0;
        for part in parts {
            let sums = body.part(part, &caller, clock)?;
            if export.run == Run::Step {
                body.results(&sums, done, outputs[0]);
                done += sums.len();
            } else {
                for (slot, to) in part.outputs.iter().zip(outputs) {
                    let from = body.at(slot.offset);
                    body.copy(*to, from, slot.bytes());
                }
            }
        }
        body.b.ins().return_(&[]);
        Ok(())
    })?;
    Ok(())
}

/// What the caller of a function gives.
struct Caller {
    /// Whether scalars are told.
    is_step: bool,
    minibatches: usize,
    /// Where each field lies.
    inputs: BTreeMap<usize, Value>,
    numbers: BTreeMap<Supplied, Value>,
}

/// What tells the draws of one run from those of another: seed and step. Updates are counted from 1.
#[derive(Clone, Copy)]
struct Clock {
    seed: Value,
    step: Value,
    update: Value,
}

/// A run: its clock and its first sample among those of the update.
#[derive(Clone, Copy)]
struct Moment {
    clock: Clock,
    first: Value,
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
    fn fixed(&mut self, bytes: Vec<u8>) -> Result<Value, Fault> {
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
        Clock { seed, step, update: step }
    }

    /// Counts the update that begins, or takes the draws of an evaluation after the last.
    fn next(&mut self, run: Run) -> Clock {
        let seed = word(self.b, self.arena, SEED / 8);
        let before = word(self.b, self.arena, STEP / 8);
        let update = self.b.ins().iadd_imm_s(before, 1);
        let step = if run == Run::Step {
            self.b.ins().store(MemFlagsData::trusted(), update, self.arena, STEP);
            update
        } else {
            self.b.ins().bor_imm_s(before, EVALUATION as i64)
        };
        Clock { seed, step, update }
    }

    /// Runs a part, for every minibatch if it is repeated; the means of its scalar outputs over the minibatches.
    fn part(&mut self, part: &Placed, caller: &Caller, clock: Clock) -> Result<Vec<Value>, Fault> {
        let first = self.number(0);
        let outputs = if caller.is_step { &part.outputs[..] } else { &[] };
        if !part.repeated || caller.minibatches == 1 {
            self.run(part, caller, clock, first)?;
            return Ok(outputs.iter().map(|slot| self.scalar(slot)).collect());
        }
        let count = self.number(caller.minibatches);
        let none = self.b.ins().f64const(0.0);
        let each = Loop::open(self.b, first, count, 1, &vec![none; outputs.len()]);
        self.run(part, caller, clock, each.i)?;
        let sums: Vec<Value> = outputs
            .iter()
            .zip(each.values.clone())
            .map(|(slot, before)| {
                let value = self.scalar(slot);
                self.b.ins().fadd(before, value)
            })
            .collect();
        let (_, sums) = each.close(self.b, &sums);
        let count = self.b.ins().f64const(caller.minibatches as f64);
        Ok(sums.into_iter().map(|sum| self.b.ins().fdiv(sum, count)).collect())
    }

    /// One run on the minibatch of that number.
    fn run(&mut self, part: &Placed, caller: &Caller, clock: Clock, minibatch: Value) -> Result<(), Fault> {
        for (field, slot) in &part.inputs {
            let Some(start) = caller.inputs.get(field) else { continue };
            let before = self.b.ins().imul_imm_s(minibatch, slot.bytes() as i64);
            let from = self.b.ins().iadd(*start, before);
            let to = self.at(slot.offset);
            self.copy(to, from, slot.bytes());
        }
        for (which, slot) in &part.supplied {
            let value = match (which, caller.numbers.get(which)) {
                (_, Some(said)) => *said,
                (Supplied::Share, None) => self.b.ins().f64const(1.0 / caller.minibatches as f64),
                (_, None) => self.b.ins().fcvt_from_sint(types::F64, clock.update),
            };
            let value = self.rounded(value, slot.element);
            let at = self.at(slot.offset);
            self.b.ins().store(MemFlagsData::trusted(), value, at, 0);
        }
        let samples = part.inputs.first().map_or(0, |(_, slot)| slot.shape[0]);
        let first = self.b.ins().imul_imm_s(minibatch, samples as i64);
        self.launches(part.launches, part.recurrences, Moment { clock, first })
    }

    fn rounded(&mut self, value: Value, element: Element) -> Value {
        if element == Element::F32 { self.b.ins().fdemote(types::F32, value) } else { value }
    }

    /// Every launch, those of a recurrence once in every turn.
    fn launches(&mut self, launches: &Launches, recurrences: &[Turns], at: Moment) -> Result<(), Fault> {
        let first = self.number(0);
        let mut next = 0;
        for turns in recurrences {
            self.launch_all(&launches[next..turns.steps.start], first, at)?;
            next = turns.steps.end;
            let count = self.number(turns.count);
            let each = Loop::open(self.b, first, count, 1, &[]);
            let turn = if turns.descending {
                let last = self.number(turns.count.saturating_sub(1));
                self.b.ins().isub(last, each.i)
            } else {
                each.i
            };
            self.launch_all(&launches[turns.steps.clone()], turn, at)?;
            each.close(self.b, &[]);
        }
        self.launch_all(&launches[next..], first, at)
    }

    fn launch_all(&mut self, launches: &[(String, usize, Planned)], turn: Value, at: Moment) -> Result<(), Fault> {
        launches.iter().try_for_each(|(_, _, planned)| self.launch(planned, turn, at))
    }

    fn launch(&mut self, planned: &Planned, turn: Value, at: Moment) -> Result<(), Fault> {
        match planned {
            Planned::Kernel { number, words, extent, .. } => {
                let words = self.fixed(words.iter().flat_map(|w| w.to_le_bytes()).collect())?;
                let begin = self.b.ins().imul_imm_s(turn, *extent as i64);
                let end = self.b.ins().iadd_imm_s(begin, *extent as i64);
                self.call(self.helpers.kernels[*number], &[self.arena, begin, end, words]);
            }
            Planned::Work(Work::Contraction(work)) => {
                let engine = self.helpers.engine.ok_or_else(|| Fault::new("a contraction without an engine"))?;
                let plan = self.fixed(contraction::plan(work, self.helpers.types))?;
                let scratch = self.at(self.helpers.scratch);
                self.call(engine, &[self.arena, scratch, plan, turn]);
            }
            Planned::Work(Work::Fill(fill)) => self.fill(fill, at)?,
            Planned::Work(Work::Copy { from, to, bytes }) => {
                let (to, from) = (self.at(*to), self.at(*from));
                self.copy(to, from, *bytes);
            }
            Planned::Work(Work::Listed { to, bytes }) => {
                let (to, from) = (self.at(*to), self.fixed(bytes.to_vec())?);
                self.copy(to, from, bytes.len());
            }
            Planned::Work(Work::Kernel { .. }) => {
                return Err(Fault::new("a kernel in memory cannot go into an object"));
            }
        }
        Ok(())
    }

    fn fill(&mut self, fill: &Fill, at: Moment) -> Result<(), Fault> {
        let found = self.helpers.fills.iter().find(|(d, _)| *d == fill.distribution);
        let (_, function) = *found.ok_or_else(|| Fault::new("a draw without its function"))?;
        let rows = if fill.per_sample { fill.slot.shape[0] } else { 1 };
        let row = fill.slot.len / rows.max(1);
        let to = self.at(fill.slot.offset);
        let [rows, row, site, none] = [rows, row, fill.site as usize, 0].map(|n| self.number(n));
        let first = if fill.per_sample { at.first } else { none };
        self.call(function, &[to, rows, row, site, at.clock.step, at.clock.seed, first]);
        Ok(())
    }

    /// A scalar output, in 64 bits.
    fn scalar(&mut self, slot: &Slot) -> Value {
        let at = self.at(slot.offset);
        match slot.element {
            Element::I32 => {
                let whole = load(self.b, types::I32, at, 0);
                self.b.ins().fcvt_from_sint(types::F64, whole)
            }
            Element::F32 => {
                let value = load(self.b, types::F32, at, 0);
                self.b.ins().fpromote(types::F64, value)
            }
            Element::F64 => load(self.b, types::F64, at, 0),
        }
    }

    /// Writes numbers into the caller's array, from place `first` on.
    fn results(&mut self, values: &[Value], first: usize, to: Value) {
        let kind = self.helpers.types.float();
        for (value, number) in values.iter().zip(first as i32..) {
            let value = if kind == types::F32 { self.b.ins().fdemote(types::F32, *value) } else { *value };
            self.b.ins().store(MemFlagsData::new().with_notrap(), value, to, number * kind.bytes() as i32);
        }
    }
}
