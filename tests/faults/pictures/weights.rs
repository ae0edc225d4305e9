//! Weights that are no numbers, and files of them that say a thing twice.

use crate::common::{Folder, fail, succeed};

const PROGRAM: &str = "data d {\n    train = csv(\"t.csv\")\n    x: [2]      = features\n    y: class(2) = label\n}\n\
    model Net(x: [2]) -> [2] { x |> dense(2) as fc }\n\
    train net {\n    data      = d\n    z         = Net(x)\n    objective = cross_entropy(z, y)\n    \
    optimizer = sgd(lr = 0.1)\n    batch     = 2\n    epochs    = 1\n}\n";

fn folder() -> Folder {
    let folder = Folder::new("weights");
    folder.write("net.nn", PROGRAM);
    folder.write("t.csv", "a,b,c\n1,2,0\n3,4,1\n");
    folder.write("in.csv", "a,b\n1,2\n");
    let head = r#"{"x":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"y":{"dtype":"I64","shape":[1],"data_offsets":[8,16]}}"#;
    folder.write("batch.safetensors", safetensors(head, &[0; 16]));
    folder
}

/// A safetensors file: its head, and elements.
fn safetensors(head: &str, elements: &[u8]) -> Vec<u8> {
    [&(head.len() as u64).to_le_bytes(), head.as_bytes(), elements].concat()
}

/// One of a weight [2, 2] and a bias [2], of a type that has four bytes.
fn of_type(kind: &str, elements: [[u8; 4]; 6]) -> Vec<u8> {
    let head = format!(
        r#"{{"fc.weight":{{"dtype":"{kind}","shape":[2,2],"data_offsets":[0,16]}},"fc.bias":{{"dtype":"{kind}","shape":[2],"data_offsets":[16,24]}}}}"#
    );
    safetensors(&head, &elements.concat())
}

fn floats(values: [f32; 6]) -> Vec<u8> {
    of_type("F32", values.map(f32::to_le_bytes))
}

/// What every command says of weights that none may take.
fn refused(weights: &[u8], words: &[&str]) {
    let folder = folder();
    folder.write("w.safetensors", weights);
    let at = folder.0.display();
    for line in [
        format!("eval {at}/net.nn --split train --weights {at}/w.safetensors"),
        format!("predict {at}/net.nn --weights {at}/w.safetensors --inputs {at}/in.csv -o {at}/out.npz"),
        format!("import {at}/net.nn --weights {at}/w.safetensors -o {at}/out.safetensors"),
        format!("export {at}/net.nn --onnx --weights {at}/w.safetensors -o {at}/out.onnx"),
        format!("grad {at}/net.nn --inputs {at}/batch.safetensors --params {at}/w.safetensors -o {at}/out.npz"),
        format!("eval {at}/net.nn --split train --weights {at}/w.safetensors --precision f64"),
    ] {
        let said = fail(&line, 3);
        assert!(said.contains("w.safetensors"), "{line}: {said}");
        words.iter().for_each(|word| assert!(said.contains(word), "{line}: `{word}` in {said}"));
        assert!(!folder.path("out.safetensors").exists() && !folder.path("out.onnx").exists());
    }
}

#[test]
fn weights_are_numbers() {
    let folder = folder();
    folder.write("w.safetensors", floats([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    let at = folder.0.display();
    succeed(&format!("import {at}/net.nn --weights {at}/w.safetensors -o {at}/out.safetensors"));
    succeed(&format!("eval {at}/net.nn --split train --weights {at}/out.safetensors"));
    succeed(&format!("grad {at}/net.nn --inputs {at}/batch.safetensors --params {at}/w.safetensors -o {at}/out.npz"));
    refused(&floats([1.0, 2.0, 3.0, f32::NAN, 5.0, 6.0]), &["`fc.weight` holds NaN at [1, 1]", "diverged"]);
    refused(&floats([1.0, 2.0, 3.0, 4.0, 5.0, f32::NEG_INFINITY]), &["`fc.bias` holds -inf at [1]"]);
    refused(&of_type("I32", [1i32.to_le_bytes(); 6]), &["whole numbers", "float32"]);
}

#[test]
fn broken_files_of_weights_are_refused() {
    let head = |first: &str, second: &str| {
        format!(
            r#"{{"fc.weight":{{"dtype":"F32","shape":[2,2],"data_offsets":{first}}},"{second}":{{"dtype":"F32","shape":[2],"data_offsets":[16,24]}}}}"#
        )
    };
    refused(&safetensors(&head("[8,24]", "fc.bias"), &[0; 24]), &["no whole safetensors"]);
    refused(&safetensors(&head("[0,16]", "fc.weight"), &[0; 24]), &["two tensors called `fc.weight`"]);
    refused(&safetensors(&head("[0,12]", "fc.bias"), &[0; 24]), &["no whole safetensors"]);
    refused(&safetensors(&head("[0,16]", "fc.bias"), &[0; 20]), &["its head tells of", "byte"]);
    refused(&safetensors(&head("[0,16]", "fc.bias").replace("F32", "F33"), &[0; 24]), &["no whole safetensors"]);
    refused(&u64::MAX.to_le_bytes(), &["no whole safetensors"]);
    refused(b"abc", &["3 bytes"]);
}
