//! Folders of images: `CLASS/NAME.png` or `.jpg`. The classes are the folders in the order of their names. Images become grey
//! or coloured as the fields that read them are declared.

use super::error::{DataError, Kind, Result};
use super::files::Files;
use super::members::{Member, gather};
use super::spec::Field;
use super::table::{Column, Table, Values};
use image::DynamicImage;
use image::imageops::FilterType;
use std::path::Path;

/// Columns `image` ([1, h, w] or [3, h, w], values 0 to 255) and `label`. With a `size` ([height, width]) images are resized
/// to it, otherwise all must have one size.
///
/// # Errors
/// If there is no such folder or archive, it holds no images, or one of them is broken or does not fit the others.
pub fn load(files: &Files, folder: &str, size: Option<[u32; 2]>, fields: &[Field]) -> Result<Table> {
    let (place, members) = gather(files, folder, is_image)?;
    if members.is_empty() {
        return Err(DataError::new(Kind::Malformed, "no images are here")
            .help("images lie in one folder for each class, such as cat/0001.png; they end in .png, .jpg or .jpeg")
            .in_file(&place));
    }
    let class = |m: &Member| m.name.split('/').next().unwrap_or_default().to_string();
    let mut names: Vec<String> = members.iter().map(class).collect();
    names.dedup();
    let labels = members.iter().map(|m| names.partition_point(|n| *n < class(m)) as i32).collect();
    let (shape, pixels) = decode(&members, size, channels(fields), files.limit, &place)?;
    let image = Column { file: Some(place.clone()), ..Column::new("image", shape, Values::Bytes(pixels)) };
    let label = Column { file: Some(place), names, ..Column::new("label", vec![], Values::Integers(labels)) };
    Ok(Table::new(members.len(), vec![image, label]))
}

fn is_image(name: &str) -> bool {
    let ending = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    name.contains('/') && ["png", "jpg", "jpeg"].contains(&ending.as_str())
}

/// The first extent of the field that reads images as channels, rows and columns, if there is one.
fn channels(fields: &[Field]) -> Option<usize> {
    let mut reading = fields.iter().filter(|f| f.columns.iter().any(|c| c == "image"));
    reading.find(|f| f.dims.len() == 3).map(|f| f.dims[0])
}

/// All pixels, channel by channel of each image, and the extents of one. Decoded on all cores; the result does not depend on
/// how many there are.
fn decode(
    members: &[Member],
    size: Option<[u32; 2]>,
    channels: Option<usize>,
    limit: u64,
    place: &Path,
) -> Result<(Vec<usize>, Vec<u8>)> {
    let first = open(&members[0], size, place)?;
    let channels = match channels {
        Some(1) => 1,
        Some(3) => 3,
        None if !first.color().has_color() => 1,
        None => 3,
        Some(n) => {
            let message =
                format!("an image has 1 channel (grey) or 3 (red, green, blue), but the field is declared [{n}, ..]");
            return Err(DataError::new(Kind::Mismatch, message)
                .help("declare the field [1, h, w] or [3, h, w]")
                .in_file(place));
        }
    };
    let (width, height) = (first.width(), first.height());
    let elements = channels * (width * height) as usize;
    if members.len() as u64 * elements as u64 > limit {
        let message = format!(
            "{} images of {width} x {height} pixels are more than the limit of {} MiB",
            members.len(),
            limit >> 20
        );
        return Err(DataError::new(Kind::TooLarge, message).help("resize them, or keep fewer").in_file(place));
    }
    let mut pixels = vec![0; members.len() * elements];
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let share = members.len().div_ceil(workers);
    let results: Vec<Result<()>> = std::thread::scope(|scope| {
        let parts = members.chunks(share).zip(pixels.chunks_mut(share * elements));
        let decode_part = move |part: &[Member], pixels: &mut [u8]| {
            part.iter().zip(pixels.chunks_exact_mut(elements)).try_for_each(|(member, out)| {
                let image = open(member, size, place)?;
                if (image.width(), image.height()) != (width, height) {
                    return Err(uneven(member, &image, &members[0], (width, height), place));
                }
                write_planes(&image, channels, out);
                Ok(())
            })
        };
        let start = |(part, out)| std::thread::Builder::new().spawn_scoped(scope, move || decode_part(part, out));
        let threads: Vec<_> = parts.map(start).collect();
        let stopped = || Err(undecodable(&"the decoder stopped", place));
        let refused = |e: std::io::Error| Err(DataError::io(&e, "cannot start a thread that decodes images"));
        threads.into_iter().map(|t| t.map_or_else(refused, |t| t.join().unwrap_or_else(|_| stopped()))).collect()
    });
    results.into_iter().collect::<Result<()>>()?;
    Ok((vec![channels, height as usize, width as usize], pixels))
}

/// Decodes an image, and resizes it if asked to.
fn open(member: &Member, size: Option<[u32; 2]>, place: &Path) -> Result<DynamicImage> {
    let image = image::load_from_memory(&member.bytes).map_err(|e| undecodable(&e, &place.join(&member.name)))?;
    Ok(match size {
        Some([height, width]) if (image.width(), image.height()) != (width, height) => {
            image.resize_exact(width, height, FilterType::Triangle)
        }
        _ => image,
    })
}

/// Grey values, or red, green and blue, one channel behind the other.
fn write_planes(image: &DynamicImage, channels: usize, out: &mut [u8]) {
    if channels == 1 {
        out.copy_from_slice(image.to_luma8().as_raw());
        return;
    }
    let plane = out.len() / 3;
    for (i, pixel) in image.to_rgb8().pixels().enumerate() {
        pixel.0.iter().enumerate().for_each(|(channel, value)| out[channel * plane + i] = *value);
    }
}

fn undecodable(error: &dyn std::fmt::Display, file: &Path) -> DataError {
    DataError::new(Kind::Malformed, format!("the image cannot be decoded ({error})"))
        .help("it must be a whole PNG or JPEG file; take it away or replace it")
        .in_file(file)
}

fn uneven(member: &Member, image: &DynamicImage, first: &Member, size: (u32, u32), place: &Path) -> DataError {
    let message = format!(
        "the image has {} x {} pixels, but {} has {} x {}",
        image.width(),
        image.height(),
        first.name,
        size.0,
        size.1
    );
    DataError::new(Kind::Mismatch, message)
        .help(format!("ask for one size: images(.., size = [{}, {}])", size.1, size.0))
        .in_file(&place.join(&member.name))
}
