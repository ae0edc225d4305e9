//! What leaves nnc says the same elsewhere: weights in PyTorch and JAX, networks as ONNX files in another runtime.
//!
//! The files of `tests/exports` were made by its scripts. Where Python with onnx, onnxruntime and NumPy is at hand
//! (`python3`, or what `NNC_PYTHON` names), exported files are run; without it, only their structure is looked at.

mod common;

use common::{Folder, bytes, nnc, read_arrays, repository, succeed};
use runtime::arrays::{self, Array};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

const DOUBLES: bool = false;

fn python() -> String {
    std::env::var("NNC_PYTHON").unwrap_or_else(|_| "python3".to_string())
}

/// Whether Python has the packages; says so where it has not.
fn has(packages: &str) -> bool {
    let found = Command::new(python()).args(["-c", &format!("import {packages}")]).output();
    let found = found.is_ok_and(|o| o.status.success());
    if !found {
        println!("skipped: {} has no {packages}; set NNC_PYTHON to one that has", python());
    }
    found
}

fn script(name: &str, arguments: &[&Path]) {
    let output = Command::new(python()).arg(repository(name)).args(arguments).output().expect("Python starts");
    assert!(output.status.success(), "{name}: {}", common::errors(&output));
}

/// Every element within a share of the larger of 1 and what is expected.
fn close(what: &str, found: &Array, expected: &Array, bound: f64) {
    assert_eq!(found.shape, expected.shape, "{what}");
    for (i, (a, b)) in found.values.iter().zip(&expected.values).enumerate() {
        assert!((a - b).abs() <= bound * b.abs().max(1.0), "{what}, element {i}: {a} and {b}");
    }
}

/// Fields of a protocol-buffer message: number, and the bytes or the integer.
fn fields(mut message: &[u8]) -> Vec<(u64, Vec<u8>, u64)> {
    let varint = |m: &mut &[u8]| {
        let (mut value, mut shift) = (0u64, 0);
        loop {
            let byte = m[0];
            *m = &m[1..];
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return value;
            }
        }
    };
    let mut found = vec![];
    while !message.is_empty() {
        let key = varint(&mut message);
        let value = varint(&mut message);
        match key & 7 {
            0 => found.push((key >> 3, vec![], value)),
            2 => {
                let (content, rest) = message.split_at(value as usize);
                found.push((key >> 3, content.to_vec(), 0));
                message = rest;
            }
            other => panic!("wire type {other}"),
        }
    }
    found
}

fn texts(message: &[u8], number: u64) -> Vec<String> {
    let text = |(n, content, _): (u64, Vec<u8>, u64)| (n == number).then(|| String::from_utf8(content).expect("UTF-8"));
    fields(message).into_iter().filter_map(text).collect()
}

/// Every node reads what there is; the kinds of nodes.
fn structure(file: &[u8]) -> BTreeSet<String> {
    let graph = fields(file).into_iter().find(|f| f.0 == 7).expect("a graph").1;
    let (mut known, mut kinds) = (BTreeSet::new(), BTreeSet::new());
    for (number, content, _) in fields(&graph) {
        match number {
            5 => known.extend(texts(&content, 8)),
            11 => known.extend(texts(&content, 1)),
            _ => {}
        }
    }
    for (number, content, _) in fields(&graph) {
        match number {
            1 => {
                let missing: Vec<String> = texts(&content, 1).into_iter().filter(|i| !known.contains(i)).collect();
                assert!(missing.is_empty(), "nothing computes {missing:?}");
                known.extend(texts(&content, 2));
                kinds.extend(texts(&content, 4));
            }
            12 => assert!(known.contains(&texts(&content, 1)[0]), "an output is not computed"),
            _ => {}
        }
    }
    kinds
}

/// Exports a program, runs it elsewhere for `samples` samples, compares with what nnc predicts.
fn elsewhere(program: &str, samples: usize, make: impl Fn(usize) -> (String, Array), wanted: &[&str]) {
    let place = Folder::new("onnx");
    let path = |name: &str| place.path(name).display().to_string();
    let (field, _) = make(0);
    succeed(&format!("run {program} --out {} --epochs 1", path("run")));
    let weights = path("run/weights.safetensors");
    let said = succeed(&format!("export {program} --onnx --weights {weights} -o {}", path("net.onnx")));
    assert!(said.contains("any number of samples"), "{said}");
    let kinds = structure(&bytes(&place.path("net.onnx")));
    for kind in wanted {
        assert!(kinds.contains(*kind), "{program}: no {kind} among {kinds:?}");
    }
    if !has("onnx, onnxruntime, numpy") {
        return;
    }
    for count in [samples, 3] {
        let inputs = BTreeMap::from([(field.clone(), make(count).1)]);
        arrays::write(&place.path("in.npz"), &inputs, DOUBLES).expect("written");
        succeed(&format!(
            "predict {program} --weights {weights} --inputs {} --as-is -o {}",
            path("in.npz"),
            path("ours.npz")
        ));
        let files = ["net.onnx", "in.npz", "theirs.npz"].map(|f| place.path(f));
        script("tests/exports/run_onnx.py", &[&files[0], &files[1], &files[2]]);
        let (ours, theirs) = (read_arrays(&place.path("ours.npz")), read_arrays(&files[2]));
        assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
        for (name, array) in &ours {
            // Sums of up to some hundred terms in single precision, in another order.
            close(&format!("{program}: {name}"), array, &theirs[name], 2e-5);
        }
    }
}

/// Numbers between -2 and 2 in a fixed pattern.
fn numbers(name: &'static str, dims: &'static [usize]) -> impl Fn(usize) -> (String, Array) {
    move |count| {
        let shape = [&[count], dims].concat();
        let values = (0..shape.iter().product::<usize>()).map(|i| ((i * 7919) % 4001) as f64 / 1000.0 - 2.0).collect();
        (name.to_string(), Array { shape, values })
    }
}

#[test]
fn a_dense_network_runs_elsewhere() {
    elsewhere("examples/digits_mlp.nn", 40, numbers("x", &[64]), &["MatMul"]);
}

#[test]
fn a_convolutional_network_runs_elsewhere() {
    elsewhere("tests/exports/convnet.nn", 20, numbers("x", &[1, 8, 8]), &["Conv"]);
}

#[test]
fn attention_runs_elsewhere() {
    elsewhere("tests/exports/attention.nn", 16, numbers("x", &[6, 11]), &["Gather", "ArgMax", "MatMul"]);
}

#[test]
fn what_has_no_operator_runs_elsewhere() {
    elsewhere("tests/exports/odd.nn", 16, numbers("x", &[3, 7]), &["Where", "ReduceMax", "ArgMax"]);
}

#[test]
fn weights_say_the_same_in_other_systems() {
    let place = Folder::new("weights");
    let path = |name: &str| place.path(name).display().to_string();
    let expected = read_arrays(&repository("tests/exports/convnet.expected.npz"));
    let inputs = BTreeMap::from([("x".to_string(), expected["x"].clone())]);
    arrays::write(&place.path("in.npz"), &inputs, DOUBLES).expect("written");
    let weights = repository("tests/exports/convnet.safetensors").display().to_string();
    let (given, out) = (path("in.npz"), path("out.npz"));
    succeed(&format!("predict tests/exports/convnet.nn --weights {weights} --inputs {given} --as-is -o {out}"));
    let ours = &read_arrays(&place.path("out.npz"))["logits"];
    for system in ["torch", "jax"] {
        close(system, ours, &expected[system], 2e-5);
    }
    if has("torch, jax, numpy") {
        let output =
            Command::new(python()).arg(repository("tests/exports/make.py")).args([&weights, "--check"]).output();
        let output = output.expect("Python starts");
        assert!(output.status.success(), "{}", common::errors(&output));
    }
}

#[test]
fn weights_are_imported_by_name_then_by_shape() {
    let place = Folder::new("import");
    let path = |name: &str| place.path(name).display().to_string();
    let ours = read_arrays(&repository("tests/exports/convnet.safetensors"));
    let renamed: BTreeMap<String, Array> = ours
        .iter()
        .map(|(name, a)| (name.replace("fc.", "classifier.").replace("conv2.weight", "second"), a.clone()))
        .collect();
    arrays::write(&place.path("theirs.safetensors"), &renamed, DOUBLES).expect("written");
    let (theirs, out) = (path("theirs.safetensors"), path("ours.safetensors"));
    let table = succeed(&format!("import tests/exports/convnet.nn --weights {theirs} -o {out}"));
    assert!(table.contains("classifier.weight, the only one of its shape"), "{table}");
    assert!(table.contains("bn1.running_mean, by name"), "{table}");
    assert_eq!(read_arrays(&place.path("ours.safetensors")), ours);
}

#[test]
fn a_transposed_tensor_is_told_and_not_taken() {
    let place = Folder::new("transposed");
    let path = |name: &str| place.path(name).display().to_string();
    let mut theirs = read_arrays(&repository("tests/exports/convnet.safetensors"));
    theirs.get_mut("fc.weight").expect("the weights").shape.reverse();
    arrays::write(&place.path("theirs.safetensors"), &theirs, DOUBLES).expect("written");
    let mut command = nnc();
    command.args([
        "import",
        "tests/exports/convnet.nn",
        "--weights",
        &path("theirs.safetensors"),
        "-o",
        &path("out.npz"),
    ]);
    let output = command.output().expect("the command starts");
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stdout).contains("transposed there"), "{}", common::errors(&output));
    assert!(!place.path("out.npz").exists());
}
