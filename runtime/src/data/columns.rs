//! Which columns of a table a field reads: names decide, never the order in a file.
//!
//! `features` are all columns of the training table but the label's, in its order, or in that of the run whose weights are
//! used; every other table must have just these, in any order. A table of a file without a header goes by position, and
//! must have as many. The label's column is the one that the data block names, or else the one called `label`, or else the
//! last of the training table; in other tables the one of the same name.

use super::record::{Read, Record, Trained, listed_all};
use super::spec::Field;
use super::table::{Column, Frame, Label, Table};
use crate::error::{DataError, Kind, Result, cut, listed};
use std::path::Path;

/// All columns but the label's.
pub const FEATURES: &str = "features";
/// The label's column.
const LABEL: &str = "label";

/// What `features` and `label` are, by which all tables are read.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    features: Vec<String>,
    /// Its name, and its place among all columns.
    label: Option<(String, usize)>,
    named: bool,
    /// What has these columns, in words.
    source: String,
}

impl Reference {
    /// That of the training table, or of the run whose weights are used.
    ///
    /// # Errors
    /// If the training table does not say which of its columns is the label.
    pub fn new(train: &Table, fields: &[Field], record: Option<&Record>) -> Result<Option<Self>> {
        let reads = |word: &str| fields.iter().any(|f| f.columns.iter().any(|c| c == word));
        let Some(frame) = train.frame.as_ref().filter(|_| reads(FEATURES) || reads(LABEL)) else { return Ok(None) };
        let own = Self::of_table(train, frame)?;
        Ok(Some(match record {
            Some(record) => own.recorded(record, fields),
            None => own,
        }))
    }

    /// What a table says itself.
    fn of_table(table: &Table, frame: &Frame) -> Result<Self> {
        let place = own_label(table, frame)?;
        let all = names(table, frame).enumerate();
        let features = all.filter(|(i, _)| Some(*i) != place).map(|(_, name)| name.to_string()).collect();
        let label = place.map(|i| (table.columns[i].name.clone(), i));
        Ok(Self { features, label, named: frame.named, source: source(table) })
    }

    /// What was kept, where something was.
    fn recorded(self, record: &Record, fields: &[Field]) -> Self {
        let Some(label) = record.trained.label.clone() else { return self };
        let kept = |f: &Field| Some(record.trained.fields.get(&f.name)?.columns.clone()).filter(|c| !c.is_empty());
        let features = fields.iter().filter(|f| f.columns == [FEATURES]).find_map(kept);
        Self {
            features: features.unwrap_or(self.features),
            label: Some(label),
            named: true,
            source: record.source.clone(),
        }
    }

    /// Where the label stands in a table, if it is there.
    fn label_in(&self, table: &Table, frame: &Frame) -> Result<Option<usize>> {
        let named = self.named && frame.named;
        match (frame.label, &self.label) {
            (Label::At(place), _) => Ok(Some(place)),
            (Label::Absent, _) | (Label::Unsaid, None) => Ok(None),
            (Label::Unsaid, Some((name, _))) if named => Ok(names(table, frame).position(|n| n == name)),
            (Label::Unsaid, Some((_, place))) => match frame.width {
                n if n == self.features.len() => Ok(None),
                n if n == self.features.len() + 1 => Ok(Some(*place)),
                n => Err(self.uneven(n)),
            },
        }
    }

    /// The features' places in a table, in this order.
    fn features_in(&self, table: &Table, frame: &Frame) -> Result<Vec<usize>> {
        let label = self.label_in(table, frame)?;
        let others = (0..frame.width).filter(|i| Some(*i) != label);
        if !(self.named && frame.named) {
            let places: Vec<usize> = others.collect();
            return if places.len() == self.features.len() { Ok(places) } else { Err(self.uneven(frame.width)) };
        }
        let place = |name: &String| {
            let found = names(table, frame).position(|n| n == name).filter(|i| Some(*i) != label);
            found.ok_or_else(|| self.missing(name, table, frame))
        };
        let places = self.features.iter().map(place).collect::<Result<Vec<_>>>()?;
        match others.into_iter().find(|i| !places.contains(i)) {
            Some(new) => Err(self.unknown(&table.columns[new].name)),
            None => Ok(places),
        }
    }

    fn missing(&self, name: &str, table: &Table, frame: &Frame) -> DataError {
        let message = format!("the column `{}` is missing, one of the features of {}", cut(name), self.source);
        DataError::new(Kind::Mismatch, message).help(format!(
            "`features` are {}; here are {}",
            listed_all(&self.features),
            listed(names(table, frame))
        ))
    }

    fn unknown(&self, name: &str) -> DataError {
        let message = format!("the column `{}` is not among the features of {}", cut(name), self.source);
        DataError::new(Kind::Mismatch, message).help(format!(
            "they are {}; take the column out, or name those that the field reads: `x: [2] = [height, weight]`",
            listed_all(&self.features)
        ))
    }

    fn uneven(&self, width: usize) -> DataError {
        let (features, all) = (self.features.len(), self.features.len() + usize::from(self.label.is_some()));
        let message = format!(
            "there are {width} columns here, but {all} in {}; where one of them has no names they go by position",
            self.source
        );
        DataError::new(Kind::Mismatch, message)
            .help(format!("give {all} columns, or the {features} without the label, in the same order"))
    }
}

/// The places of the columns that a field reads in a table, in order.
///
/// # Errors
/// If one of them is missing, `features` are others than those of the reference, or a word of the data block is the name of
/// a column, too.
pub fn places(field: &[String], table: &Table, reference: Option<&Reference>) -> Result<Vec<usize>> {
    let mut found = vec![];
    for name in field {
        let by_word = table.frame.as_ref().filter(|_| [FEATURES, LABEL].contains(&name.as_str()));
        match by_word.zip(reference) {
            None => found.push(table.place(name)?),
            Some((frame, reference)) => {
                found.extend(of_word(name, table, frame, reference).map_err(|e| in_file(e, table))?);
            }
        }
    }
    Ok(found)
}

/// The places of the columns that `features` or `label` is.
fn of_word(word: &str, table: &Table, frame: &Frame, reference: &Reference) -> Result<Vec<usize>> {
    let own = names(table, frame).position(|n| n == word);
    if word == FEATURES {
        if own.is_some() {
            return Err(two_meanings(FEATURES, "stands for all columns but the label's", "rename it in the file"));
        }
        let places = reference.features_in(table, frame)?;
        return match places.iter().find(|i| table.columns[**i].name.is_empty()) {
            Some(nameless) => Err(without_name(*nameless)),
            None => Ok(places),
        };
    }
    let place = reference.label_in(table, frame)?;
    if own.is_some() && own != place {
        let named = place.map_or(String::new(), |i| cut(&table.columns[i].name));
        let help = format!("write `{named}` for the label, or `label = \"{LABEL}\"` to the file");
        return Err(two_meanings(LABEL, &format!("stands for the column `{named}`"), &help));
    }
    let missing = || {
        let name = reference.label.as_ref().map_or(LABEL, |(name, _)| name);
        let message = format!("the column `{}` is missing, the label of {}", cut(name), reference.source);
        DataError::new(Kind::Mismatch, message)
            .help(format!("say which column it is: `csv(.., label = ..)`; here are {}", listed(names(table, frame))))
    };
    Ok(vec![place.ok_or_else(missing)?])
}

/// Where a table has its label, by itself.
fn own_label(table: &Table, frame: &Frame) -> Result<Option<usize>> {
    let last = frame.width.checked_sub(1);
    let place = match frame.label {
        Label::At(place) => return Ok(Some(place)),
        Label::Absent => return Ok(None),
        Label::Unsaid if frame.named => {
            let alike = names(table, frame).position(|n| n.eq_ignore_ascii_case(LABEL));
            names(table, frame).position(|n| n == LABEL).or(alike)
        }
        Label::Unsaid => None,
    };
    let Some(place) = place.filter(|i| Some(*i) != last) else { return Ok(last) };
    let (name, last) = (&table.columns[place].name, last.map_or("", |i| &table.columns[i].name));
    if name == LABEL {
        return Ok(Some(place));
    }
    let message = format!("the column `{name}` looks like the label, but the last one, `{}`, would be", cut(last));
    let error = DataError::new(Kind::Request, message);
    Err(in_file(error.help(format!("say which it is, such as `csv(.., label = \"{name}\")`")), table))
}

/// Refuses a column of `features` that another field reads as well: the network would be given what it is to predict.
///
/// # Errors
/// If there is one.
pub fn given_away(fields: &[Field], places: &[Vec<usize>], table: &Table) -> Result<()> {
    let Some(frame) = &table.frame else { return Ok(()) };
    let by_word = |f: &Field| f.columns.iter().any(|c| c == FEATURES);
    for (with, all) in fields.iter().zip(places).filter(|(f, _)| by_word(f)) {
        for (other, own) in fields.iter().zip(places).filter(|(f, _)| !by_word(f)) {
            let Some(shared) = own.iter().find(|i| **i < frame.width && all.contains(i)) else { continue };
            let name = cut(&table.columns[*shared].name);
            let message = format!(
                "`{}` reads the column `{name}`, which is among the `features` of `{}`: the network would be given what \
                 it is to predict",
                other.name, with.name
            );
            let error = DataError::new(Kind::Request, message).help(format!(
                "say that it is the label, `label = \"{name}\"` beside the file, or name the columns that `{}` reads: \
                 `x: [2] = [height, weight]`",
                with.name
            ));
            return Err(in_file(error, table));
        }
    }
    Ok(())
}

/// Whether a table's columns have names, and a field reads all of them but the label's, so that something must say their order.
#[must_use]
pub fn goes_by_features(table: &Table, fields: &[Field]) -> bool {
    let named = table.frame.as_ref().is_some_and(|f| f.named);
    named && fields.iter().any(|f| f.columns.iter().any(|c| c == FEATURES))
}

/// What a run keeps of the columns that its fields read in the training table.
#[must_use]
pub fn trained(fields: &[Field], places: &[Vec<usize>], train: &Table, reference: Option<&Reference>) -> Trained {
    let named = train.frame.as_ref().is_none_or(|f| f.named);
    let read = |(field, places): (&Field, &Vec<usize>)| {
        let columns = places.iter().filter(|_| named && !field.columns.is_empty());
        let columns = columns.map(|i| train.columns[*i].name.clone()).collect();
        let classes = places.first().map_or(vec![], |i| train.columns[*i].names.clone());
        (field.name.clone(), Read { columns, classes })
    };
    let label = reference.filter(|r| r.named).and_then(|r| r.label.clone());
    Trained { label, fields: fields.iter().zip(places).map(read).collect() }
}

fn names<'a>(table: &'a Table, frame: &Frame) -> impl Iterator<Item = &'a str> {
    table.columns[..frame.width].iter().map(|c| c.name.as_str())
}

fn two_meanings(word: &str, meaning: &str, help: &str) -> DataError {
    let message = format!("a column of this file is called `{word}`, which {meaning} as well");
    DataError::new(Kind::Request, message).help(help)
}

fn without_name(place: usize) -> DataError {
    let message = format!("column {} has no name, and `features` would take it in", place + 1);
    DataError::new(Kind::Request, message).help(
        "write the table without it (pandas and R number the rows in such a column: `to_csv(.., index=False)`), or name the \
         columns that the field reads: `x: [2] = [height, weight]`",
    )
}

/// The file of a table, in words.
fn source(table: &Table) -> String {
    let file = table.columns.iter().find_map(|c: &Column| c.file.as_deref());
    let name = file.and_then(Path::file_name).map_or("the training data".into(), |n| n.to_string_lossy());
    name.into_owned()
}

fn in_file(error: DataError, table: &Table) -> DataError {
    match table.columns.iter().find_map(|c| c.file.as_deref()) {
        Some(file) => error.in_file(file),
        None => error,
    }
}
