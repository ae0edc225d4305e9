//! Every program of the project, and every whole program in its documentation, is checked without a complaint.

use grammar::ast::Item;
use grammar::diagnostic::Diagnostic;
use grammar::span::Sources;
use nnc_compiler::{check, library};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// All files with that ending under `folder`, in the order of their names.
fn files(folder: &Path, ending: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path, ending)?);
        } else if path.extension().is_some_and(|end| end == ending) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
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
    // The rules of others decay whatever they are given, and are compared with them on that.
    // `bce` and `kl_divergence` of probabilities are compared with those of others too, and warn wherever they stand.
    let takes_probabilities = ["losses.nn", "norms.nn"].iter().any(|file| name.ends_with(file));
    let compared = |d: &&Diagnostic| takes_probabilities && d.code == "unproven-positive";
    let judged = |d: &&Diagnostic| !(compared(d) || name.ends_with("optimizers.nn") && d.code == "decay-on-biases");
    let lines = diagnostics
        .iter()
        .filter(judged)
        .map(|d| format!("{name}:{:?}: {} ({})", at(d.primary.span), d.message, d.code));
    let blocks = program.items.iter().filter(|item| matches!(item, Item::Train(_))).count();
    let missing = (checked.trains.len() != blocks).then(|| format!("{name}: not all train blocks came through"));
    lines.chain(missing).collect()
}

#[test]
fn no_program_has_an_error_or_a_warning() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for folder in ["examples", "tests/reference"] {
        for path in files(&root.join(folder), "nn")? {
            found.extend(complaints(&path.display().to_string(), &fs::read_to_string(&path)?));
        }
    }
    for path in files(&root.join("docs"), "md")? {
        let page = fs::read_to_string(&path)?;
        found.extend(programs_in(&page).flat_map(|text| complaints(&path.display().to_string(), text)));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}
