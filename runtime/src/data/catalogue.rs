//! What the words of a `data` block mean: every loader and transform with its parameters, so that
//! the checker can refuse a misspelt one before anything is read.

/// A loader or transform that a data block may call.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// As written in a program.
    pub name: &'static str,
    /// Parameters in order; a required one has no default.
    pub params: &'static [Param],
    /// For loaders with fixed columns, their names; empty where the file decides (CSV headers, NPY).
    pub columns: &'static [&'static str],
    /// One line for messages and `nnc explain`.
    pub about: &'static str,
}

/// A parameter of an [`Entry`].
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// Whether it must be given.
    pub required: bool,
}

/// Sources of samples: `train = idx("a", "b")`.
pub const LOADERS: &[Entry] = &[];

/// Steps of a field's pipeline: `image |> standardize |> reshape`.
pub const TRANSFORMS: &[Entry] = &[];
