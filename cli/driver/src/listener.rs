//! Who is told what happens on the way to a result.

use std::fmt;

/// What a person should know and no result says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Good to know.
    Note(String),
    /// Not as it was asked for.
    Warning(String),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Note(text) => write!(f, "note: {text}"),
            Self::Warning(text) => write!(f, "warning: {text}"),
        }
    }
}

/// Told of what happens, at the moment when it does; each method does nothing unless it is written.
pub trait Listener {
    /// Something that a person should know.
    fn notice(&mut self, _: Notice) {}
}

/// Hears nothing.
impl Listener for () {}
