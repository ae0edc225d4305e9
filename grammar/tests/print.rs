//! Printing and reading back gives the same tree, and printing again the same text.

#![allow(clippy::unwrap_used)]

mod common;

use common::{parse, programs, shown};
use nnc_grammar::ast::*;
use nnc_grammar::print::{dump, print, print_expr};
use nnc_grammar::span::{SourceId, Span};

/// A range is printed from its smaller end to its larger one, with the parameter on the left where there is one end.
#[test]
fn ranges_print_in_one_form() {
    for (written, printed) in
        [("1 > p >= 0", "0 <= p < 1"), ("0 < p", "p > 0"), ("2 * n >= p", "p <= 2 * n"), ("p < 1e-3", "p < 1e-3")]
    {
        let text = |range: &str| format!("fn f(n: dim, p = 0.5 where {range}) = n * p\n");
        let file = parse(&text(written)).0;
        assert_eq!(print(&file).trim(), text(printed).trim());
    }
}

#[test]
fn programs_parse_and_print_back() {
    assert!(programs().len() >= 5);
    for (name, text) in programs() {
        let (file, diagnostics) = parse(&text);
        assert!(diagnostics.is_empty(), "{name}: {}", shown(&text, &diagnostics));
        let printed = print(&file);
        let (again, diagnostics) = parse(&printed);
        assert!(diagnostics.is_empty(), "{name}: {}{printed}", shown(&printed, &diagnostics));
        assert_eq!(dump(&file), dump(&again), "{name}: {printed}");
        assert_eq!(printed, print(&again), "{name}");
    }
}

fn read(text: &str) -> Expr {
    let (value, diagnostics) = nnc_grammar::parse_expression(SourceId(0), text);
    assert!(diagnostics.is_empty(), "{}", shown(text, &diagnostics));
    value
}

#[test]
fn canonical_text_stays() {
    let texts = [
        "-a^b^-2 * !b mod 7 + 2",
        "a * sum[j] b[j] * c[j] - -mean[i] -b[i] / prod[k] a[k]",
        "(sum[j] a[j])^2",
        "x[k + 1] or 0 + 1",
        "lam * x@perm[batch] or (-1)",
        "if a then b |> f else c |> g(1) as h |> k.w",
        "max(a, b) + max[i] a[i] + sum [i]",
        "fn(x, y: [3] = 2) = x + grad",
        "{ a = [1, 2], b = { c = \"t\" } }",
        "q[(i, j), ..s, (..t)] + encoder.layers.3.*",
        "a && b || !c == d",
        "grad at theta + 2 * v",
    ];
    for text in texts {
        assert_eq!(print_expr(&read(text)), text);
    }
}

/// Removes the parentheses a text has, as a tree made by the compiler would not have any.
fn without_parens(mut value: Expr) -> Expr {
    while let ExprKind::Paren(inner) = value.kind {
        value = *inner;
    }
    match &mut value.kind {
        ExprKind::Binary { left, right, .. } => {
            **left = without_parens((**left).clone());
            **right = without_parens((**right).clone());
        }
        ExprKind::Unary { value, .. } | ExprKind::GradAt(value) => **value = without_parens((**value).clone()),
        ExprKind::Reduce { body, .. } => **body = without_parens((**body).clone()),
        ExprKind::Index { base, .. } | ExprKind::Field { base, .. } => **base = without_parens((**base).clone()),
        ExprKind::Call { callee, .. } => **callee = without_parens((**callee).clone()),
        ExprKind::Pipe { input, call } => {
            **input = without_parens((**input).clone());
            **call = without_parens((**call).clone());
        }
        ExprKind::Guarded { read, otherwise } => {
            **read = without_parens((**read).clone());
            **otherwise = without_parens((**otherwise).clone());
        }
        _ => {}
    }
    value
}

#[test]
fn needed_parentheses_are_added() {
    let texts = [
        "(a + b) * c",
        "a - (b - c)",
        "(-a)^2",
        "(a^b)^c",
        "a / (b * c)",
        "(sum[j] a[j]) * b",
        "(-sum[j] a[j]) * b",
        "sum[j] (a[j] + b[j])",
        "(if a then b else c) + 1",
        "(a |> f) + 1",
        "a |> (fn(x) = x)",
        "(a < b) == c",
        "(a || b) && c",
        "(a + b)[i]",
        "x[k] or (-1)",
        "2^(sum[j] a[j])",
        "(fn(x) = x)(3)",
    ];
    for text in texts {
        assert_eq!(print_expr(&without_parens(read(text))), text);
    }
}

#[test]
fn numbers_without_text_print_their_value() {
    let number = |value| Expr { kind: ExprKind::Number { value, text: String::new() }, span: Span::default() };
    let power = ExprKind::Binary { op: BinaryOp::Pow, left: Box::new(number(-2.0)), right: Box::new(number(0.5)) };
    assert_eq!(print_expr(&Expr { kind: power, span: Span::default() }), "(-2)^0.5");
}
