//! Machine code in memory: a Cranelift module for the host.

use super::access::Places;
use super::kernel;
use super::lanes::Types;
use crate::schedule::nest::Nest;
use cranelift_codegen::Context;
use cranelift_codegen::ir::{AbiParam, Signature, types};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module, default_libcall_names};
use runtime::plan::{Entry, Fault};

/// Kernels being made.
pub struct Jit {
    module: JITModule,
    context: Context,
    frontend: FunctionBuilderContext,
    kernels: usize,
    /// Whether to keep the text of intermediate code and assembly.
    listing: bool,
}

/// Text of a kernel's code.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Cranelift's intermediate code.
    pub clif: String,
    /// The machine's.
    pub assembly: String,
}

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

fn fault(error: impl std::fmt::Display) -> Fault {
    Fault::new(format!("code generation failed: {error}"))
}

impl Jit {
    /// An empty module for this machine.
    ///
    /// # Errors
    /// When Cranelift does not know the machine.
    pub fn new(listing: bool) -> Result<Self, Fault> {
        let mut flags = settings::builder();
        for (name, value) in [
            ("opt_level", "speed"),
            ("is_pic", "false"),
            ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
            ("enable_probestack", "false"),
        ] {
            flags.set(name, value).map_err(fault)?;
        }
        let isa = cranelift_native::builder().map_err(fault)?.finish(settings::Flags::new(flags)).map_err(fault)?;
        let module = JITModule::new(JITBuilder::with_isa(isa, default_libcall_names()));
        let context = module.make_context();
        Ok(Self { module, context, frontend: FunctionBuilderContext::new(), kernels: 0, listing })
    }

    /// Adds a kernel.
    ///
    /// # Errors
    /// When Cranelift refuses it: a fault of ours.
    pub fn add(&mut self, nest: &Nest, places: &Places, types: Types) -> Result<(FuncId, Option<Listing>), Fault> {
        let name = format!("kernel{}", self.kernels);
        self.kernels += 1;
        let signature = self.signature();
        let id = self.module.declare_function(&name, Linkage::Local, &signature).map_err(fault)?;
        self.context.func.signature = signature;
        let mut builder = FunctionBuilder::new(&mut self.context.func, &mut self.frontend);
        kernel::emit(&mut builder, nest, places, types);
        builder.finalize(self.module.isa().frontend_config());
        let clif = if self.listing { self.context.func.display().to_string() } else { String::new() };
        self.context.set_disasm(self.listing);
        self.module.define_function(id, &mut self.context).map_err(|e| fault(format!("{e:?}")))?;
        let assembly = self.context.compiled_code().and_then(|c| c.vcode.clone()).unwrap_or_default();
        self.module.clear_context(&mut self.context);
        Ok((id, self.listing.then_some(Listing { clif, assembly })))
    }

    fn signature(&self) -> Signature {
        let mut signature = self.module.make_signature();
        let pointer = self.module.target_config().pointer_type();
        signature.params = [pointer, types::I64, types::I64, pointer].map(AbiParam::new).to_vec();
        signature
    }

    /// Makes the kernels callable, in the order of `ids`.
    ///
    /// # Errors
    /// When memory cannot be made executable.
    pub fn finish(mut self, ids: &[FuncId]) -> Result<(Code, Vec<Entry>), Fault> {
        self.module.finalize_definitions().map_err(fault)?;
        let entries = ids
            .iter()
            .map(|id| {
                let code = self.module.get_finalized_function(*id);
                // SAFETY: the function was declared with the signature of `Entry`.
                unsafe { std::mem::transmute::<*const u8, Entry>(code) }
            })
            .collect();
        Ok((Code { module: Some(self.module) }, entries))
    }
}
