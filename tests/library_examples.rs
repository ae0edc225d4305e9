//! The example of every definition of the library is true: it mentions the definition, checks without a warning, and
//! makes an update from which finite figures come.
//!
//! An example that begins with `model` is a model `Net`: its inputs are random, and what it yields is made small. Any
//! other is a line of a train block, of [`VECTORS`] or of [`IMAGES`], and takes the place of the block's own.

mod common;

use common::Folder;
use compiler::library::{self, Definition};
use driver::folder::{Folder as RunFolder, Root};
use driver::machine::{Machine, Resources};
use driver::program::{self, Program, Request};
use driver::run::{Options, Place, train_one};
use grammar::ast::{Item, Param, TypeKind};
use grammar::render;
use grammar::span::SourceId;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// Data and a model, with the lines of a train block that uses them.
struct Base {
    items: &'static str,
    model: &'static str,
    lines: &'static [(&'static str, &'static str)],
}

/// What `objective`, `optimizer`, `clip` and `metrics` are lines of.
const VECTORS: Base = Base {
    items: "
data vectors {
    x: [4]      = random_normal(8, [4], seed = 1)
    near: [4]   = random_normal(8, [4], seed = 2)
    far: [4]    = random_normal(8, [4], seed = 3)
    y: class(3) = random_class(8, 3, seed = 4)
    t: [3]      = random_class(8, 3, seed = 5) |> one_hot
}

model Vectors(x: [4]) -> [3] { x |> dense(8) |> tanh |> dense(3) }
",
    model: "Vectors",
    lines: &[
        ("data", "vectors"),
        ("objective", "cross_entropy(Net(x), y)"),
        ("optimizer", "sgd(lr = 0.1)"),
        ("valid", "split(0.5)"),
    ],
};

/// What `augment` and `mix` are lines of.
const IMAGES: Base = Base {
    items: "
data pictures {
    x: [3, 32, 32] = random_normal(4, [3, 32, 32], seed = 1)
    y: [10]        = random_class(4, 10, seed = 2) |> one_hot
}

model Pictures(x: [3, 32, 32]) -> [10] { x |> flatten |> dense(10) }
",
    model: "Pictures",
    lines: &[("data", "pictures"), ("objective", "soft_cross_entropy(Net(x), y)"), ("optimizer", "sgd(lr = 0.1)")],
};

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn mentions(text: &str, word: &str) -> bool {
    text.split(|c| !is_word(c)).any(|w| w == word)
}

/// A text in which `Net` has another name.
fn with_net(text: &str, name: &str) -> String {
    text.split_inclusive(|c| !is_word(c))
        .map(|piece| {
            piece
                .strip_prefix("Net")
                .filter(|rest| !rest.starts_with(is_word))
                .map_or(piece.into(), |rest| format!("{name}{rest}"))
        })
        .collect()
}

/// A train block of one update.
fn train(name: &str, lines: &[(&str, String)]) -> String {
    let lines: String = lines.iter().map(|(key, value)| format!("    {key} = {value}\n")).collect();
    format!("train of_{name} {{\n{lines}    batch = 4\n    steps = 1\n}}\n")
}

/// A field of random numbers, or classes, for an input.
fn field(input: &Param, text: &str, seed: usize) -> String {
    let ty = input.ty.as_ref().expect("a type");
    let written = &text[ty.span.start as usize..ty.span.end as usize];
    let source = match &ty.kind {
        TypeKind::Tensor { of: Some(_), .. } => {
            let (shape, class) = written.split_once(" of class(").expect("a tensor of classes");
            format!("random_class(4, {}, seed = {seed}, shape = {shape})", class.trim_end_matches(')'))
        }
        _ => format!("random_normal(4, {written}, seed = {seed})"),
    };
    format!("    {}: {written} = {source}\n", input.name.name)
}

/// A model with data for its inputs, and what trains it.
fn with_model(name: &str, example: &str) -> String {
    let (file, trouble) = grammar::parse(SourceId(0), example);
    let [Item::Callable(model)] = file.items.as_slice() else { panic!("{name}: {trouble:?} in {example}") };
    let fields: String = model.params.iter().enumerate().map(|(n, input)| field(input, example, n + 1)).collect();
    let inputs: Vec<&str> = model.params.iter().map(|p| p.name.name.as_str()).collect();
    let net = format!("Net_{name}");
    let lines = [
        ("data", format!("for_{name}")),
        ("objective", format!("squared_norm({net}({}))", inputs.join(", "))),
        ("optimizer", "sgd(lr = 0.01)".to_string()),
    ];
    format!("data for_{name} {{\n{fields}}}\n{}\n{}", with_net(example, &net), train(name, &lines))
}

/// A line in the train block that it belongs to.
fn with_line(name: &str, example: &str) -> String {
    let (key, value) = example.split_once(" = ").unwrap_or_else(|| panic!("{name}: `{example}` is no line"));
    let base = match key {
        "objective" | "optimizer" | "clip" | "metrics" => VECTORS,
        "augment" | "mix" => IMAGES,
        _ => panic!("{name}: no example begins with `{key}`"),
    };
    let kept = base.lines.iter().copied().filter(|(k, _)| *k != key).chain([(key, value)]);
    let lines: Vec<(&str, String)> = kept.map(|(k, v)| (k, with_net(v, base.model))).collect();
    train(name, &lines)
}

/// All examples in one program.
fn program(definitions: &[Definition]) -> String {
    let mut text = format!("{}{}", VECTORS.items, IMAGES.items);
    for definition in definitions {
        let (name, example) = (definition.name(), definition.example.as_str());
        assert!(mentions(example, name), "the example of {name} does not mention it: `{example}`");
        let put = if example.starts_with("model ") { with_model(name, example) } else { with_line(name, example) };
        let _ = write!(text, "\n{put}");
    }
    text
}

/// Whether all numbers among the figures are finite: those that are not have become null.
fn finite(figures: &Value) -> bool {
    match figures {
        Value::Null => false,
        Value::Object(inner) => inner.values().all(finite),
        _ => true,
    }
}

/// Makes the update of one train block; what was wrong.
fn step(loaded: &Program, number: usize, place: &Path) -> Option<String> {
    let train = &loaded.checked.trains[number];
    let resources = Resources { threads: Some(1), ..Default::default() };
    let options = Options { machine: Machine { resources, memory: None }, ..Options::default() };
    let folder = RunFolder::at(place.join(&train.name));
    let root = Root::new(&folder.path, true);
    let place = Place { folder, start: None, resume: false, settled: false, noted: false, root: &root };
    match train_one(loaded, train, &options, place, &AtomicBool::new(false), &mut ()) {
        Err(fault) => Some(format!("{}: {fault}", train.name)),
        Ok(figures) if figures["steps"] == 1 && figures.values().all(finite) => None,
        Ok(figures) => Some(format!("{}: {figures:?}", train.name)),
    }
}

/// Losses of probabilities are warned of wherever they stand, since a probability may be zero in 32 bits: in their own
/// examples too.
const OF_PROBABILITIES: [&str; 2] = ["bce(", "kl_divergence("];

#[test]
fn examples_check_and_make_a_step() {
    let folder = Folder::new("library-examples");
    let definitions = library::definitions();
    let file = folder.write("examples.nn", program(&definitions));
    let loaded = program::load(&Request { file, ..Request::default() }).unwrap_or_else(|e| panic!("{e}"));
    let said: Vec<String> = loaded.diagnostics.iter().map(|d| render::human(&loaded.sources, d, false)).collect();
    let of_probabilities =
        |s: &&String| OF_PROBABILITIES.iter().any(|call| s.contains(call)) && s.contains("unproven-positive");
    let (expected, other): (Vec<_>, Vec<_>) = said.iter().partition(of_probabilities);
    assert!(other.is_empty(), "{other:#?}");
    assert_eq!(expected.len(), OF_PROBABILITIES.len(), "{expected:#?}");
    assert_eq!(loaded.checked.trains.len(), definitions.len());

    let next = AtomicUsize::new(0);
    let some = || {
        let numbers = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        let left = numbers.take_while(|n| *n < definitions.len());
        left.filter_map(|n| step(&loaded, n, &folder.0)).collect::<Vec<_>>()
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let wrong = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(some)).collect();
        threads.into_iter().flat_map(|t| t.join().expect("no panic")).collect::<Vec<String>>()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `nnc doc` lists first sentences, which have to fit into a terminal of 120 columns beside the names.
#[test]
fn first_sentences_fit() {
    for definition in library::definitions() {
        let summary = definition.summary();
        assert!(!summary.is_empty() && summary.chars().count() <= 96, "{}: {summary}", definition.name());
        assert!(!definition.about.contains(['\t']) && !definition.about.contains("///"), "{}", definition.name());
    }
}
