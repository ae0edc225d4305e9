//! The standard library's text, carried inside the compiler. What it defines is source like any
//! other; nothing in this crate knows its names.

use grammar::ast::File;
use grammar::diagnostic::Diagnostic;
use grammar::span::Sources;

/// Each file's shown name and text.
pub const TEXTS: &[(&str, &str)] = &[
    ("std/activations.nn", include_str!("../std/activations.nn")),
    ("std/augment.nn", include_str!("../std/augment.nn")),
    ("std/blocks.nn", include_str!("../std/blocks.nn")),
    ("std/conv.nn", include_str!("../std/conv.nn")),
    ("std/init.nn", include_str!("../std/init.nn")),
    ("std/linear.nn", include_str!("../std/linear.nn")),
    ("std/losses.nn", include_str!("../std/losses.nn")),
    ("std/metrics.nn", include_str!("../std/metrics.nn")),
    ("std/mix.nn", include_str!("../std/mix.nn")),
    ("std/noise.nn", include_str!("../std/noise.nn")),
    ("std/normalisation.nn", include_str!("../std/normalisation.nn")),
    ("std/optimizers.nn", include_str!("../std/optimizers.nn")),
    ("std/order.nn", include_str!("../std/order.nn")),
    ("std/pool.nn", include_str!("../std/pool.nn")),
    ("std/recurrent.nn", include_str!("../std/recurrent.nn")),
    ("std/schedules.nn", include_str!("../std/schedules.nn")),
    ("std/sets.nn", include_str!("../std/sets.nn")),
    ("std/shape.nn", include_str!("../std/shape.nn")),
    ("std/tokens.nn", include_str!("../std/tokens.nn")),
    ("std/transformer.nn", include_str!("../std/transformer.nn")),
    ("std/transposed.nn", include_str!("../std/transposed.nn")),
    ("std/trigonometry.nn", include_str!("../std/trigonometry.nn")),
];

/// The embedded library as pairs of name and text.
#[must_use]
pub fn texts() -> Vec<(String, String)> {
    TEXTS.iter().map(|(name, text)| ((*name).to_string(), (*text).to_string())).collect()
}

/// Parses a library (the embedded one or another) and adds its texts to the sources.
pub fn parse(sources: &mut Sources, texts: &[(String, String)]) -> (Vec<File>, Vec<Diagnostic>) {
    let mut files = vec![];
    let mut diagnostics = vec![];
    for (name, text) in texts {
        let id = sources.add(name.clone(), text.clone());
        let (file, found) = grammar::parse(id, text);
        files.push(file);
        diagnostics.extend(found);
    }
    (files, diagnostics)
}
