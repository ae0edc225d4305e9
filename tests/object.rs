//! Objects to link: executables made of them train and predict with the numbers of `nnc run`, bit by bit, on this machine
//! and, through an emulator, on another; they call nothing, and their header is C and C++.

mod common;

use common::{Folder, bytes, nnc, read_arrays, repository, succeed};
use driver::bind::{self, Bound};
use driver::folder;
use nnc::{args, load};
use runtime::session::{Position, Sums};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A machine to try an object on.
struct Machine {
    triple: Option<&'static str>,
    compiler: &'static str,
    /// What runs its executables, with arguments.
    emulator: &'static [&'static str],
}

const HERE: Machine = Machine { triple: None, compiler: "cc", emulator: &[] };
const ARM: Machine = Machine {
    triple: Some("aarch64-unknown-linux-gnu"),
    compiler: "aarch64-linux-gnu-gcc",
    emulator: &["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"],
};

fn is_there(command: &str) -> bool {
    Command::new(command).arg("--version").output().is_ok_and(|o| o.status.success())
}

fn bound(program: &Path, precision: args::Precision) -> (Bound, Vec<(String, String)>) {
    let options = args::Program { file: program.to_path_buf(), precision: Some(precision), ..args::Program::default() };
    let loaded = load::load(&options, false).unwrap_or_else(|e| panic!("{e}"));
    let train = load::choose(&loaded, &options).unwrap_or_else(|e| panic!("{e}"));
    let machine = args::Machine { resources: args::Resources { threads: Some(1), ..Default::default() }, memory: None };
    let bound = bind::bind(train, &options.file, &machine.plain(), None, &mut ()).unwrap_or_else(|e| panic!("{e}"));
    let evaluated = |k: usize| train.evaluated_path(k).to_string();
    let parameters = train.parameters.iter().enumerate().map(|(k, p)| (p.saved.clone(), evaluated(k)));
    (bound, parameters.chain(train.states.iter().map(|s| (s.saved.clone(), s.path.clone()))).collect())
}

/// An array of the first samples of a field, as NumPy writes it.
fn npy(kind: &str, shape: &str, elements: Vec<u8>) -> Vec<u8> {
    let mut head = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}");
    head.push_str(&" ".repeat(117 - head.len()));
    head.push('\n');
    let mut file = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    file.extend(head.bytes());
    file.extend(elements);
    file
}

/// What training gives.
#[derive(Debug, PartialEq)]
struct Trained {
    /// Of every step.
    results: Vec<Vec<f32>>,
    /// The file of weights.
    weights: Vec<u8>,
}

/// Trains with the runtime on the first samples in their order, and writes the samples for others.
fn with_runtime(program: &Path, steps: usize, seed: u64, place: &Folder, precision: args::Precision) -> Trained {
    let (mut bound, saved) = bound(program, precision);
    bound.session.seed = seed;
    bound.session.steps = steps as u64;
    let Bound { session, data, batch, accumulate, .. } = &mut bound;
    let batch = *batch * *accumulate;
    let split = data.as_ref().and_then(|d| d.split("train")).expect("training data");
    let count = (split.count / batch * batch).min(steps * batch);
    let samples: Vec<u32> = (0..count as u32).collect();
    let mut fields = vec![0f32; count * data.as_ref().map_or(1, |d| d.fields[0].width())];
    split.numbers(0, &samples, &mut fields);
    let mut classes = vec![0i32; count];
    split.classes(1, &samples, &mut classes);
    let dims: String = data.iter().flat_map(|d| &d.fields[0].dims).map(|d| format!(", {d}")).collect();
    place.write("x.npy", npy("<f4", &format!("{count}{dims}"), fields.iter().flat_map(|x| x.to_le_bytes()).collect()));
    place.write("y.npy", npy("<i4", &format!("{count},"), classes.iter().flat_map(|x| x.to_le_bytes()).collect()));
    session.initialise().expect("a start");
    let mut results = vec![];
    for step in 0..steps {
        let first = step * batch % count;
        let at = Position { step: step as u64, epoch: (step * batch / count) as u64, sample: first };
        let mut sums = Sums::default();
        session.train(Some(split), &samples[first..first + batch], at, &mut sums).expect("a step");
        results.push(sums.means.iter().map(|s| (s / batch as f64) as f32).collect());
    }
    let slot =
        |(name, path): &(String, String)| Some((name.clone(), session.executor.bundle().persistent.get(path)?.clone()));
    let named: Vec<_> = saved.iter().filter_map(slot).collect();
    let file = place.path("expected.safetensors");
    runtime::weights::write(&file, &folder::tensors(session, &named)).expect("written");
    Trained { results, weights: bytes(&file) }
}

/// Makes an object and an executable of it.
fn executable(program: &Path, machine: &Machine, place: &Folder, precision: &str) -> PathBuf {
    let object = place.path("network.o");
    let mut command = nnc();
    command.args(["emit", "--stage", "obj", "--standalone", "--precision", precision, "-o"]).args([&object, program]);
    command.args(machine.triple.iter().flat_map(|t| ["--triple", t])).env("CC", machine.compiler);
    let output = command.output().expect("the command starts");
    assert!(output.status.success(), "{}", common::errors(&output));
    let unresolved = Command::new("nm").arg("-u").arg(&object).output().expect("nm, which comes with the linker");
    assert_eq!(String::from_utf8_lossy(&unresolved.stdout), "", "the object calls something");
    object.with_extension("")
}

fn call(executable: &Path, machine: &Machine, arguments: &[&str], place: &Folder) -> String {
    let mut words: Vec<&std::ffi::OsStr> = machine.emulator.iter().map(std::ffi::OsStr::new).collect();
    words.push(executable.as_os_str());
    let output =
        Command::new(words[0]).args(&words[1..]).args(arguments).current_dir(&place.0).output().expect("it starts");
    assert!(output.status.success(), "{arguments:?}: {}", common::errors(&output));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn with_object(executable: &Path, machine: &Machine, steps: usize, seed: u64, place: &Folder) -> Trained {
    let (steps, seed) = (steps.to_string(), seed.to_string());
    let line = ["train", "x.npy", "y.npy", "--steps", &steps, "--seed", &seed, "--save", "w.safetensors"];
    let said = call(executable, machine, &line, place);
    let numbers = |l: &str| l.split(' ').skip(1).map(|n| n.parse().expect("a number")).collect();
    Trained { results: said.lines().map(numbers).collect(), weights: bytes(&place.path("w.safetensors")) }
}

/// Trains and predicts both ways.
fn agrees(program: &str, steps: usize, machine: &Machine, precision: args::Precision) {
    let place = Folder::new("object");
    let word = if precision == args::Precision::F64 { "f64" } else { "f32" };
    let program = repository(program);
    let made = executable(&program, machine, &place, word);
    let expected = with_runtime(&program, steps, 5, &place, precision);
    let got = with_object(&made, machine, steps, 5, &place);
    assert_eq!(got.results, expected.results, "{}", program.display());
    assert!(got.weights == expected.weights, "{}: the weights differ", program.display());
    call(&made, machine, &["predict", "--weights", "expected.safetensors", "x.npy", "object.npy"], &place);
    let [weights, x] = ["expected.safetensors", "x.npy"].map(|f| place.path(f).display().to_string());
    let runtime = place.path("runtime.npy").display().to_string();
    let program = program.display();
    succeed(&format!("predict {program} --precision {word} --weights {weights} --inputs {x} --as-is -o {runtime}"));
    let [ours, theirs] = ["object.npy", "runtime.npy"].map(|f| read_arrays(&place.path(f)).into_values().next());
    assert_eq!(ours.map(|a| a.values), theirs.map(|a| a.values), "{program}: predictions differ");
}

#[test]
fn an_object_trains_and_predicts_with_the_bits_of_the_runtime() {
    agrees("examples/digits_mlp.nn", 30, &HERE, args::Precision::F32);
    agrees("tests/object/dropout.nn", 12, &HERE, args::Precision::F32);
}

#[test]
fn an_object_runs_through_time_as_the_runtime_does() {
    agrees("tests/object/recurrent.nn", 8, &HERE, args::Precision::F32);
}

#[test]
fn a_step_accumulates_over_minibatches_for_each_objective() {
    agrees("tests/object/accumulated.nn", 5, &HERE, args::Precision::F32);
}

#[test]
fn an_average_of_the_parameters_is_saved_and_predicts() {
    agrees("tests/object/averaged.nn", 8, &HERE, args::Precision::F32);
}

#[test]
fn in_double_precision_too() {
    agrees("tests/object/dropout.nn", 6, &HERE, args::Precision::F64);
}

#[test]
fn an_object_for_another_machine_gives_the_same_bits_there() {
    if let Some(missing) = [ARM.compiler, ARM.emulator[0]].into_iter().find(|c| !is_there(c)) {
        println!("skipped: there is no {missing}");
        return;
    }
    agrees("tests/object/dropout.nn", 6, &ARM, args::Precision::F32);
    agrees("tests/object/dropout.nn", 6, &ARM, args::Precision::F64);
    agrees("tests/object/recurrent.nn", 4, &ARM, args::Precision::F32);
    agrees("examples/digits_mlp.nn", 6, &ARM, args::Precision::F32);
}

#[test]
fn the_header_is_plain_c_and_plain_cpp() {
    let place = Folder::new("header");
    let object = place.path("network.o").display().to_string();
    succeed(&format!("emit tests/object/dropout.nn --stage obj -o {object}"));
    let header = place.path("network.h");
    for (compiler, language) in [("cc", "c"), ("c++", "c++")] {
        if !is_there(compiler) {
            println!("skipped: there is no {compiler}");
            continue;
        }
        let mut command = Command::new(compiler);
        command.args(["-x", language, "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"]).arg(&header);
        let output = command.output().expect("the compiler starts");
        let said = common::errors(&output).replace("warning: #pragma once in main file", "");
        assert!(output.status.success(), "{language}: {said}");
    }
}

/// The first block of a page that begins with a word.
fn block(page: &str, word: &str) -> String {
    let start = format!("```{word}\n");
    let at = page.find(&start).unwrap_or_else(|| panic!("no block of {word}")) + start.len();
    let length = page[at..].find("```").expect("an end");
    page[at..at + length].to_string()
}

#[test]
fn the_program_of_the_manual_says_what_the_manual_says() {
    let place = Folder::new("manual");
    let page = common::text(&repository("docs/deploy.md"));
    let object = place.path("digits_mlp.o");
    succeed(&format!("emit examples/digits_mlp.nn --stage obj -o {}", object.display()));
    let source = place.write("net.c", block(&page, "c"));
    let made = place.path("net");
    let mut command = Command::new("cc");
    command.args(["-std=c11", "-Wall", "-Wextra", "-pedantic", "-Werror", "-o"]).args([&made, &source, &object]);
    let output = command.output().expect("a C compiler");
    assert!(output.status.success(), "{}", common::errors(&output));
    assert_eq!(call(&made, &HERE, &[], &place), block(&page, "output"));
}

#[test]
fn weights_of_another_network_are_refused() {
    let place = Folder::new("refused");
    let made = executable(&repository("tests/object/dropout.nn"), &HERE, &place, "f32");
    place.write("x.npy", npy("<f4", "1, 162", vec![0; 4 * 162]));
    place.write("w.safetensors", vec![7; 100]);
    let mut command = Command::new(made);
    command.args(["predict", "--weights", "w.safetensors", "x.npy", "out.npy"]).current_dir(&place.0);
    let output = command.output().expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(common::errors(&output).contains("no weights of this network"));
}

#[test]
fn a_machine_that_is_none_is_refused() {
    let said = common::fail("emit tests/object/dropout.nn --stage obj --triple toaster-unknown-none -o /dev/null", 2);
    assert!(said.contains("toaster"), "{said}");
}
