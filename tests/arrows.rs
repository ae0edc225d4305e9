//! Data goes one way: the imports of every crate, read from its text, form no circle among the files and folders that lie
//! side by side, and follow the arrows of ARCHITECTURE.md's map, which are written here as data.
//!
//! What a folder's head (`mod.rs`) imports counts for the folder, and a file may take what its own head defines. Tests inside
//! a file may look anywhere and are left out.

mod common;

use common::{repository, text};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Something that imports, and what it may import.
type Row = (&'static str, &'static [&'static str]);

/// Each crate by the folder of its root, with the crates of ours that it may name.
const CRATES: [Row; 6] = [
    ("grammar/src", &[]),
    ("runtime/core/src", &[]),
    ("runtime/src", &["nnc_core"]),
    ("compiler/src", &["grammar", "nnc_core"]),
    ("cli/driver/src", &["grammar", "nnc_core", "runtime", "compiler"]),
    ("cli", &["grammar", "nnc_core", "runtime", "compiler", "driver"]),
];

/// What each file and folder of the compiler, and each wing of its checker, may import of those beside it.
const ARROWS: [(&str, &[Row]); 2] = [
    (
        "",
        &[
            ("tally", &[]),
            ("ir", &["tally"]),
            ("typed", &["ir", "tally"]),
            ("check", &["typed", "ir", "tally"]),
            ("differentiate", &["ir"]),
            ("optimise", &["ir", "tally"]),
            ("lower", &["typed", "differentiate", "optimise", "ir"]),
            ("schedule", &["optimise", "ir"]),
            ("target", &[]),
            ("kernel", &["schedule", "target", "ir"]),
            ("plan", &["kernel", "schedule", "target", "ir"]),
            ("backend", &["typed", "plan", "kernel", "schedule", "target", "ir"]),
            ("emit", &["backend", "plan", "schedule", "target", "ir"]),
            ("source", &["optimise", "ir"]),
            ("symbolic", &["source", "differentiate", "optimise", "ir"]),
            ("onnx", &["optimise", "ir"]),
            ("explain", &["check"]),
            ("library", &[]),
            ("modules", &[]),
        ],
    ),
    (
        "check",
        &[
            ("report", &[]),
            ("codes", &[]),
            ("optimizer_arguments", &[]),
            ("resolve", &["report"]),
            ("elaborate", &["resolve", "report"]),
            ("function", &["elaborate", "resolve", "report"]),
            ("data", &["elaborate", "resolve", "report"]),
            ("train", &["data", "elaborate", "resolve", "report"]),
            ("lint", &["optimizer_arguments", "resolve"]),
        ],
    ),
];

/// A module's path from the root of its crate, such as `[check, bounds]`; the root's is empty.
type Module = Vec<String>;

/// The paths that each module of a crate imports or names, without the leading `crate`.
type Imports = BTreeMap<Module, BTreeSet<Module>>;

/// Words and signs of a Rust source, without comments, texts, characters and what follows `mod tests`.
fn words(source: &str) -> Vec<&str> {
    let mut found = vec![];
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '"' => quoted(rest),
            '\'' if rest[1..].starts_with('\\') => 2 + rest[2..].find('\'').map_or(1, |end| end.max(1) + 1),
            '\'' if rest.chars().nth(2) == Some('\'') => rest.chars().take(3).map(char::len_utf8).sum(),
            _ if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            _ if rest.starts_with("::") => 2,
            _ => c.len_utf8(),
        };
        let piece = &rest[..length.min(rest.len())];
        if is_word(c) || piece == "::" || "{},*;".contains(c) {
            found.push(piece);
        }
        rest = &rest[piece.len()..];
    }
    let tests = found.windows(3).position(|w| w[0] == "mod" && is_test(w[1]) && w[2] == "{");
    found.truncate(tests.unwrap_or(found.len()));
    found
}

/// Whether a module of that name has only tests.
fn is_test(module: &str) -> bool {
    matches!(module, "tests" | "agreement")
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Length of a quoted text that begins here.
fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// All paths that begin with one of the roots: `a::{b, c::d}` gives `a::b` and `a::c::d`.
fn paths(words: &[&str], is_root: impl Fn(&str) -> bool) -> Vec<Module> {
    let mut found = vec![];
    for at in 0..words.len() {
        let begins = at == 0 || words[at - 1] != "::";
        if begins && is_root(words[at]) && words.get(at + 1) == Some(&"::") {
            tree(words, at, &mut vec![], &mut found);
        }
    }
    found
}

/// Reads one path, or the tree of paths of a `use`, and says where it ends.
fn tree(words: &[&str], mut at: usize, before: &mut Module, found: &mut Vec<Module>) -> usize {
    let depth = before.len();
    loop {
        match words.get(at) {
            Some(&"{") => {
                at += 1;
                while words.get(at).is_some_and(|w| *w != "}") {
                    at = tree(words, at, before, found);
                    at += usize::from(words.get(at) == Some(&","));
                }
                at += 1;
                break;
            }
            Some(word) if word.chars().all(is_word) => before.push((*word).to_owned()),
            _ => {}
        }
        at += 1;
        if words.get(at) != Some(&"::") {
            found.push(before.clone());
            break;
        }
        at += 1;
    }
    before.truncate(depth);
    at
}

/// The modules of a crate, each with its source.
fn modules(root: &Path, inside: &[String]) -> Vec<(Module, String)> {
    let folder = inside.iter().fold(root.to_owned(), |folder, part| folder.join(part));
    let mut found = vec![];
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in entries.map(|e| e.expect("an entry").path()) {
        let name = entry.file_stem().and_then(|n| n.to_str()).expect("a name").to_owned();
        let module = [inside, std::slice::from_ref(&name)].concat();
        if entry.join("Cargo.toml").is_file() {
            continue; // A crate of its own.
        }
        if entry.is_dir() {
            found.extend(modules(root, &module));
        } else if entry.extension().is_some_and(|x| x == "rs") && !is_test(&name) {
            let is_head = matches!(name.as_str(), "mod" | "lib" | "main");
            found.push((if is_head { inside.to_vec() } else { module }, text(&entry)));
        }
    }
    found
}

/// The folder in which a module stands: itself, if others stand in it.
fn folder_of(module: &Module, sources: &[(Module, String)]) -> Module {
    let is_head = sources.iter().any(|(other, _)| other.len() > module.len() && other.starts_with(module));
    if is_head { module.clone() } else { module[..module.len().saturating_sub(1)].to_vec() }
}

/// The types that a source gives methods of their own, outside of traits.
fn extended(source: &str) -> impl Iterator<Item = &str> {
    let line = |line: &'_ str| line.starts_with("impl") && !line.contains(" for ");
    source.lines().filter(move |l| line(l)).filter_map(|line| {
        let rest = line["impl".len()..].trim_start();
        let rest = if rest.starts_with('<') { &rest[rest.find('>')? + 1..] } else { rest };
        rest.trim_start().split(|c| !is_word(c)).next()
    })
}

fn imports(root: &str) -> Imports {
    let sources = modules(&repository(root), &[]);
    let known: BTreeSet<&Module> = sources.iter().map(|(module, _)| module).collect();
    let mut imports = Imports::new();
    for (module, source) in &sources {
        let named = imports.entry(module.clone()).or_default();
        for path in paths(&words(source), |root| root == "crate" || root == "super") {
            let ups = path.iter().take_while(|part| *part == "super").count();
            let from = if ups == 0 { vec![] } else { module[..module.len().saturating_sub(ups)].to_vec() };
            let mut target = [from, path[ups.max(1)..].to_vec()].concat();
            while !known.contains(&target) {
                target.pop();
            }
            named.insert(target);
        }
    }
    imports
}

/// What lies side by side in one folder, each with those that it imports.
type Arrows<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

fn arrows<'a>(folder: &[String], imports: &'a Imports) -> Arrows<'a> {
    let mut arrows = Arrows::new();
    for (from, targets) in imports {
        let Some(from) = member(folder, from) else { continue };
        let beside = targets.iter().filter_map(|to| member(folder, to)).filter(|to| *to != from);
        arrows.entry(from).or_default().extend(beside);
    }
    arrows
}

/// Circles among what lies side by side in one folder.
fn circles(imports: &Imports) -> Vec<String> {
    let folders: BTreeSet<&[String]> = imports.keys().filter_map(|m| m.split_last().map(|(_, f)| f)).collect();
    let line = |folder: &[String]| Some(format!("{}: {}", folder.join("/"), circle(&arrows(folder, imports))?));
    folders.into_iter().filter_map(line).collect()
}

/// What of a folder a module is or lies in.
fn member<'a>(folder: &[String], module: &'a Module) -> Option<&'a str> {
    (module.len() > folder.len() && module.starts_with(folder)).then(|| module[folder.len()].as_str())
}

/// The members that lie on circles or between two: those left when what imports none of the others is taken away again
/// and again, and then what none of the others imports.
fn circle(arrows: &Arrows<'_>) -> Option<String> {
    let mut left: BTreeSet<&str> = arrows.keys().copied().collect();
    loop {
        let imports = |m: &str| arrows.get(m).is_some_and(|to| to.iter().any(|t| left.contains(t)));
        let imported = |m: &str| left.iter().any(|other| arrows.get(other).is_some_and(|to| to.contains(m)));
        let stay: BTreeSet<&str> = left.iter().copied().filter(|m| imports(m) && imported(m)).collect();
        if stay.len() == left.len() {
            break;
        }
        left = stay;
    }
    let arrow = |m: &&str| {
        let to: Vec<&str> = arrows[m].iter().copied().filter(|t| left.contains(t)).collect();
        format!("{m} -> {}", to.join(" "))
    };
    (!left.is_empty()).then(|| left.iter().map(arrow).collect::<Vec<_>>().join("; "))
}

#[test]
fn no_files_side_by_side_import_each_other_in_a_circle() {
    let found =
        CRATES.map(|(root, _)| circles(&imports(root)).iter().map(|c| format!("{root} {c}\n")).collect::<String>());
    assert_eq!(found.concat(), "", "circles of imports");
}

#[test]
fn folders_import_along_the_arrows() {
    let imports = imports("compiler/src");
    for (folder, allowed) in ARROWS {
        let parts: Vec<String> = folder.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        for (from, targets) in arrows(&parts, &imports) {
            let row = allowed.iter().find(|(name, _)| *name == from);
            let (_, to) = row.unwrap_or_else(|| panic!("say in `ARROWS` what `{from}` may import"));
            let odd: Vec<&str> = targets.into_iter().filter(|target| !to.contains(target)).collect();
            assert!(odd.is_empty(), "`{from}` imports {}, against the arrows", odd.join(", "));
        }
    }
}

#[test]
fn crates_name_only_those_before_them() {
    const OURS: [&str; 6] = ["grammar", "nnc_core", "runtime", "compiler", "driver", "nnc"];
    for (root, allowed) in CRATES {
        for (module, source) in modules(&repository(root), &[]) {
            for path in paths(&words(&source), |word| OURS.contains(&word)) {
                let named = path[0].as_str();
                let own = root.starts_with(named) || (root == "cli" && named == "nnc");
                let fits = own || allowed.contains(&named);
                assert!(fits, "{root}: {} names {}", module.join("::"), path.join("::"));
            }
        }
    }
}

/// A type that is given methods from another folder ties the two together without any import.
#[test]
fn the_methods_of_a_type_stand_in_its_folder() {
    for (root, _) in CRATES {
        let sources = modules(&repository(root), &[]);
        let mut defined: BTreeMap<Module, BTreeSet<String>> = BTreeMap::new();
        for (folder, source) in &sources {
            let pairs = words(source);
            let types = pairs.windows(2).filter(|w| matches!(w[0], "struct" | "enum" | "union"));
            defined.entry(folder_of(folder, &sources)).or_default().extend(types.map(|w| w[1].to_owned()));
        }
        for (module, source) in &sources {
            let own = &defined[&folder_of(module, &sources)];
            let odd: Vec<&str> = extended(source).filter(|name| !own.contains(*name)).collect();
            assert!(odd.is_empty(), "{root}: {} extends {} of another folder", module.join("::"), odd.join(", "));
        }
    }
}

/// Only the command reads arguments and prints: whatever else compiles and runs programs may use the driver.
#[test]
fn the_driver_neither_reads_arguments_nor_prints() {
    const COMMAND: [&str; 8] = ["clap", "indicatif", "ctrlc", "println", "eprint", "eprintln", "stdout", "stderr"];
    for (module, source) in modules(&repository("cli/driver/src"), &[]) {
        let odd: Vec<&str> = words(&source).into_iter().filter(|word| COMMAND.contains(word)).collect();
        assert!(odd.is_empty(), "driver: {} names {}", module.join("::"), odd.join(", "));
    }
    // `print!` is a word for other things too, so that a lint looks for it.
    let head = text(&repository("cli/driver/src/lib.rs"));
    assert!(head.contains("deny(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)"));
}

#[test]
fn a_circle_would_be_found() {
    let source =
        "use super::b::{self, C};\nuse crate::{a::{x, y}, d};\n// use crate::e;\nfn f() { crate::g::h(\"crate::i\"); }";
    let found = paths(&words(source), |root| root == "crate" || root == "super");
    let found: Vec<String> = found.iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["super::b::self", "super::b::C", "crate::a::x", "crate::a::y", "crate::d", "crate::g::h"]);
    let arrows = BTreeMap::from([
        ("a", BTreeSet::from(["b"])),
        ("b", BTreeSet::from(["c"])),
        ("c", BTreeSet::from(["b", "d"])),
        ("d", BTreeSet::new()),
    ]);
    assert_eq!(circle(&arrows).as_deref(), Some("b -> c; c -> b"));
}
