//! Faults that were once silent, endless or fatal: one folder for each kind of them. A test states the value that is
//! right and where it comes from, or the sentence that refuses; it fails if the kind comes back.

#[path = "../common/mod.rs"]
mod common;

mod bounds;
mod columns;
mod evaluation;
mod language;
mod numbers;
mod pictures;
mod runs;
