//! Accuracy and special values of the scalar functions.

use super::count::{Count, Float};
use super::*;
use crate::number::Precision;
use crate::scalar::Work;

/// Distance of `y` from the true value `exact`, in units of the last place of f32 at the true value.
fn error_f32(y: f32, exact: f64) -> f64 {
    if y.is_nan() || exact.is_nan() {
        return if y.is_nan() && exact.is_nan() { 0.0 } else { f64::INFINITY };
    }
    // Infinities are right where rounding makes them.
    if y.is_infinite() || exact.is_infinite() {
        return if y == exact as f32 { 0.0 } else { f64::INFINITY };
    }
    (f64::from(y) - exact).abs() / ulp_f32(exact)
}

/// The spacing of f32 around `x`.
fn ulp_f32(x: f64) -> f64 {
    let exponent = ((x.to_bits() >> 52) & 0x7ff).clamp(1023 - 126, 1023 + 127);
    f64::from_bits((exponent - 23) << 52)
}

/// What is known of a function: the numbers of the table in the head of the module.
struct Row {
    op: Unary,
    /// The true value, to f64's precision.
    exact: fn(f64) -> f64,
    /// The largest error over all f32, rounded up.
    ulp: f64,
    /// Operations in f32 and in f64.
    operations: [usize; 2],
}

const TABLE: [Row; 8] = [
    Row { op: Unary::Exp, exact: f64::exp, ulp: 0.88, operations: [21, 26] },
    Row { op: Unary::Log, exact: f64::ln, ulp: 0.83, operations: [39, 43] },
    Row { op: Unary::Expm1, exact: f64::exp_m1, ulp: 0.98, operations: [33, 38] },
    Row { op: Unary::Log1p, exact: f64::ln_1p, ulp: 0.97, operations: [50, 54] },
    Row { op: Unary::Sin, exact: f64::sin, ulp: 0.90, operations: [49, 56] },
    Row { op: Unary::Cos, exact: f64::cos, ulp: 0.92, operations: [47, 54] },
    Row { op: Unary::Tanh, exact: f64::tanh, ulp: 0.81, operations: [48, 53] },
    Row { op: Unary::Erf, exact: |x| eval_unary_f64(Unary::Erf, x), ulp: 0.90, operations: [66, 88] },
];

/// The largest error over the arguments with bits `first`, `first + step`, .. and where it is.
fn sweep(row: &Row, first: u32, step: u32) -> (f64, f32) {
    let mut worst = (0.0, 0.0);
    let mut next = Some(first);
    while let Some(bits) = next {
        let x = f32::from_bits(bits);
        let error = error_f32(eval_unary_f32(row.op, x), (row.exact)(f64::from(x)));
        if error > worst.0 {
            worst = (error, x);
        }
        next = bits.checked_add(step);
    }
    worst
}

fn check_sweep(first: u32, step: u32) {
    let long = Unary::ALL.into_iter().filter(|f| f.facts().work == Work::Call && *f != Unary::Sqrt);
    assert!(long.eq(TABLE.iter().map(|row| row.op)), "a row for each function of more than one operation");
    for row in &TABLE {
        let (error, x) = sweep(row, first, step);
        println!("{:6} {error:.4} ulp at {x:?}", row.op.name());
        assert!(error <= row.ulp, "{} is off by {error} ulp at {x:?}", row.op.name());
    }
}

#[test]
fn f32_functions_are_as_accurate_as_the_table_says_on_samples() {
    check_sweep(77, 4099);
}

/// Half an hour in a release build: `cargo test --release -p nnc-compiler on_all_f32 -- --ignored --nocapture`.
#[test]
#[ignore = "all 2^32 arguments"]
fn f32_functions_are_as_accurate_as_the_table_says_on_all_f32() {
    check_sweep(0, 1);
}

/// One line of `reference.txt`: a function, its arguments and its value as a sum of two f64.
struct Reference {
    name: &'static str,
    arguments: Vec<f64>,
    value: f64,
    rest: f64,
}

fn references() -> Vec<Reference> {
    let number = |text: &str| f64::from_bits(u64::from_str_radix(text, 16).expect("16 hexadecimal digits"));
    let lines = include_str!("reference.txt").lines().filter(|line| !line.starts_with('#'));
    let parse = |line: &'static str| {
        let mut words = line.split(' ');
        let name = words.next().expect("a name");
        let mut numbers: Vec<f64> = words.map(number).collect();
        let (rest, value) = (numbers.pop().expect("two numbers"), numbers.pop().expect("two numbers"));
        Reference { name, arguments: numbers, value, rest }
    };
    lines.map(parse).collect()
}

/// Distance of `y` from `value + rest` in units of the last place of f64.
fn error_f64(y: f64, value: f64, rest: f64) -> f64 {
    if value.is_infinite() || y.is_infinite() {
        return if y == value { 0.0 } else { f64::INFINITY };
    }
    let ulp = value.abs().next_up() - value.abs();
    ((y - value) - rest).abs() / ulp
}

#[test]
fn f64_functions_agree_with_the_reference() {
    let named = |name: &str| Unary::ALL.into_iter().find(|op| op.name() == name);
    let mut worst = std::collections::BTreeMap::new();
    for Reference { name, arguments, value, rest } in references() {
        let y = match (named(name), &arguments[..]) {
            (Some(op), [x]) => eval_unary_f64(op, *x),
            (None, [x, y]) => eval_binary_f64(Binary::Pow, *x, *y),
            _ => panic!("{name} of {arguments:?}"),
        };
        let error = error_f64(y, value, rest);
        let entry = worst.entry(name).or_insert((0.0, Vec::new()));
        if error > entry.0 {
            *entry = (error, arguments);
        }
    }
    assert_eq!(worst.len(), 9);
    assert!(worst.values().all(|(error, _)| *error <= 1.0), "{worst:?}");
}

/// The largest f32, by mpmath in 120 digits, and the two above 2^20 that are nearest to multiples of π/2, found by
/// trying all and computed by glibc in 64 bits. (Those of f64 are in `reference.txt`.)
#[test]
fn the_largest_f32_angles_are_reduced_to_the_last_bits() {
    let twice = f32::from_bits(0x6ff9_be45);
    for (op, x, exact) in [
        (Unary::Sin, f32::MAX, -0.521_876_523_494_827_9),
        (Unary::Cos, f32::MAX, 0.853_021_039_830_304_2),
        (Unary::Sin, twice, -3.229_539_596_495_242_2e-9),
        (Unary::Cos, twice / 2.0, -1.614_769_798_247_621_1e-9),
    ] {
        for (x, exact) in [(x, exact), (-x, if op == Unary::Sin { -exact } else { exact })] {
            let found = eval_unary_f32(op, x);
            assert!(error_f32(found, exact) <= 1.0, "{} {x} = {exact}, not {found}", op.name());
        }
    }
}

#[test]
fn products_and_quotients_keep_nought_whatever_the_other_is() {
    for other in [0.0, -3.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
        for zero in [0.0, -0.0] {
            for (a, b) in [(zero, other), (other, zero)] {
                assert_eq!(eval_binary_f64(Binary::ZeroOrProduct, a, b), 0.0, "{a} {b}");
                assert_eq!(eval_binary_f32(Binary::ZeroOrProduct, a as f32, b as f32), 0.0, "{a} {b}");
            }
            assert_eq!(eval_binary_f64(Binary::ZeroOrQuotient, zero, other), 0.0, "{zero} {other}");
        }
    }
    assert_eq!(eval_binary_f64(Binary::ZeroOrProduct, 3.0, -2.0), -6.0);
    assert_eq!(eval_binary_f64(Binary::ZeroOrQuotient, 3.0, 0.0), f64::INFINITY);
    assert!(eval_binary_f64(Binary::ZeroOrProduct, 3.0, f64::NAN).is_nan());
}

#[test]
fn f32_powers_are_within_one_ulp_of_samples() {
    let mut random = 1_u64;
    let mut next = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 32) as u32
    };
    let mut worst = (0.0, 0.0, 0.0);
    for round in 0..400_000 {
        let x = f32::from_bits(next());
        // Exponents of every size, and such as keep the result in range.
        let y = match round % 2 {
            0 => f32::from_bits(next()),
            _ => next() as f32 / 4e9 * 180.0 / x.abs().log2(),
        };
        let error = error_f32(eval_binary_f32(Binary::Pow, x, y), f64::from(x).powf(f64::from(y)));
        if error > worst.0 {
            worst = (error, x, y);
        }
    }
    assert!(worst.0 <= 1.0, "{worst:?}");
}

/// Whether two floats are the same: signs of zeros count, payloads of NaN do not.
fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

#[test]
fn powers_at_the_edges_are_those_of_the_standard() {
    let (inf, tiny) = (f64::INFINITY, 5e-324);
    let edges = [0.0, 0.5, 1.0, 2.0, 3.0, 1e300, inf, f64::NAN, tiny, 1.0 + f64::EPSILON, 9_007_199_254_740_993.0];
    let signed: Vec<f64> = edges.into_iter().flat_map(|x| [x, -x]).collect();
    for &x in &signed {
        for &y in &signed {
            let (found, wanted) = (eval_binary_f64(Binary::Pow, x, y), x.powf(y));
            let near = found.is_finite() && error_f64(found, wanted, 0.0) <= 1.0 && found != 0.0;
            assert!(same(found, wanted) || near, "{x:?} ^ {y:?} = {wanted:?}, not {found:?}");
            let (x, y) = (x as f32, y as f32);
            let (found, wanted) = (eval_binary_f32(Binary::Pow, x, y), x.powf(y));
            let near = found != 0.0 && error_f32(found, f64::from(wanted)) <= 1.0;
            assert!(same(found.into(), wanted.into()) || near, "f32 {x:?} ^ {y:?} = {wanted:?}, not {found:?}");
        }
    }
}

#[test]
fn functions_at_the_edges_keep_signs_limits_and_nan() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let cases = [
        (Unary::Exp, [1.0, 1.0, inf, 0.0]),
        (Unary::Expm1, [0.0, -0.0, inf, -1.0]),
        (Unary::Log, [-inf, -inf, inf, nan]),
        (Unary::Log1p, [0.0, -0.0, inf, nan]),
        (Unary::Sin, [0.0, -0.0, nan, nan]),
        (Unary::Cos, [1.0, 1.0, nan, nan]),
        (Unary::Tanh, [0.0, -0.0, 1.0, -1.0]),
        (Unary::Erf, [0.0, -0.0, 1.0, -1.0]),
        (Unary::Sqrt, [0.0, -0.0, inf, nan]),
        (Unary::Round, [0.0, -0.0, inf, -inf]),
    ];
    for (op, wanted) in cases {
        for (x, wanted) in [0.0, -0.0, inf, -inf, nan].into_iter().zip(wanted.into_iter().chain([nan])) {
            let (found, found_f32) = (eval_unary_f64(op, x), eval_unary_f32(op, x as f32));
            assert!(same(found, wanted), "{} {x:?} = {wanted:?}, not {found:?}", op.name());
            assert!(same(found_f32.into(), wanted), "f32 {} {x:?} = {wanted:?}, not {found_f32:?}", op.name());
        }
    }
    assert!(same(eval_unary_f64(Unary::Log1p, -1.0), -inf) && eval_unary_f64(Unary::Log, -1e-300).is_nan());
}

#[test]
fn subnormals_are_kept() {
    for x in [f64::MIN_POSITIVE / 8.0, 5e-324, -5e-324] {
        for op in [Unary::Expm1, Unary::Log1p, Unary::Sin, Unary::Tanh] {
            assert!(same(eval_unary_f64(op, x), x), "{} {x:?}", op.name());
        }
    }
    assert_eq!(eval_unary_f64(Unary::Exp, -745.0), 5e-324);
    assert_eq!(eval_unary_f32(Unary::Exp, -103.0), f32::from_bits(1));
    assert!(error_f64(eval_unary_f64(Unary::Log, 5e-324), -744.440_071_921_381_3, 0.0) <= 1.0);
}

fn count(precision: Precision, function: impl FnOnce(&mut Count) -> Float) -> usize {
    let mut count = Count { precision, operations: 0 };
    function(&mut count);
    count.operations
}

#[test]
fn functions_cost_what_the_table_says() {
    let both = [Precision::F32, Precision::F64];
    for Row { op, operations, .. } in TABLE {
        let counted = both.map(|p| count(p, |o| unary(o, op, Float)));
        assert_eq!(counted, operations, "{}", op.name());
    }
    assert_eq!(both.map(|p| count(p, |o| binary(o, Binary::Pow, Float, Float))), [129, 138]);
}

#[test]
fn extremes_keep_nan_and_prefer_the_second_of_equals() {
    let (nan, zero) = (f64::NAN, 0.0);
    for op in [Binary::Max, Binary::Min] {
        assert!(eval_binary_f64(op, nan, 1.0).is_nan() && eval_binary_f64(op, 1.0, nan).is_nan());
        assert!(same(eval_binary_f64(op, zero, -zero), -zero) && same(eval_binary_f64(op, -zero, zero), zero));
    }
    assert_eq!([eval_binary_f64(Binary::Max, 1.0, 2.0), eval_binary_f64(Binary::Min, 1.0, 2.0)], [2.0, 1.0]);
    assert_eq!([eval_binary_f64(Binary::FloorDiv, -7.0, 2.0), eval_binary_f64(Binary::Mod, -7.0, 2.0)], [-4.0, 1.0]);
}
