//! `nnc doc`: what an item of the library or a word of a data block is, with its text, or a list of all.

use crate::fault::Fault;
use crate::say;
use compiler::check::nearest;
use compiler::library;
use grammar::ast::{Callable, Item};
use grammar::span::Sources;
use runtime::data::catalogue::{self, Entry};

/// Words of data blocks with what they are.
const WORDS: [(&str, &[Entry]); 3] = [
    ("where samples come from", catalogue::LOADERS),
    ("where a single field comes from", catalogue::SOURCES),
    ("what is done to a field", catalogue::TRANSFORMS),
];

/// An item of the library.
struct Described {
    file: String,
    callable: Callable,
    /// From the word that begins it to its end.
    text: String,
}

/// Prints an item, or the list.
pub fn doc(name: Option<&str>) -> Result<(), Fault> {
    let items = items();
    let Some(name) = name else {
        list(&items);
        return Ok(());
    };
    let found: Vec<&Described> = items.iter().filter(|d| d.callable.name.name == name).collect();
    let words: Vec<&Entry> = WORDS.iter().flat_map(|(_, entries)| *entries).filter(|e| e.name == name).collect();
    if found.is_empty() && words.is_empty() {
        let known = items.iter().map(|d| d.callable.name.name.as_str());
        let near = nearest(name, known.chain(WORDS.iter().flat_map(|(_, e)| *e).map(|e| e.name)));
        let meant = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        return Err(Fault::usage(format!("the library has no `{name}`{meant} (`nnc doc` lists all of it)")));
    }
    for item in found {
        say!("{} ({})\n", item.callable.name.name, item.file);
        item.callable.doc.iter().for_each(|doc| say!("{doc}\n"));
        say!("{}", item.text);
    }
    words.iter().for_each(|entry| say!("{}\n\n{}", signature(entry), entry.about));
    Ok(())
}

/// All items of the library, in its order.
fn items() -> Vec<Described> {
    let mut sources = Sources::default();
    let texts = library::texts();
    let (files, _) = library::parse(&mut sources, &texts);
    let mut described = vec![];
    for (file, (name, text)) in files.into_iter().zip(&texts) {
        for item in file.items {
            let Item::Callable(callable) = item else { continue };
            let span = callable.span.start as usize..callable.span.end as usize;
            let lines = text[span].lines().skip_while(|l| l.starts_with("///"));
            let text = lines.collect::<Vec<_>>().join("\n");
            described.push(Described { file: name.clone(), callable, text });
        }
    }
    described
}

fn list(items: &[Described]) {
    say!("A page: nnc doc NAME");
    let mut file = "";
    for item in items {
        if item.file != file {
            file = &item.file;
            say!("\n{file}");
        }
        let doc = item.callable.doc.as_deref().unwrap_or_default();
        line(&item.callable.name.name, doc.split_once(". ").map_or(doc, |(first, _)| first));
    }
    for (what, entries) in WORDS {
        say!("\nin data blocks: {what}");
        entries.iter().for_each(|e| line(e.name, e.about));
    }
}

/// A name and the first line of what it is.
fn line(name: &str, about: &str) {
    say!("  {name:<22} {}", about.lines().next().unwrap_or_default().trim_end_matches('.'));
}

/// `csv(file, [header], [label])`: what may be left out stands in brackets.
fn signature(entry: &Entry) -> String {
    let param = |p: &catalogue::Param| if p.required { p.name.to_string() } else { format!("[{}]", p.name) };
    let params: Vec<_> = entry.params.iter().map(param).collect();
    if params.is_empty() { entry.name.to_string() } else { format!("{}({})", entry.name, params.join(", ")) }
}
