//! `nnc diff`: a derivative to read, to evaluate at a point, and to count.

use crate::args::{self, DiffMode};
use crate::load;
use crate::{render, say};
use compiler::check::function::{self, Dimension};
use compiler::ir::interpret::Values;
use compiler::ir::{Module, Role, TensorId};
use compiler::lower::program::Produced;
use compiler::lower::programs::{classes, forward};
use compiler::scalar::Kind;
use compiler::symbolic::{Derivative, Mode, Question, derive};
use compiler::typed::Element;
use compiler::{lower, typed};
use driver::fault::{Fault, FaultKind};
use driver::program::Program;
use grammar::ast::Callable;
use std::collections::BTreeMap;

/// Elements of a tensor that are printed; larger ones are summed up.
const SHOWN: usize = 64;

/// What is differentiated.
struct Subject {
    module: Module,
    of: TensorId,
    /// What it is differentiated by where nothing is said.
    by: Vec<TensorId>,
    classes: BTreeMap<TensorId, usize>,
}

/// Prints the derivative; with `--count` its arithmetic, with `--at` its value, as comments.
pub fn diff(options: &args::Diff) -> Result<(), Fault> {
    let loaded = load::load(&options.program, false)?;
    let subject = subject(&loaded, options)?;
    let by = asked(&subject, options)?;
    let point = point(&subject.module, &options.at)?;
    let mode = match options.mode {
        DiffMode::Forward => Mode::Forward,
        DiffMode::Reverse => Mode::Reverse,
    };
    let question = Question { of: subject.of, by, mode };
    let title = title(&subject.module, options, &question);
    let derivative = derive(subject.module, &question);
    crate::output::write(format_args!("{}", derivative.source(&title, &subject.classes)));
    if options.count {
        count(&derivative);
    }
    if options.at.is_empty() { Ok(()) } else { evaluate(&derivative, &point, &options.at) }
}

/// The callable of that name, or a result of the train block.
fn subject(loaded: &Program, options: &args::Diff) -> Result<Subject, Fault> {
    match function::find(&loaded.file, &loaded.library, &options.of) {
        Some(callable) => of_callable(loaded, callable, &dimensions(callable, options)?),
        None => of_train(loaded, options),
    }
}

fn of_callable(loaded: &Program, callable: &Callable, dims: &[Dimension]) -> Result<Subject, Fault> {
    let function = function::function(&loaded.file, &loaded.library, callable, dims).map_err(|diagnostics| {
        render::print(&loaded.sources, &diagnostics, args::MessageFormat::Human);
        Fault::new(FaultKind::Program, format!("`{}` cannot be differentiated", callable.name.name))
    })?;
    let module = lower::function(&function);
    let Some((_, of)) = module.outputs.first().cloned() else {
        return Err(Fault::usage(format!("`{}` has no value", function.name)));
    };
    let inputs = function.inputs.iter().enumerate();
    let class = |(k, input): (usize, &typed::Input)| match input.ty.element {
        Element::Class(n) => Some((TensorId(k as u32), n)),
        _ => None,
    };
    let classes = inputs.filter_map(class).collect();
    let count = function.inputs.len() + function.parameters.len();
    let by = (0..count as u32).map(TensorId).filter(|t| module.t(*t).kind == Kind::Float).collect();
    Ok(Subject { module, of, by, classes })
}

fn of_train(loaded: &Program, options: &args::Diff) -> Result<Subject, Fault> {
    let unknown = |names: Vec<String>| {
        let near = function::meant(&options.of, names.iter().map(String::as_str));
        let help = near.map_or(format!("there are: {}", names.join(", ")), |n| format!("did you mean `{n}`?"));
        Fault::usage(format!("{} has no `{}`; {help}", options.program.file.display(), options.of))
    };
    let own = loaded.file.items.iter().filter_map(|item| match item {
        grammar::ast::Item::Callable(c) => Some(c.name.name.clone()),
        _ => None,
    });
    let own: Vec<String> = own.collect();
    if loaded.checked.trains.is_empty() {
        return Err(unknown(own));
    }
    let train = load::choose(loaded, &options.program)?;
    let program = forward(train, train.settings.batch.unwrap_or(1));
    let name = |produced: &Produced| match produced {
        Produced::Objective(0) => Some("objective".to_string()),
        Produced::Objective(k) => Some(format!("objective{}", k + 1)),
        Produced::Metric(metric) => Some(metric.clone()),
        _ => None,
    };
    let Some((_, tensor)) = program.results.iter().find(|(p, _)| name(p).as_ref() == Some(&options.of)) else {
        return Err(unknown(program.results.iter().filter_map(|(p, _)| name(p)).chain(own).collect()));
    };
    let classes = classes(train, &program);
    let find = |wanted: &str| program.module.tensors.iter().position(|t| t.name == wanted).map(|k| TensorId(k as u32));
    let of = find(tensor).ok_or_else(|| Fault::internal(format!("{tensor} has no place")))?;
    let by = train.parameters.iter().filter_map(|p| find(&p.path)).collect();
    Ok(Subject { of, by, classes, module: program.module })
}

/// `n=3` and `s=2x3`, for dimensions that the callable has, each of which must be given.
fn dimensions(callable: &Callable, options: &args::Diff) -> Result<Vec<Dimension>, Fault> {
    let mut out = vec![];
    for pair in options.dim.iter().flat_map(|list| list.split(',')) {
        let wrong = || Fault::usage(format!("--dim takes name=size, such as --dim n=3, not `{pair}`"));
        let (name, size) = pair.split_once('=').ok_or_else(wrong)?;
        let extents: Option<Vec<usize>> = size.split('x').map(|n| n.trim().parse().ok().filter(|n| *n > 0)).collect();
        out.push((name.trim().to_string(), extents.ok_or_else(wrong)?));
    }
    let known = || callable.dims.iter().map(|d| &d.name).chain(callable.params.iter().map(|p| &p.name));
    if let Some((name, _)) = out.iter().find(|(name, _)| known().all(|k| k.name != *name)) {
        return Err(Fault::usage(format!("`{}` has no dimension `{name}`", callable.name.name)));
    }
    match callable.dims.iter().find(|d| out.iter().all(|(name, _)| d.name.name != *name)) {
        Some(missing) => {
            let (name, size) = (&missing.name.name, if missing.pack { "2x3" } else { "3" });
            let of = &callable.name.name;
            Err(Fault::usage(format!(
                "`{of}` has a dimension `{name}`; say how large it is, such as --dim {name}={size}"
            )))
        }
        None => Ok(out),
    }
}

/// What `--wrt` names, once for each time it is given.
fn asked(subject: &Subject, options: &args::Diff) -> Result<Vec<Vec<TensorId>>, Fault> {
    if options.wrt.is_empty() {
        return Ok(vec![subject.by.clone()]);
    }
    let mut out: Vec<Vec<TensorId>> = vec![];
    for list in &options.wrt {
        if out.last().is_some_and(|before| before.len() > 1) {
            return Err(Fault::usage("only the last --wrt may name several inputs"));
        }
        out.push(list.split(',').map(|name| input(&subject.module, name.trim(), true)).collect::<Result<_, _>>()?);
    }
    Ok(out)
}

/// The input or parameter of that name.
fn input(m: &Module, wanted: &str, real: bool) -> Result<TensorId, Fault> {
    let inputs = (0..m.tensors.len() as u32).map(TensorId).filter(|t| m.t(*t).role != Role::Temporary);
    let shown = |t: &TensorId| m.t(*t).name.trim_start_matches("input.").to_string();
    let inputs: Vec<(String, TensorId)> = inputs.map(|t| (shown(&t), t)).collect();
    match inputs.iter().find(|(name, _)| name == wanted) {
        Some((_, t)) if real && m.t(*t).kind != Kind::Float => {
            Err(Fault::usage(format!("`{wanted}` is no real number, so nothing can be differentiated by it")))
        }
        Some((_, t)) => Ok(*t),
        None => {
            let names: Vec<&str> = inputs.iter().map(|(name, _)| name.as_str()).collect();
            let near = function::meant(wanted, names.iter().copied());
            let help = near.map_or(format!("there are: {}", names.join(", ")), |n| format!("did you mean `{n}`?"));
            Err(Fault::usage(format!("there is no input or parameter `{wanted}`; {help}")))
        }
    }
}

/// `a=2,b=[1, 2]`; a single number fills a tensor.
fn point(m: &Module, lists: &[String]) -> Result<Values, Fault> {
    let mut out = Values::new();
    for pair in lists.iter().flat_map(|list| split(list)) {
        let wrong = || Fault::usage(format!("--at takes name=value, such as --at a=2,b=[1,2], not `{pair}`"));
        let (name, value) = pair.split_once('=').ok_or_else(wrong)?;
        let tensor = input(m, name.trim(), false)?;
        let plain = value.replace(['[', ']'], " ");
        let numbers: Result<Vec<f64>, _> = plain.split(',').map(|n| n.trim().parse()).collect();
        let (numbers, len) = (numbers.map_err(|_| wrong())?, m.t(tensor).len());
        out.insert(
            tensor,
            match numbers[..] {
                [one] => vec![one; len],
                _ if numbers.len() == len => numbers,
                _ => {
                    let given = numbers.len();
                    return Err(Fault::usage(format!("`{name}` has {len} elements, but {given} are given")));
                }
            },
        );
    }
    Ok(out)
}

/// The parts between the commas that stand in no bracket.
fn split(list: &str) -> Vec<&str> {
    let mut depth = 0;
    let comma = |c: char| {
        depth += i32::from(c == '[') - i32::from(c == ']');
        c == ',' && depth == 0
    };
    list.split(comma).filter(|part| !part.trim().is_empty()).collect()
}

fn title(m: &Module, options: &args::Diff, question: &Question) -> String {
    if options.wrt.is_empty() {
        return format!("{}_gradient", options.of);
    }
    let names: Vec<&str> = question.by.iter().flat_map(|by| by.iter().map(|t| m.t(*t).name.as_str())).collect();
    format!("{}_by_{}", options.of, names.join("_"))
}

fn count(derivative: &Derivative) {
    let (own, shared) = derivative.cost();
    let functions = own.choices + own.divisions + own.calls;
    let many = |n: u64, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let mut line = format!("{}, {}", many(own.adds, "addition"), many(own.muls, "multiplication"));
    if functions > 0 {
        line = format!("{line}, {functions} divisions, choices and functions");
    }
    say!("// operations: {} ({line})", own.operations());
    if shared.operations() > 0 {
        say!("// and {} for values of the function itself", shared.operations());
    }
    if let Some(expanded) = &derivative.expanded {
        let (paths, operations) = (large(expanded.paths.count), large(expanded.operations));
        say!("// operations of the sum over the paths, of which there are {paths}: {operations}");
    }
}

/// A count that may be beyond all whole numbers.
fn large(x: f64) -> String {
    if x < 1e15 { format!("{x:.0}") } else { format!("{x:.3e}") }
}

fn evaluate(derivative: &Derivative, point: &Values, at: &[String]) -> Result<(), Fault> {
    let m = &derivative.module;
    if derivative.draws() {
        return Err(Fault::usage("the program draws random numbers, so it has no value at a point; leave out --at"));
    }
    let mut point = point.clone();
    for tensor in &derivative.directions {
        point.entry(*tensor).or_insert_with(|| vec![1.0; m.t(*tensor).len()]);
    }
    let missing = derivative.given().into_iter().filter(|t| !point.contains_key(t));
    let missing: Vec<&str> = missing.map(|t| m.t(t).name.trim_start_matches("input.")).collect();
    if !missing.is_empty() {
        return Err(Fault::usage(format!("--at needs a value for {}", missing.join(", "))));
    }
    let values = derivative.evaluate(&point).map_err(|e| Fault::usage(e.to_string()))?;
    say!("// at {}:", at.join(","));
    for ((name, tensor), value) in m.outputs.iter().zip(values) {
        say!("// {name} = {}", shown(&m.t(*tensor).shape, &value));
    }
    Ok(())
}

/// Nested brackets, or what can be said of many numbers in a line.
fn shown(shape: &[usize], values: &[f64]) -> String {
    match shape {
        [] => values.first().map_or(String::new(), f64::to_string),
        _ if values.len() > SHOWN => {
            let (low, high) =
                values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
            format!("{} numbers from {low} to {high}", values.len())
        }
        [_, rest @ ..] => {
            let size = rest.iter().product::<usize>().max(1);
            let parts: Vec<String> = values.chunks(size).map(|part| shown(rest, part)).collect();
            format!("[{}]", parts.join(", "))
        }
    }
}
