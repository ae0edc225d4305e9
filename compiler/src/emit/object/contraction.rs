//! The contraction engine as generated code: what `runtime::contract` does, in the same order of summation, for code
//! that has no runtime beside it.
//!
//! One function serves all contractions of a program: `fn(arena, scratch, plan, turn)`. A plan is constant data: ten
//! words (offsets of A, B and C in bytes, the numbers of batches, rows, columns and terms, by how many bytes A, B and C
//! move on with every turn) and after them the tables of 32-bit element offsets, those of the batches first. A block of rows is packed, then panel after panel of columns;
//! each block of results stays in registers for [`DEPTH`] terms. Every result is one chain of fused multiply-adds, cut
//! every [`DEPTH`] terms, as in the runtime: the same bits.

use super::super::functions::Functions;
use super::super::lanes::Types;
use super::super::loops::Loop;
use super::memory::{address, ceiling, load, word};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, types};
use cranelift_frontend::FunctionBuilder;
use cranelift_module::{FuncId, Linkage, Module};
use runtime::contract::{Contraction, DEPTH};
use runtime::plan::Fault;

/// Rows of results in registers.
const ROWS: usize = 5;
/// Vectors of columns of results in registers.
const VECTORS: usize = 2;
/// Rows packed together: with [`DEPTH`] terms a share of a second-level cache.
const BLOCK: usize = 32 * ROWS;
/// Bytes before a plan's tables.
const HEAD: i64 = 80;

/// Columns of results in registers.
fn columns(types: Types) -> usize {
    VECTORS * types.width()
}

fn size(types: Types) -> i64 {
    i64::from(types.float().bytes())
}

/// Bytes of scratch the function needs.
pub fn scratch_bytes(types: Types) -> usize {
    ((BLOCK + columns(types)) * DEPTH + ROWS * columns(types)) * size(types) as usize
}

/// The constant data of a contraction.
pub fn plan(work: &Contraction, types: Types) -> Vec<u8> {
    let counts = [work.batch.len(), work.rows[0].len(), work.columns[0].len(), work.depth[0].len()];
    let words = work.base.iter().chain(&counts).map(|n| *n as i64);
    let words = words.chain(work.step.iter().map(|step| *step as i64 * size(types)));
    let mut bytes: Vec<u8> = words.flat_map(i64::to_le_bytes).collect();
    let tables = work.rows.iter().chain(&work.columns).chain(&work.depth).flat_map(|table| table.iter());
    let panels = || (0..counts[2]).step_by(columns(types));
    let adjacent = |table: &[u32], first: usize| {
        let panel = &table[first..counts[2].min(first + columns(types))];
        u32::from(panel.len() == columns(types) && panel.windows(2).all(|w| w[1] == w[0] + 1))
    };
    let flags = panels().flat_map(|first| work.columns.iter().map(move |table| adjacent(table, first)));
    let entries = work.batch.iter().flat_map(|offsets| offsets.iter()).chain(tables).copied().chain(flags);
    bytes.extend(entries.flat_map(u32::to_le_bytes));
    bytes
}

/// Adds the engine.
///
/// # Errors
/// When Cranelift refuses it: a fault of ours.
pub fn engine<M: Module>(functions: &mut Functions<M>, floats: Types) -> Result<FuncId, Fault> {
    let pointer = functions.pointer();
    functions.define(
        "contraction",
        Linkage::Local,
        &[pointer, pointer, pointer, types::I64],
        None,
        None,
        &mut |_, b| {
            let entry = b.create_block();
            b.append_block_params_for_function_params(entry);
            b.switch_to_block(entry);
            b.seal_block(entry);
            let [arena, scratch, plan, turn] = [0, 1, 2, 3].map(|i| b.block_params(entry)[i]);
            Engine::new(b, floats, scratch, plan).run(arena, turn);
            b.ins().return_(&[]);
            Ok(())
        },
    )
}

/// The engine while it is emitted.
struct Engine<'a, 'b> {
    b: &'a mut FunctionBuilder<'b>,
    types: Types,
    /// Numbers of batches, rows, columns and terms.
    counts: [Value; 4],
    plan: Value,
    /// Where the tables begin: batches, A's and C's rows, B's and C's columns, A's and B's terms, flags of panels.
    tables: [Value; 8],
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
    fn new(b: &'a mut FunctionBuilder<'b>, types: Types, scratch: Value, plan: Value) -> Self {
        let counts = [3, 4, 5, 6].map(|i| word(b, plan, i));
        let [batches, m, n, k] = counts;
        let mut at = b.ins().iadd_imm_s(plan, HEAD);
        let mut tables = vec![at];
        for (count, entry) in [(batches, 12), (m, 4), (m, 4), (n, 4), (n, 4), (k, 4), (k, 4)] {
            let bytes = b.ins().imul_imm_s(count, entry);
            at = b.ins().iadd(at, bytes);
            tables.push(at);
        }
        let rows = (BLOCK * DEPTH) as i64 * size(types);
        let panel = (columns(types) * DEPTH) as i64 * size(types);
        let scratch = [0, rows, rows + panel].map(|offset| b.ins().iadd_imm_s(scratch, offset));
        let zero = b.ins().iconst(types::I64, 0);
        let tables = std::array::from_fn(|i| tables[i]);
        Self { b, types, counts, plan, tables, scratch, zero }
    }

    fn run(&mut self, arena: Value, turn: Value) {
        let [batches, m, n, k] = self.counts;
        let each = Loop::open(self.b, self.zero, batches, 1, &[]);
        let operands = [0, 1, 2].map(|o| {
            let base = word(self.b, self.plan, o);
            let start = self.b.ins().iadd(arena, base);
            let step = word(self.b, self.plan, 7 + o);
            let ahead = self.b.ins().imul(turn, step);
            let start = self.b.ins().iadd(start, ahead);
            let entry = self.b.ins().imul_imm_s(each.i, 12);
            let entry = self.b.ins().iadd(self.tables[0], entry);
            let offset = self.b.ins().uload32(MemFlagsData::trusted(), entry, 4 * o);
            address(self.b, start, offset, size(self.types))
        });
        self.parts(k, DEPTH, &mut |engine, terms| {
            engine.parts(m, BLOCK, &mut |engine, rows| {
                engine.pack_rows(operands[0], rows, terms);
                let width = columns(engine.types);
                engine.parts(n, width, &mut |engine, panel| {
                    engine.pack_panel(operands[1], panel, terms);
                    engine.parts(rows.count, ROWS, &mut |engine, block| {
                        let sums = engine.multiply(block, terms);
                        let first = engine.b.ins().iadd(rows.first, block.first);
                        engine.store(operands[2], Part { first, ..block }, panel, terms, &sums);
                    });
                });
            });
        });
        each.close(self.b, &[]);
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

    /// An entry of a table.
    fn entry(&mut self, table: usize, number: Value) -> Value {
        let at = address(self.b, self.tables[table], number, 4);
        self.b.ins().uload32(MemFlagsData::trusted().with_readonly(), at, 0)
    }

    /// Packs rows of A as `[block of ROWS][term][row]`. Rows that run out repeat the last; nobody stores them.
    fn pack_rows(&mut self, a: Value, rows: Part, terms: Part) {
        let whole = ceiling(self.b, rows.count, ROWS as i64);
        let padded = self.b.ins().imul_imm_s(whole, ROWS as i64);
        let each = Loop::open(self.b, self.zero, padded, 1, &[]);
        let last = self.b.ins().iadd_imm_s(rows.count, -1);
        let row = self.b.ins().smin(each.i, last);
        let row = self.b.ins().iadd(rows.first, row);
        let offset = self.entry(1, row);
        let from = address(self.b, a, offset, size(self.types));
        let block = self.b.ins().udiv_imm_u(each.i, ROWS as i64);
        let in_block = self.b.ins().urem_imm_u(each.i, ROWS as i64);
        let above = self.b.ins().imul(block, terms.count);
        let above = self.b.ins().imul_imm_s(above, ROWS as i64);
        let first = self.b.ins().iadd(above, in_block);
        let to = address(self.b, self.scratch[0], first, size(self.types));
        self.pack_line(from, 5, terms, to, ROWS);
        each.close(self.b, &[]);
    }

    /// Copies the elements at a table's offsets for all terms, `stride` elements apart.
    fn pack_line(&mut self, from: Value, table: usize, terms: Part, to: Value, stride: usize) {
        let each = Loop::open(self.b, self.zero, terms.count, 1, &[to]);
        let term = self.b.ins().iadd(terms.first, each.i);
        let offset = self.entry(table, term);
        let at = address(self.b, from, offset, size(self.types));
        let element = load(self.b, self.types.float(), at, 0);
        let to = each.values[0];
        self.b.ins().store(MemFlagsData::trusted(), element, to, 0);
        let next = self.b.ins().iadd_imm_s(to, stride as i64 * size(self.types));
        each.close(self.b, &[next]);
    }

    /// Packs columns of B as `[term][column]`, whole vectors where they are neighbours.
    fn pack_panel(&mut self, b: Value, panel: Part, terms: Part) {
        let adjacent = self.adjacent(panel, 0);
        let [vectors, singles, after] = [(); 3].map(|()| self.b.create_block());
        self.b.ins().brif(adjacent, vectors, &[], singles, &[]);
        self.b.switch_to_block(vectors);
        self.b.seal_block(vectors);
        self.pack_vectors(b, panel, terms);
        self.b.ins().jump(after, &[]);
        self.b.switch_to_block(singles);
        self.b.seal_block(singles);
        let width = columns(self.types);
        let all = self.b.ins().iconst(types::I64, width as i64);
        let each = Loop::open(self.b, self.zero, all, 1, &[]);
        let last = self.b.ins().iadd_imm_s(panel.count, -1);
        let column = self.b.ins().smin(each.i, last);
        let column = self.b.ins().iadd(panel.first, column);
        let offset = self.entry(3, column);
        let from = address(self.b, b, offset, size(self.types));
        let to = address(self.b, self.scratch[1], each.i, size(self.types));
        self.pack_line(from, 6, terms, to, width);
        each.close(self.b, &[]);
        self.b.ins().jump(after, &[]);
        self.b.switch_to_block(after);
        self.b.seal_block(after);
    }

    fn pack_vectors(&mut self, b: Value, panel: Part, terms: Part) {
        let offset = self.entry(3, panel.first);
        let from = address(self.b, b, offset, size(self.types));
        let each = Loop::open(self.b, self.zero, terms.count, 1, &[self.scratch[1]]);
        let term = self.b.ins().iadd(terms.first, each.i);
        let offset = self.entry(6, term);
        let at = address(self.b, from, offset, size(self.types));
        for v in 0..VECTORS as i32 {
            let vector = load(self.b, self.types.floats(), at, 16 * v);
            self.b.ins().store(MemFlagsData::trusted(), vector, each.values[0], 16 * v);
        }
        let next = self.b.ins().iadd_imm_s(each.values[0], 16 * VECTORS as i64);
        each.close(self.b, &[next]);
    }

    /// Whether the columns of a panel are neighbours in B (0) or C (1), and none is missing.
    fn adjacent(&mut self, panel: Part, operand: i32) -> Value {
        let number = self.b.ins().udiv_imm_u(panel.first, columns(self.types) as i64);
        let at = address(self.b, self.tables[7], number, 8);
        self.b.ins().uload32(MemFlagsData::trusted(), at, 4 * operand)
    }

    /// The sums of a block of rows by the packed panel, row by row.
    fn multiply(&mut self, block: Part, terms: Part) -> Vec<Value> {
        let above = self.b.ins().imul(block.first, terms.count);
        let a = address(self.b, self.scratch[0], above, size(self.types));
        let zero = super::super::lanes::float(self.b, self.types, 0.0);
        let empty = self.b.ins().splat(self.types.floats(), zero);
        let mut carried = vec![a, self.scratch[1]];
        carried.resize(2 + ROWS * VECTORS, empty);
        let each = Loop::open(self.b, self.zero, terms.count, 1, &carried);
        let (a, b) = (each.values[0], each.values[1]);
        let right: Vec<Value> = (0..VECTORS as i32).map(|v| load(self.b, self.types.floats(), b, 16 * v)).collect();
        let mut next = vec![
            self.b.ins().iadd_imm_s(a, ROWS as i64 * size(self.types)),
            self.b.ins().iadd_imm_s(b, 16 * VECTORS as i64),
        ];
        for r in 0..ROWS {
            let one = load(self.b, self.types.float(), a, r as i32 * size(self.types) as i32);
            let left = self.b.ins().splat(self.types.floats(), one);
            for (v, right) in right.iter().enumerate() {
                next.push(self.b.ins().fma(left, *right, each.values[2 + r * VECTORS + v]));
            }
        }
        each.close(self.b, &next).1.split_off(2)
    }

    /// Stores a block of sums, or adds them to what is there after the first terms.
    fn store(&mut self, c: Value, rows: Part, panel: Part, terms: Part, sums: &[Value]) {
        let more = self.b.ins().icmp_imm_s(IntCC::NotEqual, terms.first, 0);
        let adjacent = self.adjacent(panel, 1);
        let adjacent = self.b.ins().icmp_imm_s(IntCC::NotEqual, adjacent, 0);
        let full = self.b.ins().icmp_imm_s(IntCC::Equal, rows.count, ROWS as i64);
        let straight = self.b.ins().band(adjacent, full);
        let [vectors, singles, after] = [(); 3].map(|()| self.b.create_block());
        self.b.ins().brif(straight, vectors, &[], singles, &[]);
        self.b.switch_to_block(vectors);
        self.b.seal_block(vectors);
        self.store_vectors(c, rows, panel, more, sums);
        self.b.ins().jump(after, &[]);
        self.b.switch_to_block(singles);
        self.b.seal_block(singles);
        self.store_singles(c, rows, panel, more, sums);
        self.b.ins().jump(after, &[]);
        self.b.switch_to_block(after);
        self.b.seal_block(after);
    }

    /// Stores a sum, or with `more` what is there plus it.
    fn onto(&mut self, at: Value, offset: i32, more: Value, sum: Value) {
        let kind = self.b.func.dfg.value_type(sum);
        let old = load(self.b, kind, at, offset);
        let total = self.b.ins().fadd(old, sum);
        let result = self.b.ins().select(more, total, sum);
        self.b.ins().store(MemFlagsData::trusted(), result, at, offset);
    }

    fn store_vectors(&mut self, c: Value, rows: Part, panel: Part, more: Value, sums: &[Value]) {
        let column = self.entry(4, panel.first);
        let c = address(self.b, c, column, size(self.types));
        for r in 0..ROWS {
            let row = self.b.ins().iadd_imm_s(rows.first, r as i64);
            let offset = self.entry(2, row);
            let at = address(self.b, c, offset, size(self.types));
            for v in 0..VECTORS {
                self.onto(at, 16 * v as i32, more, sums[r * VECTORS + v]);
            }
        }
    }

    fn store_singles(&mut self, c: Value, rows: Part, panel: Part, more: Value, sums: &[Value]) {
        for (v, sum) in sums.iter().enumerate() {
            self.b.ins().store(MemFlagsData::trusted(), *sum, self.scratch[2], 16 * v as i32);
        }
        let each = Loop::open(self.b, self.zero, rows.count, 1, &[]);
        let row = self.b.ins().iadd(rows.first, each.i);
        let offset = self.entry(2, row);
        let to = address(self.b, c, offset, size(self.types));
        let line = self.b.ins().imul_imm_s(each.i, columns(self.types) as i64);
        let from = address(self.b, self.scratch[2], line, size(self.types));
        let inner = Loop::open(self.b, self.zero, panel.count, 1, &[]);
        let column = self.b.ins().iadd(panel.first, inner.i);
        let offset = self.entry(4, column);
        let at = address(self.b, to, offset, size(self.types));
        let from = address(self.b, from, inner.i, size(self.types));
        let sum = load(self.b, self.types.float(), from, 0);
        self.onto(at, 0, more, sum);
        inner.close(self.b, &[]);
        each.close(self.b, &[]);
    }
}
