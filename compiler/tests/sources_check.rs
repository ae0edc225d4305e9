//! Every program of the project, and every whole program in its documentation, is checked without a complaint.

use grammar::ast::Item;
use grammar::span::Sources;
use nnc_compiler::{check, library};
use std::fs;
use std::path::{Path, PathBuf};

/// All files with that ending under `folder`, in the order of their names.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let nested = entries.iter().filter(|path| path.is_dir()).flat_map(|path| files(path, ending));
    let here = entries.iter().filter(|path| path.extension().is_some_and(|end| end == ending)).cloned();
    here.chain(nested).collect()
}

/// The blocks marked `nn` in a page; those marked `nn fragment` are no whole programs.
fn programs_in(page: &str) -> impl Iterator<Item = &str> {
    page.split("```nn\n").skip(1).filter_map(|rest| rest.split("```").next())
}

/// What is said about a program, errors and warnings alike; or that a train block of it was passed over.
fn complaints(name: &str, text: &str) -> Vec<String> {
    let mut sources = Sources::default();
    let (library, mut diagnostics) = library::parse(&mut sources, &library::texts());
    let source = sources.add(name, text);
    let (program, found) = grammar::parse(source, text);
    diagnostics.extend(found);
    let (checked, found) = check::check(&sources, &program, &library);
    diagnostics.extend(found);
    let at = |span| sources.line_column(span);
    let lines = diagnostics.iter().map(|d| format!("{name}:{:?}: {} ({})", at(d.primary.span), d.message, d.code));
    let blocks = program.items.iter().filter(|item| matches!(item, Item::Train(_))).count();
    let missing = (checked.trains.len() != blocks).then(|| format!("{name}: not all train blocks came through"));
    lines.chain(missing).collect()
}

#[test]
fn no_program_has_an_error_or_a_warning() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for path in ["examples", "tests/reference"].iter().flat_map(|folder| files(&root.join(folder), "nn")) {
        let text = fs::read_to_string(&path).unwrap();
        found.extend(complaints(&path.display().to_string(), &text));
    }
    for path in files(&root.join("docs"), "md") {
        let page = fs::read_to_string(&path).unwrap();
        found.extend(programs_in(&page).flat_map(|text| complaints(&path.display().to_string(), text)));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
