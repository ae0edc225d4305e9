//! Derivatives where an inner one is exactly zero, and where an exponent is.

use super::{derivative_of, function_of, value_at};
use crate::common::{Folder, read_arrays, succeed};
use compiler::symbolic::Mode;
use std::collections::BTreeMap;

/// d/dx d/dy of `body` at the point, in both modes, and of the printed first derivative read in again.
fn mixed(body: &str, x: f64, y: f64) -> Vec<f64> {
    let text = format!("fn f(x, y) = {body}\n");
    let point = [("x", x), ("y", y), ("direction.x", 1.0), ("direction.y", 1.0)];
    let mut found: Vec<f64> = [Mode::Reverse, Mode::Forward]
        .map(|mode| value_at(&derivative_of(function_of(&text, "f"), &["y", "x"], mode).module, &point))
        .into();
    for mode in [Mode::Reverse, Mode::Forward] {
        let first = derivative_of(function_of(&text, "f"), &["y"], Mode::Reverse);
        let printed = first.source("g", &BTreeMap::new());
        let again = derivative_of(function_of(&printed, "g"), &["x"], mode);
        found.push(value_at(&again.module, &point));
    }
    found
}

/// Right values by hand, of f_yx at x = 0: sqrt gives 1 / (2 sqrt 2) = 0.35355.. at y = 2, log 1 / y, a division by y
/// -1 / y^2, a root of the whole 1 / sqrt(y), a power y^(-1/2) -1/2 y^(-3/2), and the logarithm of 1 + y 1 / (1 + y).
#[test]
fn a_zero_inside_a_product_hides_no_second_derivative() {
    let y: f64 = 2.0;
    for (body, wanted) in [
        ("x * sqrt(y)", 0.5 / y.sqrt()),
        ("x * log(y)", 1.0 / y),
        ("x / y", -1.0 / (y * y)),
        ("x * y^(-0.5)", -0.5 * y.powf(-1.5)),
        ("x * log1p(y)", 1.0 / 3.0),
        ("2 * x * y^1.5", 3.0 * y.sqrt()),
    ] {
        for found in mixed(body, 0.0, y) {
            assert!((found - wanted).abs() <= 1e-14, "{body}: {found}, not {wanted}");
        }
    }
}

/// The slopes are infinite, and what is multiplied by them zero: x sqrt(y) does not depend on y where x is 0.
#[test]
fn a_zero_times_an_infinite_slope_is_zero() {
    for body in ["x * sqrt(y)", "x * log(y)", "x * (1 / y)", "x * y^0.5"] {
        let first = derivative_of(function_of(&format!("fn f(x, y) = {body}\n"), "f"), &["y"], Mode::Reverse);
        assert_eq!(value_at(&first.module, &[("x", 0.0), ("y", 0.0)]), 0.0, "{body}");
    }
}

/// sum over n of c_n x^n has the slope c_1 at x = 0, whatever the other coefficients: a power by an index.
#[test]
fn an_exponent_that_is_zero_has_no_slope() {
    let text = "fn f(x, c: [4]) = sum[n] c[n] * x^n\nfn g(x) = x^0.0\nfn h(x, y) = x^y\n";
    for mode in [Mode::Reverse, Mode::Forward] {
        let m = derivative_of(function_of(text, "f"), &["x"], mode).module;
        let c = super::argument(&m, "c");
        let known = [(super::argument(&m, "x"), vec![0.0]), (c, vec![5.0, 7.0, 11.0, 13.0])].into();
        let found = compiler::ir::interpret::interpret(&m, &known, &mut |_, _| vec![]).expect("valid");
        assert_eq!(found[&m.outputs[0].1][0], 7.0);
        for y in [0.0, 1.0, 2.0] {
            let m = derivative_of(function_of(text, "h"), &["x"], mode).module;
            assert_eq!(value_at(&m, &[("x", 0.0), ("y", y)]), if y == 1.0 { 1.0 } else { 0.0 }, "0^{y}");
        }
    }
}

/// In compiled code too: a polynomial in features that are zero trains to finite weights.
#[test]
fn compiled_powers_by_an_index_are_finite_at_zero() {
    let place = Folder::new("powers");
    let program = place.write(
        "p.nn",
        "data d {\n    x: [1] = random_normal(8, [1], seed = 1)\n    t: [1] = random_normal(8, [1], seed = 2)\n}\n\
         model Net(x: [1]) -> [1] {\n    param w: [4] ~ constant(0.5)\n    param s: [1] ~ constant(0)\n    \
         y[i] = sum[n] w[n] * (s[i] * x[i])^n\n}\n\
         train t {\n    data = d\n    objective = squared_error(Net(x), t)\n    optimizer = sgd(lr = 0.01)\n    \
         batch = 8\n    epochs = 1\n    seed = 1\n}\n",
    );
    let out = place.path("run");
    succeed(&format!("run {} --out {}", program.display(), out.display()));
    for (name, array) in read_arrays(&out.join("weights.safetensors")) {
        assert!(array.values.iter().all(|x| x.is_finite()), "{name}: {:?}", array.values);
    }
}
