//! The library that a program is checked against: the built-in one, which is parsed once for a process, or another.

use crate::fault::Fault;
use compiler::library;
use grammar::ast::File;
use grammar::diagnostic::Diagnostic;
use grammar::span::{Source, SourceId};
use runtime::file;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// A library, parsed. Its spans point to shared texts, so that it stands beside the texts of any program.
#[derive(Clone, Debug, Default)]
pub struct Library {
    /// The texts.
    pub texts: Arc<[Source]>,
    /// What they say.
    pub files: Arc<[File]>,
    /// What is wrong with them.
    pub diagnostics: Vec<Diagnostic>,
}

impl Library {
    fn parsed(texts: Vec<(String, String)>) -> Self {
        let source = |(name, text)| Source { name, text };
        let texts: Vec<Source> = texts.into_iter().map(source).collect();
        let parse = |(n, source): (usize, &Source)| grammar::parse(SourceId::shared(n), &source.text);
        let (files, diagnostics): (Vec<File>, Vec<_>) = texts.iter().enumerate().map(parse).unzip();
        Self { texts: texts.into(), files: files.into(), diagnostics: diagnostics.concat() }
    }

    /// The one that comes with the compiler.
    pub fn built_in() -> &'static Self {
        static PARSED: OnceLock<Library> = OnceLock::new();
        PARSED.get_or_init(|| Self::parsed(library::texts()))
    }

    /// The files of a folder whose names end in `.nn`, in the order of their names.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn of_folder(folder: &Path) -> Result<Self, Fault> {
        let entries =
            std::fs::read_dir(folder).map_err(|e| Fault::data(format!("cannot read {}: {e}", folder.display())))?;
        let mut paths: Vec<_> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
        paths.retain(|p| p.extension().is_some_and(|e| e == "nn"));
        paths.sort();
        let read = |path: &Path| file::read_text(path, file::PROGRAM).map_err(Fault::data);
        let texts = paths.iter().map(|p| Ok((p.display().to_string(), read(p)?))).collect::<Result<_, Fault>>()?;
        Ok(Self::parsed(texts))
    }
}

#[cfg(test)]
mod tests {
    use super::Library;
    use grammar::ast::Item;
    use grammar::span::Sources;

    #[test]
    fn the_built_in_library_is_parsed_once_and_its_spans_find_their_texts() {
        let library = Library::built_in();
        assert!(std::ptr::eq(library, Library::built_in()));
        assert!(library.diagnostics.is_empty());
        let mut sources = Sources { shared: library.texts.clone(), ..Sources::default() };
        sources.add("own.nn", "train");
        let mut callables = 0;
        for (file, text) in library.files.iter().zip(&*library.texts) {
            for item in &file.items {
                let Item::Callable(callable) = item else { continue };
                assert_eq!(sources.name(callable.name.span), text.name);
                assert_eq!(sources.text(callable.name.span), callable.name.name);
                callables += 1;
            }
        }
        assert!(callables > 100, "{callables}");
    }
}
