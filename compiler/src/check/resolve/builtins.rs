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
const STRUCTURAL: [(&str, Primitive); 9] = [
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

/// Words for what is there without being defined and is no function.
const VALUES: [&str; 6] = ["pi", "inf", "training", "batch", "this", "step"];

/// Names known without definition, for suggestions.
pub fn known_names<'n>() -> impl Iterator<Item = &'n str> {
    primitives().map(|p| -> &'n str { p.0 }).chain(VALUES)
}

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
    primitives().find(|p| p.0 == name).map(|p| p.1)
}

/// The functions of the core language by their names: scalar ones but those that have signs of their own or none, and
/// the others.
fn primitives() -> impl Iterator<Item = (&'static str, Primitive)> {
    let scalar = Unary::ALL.into_iter().filter(|u| !matches!(u, Unary::Neg | Unary::Not | Unary::ToFloat));
    scalar.map(|u| (u.name(), Primitive::Scalar(u))).chain(STRUCTURAL)
}

/// Whether the word before a dot means a split of the data, as in `valid.loss`.
pub fn names_a_split(name: &str) -> bool {
    matches!(name, "train" | "valid" | "test")
}

/// What an optimiser calls the value that evaluation uses in the place of `theta`.
pub const EVALUATED: &str = "eval";

/// What the figures of a run call the objective, or the sum of several.
pub const LOSS: &str = "loss";
