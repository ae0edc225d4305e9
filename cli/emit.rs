//! `nnc emit`: what the compiler made of a program, stage by stage.

use crate::args::{self, Stage, Which};
use crate::bind;
use crate::fault::Fault;
use crate::front;
use compiler::emit::{self, Dump};
use compiler::lower::programs::{evaluation, forward, init, training};
use compiler::{check, ir, optimise};

/// Prints one stage, to standard output or a file.
pub fn emit(options: &args::Emit) -> Result<(), Fault> {
    let text = render(options)?;
    match &options.output {
        None => print!("{text}"),
        Some(path) => {
            std::fs::write(path, text).map_err(|e| Fault::data(format!("cannot write {}: {e}", path.display())))?;
        }
    }
    Ok(())
}

fn render(options: &args::Emit) -> Result<String, Fault> {
    let front = front::load(&options.program)?;
    if options.stage == Stage::Ast {
        return Ok(grammar::print::dump(&front.file));
    }
    let train = front::choose(&front, &options.program)?;
    let batch = train.settings.batch.unwrap_or(1);
    let whole = || match options.which {
        Which::Training => training(train, batch).module,
        Which::Evaluation => evaluation(train, batch).module,
        Which::Init => init(train).module,
    };
    let back_end = |dump: Dump| {
        emit::dump(&whole(), &bind::options(options.program.precision), dump).map_err(Fault::internal)
    };
    match options.stage {
        Stage::Ast => Ok(String::new()),
        Stage::Typed => Ok(check::print::print(train)),
        Stage::Ir if options.which == Which::Training => Ok(ir::text::print(&forward(train, batch).module)),
        Stage::Ir | Stage::Grad => Ok(ir::text::print(&whole())),
        Stage::Opt => Ok(ir::text::print(&optimise::optimise(&whole()))),
        Stage::Loops => back_end(Dump::Loops),
        Stage::Clif => back_end(Dump::Clif),
        Stage::Asm => back_end(Dump::Assembly),
    }
}
