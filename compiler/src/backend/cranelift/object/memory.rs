//! Small pieces of code that read and move memory.

use super::super::functions::Functions;
use super::super::loops::Loop;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type, Value, types};
use cranelift_frontend::FunctionBuilder;
use cranelift_module::{FuncId, Linkage, Module};
use nnc_core::plan::Fault;

/// `start + size * number`.
pub fn address(b: &mut FunctionBuilder, start: Value, number: Value, size: i64) -> Value {
    let offset = b.ins().imul_imm_s(number, size);
    b.ins().iadd(start, offset)
}

/// A value at an address.
pub fn load(b: &mut FunctionBuilder, kind: Type, at: Value, offset: i32) -> Value {
    b.ins().load(kind, MemFlagsData::new().with_notrap(), at, offset)
}

/// Puts a value at an address, of any alignment.
pub fn store(b: &mut FunctionBuilder, value: Value, at: Value, offset: i32) {
    b.ins().store(MemFlagsData::new().with_notrap(), value, at, offset);
}

/// The word of that number.
pub fn word(b: &mut FunctionBuilder, at: Value, number: i32) -> Value {
    load(b, types::I64, at, 8 * number)
}

/// An entry of a table of 32-bit numbers.
pub fn small(b: &mut FunctionBuilder, table: Value, number: Value) -> Value {
    let at = address(b, table, number, 4);
    b.ins().uload32(MemFlagsData::trusted().with_readonly(), at, 0)
}

/// What `yes` emits where the condition holds, else what `no` does.
pub fn choose<'f>(
    b: &mut FunctionBuilder<'f>,
    condition: Value,
    yes: impl FnOnce(&mut FunctionBuilder<'f>),
    no: impl FnOnce(&mut FunctionBuilder<'f>),
) {
    let [then, otherwise, after] = [(); 3].map(|()| b.create_block());
    b.ins().brif(condition, then, &[], otherwise, &[]);
    b.switch_to_block(then);
    b.seal_block(then);
    yes(b);
    b.ins().jump(after, &[]);
    b.switch_to_block(otherwise);
    b.seal_block(otherwise);
    no(b);
    b.ins().jump(after, &[]);
    b.switch_to_block(after);
    b.seal_block(after);
}

/// How many parts of a size a count takes.
pub fn ceiling(b: &mut FunctionBuilder, count: Value, size: i64) -> Value {
    let more = b.ins().iadd_imm_s(count, size - 1);
    b.ins().udiv_imm_u(more, size)
}

/// Adds `copy(to, from, bytes)`, where bytes are a multiple of four.
///
/// # Errors
/// When Cranelift refuses it: a fault of ours.
pub fn copy<M: Module>(functions: &mut Functions<M>) -> Result<FuncId, Fault> {
    let pointer = functions.pointer();
    functions.define("copy", Linkage::Local, &[pointer, pointer, types::I64], None, None, &mut |_, b| {
        let entry = b.create_block();
        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        b.seal_block(entry);
        let [to, from, bytes] = [0, 1, 2].map(|i| b.block_params(entry)[i]);
        let mut done = b.ins().iconst(types::I64, 0);
        for (kind, size) in [(types::I8X16, 16), (types::I32, 4)] {
            let each = Loop::open(b, done, bytes, size, &[]);
            let [source, target] = [from, to].map(|start| b.ins().iadd(start, each.i));
            let part = load(b, kind, source, 0);
            b.ins().store(MemFlagsData::new().with_notrap(), part, target, 0);
            (done, _) = each.close(b, &[]);
        }
        b.ins().return_(&[]);
        Ok(())
    })
}
