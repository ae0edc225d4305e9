//! Machine code in memory: a Cranelift module for the host.

use super::functions::{Functions, fault, flags};
use crate::target::Vectors;
use cranelift_codegen::isa;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::default_libcall_names;
use nnc_core::plan::{Entry, Fault};
use target_lexicon::Triple;

/// Finished code; dropping it frees it.
pub struct Code {
    module: Option<JITModule>,
}

// SAFETY: finished code is only executed, never changed; freeing takes the last owner.
unsafe impl Sync for Code {}

impl Drop for Code {
    fn drop(&mut self) {
        if let Some(module) = self.module.take() {
            // SAFETY: whoever could call the code holds this value, and is gone.
            unsafe { module.free_memory() };
        }
    }
}

/// An empty module for this machine, whose portable code uses no more than every machine of its kind has.
///
/// # Errors
/// When Cranelift does not know the machine.
pub fn module(vectors: Vectors) -> Result<JITModule, Fault> {
    let builder = match vectors {
        Vectors::Portable => isa::lookup(Triple::host()).map_err(fault)?,
        Vectors::Avx2 | Vectors::Avx512 => cranelift_native::builder().map_err(fault)?,
    };
    let isa = builder.finish(flags(false)?).map_err(fault)?;
    let mut builder = JITBuilder::with_isa(isa, default_libcall_names());
    builder.symbol("fmaf", fused_f32 as *const u8);
    builder.symbol("fma", fused_f64 as *const u8);
    Ok(JITModule::new(builder))
}

/// What portable code calls for a fused multiply-add.
extern "C" fn fused_f32(a: f32, b: f32, c: f32) -> f32 {
    a.mul_add(b, c)
}

/// As [`fused_f32`].
extern "C" fn fused_f64(a: f64, b: f64, c: f64) -> f64 {
    a.mul_add(b, c)
}

/// Makes the kernels callable, in the order they were made.
///
/// # Errors
/// When memory cannot be made executable.
pub fn finish(functions: Functions<JITModule>) -> Result<(Code, Vec<Entry>), Fault> {
    let Functions { mut module, kernels, .. } = functions;
    module.finalize_definitions().map_err(fault)?;
    let entries = kernels
        .iter()
        .map(|id| {
            let code = module.get_finalized_function(*id);
            // SAFETY: the function was declared with the signature of `Entry`.
            unsafe { std::mem::transmute::<*const u8, Entry>(code) }
        })
        .collect();
    Ok((Code { module: Some(module) }, entries))
}
