//! First and second derivatives of forty functions, in both modes, beside those of another system in double precision:
//! at ordinary points, at zero, at ties and at infinity. `derivatives.py` made the table; where nnc says something else
//! on purpose, its last columns have what and why.

use super::{derivative_of, function_of, value_at};
use crate::common::{repository, text};
use compiler::symbolic::Mode;
use std::collections::BTreeMap;

/// A line of the table.
struct Row {
    function: String,
    point: Vec<f64>,
    by: Vec<String>,
    value: f64,
}

fn rows() -> Vec<Row> {
    let table = text(&repository("tests/faults/numbers/derivatives.csv"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(';').collect();
        let [function, point, by, theirs, ours, why] = cells[..] else { panic!("six cells, not {line}") };
        assert_eq!(ours.is_empty(), why.is_empty(), "a deviation has a reason: {line}");
        let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("`{text}` of {line}"));
        Row {
            function: function.to_string(),
            point: point.split(' ').map(number).collect(),
            by: by.split(' ').map(str::to_string).collect(),
            value: number(if ours.is_empty() { theirs } else { ours }),
        }
    };
    table.lines().filter(|l| !l.starts_with('#')).map(row).collect()
}

/// Equal, or apart by a few roundings of the terms that a derivative is a sum of.
fn agree(found: f64, wanted: f64) -> bool {
    found == wanted || found.is_nan() && wanted.is_nan() || (found - wanted).abs() <= 1e-13 * (1.0 + wanted.abs())
}

#[test]
fn derivatives_are_those_of_the_table_in_both_modes() {
    let text = text(&repository("tests/faults/numbers/derivatives.nn"));
    let (mut wrong, mut seen) = (vec![], BTreeMap::new());
    for Row { function, point, by, value } in rows() {
        let module = seen.entry(function.clone()).or_insert_with(|| function_of(&text, &function)).clone();
        let by: Vec<&str> = by.iter().map(String::as_str).collect();
        let arguments: Vec<(&str, f64)> = ["x", "y"].into_iter().zip(point).collect();
        for mode in [Mode::Reverse, Mode::Forward] {
            let derivative = derivative_of(module.clone(), &by, mode);
            let mut known = arguments.clone();
            known.extend(["direction.x", "direction.y"].map(|d| (d, 1.0)));
            let found = value_at(&derivative.module, &known);
            if !agree(found, value) {
                wrong.push(format!("{function} by {by:?} at {arguments:?}, {mode:?}: {found}, not {value}"));
            }
        }
    }
    assert!(seen.len() >= 35, "{:?}", seen.keys());
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
}
