//! What is kept of the data that weights were trained on, and how other data is held against it.

use crate::error::{DataError, Kind, Result, cut, listed};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a run keeps of the columns it was trained on, so that its weights are never used on others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trained {
    /// The label's column, and its place among all, if the training table names its columns and fields read them by
    /// `features` or `label`.
    pub label: Option<(String, usize)>,
    /// By the fields' names.
    pub fields: BTreeMap<String, Read>,
}

/// What a field read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Read {
    /// Columns in order; none if they have no names.
    pub columns: Vec<String>,
    /// What its classes are called, where the data says so.
    pub classes: Vec<String>,
}

/// What weights were trained on.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Who says so, in words.
    pub source: String,
    /// What was kept.
    pub trained: Trained,
}

/// Refuses data of which a field reads the columns in another order than the weights were trained on.
///
/// # Errors
/// If there is such a field.
pub fn in_order(now: &Trained, record: &Record) -> Result<()> {
    for (name, now) in &now.fields {
        let Some(then) = record.trained.fields.get(name) else { continue };
        if now.columns != then.columns && in_alphabet(&now.columns) == in_alphabet(&then.columns) {
            let message = format!("`{name}` reads its columns in another order than {} did", record.source);
            let help = format!("it was {}, and is {}", listed_all(&then.columns), listed_all(&now.columns));
            return Err(DataError::new(Kind::Mismatch, message).help(help));
        }
    }
    Ok(())
}

/// Refuses data whose columns or classes are in another order than the weights were trained on.
///
/// # Errors
/// If there is such a field.
pub fn as_trained(now: &Trained, record: &Record) -> Result<()> {
    in_order(now, record)?;
    for (name, now) in &now.fields {
        let Some(then) = record.trained.fields.get(name) else { continue };
        let known = !now.classes.is_empty() && !then.classes.is_empty();
        if let Some(odd) = only_one_has(&now.classes, &then.classes).filter(|_| known) {
            let message = format!(
                "the classes of `{name}` are not those that {} was trained on: only one of them has `{}`",
                record.source,
                cut(odd)
            );
            let help = format!("classes are numbered by their names, which were {}", listed_all(&then.classes));
            return Err(DataError::new(Kind::Mismatch, message).help(help));
        }
    }
    Ok(())
}

fn in_alphabet(names: &[String]) -> Vec<&String> {
    let mut names: Vec<_> = names.iter().collect();
    names.sort();
    names
}

/// A name that is in one of two lists only.
pub fn only_one_has<'a>(a: &'a [String], b: &'a [String]) -> Option<&'a String> {
    let only = |a: &'a [String], b: &[String]| a.iter().find(|n| !b.contains(n));
    only(a, b).or_else(|| only(b, a))
}

/// Names one after the other.
pub fn listed_all(names: &[String]) -> String {
    listed(names.iter().map(String::as_str))
}
