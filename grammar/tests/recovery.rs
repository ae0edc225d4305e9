//! Several errors in one text: each is reported once, at its place, and what stands around it is read.

#![allow(clippy::unwrap_used)]

#[path = "../../tests/common/allocated.rs"]
mod allocated;
mod common;

use allocated::allocated;
use common::{parse, programs, shown};
use nnc_grammar::ast::{Body, ExprKind, File, Item, StmtKind};
use nnc_grammar::diagnostic::Diagnostic;
use nnc_grammar::print::{dump, print};

/// Bytes allocated for each of a text, freed ones among them: some four times as many as the most that any of these takes.
const RATIO: u64 = 1000;

/// Reads a text with memory in proportion to it.
fn parse_within(text: &str) -> (File, Vec<Diagnostic>) {
    let (parsed, bytes) = allocated(|| parse(text));
    assert!(bytes < RATIO * (text.len() as u64 + 1000), "{bytes} bytes for a text of {}", text.len());
    parsed
}

/// The reports as `line:code "text at the place"`.
fn reports(text: &str) -> Vec<String> {
    let (_, diagnostics) = parse(text);
    let report = |d: &Diagnostic| {
        let span = d.primary.span;
        let line = text[..span.start as usize].matches('\n').count() + 1;
        format!("{line}:{} {}", d.code, &text[span.start as usize..span.end as usize])
    };
    diagnostics.iter().map(report).collect()
}

#[test]
fn each_error_once() {
    let text = "\
layer a[n](x: [n]) -> [n] {
    y = 3 * * x
    z[i] = x[i] +
    param b [n] ~ zeros
    if x = 3 { y } else { z }
    y z
    good = 1
}
modle B() { }
train c {
    batch = 64 64
    epochs = = 3
    seed = 2x
}
fn d(x) = x ¤ 1
fn e(x) = x
";
    assert_eq!(
        reports(text),
        [
            "2:unexpected-token * *",
            "4:unexpected-token param",
            "5:unexpected-token =",
            "6:unexpected-token z",
            "9:unexpected-token modle",
            "11:unexpected-token 64",
            "12:unexpected-token =",
            "13:bad-number 2x",
            "15:unknown-character ¤",
        ]
    );
}

#[test]
fn what_is_right_is_kept() {
    let (file, _) = parse("fn a(x) { u = x +* 1\n v = x\n w = (x\n v }\nfn b(x) = )\nfn c(x) = x");
    let [Item::Callable(a), Item::Error(_), Item::Callable(c)] = file.items.as_slice() else {
        panic!("{}", dump(&file))
    };
    assert_eq!((a.name.name.as_str(), c.name.name.as_str()), ("a", "c"));
    let Body::Block(block) = &a.body else { panic!() };
    let StmtKind::Define { lhs, value, .. } = &block.stmts[0].kind else { panic!() };
    assert_eq!((lhs.name.name.as_str(), &value.kind), ("u", &ExprKind::Error));
    assert!(matches!(&block.stmts[1].kind, StmtKind::Define { lhs, .. } if lhs.name.name == "v"));
}

#[test]
fn brackets() {
    assert_eq!(reports("fn f(x) { y = (x + 1\n z = 2\n z }\nfn g(x) = x"), ["1:unclosed-bracket ("]);
    assert_eq!(reports("fn f(x) { y = x[1\n y }"), ["1:unclosed-bracket ["]);
    assert_eq!(reports("fn f(x) { if x { y\nlayer g(x) { x }"), ["1:unclosed-bracket {"]);
    assert_eq!(reports("layer g(x) {\n x\n"), ["1:unclosed-bracket {"]);
    assert_eq!(reports("fn f(x) { y = x) }"), ["1:unmatched-bracket )"]);
    assert_eq!(reports("fn f(x) {\n  y = x }\n  y\n}\nfn g(x) = x"), ["4:unmatched-bracket }"]);
    assert_eq!(reports("fn f(x) = g(\"a, x)\nfn g(x) = x"), ["1:unterminated-text \"a, x)"]);
}

#[test]
fn left_sides() {
    assert_eq!(
        reports("fn f(x) {\n f(x) = 3\n x[1] ~ normal(0, 1)\n x.y += 2\n (x) = 1\n x }"),
        ["2:bad-left-side f(x)", "3:bad-left-side x[1]", "4:bad-left-side x.y", "5:bad-left-side (x)",]
    );
}

#[test]
fn a_line_that_begins_with_minus_is_a_statement() {
    let (file, diagnostics) = parse("fn f(x) { y = x\n - 1\n + 2\n y }");
    assert!(diagnostics.is_empty());
    assert_eq!(print(&file), "fn f(x) {\n    y = x\n    -1 + 2\n    y\n}\n");
}

#[test]
fn depth_is_limited() {
    for bracket in ["(", "[", "{", "f(", "x["] {
        let text = format!("fn f(x) {{ y = {}\n z = 1 }}\nfn g(x) = +", bracket.repeat(1_000_000));
        let codes: Vec<_> = parse_within(&text).1.iter().map(|d| d.code).collect();
        let record = (bracket == "{").then_some("unexpected-token");
        let expected: Vec<_> = record.into_iter().chain(["nesting-too-deep", "unexpected-token"]).collect();
        assert_eq!(codes, expected, "{bracket}");
    }
    let closed = format!("fn f(x) = {}x{}\nfn g(x) = x", "(".repeat(100_000), ")".repeat(100_000));
    assert_eq!(parse(&closed).1.len(), 1);
}

#[test]
fn long_expressions_are_limited() {
    let repeated = [" + a", " - a", "^a", "(a)", ".a", " |> f", " @ a", "[a]", " && a"];
    for part in repeated {
        let text = format!("fn f(a) {{ y = a{}\n z = 1\n z }}", part.repeat(100_000));
        let (file, diagnostics) = parse(&text);
        assert_eq!(diagnostics.iter().map(|d| d.code).collect::<Vec<_>>(), ["expression-too-long"], "{part}");
        drop(file.clone());
    }
    let prefixes = ["-", "!", "sum[i] ", "fn(x) = ", "grad at ", "if a then b else ", "if a { b } else "];
    for part in prefixes {
        let text = format!("fn f(a) {{ y = {}a\n z = 1\n z }}", part.repeat(100_000));
        let (_, diagnostics) = parse(&text);
        assert_eq!(diagnostics.iter().map(|d| d.code).collect::<Vec<_>>(), ["expression-too-long"], "{part}");
    }
    let many = format!("fn f(a) {{ y = [{}]\n y }}", "a + 1, ".repeat(100_000));
    assert!(parse(&many).1.is_empty(), "a long list is not deep");
}

#[test]
fn large_sources() {
    let program = &programs().into_iter().find(|(name, _)| name.contains("layers")).unwrap().1;
    let good = program.repeat(1_500_000 / program.len());
    assert!(parse_within(&good).1.is_empty());
    let bad = "y = ( ] 3x } \"\n".repeat(700_000);
    assert!(parse_within(&bad).1.len() <= 100);
    let inside = format!("fn f(x) {{ {} }}", "y = 3 3\n".repeat(200_000));
    assert!(parse_within(&inside).1.len() <= 100);
}

#[test]
fn odd_texts() {
    for text in [
        "",
        "\n",
        ";",
        ";;;",
        "// a",
        "/// a",
        "}",
        "{",
        "fn",
        "fn f",
        "use",
        "use x",
        "\u{feff}fn f(x) = x",
        "é",
        "'",
        "\"",
        "1",
        "1e",
        "..",
        "fn f(x) = x /// y",
    ] {
        let (file, _) = parse(text);
        let _ = print(&file);
    }
    assert_eq!(parse("fn f(x) { x } fn g(x) = { a = x } - 1 // end").0.items.len(), 2);
    assert!(parse("fn f(x) = x\r\nfn g(x) = x\r\n").1.is_empty());
    assert!(parse("\u{feff}fn f(x) = x;fn g(x) = x // end").1.is_empty());
}

#[test]
fn messages() {
    let cases = [
        (
            "fn f(x) { return x }",
            "`return` has no meaning here",
            "a block's value is its last statement: write the value alone",
        ),
        ("fn f(x) = x ** 2", "a power is not written `**`", "write `^`"),
        (
            "fn f(x) { if x = 3 { x } }",
            "`=` defines a name and cannot stand inside an expression",
            "to compare, write `==`",
        ),
        (
            "layer l(x) { param W: [3, 2]; W }",
            "nothing says what this parameter is at first",
            "write `~ normal(0, 0.1)` or `~ zeros` behind it",
        ),
        ("layer l(x) { state m\n x + m }", "nothing says what this state is at first", "write `= 0` behind it"),
        ("fn f(x) = 1 < x < 2", "comparisons cannot be chained", "compare twice and join with `&&`: `a < b && b < c`"),
        (
            "layer state(x) { x }",
            "`state` is a word of the language and cannot be a name here",
            "choose another name, such as `state_1`",
        ),
        (
            "fn f(x) = x[0] or -1",
            "after `or` stands a number, a name or something in parentheses",
            "put the alternative in parentheses, as in `x[k + 1] or (-1)`",
        ),
        (
            "fn f(x) = 2 * if x then 1 else 2",
            "`if` cannot stand here without parentheses",
            "put the whole `if ..` in parentheses",
        ),
        (
            "fn f(x) = 2 x",
            "`x` follows the number `2` with nothing between",
            "write an operator such as `*` between, or begin a new line",
        ),
        (
            "fn f(x) = g(x x)",
            "`x` follows `x` with nothing between",
            "separate the parts by `,`, or write an operator such as `*`",
        ),
        ("modle A() { }", "`modle` cannot begin an item of a file", "did you mean `model`?"),
        ("fn f(x) = 3x", "`3x` is neither a number nor a name", "to multiply, write `3 * x`"),
        ("fn f(x) = 1e", "`1e` is neither a number nor a name", "write the exponent after `e`, as in `1e-3`"),
        ("fn f(x) = x × 2", "this character is not part of the language: `×`", "write `*`"),
        ("fn f(x) = (x", "this `(` is never closed", "add `)` where the part that `(` opens ends"),
        (
            "fn f(x) = x + 1 or 2",
            "`or` must follow a read such as `x[k + 1]`",
            "`or` says what a read outside a tensor yields; for booleans write `||`",
        ),
        (
            "use \"a",
            "this text has no closing `\"` on its line",
            "write the closing quote where the text ends, as in `\"a\"`",
        ),
    ];
    for (text, message, help) in cases {
        let (_, diagnostics) = parse(text);
        assert_eq!(diagnostics.len(), 1, "{text}: {}", shown(text, &diagnostics));
        assert_eq!(diagnostics[0].message, message, "{text}");
        assert_eq!(diagnostics[0].help.first().map(|h| h.text.as_str()), Some(help), "{text}");
    }
}

#[test]
fn plain_messages() {
    let cases = [
        ("fn f(x) = x +", "expected a value, found the end of the text"),
        ("layer f(x) { param W [2] ~ zeros\n x }", "expected a text in quotes or `:`, found `[`"),
        ("layer f(x) { state W: [2] ~ zeros\n x }", "a state begins as what is given for it, after `=`"),
        ("layer f(x) -> { x }", "expected `:`, found `}`"),
        ("fn f(x: 3) = x", "expected a type such as `[3, 32]`, found the number `3`"),
        ("model (x) { x }", "expected a name, found `(`"),
        ("fn f(x) { h = for l in 1 { x } }", "expected `..`, found `{`"),
        ("fn f(x) { h = if x then x\n x }", "expected `else`, found the end of the statement"),
        ("train t { epochs }", "expected a name, `=` or `:`, found `}`"),
    ];
    for (text, message) in cases {
        let (_, diagnostics) = parse(text);
        assert_eq!(diagnostics.len(), 1, "{text}: {}", shown(text, &diagnostics));
        assert_eq!(diagnostics[0].message, message, "{text}");
    }
}

/// A small generator: reproducible, and enough to choose places.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

/// Pieces of a text: words, numbers, runs of space, single marks.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = vec![];
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let class = |c: char| {
            if c.is_alphanumeric() {
                1
            } else if c.is_whitespace() {
                2
            } else {
                0
            }
        };
        let same = |c: char| class(first) != 0 && class(c) == class(first);
        let end = rest.char_indices().skip(1).find(|(_, c)| !same(*c)).map_or(rest.len(), |(i, _)| i);
        let (piece, after) = rest.split_at(end);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

#[test]
fn mutations_never_panic_and_what_parses_prints_back() {
    let programs = programs();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let all: Vec<&str> = programs.iter().flat_map(|(_, text)| pieces(text)).collect();
    for round in 0..4000 {
        let (_, text) = &programs[round % programs.len()];
        let mut pieces = pieces(text);
        for _ in 0..=random.below(3) {
            let at = random.below(pieces.len());
            match random.below(3) {
                0 => drop(pieces.remove(at)),
                1 => pieces.insert(at, pieces[at]),
                _ => pieces.insert(at, all[random.below(all.len())]),
            }
        }
        let text = pieces.concat();
        let (file, diagnostics) = parse_within(&text);
        assert!(
            diagnostics.iter().all(|d| text.get(d.primary.span.start as usize..d.primary.span.end as usize).is_some())
        );
        if diagnostics.is_empty() {
            let printed = print(&file);
            let (again, diagnostics) = parse(&printed);
            assert!(diagnostics.is_empty(), "{text}\n{printed}\n{}", shown(&printed, &diagnostics));
            assert_eq!(dump(&file), dump(&again), "{text}");
        }
    }
}
