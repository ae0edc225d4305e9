//! Every program in `tests/ui` gets the diagnostics its notes announce, each on the line of its note, and no other;
//! their rendered text is the file of that name ending in `.txt`, re-recorded by `NNC_BLESS=1`; and every edit they
//! offer takes an error away.

use grammar::diagnostic::{Diagnostic, Severity};
use grammar::render;
use grammar::span::{SourceId, Sources};
use nnc_compiler::{check, library, modules};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What is said about a program, and the texts it is about; the program is the first of them.
fn diagnostics(name: &str, text: &str) -> (Sources, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    let mut read = |path: &str| fs::read_to_string(folder().join(path)).map_err(|e| e.kind().to_string());
    let (file, mut list) = modules::gather(&mut sources, name, text, &mut read);
    let (library, trouble) = library::parse(&mut sources, &library::texts());
    list.extend(trouble);
    let (_, found) = check::check(&sources, &file, &library);
    let found = check::independent(&list, found, &file);
    list.extend(found);
    (sources, list)
}

/// Where the programs stand; the files that they use are in a folder inside.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/ui")
}

/// The programs in `tests/ui`, in the order of their names.
fn programs() -> io::Result<Vec<(PathBuf, String, String)>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder())?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|end| end == "nn"));
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap_or_default().display().to_string();
        fs::read_to_string(&path).map(|text| (path, name, text))
    };
    paths.into_iter().map(read).collect()
}

/// Line and code of every note `//~ code`.
fn announced(text: &str) -> Vec<(usize, String)> {
    let notes = text.lines().enumerate().filter_map(|(i, line)| Some((i + 1, line.split_once("//~ ")?.1)));
    notes.map(|(line, code)| (line, code.trim().to_string())).collect()
}

#[test]
fn each_mistake_is_found_at_its_place() -> io::Result<()> {
    let mut wrong = Vec::new();
    for (_, name, text) in programs()? {
        let (sources, list) = diagnostics(&name, &text);
        let place = |found: &Diagnostic| match found.primary.span.source {
            SourceId(0) => sources.line_column(found.primary.span).0,
            _ => 0,
        };
        let mut found: Vec<_> = list.iter().map(|d| (place(d), d.code.to_string())).collect();
        found.sort();
        let expected = announced(&text);
        assert!(!expected.is_empty(), "{name} announces nothing");
        if found != expected {
            wrong.push(format!("{name}: announced {expected:?}, found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn each_message_reads_as_recorded() -> io::Result<()> {
    let mut wrong = Vec::new();
    for (path, name, text) in programs()? {
        let (sources, list) = diagnostics(&name, &text);
        let shown: String = list.iter().map(|d| render::human(&sources, d, false)).collect();
        let record = path.with_extension("txt");
        if env::var_os("NNC_BLESS").is_some() {
            fs::write(record, shown)?;
        } else if fs::read_to_string(record).unwrap_or_default() != shown {
            wrong.push(format!("{name} is now said to be wrong like this:\n{shown}"));
        }
    }
    assert!(wrong.is_empty(), "{}(NNC_BLESS=1 records what is said now)", wrong.join("\n"));
    Ok(())
}

#[test]
fn each_edit_offered_takes_an_error_away() -> io::Result<()> {
    let mut edits = 0;
    for (_, name, text) in programs()? {
        let (_, list) = diagnostics(&name, &text);
        let errors_left = announced(&text).len() - 1;
        for (span, replacement) in list.iter().flat_map(|d| &d.help).filter_map(|help| help.edit.as_ref()) {
            assert_eq!(span.source, SourceId(0), "{name}: an edit of the library");
            let mut edited = text.clone();
            edited.replace_range(span.start as usize..span.end as usize, replacement);
            let (sources, list) = diagnostics(&name, &edited);
            let errors = list.iter().filter(|d| d.severity == Severity::Error);
            let shown: Vec<String> = errors.map(|d| render::human(&sources, d, false)).collect();
            let shown = if shown.len() == errors_left { String::new() } else { shown.concat() };
            assert!(shown.is_empty(), "{name}: after writing {replacement:?}:\n{shown}");
            edits += 1;
        }
    }
    assert!(edits >= 8, "only {edits} edits are offered by all the programs");
    Ok(())
}
