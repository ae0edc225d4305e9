//! What the tests of this crate share.

use nnc_grammar::ast::File;
use nnc_grammar::diagnostic::Diagnostic;
use nnc_grammar::span::SourceId;
use std::path::PathBuf;

/// The example programs, with their names, in order.
pub fn programs() -> Vec<(String, String)> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let mut paths: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| (path.display().to_string(), std::fs::read_to_string(path).unwrap())).collect()
}

/// Parses a text as the first source.
pub fn parse(text: &str) -> (File, Vec<Diagnostic>) {
    nnc_grammar::parse(SourceId(0), text)
}

/// Messages with their lines, for failing tests to show.
pub fn shown(text: &str, diagnostics: &[Diagnostic]) -> String {
    let line = |d: &Diagnostic| text[..d.primary.span.start as usize].matches('\n').count() + 1;
    diagnostics.iter().map(|d| format!("{}: {}: {}\n", line(d), d.code, d.message)).collect()
}
