//! The innermost loop of contractions: a block of results from a packed panel of rows and one of columns.
//!
//! `fn(terms, rows, columns, block)` fills `block[r][c] = sum over k of rows[k][r] * columns[k][c]`, each element one
//! chain of fused multiply-adds in the order of k, from zero: the same bits at every vector width.

use super::super::functions::{Functions, fault};
use super::super::lanes::{self, Types};
use super::super::loops::Loop;
use super::memory::{load, store};
use super::x86::{self, Code, Vectors};
use cranelift_codegen::ir::{AbiParam, InstBuilder, Signature, Value, types};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::FunctionBuilder;
use cranelift_module::{FuncId, Linkage, Module};
use nnc_core::plan::Fault;
use nnc_core::vectors::Block;

/// A microkernel and the block it computes.
#[derive(Clone, Copy)]
pub struct Kernel {
    /// Rows of the block: lanes of a panel of rows.
    pub rows: usize,
    /// Columns of the block: lanes of a panel of columns.
    pub columns: usize,
    /// The function.
    pub function: FuncId,
}

/// Rows and vectors of the block of code for any machine: what 32 registers hold twice over.
const ROWS: usize = 8;
const VECTORS: usize = 2;

/// The kernel in Cranelift's vectors.
///
/// # Errors
/// When Cranelift refuses it: a fault of ours.
pub fn portable<M: Module>(functions: &mut Functions<M>, floats: Types) -> Result<Kernel, Fault> {
    let pointer = functions.pointer();
    let params = [types::I64, pointer, pointer, pointer];
    let function = functions.define("block", Linkage::Local, &params, None, None, &mut |_, b| {
        let entry = b.create_block();
        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        b.seal_block(entry);
        let [terms, rows, columns, block] = [0, 1, 2, 3].map(|i| b.block_params(entry)[i]);
        let sums = sums(b, floats, terms, rows, columns);
        for (number, sum) in sums.iter().enumerate() {
            store(b, *sum, block, 16 * number as i32);
        }
        b.ins().return_(&[]);
        Ok(())
    })?;
    Ok(Kernel { rows: ROWS, columns: VECTORS * floats.width(), function })
}

/// The sums, row by row.
fn sums(b: &mut FunctionBuilder, floats: Types, terms: Value, rows: Value, columns: Value) -> Vec<Value> {
    let size = floats.float().bytes() as i32;
    let start = b.ins().iconst(types::I64, 0);
    let zero = lanes::float(b, floats, 0.0);
    let empty = b.ins().splat(floats.floats(), zero);
    let mut carried = vec![rows, columns];
    carried.resize(2 + ROWS * VECTORS, empty);
    let each = Loop::open(b, start, terms, 1, &carried);
    let (rows, columns) = (each.values[0], each.values[1]);
    let right: Vec<Value> = (0..VECTORS as i32).map(|v| load(b, floats.floats(), columns, 16 * v)).collect();
    let mut next =
        vec![b.ins().iadd_imm_s(rows, i64::from(ROWS as i32 * size)), b.ins().iadd_imm_s(columns, 16 * VECTORS as i64)];
    for r in 0..ROWS {
        let one = load(b, floats.float(), rows, r as i32 * size);
        let left = b.ins().splat(floats.floats(), one);
        for (v, right) in right.iter().enumerate() {
            next.push(b.ins().fma(left, *right, each.values[2 + r * VECTORS + v]));
        }
    }
    each.close(b, &next).1.split_off(2)
}

/// The kernel for an x86-64 machine's vectors.
///
/// # Errors
/// As [`portable`].
pub fn wide<M: Module>(functions: &mut Functions<M>, vectors: Vectors, floats: Types) -> Result<Kernel, Fault> {
    let pointer = functions.pointer();
    let name = format!("block_{}", x86_name(vectors));
    let params = [types::I64, pointer, pointer, pointer];
    let function = ready(functions, &name, &params, &[], x86::microkernel(vectors, floats))?;
    let Block { rows, columns } = vectors.block(floats);
    Ok(Kernel { rows, columns, function })
}

/// What a machine's vectors are called in names of functions.
pub fn x86_name(vectors: Vectors) -> &'static str {
    match vectors {
        Vectors::Avx2 => "avx2",
        Vectors::Avx512 => "avx512",
    }
}

/// Adds a function whose code is there already, in the System V convention.
///
/// # Errors
/// As [`portable`].
pub fn ready<M: Module>(
    functions: &mut Functions<M>,
    name: &str,
    params: &[types::Type],
    returns: &[types::Type],
    code: Code,
) -> Result<FuncId, Fault> {
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params = params.iter().copied().map(AbiParam::new).collect();
    signature.returns = returns.iter().copied().map(AbiParam::new).collect();
    let id = functions.module.declare_function(name, Linkage::Local, &signature).map_err(fault)?;
    functions.module.define_function_bytes(id, 32, &code.bytes, &[]).map_err(fault)?;
    Ok(id)
}
