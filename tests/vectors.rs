//! Vector instructions change how fast a program is, and no bit of what it computes: programs of every kind are trained
//! with each kind of vectors that this machine has, and their weights compared byte for byte.

mod common;

use common::{Folder, bytes, errors, nnc};
use compiler::target::Vectors;
use std::process::Output;

/// Programs that need no data but what comes with them or is made, with their train block, one for each kind of network.
const PROGRAMS: [(&str, &str); 12] = [
    ("examples/digits.nn", "digits"),
    ("examples/digits_mlp.nn", "digits_mlp"),
    ("examples/mnist1d_conv.nn", "mnist1d_conv"),
    ("examples/moons.nn", "moons"),
    ("examples/lstm.nn", "lstm"),
    ("examples/vae.nn", "vae"),
    ("examples/unet.nn", "unet"),
    ("examples/flow.nn", "flow"),
    ("examples/mixture_of_experts.nn", "mixture_of_experts"),
    ("examples/muon.nn", "muon"),
    ("examples/grokking.nn", "grokking"),
    ("examples/siamese.nn", "siamese"),
];

fn run(file: &str, train: &str, out: &str, vectors: &str, precision: &str) -> Output {
    let chosen = ["run", file, "--train", train, "--json", "--out", out, "--precision", precision];
    let few = ["--epochs", "1", "--set", "steps=3", "--samples", "200"];
    nnc().args(chosen).args(few).env("NNC_VECTORS", vectors).output().expect("the command starts")
}

#[test]
fn no_bit_depends_on_vectors() {
    let folder = Folder::new("vectors");
    let all: Vec<Vectors> = Vectors::ALL.into_iter().filter(|v| v.is_here()).collect();
    for (file, train) in PROGRAMS {
        for precision in ["f32", "f64"] {
            let mut trained = vec![];
            for vectors in &all {
                let out = folder.path(&format!("{train}-{precision}-{}", vectors.name()));
                let output = run(file, train, &out.display().to_string(), vectors.name(), precision);
                assert!(output.status.success(), "{file} {}: {}", vectors.name(), errors(&output));
                trained.push(bytes(&out.join("weights.safetensors")));
                std::fs::remove_dir_all(&out).expect("removed");
            }
            for (vectors, weights) in all.iter().zip(&trained) {
                assert!(*weights == trained[0], "{file} in {precision}: {} gives other bits", vectors.name());
            }
        }
    }
}

#[test]
fn vectors_that_are_none_are_refused() {
    let folder = Folder::new("no-vectors");
    let out = folder.path("out").display().to_string();
    for wrong in ["sse9", "", "AVX2"] {
        let output = run("examples/xor.nn", "xor", &out, wrong, "f32");
        assert_eq!(output.status.code(), Some(2), "{wrong}: {}", errors(&output));
        assert!(errors(&output).contains("names no vector instructions; this machine has `portable`"), "{wrong}");
    }
}

#[test]
fn vectors_that_the_machine_lacks_are_refused() {
    let Some(lacking) = Vectors::ALL.into_iter().find(|v| !v.is_here()) else {
        println!("skipped: this machine has them all");
        return;
    };
    let folder = Folder::new("lacking-vectors");
    let out = folder.path("out").display().to_string();
    let output = run("examples/xor.nn", "xor", &out, lacking.name(), "f32");
    assert_eq!(output.status.code(), Some(2), "{}", errors(&output));
    assert!(errors(&output).contains("which this machine does not have; it has `portable`"), "{}", errors(&output));
}
