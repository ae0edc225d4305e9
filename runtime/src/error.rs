//! What can be wrong with data: a message in plain words, the file and the position in it, and a
//! way out.

use std::fmt;
use std::path::{Path, PathBuf};

/// What sort of trouble it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file is not where it was looked for.
    Missing,
    /// The system could not read it.
    Unreadable,
    /// The system could not write it.
    Unwritable,
    /// Its contents are not what the format demands.
    Malformed,
    /// It is larger than the limit.
    TooLarge,
    /// A value is missing, not a finite number, or no class of the field's type.
    BadValue,
    /// Shapes or counts do not fit together.
    Mismatch,
    /// The data block asks for something that is not there.
    Request,
}

impl Kind {
    /// The code in words.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "data-missing",
            Self::Unreadable => "data-unreadable",
            Self::Unwritable => "data-unwritable",
            Self::Malformed => "data-malformed",
            Self::TooLarge => "data-too-large",
            Self::BadValue => "data-bad-value",
            Self::Mismatch => "data-mismatch",
            Self::Request => "data-request",
        }
    }
}

/// A position in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    /// Offset from the start, after decompression.
    Byte(u64),
    /// Line and column (the field's number in it), both from 1.
    Cell { line: u64, column: usize },
    /// Sample, from 1.
    Row(usize),
}

/// Why data could not be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataError {
    /// What sort of trouble it is.
    pub kind: Kind,
    /// What is wrong, in plain words.
    pub message: String,
    /// Where: the file.
    pub file: Option<PathBuf>,
    /// Where in it.
    pub position: Option<Position>,
    /// What to do about it.
    pub help: Option<String>,
}

/// The result of reading data.
pub type Result<T> = std::result::Result<T, DataError>;

impl DataError {
    /// An error without a place.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), file: None, position: None, help: None }
    }

    /// An error of the operating system.
    #[must_use]
    pub fn io(error: &std::io::Error, doing: &str) -> Self {
        let kind = if error.kind() == std::io::ErrorKind::NotFound { Kind::Missing } else { Kind::Unreadable };
        Self::new(kind, format!("{doing}: {error}"))
    }

    /// The same with the file, unless one is known already.
    #[must_use]
    pub fn in_file(mut self, file: &Path) -> Self {
        self.file.get_or_insert_with(|| file.to_path_buf());
        self
    }

    /// The same with a position.
    #[must_use]
    pub fn at(mut self, position: Position) -> Self {
        self.position = Some(position);
        self
    }

    /// The same with a way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Characters of one word of a file that a message shows at most.
const SHOWN: usize = 40;
/// Words of a list.
const LISTED: usize = 12;
/// Characters of a whole message: what comes from a file and slipped past [`cut`] ends here.
const LONGEST: usize = 2000;

/// What stands in a file, for a message: on one line, and only its beginning if it is long.
#[must_use]
pub fn cut(text: &str) -> String {
    let escaped = |c: char| match c {
        '\'' | '"' | '\\' => c.to_string(),
        _ => c.escape_debug().to_string(),
    };
    let start: String = text.chars().take(SHOWN).map(escaped).collect();
    match text.chars().count() {
        count if count > SHOWN => format!("{start}.. ({count} characters)"),
        _ => start,
    }
}

/// Names that stand in a file, for a message: the first dozen.
#[must_use]
pub fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names = names.into_iter();
    let shown: Vec<String> = names.by_ref().take(LISTED).map(|n| format!("`{}`", cut(n))).collect();
    match names.count() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}", file.display())?;
            match self.position {
                Some(Position::Byte(offset)) => write!(f, ", byte {offset}")?,
                Some(Position::Cell { line, column }) => write!(f, ":{line}:{column}")?,
                Some(Position::Row(row)) => write!(f, ", sample {row}")?,
                None => {}
            }
            write!(f, ": ")?;
        } else if let Some(Position::Row(row)) = self.position {
            write!(f, "sample {row}: ")?;
        }
        match self.message.char_indices().nth(LONGEST) {
            Some((end, _)) => write!(f, "{} ..", &self.message[..end])?,
            None => write!(f, "{}", self.message)?,
        }
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for DataError {}
