//! Every `.nn` file of the project is read without a complaint; only the programs in `tests/ui` are wrong on purpose.

use grammar::span::Sources;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// All files ending in `.nn` under `folder`, in the order of their names.
fn programs(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(programs(&path)?);
        } else if path.extension().is_some_and(|end| end == "nn") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[test]
fn no_source_has_a_syntax_error() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut complaints = Vec::new();
    for folder in ["compiler/std", "examples", "tests/reference"] {
        for path in programs(&root.join(folder))? {
            let text = fs::read_to_string(&path)?;
            let mut sources = Sources::default();
            let source = sources.add(path.display().to_string(), text.clone());
            for found in grammar::parse(source, &text).1 {
                let (line, column) = sources.line_column(found.primary.span);
                complaints.push(format!("{}:{line}:{column}: {}", path.display(), found.message));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    Ok(())
}
