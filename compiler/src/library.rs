//! The standard library's text, carried inside the compiler. What it defines is source like any
//! other; nothing in this crate knows its names.

use grammar::ast::{Callable, File, Item};
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

/// What begins the example in a definition's documentation; it goes on to the end.
const EXAMPLE: &str = "Example: ";

/// A definition with its documentation.
pub struct Definition {
    /// The file it stands in, by its shown name.
    pub file: &'static str,
    /// The definition as parsed.
    pub callable: Callable,
    /// From the word that begins it to its end.
    pub text: String,
    /// What it is: formula, saved names, source.
    pub about: String,
    /// How it is used: a model, or a line of a train block. Empty if there is none.
    pub example: String,
}

impl Definition {
    fn new(file: &'static str, text: &str, callable: Callable) -> Self {
        let whole = &text[callable.span.start as usize..callable.span.end as usize];
        let text = whole.lines().skip_while(|l| l.starts_with("///")).collect::<Vec<_>>().join("\n");
        let doc = callable.doc.as_deref().unwrap_or_default();
        let (about, example) = doc.split_once(EXAMPLE).unwrap_or((doc, ""));
        let (about, example) = (about.trim_end().to_string(), example.to_string());
        Self { file, callable, text, about, example }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.callable.name.name
    }

    /// The first sentence of what it is, on one line and without its full stop.
    #[must_use]
    pub fn summary(&self) -> String {
        let line = self.about.replace('\n', " ");
        let first = line.split_once(". ").map_or(line.as_str(), |(first, _)| first);
        first.trim_end_matches('.').to_string()
    }
}

/// Everything the embedded library defines, in its order.
#[must_use]
pub fn definitions() -> Vec<Definition> {
    let (files, _) = parse(&mut Sources::default(), &texts());
    let of_file = |(file, (name, text)): (File, &(&'static str, &str))| {
        let (name, text) = (*name, *text);
        let defined = file.items.into_iter().filter_map(move |item| match item {
            Item::Callable(callable) => Some(Definition::new(name, text, callable)),
            _ => None,
        });
        defined.collect::<Vec<_>>()
    };
    files.into_iter().zip(TEXTS).flat_map(of_file).collect()
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
