//! Exported networks keep small values: what nnc computes with `expm1` and `log1p` is not a difference from one elsewhere.

use crate::common::{Folder, errors, read_arrays, repository, succeed};
use runtime::arrays::{self, Array};
use std::collections::BTreeMap;
use std::process::Command;

fn python() -> String {
    std::env::var("NNC_PYTHON").unwrap_or_else(|_| "python3".to_string())
}

fn has_runtime() -> bool {
    let found = Command::new(python()).args(["-c", "import onnx, onnxruntime, numpy"]).output();
    let found = found.is_ok_and(|o| o.status.success());
    if !found {
        println!("skipped: {} has no onnx, onnxruntime, numpy; set NNC_PYTHON to one that has", python());
    }
    found
}

/// What the network multiplies by before the function, so that training data lie where every function is defined.
const SCALE: f64 = 1.0 / 1024.0;

/// Numbers of every size and both signs.
fn numbers() -> Vec<f64> {
    let sizes = [0.0, 1e-30, 1e-12, 3e-9, 1e-7, 4e-6, 2e-4, 0.01, 0.3, 0.49, 0.51, 0.9, 3.0, 20.0, 80.0];
    sizes.into_iter().flat_map(|x| [x, -x]).collect()
}

/// The network of one function of a number, run by another system; beside each number what it says.
fn elsewhere(function: &str, xs: &[f64]) -> Option<Vec<f64>> {
    let place = Folder::new("small");
    let program = place.write(
        "p.nn",
        format!(
            "data d {{\n    x: [1] = random_normal(8, [1], seed = 1)\n    t: [1] = random_normal(8, [1], seed = 2)\n}}\n\
             model Net(x: [1]) -> [1] {{\n    param w: [1] ~ constant({SCALE:e})\n    y[i] = {function}(w[i] * x[i])\n}}\n\
             train t {{\n    data = d\n    out = Net(x)\n    objective = squared_error(out, t)\n    \
             optimizer = sgd(lr = 0)\n    batch = 8\n    epochs = 1\n    seed = 1\n}}\n"
        ),
    );
    let path = |name: &str| place.path(name).display().to_string();
    let program = program.display();
    succeed(&format!("run {program} --out {}", path("run")));
    let weights = path("run/weights.safetensors");
    succeed(&format!("export {program} --onnx --weights {weights} -o {}", path("net.onnx")));
    if !has_runtime() {
        return None;
    }
    let x = Array { shape: vec![xs.len(), 1], values: xs.iter().map(|x| x / SCALE).collect() };
    arrays::write(&place.path("in.npz"), &BTreeMap::from([("x".to_string(), x)]), false).expect("written");
    let script = repository("tests/exports/run_onnx.py");
    let arguments = ["net.onnx", "in.npz", "theirs.npz"].map(|f| place.path(f));
    let output = Command::new(python()).arg(script).args(arguments).output().expect("Python starts");
    assert!(output.status.success(), "{}", errors(&output));
    read_arrays(&place.path("theirs.npz")).into_values().next().map(|a| a.values)
}

/// Six units of the last place: the other system's own exponential and hyperbolic tangent are off by one or two.
fn close(function: &str, exact: impl Fn(f64) -> f64, keep: impl Fn(f64) -> bool) {
    let xs: Vec<f64> = numbers().into_iter().map(|x| f64::from(x as f32)).filter(|x| keep(*x)).collect();
    let Some(found) = elsewhere(function, &xs) else { return };
    for (x, y) in xs.iter().zip(found) {
        let wanted = exact(*x);
        let bound = 6.0 * f64::from(f32::EPSILON) * wanted.abs().max(1e-37);
        assert!((y - wanted).abs() <= bound, "{function}({x}) = {wanted}, not {y}");
    }
}

#[test]
fn small_values_survive_export() {
    close("expm1", f64::exp_m1, |_| true);
    close("log1p", f64::ln_1p, |x| x > -1.0);
    close("elu", |x| if x > 0.0 { x } else { x.exp_m1() }, |_| true);
    close("softplus", |x| x.max(0.0) + (-x.abs()).exp().ln_1p(), |_| true);
}
