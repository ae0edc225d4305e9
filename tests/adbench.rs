//! ADBench's objectives and gradients, in double precision equal to PyTorch's to 1e-8 of the largest number of each
//! tensor (some sums have a thousand terms; what is found differs by 1e-14). `tests/adbench/make.py` made the files.

mod common;

use common::{Folder, read_arrays, repository, succeed};

fn problem(program: &str, name: &str) {
    let folder = Folder::new(name);
    let (base, out) = (format!("tests/adbench/{name}"), folder.path("out.npz"));
    succeed(&format!(
        "grad tests/adbench/{program}.nn --train {name} --inputs {base}.inputs.npz --params {base}.params.npz \
         --precision f64 -o {}",
        out.display()
    ));
    let (found, expected) = (read_arrays(&out), read_arrays(&repository(&format!("{base}.expected.npz"))));
    assert!(expected.len() > 2, "a loss and gradients");
    for (key, wanted) in &expected {
        let found = &found[key];
        assert_eq!(found.values.len(), wanted.values.len(), "{key}");
        let largest = wanted.values.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
        for (at, (f, w)) in found.values.iter().zip(&wanted.values).enumerate() {
            assert!((f - w).abs() <= 1e-8 * largest, "{name}: {key}[{at}] is {f}, not {w}");
        }
    }
}

#[test]
fn gaussian_mixture_of_two_dimensions() {
    problem("gmm", "d2_k5");
}

#[test]
fn gaussian_mixture_of_ten_dimensions() {
    problem("gmm", "d10_k10");
}

#[test]
fn long_short_term_memory() {
    problem("lstm", "lstm");
}
