//! Machine code in memory: a Cranelift module for the host.

use super::functions::{Functions, fault, flags};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::default_libcall_names;
use runtime::plan::{Entry, Fault};

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

/// An empty module for this machine.
///
/// # Errors
/// When Cranelift does not know the machine.
pub fn module() -> Result<JITModule, Fault> {
    let isa = cranelift_native::builder().map_err(fault)?.finish(flags(false)?).map_err(fault)?;
    Ok(JITModule::new(JITBuilder::with_isa(isa, default_libcall_names())))
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
