//! Where a piece of syntax stands. A span is a half-open byte range of one source text; the texts
//! themselves live in a [`Sources`] table, so that a span is eight bytes and copies freely.

/// Index of a source text in a [`Sources`] table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub u16);

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
}

impl Sources {
    /// Adds a text and returns its id.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> SourceId {
        self.list.push(Source { name: name.into(), text: text.into() });
        SourceId((self.list.len() - 1) as u16)
    }

    /// The text a span covers.
    #[must_use]
    pub fn text(&self, span: Span) -> &str {
        self.list
            .get(span.source.0 as usize)
            .and_then(|s| s.text.get(span.start as usize..span.end as usize))
            .unwrap_or("")
    }

    /// The name of the text a span lies in.
    #[must_use]
    pub fn name(&self, span: Span) -> &str {
        self.list.get(span.source.0 as usize).map_or("", |s| &s.name)
    }

    /// Line and column (both from 1, columns in characters) of a span's first byte.
    #[must_use]
    pub fn line_column(&self, span: Span) -> (usize, usize) {
        let Some(source) = self.list.get(span.source.0 as usize) else { return (1, 1) };
        let before = &source.text[..source.text.floor_char_boundary(span.start as usize)];
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        (line, column)
    }

    /// Bytes of the line that a span begins in.
    #[must_use]
    pub fn line_length(&self, span: Span) -> usize {
        let Some(source) = self.list.get(span.source.0 as usize) else { return 0 };
        let (before, after) = source.text.split_at(source.text.floor_char_boundary(span.start as usize));
        let back = before.len() - before.rfind('\n').map_or(0, |n| n + 1);
        back + after.find('\n').unwrap_or(after.len())
    }
}
