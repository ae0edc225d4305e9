//! From programs to a bundle of compiled ones, within the memory that there is.

use crate::fault::{Fault, FaultKind};
use crate::machine;
use crate::vectors;
use compiler::emit::{self, Options, Precision};
use compiler::ir::Module;
use compiler::lower::program::Program;
use compiler::optimise::optimise;
use nnc_core::plan::{Bundle, Holding};

/// Optimises and compiles named programs into one bundle, unless it would take more memory than is allowed, or than the
/// machine has.
pub fn compile(
    programs: &mut [(String, Program)],
    precision: Precision,
    allowed: Option<usize>,
) -> Result<Bundle, Fault> {
    programs.iter().try_for_each(|(_, program)| countable(&program.module))?;
    programs.iter_mut().for_each(|(_, program)| optimise(&mut program.module));
    let modules: Vec<(&str, &Module)> = programs.iter().map(|(name, p)| (name.as_str(), &p.module)).collect();
    let most = allowed.or_else(machine::memory).unwrap_or(usize::MAX);
    let options = Options { precision, vectors: vectors::chosen()? };
    emit::compile_within(&modules, &options, most).map_err(|fault| match &fault.excess {
        Some(excess) => too_much(excess.bytes, &excess.holdings, most, allowed.is_some()),
        None => Fault::internal(fault),
    })
}

/// Refuses a program with a tensor that no machine holds, before anything is made of it.
///
/// # Errors
/// Names that tensor and its extents.
pub fn countable(module: &Module) -> Result<(), Fault> {
    let Some(tensor) = module.uncountable() else { return Ok(()) };
    let tensor = module.t(tensor);
    let extents: Vec<String> = tensor.shape.iter().map(ToString::to_string).collect();
    let (name, extents) = (&tensor.name, extents.join(", "));
    Err(Fault::new(
        FaultKind::Program,
        format!(
            "`{name}` with the extents [{extents}] is more than any machine computes; make `batch` or the layer smaller"
        ),
    ))
}

/// The sentence that refuses, with the largest buffers.
pub fn too_much(needed: usize, holdings: &[Holding], most: usize, allowed: bool) -> Fault {
    let mut holdings: Vec<_> = holdings.iter().collect();
    holdings.sort_by_key(|h| std::cmp::Reverse(h.bytes));
    let line = |h: &&Holding| format!("\n  {:>10}  {}", size(h.bytes), h.name);
    let largest: String = holdings.iter().take(5).map(line).collect();
    let whose = if allowed { "allowed" } else { "this machine has" };
    let (needed, most) = (size(needed), size(most));
    Fault::data(format!("the run needs {needed}, more than the {most} {whose}; its largest buffers are{largest}"))
}

/// Bytes in a form people read.
pub fn size(bytes: usize) -> String {
    let b = bytes as f64;
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", b / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", b / 1_048_576.0),
        _ => format!("{:.2} GiB", b / 1_073_741_824.0),
    }
}
