//! The entries of a train block: which names are settings, and which were meant to be.

use crate::check::report::nearest;
use grammar::ast::{self, TrainEntry};

/// The settings of a train block; any other name is a local.
pub const SETTINGS: [&str; 18] = [
    "data",
    "augment",
    "mix",
    "objective",
    "optimizer",
    "clip",
    "metrics",
    "valid",
    "stop",
    "batch",
    "epochs",
    "steps",
    "seed",
    "shuffle",
    "freeze",
    "accumulate",
    "start",
    "precision",
];

/// The entries of that name.
pub fn entries<'a>(block: &'a ast::Train, name: &'a str) -> impl Iterator<Item = &'a TrainEntry> {
    block.entries.iter().filter(move |e| e.lhs.name.name == name)
}

/// Whether a line gives the setting, or is a misspelling of it that is reported as such.
pub fn written(block: &ast::Train, setting: &str) -> bool {
    let mut names = block.entries.iter().map(|e| e.lhs.name.name.as_str());
    names.any(|n| n == setting || (!SETTINGS.contains(&n) && meant(n) == Some(setting)))
}

/// The setting that a name is a misspelling of, or that it has in it as other systems do: `batch_size`, `num_epochs`.
pub fn meant(name: &str) -> Option<&'static str> {
    let inside = |s: &&&str| name.starts_with(**s) || name.split('_').any(|word| word == **s);
    nearest(name, SETTINGS).or_else(|| SETTINGS.iter().find(inside).copied())
}
