//! Data sets: from a plain description ([`Spec`]) to values in memory ([`DataSet`]).
//!
//! A loader reads each split's columns; samples for validation are set aside; each field's column
//! goes through its transforms, with the statistics of the training split; labels are checked.
//! What comes out fits the declared types, or there is a [`DataError`] with the file and position.

mod arguments;
pub mod catalogue;
mod csv;
mod digits;
mod error;
mod files;
mod generate;
mod idx;
mod mnist1d;
mod npy;
mod partition;
mod set;
mod source;
mod spec;
mod table;
#[cfg(test)]
mod tests;
mod transform;

pub use error::{DataError, Kind, Position, Result};
pub use files::{Files, LIMIT};
pub use set::{DataSet, Rows, Split, epoch_order};
pub use spec::{Call, Element, Field, Origin, Spec, Value};
pub use table::{Column, Table, Values};

use partition::{disturb, partition};
use transform::Pipeline;

/// Loads all splits of a data block.
///
/// # Errors
/// If a file is missing or broken, or its contents do not fit the declared fields.
pub fn load(spec: &Spec) -> Result<DataSet> {
    let (names, tables) = sources(spec)?;
    let settings = Settings::read(&spec.settings)?;
    if let Some(expected) = settings.samples.filter(|n| *n != tables[0].count) {
        let message = format!("`samples` says {expected}, the training split has {}", tables[0].count);
        return Err(DataError::new(Kind::Mismatch, message).help("correct `samples`, or leave it out"));
    }
    let share = spec.valid_share.filter(|_| !names.iter().any(|n| n == "valid"));
    let parts = partition(tables[0].count, share, settings.subset, spec.seed)?;
    let mut splits = vec![empty("train", parts.training.len())];
    if share.is_some() {
        splits.push(empty("valid", parts.validation.len()));
    }
    splits.extend(names.iter().zip(&tables).skip(1).map(|(name, table)| empty(name, table.count)));
    for field in &spec.fields {
        let mut columns = match field.element {
            Element::Number => numbers(field, &tables, &parts)?,
            Element::Class(n) => labels(field, n, &tables, &parts)?,
        };
        if let (Rows::Classes(values), Element::Class(n), Some(noise)) =
            (&mut columns[0], field.element, settings.noise)
        {
            disturb(values, &parts.training, n, noise, spec.seed);
        }
        splits.iter_mut().zip(columns).for_each(|(split, rows)| split.columns.push(rows));
    }
    Ok(DataSet { name: spec.name.clone(), fields: spec.fields.clone(), splits })
}

fn empty(name: &str, count: usize) -> Split {
    Split { name: name.to_string(), count, columns: vec![] }
}

/// All splits' tables, `train` first; sources of single fields become columns of `train`.
fn sources(spec: &Spec) -> Result<(Vec<String>, Vec<Table>)> {
    let mut names = Vec::new();
    let mut tables = Vec::new();
    for (name, origin) in &spec.splits {
        let table = match origin {
            Origin::Call(call) => source::load(call, &spec.files)?,
            Origin::Table(table) => table.clone(),
        };
        if table.count == 0 {
            return Err(DataError::new(Kind::Mismatch, format!("the split `{name}` has no samples")));
        }
        let place = if name == "train" { 0 } else { names.len() };
        names.insert(place, name.clone());
        tables.insert(place, table);
    }
    for field in spec.fields.iter().filter(|f| f.column.is_empty()) {
        let call = field.transforms.first().ok_or_else(|| {
            DataError::new(Kind::Request, format!("field `{}` has no source", field.name))
                .help("name a column of the data")
        })?;
        let (count, column) = source::own(call, &spec.files)?;
        if tables.is_empty() {
            names.push("train".to_string());
            tables.push(Table::new(count, vec![]));
        }
        if tables.len() > 1 || tables[0].count != count {
            let message =
                format!("field `{}` has {count} samples of its own, the data {}", field.name, tables[0].count);
            return Err(DataError::new(Kind::Mismatch, message)
                .help("a source of a single field belongs to data without other splits, all of one count"));
        }
        tables[0].columns.push(Column { name: own_column(field), ..column });
    }
    match names.first().map(String::as_str) {
        Some("train") => Ok((names, tables)),
        _ => Err(DataError::new(Kind::Request, format!("data `{}` has no split `train`", spec.name))
            .help("say where training samples come from: `train = ..`")),
    }
}

/// The name under which a field's own source stands among the columns: none a user could write.
fn own_column(field: &Field) -> String {
    format!("= {}", field.name)
}

/// The column a field reads, and the transforms that remain.
fn origin(field: &Field) -> (String, &[Call]) {
    if field.column.is_empty() {
        (own_column(field), &field.transforms[1..])
    } else {
        (field.column.clone(), &field.transforms)
    }
}

/// A field of numbers in each split.
fn numbers(field: &Field, tables: &[Table], parts: &partition::Partition) -> Result<Vec<Rows>> {
    let (name, transforms) = origin(field);
    let mut shape: Option<Vec<usize>> = None;
    let mut splits = Vec::new();
    for (i, table) in tables.iter().enumerate() {
        let column = table.column(&name)?;
        let first = shape.get_or_insert_with(|| column.shape.clone());
        if *first != column.shape {
            return Err(uneven(field, first, &column.shape));
        }
        let values = column.numbers()?;
        if i == 0 { splits.extend(divided(values, table.count, parts)) } else { splits.push(values) }
    }
    let pipeline = Pipeline { shape: shape.unwrap_or_default(), splits };
    Ok(pipeline.run(field, transforms)?.into_iter().map(Rows::Numbers).collect())
}

/// A field of classes in each split; the only transform that it can have is `reshape`.
fn labels(field: &Field, classes: usize, tables: &[Table], parts: &partition::Partition) -> Result<Vec<Rows>> {
    let (name, transforms) = origin(field);
    if let Some(call) = transforms.iter().find(|c| c.name != "reshape") {
        let message = format!("field `{}` is a class, to which `{}` cannot be applied", field.name, call.name);
        return Err(DataError::new(Kind::Request, message).help("declare the field as numbers"));
    }
    let mut splits = Vec::new();
    for (i, table) in tables.iter().enumerate() {
        let column = table.column(&name)?;
        let same = column.shape == field.dims;
        if !same && (transforms.is_empty() || column.shape.iter().product::<usize>() != field.width()) {
            return Err(uneven(field, &field.dims, &column.shape));
        }
        let values = column.classes(classes)?;
        if i == 0 { splits.extend(divided(values, table.count, parts)) } else { splits.push(values) }
    }
    Ok(splits.into_iter().map(Rows::Classes).collect())
}

fn uneven(field: &Field, expected: &[usize], got: &[usize]) -> DataError {
    let message = format!("field `{}`: a split gives {got:?} where {expected:?} is expected", field.name);
    DataError::new(Kind::Mismatch, message).help("all splits and the declared type must have one shape; see `reshape`")
}

/// The training split's values for training and, if there are any, for validation.
fn divided<T: Copy>(values: Vec<T>, count: usize, parts: &partition::Partition) -> Vec<Vec<T>> {
    if parts.training.len() == count {
        return vec![values];
    }
    let width = values.len() / count;
    let pick = |samples: &[u32]| {
        samples.iter().flat_map(|s| &values[*s as usize * width..(*s as usize + 1) * width]).copied().collect()
    };
    let mut divided = vec![pick(&parts.training)];
    if !parts.validation.is_empty() {
        divided.push(pick(&parts.validation));
    }
    divided
}

/// The settings of [`catalogue::SETTINGS`].
#[derive(Debug, Default)]
struct Settings {
    samples: Option<usize>,
    noise: Option<f64>,
    subset: Option<f64>,
}

impl Settings {
    fn read(given: &[(String, Value)]) -> Result<Self> {
        let mut settings = Self::default();
        for (name, value) in given {
            let wrong = |wanted: &str| DataError::new(Kind::Request, format!("`{name}` wants {wanted}"));
            match (name.as_str(), value) {
                ("samples", Value::Number(x)) => {
                    let samples = arguments::as_whole(*x, 1).ok_or_else(|| wrong("a whole number from 1 on"))?;
                    settings.samples = Some(samples);
                }
                ("noise", Value::Number(x)) if (0.0..=1.0).contains(x) => settings.noise = Some(*x),
                ("noise", _) => return Err(wrong("a share from 0 to 1")),
                ("subset", Value::Number(x)) => settings.subset = Some(*x),
                ("samples" | "subset", _) => return Err(wrong("a number")),
                _ => {
                    let known: Vec<_> = catalogue::SETTINGS.iter().map(|p| p.name).collect();
                    return Err(DataError::new(Kind::Request, format!("`{name}` is no setting of a data block"))
                        .help(format!("settings are {}", known.join(", "))));
                }
            }
        }
        Ok(settings)
    }
}
