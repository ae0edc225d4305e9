//! `nnc doc`: what an item of the library or a word of a data block is, with its text, or a list of all.

use crate::say;
use compiler::check::nearest;
use compiler::library::{self, Definition};
use driver::fault::Fault;
use nnc_core::catalogue::{self, Entry};

/// Words of data blocks with what they are.
const WORDS: [(&str, &[Entry]); 3] = [
    ("where samples come from", catalogue::LOADERS),
    ("where a single field comes from", catalogue::SOURCES),
    ("what is done to a field", catalogue::TRANSFORMS),
];

/// Prints an item, or the list.
pub fn doc(name: Option<&str>) -> Result<(), Fault> {
    let items = library::definitions();
    let Some(name) = name else {
        list(&items);
        return Ok(());
    };
    let found: Vec<&Definition> = items.iter().filter(|d| d.name() == name).collect();
    let words: Vec<&Entry> = WORDS.iter().flat_map(|(_, entries)| *entries).filter(|e| e.name == name).collect();
    if found.is_empty() && words.is_empty() {
        let known = items.iter().map(Definition::name);
        let near = nearest(name, known.chain(WORDS.iter().flat_map(|(_, e)| *e).map(|e| e.name)));
        let meant = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        return Err(Fault::usage(format!("the library has no `{name}`{meant} (`nnc doc` lists all of it)")));
    }
    found.into_iter().for_each(page);
    words.iter().for_each(|entry| say!("{}\n\n{}", signature(entry), entry.about));
    Ok(())
}

/// What an item is, how it is used, and its text.
fn page(item: &Definition) {
    say!("{} ({})\n\n{}\n", item.name(), item.file, item.about);
    say!("Example:");
    item.example.lines().for_each(|line| say!("    {line}"));
    say!("\n{}", item.text);
}

fn list(items: &[Definition]) {
    say!("A page: nnc doc NAME");
    for of_file in items.chunk_by(|a, b| a.file == b.file) {
        say!("\n{}", of_file[0].file);
        of_file.iter().for_each(|item| line(item.name(), &item.summary()));
    }
    for (what, entries) in WORDS {
        say!("\nin data blocks: {what}");
        entries.iter().for_each(|e| line(e.name, e.about));
    }
}

/// A name and what it is in a few words.
fn line(name: &str, about: &str) {
    say!("  {name:<22} {}", about.trim_end_matches('.'));
}

/// `csv(file, [header], [label])`: what may be left out stands in brackets.
fn signature(entry: &Entry) -> String {
    let param = |p: &catalogue::Param| if p.required { p.name.to_string() } else { format!("[{}]", p.name) };
    let params: Vec<_> = entry.params.iter().map(param).collect();
    if params.is_empty() { entry.name.to_string() } else { format!("{}({})", entry.name, params.join(", ")) }
}
