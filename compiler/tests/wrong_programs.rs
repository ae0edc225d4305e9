//! Every program in `tests/ui` gets the errors its notes announce, each on the line of its note, and no other.

use grammar::diagnostic::{Diagnostic, Severity};
use grammar::span::Sources;
use nnc_compiler::{check, library};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Line and code of every error of the program; line 0 is a place outside it.
fn errors(name: &str, text: &str) -> Vec<(usize, String)> {
    let mut sources = Sources::default();
    let (files, mut diagnostics) = library::parse(&mut sources, &library::texts());
    let source = sources.add(name, text);
    let (program, found) = grammar::parse(source, text);
    diagnostics.extend(found);
    if diagnostics.is_empty() {
        diagnostics = check::check(&sources, &program, &files).1;
    }
    let errors = diagnostics.iter().filter(|found| found.severity == Severity::Error);
    let place = |found: &Diagnostic| match found.primary.span.source == source {
        true => sources.line_column(found.primary.span).0,
        false => 0,
    };
    errors.map(|found| (place(found), found.code.to_string())).collect()
}

/// Line and code of every note `//~ code`.
fn announced(text: &str) -> Vec<(usize, String)> {
    let notes = text.lines().enumerate().filter_map(|(i, line)| Some((i + 1, line.split_once("//~ ")?.1)));
    notes.map(|(line, code)| (line, code.trim().to_string())).collect()
}

#[test]
fn each_mistake_is_found_at_its_place() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/ui");
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    entries.sort();
    let mut wrong = Vec::new();
    for path in entries.iter().filter(|path| path.extension().is_some_and(|end| end == "nn")) {
        let name = path.file_name().unwrap_or_default().display().to_string();
        let text = fs::read_to_string(path)?;
        let (found, expected) = (errors(&name, &text), announced(&text));
        assert!(!expected.is_empty(), "{name} announces nothing");
        if found != expected {
            wrong.push(format!("{name}: announced {expected:?}, found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
