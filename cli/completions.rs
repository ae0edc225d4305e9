//! `nnc completions`: what a shell needs to complete the command line.

use crate::args::Cli;
use clap::CommandFactory;
use clap_complete::Shell;
use driver::fault::Fault;

/// Writes the script of a shell to standard output.
pub fn completions(shell: Shell) -> Result<(), Fault> {
    let mut script = vec![];
    clap_complete::generate(shell, &mut Cli::command(), "nnc", &mut script);
    crate::output::write(format_args!("{}", String::from_utf8_lossy(&script)));
    Ok(())
}
