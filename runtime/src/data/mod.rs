//! Data sets: from a plain description ([`Spec`]) to values in memory ([`DataSet`]).
//!
//! A loader reads each split's columns; samples for validation are set aside; each field's column
//! goes through its transforms, with the statistics of the training split; labels are checked.
//! What comes out fits the declared types, or there is a [`DataError`] with the file and position.

mod arguments;
mod cifar;
mod columns;
mod csv;
mod digits;
mod elements;
pub(crate) mod files;
mod frame;
mod generate;
mod idx;
mod images;
mod members;
mod mnist1d;
pub(crate) mod npy;
pub(crate) mod npz;
mod parquet;
mod partition;
mod picture;
mod record;
mod set;
mod shape;
mod source;
mod spec;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod transform;

pub use crate::error::{DataError, Kind, Position, Result, cut, listed};
pub use columns::goes_by_features;
pub use files::{Files, LIMIT};
pub use record::{Read, Record, Trained, in_order};
pub use set::{Bytes, DataSet, Real, Rows, Split, epoch_order, order_epoch};
pub use source::{is_table, table_like};
pub use spec::{Call, Element, Field, Origin, Spec, Value};
pub use table::{Column, Label, Table, Values};

use columns::Reference;
use elements::Elements;
use nnc_core::catalogue::SETTINGS;
use partition::{disturb, partition};
use transform::{Part, Pipeline};

/// Loads all splits of a data block.
///
/// # Errors
/// If a file is missing or broken, or its contents do not fit the declared fields.
pub fn load(spec: &Spec) -> Result<DataSet> {
    let (names, mut tables) = sources(spec)?;
    let settings = Settings::read(&spec.settings)?;
    if let Some(expected) = settings.samples.filter(|n| spec.at_most.is_none() && *n != tables[0].count) {
        let message = format!("`samples` says {expected}, the training split has {}", tables[0].count);
        return Err(DataError::new(Kind::Mismatch, message).help("correct `samples`, or leave it out"));
    }
    let share = spec.valid_share.filter(|_| !names.iter().any(|n| n == "valid"));
    if let Some(column) = tables[0].columns.iter().find(|c| share.is_some() && c.stride < c.width()) {
        let message =
            format!("the samples of column `{}` overlap: those set aside would be trained on, too", column.name);
        return Err(DataError::new(Kind::Request, message)
            .help("divide the text: `train = text(.., to = 0.9)` and `valid = text(.., from = 0.9)`"));
    }
    let notes = tables.iter().flat_map(|t| t.notes.clone()).collect();
    let parts = partition(tables[0].count, share, settings.subset, spec.seed)?;
    let widths: Vec<usize> = spec.fields.iter().map(Field::width).collect();
    let empty = |name: &str, count| Split {
        name: name.to_string(),
        count,
        columns: vec![],
        widths: widths.clone(),
        double: spec.double,
    };
    let mut splits = vec![empty("train", parts.training.len())];
    if share.is_some() {
        splits.push(empty("valid", parts.validation.len()));
    }
    splits.extend(names.iter().zip(&tables).skip(1).map(|(name, table)| empty(name, table.count)));
    let (trained, places) = read_columns(spec, &tables)?;
    let mut classes = vec![];
    for (i, field) in spec.fields.iter().enumerate() {
        let columns = taken(i, &mut tables, &places)?;
        classes.push(class_names(field, &names, &columns)?);
        let mut rows = match field.element {
            Element::Number => numbers(field, columns, &parts, spec.double)?,
            Element::Class(n) => labels(field, n, columns, &parts)?,
        };
        if let (Rows::Classes { values, .. }, Element::Class(n), Some(noise)) =
            (&mut rows[0], field.element, settings.noise)
        {
            disturb(values, &parts.training, n, noise, spec.seed);
        }
        splits.iter_mut().zip(rows).for_each(|(split, rows)| split.columns.push(rows));
    }
    Ok(DataSet { name: spec.name.clone(), fields: spec.fields.clone(), names: classes, trained, splits, notes })
}

/// What the fields of a data block read in its training split, of which nothing else is opened.
///
/// # Errors
/// As [`load`].
pub fn trained(spec: &Spec) -> Result<Trained> {
    let splits = spec.splits.iter().filter(|(name, _)| name == "train").cloned().collect();
    let spec = Spec { splits, ..spec.clone() };
    let (_, tables) = sources(&spec)?;
    read_columns(&spec, &tables).map(|(trained, _)| trained)
}

/// The places of the columns that each field reads in each table, `train` first.
type Places = Vec<Vec<Vec<usize>>>;

/// Finds the columns of all fields in all tables, by names.
fn read_columns(spec: &Spec, tables: &[Table]) -> Result<(Trained, Places)> {
    let record = spec.record.as_ref();
    let reference = Reference::new(&tables[0], &spec.fields, record)?;
    let in_table = |table: &Table| -> Result<Vec<Vec<usize>>> {
        spec.fields.iter().map(|f| columns::places(&origin(f).0, table, reference.as_ref())).collect()
    };
    let places = tables.iter().map(in_table).collect::<Result<Vec<_>>>()?;
    columns::given_away(&spec.fields, &places[0], &tables[0])?;
    let trained = columns::trained(&spec.fields, &places[0], &tables[0], reference.as_ref());
    record.map_or(Ok(()), |record| record::as_trained(&trained, record))?;
    Ok((trained, places))
}

/// All splits' tables, `train` first; sources of single fields become columns of `train`.
fn sources(spec: &Spec) -> Result<(Vec<String>, Vec<Table>)> {
    let mut names = Vec::new();
    let mut tables = Vec::new();
    for (name, origin) in &spec.splits {
        let table = match origin {
            Origin::Call(call) => source::load(call, &spec.files, &spec.fields)?,
            Origin::Table(table) => table.clone(),
        };
        if table.count == 0 {
            return Err(DataError::new(Kind::Mismatch, format!("the split `{name}` has no samples")));
        }
        let table = at_most(table, spec.at_most);
        let place = if name == "train" { 0 } else { names.len() };
        names.insert(place, name.clone());
        tables.insert(place, table);
    }
    for field in spec.fields.iter().filter(|f| f.columns.is_empty()) {
        let call = field.transforms.first().ok_or_else(|| {
            DataError::new(Kind::Request, format!("field `{}` has no source", field.name))
                .help("name a column of the data")
        })?;
        let (count, column) = source::own(call, &spec.files)?;
        let column = Column { name: own_column(field), ..column };
        let Table { count, columns, .. } = at_most(Table::new(count, vec![column]), spec.at_most);
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
        tables[0].columns.extend(columns);
    }
    match names.first().map(String::as_str) {
        Some("train") => Ok((names, tables)),
        _ => Err(DataError::new(Kind::Request, format!("data `{}` has no split `train`", spec.name))
            .help("say where training samples come from: `train = ..`")),
    }
}

/// No more samples than asked for, evenly spaced.
fn at_most(table: Table, most: Option<usize>) -> Table {
    match most {
        Some(most) if most < table.count => table.thinned(most),
        _ => table,
    }
}

/// The name under which a field's own source stands among the columns: none a user could write.
fn own_column(field: &Field) -> String {
    format!("= {}", field.name)
}

/// The columns a field reads, and the transforms that remain.
fn origin(field: &Field) -> (Vec<String>, &[Call]) {
    if field.columns.is_empty() {
        (vec![own_column(field)], &field.transforms[1..])
    } else {
        (field.columns.clone(), &field.transforms)
    }
}

/// What field number `i` reads from each split, with the number of its samples; what no later field reads is taken away.
fn taken(i: usize, tables: &mut [Table], places: &Places) -> Result<Vec<(usize, Column)>> {
    let column = |(table, places): (&mut Table, &Vec<Vec<usize>>)| {
        let later = |place: usize| places[i + 1..].iter().any(|p| p.contains(&place));
        Ok((table.count, table.take(&places[i], later)?))
    };
    tables.iter_mut().zip(places).map(column).collect()
}

/// What the classes are called, which all splits must agree in.
fn class_names(field: &Field, splits: &[String], columns: &[(usize, Column)]) -> Result<Vec<String>> {
    let first = &columns[0].1.names;
    let Some(other) = columns.iter().position(|(_, c)| c.names != *first) else { return Ok(first.clone()) };
    let odd = record::only_one_has(first, &columns[other].1.names).map_or("", |n| n);
    let message = format!(
        "field `{}`: the splits `train` and `{}` do not have the same classes: only one of them has `{}`",
        field.name,
        splits[other],
        cut(odd)
    );
    Err(DataError::new(Kind::Mismatch, message).help("classes are numbered by their names, so both must have them all"))
}

/// A field of numbers in each split.
fn numbers(
    field: &Field,
    columns: Vec<(usize, Column)>,
    parts: &partition::Partition,
    double: bool,
) -> Result<Vec<Rows>> {
    let (_, transforms) = origin(field);
    let shape = columns[0].1.shape.clone();
    let mut splits = Vec::new();
    for (i, (count, column)) in columns.into_iter().enumerate() {
        if column.shape != shape {
            return Err(uneven(field, &shape, &column.shape).help("all splits must have samples of one shape"));
        }
        let (width, file) = (column.width(), column.file.clone());
        let elements = Elements::of(column)?;
        if i == 0 && parts.training.len() < count {
            let lists = parts.lists();
            let part = |(elements, samples)| Part { elements, samples: Some(samples), file: file.clone() };
            splits.extend(elements.parted(width, &lists).into_iter().zip(lists).map(part));
        } else {
            splits.push(Part { elements, samples: None, file });
        }
    }
    Pipeline { shape, splits, double }.run(field, transforms)
}

/// A field of classes in each split; the only transform that it can have is `reshape`.
fn labels(
    field: &Field,
    classes: usize,
    columns: Vec<(usize, Column)>,
    parts: &partition::Partition,
) -> Result<Vec<Rows>> {
    let (_, transforms) = origin(field);
    let mut splits = Vec::new();
    for (i, (count, column)) in columns.into_iter().enumerate() {
        let (width, divides) = (column.width(), i == 0 && parts.training.len() < count);
        let orders = orders(field, transforms, &column.shape)?;
        // Windows that are divided, or whose axes are moved, are written out.
        let stride = if divides { width } else { column.stride };
        let mut values = divided(column.classes(classes)?, column.stride, width, divides.then_some(parts));
        if !orders.is_empty() && stride < width {
            let message = format!("field `{}`: the axes of windows that overlap cannot be moved", field.name);
            return Err(DataError::new(Kind::Request, message));
        }
        for (shape, order) in &orders {
            values.iter_mut().for_each(|values| *values = shape::permuted(values, shape, order));
        }
        splits.extend(values.into_iter().map(|values| Rows::Classes { values, stride }));
    }
    Ok(splits)
}

/// The steps of a field of classes that move axes, each with the shape before it; the field's shape comes out.
fn orders(field: &Field, steps: &[Call], from: &[usize]) -> Result<Vec<(Vec<usize>, Vec<usize>)>> {
    let (mut shape, mut orders) = (from.to_vec(), vec![]);
    for step in steps {
        match (step.name.as_str(), arguments::order(step)) {
            ("reshape", _) => {
                transform::reshapes(field, &shape)?;
                shape = field.dims.clone();
            }
            (_, Some(order)) => {
                transform::permutes(field, &shape, &order)?;
                let after = shape::permuted_shape(&shape, &order);
                orders.push((std::mem::replace(&mut shape, after), order));
            }
            (name, None) => {
                let message = format!("field `{}` is a class, to which `{name}` cannot be applied", field.name);
                return Err(DataError::new(Kind::Request, message).help("declare the field as numbers"));
            }
        }
    }
    if shape == field.dims {
        Ok(orders)
    } else {
        Err(uneven(field, &field.dims, &shape).help(shape::advice(&shape, &field.dims)))
    }
}

fn uneven(field: &Field, expected: &[usize], got: &[usize]) -> DataError {
    let message = format!("field `{}`: a split gives {got:?} where {expected:?} is expected", field.name);
    DataError::new(Kind::Mismatch, message)
}

/// The training split's values for training and, if there are any, for validation; another split's as they are.
fn divided<T: Copy>(values: Vec<T>, stride: usize, width: usize, parts: Option<&partition::Partition>) -> Vec<Vec<T>> {
    let Some(parts) = parts else { return vec![values] };
    let pick = |samples: &[u32]| {
        let row = |s: &u32| *s as usize * stride..*s as usize * stride + width;
        samples.iter().flat_map(|s| &values[row(s)]).copied().collect()
    };
    parts.lists().into_iter().map(pick).collect()
}

/// The settings of [`nnc_core::catalogue::SETTINGS`].
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
            let param = SETTINGS.iter().find(|p| p.name == name && p.takes.admits(value));
            match (param.map(|p| p.name), value) {
                (Some("samples"), Value::Number(x)) => settings.samples = Some(*x as usize),
                (Some("noise"), Value::Number(x)) => settings.noise = Some(*x),
                (Some(_), Value::Number(x)) => settings.subset = Some(*x),
                _ => {
                    return Err(DataError::new(
                        Kind::Request,
                        format!("`{name}` is no setting of a data block with such a value"),
                    ));
                }
            }
        }
        Ok(settings)
    }
}
