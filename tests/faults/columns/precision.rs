//! Values of a file are computed with in 64 bits and rounded once, to the numbers of the run.

use super::{call, field, load, spec, text, values};
use crate::common::Folder;
use runtime::data::{self, Call, Field, Origin, Value};

/// What a field makes of a column of numbers in a CSV file.
fn made(numbers: &[String], steps: &[(&str, &[f64])], double: bool) -> Result<Vec<f64>, String> {
    let folder = Folder::new("precision");
    folder.write("t.csv", format!("t\n{}\n", numbers.join("\n")));
    of(&folder, call("csv", "t.csv", &[]), &[field("x", &[], &["t"], steps)], double)
}

fn of(folder: &Folder, source: Call, fields: &[Field], double: bool) -> Result<Vec<f64>, String> {
    let set = data::load(&spec(folder, &[("train", source)], fields, double)).map_err(|e| e.to_string())?;
    Ok(values(&set, "train", 0))
}

fn distinct(values: &[f64]) -> usize {
    let mut bits: Vec<u64> = values.iter().map(|x| x.to_bits()).collect();
    bits.sort_unstable();
    bits.dedup();
    bits.len()
}

/// One thousand seconds from a time in 2023 on.
fn seconds() -> Vec<String> {
    (0..1000).map(|i| (1_700_000_000u64 + i).to_string()).collect()
}

/// The numbers 0 to n-1 have the mean (n-1)/2 and the variance (n^2-1)/12, wherever they begin.
fn standard(n: usize, i: usize) -> f64 {
    let n = n as f64;
    (i as f64 - (n - 1.0) / 2.0) / ((n * n - 1.0) / 12.0).sqrt()
}

#[test]
fn seconds_since_1970_stay_apart() {
    for double in [false, true] {
        let bound = if double { 1e-13 } else { 1e-7 };
        let got = made(&seconds(), &[("standardize", &[])], double).expect("read");
        assert_eq!(distinct(&got), 1000);
        got.iter().enumerate().for_each(|(i, x)| assert!((x - standard(1000, i)).abs() < bound, "{i}: {x}"));
        // Steps before and after are not rounded in between.
        let steps: [(&str, &[f64]); 3] = [("shift", &[-1_700_000_000.0]), ("scale", &[0.1]), ("standardize", &[])];
        let got = made(&seconds(), &steps, double).expect("read");
        got.iter().enumerate().for_each(|(i, x)| assert!((x - standard(1000, i)).abs() < bound, "{i}: {x}"));
        let steps: [(&str, &[f64]); 2] = [("shift", &[-1_700_000_000.0]), ("scale", &[0.1])];
        let got = made(&seconds(), &steps, double).expect("read");
        let rounded = |x: f64| if double { x } else { f64::from(x as f32) };
        got.iter().enumerate().for_each(|(i, x)| assert_eq!(*x, rounded(i as f64 * 0.1)));
    }
    assert_eq!(distinct(&made(&seconds(), &[], true).expect("read")), 1000);
}

/// A number that 32 bits would round is whole in a run of 64 bits, from every kind of file.
#[test]
fn every_source_keeps_64_bits() {
    let folder = Folder::new("sources");
    let value = 0.1 + 1e-12;
    let elements: Vec<u8> = [value, 1.0, 1e300].iter().flat_map(|x: &f64| x.to_le_bytes()).collect();
    let npy = super::arrays::file("'<f8'", false, "(3,)", &elements);
    folder.write("x.npy", &npy);
    folder.write("x.npz", super::arrays::archive(&[("x", npy)]));
    folder.write("t.csv", format!("x\n{value:?}\n1\n1e300\n"));
    let big: Vec<u8> = [value, 1.0, 1e300].iter().flat_map(|x: &f64| x.to_be_bytes()).collect();
    folder.write("x.idx", [&[0, 0, 0x0e, 1, 0, 0, 0, 3][..], &big].concat());
    folder.write("y.idx", [0, 0, 8, 1, 0, 0, 0, 3, 0, 1, 2]);
    let x = [field("x", &[], &["x"], &[])];
    let mut idx = call("idx", "x.idx", &[]);
    idx.args.push((None, text("y.idx")));
    for source in [call("npy", "x.npy", &[]), call("npz", "x.npz", &[]), call("csv", "t.csv", &[])] {
        assert_eq!(of(&folder, source, &x, true), Ok(vec![value, 1.0, 1e300]));
    }
    assert_eq!(of(&folder, idx, &[field("x", &[], &["image"], &[])], true), Ok(vec![value, 1.0, 1e300]));
    // Points that are made are those of the formula, of which 32 bits are the rounding.
    let moons = || Call { name: "moons".into(), args: vec![(None, Value::Number(8.0))] };
    let point = [field("x", &[2], &["point"], &[])];
    let (double, single) = (of(&folder, moons(), &point, true), of(&folder, moons(), &point, false));
    let (double, single) = (double.expect("made"), single.expect("made"));
    assert!(double.iter().zip(&single).all(|(d, s)| f64::from(*d as f32) == *s) && double != single);
    // Several columns that become one vector, and samples made by a rule before.
    let table = data::Table::new(1, vec![data::Column::new("x", vec![], data::Values::Doubles(vec![value]))]);
    let mut made = spec(&folder, &[], &[field("v", &[2], &["x", "x"], &[])], true);
    made.splits = vec![("train".to_string(), Origin::Table(table))];
    assert_eq!(values(&data::load(&made).expect("made"), "train", 0), [value, value]);
}

#[test]
fn what_the_numbers_of_the_run_cannot_hold_is_refused() {
    let large = ["1".to_string(), "1e39".to_string()];
    let said = made(&large, &[], false).expect_err("more than 3.4e38");
    assert!(said.contains("t.csv, sample 2") && said.contains("1e39") && said.contains("precision = f64"), "{said}");
    assert_eq!(made(&large, &[("scale", &[1e-39])], false), Ok(vec![f64::from(1e-39f32), 1.0]));
    assert_eq!(made(&large, &[], true), Ok(vec![1.0, 1e39]));
    let said = made(&large, &[("scale", &[1e300])], true).expect_err("more than 1.8e308");
    assert!(said.contains("sample 2") && said.contains("64 bits"), "{said}");
    // 2^53 + 1 is no number of 64 bits, 2^53 and 2^60 are.
    for inexact in ["9007199254740993", "-9007199254740993", "123456789012345678901234567890123456789012345678901"] {
        let said = made(&["1".to_string(), inexact.to_string()], &[], true).expect_err(inexact);
        assert!(said.contains("t.csv:3:1") && said.contains("2^53"), "{said}");
    }
    let exact = ["9007199254740992".to_string(), "1152921504606846976".to_string()];
    assert_eq!(made(&exact, &[], true), Ok(vec![9_007_199_254_740_992.0, 1_152_921_504_606_846_976.0]));
}

/// Equal numbers deviate by nothing, although their sum is rounded.
#[test]
fn constants_become_zero() {
    for double in [false, true] {
        let tenths = vec!["0.1".to_string(); 7];
        assert_eq!(made(&tenths, &[("standardize", &[])], double), Ok(vec![0.0; 7]));
        assert_eq!(made(&tenths, &[("scale", &[3.3]), ("standardize", &[])], double), Ok(vec![0.0; 7]));
    }
    // Bytes, too: seven pixels of 3, made 0.3.
    let folder = Folder::new("constants");
    folder.write("x.npy", super::arrays::file("'|u1'", false, "(7,)", &[3; 7]));
    let x = [field("x", &[], &["x"], &[("scale", &[0.1]), ("standardize", &[])])];
    assert_eq!(of(&folder, call("npy", "x.npy", &[]), &x, true), Ok(vec![0.0; 7]));
}

/// Bytes and numbers go through the same steps to the same values, and statistics are those of the training split.
#[test]
fn bytes_are_numbers() {
    let folder = Folder::new("bytes");
    let bytes: Vec<u8> = (0..24u8).map(|i| i * 7 % 11).collect();
    let wide: Vec<u8> = bytes.iter().flat_map(|b| f64::from(*b).to_le_bytes()).collect();
    folder.write("b.npy", super::arrays::file("'|u1'", false, "(4, 2, 3)", &bytes));
    folder.write("f.npy", super::arrays::file("'<f8'", false, "(4, 2, 3)", &wide));
    for steps in [
        &[("standardize", &[][..])][..],
        &[("scale", &[1.0 / 255.0]), ("standardize", &[]), ("shift", &[0.5])],
        &[("standardize", &[]), ("standardize", &[]), ("scale", &[-2.0])],
    ] {
        for double in [false, true] {
            let x = [field("x", &[2, 3], &["x"], steps)];
            let got = |file: &str| of(&folder, call("npy", file, &[]), &x, double).expect("read");
            let near = |(a, b): (&f64, &f64)| (a - b).abs() <= if double { 1e-14 } else { 1e-6 };
            assert!(got("b.npy").iter().zip(&got("f.npy")).all(near), "{steps:?} {double}");
        }
    }
    folder.write("t.csv", "t\n1\n3\n");
    folder.write("u.csv", "t\n4\n");
    let splits = [("train", call("csv", "t.csv", &[])), ("test", call("csv", "u.csv", &[]))];
    let set = load(&folder, &splits, &[field("x", &[], &["t"], &[("standardize", &[])])]).expect("read");
    assert_eq!((values(&set, "train", 0), values(&set, "test", 0)), (vec![-1.0, 1.0], vec![2.0]));
}
