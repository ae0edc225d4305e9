//! Calls the loader or source that the catalogue names.

use super::arguments::Arguments;
use super::files::{Files, LIMIT};
use super::spec::{Call, Field};
use super::table::{Column, Table};
use super::text::{self, Windows};
use super::{cifar, csv, digits, generate, idx, images, mnist1d, npy, npz, parquet};
use crate::error::{DataError, Kind, Result};
use nnc_core::catalogue::{LOADERS, SOURCES};
use std::path::Path;

/// The samples that a loader call yields. What `fields` do not read may be left out, and images take the form that they
/// declare.
///
/// # Errors
/// If the call is not as the catalogue says, or the data cannot be read.
pub fn load(call: &Call, files: &Files, fields: &[Field]) -> Result<Table> {
    let args = Arguments::bind(LOADERS, call)?;
    let seed = args.whole("seed", 0) as u64;
    match args.name() {
        "idx" => idx::load(files, args.needed_text("images"), args.needed_text("labels")),
        "csv" => csv::load(files, args.needed_text("file"), args.truth("header"), args.text("label")),
        "npy" => npy::load(files, args.needed_text("x"), args.text("y")),
        "npz" => npz::load(files, args.needed_text("file"), args.text("part"), fields),
        "images" => images::load(files, args.needed_text("folder"), form(&args)?, fields),
        "cifar10" => cifar::load(&cifar::TEN, files, args.needed_text("folder"), args.needed_text("part")),
        "cifar100" => cifar::load(&cifar::HUNDRED, files, args.needed_text("folder"), args.needed_text("part")),
        "text" => text::load(files, args.needed_text("file"), &windows(&args)?),
        "parquet" => parquet::load(files, args.needed_text("file"), args.text("label")),
        "digits" => digits::load(args.needed_text("part")),
        "mnist1d" => mnist1d::load(args.needed_text("part"), seed),
        _ => in_plane(&args, seed, files),
    }
}

/// Whether a file is a table by its name.
#[must_use]
pub fn is_table(path: &Path) -> bool {
    let name = path.file_name().map_or(String::new(), |n| n.to_string_lossy().to_ascii_lowercase());
    [".csv", ".csv.gz", ".parquet"].iter().any(|end| name.ends_with(end))
}

/// The table of a file, read as the call reads training data; which column is the label is for the training data to say.
///
/// # Errors
/// As [`load`].
pub fn table_like(path: &Path, call: Option<&Call>) -> Result<Table> {
    let files = Files { folders: vec![], limit: LIMIT };
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("parquet")) {
        return parquet::load_at(&files, path, None);
    }
    let header = match call.filter(|c| c.name == "csv") {
        Some(call) => Arguments::bind(LOADERS, call)?.truth("header"),
        None => None,
    };
    csv::load_at(&files, path, header, None)
}

/// What is asked of images.
fn form(args: &Arguments) -> Result<images::Form> {
    let background = args.get("background").map(|_| args.number("background", 0.0));
    if background.is_some_and(|grey| !(0.0..=65535.0).contains(&grey)) {
        return Err(DataError::new(Kind::Request, "`background` is a grey value as the images have them, from 0 on")
            .help("255 is white and 0 black; for images of 16 bits, 65535 is white"));
    }
    Ok(images::Form { size: args.size("size"), background })
}

/// Windows one behind the other from all of a text, unless the call says otherwise.
fn windows(args: &Arguments) -> Result<Windows> {
    let context = args.whole("context", 1);
    let part = (args.number("from", 0.0), args.number("to", 1.0));
    if !(0.0 <= part.0 && part.0 < part.1 && part.1 <= 1.0) {
        return Err(DataError::new(Kind::Request, format!("there is no part from {} to {} of a text", part.0, part.1))
            .help("`from` and `to` are shares of the text, such as from = 0.9, to = 1"));
    }
    Ok(Windows { context, stride: args.whole("stride", context), part })
}

fn in_plane(args: &Arguments, seed: u64, files: &Files) -> Result<Table> {
    let count = counted(args, 2, files)?;
    let classes = args.whole("classes", if args.name() == "blobs" { 3 } else { 2 });
    let classes = u8::try_from(classes)
        .map_err(|_| DataError::new(Kind::Request, format!("`{}` makes at most 255 classes", args.name())))?;
    let noise = |default| args.number("noise", default);
    Ok(match args.name() {
        "moons" => generate::moons(count, noise(0.1), seed),
        "spirals" => generate::spirals(count, classes, args.number("turns", 1.5), noise(0.02), seed),
        "blobs" => generate::blobs(count, classes, noise(0.5), seed),
        _ => generate::xor(count, noise(0.0), seed),
    })
}

/// The column and number of samples of a field's own source, if the call names one.
///
/// # Errors
/// If the call is not as the catalogue says.
pub fn own(call: &Call, files: &Files) -> Result<(usize, Column)> {
    let args = Arguments::bind(SOURCES, call)?;
    let seed = args.whole("seed", 0) as u64;
    let shape = args.extents("shape");
    let width = shape.iter().try_fold(1usize, |a, d| a.checked_mul(*d)).unwrap_or(usize::MAX);
    let count = counted(&args, width, files)?;
    let column = match args.name() {
        "random_normal" => generate::random_normal(count, &shape, seed),
        _ => generate::random_class(count, &shape, args.whole("classes", 1), seed),
    };
    Ok((count, column))
}

/// The argument `count`, if that many samples of `width` numbers stay within the limit.
fn counted(args: &Arguments, width: usize, files: &Files) -> Result<usize> {
    let count = args.whole("count", 0);
    let bytes = (count as u64).saturating_mul(width as u64).saturating_mul(4);
    if bytes > files.limit {
        let message =
            format!("{count} samples of {width} numbers are more than the limit of {} MiB", files.limit >> 20);
        return Err(DataError::new(Kind::TooLarge, message).help("ask for fewer samples"));
    }
    Ok(count)
}
