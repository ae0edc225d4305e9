//! The driver as a library: programs are loaded, trained, gone on with, evaluated and asked without the command, and what
//! happens is told to whoever listens.

mod common;

use common::{Folder, bytes, succeed};
use driver::bind::Bound;
use driver::evaluate::evaluate;
use driver::fault::FaultKind;
use driver::folder::Root;
use driver::listener::Listener;
use driver::machine::Machine;
use driver::predict::{Question, predict};
use driver::program::{self, Program, Request};
use driver::run::{self, Ended, Options, Watcher};
use grammar::diagnostic::Diagnostic;
use grammar::span::Sources;
use runtime::trainer::Record;
use serde_json::Value;
use std::path::Path;
use std::sync::atomic::AtomicBool;

const PROGRAM: &str = "data points {
    x: [3] = random_normal(64, [3], seed = 1)
    y: [2] = random_normal(64, [2], seed = 2)
}

model Net(x: [3]) -> [2] {
    x |> dense(2) as fc |> relu
}

train line {
    data      = points
    answer    = Net(x)
    objective = squared_error(answer, y)
    optimizer = sgd(lr = 0.1)
    batch     = 32
    epochs    = 9
}
";

/// Keeps what it is told.
#[derive(Default)]
struct Told {
    said: Vec<String>,
    ended: Option<Ended>,
}

impl Listener for Told {}

impl Watcher for Told {
    fn compiled(&mut self, _: &Program, train: &compiler::typed::Train, bound: &Bound) {
        self.said.push(format!("compiled {} for minibatches of {}", train.name, bound.batch));
    }

    fn begins(&mut self, epochs: u64, updates: u64) {
        self.said.push(format!("begins {epochs} epochs, {updates} updates"));
    }

    fn updated(&mut self, step: u64, loss: f64) {
        assert!(loss.is_finite());
        self.said.push(format!("update {step}"));
    }

    fn epoch(&mut self, record: &Record) {
        self.said.push(format!("epoch {}", record.epoch));
    }

    fn rests(&mut self) {
        self.said.push("rests".to_string());
    }

    fn diverged(&mut self, sources: &Sources, place: &Diagnostic) {
        self.said.push(format!("{} at {}", place.message, sources.text(place.primary.span)));
    }

    fn ended(&mut self, ended: &Ended) {
        self.said.push(format!("ended after {}", ended.steps));
        self.ended = Some(ended.clone());
    }
}

fn request(folder: &Folder, epochs: &str) -> Request {
    let settings = vec![("epochs".to_string(), epochs.to_string())];
    Request { file: folder.write("line.nn", PROGRAM), settings, ..Request::default() }
}

/// Trains the program into a folder; what was told, and how it ended.
fn train(options: &Options, out: &Path, resumes: bool) -> (Told, Result<(), driver::fault::Fault>) {
    let program = program::load(&options.request).expect("a file that can be read");
    assert!(!program.has_errors(), "{:?}", program.diagnostics);
    let goal = program.choose(None).expect("one train block");
    let (root, mut told) = (Root::new(out, !resumes), Told::default());
    let end = run::run(&program, goal, options, &root, resumes, &AtomicBool::new(false), &mut told);
    (told, end)
}

#[test]
fn a_run_is_told_of_and_is_that_of_the_command() {
    let folder = Folder::new("driver-run");
    let options = Options { request: request(&folder, "2"), ..Options::default() };
    let (told, end) = train(&options, &folder.path("own"), false);
    assert!(end.is_ok(), "{end:?}");
    let said = [
        "compiled line for minibatches of 32",
        "begins 2 epochs, 4 updates",
        "update 1",
        "update 2",
        "epoch 1",
        "update 3",
        "update 4",
        "epoch 2",
        "rests",
        "ended after 4",
    ];
    assert_eq!(told.said, said);

    let (program, out) = (folder.path("line.nn"), folder.path("command"));
    let printed = succeed(&format!("run {} --epochs 2 --json --out {}", program.display(), out.display()));
    let done: Value = serde_json::from_str(printed.lines().last().expect("lines")).expect("JSON");
    let ended = told.ended.expect("an end");
    assert_eq!(ended.splits.len(), 1);
    for (name, value) in &ended.splits[0].1 {
        assert_eq!(done["train"][name.as_str()].as_f64().map(f64::to_bits), Some(value.to_bits()), "{name}");
    }
    let weights = |of: &Path| bytes(&of.join("weights.safetensors"));
    assert_eq!(weights(&ended.folder), weights(&out));

    let program = program::load(&options.request).expect("as before");
    let goal = program.choose(None).expect("as before");
    let machine = Machine::default();
    let found = evaluate(goal, &options.request, &machine, &ended.folder, "train", &mut ()).expect("figures");
    assert_eq!((found.samples, &found.metrics), (64, &ended.splits[0].1));

    let rows: Vec<u8> = [1.0, 2.0, 3.0, -1.0, 0.5, 0.0].iter().flat_map(|x: &f32| x.to_le_bytes()).collect();
    let header = format!("{:117}\n", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }");
    let inputs = folder.write("x.npy", [b"\x93NUMPY\x01\x00\x76\x00".as_slice(), header.as_bytes(), &rows].concat());
    let (request, resources) = (&options.request, &machine.resources);
    let question = Question { request, resources, weights: &ended.folder, inputs: &inputs, as_is: true, of: &[] };
    let answers = predict(goal, &question).expect("answers");
    assert_eq!(answers["answer"].shape, [2, 2]);
}

#[test]
fn a_run_that_was_stopped_goes_on_to_the_same_bits() {
    let folder = Folder::new("driver-resume");
    let whole = Options { request: request(&folder, "3"), ..Options::default() };
    let (_, end) = train(&whole, &folder.path("whole"), false);
    assert!(end.is_ok(), "{end:?}");
    let parts = folder.path("parts");
    let (told, end) = train(&Options { stop_after: Some(3), ..whole.clone() }, &parts, false);
    assert_eq!(end.expect_err("it was stopped").kind, FaultKind::Interrupted);
    assert!(told.ended.is_none());
    let (told, end) = train(&whole, &parts, true);
    assert!(end.is_ok(), "{end:?}");
    assert_eq!(told.said[..3], ["compiled line for minibatches of 32", "begins 3 epochs, 6 updates", "update 4"]);
    let weights = |of: &Path| bytes(&of.join("weights.safetensors"));
    assert_eq!(weights(&parts), weights(&folder.path("whole")));
}

#[test]
fn where_a_run_diverges_is_told() {
    let folder = Folder::new("driver-diverged");
    let mut options = Options { request: request(&folder, "9"), ..Options::default() };
    options.request.file = folder.write("line.nn", PROGRAM.replace("lr = 0.1", "lr = 1e30"));
    let (told, end) = train(&options, &folder.path("out"), false);
    assert_eq!(end.expect_err("it diverges").kind, FaultKind::Diverged);
    let last = told.said.last().expect("something");
    assert!(last.starts_with("in update ") && last.contains(" at "), "{last}");
}

#[test]
fn what_is_wrong_with_a_program_comes_beside_it() {
    let folder = Folder::new("driver-wrong");
    let mut request = request(&folder, "3");
    request.file = folder.write("line.nn", PROGRAM.replace("[2] {", "[5] {"));
    let program = program::load(&request).expect("a program, with errors");
    assert!(program.has_errors());
    let codes: Vec<&str> = program.errors().map(|d| d.code).collect();
    assert_eq!(codes, ["shape-mismatch"]);
    request.file = folder.path("missing.nn");
    assert_eq!(program::load(&request).err().expect("no file").kind, FaultKind::Data);
}
