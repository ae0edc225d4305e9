//! Axes of samples: moved by `permute`, and never taken for one another.

use super::images::{field, loaded, values};
use crate::common::Folder;
use runtime::data::{Call, Value};

/// Two samples of 2 x 2 pixels with three channels last: channel c of pixel p of sample s is 100 s + 10 p + c.
fn channels_last(folder: &Folder) {
    let pixel = |s: u8| (0..4u8).flat_map(move |p| (0..3u8).map(move |c| 100 * s + 10 * p + c));
    let head = [0, 0, 8, 4].into_iter().chain([2u32, 2, 2, 3].into_iter().flat_map(u32::to_be_bytes));
    folder.write("images", head.chain((0..2).flat_map(pixel)).collect::<Vec<u8>>());
    folder.write("labels", [0, 0, 8, 1, 0, 0, 0, 2, 0, 1]);
}

fn permute(order: &[f64]) -> Call {
    let order = Value::List(order.iter().map(|x| Value::Number(*x)).collect());
    Call { name: "permute".to_string(), args: vec![(None, order)] }
}

fn step(name: &str) -> Call {
    Call { name: name.to_string(), args: vec![] }
}

const IDX: (&str, &[&str]) = ("idx", &["images", "labels"]);

#[test]
fn channels_last_become_channels_first() {
    let folder = Folder::new("axes");
    channels_last(&folder);
    let set = loaded(&folder, IDX, &[], field(&[3, 2, 2], vec![permute(&[2.0, 0.0, 1.0])])).expect("loaded");
    // numpy.transpose(x, (0, 3, 1, 2)) of the second sample.
    assert_eq!(values(&set, 1), [100.0, 110.0, 120.0, 130.0, 101.0, 111.0, 121.0, 131.0, 102.0, 112.0, 122.0, 132.0]);
    // Bytes that stand for other numbers in each channel: the statistics are those of the channels before they move.
    let before = vec![step("standardize"), permute(&[1.0, 0.0, 2.0])];
    let set = loaded(&folder, IDX, &[], field(&[2, 2, 3], before)).expect("loaded");
    let plain = loaded(&folder, IDX, &[], field(&[2, 2, 3], vec![step("standardize")])).expect("loaded");
    let (moved, plain) = (values(&set, 0), values(&plain, 0));
    assert_eq!(moved[3..6], plain[6..9]);
    assert_eq!(moved[6..9], plain[3..6]);
}

#[test]
fn no_reshape_scrambles_and_none_is_advised() {
    let folder = Folder::new("axes");
    channels_last(&folder);
    let said = |dims: &[usize], steps: Vec<Call>| {
        loaded(&folder, IDX, &[], field(dims, steps)).expect_err("refused").to_string()
    };
    for steps in [vec![], vec![step("reshape")]] {
        let said = said(&[3, 2, 2], steps);
        assert!(said.contains("permute([2, 0, 1])") && !said.contains("add `|> reshape`"), "{said}");
    }
    let message = said(&[3, 4], vec![]);
    assert!(!message.contains("reshape"), "{message}");
    let message = said(&[3, 2, 2], vec![permute(&[1.0, 0.0])]);
    assert!(message.contains("is for 2 axes, but a sample has 3"), "{message}");
    // What keeps neighbours is still advised, and done.
    assert!(said(&[12], vec![]).contains("add `|> reshape`"));
    assert!(loaded(&folder, IDX, &[], field(&[4, 3], vec![step("reshape")])).is_ok());
}
