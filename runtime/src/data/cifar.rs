//! CIFAR's binary version: for each image its label (CIFAR-100: a coarse and a fine one), then 3072 bytes, red, green and
//! blue planes of 32 x 32.

use super::files::Files;
use super::members::{Member, gather};
use super::table::{Column, Table, Values};
use crate::error::{DataError, Kind, Position, Result};

const PIXELS: usize = 3 * 32 * 32;

/// Which of the two sets, and how its files are called.
pub struct Set {
    labels: &'static [&'static str],
    classes: &'static [u8],
    train: &'static [&'static str],
    test: &'static [&'static str],
    /// Files with the names of the classes of each label.
    names: &'static [&'static str],
}

/// CIFAR-10: columns `image` and `label`.
pub const TEN: Set = Set {
    labels: &["label"],
    classes: &[10],
    train: &["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"],
    test: &["test_batch.bin"],
    names: &["batches.meta.txt"],
};

/// CIFAR-100: columns `image`, `coarse` (20 classes) and `label` (100).
pub const HUNDRED: Set = Set {
    labels: &["coarse", "label"],
    classes: &[20, 100],
    train: &["train.bin"],
    test: &["test.bin"],
    names: &["coarse_label_names.txt", "fine_label_names.txt"],
};

/// The images of a part, `train` or `test`, from the folder or archive that holds its files; in any order and depth.
///
/// # Errors
/// If there is no such folder, a file of the part is missing, or one is cut short or holds a label that is no class.
pub fn load(set: &Set, files: &Files, folder: &str, part: &str) -> Result<Table> {
    let wanted = match part {
        "train" => set.train,
        "test" => set.test,
        _ => {
            return Err(
                DataError::new(Kind::Request, format!("there is no part `{part}`")).help("\"train\" or \"test\"")
            );
        }
    };
    let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_string();
    let of_use = |name: &str| [wanted, set.names].concat().contains(&last(name).as_str());
    let (place, members) = gather(files, folder, files.limit, of_use)?;
    let find = |name: &str| members.iter().find(|m| last(&m.name) == name);
    let record = set.labels.len() + PIXELS;
    let mut images = vec![];
    let mut labels = vec![vec![]; set.labels.len()];
    for name in wanted {
        let member = find(name)
            .ok_or_else(|| DataError::new(Kind::Missing, format!("there is no file `{name}`")).in_file(&place))?;
        check(set, member, record).map_err(|e| e.in_file(&place.join(&member.name)))?;
        for one in member.bytes.chunks_exact(record) {
            let (given, pixels) = one.split_at(set.labels.len());
            labels.iter_mut().zip(given).for_each(|(column, label)| column.push(*label));
            images.extend_from_slice(pixels);
        }
    }
    let count = images.len() / PIXELS;
    let image = Column { file: Some(place.clone()), ..Column::new("image", vec![3, 32, 32], Values::Bytes(images)) };
    let named = |((name, labels), names): ((&&str, Vec<u8>), &&str)| Column {
        file: Some(place.clone()),
        names: find(names).map(lines).unwrap_or_default(),
        ..Column::new(name, vec![], Values::Bytes(labels))
    };
    let columns = set.labels.iter().zip(labels).zip(set.names).map(named);
    Ok(Table::new(count, std::iter::once(image).chain(columns).collect()))
}

/// Checks that a file holds whole records with labels that are classes.
fn check(set: &Set, member: &Member, record: usize) -> Result<()> {
    let length = member.bytes.len();
    if length == 0 || !length.is_multiple_of(record) {
        let message = format!("the file has {length} bytes, which is no number of images of {record} bytes");
        return Err(DataError::new(Kind::Malformed, message)
            .at(Position::Byte((length - length % record) as u64))
            .help("the file is cut short or of another format; fetch it again"));
    }
    for (i, one) in member.bytes.chunks_exact(record).enumerate() {
        for (k, (label, classes)) in one.iter().zip(set.classes).enumerate() {
            if label >= classes {
                let message =
                    format!("image {} has the label {label}, which is no class from 0 to {}", i + 1, classes - 1);
                return Err(DataError::new(Kind::BadValue, message).at(Position::Byte((i * record + k) as u64)));
            }
        }
    }
    Ok(())
}

fn lines(member: &Member) -> Vec<String> {
    let text = String::from_utf8_lossy(&member.bytes);
    text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_string).collect()
}
