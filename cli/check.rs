//! `nnc check`: every diagnostic of one or more programs; nothing is run and no data is read.

use crate::args::{self, MessageFormat};
use crate::fault::{Fault, FaultKind};
use crate::{front, render};
use grammar::diagnostic::Severity;

/// Checks each file and prints its diagnostics; fails if any has an error.
pub fn check(options: &args::Check) -> Result<(), Fault> {
    let (mut errors, mut warnings) = (0, 0);
    for file in &options.files {
        let program = args::Program { file: file.clone(), ..args::Program::default() };
        let front = front::examine(&program)?;
        render::print(&front.sources, &front.diagnostics, options.message_format);
        errors += front.diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
        warnings += front.diagnostics.iter().filter(|d| d.severity == Severity::Warning).count();
        if options.memory && !front.has_errors() {
            crate::bind::print_memory(&front.checked.trains)?;
        }
    }
    let count = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    if errors > 0 {
        let files = if options.files.len() == 1 { String::new() } else { format!(" in {} files", options.files.len()) };
        return Err(Fault::new(
            FaultKind::Program,
            format!("{}, {}{files}", count(errors, "error"), count(warnings, "warning")),
        ));
    }
    if options.message_format == MessageFormat::Human {
        crate::complain!("no errors, {}", count(warnings, "warning"));
    }
    Ok(())
}
