//! Every code that the grammar or the checker reports has a page, the page's wrong program is said to have exactly that
//! mistake, and nothing is said about the right one. A page's program may leave out the data and the training: it is
//! then a model `Net` from two numbers to two.

use grammar::ast::{File, Item};
use grammar::render;
use grammar::span::Sources;
use nnc_compiler::explain::{self, PAGES};
use nnc_compiler::{check, library, modules};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// What a page's program leaves out.
const FRAME: &str = "
data points {
    train = moons(200)
    x: [2]      = point
    y: class(2) = label
}

train t {
    data      = points
    logits    = Net(x)
    objective = cross_entropy(logits, y)
    optimizer = sgd(lr = 0.1)
    batch     = 16
    epochs    = 10
}
";

/// Limits, whose programs are larger than a page (`mutated.rs` has them), and what only a run can find.
const WITHOUT_PROGRAMS: [&str; 4] = ["diverged", "expression-too-long", "nesting-too-deep", "source-too-large"];

/// What is said about a program: the codes, and the rendered messages.
fn said(name: &str, program: &str) -> (Vec<&'static str>, String) {
    let whole = if has_training(program) { program.to_string() } else { format!("{program}{FRAME}") };
    let mut sources = Sources::default();
    let (file, mut list) = modules::gather(&mut sources, name, &whole, &mut beside);
    let (library, _) = library::parse(&mut sources, &library::texts());
    let found = check::check(&sources, &file, &library).1;
    list.extend(check::independent(&list, found, &file));
    (list.iter().map(|d| d.code).collect(), list.iter().map(|d| render::human(&sources, d, false)).collect())
}

/// The one file that programs find beside them.
fn beside(path: &str) -> Result<String, String> {
    let block = "layer block[n](x: [n], units: dim) -> [n] { x + (x |> dense(units) |> relu |> dense(n)) }";
    if path == "blocks.nn" { Ok(block.to_string()) } else { Err("there is no such file".to_string()) }
}

fn has_training(program: &str) -> bool {
    let file: File = grammar::parse(Sources::default().add("", program), program).0;
    file.items.iter().any(|item| matches!(item, Item::Train(_)))
}

/// The program in the block marked `mark`.
fn program<'a>(page: &'a str, mark: &str) -> Option<&'a str> {
    page.split_once(&format!("```nn {mark}\n"))?.1.split("```").next()
}

#[test]
fn the_programs_of_each_page_are_what_it_says() {
    let mut wrong = Vec::new();
    for (code, page) in PAGES.iter().filter(|(code, _)| !WITHOUT_PROGRAMS.contains(code)) {
        let (Some(bad), Some(good)) = (program(page, "wrong"), program(page, "right")) else {
            wrong.push(format!("{code}: the page has no wrong or no right program"));
            continue;
        };
        let (codes, shown) = said(&format!("{code}, wrong"), bad);
        if codes != [*code] {
            wrong.push(format!("{code}: the wrong program gets {codes:?}\n{shown}"));
        }
        let (codes, shown) = said(&format!("{code}, right"), good);
        if !codes.is_empty() {
            wrong.push(format!("{code}: the right program gets {codes:?}\n{shown}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_page_begins_with_its_code_and_title() {
    for (code, page) in PAGES {
        assert!(page.starts_with(&format!("# {code}: ")), "{code}");
        assert!(!explain::title(page).is_empty(), "{code}");
    }
    assert!(PAGES.is_sorted_by_key(|(code, _)| *code));
}

/// The first text after each making of a diagnostic in the sources.
fn reported(folder: &Path) -> io::Result<BTreeSet<String>> {
    let mut codes = BTreeSet::new();
    let paths: Vec<PathBuf> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    for path in paths.iter().filter(|path| path.is_dir()) {
        codes.extend(reported(path)?);
    }
    for path in paths.iter().filter(|path| path.extension().is_some_and(|end| end == "rs")) {
        let text = fs::read_to_string(path)?;
        for making in ["Diagnostic::error(", "Diagnostic::warning("] {
            let firsts = text.split(making).skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
            codes.extend(firsts.filter_map(|rest| rest.split('"').next()).map(ToString::to_string));
        }
    }
    Ok(codes)
}

#[test]
fn every_code_reported_has_a_page() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut codes = reported(&root.join("src/check"))?;
    codes.extend(reported(&root.join("../grammar/src"))?);
    assert!(codes.len() >= 35, "only {} codes were found in the sources", codes.len());
    let missing: Vec<_> = codes.iter().filter(|code| explain::page(code).is_none()).collect();
    assert!(missing.is_empty(), "no page explains {missing:?}");
    Ok(())
}

#[test]
fn a_misspelt_code_finds_the_one_meant() {
    assert_eq!(explain::nearest("shape-missmatch"), Some("shape-mismatch"));
    assert_eq!(explain::nearest("frobnicate"), None);
}
