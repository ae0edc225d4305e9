//! The command `nnc`: reads the arguments, calls a command, turns trouble into an exit status.
//! A library, so that tests can use its parts; the binary only calls [`main`].

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod args;
pub mod bench;
mod c_names;
pub mod check;
pub mod completions;
pub mod diff;
pub mod doc;
pub mod doctor;
pub mod emit;
pub mod eval;
pub mod explain;
pub mod export;
pub mod fmt;
pub mod grad;
mod groups;
mod header;
pub mod import;
pub mod load;
pub mod lr_find;
pub mod new;
pub mod object;
pub mod output;
pub mod picture;
pub mod plot;
pub mod predict;
pub mod progress;
pub mod render;
pub mod reproduction;
pub mod run;
pub mod sweep;

use args::{Cli, Command};
use clap::Parser;
use driver::fault::{Fault, FaultKind};
use serde_json::json;
use std::process::ExitCode;

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(page) => return told(&page),
    };
    reproduction::listen();
    let status = match std::panic::catch_unwind(|| dispatch(&command)) {
        Ok(Ok(())) => 0,
        Ok(Err(fault)) => report(&command, &fault),
        Err(_) => report(&command, &reproduction::write()),
    };
    // A run has done more than to write to standard output.
    let trains = matches!(command, Command::Run(_) | Command::Sweep(_));
    ended(status, if trains { 0 } else { UNREAD })
}

/// The status of a program that stops because nobody reads what it writes: as if the signal had ended it.
const UNREAD: u8 = 128 + 13;

/// Help, version, or what is wrong with the command line.
fn told(page: &clap::Error) -> ExitCode {
    if page.use_stderr() {
        let _ = page.print();
    } else {
        output::attempt(|_| page.print());
    }
    ended(u8::try_from(page.exit_code()).unwrap_or(FaultKind::Usage.status()), UNREAD)
}

/// The status of a command that has come to its end with one, once standard output is written, or that of its not being
/// read.
fn ended(status: u8, unread: u8) -> ExitCode {
    ExitCode::from(match output::end() {
        output::Ended::Unread if status == 0 => unread,
        output::Ended::Failed(fault) => {
            complain!("error: {fault}");
            if status == 0 { fault.kind.status() } else { status }
        }
        _ => status,
    })
}

fn dispatch(command: &Command) -> Result<(), Fault> {
    match command {
        Command::Run(options) => run::run(options),
        Command::Sweep(options) => sweep::sweep(options),
        Command::LrFind(options) => lr_find::lr_find(options),
        Command::Check(options) => check::check(options),
        Command::Fmt(options) => fmt::fmt(options),
        Command::Emit(options) => emit::emit(options),
        Command::Grad(options) => grad::grad(options),
        Command::Eval(options) => eval::eval(options),
        Command::Explain { code } => explain::explain(code.as_deref()),
        Command::Export(options) => export::export(options),
        Command::Predict(options) => predict::predict(options),
        Command::Import(options) => import::import(options),
        Command::Bench(options) => bench::bench(options),
        Command::Doctor { json } => doctor::doctor(*json),
        Command::Diff(options) => diff::diff(options),
        Command::Plot(options) => plot::plot(options),
        Command::New { folder } => new::new(folder),
        Command::Doc { name } => doc::doc(name.as_deref()),
        Command::Completions { shell } => completions::completions(*shell),
    }
}

/// Whether the command promised nothing but JSON on standard output.
fn wants_json(command: &Command) -> bool {
    match command {
        Command::Run(o) => o.json,
        Command::Sweep(o) => o.json,
        Command::LrFind(o) => o.json,
        Command::Eval(o) => o.json,
        Command::Bench(o) => o.json,
        _ => false,
    }
}

fn report(command: &Command, fault: &Fault) -> u8 {
    if wants_json(command) && fault.kind != FaultKind::Program {
        say!("{}", json!({"event": "error", "code": fault.kind.code(), "message": fault.message}));
    }
    let word = if fault.kind == FaultKind::Interrupted { "interrupted" } else { "error" };
    complain!("{word}: {fault}");
    fault.kind.status()
}
