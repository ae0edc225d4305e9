//! Every `.nn` file of the project is read without a complaint; only the programs in `tests/ui` are wrong on purpose.

use grammar::span::Sources;
use std::fs;
use std::path::{Path, PathBuf};

/// All files ending in `.nn` under `folder`, in the order of their names.
fn programs(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let nested = entries.iter().filter(|path| path.is_dir()).flat_map(|path| programs(path));
    let here = entries.iter().filter(|path| path.extension().is_some_and(|end| end == "nn")).cloned();
    here.chain(nested).collect()
}

#[test]
fn no_source_has_a_syntax_error() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folders = ["compiler/std", "examples", "tests/reference"];
    let mut complaints = Vec::new();
    for path in folders.iter().flat_map(|folder| programs(&root.join(folder))) {
        let text = fs::read_to_string(&path).unwrap();
        let mut sources = Sources::default();
        let source = sources.add(path.display().to_string(), text.clone());
        let (_, diagnostics) = grammar::parse(source, &text);
        for found in diagnostics {
            let (line, column) = sources.line_column(found.primary.span);
            complaints.push(format!("{}:{line}:{column}: {}", path.display(), found.message));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
