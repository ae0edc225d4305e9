//! Types that are a word: which there are, and what is said of one that is none.

use super::syntax::children;
use crate::check::report::{Sink, nearest};
use grammar::ast::{Expr, ExprKind, Param, TypeExpr, TypeKind};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;

/// What a type is the type of.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Place {
    /// A parameter, which may be a setting.
    Parameter,
    /// A value that a body computes or declares.
    Value,
    /// The elements of a tensor.
    Element,
}

/// Words for settings, as the language lists them.
const SETTINGS: [&str; 8] = ["dim", "number", "bool", "initializer", "schedule", "layer", "fn", "text"];

/// Words of other languages, and what they are here.
const ELSEWHERE: [(&[&str], &str); 5] = [
    (&["int", "integer", "uint", "i32", "i64", "usize", "size", "count"], "dim"),
    (&["float", "float32", "float64", "f32", "f64", "real", "double", "scalar"], "number"),
    (&["boolean", "Boolean", "Bool", "flag"], "bool"),
    (&["init", "Initializer", "initialiser"], "initializer"),
    (&["module", "Module", "model", "function", "func", "callable"], "layer"),
];

impl Place {
    fn allows(self, word: &str) -> bool {
        match self {
            Self::Parameter => SETTINGS.contains(&word),
            Self::Value | Self::Element => matches!(word, "number" | "bool"),
        }
    }
}

/// Reports the words in a type that are no types where they stand.
pub(super) fn check(ty: &TypeExpr, place: Place, sink: &mut Sink) {
    match &ty.kind {
        TypeKind::Name(word) if !place.allows(word) => sink.add(unknown(word, ty.span, place)),
        TypeKind::Tensor { of: Some(of), .. } => check(of, Place::Element, sink),
        TypeKind::Record(fields) => fields.iter().for_each(|f| check(&f.1, place, sink)),
        TypeKind::Name(_) | TypeKind::Tensor { .. } | TypeKind::Class(_) | TypeKind::Error => {}
    }
}

/// Those of parameters.
pub(super) fn of_params(params: &[Param], sink: &mut Sink) {
    params.iter().filter_map(|p| p.ty.as_ref()).for_each(|ty| check(ty, Place::Parameter, sink));
}

/// Those of local functions in an expression.
pub(super) fn in_expression(expr: &Expr, sink: &mut Sink) {
    if let ExprKind::Lambda { params, .. } = &expr.kind {
        of_params(params, sink);
    }
    children(expr, &mut |e| in_expression(e, sink));
}

fn unknown(word: &str, span: Span, place: Place) -> Diagnostic {
    let d = if SETTINGS.contains(&word) {
        let message = format!("`{word}` is the type of a setting, and this is none");
        Diagnostic::error("unknown-type", span, message)
    } else {
        Diagnostic::error("unknown-type", span, format!("there is no type `{word}`"))
    };
    let d = match place {
        Place::Parameter => d.note(
            "a type is a shape such as `[3, 32]`, a class such as `class(10)`, a record such as `{ a: [2], b: [] }`, or for a setting one of the words dim, number, bool, initializer, schedule, layer, fn",
        ),
        Place::Value => d.note(
            "the type of a value is a shape such as `[3, 32]`, where `[]` is a single number, a class such as `class(10)`, or a record such as `{ a: [2], b: [] }`",
        ),
        Place::Element => d.note("elements are numbers, `of class(n)` or `of bool`"),
    };
    if word == "class" {
        return d.help("say of how many classes it is one: `class(10)`");
    }
    if matches!(word, "tensor" | "Tensor" | "vector" | "matrix" | "array" | "list") {
        return d.help("write its extents: `[n]` for a vector, `[m, n]` for a matrix, with m and n in brackets after the name of the definition");
    }
    let elsewhere = ELSEWHERE.iter().find(|(words, _)| words.contains(&word)).map(|e| e.1);
    let near = elsewhere.or_else(|| nearest(word, SETTINGS));
    match near.filter(|near| place.allows(near)) {
        Some(near) => d.fix(format!("write `{near}`"), span, near),
        None => d,
    }
}
