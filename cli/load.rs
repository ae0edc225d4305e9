//! A program for a command: read and checked, with what is wrong printed.

use crate::args::{self, MessageFormat};
use crate::render;
use crate::say;
use compiler::typed::Train;
use driver::fault::{Fault, FaultKind};
use driver::program::{self, Program};
use grammar::ast::File;
use grammar::span::Sources;

/// Reads, parses, checks and prints the diagnostics; errors end the command. A command whose output
/// is JSON gets an error event a line on standard output as well.
pub fn load(options: &args::Program, json: bool) -> Result<Program, Fault> {
    let program = program::load(&options.request()?)?;
    render::print(&program.sources, &program.diagnostics, MessageFormat::Human);
    if json {
        program.errors().for_each(|d| say!("{}", render::event(&program.sources, d)));
    }
    match program.errors().count() {
        0 => Ok(program),
        1 => Err(Fault::new(FaultKind::Program, "1 error")),
        n => Err(Fault::new(FaultKind::Program, format!("{n} errors"))),
    }
}

/// The train block asked for, or the only one.
pub fn choose<'a>(program: &'a Program, options: &args::Program) -> Result<&'a Train, Fault> {
    program.choose(options.train.as_deref())
}

/// The program with its syntax tree changed by a command; its errors end the command.
pub fn changed(program: &Program, sources: Sources, file: File) -> Result<Program, Fault> {
    let changed = program.changed(sources, file);
    if changed.has_errors() {
        let errors: Vec<_> = changed.errors().cloned().collect();
        render::print(&changed.sources, &errors, MessageFormat::Human);
        return Err(Fault::new(FaultKind::Program, "with the settings tried here the train block has errors"));
    }
    Ok(changed)
}
