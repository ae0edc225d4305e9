//! Packing in generated code: copies lanes of an operand into a panel that a microkernel reads in order, in the way of
//! `runtime::pack`.
//!
//! A panel is `[term][lane]`. Neighbouring lanes are copied as vectors; others four at a time, transposed where terms
//! are neighbours. Lanes that run out are zero.

use super::super::functions::Functions;
use super::super::lanes::Types;
use super::super::loops::Loop;
use super::memory::{address, ceiling, choose, load, small, store};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{BlockArg, InstBuilder, Value, types};
use cranelift_frontend::FunctionBuilder;
use cranelift_module::{FuncId, Linkage, Module};
use nnc_core::plan::Fault;

/// Lanes and terms that are moved as one block.
const BLOCK: i64 = 4;

/// Adds `fn(source, lanes, neighbours of lanes, count, terms, neighbours of terms, depth, panel)` for panels of `width`
/// lanes, of which `count` are there. Lanes and terms are tables of offsets in elements; beside each stands how many
/// neighbours follow from there on, itself counted.
///
/// # Errors
/// When Cranelift refuses it: a fault of ours.
pub fn pack<M: Module>(functions: &mut Functions<M>, width: usize, floats: Types) -> Result<FuncId, Fault> {
    let pointer = functions.pointer();
    let params = [pointer, pointer, pointer, types::I64, pointer, pointer, types::I64, pointer];
    functions.define(&format!("pack{width}"), Linkage::Local, &params, None, None, &mut |_, b| {
        let entry = b.create_block();
        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        b.seal_block(entry);
        let p: Vec<Value> = b.block_params(entry).to_vec();
        let zero = b.ins().iconst(types::I64, 0);
        let mut pack = Pack {
            floats,
            size: i64::from(floats.float().bytes()),
            width: width as i64,
            zero,
            source: p[0],
            lanes: p[1],
            terms: p[4],
            term_neighbours: p[5],
            depth: p[6],
            panel: p[7],
        };
        pack.lanes(b, p[2], p[3]);
        b.ins().return_(&[]);
        Ok(())
    })
}

struct Pack {
    floats: Types,
    size: i64,
    width: i64,
    zero: Value,
    source: Value,
    lanes: Value,
    terms: Value,
    term_neighbours: Value,
    depth: Value,
    panel: Value,
}

impl Pack {
    /// All lanes: at once if they are neighbours and none is missing, in blocks, or, if fewer, one by one.
    fn lanes(&mut self, b: &mut FunctionBuilder, neighbours: Value, count: Value) {
        let run = small(b, neighbours, self.zero);
        let whole = b.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, run, self.width);
        let this = &*self;
        choose(
            b,
            whole,
            |b| this.copy_lanes(b, this.zero, this.width),
            |b| {
                let block = b.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, count, BLOCK);
                choose(b, block, |b| this.blocks(b, neighbours, count), |b| this.singles(b, count));
                this.clear(b, count);
            },
        );
    }

    /// Blocks of lanes. The last reaches back over lanes already there, rather than being a short one.
    fn blocks(&self, b: &mut FunctionBuilder, neighbours: Value, count: Value) {
        let number = ceiling(b, count, BLOCK);
        let last = b.ins().iadd_imm_s(count, -BLOCK);
        let each = Loop::open(b, self.zero, number, 1, &[]);
        let start = b.ins().imul_imm_s(each.i, BLOCK);
        let start = b.ins().smin(start, last);
        let run = small(b, neighbours, start);
        let together = b.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, run, BLOCK);
        choose(b, together, |b| self.copy_lanes(b, start, BLOCK), |b| self.block(b, start));
        each.close(b, &[]);
    }

    /// Where a lane's elements lie, before the term's offset.
    fn lane(&self, b: &mut FunctionBuilder, number: Value) -> Value {
        let offset = small(b, self.lanes, number);
        address(b, self.source, offset, self.size)
    }

    /// An element's place in the panel.
    fn place(&self, b: &mut FunctionBuilder, term: Value, lane: Value) -> Value {
        let row = b.ins().imul_imm_s(term, self.width);
        let number = b.ins().iadd(row, lane);
        address(b, self.panel, number, self.size)
    }

    /// `lanes` neighbours from lane `start` on, for all terms.
    fn copy_lanes(&self, b: &mut FunctionBuilder, start: Value, lanes: i64) {
        let from = self.lane(b, start);
        let to = self.place(b, self.zero, start);
        let each = Loop::open(b, self.zero, self.depth, 1, &[to]);
        let offset = small(b, self.terms, each.i);
        let at = address(b, from, offset, self.size);
        let vector = self.floats.width() as i64;
        for first in (0..lanes).step_by(vector as usize) {
            let offset = (first.min(lanes - vector) * self.size) as i32;
            let part = load(b, self.floats.floats(), at, offset);
            store(b, part, each.values[0], offset);
        }
        let next = b.ins().iadd_imm_s(each.values[0], self.width * self.size);
        each.close(b, &[next]);
    }

    /// A block of lanes that are no neighbours, for all terms.
    fn block(&self, b: &mut FunctionBuilder, start: Value) {
        let lanes: Vec<Value> = (0..BLOCK)
            .map(|l| {
                let lane = b.ins().iadd_imm_s(start, l);
                self.lane(b, lane)
            })
            .collect();
        let [header, inside, after] = [(); 3].map(|()| b.create_block());
        let term = b.append_block_param(header, types::I64);
        b.ins().jump(header, &[BlockArg::Value(self.zero)]);
        b.switch_to_block(header);
        let more = b.ins().icmp(IntCC::SignedLessThan, term, self.depth);
        b.ins().brif(more, inside, &[], after, &[]);
        b.switch_to_block(inside);
        b.seal_block(inside);
        let offset = small(b, self.terms, term);
        let from: Vec<Value> = lanes.iter().map(|lane| address(b, *lane, offset, self.size)).collect();
        let to = self.place(b, term, start);
        if self.floats.width() as i64 == BLOCK {
            let run = small(b, self.term_neighbours, term);
            let left = b.ins().isub(self.depth, term);
            let run = b.ins().smin(run, left);
            let together = b.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, run, BLOCK);
            let [square, column] = [(); 2].map(|()| b.create_block());
            b.ins().brif(together, square, &[], column, &[]);
            b.switch_to_block(square);
            b.seal_block(square);
            self.transpose(b, &from, to);
            let next = b.ins().iadd_imm_s(term, BLOCK);
            b.ins().jump(header, &[BlockArg::Value(next)]);
            b.switch_to_block(column);
            b.seal_block(column);
        }
        for (lane, from) in from.iter().enumerate() {
            let element = load(b, self.floats.float(), *from, 0);
            store(b, element, to, lane as i32 * self.size as i32);
        }
        let next = b.ins().iadd_imm_s(term, 1);
        b.ins().jump(header, &[BlockArg::Value(next)]);
        b.seal_block(header);
        b.switch_to_block(after);
        b.seal_block(after);
    }

    /// Four runs of four elements into four rows, of one element from each run.
    fn transpose(&self, b: &mut FunctionBuilder, from: &[Value], to: Value) {
        let runs: Vec<Value> = from.iter().map(|at| load(b, types::I8X16, *at, 0)).collect();
        let mut pairs = |x: Value, y: Value, unit: u8, half: u8| {
            // Units of `unit` bytes of the lower or upper halves, taken in turn from one and from the other.
            let lanes = (0..16u8).map(|i| {
                let (number, byte) = (i / unit, i % unit);
                (number / 2) * unit + byte + 8 * half + 16 * (number % 2)
            });
            let mask = b.func.dfg.immediates.push(lanes.collect::<Vec<u8>>().into());
            b.ins().shuffle(x, y, mask)
        };
        let (low, high) = (pairs(runs[0], runs[1], 4, 0), pairs(runs[0], runs[1], 4, 1));
        let (low2, high2) = (pairs(runs[2], runs[3], 4, 0), pairs(runs[2], runs[3], 4, 1));
        let rows = [pairs(low, low2, 8, 0), pairs(low, low2, 8, 1), pairs(high, high2, 8, 0), pairs(high, high2, 8, 1)];
        for (k, row) in rows.into_iter().enumerate() {
            store(b, row, to, (k as i64 * self.width * self.size) as i32);
        }
    }

    /// Lanes one by one.
    fn singles(&self, b: &mut FunctionBuilder, count: Value) {
        let lanes = Loop::open(b, self.zero, count, 1, &[]);
        let from = self.lane(b, lanes.i);
        let to = self.place(b, self.zero, lanes.i);
        let each = Loop::open(b, self.zero, self.depth, 1, &[to]);
        let offset = small(b, self.terms, each.i);
        let at = address(b, from, offset, self.size);
        let element = load(b, self.floats.float(), at, 0);
        store(b, element, each.values[0], 0);
        let next = b.ins().iadd_imm_s(each.values[0], self.width * self.size);
        each.close(b, &[next]);
        lanes.close(b, &[]);
    }

    /// Zeroes lanes that have no source: what lay there before could be slow to multiply.
    fn clear(&self, b: &mut FunctionBuilder, count: Value) {
        let none = super::super::lanes::float(b, self.floats, 0.0);
        let width = b.ins().iconst(types::I64, self.width);
        let lanes = Loop::open(b, count, width, 1, &[]);
        let to = self.place(b, self.zero, lanes.i);
        let each = Loop::open(b, self.zero, self.depth, 1, &[to]);
        store(b, none, each.values[0], 0);
        let next = b.ins().iadd_imm_s(each.values[0], self.width * self.size);
        each.close(b, &[next]);
        lanes.close(b, &[]);
    }
}
