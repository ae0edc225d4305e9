//! `nnc emit --stage obj`: a train block as a linkable object with a C header, and as an executable.

use crate::args;
use crate::c_names::plain;
use crate::header::{Field, Header};
use crate::{load, say};
use compiler::emit::object::{Export, Part, Run, Saved, Target, object};
use compiler::lower::program::{Produced, Program};
use compiler::lower::programs::{accumulation, application, init, prediction, training};
use compiler::optimise::optimise;
use compiler::typed::Train;
use driver::compile;
use driver::fault::Fault;
use driver::machine;
use runtime::file::replace;
use runtime::weights;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program of a standalone executable, around the functions of an object.
const MAIN: &str = include_str!("standalone.c");

/// Compiles and writes the object, its header, and the executable if asked for.
pub fn emit(options: &args::Emit) -> Result<(), Fault> {
    let loaded = load::load(&options.program, false)?;
    let train = load::choose(&loaded, &options.program)?;
    let triple = options.triple.clone().unwrap_or_else(host);
    let target = Target::new(&triple).map_err(Fault::usage)?;
    let batch = train.settings.batch.unwrap_or(1);
    let predicted = options.predict_batch.unwrap_or(batch);
    let name = plain(&train.name);
    if options.standalone && !train.figures.is_empty() {
        return Err(Fault::usage(
            "the executable evaluates nothing, so a schedule cannot read figures such as valid.loss there",
        ));
    }
    let mut functions = functions(train, batch, predicted);
    functions.retain(|f| f.run != Run::Predict || f.programs.iter().any(|(_, p)| !p.results.is_empty()));
    let predicts = |f: &Function| f.run == Run::Predict && f.programs.iter().any(|(_, p)| !p.module.updates.is_empty());
    if functions.iter().any(predicts) {
        return Err(Fault::usage(carries(train, "the `predict` of an object")));
    }
    functions.iter().flat_map(|f| &f.programs).try_for_each(|(_, p)| compile::countable(&p.module))?;
    functions.iter_mut().flat_map(|f| &mut f.programs).for_each(|(_, p)| optimise(&mut p.module));
    let modules: Vec<_> =
        functions.iter().flat_map(|f| f.programs.iter().map(|(_, p)| (word(f.run), &p.module))).collect();
    let exports = exports(&name, &functions, train.settings.accumulate);
    let saved = saved(train, &name);
    let requires = target.requires;
    let made = object(&modules, &exports, &saved, &weights::frame, train.settings.precision, target)
        .map_err(Fault::internal)?;
    let header = Header {
        name: &name,
        title: &train.name,
        source: &options.program.file.display().to_string(),
        triple: &triple,
        requires,
        object: &made,
        saved: &saved,
        batches: [batch, predicted],
        exports: &exports,
        fields: exports.iter().map(|e| e.fields().into_iter().map(|f| Field::of(&train.fields[f])).collect()).collect(),
        results: functions.iter().map(|f| f.programs.iter().flat_map(|(_, p)| names(train, p)).collect()).collect(),
    };
    addressable(&name, made.arena_bytes, options.standalone)?;
    let path = place(options.output.as_deref(), &name);
    let header_path = path.with_extension("h");
    write(&path, &made.bytes)?;
    write(&header_path, header.text().as_bytes())?;
    say!("{}: {} of code and constants, for {triple}", path.display(), compile::size(made.bytes.len()));
    say!("{}: the arena takes {}", header_path.display(), compile::size(made.arena_bytes));
    if options.standalone {
        link(&path, &header_path, &name)?;
    }
    Ok(())
}

/// Why a form of the network that keeps nothing from one minibatch to the next cannot be made of a train block.
pub fn carries(train: &Train, what: &str) -> String {
    let states: Vec<String> = train.carried().into_iter().map(|s| format!("`{}`", train.states[s].path)).collect();
    format!(
        "evaluation carries {} from minibatch to minibatch, which {what} cannot do; a state that changes in training \
         alone gets its next value under `if training`",
        states.join(", ")
    )
}

/// Bytes of memory that a linker places in an executable of the usual kind: addresses in it are 32 bits from each other.
const IN_EXECUTABLE: usize = (1 << 31) - (64 << 20);

/// Refuses an executable whose arena no linker places; says where an object's is more than this machine has.
fn addressable(name: &str, arena: usize, standalone: bool) -> Result<(), Fault> {
    let size = compile::size(arena);
    if standalone && arena > IN_EXECUTABLE {
        let most = compile::size(IN_EXECUTABLE);
        return Err(Fault::data(format!(
            "the arena of {name} takes {size}, but an executable holds {most} at most; take a smaller `batch`, or emit the \
             object without --standalone and give it memory that the program around it allocates"
        )));
    }
    if let Some(has) = machine::memory().filter(|has| *has < arena) {
        let has = compile::size(has);
        crate::complain!(
            "warning: the arena of {name} takes {size}, and this machine has {has}; `batch` says how much it is"
        );
    }
    Ok(())
}

/// Parameters, in the values that evaluation uses, and states by the names they are saved under.
fn saved(train: &Train, name: &str) -> Saved {
    let evaluated = |k: usize| train.evaluated_path(k).to_string();
    let parameters = train.parameters.iter().enumerate().map(|(k, p)| (evaluated(k), p.saved.clone()));
    let tensors = parameters.chain(train.states.iter().map(|s| (s.path.clone(), s.saved.clone()))).collect();
    let moved = train.parameters.iter().enumerate().filter(|(_, p)| p.evaluated.is_some());
    let copies = moved.map(|(k, p)| (p.path.clone(), evaluated(k))).collect();
    Saved { save: format!("{name}_save"), load: format!("{name}_load"), tensors, copies }
}

fn word(run: Run) -> &'static str {
    match run {
        Run::Init => "init",
        Run::Step => "step",
        Run::Predict => "predict",
    }
}

/// A function of the object: programs that run one after the other, and whether each runs for every minibatch.
struct Function {
    run: Run,
    programs: Vec<(bool, Program)>,
}

fn functions(train: &Train, batch: usize, predicted: usize) -> Vec<Function> {
    let one = |run: Run, program: Program| Function { run, programs: vec![(false, program)] };
    let step = if train.settings.accumulate > 1 {
        let turns = (0..train.objectives.len())
            .flat_map(|of| [(true, accumulation(train, batch, of)), (false, application(train, of))]);
        Function { run: Run::Step, programs: turns.collect() }
    } else {
        one(Run::Step, training(train, batch))
    };
    vec![one(Run::Init, init(train)), step, one(Run::Predict, prediction(train, predicted))]
}

fn exports(name: &str, functions: &[Function], accumulate: usize) -> Vec<Export> {
    let mut modules = 0..;
    let export = |function: &Function| Export {
        symbol: format!("{name}_{}", word(function.run)),
        run: function.run,
        minibatches: if function.run == Run::Step { accumulate } else { 1 },
        parts: function.programs.iter().zip(&mut modules).map(|((r, p), n)| part(function.run, n, *r, p)).collect(),
    };
    functions.iter().map(export).collect()
}

fn part(run: Run, module: usize, repeated: bool, program: &Program) -> Part {
    let wanted = |produced: &Produced| match run {
        Run::Init => false,
        Run::Step => matches!(produced, Produced::Objective(_) | Produced::Metric(_)),
        Run::Predict => matches!(produced, Produced::Output(_)),
    };
    Part {
        module,
        repeated,
        inputs: program.fields.clone(),
        supplied: program.supplied.clone(),
        outputs: program.results.iter().filter(|(p, _)| wanted(p)).map(|(_, name)| name.clone()).collect(),
    }
}

/// What the results of a program are called, in their order.
fn names(train: &Train, program: &Program) -> Vec<String> {
    let name = |(produced, _): &(Produced, String)| match produced {
        Produced::Objective(k) => Some(train.objectives[*k].clone()),
        Produced::Metric(name) | Produced::Output(name) => Some(name.clone()),
        Produced::Gradient { .. } | Produced::Draw(_) | Produced::Total(_) | Produced::Report(_) => None,
    };
    program.results.iter().filter_map(name).collect()
}

/// The triple of this machine.
fn host() -> String {
    compiler::emit::object::host()
}

/// The object's file: as asked for, in the folder asked for, or here.
fn place(asked: Option<&Path>, name: &str) -> PathBuf {
    match asked {
        Some(path) if path.is_dir() => path.join(format!("{name}.o")),
        Some(path) => path.to_path_buf(),
        None => PathBuf::from(format!("{name}.o")),
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    replace(path, bytes).map_err(Fault::data)
}

/// Links the object with the program that reads arrays, trains and predicts.
fn link(object: &Path, header: &Path, name: &str) -> Result<(), Fault> {
    let source = object.with_extension("main.c");
    let file = header.file_name().map(|f| f.to_string_lossy().into_owned()).unwrap_or_default();
    let text = MAIN
        .replace("network.h", &file)
        .replace("NETWORK", &name.to_uppercase())
        .replace("network_", &format!("{name}_"));
    write(&source, text.as_bytes())?;
    let executable = object.with_extension("");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_string());
    let status = Command::new(&compiler).args(["-O2", "-o"]).args([&executable, &source, object]).status();
    match status {
        Ok(status) if status.success() => {
            say!("{}: trains and predicts; without arguments it says how", executable.display());
            Ok(())
        }
        Ok(status) => Err(Fault::data(format!("{compiler} could not link {}: {status}", executable.display()))),
        Err(e) => Err(Fault::data(format!("cannot run {compiler}, which links the executable: {e}"))),
    }
}
