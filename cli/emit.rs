//! `nnc emit`: what the compiler made of a program, stage by stage.

use crate::args::{self, Form, Stage, Which};
use crate::load;
use crate::picture;
use compiler::emit::{self, Dump, Options};
use compiler::lower::program::Program;
use compiler::lower::programs::{evaluation, forward, init, training};
use compiler::typed::Train;
use compiler::{ir, lower, optimise, source, symbolic, typed};
use driver::compile;
use driver::fault::Fault;
use driver::network::Graph;
use driver::vectors;
use runtime::file::replace;

/// Prints one stage, to standard output or a file.
pub fn emit(options: &args::Emit) -> Result<(), Fault> {
    if options.stage == Stage::Obj {
        return crate::object::emit(options);
    }
    let text = render(options)?;
    match &options.output {
        None => crate::output::write(format_args!("{text}")),
        Some(path) => replace(path, text.as_bytes()).map_err(Fault::data)?,
    }
    Ok(())
}

fn render(options: &args::Emit) -> Result<String, Fault> {
    let loaded = load::load(&options.program, false)?;
    if options.stage == Stage::Ast {
        return Ok(grammar::print::dump(&loaded.file));
    }
    if options.form.is_some() && !matches!(options.stage, Stage::Ir | Stage::Grad) {
        return Err(Fault::usage("--form goes with --stage ir or --stage grad"));
    }
    let train = load::choose(&loaded, &options.program)?;
    let batch = train.settings.batch.unwrap_or(1);
    let program = || match options.which {
        Which::Training if options.stage == Stage::Ir => forward(train, batch),
        Which::Training => training(train, batch),
        Which::Evaluation => evaluation(train, batch),
        Which::Init => init(train),
    };
    let whole = || program().module;
    if !matches!(options.stage, Stage::Typed | Stage::Dot | Stage::Svg) {
        compile::countable(&whole())?;
    }
    let optimised = || {
        let mut module = whole();
        optimise::optimise(&mut module);
        module
    };
    let back_end = |part: fn(Dump) -> String| {
        let options = Options { precision: train.settings.precision, vectors: vectors::chosen()? };
        let dump = emit::dump(&train.name, &optimised(), &options);
        dump.map(part).map_err(Fault::internal)
    };
    let form = options.form.unwrap_or(if options.stage == Stage::Grad { Form::Source } else { Form::Index });
    match options.stage {
        Stage::Ast | Stage::Obj => Ok(String::new()),
        Stage::Dot => Ok(picture::dot(&train.name, &Graph::of(train))),
        Stage::Svg => Ok(picture::svg(&train.name, &Graph::of(train))),
        Stage::Typed => Ok(typed::print::print(train)),
        Stage::Ir | Stage::Grad => Ok(match form {
            Form::Index => ir::text::print(&whole()),
            Form::Source => as_source(train, program()),
        }),
        Stage::Opt => Ok(ir::text::print(&optimised())),
        Stage::Loops => back_end(|d| d.loops),
        Stage::Kernel => back_end(|d| d.kernels),
        Stage::Clif => back_end(|d| d.clif),
        Stage::Asm => back_end(|d| d.assembly),
    }
}

/// A program in the language itself.
fn as_source(train: &Train, program: Program) -> String {
    let classes = lower::programs::classes(train, &program);
    source::print(&symbolic::whole(program.module), &train.name, &classes)
}
