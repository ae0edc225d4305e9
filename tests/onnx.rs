//! The single-operator tests of ONNX that the language says: `tests/onnx/cases`, a function for each result, which
//! must compute what `tests/onnx/data.npz` expects, by the interpreter in double precision and by compiled code in
//! single precision. `tests/onnx/make.py` wrote them; `tests/onnx/results.md` is the account of all of them.
//!
//! The tolerance is that of ONNX's own runner for all of these tests: |found - expected| <= 1e-7 + 1e-3 |expected|;
//! infinities and NaNs in the same places.

mod common;

use common::{read_arrays, repository, text};
use compiler::check::function::{find, function};
use compiler::emit::{Options, Precision, compile};
use compiler::ir::interpret::{Values, interpret};
use compiler::ir::{Module, TensorId};
use compiler::optimise::optimise;
use grammar::ast::{File, Item};
use grammar::render::human;
use grammar::span::Sources;
use runtime::arrays::Array;
use runtime::execute::{Clock, Executor};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

type Arrays = BTreeMap<String, Array>;

/// One function and what goes in.
struct Case {
    name: String,
    module: Module,
    given: Values,
}

fn close(found: f64, expected: f64) -> bool {
    found == expected
        || found.is_nan() && expected.is_nan()
        || expected.is_finite() && (found - expected).abs() <= 1e-7 + 1e-3 * expected.abs()
}

/// What is wrong with the result of a case, if anything.
fn compared(what: &str, name: &str, found: &[f64], expected: &Array) -> Option<String> {
    if found.len() != expected.values.len() {
        return Some(format!("{name}, {what}: {} elements, not {}", found.len(), expected.values.len()));
    }
    let wrong = found.iter().zip(&expected.values).position(|(f, e)| !close(*f, *e))?;
    Some(format!("{name}, {what}: element {wrong} is {}, not {}", found[wrong], expected.values[wrong]))
}

/// The cases of a file, and what the checker says of those it refuses.
fn cases(operator: &str, arrays: &Arrays) -> (Vec<Case>, Vec<String>) {
    let mut sources = Sources::default();
    let (library, _) = compiler::library::parse(&mut sources, &compiler::library::texts());
    let source = text(&repository(&format!("tests/onnx/cases/{operator}.nn")));
    let id = sources.add(operator, source.clone());
    let (file, trouble) = grammar::parse(id, &source);
    let said = |d: &[_]| d.iter().map(|d| human(&sources, d, false)).collect::<String>();
    let (mut ready, mut refused) = (vec![], vec![]);
    refused.extend((!trouble.is_empty()).then(|| said(&trouble)));
    for name in names(&file) {
        let callable = find(&file, &[], &name).unwrap_or_else(|| panic!("no {name}"));
        match function(&file, &library, callable, &[]) {
            Ok(checked) => {
                let module = compiler::lower::function(&checked);
                let value = |k: usize| arrays[&format!("{name}.{}", checked.inputs[k].name)].values.clone();
                let given = (0..checked.inputs.len()).map(|k| (TensorId(k as u32), value(k))).collect();
                ready.push(Case { name, module, given });
            }
            Err(diagnostics) => refused.push(format!("{name}:\n{}", said(&diagnostics))),
        }
    }
    (ready, refused)
}

fn names(file: &File) -> Vec<String> {
    let name = |item: &Item| match item {
        Item::Callable(c) => Some(c.name.name.clone()),
        _ => None,
    };
    file.items.iter().filter_map(name).collect()
}

fn interpreted(case: &Case) -> Vec<f64> {
    let values = interpret(&case.module, &case.given, &mut |_, _| panic!("nothing is drawn"));
    let values = values.unwrap_or_else(|e| panic!("{}: {e}", case.name));
    values[&case.module.outputs[0].1].clone()
}

/// What compiled code makes of all cases, optimised, in one bundle.
fn compiled(cases: &[Case]) -> Vec<Vec<f64>> {
    let optimised = |case: &Case| {
        let mut module = case.module.clone();
        optimise(&mut module);
        module
    };
    let modules: Vec<(String, Module)> = cases.iter().map(|c| (c.name.clone(), optimised(c))).collect();
    let named: Vec<(&str, &Module)> = modules.iter().map(|(n, m)| (n.as_str(), m)).collect();
    let bundle = compile(&named, &Options::new(Precision::F32)).unwrap_or_else(|e| panic!("{e}"));
    let mut executor = Executor::new(bundle, 2).unwrap_or_else(|e| panic!("{e}"));
    let mut results = vec![];
    for (k, case) in cases.iter().enumerate() {
        for (id, values) in &case.given {
            // An input that nothing reads has no place.
            let slot = executor.program(k).tensors.get(&case.module.t(*id).name).cloned();
            slot.iter().for_each(|slot| executor.write_f64(slot, values));
        }
        executor.run(k, Clock { seed: 0, step: 0, sample: 0 }).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        results.push(executor.read_f64(&executor.program(k).outputs[0].1));
    }
    results
}

/// Everything wrong with the cases of an operator, and the names of those checked.
fn judged(operator: &str, arrays: &Arrays) -> (BTreeSet<String>, Vec<String>) {
    let (cases, mut wrong) = cases(operator, arrays);
    for (case, found) in cases.iter().zip(compiled(&cases)) {
        let expected = &arrays[&case.name];
        let exact = compared("interpreted", &case.name, &interpreted(case), expected);
        wrong.extend(exact.or_else(|| compared("compiled", &case.name, &found, expected)));
    }
    let test = |case: &Case| case.name.split("__").next().unwrap_or_default().to_string();
    (cases.iter().map(test).collect(), wrong)
}

/// What goes in and should come out, by function and parameter.
fn arrays() -> Arrays {
    let mut arrays = read_arrays(&repository("tests/onnx/data.npz"));
    for line in text(&repository("tests/onnx/same.txt")).lines() {
        let (name, other) = line.split_once(' ').unwrap_or_else(|| panic!("no two names: {line}"));
        arrays.insert(name.to_string(), arrays[other].clone());
    }
    arrays
}

fn operators() -> Vec<String> {
    let folder = std::fs::read_dir(repository("tests/onnx/cases")).expect("the cases");
    let name = |entry: std::fs::DirEntry| entry.file_name().to_str()?.strip_suffix(".nn").map(str::to_string);
    let mut names: Vec<String> = folder.filter_map(|entry| name(entry.ok()?)).collect();
    names.sort();
    names
}

/// Operator, test and reason of what is not said.
fn unsaid() -> Vec<(String, String)> {
    let line = |line: &str| {
        let (case, reason) = line.split_once(": ")?;
        Some((case.split(' ').next()?.to_string(), reason.to_string()))
    };
    text(&repository("tests/onnx/unsaid.txt")).lines().filter_map(line).collect()
}

/// The account: for every operator how many tests there are, how many pass, and why the others cannot be said.
fn account(passed: &BTreeMap<String, usize>) -> String {
    let unsaid = unsaid();
    let mut reasons: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    let mut totals: BTreeMap<&str, usize> = BTreeMap::new();
    for (operator, reason) in &unsaid {
        *reasons.entry(operator).or_default().entry(reason).or_default() += 1;
        *totals.entry(reason).or_default() += 1;
    }
    let all: BTreeSet<&str> = passed.keys().map(String::as_str).chain(reasons.keys().copied()).collect();
    let count: usize = passed.values().sum();
    let mut out = format!(
        "# The node tests of ONNX\n\n\
         Of the {} tests with a single operator the language says {count}, and all of them pass: the program computes \
         the expected numbers within ONNX's own tolerance, interpreted in double precision and compiled in single \
         precision. Shapes, axes and the like, which ONNX passes as tensors, are constants of the programs. \
         The others, and why they are not said:\n\n| reason | tests |\n|---|---|\n",
        count + unsaid.len()
    );
    for (reason, number) in &totals {
        let _ = writeln!(out, "| {reason} | {number} |");
    }
    out.push_str("\n| operator | tests | passed | not said | why |\n|---|---|---|---|---|\n");
    for operator in all {
        let good = passed.get(operator).copied().unwrap_or(0);
        let why = reasons.get(operator).cloned().unwrap_or_default();
        let bad: usize = why.values().sum();
        let why: Vec<&str> = why.into_keys().collect();
        let _ = writeln!(out, "| {operator} | {} | {good} | {bad} | {} |", good + bad, why.join("; "));
    }
    out
}

/// `NNC_ONLY` in the environment names the operators to look at.
#[test]
fn node_tests() {
    let arrays = arrays();
    let only = std::env::var("NNC_ONLY").ok();
    let chosen = |name: &String| only.as_ref().is_none_or(|list| list.split(',').any(|n| n == name));
    let (mut passed, mut wrong) = (BTreeMap::new(), vec![]);
    for operator in operators().into_iter().filter(chosen) {
        let (names, trouble) = judged(&operator, &arrays);
        passed.insert(operator, names.len());
        wrong.extend(trouble);
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    if only.is_some() {
        return;
    }
    let (account, path) = (account(&passed), repository("tests/onnx/results.md"));
    if std::env::var_os("NNC_BLESS").is_some() {
        std::fs::write(&path, &account).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
    assert_eq!(text(&path), account, "the account is not what is found (NNC_BLESS=1 writes it)");
}
