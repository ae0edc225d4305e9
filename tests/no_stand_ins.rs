//! The compiler knows nothing of its library: no name that `compiler/std` defines stands in its code or in the runtime's,
//! and a library with all its names changed compiles to the same machine code and trains to the same bits.

mod common;

use common::{Folder, bytes, repository, succeed, text};
use grammar::ast::Item;
use grammar::span::SourceId;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What a stretch of source text is, in Rust as in the language itself.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Piece {
    Comment,
    Text,
    Word,
    Other,
}

/// Cuts a text into pieces; put together they are the text again.
fn pieces(source: &str) -> Vec<(Piece, &str)> {
    let mut found = vec![];
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let (piece, length) = match first {
            '/' if rest.starts_with("//") => (Piece::Comment, rest.find('\n').unwrap_or(rest.len())),
            'r' if raw_text(rest).is_some() => (Piece::Text, raw_text(rest).unwrap_or(1)),
            '"' => (Piece::Text, quoted(rest, '"')),
            '\'' if rest[1..].starts_with('\\') => (Piece::Other, quoted(rest, '\'')),
            '\'' if rest.chars().nth(2) == Some('\'') => (Piece::Other, rest.chars().take(3).map(char::len_utf8).sum()),
            c if is_word(c) => (Piece::Word, rest.find(|c| !is_word(c)).unwrap_or(rest.len())),
            c => (Piece::Other, c.len_utf8()),
        };
        found.push((piece, &rest[..length]));
        rest = &rest[length..];
    }
    found
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Length of a quoted text that begins here.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Length of a raw text such as `r#".."#` that begins here, if one does.
fn raw_text(rest: &str) -> Option<usize> {
    let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
    let inside = rest[1 + hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(2 + hashes + inside.find(&end)? + end.len())
}

#[test]
fn texts_are_cut_where_they_should_be() {
    let source = "let a: &'s str = r#\"x \" y\"#; // it's\nlet q = '\"'; b\"\\\"z\" + '\\'' + m' - n'";
    let cut = pieces(source);
    assert_eq!(cut.iter().map(|p| p.1).collect::<String>(), source);
    let of = |kind| cut.iter().filter(|p| p.0 == kind).map(|p| p.1).collect::<Vec<_>>();
    assert_eq!(of(Piece::Comment), ["// it's"]);
    assert_eq!(of(Piece::Text), ["r#\"x \" y\"#", "\"\\\"z\""]);
    assert_eq!(of(Piece::Word), ["let", "a", "s", "str", "let", "q", "b", "m", "n"]);
}

/// Every file under a folder whose name ends so, sorted.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut found: Vec<PathBuf> = entries
        .filter_map(|e| Some(e.ok()?.path()))
        .flat_map(|p| if p.is_dir() { files(&p, ending) } else { vec![p] })
        .filter(|p| p.extension().is_some_and(|e| e == ending))
        .collect();
    found.sort();
    found
}

/// The names that the library defines.
fn library_names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (_, text) in compiler::library::texts() {
        let (file, trouble) = grammar::parse(SourceId(0), &text);
        assert!(trouble.is_empty(), "{trouble:?}");
        names.extend(file.items.into_iter().filter_map(|item| match item {
            Item::Callable(callable) => Some(callable.name.name),
            _ => None,
        }));
    }
    names
}

/// `BatchNorm2` and `batch_norm2` as `batch`, `norm2`.
fn parts(word: &str) -> Vec<String> {
    let mut split = String::new();
    for (before, c) in std::iter::once('_').chain(word.chars()).zip(word.chars()) {
        if c.is_uppercase() && !before.is_uppercase() {
            split.push('_');
        }
        split.extend(c.to_lowercase());
    }
    split.split('_').filter(|p| !p.is_empty()).map(str::to_string).collect()
}

/// Whether a word is the name, or has it as a part, however it is written: `DenseLayer` has `dense`.
fn bears(word: &[String], name: &[String]) -> bool {
    word.windows(name.len()).any(|w| w == name)
}

#[test]
fn no_library_name_stands_in_the_compiler() {
    let names: Vec<(String, Vec<String>)> = library_names().into_iter().map(|n| (n.clone(), parts(&n))).collect();
    assert!(names.len() > 50, "the library defines more than {} names", names.len());
    let mut offenders = vec![];
    for path in ["compiler/src", "runtime/src", "runtime/core/src"].iter().flat_map(|f| files(&repository(f), "rs")) {
        let source = text(&path);
        let mut line = 1;
        let mut before = "";
        for (piece, content) in pieces(&source) {
            let words: Vec<&str> = match piece {
                // Names of lints are Clippy's.
                Piece::Word if before.ends_with("clippy::") => vec![],
                Piece::Word | Piece::Text => content.split(|c| !is_word(c)).collect(),
                Piece::Comment | Piece::Other => vec![],
            };
            for word in words {
                let own = parts(word);
                for (name, _) in names.iter().filter(|(_, n)| bears(&own, n)) {
                    offenders.push(format!("{}:{line}: {word} bears the name {name}", path.display()));
                }
            }
            line += content.matches('\n').count();
            before = &source[..before.len() + content.len()];
        }
    }
    assert!(offenders.is_empty(), "{}", offenders.join("\n"));
}

#[test]
fn a_name_is_found_however_it_is_written() {
    let name = parts("max_pool");
    for word in ["max_pool", "MaxPool", "MAX_POOL", "two_max_pool_layers", "LayerMaxPool"] {
        assert!(bears(&parts(word), &name), "{word}");
    }
    assert!(!bears(&parts("pool_max"), &name) && !bears(&parts("normal"), &parts("norm")));
}

/// The text with every name that the library defines changed; comments and texts stay.
fn renamed(source: &str, names: &BTreeMap<String, String>) -> String {
    let change = |(piece, content): (Piece, &str)| match names.get(content) {
        Some(new) if piece == Piece::Word => new.clone(),
        _ => content.to_string(),
    };
    pieces(source).into_iter().map(change).collect()
}

/// `examples/digits.nn` with a name for each layer that draws, since draws follow the names of their layers.
fn digits() -> String {
    let source = text(&repository("examples/digits.nn"));
    let named =
        source.replace("dropout(0.25)", "dropout(0.25) as first").replace("dropout(0.5)", "dropout(0.5) as second");
    assert_eq!(named.matches(" as first\n").count() + named.matches(" as second\n").count(), 2);
    named
}

/// Machine code without the titles, in which the program's names stand.
fn machine_code(program: &Path, flags: &str) -> String {
    let listing = succeed(&format!("emit {} --stage asm{flags}", program.display()));
    listing.lines().filter(|l| !l.starts_with(';')).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_library_of_other_names_is_as_good() {
    let folder = Folder::new("no-stand-ins");
    let names: BTreeMap<String, String> =
        library_names().into_iter().enumerate().map(|(k, name)| (name, format!("word{k}"))).collect();
    let library = folder.path("library");
    std::fs::create_dir(&library).expect("a folder");
    for path in files(&repository("compiler/std"), "nn") {
        let other = renamed(&text(&path), &names);
        assert!(!pieces(&other).iter().any(|(p, w)| *p == Piece::Word && names.contains_key(*w)));
        folder.write(&format!("library/{}", path.file_name().unwrap_or_default().display()), other);
    }
    let (own, other) = (folder.write("own.nn", digits()), folder.write("other.nn", renamed(&digits(), &names)));
    let flag = format!(" --library {}", library.display());
    let code = machine_code(&own, "");
    assert!(code.lines().count() > 1000);
    assert!(code == machine_code(&other, &flag), "the machine code depends on the library's names");
    let weights = |program: &Path, out: &str, flags: &str| {
        let out = folder.path(out);
        succeed(&format!("run {} --epochs 2 --json --out {}{flags}", program.display(), out.display()));
        bytes(&out.join("weights.safetensors"))
    };
    assert!(weights(&own, "own", "") == weights(&other, "other", &flag), "the weights depend on the library's names");
}
