//! Every program of the language's description parses without a word.

use nnc_grammar::span::SourceId;
use std::path::PathBuf;

/// The example programs, by name.
fn programs() -> Vec<(String, String)> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let mut paths: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| (path.display().to_string(), std::fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn programs_parse() {
    assert!(programs().len() >= 4);
    for (name, text) in programs() {
        let (file, diagnostics) = nnc_grammar::parse(SourceId(0), &text);
        for d in &diagnostics {
            let line = text[..d.primary.span.start as usize].lines().count();
            eprintln!("{name}:{line}: {} {}", d.code, d.message);
        }
        assert!(diagnostics.is_empty());
        assert!(!file.items.is_empty());
    }
}
