//! The vector instructions that programs are compiled for: the best that this machine has, unless the environment
//! variable `NNC_VECTORS` names others. They change how fast a program is, and no bit of what it computes.

use crate::fault::Fault;
use compiler::target::Vectors;

/// The instructions to use.
///
/// # Errors
/// When the variable names none, or some that this machine has not.
pub fn chosen() -> Result<Vectors, Fault> {
    let Some(said) = std::env::var_os("NNC_VECTORS") else { return Ok(Vectors::best()) };
    let named = Vectors::ALL.into_iter().find(|v| said == v.name());
    let here: Vec<String> =
        Vectors::ALL.into_iter().filter(|v| v.is_here()).map(|v| format!("`{}`", v.name())).collect();
    let here = here.join(" or ");
    match named {
        Some(vectors) if vectors.is_here() => Ok(vectors),
        Some(vectors) => Err(Fault::usage(format!(
            "NNC_VECTORS asks for {}, which this machine does not have; it has {here}",
            vectors.name()
        ))),
        None => Err(Fault::usage(format!(
            "NNC_VECTORS is `{}`, which names no vector instructions; this machine has {here}",
            said.to_string_lossy()
        ))),
    }
}
