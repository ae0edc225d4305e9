//! `nnc check`: every diagnostic of one or more programs; nothing is run. With `--memory` the memory that a run will hold
//! is planned as `nnc run` plans it, for which data is opened where it is at hand.

use crate::args::{self, MessageFormat};
use crate::output::Printed;
use crate::{render, say};
use compiler::typed::Train;
use driver::bind;
use driver::compile::size;
use driver::fault::{Fault, FaultKind};
use driver::plan::Plan;
use driver::program;
use grammar::diagnostic::Severity;
use nnc_core::plan::Bundle;
use serde_json::{Value, json};
use std::path::Path;

/// Checks each file and prints its diagnostics; fails if any has an error.
pub fn check(options: &args::Check) -> Result<(), Fault> {
    let (mut errors, mut warnings) = (0, 0);
    for file in &options.files {
        let program = args::Program {
            file: file.clone(),
            module_path: options.module_path.clone(),
            precision: options.precision,
            ..args::Program::default()
        };
        let loaded = program::load(&program.request()?)?;
        render::print(&loaded.sources, &loaded.diagnostics, options.message_format);
        errors += loaded.diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
        warnings += loaded.diagnostics.iter().filter(|d| d.severity == Severity::Warning).count();
        if options.memory && !loaded.has_errors() {
            loaded.checked.trains.iter().try_for_each(|train| memory(train, file, options))?;
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

/// Prints what a run of the train block will hold, part by part; programs, which share one place, below.
fn memory(train: &Train, file: &Path, options: &args::Check) -> Result<(), Fault> {
    let resources = options.resources.plain();
    let (data, missing) = match bind::open_data(train, file, &resources, None, &mut Printed) {
        Ok(data) => (data, None),
        Err(fault) => (None, Some(fault)),
    };
    let plan = Plan::new(train, data, &resources, None)?;
    let of = |bundle: &Bundle| -> Vec<(String, usize)> {
        bundle.programs.iter().map(|p| (p.name.clone(), p.bytes)).collect()
    };
    let (programs, report) = (of(&plan.bundle), plan.report.as_ref().map_or(vec![], |r| of(&r.bundle)));
    if options.message_format == MessageFormat::Json {
        let list = |parts: &[(String, usize)]| -> Vec<Value> {
            parts.iter().map(|(name, bytes)| json!({"name": name, "bytes": bytes})).collect()
        };
        say!(
            "{}",
            json!({"memory": train.name, "planned_bytes": plan.bytes(), "exact": missing.is_none(),
                "parts": list(&plan.parts()), "programs": list(&[programs, report].concat())})
        );
        return Ok(());
    }
    say!("{}: {} planned for minibatches of {}", train.name, size(plan.bytes()), plan.batch);
    plan.parts().iter().for_each(|(name, bytes)| say!("  {:>10}  {name}", size(*bytes)));
    say!("  programs, one at a time in the same place:");
    programs.iter().for_each(|(name, bytes)| say!("  {:>10}  {name}", size(*bytes)));
    if !report.is_empty() {
        say!("  those of metrics of whole splits, likewise in a place of their own:");
        report.iter().for_each(|(name, bytes)| say!("  {:>10}  {name}", size(*bytes)));
    }
    if let Some(fault) = missing {
        say!("  without data and short minibatches: {fault}");
    }
    Ok(())
}
