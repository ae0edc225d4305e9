//! Where a piece of syntax stands. A span is a half-open byte range of one source text; the texts
//! themselves live in a [`Sources`] table, so that a span is eight bytes and copies freely.

use std::sync::Arc;

/// Index of a source text in a [`Sources`] table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub u16);

impl SourceId {
    /// Shared texts are numbered from here on, so that their numbers do not depend on what else a table holds.
    const SHARED: u16 = 1 << 15;

    /// The shared text of that number.
    #[must_use]
    pub fn shared(number: usize) -> Self {
        Self(Self::SHARED | number as u16)
    }
}

/// Half-open byte range `start..end` of the text `source`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The text the range lies in.
    pub source: SourceId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A span of `source` from byte `start` up to `end`.
    #[must_use]
    pub fn new(source: SourceId, start: usize, end: usize) -> Self {
        Self { source, start: start as u32, end: end as u32 }
    }

    /// Whether `other` lies within it.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.source == other.source && self.start <= other.start && other.end <= self.end
    }

    /// The smallest span that covers both (which must lie in one source).
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { source: self.source, start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// One source text and the name it is shown under.
#[derive(Clone, Debug)]
pub struct Source {
    /// Path or `std/….nn`, as printed in messages.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// All texts of one compilation; spans point into it.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// In order of [`SourceId`].
    pub list: Vec<Source>,
    /// Texts that were parsed once for many compilations, as those of a library, in order of [`SourceId::shared`].
    pub shared: Arc<[Source]>,
}

impl Sources {
    /// Adds a text and returns its id.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> SourceId {
        self.list.push(Source { name: name.into(), text: text.into() });
        SourceId((self.list.len() - 1) as u16)
    }

    fn get(&self, id: SourceId) -> Option<&Source> {
        match id.0.checked_sub(SourceId::SHARED) {
            Some(number) => self.shared.get(number as usize),
            None => self.list.get(id.0 as usize),
        }
    }

    /// All texts with their ids.
    pub fn all(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        let own = self.list.iter().enumerate().map(|(n, source)| (SourceId(n as u16), source));
        own.chain(self.shared.iter().enumerate().map(|(n, source)| (SourceId::shared(n), source)))
    }

    /// The text a span covers.
    #[must_use]
    pub fn text(&self, span: Span) -> &str {
        self.get(span.source).and_then(|s| s.text.get(span.start as usize..span.end as usize)).unwrap_or("")
    }

    /// The name of the text a span lies in.
    #[must_use]
    pub fn name(&self, span: Span) -> &str {
        self.get(span.source).map_or("", |s| &s.name)
    }

    /// Line and column (both from 1, columns in characters) of a span's first byte.
    #[must_use]
    pub fn line_column(&self, span: Span) -> (usize, usize) {
        let Some(source) = self.get(span.source) else { return (1, 1) };
        let before = &source.text[..source.text.floor_char_boundary(span.start as usize)];
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        (line, column)
    }

    /// Bytes of the line that a span begins in.
    #[must_use]
    pub fn line_length(&self, span: Span) -> usize {
        let Some(source) = self.get(span.source) else { return 0 };
        let (before, after) = source.text.split_at(source.text.floor_char_boundary(span.start as usize));
        let back = before.len() - before.rfind('\n').map_or(0, |n| n + 1);
        back + after.find('\n').unwrap_or(after.len())
    }
}

#[cfg(test)]
mod tests {
    use super::{Source, SourceId, Sources, Span};

    #[test]
    fn shared_texts_stand_beside_any_number_of_others() {
        let text = |name: &str, text: &str| Source { name: name.to_string(), text: text.to_string() };
        let shared = [text("std/a.nn", "first\n"), text("std/b.nn", "\nsecond")];
        let mut sources = Sources { shared: shared.into(), ..Sources::default() };
        let there = Span::new(SourceId::shared(1), 1, 7);
        for n in 0..3 {
            let own = Span::new(sources.add(format!("{n}.nn"), "own"), 0, 3);
            assert_eq!((sources.name(own), sources.text(own)), (format!("{n}.nn").as_str(), "own"));
            assert_eq!((sources.name(there), sources.text(there)), ("std/b.nn", "second"));
            assert_eq!((sources.line_column(there), sources.line_length(there)), ((2, 1), 6));
        }
        let names: Vec<&str> = sources.all().map(|(_, source)| source.name.as_str()).collect();
        assert_eq!(names, ["0.nn", "1.nn", "2.nn", "std/a.nn", "std/b.nn"]);
    }
}
