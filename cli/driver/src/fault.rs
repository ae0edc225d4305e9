//! Trouble that keeps a result from being made, with the exit status of a command that it ends. Errors in the user's program
//! are diagnostics (see `grammar::diagnostic`); this is for everything else.

use std::fmt;

/// Why there is no result.
#[derive(Debug)]
pub struct Fault {
    /// What kind of trouble, and so the exit status.
    pub kind: FaultKind,
    /// In plain words, with the way out where there is one.
    pub message: String,
}

/// The kinds of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The program has errors, which were already reported.
    Program,
    /// Something was asked for that does not go with the program, or with something else that was asked for.
    Usage,
    /// A file or data set could not be read, written or trusted.
    Data,
    /// The training diverged.
    Diverged,
    /// A fault of the compiler itself.
    Internal,
    /// Stopped by the user; a checkpoint is kept.
    Interrupted,
}

impl FaultKind {
    /// The process's exit status.
    pub fn status(self) -> u8 {
        match self {
            Self::Program => 1,
            Self::Usage => 2,
            Self::Data => 3,
            Self::Diverged => 4,
            Self::Internal => 70,
            Self::Interrupted => 130,
        }
    }

    /// The word for it in JSON.
    pub fn code(self) -> &'static str {
        match self {
            Self::Program => "program-errors",
            Self::Usage => "usage",
            Self::Data => "data",
            Self::Diverged => "diverged",
            Self::Internal => "internal",
            Self::Interrupted => "interrupted",
        }
    }
}

impl Fault {
    /// Trouble of a kind, in words.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Data or file trouble.
    pub fn data(error: impl fmt::Display) -> Self {
        Self::new(FaultKind::Data, error.to_string())
    }

    /// Wrong usage.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Usage, message)
    }

    /// A fault of ours.
    pub fn internal(error: impl fmt::Display) -> Self {
        Self::new(FaultKind::Internal, error.to_string())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.message)
    }
}
