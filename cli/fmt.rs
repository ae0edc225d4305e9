//! `nnc fmt`: programs in good order, in place or from standard input.

use crate::args::{self, MessageFormat};
use crate::{output, render, say};
use driver::fault::{Fault, FaultKind};
use grammar::diagnostic::Severity;
use grammar::format::{format, same_tokens};
use grammar::span::Sources;
use runtime::file;
use std::io::Read;
use std::path::Path;

/// Formats every file; with `--check` only says which are not in order.
pub fn fmt(options: &args::Fmt) -> Result<(), Fault> {
    let mut left = vec![];
    for file in &options.files {
        let text = read(file)?;
        let formatted = formatted(file, &text)?;
        if options.check {
            left.extend((formatted != text).then(|| file.display().to_string()));
        } else if is_standard_input(file) {
            output::write(format_args!("{formatted}"));
        } else if formatted != text {
            runtime::file::replace(file, formatted.as_bytes()).map_err(Fault::data)?;
            say!("{}: formatted", file.display());
        }
    }
    if left.is_empty() {
        return Ok(());
    }
    Err(Fault::new(FaultKind::Program, format!("not formatted: {}", left.join(", "))))
}

fn is_standard_input(file: &Path) -> bool {
    file == Path::new("-")
}

fn read(path: &Path) -> Result<String, Fault> {
    if !is_standard_input(path) {
        return file::read_text(path, file::PROGRAM).map_err(Fault::data);
    }
    let cannot = |e: &dyn std::fmt::Display| Fault::data(format!("cannot read the standard input: {e}"));
    let mut bytes = vec![];
    std::io::stdin().take(file::PROGRAM + 1).read_to_end(&mut bytes).map_err(|e| cannot(&e))?;
    if bytes.len() as u64 > file::PROGRAM {
        return Err(cannot(&format!("it is more than {}", file::size(file::PROGRAM))));
    }
    file::text(bytes).map_err(|e| cannot(&e))
}

/// The text in order. A program that cannot be read is left alone, since what belongs together in it is not known.
fn formatted(file: &Path, text: &str) -> Result<String, Fault> {
    let mut sources = Sources::default();
    let source = sources.add(file.display().to_string(), text);
    let (_, diagnostics) = grammar::parse(source, text);
    if diagnostics.iter().any(|d| d.severity == Severity::Error) {
        render::print(&sources, &diagnostics, MessageFormat::Human);
        return Err(Fault::new(FaultKind::Program, format!("{} is left as it is", file.display())));
    }
    let formatted = format(text);
    if same_tokens(text, &formatted) {
        Ok(formatted)
    } else {
        Err(Fault::internal(format!("formatting would change what {} means; it is left as it is", file.display())))
    }
}
