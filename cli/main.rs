//! The command `nnc`: reads the arguments, calls a command, turns trouble into an exit status.

mod args;
mod bench;
mod bind;
mod check;
mod doctor;
mod emit;
mod eval;
mod explain;
mod fault;
mod folder;
mod front;
mod grad;
mod progress;
mod render;
mod run;

use args::{Cli, Command};
use clap::Parser;
use fault::{Fault, FaultKind};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match std::panic::catch_unwind(|| dispatch(&cli.command)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(fault)) => report(&cli.command, &fault),
        Err(panic) => report(&cli.command, &reproduction(panic.as_ref())),
    }
}

fn dispatch(command: &Command) -> Result<(), Fault> {
    match command {
        Command::Run(options) => run::run(options),
        Command::Check(options) => check::check(options),
        Command::Emit(options) => emit::emit(options),
        Command::Grad(options) => grad::grad(options),
        Command::Eval(options) => eval::eval(options),
        Command::Explain { code } => explain::explain(code.as_deref()),
        Command::Bench(options) => bench::bench(options),
        Command::Doctor { json } => doctor::doctor(*json),
    }
}

/// Whether the command promised nothing but JSON on standard output.
fn wants_json(command: &Command) -> bool {
    match command {
        Command::Run(o) => o.json,
        Command::Eval(o) => o.json,
        Command::Bench(o) => o.json,
        _ => false,
    }
}

fn report(command: &Command, fault: &Fault) -> ExitCode {
    if wants_json(command) && fault.kind != FaultKind::Program {
        println!("{}", fault.json());
    }
    let word = if fault.kind == FaultKind::Interrupted { "interrupted" } else { "error" };
    eprintln!("{word}: {fault}");
    ExitCode::from(fault.kind.status())
}

/// A panic is a fault of ours: what to send, and where to find it.
fn reproduction(panic: &(dyn std::any::Any + Send)) -> Fault {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_string());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    let arguments: Vec<String> = std::env::args().collect();
    let path = std::env::temp_dir().join(format!("nnc-fault-{}.txt", std::process::id()));
    let report = format!("nnc {}\narguments: {arguments:?}\nfault: {text}\n", env!("CARGO_PKG_VERSION"));
    let kept = match std::fs::write(&path, report) {
        Ok(()) => format!("a reproduction was written to {}", path.display()),
        Err(_) => format!("the arguments were {arguments:?}"),
    };
    Fault::internal(format!("this is a fault of nnc, not of your program; {kept}; please report it with the .nn file"))
}
