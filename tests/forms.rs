//! Every form of the language means what docs/language.md says: the programs in `tests/forms` are interpreted in 64 bits,
//! and each metric must be the number that stands after `//=` on its line. Two numbers are those of training and of
//! evaluation. The numbers come from pencil and paper, or from the same thing written in another form.
//!
//! Parameters have their initial values. Element e of sample s of field f is ((7 s + 3 e + 5 f) mod 11) / 4 - 1 for a
//! field of numbers, and (7 s + 3 e + 5 f) mod n for one of n classes.

mod common;

use common::{repository, text};
use compiler::ir::interpret::{Values, interpret};
use compiler::ir::{Draw, Role, Tensor, TensorId};
use compiler::lower::program::{Produced, Program};
use compiler::lower::programs::{evaluation, forward, init};
use compiler::modules;
use compiler::typed::{Element, Train};
use grammar::render;
use grammar::span::Sources;
use runtime::random::{self, Place};
use std::collections::BTreeMap;

/// What the runtime draws in the third step.
fn draws(draw: &Draw, tensor: &Tensor) -> Vec<f64> {
    let mut out = vec![0.0; tensor.len()];
    let row = if draw.per_sample { tensor.len() / tensor.shape[0] } else { tensor.len() };
    random::fill(&mut out, draw.distribution, Place { seed: 5, site: draw.site, step: 3 }, row, 0, 0);
    out
}

/// The values of a field.
fn field(train: &Train, number: usize, tensor: &Tensor) -> Vec<f64> {
    let width = tensor.len() / tensor.shape[0];
    let place = |n: usize| 7 * (n / width) + 3 * (n % width) + 5 * number;
    (0..tensor.len())
        .map(|n| match train.fields[number].ty.element {
            Element::Class(classes) => (place(n) % classes) as f64,
            _ => (place(n) % 11) as f64 / 4.0 - 1.0,
        })
        .collect()
}

/// All tensors of a program whose persistent ones have these values.
fn run(train: &Train, program: &Program, persistent: &BTreeMap<String, Vec<f64>>) -> BTreeMap<String, Vec<f64>> {
    let module = &program.module;
    let mut inputs = Values::new();
    for (n, tensor) in module.tensors.iter().enumerate() {
        let values = match tensor.role {
            Role::Temporary => continue,
            Role::Persistent => persistent.get(&tensor.name).cloned().unwrap_or_else(|| vec![0.0; tensor.len()]),
            Role::Input => match program.fields.iter().find(|(_, name)| *name == tensor.name) {
                Some((number, _)) => field(train, *number, tensor),
                None => vec![1.0; tensor.len()],
            },
        };
        inputs.insert(TensorId(n as u32), values);
    }
    let values = interpret(module, &inputs, &mut draws).unwrap_or_else(|e| panic!("{}: {e}", train.name));
    let mut named: BTreeMap<String, Vec<f64>> =
        values.into_iter().map(|(id, v)| (module.t(id).name.clone(), v)).collect();
    for (target, source) in &module.updates {
        let value = named[&module.t(*source).name].clone();
        named.insert(module.t(*target).name.clone(), value);
    }
    named
}

/// The metrics of a forward pass.
fn metrics(train: &Train, program: &Program, persistent: &BTreeMap<String, Vec<f64>>) -> BTreeMap<String, f64> {
    let values = run(train, program, persistent);
    let metric = |(result, name): &(Produced, String)| match result {
        Produced::Metric(metric) => {
            Some((metric.clone(), values[name].iter().sum::<f64>() / values[name].len() as f64))
        }
        _ => None,
    };
    program.results.iter().filter_map(metric).collect()
}

/// Checks the programs of one file.
fn check(name: &str) {
    let path = repository(&format!("tests/forms/{name}.nn"));
    let source = text(&path);
    let mut sources = Sources::default();
    let mut read =
        |path: &str| std::fs::read_to_string(repository("tests/forms").join(path)).map_err(|e| e.to_string());
    let (file, mut trouble) = modules::gather(&mut sources, &format!("{name}.nn"), &source, &mut read);
    let (library, _) = compiler::library::parse(&mut sources, &compiler::library::texts());
    let (checked, found) = compiler::check::check(&sources, &file, &library);
    trouble.extend(found.into_iter().filter(|d| d.severity == grammar::diagnostic::Severity::Error));
    let said: String = trouble.iter().map(|d| render::human(&sources, d, false)).collect();
    assert!(trouble.is_empty(), "{said}");
    let mut wrong = String::new();
    let mut compared = 0;
    for train in &checked.trains {
        let batch = train.settings.batch.unwrap_or(1);
        let start = run(train, &init(train), &BTreeMap::new());
        let found = [forward(train, batch), evaluation(train, batch)].map(|p| metrics(train, &p, &start));
        let from = source.find(&format!("train {} ", train.name)).expect("the train block");
        let to = source[from..].find("\n}").map_or(source.len(), |end| from + end);
        for (line, wanted) in source[from..to].lines().filter_map(|l| l.split_once("//=")) {
            let metric = line.split('=').next().unwrap_or("").trim();
            let wanted: Vec<f64> = wanted.split_whitespace().map(|n| n.parse().expect("a number")).collect();
            for (k, mode) in ["training", "evaluation"].iter().enumerate() {
                let wanted = wanted[k.min(wanted.len() - 1)];
                let value = found[k].get(metric).copied().unwrap_or(f64::NAN);
                if (value - wanted).abs() > 1e-9 * wanted.abs().max(1.0) || value.is_nan() {
                    wrong += &format!("{name}.nn, {}, {mode}: {metric} is {value}, not {wanted}\n", train.name);
                }
                compared += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(compared > 0, "{name}.nn says no numbers");
}

const TABLE: &str = "
data sums {
    for a: 3, b: 2 {
        c = (a + b) mod 3
        x: [2] of class(3) = [a, b]
        y: class(3)        = c
        z: [2]             = [a / 2, c - 1]
    }
}
model Net(x: [2] of class(3)) -> [3] { param E: [3, 3] ~ constant(1); E[x[0]] + E[x[1]] }
train t {
    data      = sums
    objective = cross_entropy(Net(x), y) + z[0] + z[1]
    optimizer = sgd(lr = 0.1)
    valid     = split(0.5)
    batch     = 2
    epochs    = 1
}
";

#[test]
fn a_rule_makes_a_sample_of_each_combination() {
    let mut sources = Sources::default();
    let (file, _) = modules::gather(&mut sources, "table.nn", TABLE, &mut |_| Err(String::new()));
    let (library, _) = compiler::library::parse(&mut sources, &compiler::library::texts());
    let (checked, trouble) = compiler::check::check(&sources, &file, &library);
    let said: String = trouble.iter().map(|d| render::human(&sources, d, false)).collect();
    assert!(said.is_empty(), "{said}");
    let generated = checked.trains[0].data.as_ref().and_then(|d| d.generated.as_ref()).expect("a rule");
    let module = compiler::lower::generated(generated);
    let values = interpret(&module, &Values::new(), &mut |_, _| vec![]).unwrap_or_else(|e| panic!("{e}"));
    let column = |name: &str| {
        let output = module.outputs.iter().find(|(n, _)| n == name).map(|(_, t)| values[t].clone());
        output.unwrap_or_default()
    };
    assert_eq!(generated.count, 6);
    assert_eq!(column("x"), [0., 0., 0., 1., 1., 0., 1., 1., 2., 0., 2., 1.]);
    assert_eq!(column("y"), [0., 1., 1., 2., 2., 0.]);
    assert_eq!(column("z"), [0., -1., 0., 0., 0.5, 0., 0.5, 1., 1., 1., 1., -1.]);
}

#[test]
fn every_file_of_forms() {
    let folder = std::fs::read_dir(repository("tests/forms")).expect("tests/forms");
    let mut names: Vec<String> = folder
        .filter_map(|e| e.ok()?.file_name().into_string().ok()?.strip_suffix(".nn").map(str::to_string))
        .collect();
    names.sort();
    let wrong: Vec<_> = names.iter().filter(|name| std::panic::catch_unwind(|| check(name)).is_err()).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
