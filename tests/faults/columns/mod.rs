//! Columns of tables and arrays: names decide, and no value is lost.

mod arrays;
mod forms;
mod names;
mod precision;

use crate::common::Folder;
use runtime::data::{self, Call, DataSet, Element, Field, Files, LIMIT, Origin, Spec, Value};

/// `csv("a.csv", label = "kind")` as a data block has it: a positional text, then named arguments.
fn call(name: &str, file: &str, named: &[(&str, Value)]) -> Call {
    let file = (None, Value::Text(file.to_string()));
    let named = named.iter().map(|(n, v)| (Some((*n).to_string()), v.clone()));
    Call { name: name.to_string(), args: std::iter::once(file).chain(named).collect() }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_string())
}

/// A field of numbers: `x: [dims] = [columns] |> steps`.
fn field(name: &str, dims: &[usize], columns: &[&str], steps: &[(&str, &[f64])]) -> Field {
    let step = |(name, args): &(&str, &[f64])| Call {
        name: (*name).to_string(),
        args: args.iter().map(|x| (None, Value::Number(*x))).collect(),
    };
    Field {
        name: name.to_string(),
        dims: dims.to_vec(),
        element: Element::Number,
        columns: columns.iter().map(|c| (*c).to_string()).collect(),
        transforms: steps.iter().map(step).collect(),
    }
}

fn class(name: &str, classes: usize, column: &str) -> Field {
    Field { element: Element::Class(classes), ..field(name, &[], &[column], &[]) }
}

fn spec(folder: &Folder, splits: &[(&str, Call)], fields: &[Field], double: bool) -> Spec {
    Spec {
        name: "d".to_string(),
        splits: splits.iter().map(|(n, c)| ((*n).to_string(), Origin::Call(c.clone()))).collect(),
        fields: fields.to_vec(),
        settings: vec![],
        valid_share: None,
        at_most: None,
        seed: 1,
        double,
        record: None,
        files: Files { folders: vec![folder.0.clone()], limit: LIMIT },
    }
}

/// The data set, or the message that refuses it.
fn load(folder: &Folder, splits: &[(&str, Call)], fields: &[Field]) -> Result<DataSet, String> {
    data::load(&spec(folder, splits, fields, false)).map_err(|e| e.to_string())
}

/// All values of a field in a split.
fn values(set: &DataSet, split: &str, field: usize) -> Vec<f64> {
    let rows = set.split(split).expect("the split");
    let mut out = vec![0.0; rows.count * rows.widths[field]];
    rows.numbers(field, &(0..rows.count as u32).collect::<Vec<_>>(), &mut out);
    out
}
