//! Every row of the table of scalar derivatives equals central differences, and keeps to the
//! conventions at kinks and singular points.

use nnc_compiler::differentiate::table::{self, Side};
use nnc_compiler::ir::evaluate::{binary, unary};
use nnc_compiler::ir::interpret::interpret;
use nnc_compiler::ir::{Combine, ExprId, Module, Role};
use nnc_compiler::scalar::{Binary, Kind, Unary};

/// Where each row of the table is checked. A function without a row does not compile.
fn points1(op: Unary) -> &'static [f64] {
    match op {
        Unary::Neg | Unary::Exp | Unary::Expm1 | Unary::Sin | Unary::Cos | Unary::Tanh | Unary::Erf => {
            &[-1.7, -0.3, 0.0, 0.4, 2.1]
        }
        Unary::Abs => &[-1.5, -0.1, 0.2, 3.0],
        Unary::Sqrt | Unary::Log => &[0.2, 0.9, 1.0, 7.5],
        Unary::Log1p => &[-0.8, -0.1, 0.0, 0.3, 5.0],
        Unary::Floor | Unary::Ceil | Unary::Round => &[-1.3, -0.2, 0.2, 2.7],
        // Of no Float, or by decree: nothing passes.
        Unary::Not | Unary::ToFloat | Unary::Detach => &[],
    }
}

fn points2(op: Binary) -> &'static [(f64, f64)] {
    match op {
        Binary::Add | Binary::Sub | Binary::Mul => &[(0.3, -1.2), (0.0, 0.0), (-2.0, 5.0)],
        Binary::ZeroOrProduct => &[(0.3, -1.2), (-2.0, 5.0)],
        Binary::Div | Binary::ZeroOrQuotient => &[(0.3, -1.2), (0.0, 0.7), (-2.0, 5.0)],
        Binary::Pow => &[(0.3, -1.2), (1.5, 0.0), (2.0, 0.5), (0.7, 3.0)],
        Binary::Max | Binary::Min => &[(0.3, -1.2), (-2.0, 5.0)],
        Binary::FloorDiv | Binary::Mod | Binary::Eq | Binary::Lt | Binary::Le | Binary::And | Binary::Or => &[],
    }
}

/// Evaluates what `build` makes of two inputs `a` and `b` and of a cotangent `x`.
fn evaluate(a: f64, b: f64, x: f64, build: impl Fn(&mut Module, ExprId, ExprId, ExprId) -> Option<ExprId>) -> f64 {
    let mut m = Module::default();
    let scalars = ["a", "b", "x"].map(|name| m.tensor(name, vec![], Kind::Float, Role::Input, None));
    let [ra, rb, rx] = scalars.map(|t| m.read(t, vec![]));
    let Some(value) = build(&mut m, ra, rb, rx) else { return 0.0 };
    let y = m.define("y", vec![], &[], Combine::Set, value, None);
    let inputs = scalars.into_iter().zip([vec![a], vec![b], vec![x]]).collect();
    interpret(&m, &inputs, &mut |_, _| vec![]).expect("valid")[&y][0]
}

fn row1(op: Unary, a: f64, x: f64) -> f64 {
    evaluate(a, 0.0, x, |m, a, _, x| {
        let r = m.unary(op, a);
        table::unary(m, op, a, r, x)
    })
}

fn row2(op: Binary, side: Side, (a, b): (f64, f64), x: f64) -> f64 {
    evaluate(a, b, x, |m, a, b, x| {
        let r = m.binary(op, a, b);
        table::binary(m, op, side, (a, b), r, x)
    })
}

/// Central difference of fourth order.
fn central(f: impl Fn(f64) -> f64, a: f64) -> f64 {
    let h = 1e-3;
    (8.0 * (f(a + h / 2.0) - f(a - h / 2.0)) - (f(a + h) - f(a - h))) / (6.0 * h)
}

fn assert_close(what: &str, derivative: f64, difference: f64) {
    assert!((derivative - difference).abs() <= 1e-9 * (1.0 + difference.abs()), "{what}: {derivative}, {difference}");
}

#[test]
fn every_row_of_the_table_equals_differences() {
    let x = 1.3;
    for op in Unary::ALL {
        for a in points1(op) {
            assert_close(op.name(), row1(op, *a, x), x * central(|a| unary(op, a), *a));
        }
        let given = points1(op).iter().any(|a| row1(op, *a, x) != 0.0);
        assert_eq!(given, op.facts().slope, "{}", op.name());
    }
    for op in Binary::ALL {
        let value = |a, b| binary(op, a, b).expect("no division by zero");
        for (a, b) in points2(op).iter().copied() {
            assert_close(op.name(), row2(op, Side::Left, (a, b), x), x * central(|a| value(a, b), a));
            assert_close(op.name(), row2(op, Side::Right, (a, b), x), x * central(|b| value(a, b), b));
        }
        assert_eq!(!points2(op).is_empty(), op.facts().slope, "{}", op.name());
    }
}

#[test]
fn conventions_at_kinks_and_singular_points() {
    assert_eq!(row1(Unary::Abs, 0.0, 1.0), 0.0);
    for (op, a) in [(Unary::Sqrt, 0.0), (Unary::Log, 0.0), (Unary::Log1p, -1.0)] {
        assert_eq!(row1(op, a, 0.0), 0.0, "{}: a zero cotangent stays zero", op.name());
        assert_eq!(row1(op, a, 1.0), f64::INFINITY, "{}", op.name());
    }
    for op in [Binary::Max, Binary::Min] {
        assert_eq!((row2(op, Side::Left, (2.0, 2.0), 1.0), row2(op, Side::Right, (2.0, 2.0), 1.0)), (0.0, 1.0));
    }
    for side in [Side::Left, Side::Right] {
        assert_eq!(row2(Binary::Div, side, (1.0, 0.0), 0.0), 0.0);
        assert_eq!(row2(Binary::Pow, side, (0.0, -0.5), 0.0), 0.0);
        assert_eq!(row2(Binary::Pow, side, (-1.0, 0.5), 0.0), 0.0);
    }
}

/// The table at the head of `differentiate/table.rs`. Where a limit exists, the value is that limit.
#[test]
fn corners_of_powers() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let by_base = |a, b| row2(Binary::Pow, Side::Left, (a, b), 1.0);
    for a in [0.0, -0.0, 2.0, -2.0, inf, -inf, nan] {
        assert_eq!(by_base(a, 0.0), 0.0, "a^0 is 1 for every a, {a} too");
    }
    for (b, slope) in [(0.5, inf), (1.0, 1.0), (1.5, 0.0), (2.0, 0.0), (3.0, 0.0), (-1.0, -inf), (-0.5, -inf)] {
        assert_eq!(by_base(0.0, b), slope, "0^{b}");
    }
    for (b, slope) in [(0.5, 0.0), (1.0, 1.0), (2.0, inf), (-1.0, 0.0)] {
        assert_eq!(by_base(inf, b), slope, "inf^{b}");
    }
    // (-2)^3 = -8 and 3 (-2)^2 = 12; (-2)^-1 = -1/2 and -(-2)^-2 = -1/4.
    assert_eq!([by_base(-2.0, 3.0), by_base(-2.0, -1.0), by_base(-2.0, 1.0)], [12.0, -0.25, 1.0]);
    assert!(by_base(-2.0, 0.5).is_nan());
    assert_eq!([by_base(0.5, inf), by_base(2.0, -inf), by_base(2.0, inf)], [0.0, 0.0, inf]);
    let by_exponent = |a, b| row2(Binary::Pow, Side::Right, (a, b), 1.0);
    for (a, b, slope) in [
        (0.0, 2.0, 0.0),
        (0.0, 0.5, 0.0),
        (0.0, 0.0, 0.0),
        (0.0, -1.0, -inf),
        (1.0, 7.0, 0.0),
        (inf, -1.0, 0.0),
        (inf, 2.0, inf),
    ] {
        assert_eq!(by_exponent(a, b), slope, "{a}^{b}");
    }
    assert!(by_exponent(-2.0, 3.0).is_nan());
}
