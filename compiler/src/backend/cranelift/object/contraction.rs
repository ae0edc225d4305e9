//! The contraction engine as generated code: what `runtime::contract` does, in the same order of summation, for code
//! that has no runtime beside it.
//!
//! One function serves all contractions of a program: `fn(arena, scratch, plan, turn)`. A plan is constant data: ten
//! words (offsets of A, B and C in bytes, the numbers of batches, rows, columns and terms, by how many bytes A, B and C
//! move on with every turn) and after them tables of 32 bits: element offsets, those of the batches first, then how many
//! neighbours follow from each on. Rows are packed, a block of panels, then panel after panel of columns, and the
//! microkernel runs on pairs of panels. Every result is one chain of fused multiply-adds, cut every [`DEPTH`] terms, as
//! in the runtime: the same bits. On x86-64 there is an engine for each size of vectors, and the first call decides.

use super::super::functions::{Functions, fault};
use super::super::lanes::Types;
use super::super::loops::Loop;
use super::memory::{address, ceiling, choose, load, small, store, word};
use super::microkernel::{self, Kernel, x86_name};
use super::pack::pack;
use super::x86::{self, Vectors};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{BlockArg, FuncRef, InstBuilder, MemFlagsData, Type, Value, types};
use cranelift_frontend::FunctionBuilder;
use cranelift_module::{DataDescription, FuncId, Linkage, Module};
use nnc_core::contraction::{Contraction, DEPTH};
use nnc_core::plan::Fault;
use nnc_core::vectors::Block;

/// Rows packed together, whole panels of any kernel: with [`DEPTH`] terms half a common second-level cache.
const BLOCK: usize = 240;
/// The largest panel of columns of any kernel, in bytes a term: kernels of wider floats have fewer columns.
const COLUMNS: usize = Block::LARGEST.columns * 4;
/// The largest block of results of any kernel, in bytes.
const RESULTS: usize = Block::LARGEST.rows * COLUMNS;
/// Bytes before a plan's tables.
const HEAD: i64 = 80;

fn size(types: Types) -> i64 {
    i64::from(types.float().bytes())
}

/// Bytes of scratch the function needs.
pub fn scratch_bytes(types: Types) -> usize {
    BLOCK * DEPTH * size(types) as usize + COLUMNS * DEPTH + RESULTS
}

/// How many neighbours follow from each offset on, itself counted.
fn neighbours(table: &[u32]) -> Vec<u32> {
    let mut runs = vec![1; table.len()];
    for i in (1..table.len()).rev() {
        if table[i] == table[i - 1] + 1 {
            runs[i - 1] = runs[i] + 1;
        }
    }
    runs
}

/// The constant data of a contraction.
pub fn plan(work: &Contraction, types: Types) -> Vec<u8> {
    let counts = [work.batch.len(), work.rows[0].len(), work.columns[0].len(), work.depth[0].len()];
    let words = work.base.iter().chain(&counts).map(|n| *n as i64);
    let words = words.chain(work.step.iter().map(|step| *step as i64 * size(types)));
    let mut bytes: Vec<u8> = words.flat_map(i64::to_le_bytes).collect();
    let tables = || work.rows.iter().chain(&work.columns).chain(&work.depth);
    let offsets = tables().flat_map(|table| table.iter().copied());
    let entries = work.batch.iter().flat_map(|of| of.iter().copied()).chain(offsets);
    let entries = entries.chain(tables().flat_map(|table| neighbours(table)));
    bytes.extend(entries.flat_map(u32::to_le_bytes));
    bytes
}

/// Adds the engine.
///
/// # Errors
/// When Cranelift refuses it: a fault of ours.
pub fn engine<M: Module>(functions: &mut Functions<M>, floats: Types, x86: bool) -> Result<FuncId, Fault> {
    if !x86 {
        let kernel = microkernel::portable(functions, floats)?;
        return engine_of(functions, floats, kernel, "contraction");
    }
    let mut engines = vec![];
    for vectors in [Vectors::Avx2, Vectors::Avx512] {
        let kernel = microkernel::wide(functions, vectors, floats)?;
        let name = format!("contraction_{}", x86_name(vectors));
        engines.push(engine_of(functions, floats, kernel, &name)?);
    }
    chosen(functions, [engines[0], engines[1]])
}

fn params(pointer: Type) -> [Type; 4] {
    [pointer, pointer, pointer, types::I64]
}

/// The engine around a microkernel.
fn engine_of<M: Module>(
    functions: &mut Functions<M>,
    floats: Types,
    kernel: Kernel,
    name: &str,
) -> Result<FuncId, Fault> {
    let rows = pack(functions, kernel.rows, floats)?;
    let columns = if kernel.columns == kernel.rows { rows } else { pack(functions, kernel.columns, floats)? };
    let packs = [rows, columns];
    let params = params(functions.pointer());
    functions.define(name, Linkage::Local, &params, None, None, &mut |module, b| {
        let entry = b.create_block();
        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        b.seal_block(entry);
        let [arena, scratch, plan, turn] = [0, 1, 2, 3].map(|i| b.block_params(entry)[i]);
        let run = module.declare_func_in_func(kernel.function, b.func);
        let packs = packs.map(|id| module.declare_func_in_func(id, b.func));
        Engine::new(b, floats, Callees { kernel, run, packs }, scratch, plan).run(arena, turn);
        b.ins().return_(&[]);
        Ok(())
    })
}

/// The engine for narrow or for wide vectors, which the first call finds out; a word of the object's own keeps it.
fn chosen<M: Module>(functions: &mut Functions<M>, engines: [FuncId; 2]) -> Result<FuncId, Fault> {
    let level = microkernel::ready(functions, "level", &[], &[types::I64], x86::level())?;
    let kept = functions.module.declare_data("vectors", Linkage::Local, true, false).map_err(fault)?;
    let mut data = DataDescription::new();
    data.define_zeroinit(8);
    data.set_align(8);
    functions.module.define_data(kept, &data).map_err(fault)?;
    let pointer = functions.pointer();
    functions.define("contraction", Linkage::Local, &params(pointer), None, None, &mut |module, b| {
        let entry = b.create_block();
        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        b.seal_block(entry);
        let arguments = b.block_params(entry).to_vec();
        let [narrow, wide, level] = [engines[0], engines[1], level].map(|id| module.declare_func_in_func(id, b.func));
        let kept = module.declare_data_in_func(kept, b.func);
        let at = b.ins().symbol_value(pointer, kept);
        let known = word(b, at, 0);
        let [find, go] = [(); 2].map(|()| b.create_block());
        let which = b.append_block_param(go, types::I64);
        b.ins().brif(known, go, &[BlockArg::Value(known)], find, &[]);
        b.switch_to_block(find);
        b.seal_block(find);
        let call = b.ins().call(level, &[]);
        let found = b.inst_results(call)[0];
        store(b, found, at, 0);
        b.ins().jump(go, &[BlockArg::Value(found)]);
        b.switch_to_block(go);
        b.seal_block(go);
        let is_wide = b.ins().icmp_imm_s(IntCC::Equal, which, 2);
        let call = |engine: FuncRef| {
            let arguments = &arguments;
            move |b: &mut FunctionBuilder| {
                b.ins().call(engine, arguments);
            }
        };
        choose(b, is_wide, call(wide), call(narrow));
        b.ins().return_(&[]);
        Ok(())
    })
}

/// What an engine calls: the microkernel, and what packs rows and columns for it.
struct Callees {
    kernel: Kernel,
    run: FuncRef,
    packs: [FuncRef; 2],
}

/// A table of the plan: offsets, and how many neighbours follow from each on.
#[derive(Clone, Copy)]
struct Table {
    offsets: Value,
    neighbours: Value,
}

impl Table {
    /// The same from entry `first` on.
    fn from(self, b: &mut FunctionBuilder, first: Value) -> Self {
        let [offsets, neighbours] = [self.offsets, self.neighbours].map(|table| address(b, table, first, 4));
        Self { offsets, neighbours }
    }
}

/// The engine while it is emitted.
struct Engine<'a, 'b> {
    b: &'a mut FunctionBuilder<'b>,
    types: Types,
    callees: Callees,
    /// Numbers of batches, rows, columns and terms.
    counts: [Value; 4],
    plan: Value,
    batches: Value,
    /// A's and C's rows, B's and C's columns, A's and B's terms.
    tables: [Table; 6],
    /// Packed rows, the packed panel, a block of results.
    scratch: [Value; 3],
    zero: Value,
}

/// The part of an operand at hand.
#[derive(Clone, Copy)]
struct Part {
    first: Value,
    count: Value,
}

impl<'a, 'b> Engine<'a, 'b> {
    fn new(b: &'a mut FunctionBuilder<'b>, types: Types, callees: Callees, scratch: Value, plan: Value) -> Self {
        let counts = [3, 4, 5, 6].map(|i| word(b, plan, i));
        let [count, m, n, k] = counts;
        let batches = b.ins().iadd_imm_s(plan, HEAD);
        let bytes = b.ins().imul_imm_s(count, 12);
        let mut at = b.ins().iadd(batches, bytes);
        let mut starts = vec![];
        for count in [m, m, n, n, k, k, m, m, n, n, k, k] {
            starts.push(at);
            at = address(b, at, count, 4);
        }
        let tables = std::array::from_fn(|i| Table { offsets: starts[i], neighbours: starts[6 + i] });
        let rows = (BLOCK * DEPTH) as i64 * size(types);
        let panel = (COLUMNS * DEPTH) as i64;
        let scratch = [0, rows, rows + panel].map(|offset| b.ins().iadd_imm_s(scratch, offset));
        let zero = b.ins().iconst(types::I64, 0);
        Self { b, types, callees, counts, plan, batches, tables, scratch, zero }
    }

    fn run(&mut self, arena: Value, turn: Value) {
        let [batches, m, n, k] = self.counts;
        let Kernel { rows: height, columns: width, .. } = self.callees.kernel;
        let each = Loop::open(self.b, self.zero, batches, 1, &[]);
        let [a, b, c] = [0, 1, 2].map(|o| self.operand(o, arena, turn, each.i));
        self.parts(k, DEPTH, &mut |engine, terms| {
            engine.parts(m, BLOCK, &mut |engine, rows| {
                engine.parts(rows.count, height, &mut |engine, block| {
                    let first = engine.b.ins().iadd(rows.first, block.first);
                    let to = engine.panel(block, terms);
                    engine.pack(a, 0, Part { first, ..block }, terms, to);
                });
                engine.parts(n, width, &mut |engine, panel| {
                    let packed = engine.scratch[1];
                    engine.pack(b, 1, panel, terms, packed);
                    engine.parts(rows.count, height, &mut |engine, block| {
                        let left = engine.panel(block, terms);
                        let run = engine.callees.run;
                        engine.b.ins().call(run, &[terms.count, left, packed, engine.scratch[2]]);
                        let first = engine.b.ins().iadd(rows.first, block.first);
                        engine.store(c, Part { first, ..block }, panel, terms);
                    });
                });
            });
        });
        each.close(self.b, &[]);
    }

    /// Where an operand begins, in a batch and at a turn.
    fn operand(&mut self, number: i32, arena: Value, turn: Value, batch: Value) -> Value {
        let base = word(self.b, self.plan, number);
        let start = self.b.ins().iadd(arena, base);
        let step = word(self.b, self.plan, 7 + number);
        let ahead = self.b.ins().imul(turn, step);
        let start = self.b.ins().iadd(start, ahead);
        let entry = address(self.b, self.batches, batch, 12);
        let offset = self.b.ins().uload32(MemFlagsData::trusted(), entry, 4 * number);
        address(self.b, start, offset, size(self.types))
    }

    /// Cuts `0..total` into parts of `size` and a rest.
    fn parts(&mut self, total: Value, size: usize, body: &mut dyn FnMut(&mut Self, Part)) {
        let number = ceiling(self.b, total, size as i64);
        let each = Loop::open(self.b, self.zero, number, 1, &[]);
        let first = self.b.ins().imul_imm_s(each.i, size as i64);
        let left = self.b.ins().isub(total, first);
        let most = self.b.ins().iconst(types::I64, size as i64);
        let count = self.b.ins().smin(left, most);
        body(self, Part { first, count });
        each.close(self.b, &[]);
    }

    /// Where a panel of packed rows lies.
    fn panel(&mut self, rows: Part, terms: Part) -> Value {
        let before = self.b.ins().imul(rows.first, terms.count);
        address(self.b, self.scratch[0], before, size(self.types))
    }

    /// Packs a panel of rows of A (0) or of columns of B (1).
    fn pack(&mut self, source: Value, operand: usize, lanes: Part, terms: Part, to: Value) {
        let table = self.tables[2 * operand].from(self.b, lanes.first);
        let depth = self.tables[4 + operand].from(self.b, terms.first);
        let pack = self.callees.packs[operand];
        let (lanes, count) = (table, lanes.count);
        let arguments =
            [source, lanes.offsets, lanes.neighbours, count, depth.offsets, depth.neighbours, terms.count, to];
        self.b.ins().call(pack, &arguments);
    }

    /// Stores the block of results, or adds it to what is there after the first terms.
    fn store(&mut self, c: Value, rows: Part, panel: Part, terms: Part) {
        let more = self.b.ins().icmp_imm_s(IntCC::NotEqual, terms.first, 0);
        let columns = self.tables[3].from(self.b, panel.first);
        let lines = self.tables[1].from(self.b, rows.first);
        let to = Rows {
            types: self.types,
            width: self.callees.kernel.columns as i64,
            block: self.scratch[2],
            c,
            lines: lines.offsets,
            rows: rows.count,
            columns: columns.offsets,
            count: panel.count,
            zero: self.zero,
        };
        let run = small(self.b, columns.neighbours, self.zero);
        let straight = self.b.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, run, to.width);
        choose(
            self.b,
            straight,
            |b| choose(b, more, |b| to.vectors(b, true), |b| to.vectors(b, false)),
            |b| choose(b, more, |b| to.singles(b, true), |b| to.singles(b, false)),
        );
    }
}

/// A block of results and the rows and columns of C where it goes.
struct Rows {
    types: Types,
    width: i64,
    block: Value,
    c: Value,
    lines: Value,
    rows: Value,
    columns: Value,
    count: Value,
    zero: Value,
}

impl Rows {
    /// Row for row: the row's place in C and in the block.
    fn each(&self, b: &mut FunctionBuilder, body: impl FnOnce(&mut FunctionBuilder, Value, Value)) {
        let each = Loop::open(b, self.zero, self.rows, 1, &[self.block]);
        let offset = small(b, self.lines, each.i);
        let to = address(b, self.c, offset, size(self.types));
        let from = each.values[0];
        body(b, to, from);
        let next = b.ins().iadd_imm_s(from, self.width * size(self.types));
        each.close(b, &[next]);
    }

    /// Columns that are neighbours, all there.
    fn vectors(&self, b: &mut FunctionBuilder, more: bool) {
        let first = small(b, self.columns, self.zero);
        self.each(b, |b, to, from| {
            let to = address(b, to, first, size(self.types));
            for offset in (0..self.width * size(self.types)).step_by(16) {
                onto(b, self.types.floats(), more, [to, from], offset as i32);
            }
        });
    }

    /// Columns anywhere.
    fn singles(&self, b: &mut FunctionBuilder, more: bool) {
        self.each(b, |b, to, from| {
            let inner = Loop::open(b, self.zero, self.count, 1, &[]);
            let offset = small(b, self.columns, inner.i);
            let to = address(b, to, offset, size(self.types));
            let from = address(b, from, inner.i, size(self.types));
            onto(b, self.types.float(), more, [to, from], 0);
            inner.close(b, &[]);
        });
    }
}

/// Stores a sum, or with `more` what is there plus it.
fn onto(b: &mut FunctionBuilder, kind: Type, more: bool, [to, from]: [Value; 2], offset: i32) {
    let mut sum = load(b, kind, from, offset);
    if more {
        let old = load(b, kind, to, offset);
        sum = b.ins().fadd(old, sum);
    }
    store(b, sum, to, offset);
}
