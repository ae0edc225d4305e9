//! Kernels as functions of a Cranelift module, in memory or in an object file.

use super::render::render;
use crate::kernel::Kernel;
use cranelift_codegen::Context;
use cranelift_codegen::ir::{AbiParam, Signature, Type, types};
use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::settings::{self, Configurable, Flags};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_module::{FuncId, Linkage, Module};
use nnc_core::plan::Fault;
use target_lexicon::Architecture;

/// Functions being made.
pub struct Functions<M> {
    /// Where they go.
    pub module: M,
    /// The kernels in the order they were made.
    pub kernels: Vec<FuncId>,
    context: Context,
    frontend: FunctionBuilderContext,
}

/// Text of a function's code.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Cranelift's intermediate code.
    pub clif: String,
    /// The machine's.
    pub assembly: String,
}

/// A fault of code generation.
pub fn fault(error: impl std::fmt::Display) -> Fault {
    Fault::new(format!("code generation failed: {error}"))
}

/// The settings of all our code; `pic` for code that a linker places.
///
/// # Errors
/// When Cranelift does not know one of them: a fault of ours.
pub fn flags(pic: bool) -> Result<Flags, Fault> {
    let mut flags = settings::builder();
    for (name, value) in [
        ("opt_level", "speed"),
        ("is_pic", if pic { "true" } else { "false" }),
        ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
        ("enable_probestack", "false"),
    ] {
        flags.set(name, value).map_err(fault)?;
    }
    Ok(Flags::new(flags))
}

/// Whether loads of vectors must be instructions of their own. Without AVX an instruction that reads memory itself wants
/// it aligned, and Cranelift takes unaligned loads into comparisons all the same.
fn loads_apart(isa: &dyn TargetIsa) -> bool {
    let avx = isa.isa_flags().iter().any(|flag| flag.name == "has_avx" && flag.as_bool() == Some(true));
    isa.triple().architecture == Architecture::X86_64 && !avx
}

impl<M: Module> Functions<M> {
    /// None yet.
    pub fn new(module: M) -> Self {
        let context = module.make_context();
        Self { module, kernels: vec![], context, frontend: FunctionBuilderContext::new() }
    }

    /// Adds a kernel; its texts go to `observe`.
    ///
    /// # Errors
    /// When Cranelift refuses it: a fault of ours.
    pub fn kernel(&mut self, kernel: &Kernel, observe: Option<&mut dyn FnMut(Listing)>) -> Result<(), Fault> {
        let name = format!("kernel{}", self.kernels.len());
        let pointer = self.pointer();
        let params = [pointer, types::I64, types::I64, pointer];
        let apart = loads_apart(self.module.isa());
        let id = self.define(&name, Linkage::Local, &params, None, observe, &mut |_, builder| {
            render(builder, kernel, apart);
            Ok(())
        })?;
        self.kernels.push(id);
        Ok(())
    }

    /// The machine's addresses.
    pub fn pointer(&self) -> Type {
        self.module.target_config().pointer_type()
    }

    /// Defines a function of the given parameters and result, whose body `fill` makes.
    ///
    /// # Errors
    /// As [`Self::kernel`].
    pub fn define(
        &mut self,
        name: &str,
        linkage: Linkage,
        params: &[Type],
        result: Option<Type>,
        observe: Option<&mut dyn FnMut(Listing)>,
        fill: &mut dyn FnMut(&mut M, &mut FunctionBuilder) -> Result<(), Fault>,
    ) -> Result<FuncId, Fault> {
        let mut signature: Signature = self.module.make_signature();
        signature.params = params.iter().copied().map(AbiParam::new).collect();
        signature.returns = result.into_iter().map(AbiParam::new).collect();
        let id = self.module.declare_function(name, linkage, &signature).map_err(fault)?;
        self.context.func.signature = signature;
        let mut builder = FunctionBuilder::new(&mut self.context.func, &mut self.frontend);
        fill(&mut self.module, &mut builder)?;
        builder.finalize(self.module.isa().frontend_config());
        let clif = if observe.is_some() { self.context.func.display().to_string() } else { String::new() };
        self.context.set_disasm(observe.is_some());
        self.module.define_function(id, &mut self.context).map_err(|e| fault(format!("{name}: {e:?}")))?;
        if let Some(observe) = observe {
            let assembly = self.context.compiled_code().and_then(|c| c.vcode.clone()).unwrap_or_default();
            observe(Listing { clif, assembly });
        }
        self.module.clear_context(&mut self.context);
        Ok(id)
    }
}
