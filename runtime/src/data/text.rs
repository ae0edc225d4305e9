//! A text as windows of characters. The characters that occur in it, in the order of their code points, are the classes.

use super::files::Files;
use super::table::{Column, Table, Values};
use crate::error::{DataError, Kind, Result};
use std::collections::BTreeSet;

/// Which windows of a text are samples.
pub struct Windows {
    /// Characters in a window.
    pub context: usize,
    /// Characters from the start of one window to the start of the next.
    pub stride: usize,
    /// The part of the text that windows are taken from, as shares of its length.
    pub part: (f64, f64),
}

/// Columns `text` (a window) and `next` (the same one character further on), both [context].
///
/// # Errors
/// If the file is missing or no UTF-8 text, or its part is too short for a window.
pub fn load(files: &Files, name: &str, windows: &Windows) -> Result<Table> {
    let path = files.find(name)?;
    let read = || {
        let mut bytes = Vec::new();
        files.open(&path)?.take_text(&mut bytes, usize::MAX)?;
        crate::file::text(bytes)
    };
    let text = read().map_err(|e| e.in_file(&path))?;
    let known: Vec<char> = text.chars().collect::<BTreeSet<_>>().into_iter().collect();
    let codes: Vec<i32> = text.chars().map(|c| known.partition_point(|k| *k < c) as i32).collect();
    let at = |share: f64| (share * codes.len() as f64).round() as usize;
    let part = &codes[at(windows.part.0)..at(windows.part.1)];
    let Windows { context, stride, .. } = *windows;
    if part.len() <= context {
        let message =
            format!("windows of {context} characters and the one after do not fit into {} characters", part.len());
        return Err(DataError::new(Kind::Mismatch, message)
            .help("take a larger part, or a shorter context")
            .in_file(&path));
    }
    let count = (part.len() - context - 1) / stride + 1;
    let column = |name: &str, first: usize| Column {
        stride,
        names: known.iter().map(char::to_string).collect(),
        file: Some(path.clone()),
        ..Column::new(
            name,
            vec![context],
            Values::Integers(part[first..=first + (count - 1) * stride + context - 1].to_vec()),
        )
    };
    Ok(Table::new(count, vec![column("text", 0), column("next", 1)]))
}
