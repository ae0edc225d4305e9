//! Saving and loading: the tensors of a network as the bytes of a file of weights, in the caller's buffer. What frames
//! them there is given: the format of files is the business of what reads and writes them.

use super::super::functions::{Functions, fault};
use super::super::loops::Loop;
use super::memory::load;
use super::{Framed, Saved};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};
use cranelift_frontend::FunctionBuilder;
use cranelift_module::{DataDescription, DataId, FuncId, Linkage, Module};
use nnc_core::plan::{Fault, Slot};
use std::collections::BTreeMap;

/// Adds both functions; how many bytes the buffer takes. They are those of the file `nnc run` keeps.
///
/// # Errors
/// When a tensor does not exist or Cranelift refuses the code: faults of ours.
pub fn functions<M: Module>(
    functions: &mut Functions<M>,
    copy: FuncId,
    saved: &Saved,
    framed: Framed,
    persistent: &BTreeMap<String, Slot>,
) -> Result<usize, Fault> {
    let slot = |name: &str| persistent.get(name).ok_or_else(|| Fault::new(format!("no program has a tensor {name}")));
    let tensors =
        saved.tensors.iter().map(|(name, under)| Ok((&**under, slot(name)?))).collect::<Result<Vec<_>, Fault>>()?;
    let frame = framed(&tensors)?;
    let moves: Vec<(usize, &Slot)> = frame.starts.iter().copied().zip(tensors.iter().map(|(_, slot)| *slot)).collect();
    let head = functions.module.declare_anonymous_data(false, false).map_err(fault)?;
    let mut data = DataDescription::new();
    data.define(frame.head.clone().into());
    data.set_align(8);
    functions.module.define_data(head, &data).map_err(fault)?;
    let also = saved.copies.iter().map(|(to, from)| Ok((slot(from)?, slot(to)?))).collect::<Result<_, Fault>>()?;
    let part = Part { head, head_bytes: frame.head.len(), moves, also, copy };
    let pointer = functions.pointer();
    functions.define(&saved.save, Linkage::Export, &[pointer; 2], None, None, &mut |module, b| {
        let [arena, buffer] = begin(b);
        part.save(module, b, arena, buffer);
        b.ins().return_(&[]);
        Ok(())
    })?;
    functions.define(&saved.load, Linkage::Export, &[pointer; 2], Some(types::I32), None, &mut |module, b| {
        let [arena, buffer] = begin(b);
        part.load(module, b, arena, buffer);
        Ok(())
    })?;
    Ok(frame.bytes)
}

fn begin(b: &mut FunctionBuilder) -> [Value; 2] {
    let start = b.create_block();
    b.append_block_params_for_function_params(start);
    b.switch_to_block(start);
    b.seal_block(start);
    [0, 1].map(|i| b.block_params(start)[i])
}

/// What is moved: the file's head, and tensors by their first byte in the buffer.
struct Part<'a> {
    head: DataId,
    head_bytes: usize,
    moves: Vec<(usize, &'a Slot)>,
    /// What loading copies after that, from the first to the second.
    also: Vec<(&'a Slot, &'a Slot)>,
    copy: FuncId,
}

impl Part<'_> {
    fn head<M: Module>(&self, module: &mut M, b: &mut FunctionBuilder) -> (Value, Value) {
        let pointer = module.target_config().pointer_type();
        let head = module.declare_data_in_func(self.head, b.func);
        (b.ins().symbol_value(pointer, head), b.ins().iconst(types::I64, self.head_bytes as i64))
    }

    fn save<M: Module>(&self, module: &mut M, b: &mut FunctionBuilder, arena: Value, buffer: Value) {
        let copy = module.declare_func_in_func(self.copy, b.func);
        let (head, bytes) = self.head(module, b);
        b.ins().call(copy, &[buffer, head, bytes]);
        for (start, slot) in &self.moves {
            let to = b.ins().iadd_imm_s(buffer, *start as i64);
            let from = b.ins().iadd_imm_s(arena, slot.offset as i64);
            let bytes = b.ins().iconst(types::I64, slot.bytes() as i64);
            b.ins().call(copy, &[to, from, bytes]);
        }
    }

    /// Compares the head, which says every name, shape and place, then copies.
    fn load<M: Module>(&self, module: &mut M, b: &mut FunctionBuilder, arena: Value, buffer: Value) {
        let copy = module.declare_func_in_func(self.copy, b.func);
        let (head, bytes) = self.head(module, b);
        let zero = b.ins().iconst(types::I64, 0);
        let same = b.ins().iconst(types::I32, 0);
        let each = Loop::open(b, zero, bytes, 4, &[same]);
        let [ours, theirs] = [head, buffer].map(|start| {
            let at = b.ins().iadd(start, each.i);
            load(b, types::I32, at, 0)
        });
        let differs = b.ins().bxor(ours, theirs);
        let any = b.ins().bor(each.values[0], differs);
        let (_, found) = each.close(b, &[any]);
        let other = b.ins().icmp_imm_s(IntCC::NotEqual, found[0], 0);
        let [refuse, accept] = [(); 2].map(|()| b.create_block());
        b.ins().brif(other, refuse, &[], accept, &[]);
        b.switch_to_block(refuse);
        b.seal_block(refuse);
        let one = b.ins().iconst(types::I32, 1);
        b.ins().return_(&[one]);
        b.switch_to_block(accept);
        b.seal_block(accept);
        for (start, slot) in &self.moves {
            let to = b.ins().iadd_imm_s(arena, slot.offset as i64);
            let from = b.ins().iadd_imm_s(buffer, *start as i64);
            let bytes = b.ins().iconst(types::I64, slot.bytes() as i64);
            b.ins().call(copy, &[to, from, bytes]);
        }
        for (from, to) in &self.also {
            let [from, to, bytes] = [from.offset, to.offset, to.bytes()].map(|n| n as i64);
            let [from, to] = [from, to].map(|offset| b.ins().iadd_imm_s(arena, offset));
            let bytes = b.ins().iconst(types::I64, bytes);
            b.ins().call(copy, &[to, from, bytes]);
        }
        b.ins().return_(&[same]);
    }
}
