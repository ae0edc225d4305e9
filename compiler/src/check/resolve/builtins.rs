//! The words of the core language: what is there without being defined.

use crate::scalar::{Binary, Unary};

/// Functions the core language knows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Primitive {
    /// A scalar function.
    Scalar(Unary),
    /// `max(a, b)`.
    Max,
    /// `min(a, b)`.
    Min,
    /// `zero_or_product(a, b)` or `zero_or_quotient(a, b)`.
    ZeroOr(Binary),
    /// Product of a pack, or number of elements of a tensor.
    Size,
    /// Parameters of rank two or more.
    Weights,
    /// All parameters.
    Params,
    /// Uniform draws between two numbers.
    Uniform,
    /// Normal draws of a mean and deviation.
    Normal,
}

/// Functions of the core besides the scalar ones.
pub(super) const STRUCTURAL: [(&str, Primitive); 9] = [
    ("max", Primitive::Max),
    ("min", Primitive::Min),
    ("zero_or_product", Primitive::ZeroOr(Binary::ZeroOrProduct)),
    ("zero_or_quotient", Primitive::ZeroOr(Binary::ZeroOrQuotient)),
    ("size", Primitive::Size),
    ("weights", Primitive::Weights),
    ("params", Primitive::Params),
    ("uniform", Primitive::Uniform),
    ("normal", Primitive::Normal),
];

/// Names known without definition, for suggestions.
pub const PRIMITIVE_NAMES: [&str; 29] = [
    "abs",
    "sqrt",
    "exp",
    "log",
    "expm1",
    "log1p",
    "sin",
    "cos",
    "tanh",
    "erf",
    "floor",
    "ceil",
    "round",
    "stop_gradient",
    "max",
    "min",
    "zero_or_product",
    "zero_or_quotient",
    "size",
    "weights",
    "params",
    "uniform",
    "normal",
    "pi",
    "inf",
    "training",
    "batch",
    "this",
    "step",
];

/// Whether the name is there without being defined.
pub fn is_builtin(name: &str) -> bool {
    primitive(name).is_some()
        || matches!(
            name,
            "pi" | "inf" | "training" | "batch" | "this" | "fan_in" | "fan_out" | "step" | "steps" | "epoch" | "k"
        )
}

/// The function of the core language of that name.
pub fn primitive(name: &str) -> Option<Primitive> {
    let scalar = Unary::ALL.into_iter().filter(|u| !matches!(u, Unary::Neg | Unary::Not | Unary::ToFloat));
    scalar.map(|u| (u.name(), Primitive::Scalar(u))).chain(STRUCTURAL).find(|p| p.0 == name).map(|p| p.1)
}

/// Whether the word before a dot means a split of the data, as in `valid.loss`.
pub fn names_a_split(name: &str) -> bool {
    matches!(name, "train" | "valid" | "test")
}

/// What an optimiser calls the value that evaluation uses in the place of `theta`.
pub const EVALUATED: &str = "eval";

/// What the figures of a run call the objective, or the sum of several.
pub const LOSS: &str = "loss";
