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
fn a_recurrent_network_runs_elsewhere() {
    elsewhere("tests/object/recurrent.nn", 16, numbers("x", &[5, 3]), &["MatMul", "Tanh", "Concat"]);
}

#[test]
fn what_has_no_operator_runs_elsewhere() {
    elsewhere("tests/exports/odd.nn", 16, numbers("x", &[3, 7]), &["Where", "ReduceMax", "ArgMax"]);
}

/// An example, exported in parts.
struct Case {
    program: &'static str,
    dims: &'static [usize],
    /// Classes that the inputs stand for; 0 if they are numbers.
    classes: usize,
    /// What says each part; together they have all weights.
    parts: &'static [&'static str],
}

const fn whole(program: &'static str, dims: &'static [usize], classes: usize) -> Case {
    Case { program, dims, classes, parts: &[""] }
}

const EXAMPLES: [Case; 12] = [
    whole("digits", &[1, 8, 8], 0),
    whole("lenet", &[1, 28, 28], 0),
    whole("resnet20", &[3, 32, 32], 0),
    whole("lstm", &[40, 1], 0),
    whole("mixture_of_experts", &[2], 0),
    whole("siamese", &[1, 8, 8], 0),
    whole("neural_ode", &[2], 0),
    whole("transformer", &[64], 65),
    whole("grokking", &[2], 97),
    whole("characters", &[64], 65),
    // An autoencoder draws between its halves.
    Case {
        program: "vae",
        dims: &[64],
        classes: 0,
        parts: &["--of code.mean --of code.logvar", "--of logits --from z"],
    },
    // The noise to be found is made in the train block.
    Case { program: "unet", dims: &[1, 8, 8], classes: 0, parts: &["--of noise --from seen"] },
];

#[test]
fn the_examples_run_elsewhere() {
    if !has("onnx, onnxruntime, numpy") {
        return;
    }
    for case in EXAMPLES {
        let place = Folder::new("examples");
        let path = |name: &str| place.path(name).display().to_string();
        let program = format!("examples/{}.nn", case.program);
        let export = |rest: &str, file: &str| {
            succeed(format!("export {program} --onnx -o {} {rest}", path(file)).trim_end());
        };
        let mut weights = BTreeMap::new();
        for part in case.parts {
            export(part, "fresh.onnx");
            script("tests/exports/weights_of.py", &[&place.path("fresh.onnx"), &place.path("fresh.npz")]);
            weights.extend(read_arrays(&place.path("fresh.npz")));
        }
        arrays::write(&place.path("weights.npz"), &weights, DOUBLES).expect("written");
        let (_, mut x) = numbers("x", case.dims)(4);
        if case.classes > 0 {
            x.values.iter_mut().enumerate().for_each(|(i, v)| *v = (i * 7919 % case.classes) as f64);
        }
        let mut given = BTreeMap::from([("x".to_string(), x)]);
        arrays::write(&place.path("in.npz"), &given, DOUBLES).expect("written");
        let [weights, inputs, out] = ["weights.npz", "in.npz", "ours.npz"].map(path);
        succeed(&format!("predict {program} --weights {weights} --inputs {inputs} --as-is -o {out}"));
        let ours = read_arrays(&place.path("ours.npz"));
        given.extend(ours.clone());
        arrays::write(&place.path("given.npz"), &given, DOUBLES).expect("written");
        for part in case.parts {
            export(format!("--weights {weights} {part}").trim_end(), "net.onnx");
            let files = ["net.onnx", "given.npz", "theirs.npz"].map(|f| place.path(f));
            script("tests/exports/run_onnx.py", &[&files[0], &files[1], &files[2]]);
            let theirs = read_arrays(&files[2]);
            assert!(!theirs.is_empty(), "{program} {part}");
            for (name, array) in &theirs {
                // Sums in single precision in another order, through up to twenty layers.
                close(&format!("{program}: {name}"), array, &ours[name], 2e-4);
            }
        }
    }
}

#[test]
fn what_draws_is_refused_at_its_place() {
    let said = common::fail("export examples/gan.nn --onnx -o /dev/null", 1);
    assert!(said.contains("draws random numbers") && said.contains("gan.nn:12"), "{said}");
    let said = common::fail("export examples/digits.nn --onnx --of nothing -o /dev/null", 2);
    assert!(said.contains("no tensor named `nothing`; it has: logits"), "{said}");
    let said = common::fail("export examples/digits.nn --onnx --from logits -o /dev/null", 2);
    assert!(said.contains("nothing is left to come out"), "{said}");
}

/// What a command with these arrays as its input says, and its status.
fn said_of(place: &Folder, line: &str, file: &str, arrays: &BTreeMap<String, Array>) -> (Option<i32>, String) {
    arrays::write(&place.path(file), arrays, DOUBLES).expect("written");
    let file = place.path(file).display().to_string();
    let output = nnc().args(line.replace("FILE", &file).split(' ')).output().expect("the command starts");
    (output.status.code(), format!("{}{}", String::from_utf8_lossy(&output.stdout), common::errors(&output)))
}

#[test]
fn inputs_that_do_not_fit_are_told_with_both_shapes() {
    let place = Folder::new("inputs");
    let out = place.path("out.npz").display().to_string();
    let line = format!(
        "predict tests/exports/convnet.nn --weights tests/exports/convnet.safetensors --as-is -o {out} --inputs FILE"
    );
    let zeros = |shape: &[usize]| Array { shape: shape.to_vec(), values: vec![0.0; shape.iter().product()] };
    let cases: [(&str, &[usize], &str); 4] = [
        ("x", &[2, 64], "array `x` has shape [2, 64]; the network takes samples of shape [1, 8, 8]"),
        ("x", &[1, 8, 8], "array `x` has shape [1, 8, 8]; the network takes samples of shape [1, 8, 8]"),
        ("x", &[0, 1, 8, 8], "array `x` has no samples"),
        ("x", &[], "array `x` has shape []"),
    ];
    for (name, shape, expected) in cases {
        let (status, said) = said_of(&place, &line, "x.npz", &BTreeMap::from([(name.to_string(), zeros(shape))]));
        assert_eq!(status, Some(3), "{said}");
        assert!(said.contains(expected) && said.contains("x.npz"), "{said}");
    }
    let two = BTreeMap::from([("a".to_string(), zeros(&[2, 1, 8, 8])), ("b".to_string(), zeros(&[2]))]);
    let (status, said) = said_of(&place, &line, "x.npz", &two);
    assert!(status == Some(3) && said.contains("has no array `x`"), "{said}");
    place.write("x.npy", "no array");
    let said = common::fail(&line.replace("FILE", &place.path("x.npy").display().to_string()), 3);
    assert!(said.contains("x.npy") && said.contains("no whole npy file"), "{said}");
}

#[test]
fn a_table_is_predicted_from() {
    let place = Folder::new("table");
    let path = |name: &str| place.path(name).display().to_string();
    place.write("points.csv", "a,b,kind\n0.5,1,0\n-1,2,1\n0,0,1\n1,1,0\n");
    place.write(
        "net.nn",
        "data points {\n    train = csv(\"points.csv\")\n    x: [2]      = features |> standardize\n    \
         y: class(2) = label\n}\n\nmodel Net(x: [2]) -> [2] { x |> dense(2) as fc }\n\ntrain net {\n    data      = points\n    \
         logits    = Net(x)\n    objective = cross_entropy(logits, y)\n    optimizer = sgd()\n    batch     = 2\n    \
         epochs    = 1\n}\n",
    );
    place.write("new.csv", "a,b,kind\n0.5,1,0\n-1,2,1\n");
    let (net, run) = (path("net.nn"), path("run"));
    succeed(&format!("run {net} --out {run}"));
    let line = format!("predict {net} --weights {run}/weights.safetensors");
    succeed(&format!("{line} --inputs {} -o {}", path("new.csv"), path("new.npz")));
    succeed(&format!("{line} --inputs {} -o {}", path("points.csv"), path("all.npz")));
    let [new, all] = ["new.npz", "all.npz"].map(|f| read_arrays(&place.path(f))["logits"].clone());
    assert_eq!((new.shape, &new.values[..]), (vec![2, 2], &all.values[..4]));
}

#[test]
fn weights_that_do_not_fit_are_told() {
    let place = Folder::new("misfits");
    let out = place.path("out.npz").display().to_string();
    let line = format!("import tests/exports/convnet.nn -o {out} --weights FILE");
    let ours = read_arrays(&repository("tests/exports/convnet.safetensors"));
    let changed = |change: &dyn Fn(&mut BTreeMap<String, Array>)| {
        let mut arrays = ours.clone();
        change(&mut arrays);
        arrays
    };
    let missing = changed(&|a| drop(a.remove("fc.bias")));
    let (status, said) = said_of(&place, &line, "w.npz", &missing);
    assert!(status == Some(3) && said.contains("nothing fits fc.bias; say what it is called there"), "{said}");
    let longer = changed(&|a| drop(a.insert("fc.bias".to_string(), Array { shape: vec![11], values: vec![0.0; 11] })));
    let (status, said) = said_of(&place, &line, "w.npz", &longer);
    assert!(status == Some(3) && said.contains("fc.bias (here [10], there [11])"), "{said}");
    let more = changed(&|a| drop(a.insert("extra".to_string(), Array { shape: vec![3], values: vec![0.0; 3] })));
    let (status, said) = said_of(&place, &line, "w.npz", &more);
    assert!(status == Some(0) && said.contains("left out: extra [3]"), "{said}");
    let behind: BTreeMap<String, Array> = ours.iter().map(|(n, a)| (format!("module.{n}"), a.clone())).collect();
    let (status, said) = said_of(&place, &line, "w.npz", &behind);
    assert!(status == Some(0) && said.contains("module.fc.bias, by name behind a prefix"), "{said}");
    assert_eq!(read_arrays(&place.path("out.npz")), ours);
    let renamed: BTreeMap<String, Array> = ours.iter().map(|(n, a)| (n.replace("conv", "c"), a.clone())).collect();
    let (status, said) = said_of(&place, &format!("{line} --map conv*=c*"), "w.npz", &renamed);
    assert!(status == Some(0) && said.contains("c1.weight, as told"), "{said}");
    place.write("w.npz", "no archive");
    let said = common::fail(&line.replace("FILE", &place.path("w.npz").display().to_string()), 3);
    assert!(said.contains("w.npz: the archive is broken or cut short"), "{said}");
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
fn predictions_apply_the_transforms_of_the_data() {
    let place = Folder::new("transforms");
    let path = |name: &str| place.path(name).display().to_string();
    let seen = read_arrays(&repository("tests/exports/convnet.expected.npz"))["x"].clone();
    // The data block makes a sixteenth of every pixel.
    let raw = Array { shape: seen.shape.clone(), values: seen.values.iter().map(|v| v * 16.0).collect() };
    for (file, array) in [("seen.npy", &seen), ("raw.npy", &raw)] {
        arrays::write(&place.path(file), &BTreeMap::from([("x".to_string(), array.clone())]), DOUBLES)
            .expect("written");
    }
    let line = "predict tests/exports/convnet.nn --weights tests/exports/convnet.safetensors";
    succeed(&format!("{line} --inputs {} --as-is -o {}", path("seen.npy"), path("a.npz")));
    succeed(&format!("{line} --inputs {} -o {}", path("raw.npy"), path("b.npz")));
    assert_eq!(read_arrays(&place.path("a.npz")), read_arrays(&place.path("b.npz")));
}

#[test]
fn a_network_is_drawn() {
    let dot = succeed("emit examples/digits_mlp.nn --stage dot");
    assert!(dot.contains("[label=\"fc1\\n64, 4,160 parameters\"]"), "{dot}");
    let (boxes, arrows) = (dot.matches("[label=").count(), dot.matches("->").count());
    assert_eq!(arrows, boxes - 1, "a chain");
    let svg = succeed("emit examples/digits_mlp.nn --stage svg");
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    assert_eq!((svg.matches("<text").count(), svg.matches("marker-end").count()), (2 * boxes, arrows));
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
