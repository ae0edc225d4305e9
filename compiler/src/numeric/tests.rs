//! Accuracy and special values of the scalar functions.

use super::*;

/// Distance of `y` from the true value `exact`, in units of the last place of f32 at the true value.
fn error_f32(y: f32, exact: f64) -> f64 {
    if y.is_nan() || exact.is_nan() {
        return if y.is_nan() && exact.is_nan() { 0.0 } else { f64::INFINITY };
    }
    let rounded = exact as f32;
    if y == rounded {
        // An infinity that is due, or at most half a unit.
        return if y.is_infinite() { 0.0 } else { (f64::from(y) - exact).abs() / ulp_f32(exact) };
    }
    if y.is_infinite() { f64::INFINITY } else { (f64::from(y) - exact).abs() / ulp_f32(exact) }
}

/// The spacing of f32 around `x`.
fn ulp_f32(x: f64) -> f64 {
    let exponent = x.abs().max(f64::from(f32::MIN_POSITIVE)).log2().floor().min(127.0);
    (exponent - 23.0).exp2()
}

/// The functions with their true values, to f64's precision, and the largest argument to ask for.
fn functions() -> [(Unary, fn(f64) -> f64, f32); 8] {
    [
        (Unary::Exp, f64::exp, f32::INFINITY),
        (Unary::Expm1, f64::exp_m1, f32::INFINITY),
        (Unary::Log, f64::ln, f32::INFINITY),
        (Unary::Log1p, f64::ln_1p, f32::INFINITY),
        (Unary::Sin, f64::sin, 4_194_304.0),
        (Unary::Cos, f64::cos, 4_194_304.0),
        (Unary::Tanh, f64::tanh, f32::INFINITY),
        (Unary::Erf, |x| eval_unary_f64(Unary::Erf, x), f32::INFINITY),
    ]
}

/// The largest error over the arguments with bits `first`, `first + step`, ..
fn sweep(op: Unary, exact: fn(f64) -> f64, limit: f32, first: u32, step: u32) -> (f64, f32) {
    let mut worst = (0.0, 0.0);
    let mut bits = first;
    loop {
        let x = f32::from_bits(bits);
        let (y, exact) = (eval_unary_f32(op, x), exact(f64::from(x)));
        let error = if x.abs() <= limit || x.is_nan() { error_f32(y, exact) } else { 0.0 };
        if error > worst.0 {
            worst = (error, x);
        }
        match bits.checked_add(step) {
            Some(next) => bits = next,
            None => return worst,
        }
    }
}

#[test]
fn f32_functions_are_within_one_ulp_of_samples() {
    let worst = functions().map(|(op, exact, limit)| (sweep(op, exact, limit, 77, 4099), op.name()));
    assert!(worst.iter().all(|((error, _), _)| *error <= 1.0), "{worst:?}");
}

/// Some minutes in a release build: `cargo test --release -p nnc-compiler every_f32 -- --ignored --nocapture`.
#[test]
#[ignore = "all 2^32 arguments"]
fn f32_functions_are_within_one_ulp_of_every_f32() {
    for (op, exact, limit) in functions() {
        let (error, x) = sweep(op, exact, limit, 0, 1);
        println!("{:6} {error:.3} ulp at {x:?}", op.name());
        assert!(error <= 1.0, "{} is off by {error} ulp at {x:?}", op.name());
    }
}
