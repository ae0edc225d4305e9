//! Random numbers as generated code: the functions of [`nnc_core::random`], which the runtime runs, made instructions.

use super::super::arithmetic::Arithmetic;
use super::super::functions::Functions;
use super::super::lanes::Types;
use super::super::loops::Loop;
use super::memory::{address, ceiling, load};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, StackSlotData, StackSlotKind, Value, types};
use cranelift_frontend::FunctionBuilder;
use cranelift_module::{FuncId, Linkage, Module};
use nnc_core::number::Precision;
use nnc_core::numeric::ops::Words;
use nnc_core::plan::Fault;
use nnc_core::random::{Distribution, draws, philox};

/// Adds `fill(to, rows, row, site, step, seed, first)`: `rows` samples of `row` elements each, from sample `first` on.
///
/// # Errors
/// When Cranelift refuses it: a fault of ours.
pub fn fill<M: Module>(
    functions: &mut Functions<M>,
    distribution: Distribution,
    types: Types,
) -> Result<FuncId, Fault> {
    let pointer = functions.pointer();
    let name = match distribution {
        Distribution::Uniform => "uniform",
        Distribution::Normal => "normal",
    };
    let params = [pointer, types::I64, types::I64, types::I64, types::I64, types::I64, types::I64];
    functions.define(name, Linkage::Local, &params, None, None, &mut |_, b| {
        let entry = b.create_block();
        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        b.seal_block(entry);
        let [to, rows, row, site, step, seed, first_sample] = [0, 1, 2, 3, 4, 5, 6].map(|i| b.block_params(entry)[i]);
        let mixed = b.ins().bxor(seed, step);
        let mixed = b.ins().ushr_imm_u(mixed, 32);
        let [site, step, first, second] = [site, step, seed, mixed].map(|x| low(b, x));
        let key = [first, second];
        let size = i64::from(types.float().bytes());
        let block = b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, 32, 4));
        let zero = b.ins().iconst(types::I64, 0);
        let samples = Loop::open(b, zero, rows, 1, &[]);
        let before = b.ins().imul(samples.i, row);
        let start = address(b, to, before, size);
        let count = ceiling(b, row, 4);
        let blocks = Loop::open(b, zero, count, 1, &[]);
        let sample = b.ins().iadd(samples.i, first_sample);
        let counter = [low(b, blocks.i), low(b, sample), step, site];
        let o = &mut Arithmetic { builder: b, types: Types { precision: Precision::F64 }, wide: false };
        let words = philox(o, counter, key);
        let values = draws(o, distribution, words);
        for (n, value) in values.into_iter().enumerate() {
            let value = if types.precision == Precision::F32 { b.ins().fdemote(types::F32, value) } else { value };
            b.ins().stack_store(pointer, value, block, n as i32 * size as i32);
        }
        let first = b.ins().imul_imm_s(blocks.i, 4);
        let left = b.ins().isub(row, first);
        let four = b.ins().iconst(types::I64, 4);
        let wanted = b.ins().smin(left, four);
        let from = b.ins().stack_addr(pointer, block, 0);
        let target = address(b, start, first, size);
        let elements = Loop::open(b, zero, wanted, 1, &[]);
        let from = address(b, from, elements.i, size);
        let at = address(b, target, elements.i, size);
        let value = load(b, types.float(), from, 0);
        b.ins().store(MemFlagsData::new().with_notrap(), value, at, 0);
        elements.close(b, &[]);
        blocks.close(b, &[]);
        samples.close(b, &[]);
        b.ins().return_(&[]);
        Ok(())
    })
}

/// Words as integers of 32 bits, on single values.
impl Words for Arithmetic<'_, '_> {
    type W = Value;

    fn word(&mut self, value: u32) -> Value {
        debug_assert!(!self.wide && self.types.precision == Precision::F64, "words go with single floats of 64 bits");
        self.builder.ins().iconst(types::I32, i64::from(value))
    }

    fn word_add(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().iadd(a, b)
    }

    fn word_sub(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().isub(a, b)
    }

    fn word_and(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().band(a, b)
    }

    fn word_xor(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().bxor(a, b)
    }

    fn word_shl(&mut self, a: Value, by: u32) -> Value {
        self.builder.ins().ishl_imm_u(a, i64::from(by))
    }

    fn word_shr(&mut self, a: Value, by: u32) -> Value {
        self.builder.ins().ushr_imm_u(a, i64::from(by))
    }

    fn word_product(&mut self, a: Value, b: Value) -> [Value; 2] {
        let (a, b) = (self.widen(a), self.widen(b));
        let product = self.builder.ins().imul(a, b);
        let high = self.builder.ins().ushr_imm_u(product, 32);
        [high, product].map(|word| low(self.builder, word))
    }

    fn word_eq(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().icmp(IntCC::Equal, a, b)
    }

    fn widen(&mut self, a: Value) -> Value {
        self.builder.ins().uextend(types::I64, a)
    }

    fn signed(&mut self, a: Value) -> Value {
        self.builder.ins().fcvt_from_sint(types::F64, a)
    }
}

/// The lower word of 64 bits.
fn low(b: &mut FunctionBuilder, x: Value) -> Value {
    b.ins().ireduce(types::I32, x)
}
