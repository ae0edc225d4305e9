//! Machine code in memory: a Cranelift module for the host.

use super::access::Places;
use super::kernel;
use super::lanes::Types;
use crate::schedule::nest::Nest;
use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{AbiParam, Function, Signature, UserFuncName, types};
use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module, ModuleReloc, default_libcall_names};
use runtime::plan::{Entry, Fault};
use std::sync::OnceLock;

/// Calls a function with every number below the first argument, in any order and by any thread: the
/// caller's threads, since this crate starts none.
pub type Each<'a> = &'a (dyn Fn(usize, &(dyn Fn(usize) + Sync)) + Sync);

/// One after the other, on the calling thread.
pub fn in_turn(count: usize, task: &(dyn Fn(usize) + Sync)) {
    (0..count).for_each(task);
}

/// Kernels being made: built one by one, compiled side by side.
pub struct Jit {
    module: JITModule,
    frontend: FunctionBuilderContext,
    kernels: Vec<(FuncId, Function)>,
    /// Whether to keep the text of intermediate code and assembly.
    listing: bool,
}

/// A kernel compiled: its code is in the context.
type Compiled = OnceLock<Result<Context, Fault>>;

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
        Ok(Self { module, frontend: FunctionBuilderContext::new(), kernels: vec![], listing })
    }

    /// Builds a kernel; returns its number.
    ///
    /// # Errors
    /// When Cranelift refuses its name: a fault of ours.
    pub fn add(&mut self, nest: &Nest, places: &Places, types: Types) -> Result<usize, Fault> {
        let number = self.kernels.len();
        let signature = self.signature();
        let id = self.module.declare_function(&format!("kernel{number}"), Linkage::Local, &signature).map_err(fault)?;
        let mut function = Function::with_name_signature(UserFuncName::user(0, id.as_u32()), signature);
        let mut builder = FunctionBuilder::new(&mut function, &mut self.frontend);
        kernel::emit(&mut builder, nest, places, types);
        builder.finalize(self.module.isa().frontend_config());
        self.kernels.push((id, function));
        Ok(number)
    }

    fn signature(&self) -> Signature {
        let mut signature = self.module.make_signature();
        let pointer = self.module.target_config().pointer_type();
        signature.params = [pointer, types::I64, types::I64, pointer].map(AbiParam::new).to_vec();
        signature
    }

    /// Compiles the kernels, as many at a time as `each` runs, and makes them callable, in the order of
    /// their numbers. The listings are empty unless they were asked for.
    ///
    /// # Errors
    /// When Cranelift refuses a kernel, or memory cannot be made executable.
    pub fn finish(mut self, each: Each) -> Result<(Code, Vec<Entry>, Vec<Listing>), Fault> {
        let kernels = std::mem::take(&mut self.kernels);
        let compiled: Vec<Compiled> = kernels.iter().map(|_| OnceLock::new()).collect();
        let isa = self.module.isa();
        each(kernels.len(), &|k| {
            compiled[k].get_or_init(|| compile(isa, kernels[k].1.clone(), self.listing));
        });
        let mut listings = vec![];
        for ((id, function), compiled) in kernels.iter().zip(compiled) {
            let context = compiled.into_inner().unwrap_or_else(|| Err(Fault::new("a kernel was left out")))?;
            self.define(*id, &context)?;
            if self.listing {
                let assembly = context.compiled_code().and_then(|c| c.vcode.clone()).unwrap_or_default();
                listings.push(Listing { clif: function.display().to_string(), assembly });
            }
        }
        self.module.finalize_definitions().map_err(fault)?;
        let entry = |(id, _): &(FuncId, Function)| {
            let code = self.module.get_finalized_function(*id);
            // SAFETY: the function was declared with the signature of `Entry`.
            unsafe { std::mem::transmute::<*const u8, Entry>(code) }
        };
        let entries = kernels.iter().map(entry).collect();
        Ok((Code { module: Some(self.module) }, entries, listings))
    }

    /// Copies compiled code into the module.
    fn define(&mut self, id: FuncId, context: &Context) -> Result<(), Fault> {
        let code = context.compiled_code().ok_or_else(|| Fault::new("a kernel has no code"))?;
        let isa = self.module.isa();
        let alignment =
            u64::from(code.buffer.alignment.max(isa.function_alignment().minimum)).max(isa.symbol_alignment());
        let relocations = code.buffer.relocs().iter().map(|r| ModuleReloc::from_mach_reloc(r, &context.func, id));
        let relocations: Vec<ModuleReloc> = relocations.collect();
        self.module.define_function_bytes(id, alignment, code.code_buffer(), &relocations).map_err(fault)
    }
}

/// Compiles one function.
fn compile(isa: &dyn TargetIsa, function: Function, listing: bool) -> Result<Context, Fault> {
    let mut context = Context::for_function(function);
    context.set_disasm(listing);
    let result = context.compile(isa, &mut ControlPlane::default()).map(|_| ());
    result.map_err(|e| fault(format!("{e:?}")))?;
    Ok(context)
}
