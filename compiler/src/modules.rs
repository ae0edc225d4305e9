//! Modules: `use "blocks.nn"` brings the definitions of another file into a program.
//!
//! In: the text of a program, and a function that reads other texts. Out: one syntax tree with the
//! items of all files, and what is wrong with them. A path is relative to the file it stands in.
//! Every file is read once, so that two may use each other. Train blocks and sweeps of a used file
//! stay behind: they are programs of their own. What must hold: a span of the tree points into the
//! text it came from, and the program's own text is the first that is added to the sources.

use grammar::ast::{File, Item};
use grammar::diagnostic::Diagnostic;
use grammar::span::{SourceId, Sources, Span};
use std::collections::BTreeSet;

/// Reads the text at a path; an error is what a person should be told.
pub type Reader<'r> = dyn FnMut(&str) -> Result<String, String> + 'r;

/// The program `name` with the definitions of the files it uses.
pub fn gather(sources: &mut Sources, name: &str, text: &str, read: &mut Reader) -> (File, Vec<Diagnostic>) {
    let mut gathering =
        Gathering { sources, read, known: BTreeSet::from([normal(name)]), used: vec![], diagnostics: vec![] };
    let own = gathering.parse(name, text);
    gathering.follow(name, &own);
    let Gathering { mut used, diagnostics, .. } = gathering;
    used.extend(own.items);
    (File { items: used }, diagnostics)
}

/// A gathered program as one text: its own, `use` lines made comments, and behind it the definitions of the files that
/// it uses, as they are written there.
#[must_use]
pub fn as_one(sources: &Sources, file: &File) -> String {
    let mut text = sources.list.first().map_or_else(String::new, |own| own.text.clone());
    let uses = file.items.iter().filter_map(|item| match item {
        Item::Use { span, .. } if span.source == SourceId(0) => Some((span.start as usize, span.end as usize)),
        _ => None,
    });
    for (start, end) in uses.collect::<BTreeSet<_>>().into_iter().rev() {
        if text[end..].lines().next().is_some_and(|rest| !rest.trim().is_empty()) {
            text.insert(end, '\n');
        }
        text.insert_str(start, "// ");
    }
    for item in &file.items {
        let span = match item {
            Item::Callable(c) => c.span,
            Item::Data(d) => d.span,
            _ => continue,
        };
        if span.source != SourceId(0) {
            text.push_str(&format!("\n// From {}\n{}\n", sources.name(span), sources.text(span)));
        }
    }
    text
}

struct Gathering<'a, 'r> {
    sources: &'a mut Sources,
    read: &'a mut Reader<'r>,
    /// Paths met so far.
    known: BTreeSet<String>,
    /// The items of the files used.
    used: Vec<Item>,
    diagnostics: Vec<Diagnostic>,
}

impl Gathering<'_, '_> {
    fn parse(&mut self, name: &str, text: &str) -> File {
        let id = self.sources.add(name, text);
        let (file, found) = grammar::parse(id, text);
        self.diagnostics.extend(found);
        file
    }

    /// Adds what the `use` lines of a file bring.
    fn follow(&mut self, from: &str, file: &File) {
        for item in &file.items {
            if let Item::Use { path, span } = item {
                self.bring(from, path, *span);
            }
        }
    }

    fn bring(&mut self, from: &str, path: &str, span: Span) {
        let place = beside(from, path);
        if !self.known.insert(place.clone()) {
            return;
        }
        match (self.read)(&place) {
            Ok(text) => {
                let file = self.parse(&place, &text);
                self.follow(&place, &file);
                let definition = |item: &Item| !matches!(item, Item::Train(_) | Item::Sweep(_));
                self.used.extend(file.items.into_iter().filter(definition));
            }
            Err(why) => {
                let d = Diagnostic::error("unreadable-file", span, format!("cannot read {place}: {why}"));
                self.diagnostics.push(d.note("a path is relative to the file that `use` stands in"));
            }
        }
    }
}

/// A path as seen from the file `from`.
fn beside(from: &str, path: &str) -> String {
    let absolute = path.starts_with('/') || path.contains(':');
    match from.rfind(['/', '\\']) {
        Some(end) if !absolute => normal(&format!("{}{path}", &from[..=end])),
        _ => normal(path),
    }
}

/// The path without `.` and, where that is safe, without `..`.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = vec![];
    for part in path.split(['/', '\\']) {
        match (part, parts.last()) {
            (".", _) => {}
            ("", Some(_)) => {}
            ("..", Some(last)) if !matches!(*last, ".." | "") => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn gathered(files: &[(&str, &str)]) -> (Vec<String>, Vec<String>, Vec<String>) {
        let texts: BTreeMap<_, _> = files.iter().copied().collect();
        let mut sources = Sources::default();
        let mut asked = vec![];
        let mut read = |path: &str| {
            asked.push(path.to_string());
            texts.get(path).map(|t| (*t).to_string()).ok_or_else(|| "there is no such file".to_string())
        };
        let (file, diagnostics) = gather(&mut sources, files[0].0, files[0].1, &mut read);
        let names = |item: &Item| match item {
            Item::Callable(c) => Some(format!("{}:{}", sources.name(c.name.span), c.name.name)),
            Item::Train(t) => Some(format!("{}:{}", sources.name(t.span), t.name.name)),
            _ => None,
        };
        let said = diagnostics.iter().map(|d| format!("{} {}", sources.name(d.primary.span), d.message));
        (file.items.iter().filter_map(names).collect(), said.collect(), asked)
    }

    #[test]
    fn files_are_read_once_and_relative_to_each_other() {
        let (names, said, asked) = gathered(&[
            ("work/main.nn", "use \"parts/a.nn\"\nuse \"./parts/../b.nn\"\nfn f(x) = x\ntrain t { steps = 1 }\n"),
            ("work/parts/a.nn", "use \"../b.nn\"\nuse \"../main.nn\"\nfn g(x) = x\ntrain u { steps = 1 }\n"),
            ("work/b.nn", "use \"parts/a.nn\"\nfn h(x) = x\n"),
        ]);
        assert_eq!(names, ["work/b.nn:h", "work/parts/a.nn:g", "work/main.nn:f", "work/main.nn:t"]);
        assert!(said.is_empty(), "{said:?}");
        assert_eq!(asked, ["work/parts/a.nn", "work/b.nn"]);
    }

    #[test]
    fn one_text_defines_the_same() {
        let files = [
            ("main.nn", "use \"a.nn\"; use \"b.nn\"\nfn f(x) = x\ntrain t { steps = 1 }\n"),
            ("a.nn", "use \"b.nn\"\n/// What g does.\nfn g(x) = x\ntrain u { steps = 1 }\n"),
            ("b.nn", "data d { x: [2] = point }"),
        ];
        let texts: BTreeMap<_, _> = files.into_iter().collect();
        let mut sources = Sources::default();
        let mut read = |path: &str| texts.get(path).map(|t| (*t).to_string()).ok_or_else(String::new);
        let (file, _) = gather(&mut sources, files[0].0, files[0].1, &mut read);
        let one = as_one(&sources, &file);
        assert_eq!(grammar::parse(SourceId(0), &one).1, []);
        assert_eq!(
            one,
            "// use \"a.nn\"\n; // use \"b.nn\"\nfn f(x) = x\ntrain t { steps = 1 }\n\n// From b.nn\ndata d { x: [2] = point }\n\n\
             // From a.nn\n/// What g does.\nfn g(x) = x\n"
        );
    }

    #[test]
    fn what_cannot_be_read_is_said_where_it_is_used() {
        let (names, said, _) =
            gathered(&[("a.nn", "use \"b.nn\"\nfn f(x) = x\n"), ("b.nn", "use \"c.nn\"\nfn g(x) = = x\n")]);
        assert_eq!(names.last().map(String::as_str), Some("a.nn:f"));
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said.iter().all(|s| s.starts_with("b.nn ")), "{said:?}");
        assert!(said.iter().any(|s| s.contains("cannot read c.nn: there is no such file")), "{said:?}");
    }
}
