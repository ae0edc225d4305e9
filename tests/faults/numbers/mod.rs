//! Scalar functions, their derivatives, and files that compute them elsewhere.

mod derivatives;
mod headers;
mod onnx;
mod zeros;

use compiler::check::function;
use compiler::ir::interpret::{Values, interpret};
use compiler::ir::{Module, TensorId};
use compiler::symbolic::{Derivative, Mode, Question, derive};
use compiler::{library, lower};
use grammar::span::Sources;

/// The module of a function of numbers.
fn function_of(text: &str, name: &str) -> Module {
    let mut sources = Sources::default();
    let (library, _) = library::parse(&mut sources, &library::texts());
    let id = sources.add("test.nn", text);
    let (file, wrong) = grammar::parse(id, text);
    assert!(wrong.is_empty(), "{wrong:?}\n{text}");
    let callable = function::find(&file, &library, name).unwrap_or_else(|| panic!("no {name} in\n{text}"));
    let function = function::function(&file, &library, callable, &[])
        .unwrap_or_else(|d| panic!("{:?}\n{text}", d.iter().map(|d| &d.message).collect::<Vec<_>>()));
    lower::function(&function)
}

/// The derivative by one argument after the other, the arguments by their names.
fn derivative_of(m: Module, by: &[&str], mode: Mode) -> Derivative {
    let by = by.iter().map(|x| vec![argument(&m, x)]).collect();
    let of = m.outputs[0].1;
    derive(m, &Question { of, by, mode })
}

fn argument(m: &Module, name: &str) -> TensorId {
    let at = m.tensors.iter().position(|t| t.name == name);
    TensorId(at.unwrap_or_else(|| panic!("no {name}")) as u32)
}

/// The first output of a module of numbers.
fn value_at(m: &Module, arguments: &[(&str, f64)]) -> f64 {
    let known: Values = arguments
        .iter()
        .filter(|(name, _)| m.tensors.iter().any(|t| t.name == *name))
        .map(|(name, x)| (argument(m, name), vec![*x]))
        .collect();
    interpret(m, &known, &mut |_, _| vec![]).expect("valid")[&m.outputs[0].1][0]
}
