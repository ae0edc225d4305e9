//! Folders of images: `CLASS/NAME.png` or `.jpg`. The classes are the folders in the order of their names. Images become grey
//! or coloured as the fields that read them are declared.

use super::files::Files;
use super::members::{Member, gather};
use super::picture;
use super::spec::Field;
use super::table::{Column, Table, Values};
use crate::error::{DataError, Kind, Result};
use crate::thread::started;
use image::DynamicImage;
use image::imageops::FilterType;
use std::path::{Path, PathBuf};

/// What the call asks of the images.
#[derive(Clone, Copy)]
pub struct Form {
    /// Height and width to resize them to; without one, all must have one size.
    pub size: Option<[u32; 2]>,
    /// The grey value that transparent pixels lie on.
    pub background: Option<f64>,
}

/// Columns `image` ([1, h, w] or [3, h, w], values 0 to 255, or to 65535 where 16 bits are stored) and `label`.
///
/// # Errors
/// If there is no such folder or archive, it holds no images, or one of them is broken or does not fit the others.
pub fn load(files: &Files, folder: &str, form: Form, fields: &[Field]) -> Result<Table> {
    let (place, members) = gather(files, folder, picture::FILE, is_image)?;
    if members.is_empty() {
        return Err(DataError::new(Kind::Malformed, "no images are here")
            .help("images lie in one folder for each class, such as cat/0001.png; they end in .png, .jpg or .jpeg")
            .in_file(&place));
    }
    let class = |m: &Member| m.name.split('/').next().unwrap_or_default().to_string();
    let mut names: Vec<String> = members.iter().map(class).collect();
    names.dedup();
    let labels = members.iter().map(|m| names.partition_point(|n| *n < class(m)) as i32).collect();
    let decoding = Decoding { members: &members, form, limit: files.limit, place: &place };
    let (shape, pixels, note) = decoding.run(channels(fields))?;
    let image = Column { file: Some(place.clone()), ..Column::new("image", shape, pixels) };
    let label = Column { file: Some(place), names, ..Column::new("label", vec![], Values::Integers(labels)) };
    Ok(Table { notes: note.into_iter().collect(), ..Table::new(members.len(), vec![image, label]) })
}

fn is_image(name: &str) -> bool {
    let ending = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    name.contains('/') && ["png", "jpg", "jpeg"].contains(&ending.as_str())
}

/// The channels of the first field of three axes that reads images, wherever it moves them to.
fn channels(fields: &[Field]) -> Option<usize> {
    let mut reading = fields.iter().filter(|f| f.columns.iter().any(|c| c == "image"));
    let field = reading.find(|f| f.dims.len() == 3)?;
    let mut moved = field.transforms.iter().filter_map(super::arguments::order);
    let axis = moved.try_fold(0, |axis, order| order.iter().position(|from| *from == axis));
    axis.and_then(|axis| field.dims.get(axis).copied())
}

/// All images of a folder on their way to one column.
struct Decoding<'a> {
    members: &'a [Member],
    form: Form,
    limit: u64,
    place: &'a Path,
}

/// What all images of a column have in common.
#[derive(Clone, Copy)]
struct Frame {
    channels: usize,
    width: u32,
    height: u32,
    /// Whether 16 bits a channel are stored, not 8.
    deep: bool,
}

impl Decoding<'_> {
    /// The extents of an image, all pixels, channel by channel of each image, and what is worth a note. Decoded on all
    /// cores; the result does not depend on how many there are.
    fn run(&self, channels: Option<usize>) -> Result<(Vec<usize>, Values, Option<String>)> {
        let first = self.open(&self.members[0])?;
        let (width, height) = (first.width(), first.height());
        let channels = self.checked(channels.unwrap_or(if first.color().has_color() { 3 } else { 1 }))?;
        let frame = Frame { channels, width, height, deep: is_deep(&first) };
        let elements = channels * width as usize * height as usize;
        let bytes = (self.members.len() as u64).saturating_mul(elements as u64 * if frame.deep { 4 } else { 1 });
        if bytes > self.limit {
            let message = format!(
                "{} images of {width} x {height} pixels are more than the limit of {} MiB",
                self.members.len(),
                self.limit >> 20
            );
            return Err(DataError::new(Kind::TooLarge, message).help("resize them, or keep fewer").in_file(self.place));
        }
        let all = elements * self.members.len();
        let (values, coloured) = if frame.deep {
            let mut pixels = vec![0.0; all];
            let coloured = self.fill(frame, &mut pixels, |image| match frame.channels {
                1 => image.to_luma16().as_raw().iter().map(|v| f32::from(*v)).collect(),
                _ => image.to_rgb16().as_raw().iter().map(|v| f32::from(*v)).collect(),
            })?;
            (Values::Numbers(pixels), coloured)
        } else {
            let mut pixels = vec![0; all];
            let coloured = self.fill(frame, &mut pixels, |image| match frame.channels {
                1 => image.to_luma8().into_raw(),
                _ => image.to_rgb8().into_raw(),
            })?;
            (Values::Bytes(pixels), coloured)
        };
        Ok((vec![channels, height as usize, width as usize], values, self.mixed(frame, &coloured)))
    }

    fn checked(&self, channels: usize) -> Result<usize> {
        if matches!(channels, 1 | 3) {
            return Ok(channels);
        }
        let message =
            format!("an image has 1 channel (grey) or 3 (red, green, blue), but the field is declared with {channels}");
        let help =
            "declare the field [1, h, w] or [3, h, w]; for channels last, [h, w, 3] = image |> permute([1, 2, 0])";
        Err(DataError::new(Kind::Mismatch, message).help(help).in_file(self.place))
    }

    /// Decodes an image, and resizes it if asked to.
    fn open(&self, member: &Member) -> Result<DynamicImage> {
        let image = picture::decode(&member.bytes, self.form.background).map_err(|e| e.in_file(&self.file(member)))?;
        Ok(match self.form.size {
            Some([height, width]) if (image.width(), image.height()) != (width, height) => {
                image.resize_exact(width, height, FilterType::Triangle)
            }
            _ => image,
        })
    }

    fn file(&self, member: &Member) -> PathBuf {
        self.place.join(&member.name)
    }

    /// Writes the channels of all images, which `pixels` gives pixel by pixel; for each image, whether it has colours.
    fn fill<T: Copy + Send>(
        &self,
        frame: Frame,
        out: &mut [T],
        pixels: impl Fn(&DynamicImage) -> Vec<T> + Sync,
    ) -> Result<Vec<bool>> {
        let elements = out.len() / self.members.len();
        let share = self.members.len().div_ceil(std::thread::available_parallelism().map_or(1, usize::from));
        let part = |(members, out): (&[Member], &mut [T])| -> Result<Vec<bool>> {
            let one = |(member, out): (&Member, &mut [T])| {
                let image = self.open(member)?;
                self.fits(frame, member, &image)?;
                let plane = elements / frame.channels;
                for (i, pixel) in pixels(&image).chunks_exact(frame.channels).enumerate() {
                    pixel.iter().enumerate().for_each(|(channel, value)| out[channel * plane + i] = *value);
                }
                Ok(image.color().has_color())
            };
            members.iter().zip(out.chunks_exact_mut(elements)).map(one).collect()
        };
        let parts = self.members.chunks(share).zip(out.chunks_mut(share * elements));
        let results: Vec<Result<Vec<bool>>> = std::thread::scope(|scope| {
            let part = &part;
            let start = |p| {
                started(|begin| {
                    let body = move || {
                        drop(begin);
                        part(p)
                    };
                    std::thread::Builder::new().spawn_scoped(scope, body)
                })
            };
            let threads: Vec<_> = parts.map(start).collect();
            let stopped = || Err(DataError::new(Kind::Malformed, "the decoder stopped").in_file(self.place));
            let refused =
                || Err(DataError::new(Kind::Unreadable, "there is no memory for a thread that decodes images"));
            threads.into_iter().map(|t| t.map_or_else(refused, |t| t.join().unwrap_or_else(|_| stopped()))).collect()
        });
        Ok(results.into_iter().collect::<Result<Vec<_>>>()?.concat())
    }

    /// Refuses an image of another size or depth than the first.
    fn fits(&self, frame: Frame, member: &Member, image: &DynamicImage) -> Result<()> {
        let first = &self.members[0].name;
        let (width, height) = (image.width(), image.height());
        let (message, help) = if (width, height) != (frame.width, frame.height) {
            let turned = (height, width) == (frame.width, frame.height);
            let what = if turned { ", turned by a quarter" } else { "" };
            let message = format!(
                "the image has {width} x {height} pixels, but {first} has {} x {}{what}",
                frame.width, frame.height
            );
            (message, format!("ask for one size: images(.., size = [{}, {}])", frame.height, frame.width))
        } else if is_deep(image) != frame.deep {
            let bits = |deep: bool| if deep { 16 } else { 8 };
            let message = format!(
                "the image has {} bits a channel, but {first} has {}: the same number would mean another brightness",
                bits(is_deep(image)),
                bits(frame.deep)
            );
            (message, "save all of them with the same number of bits".to_string())
        } else {
            return Ok(());
        };
        Err(DataError::new(Kind::Mismatch, message).help(help).in_file(&self.file(member)))
    }

    /// What is said where some images have colours and others have none.
    fn mixed(&self, frame: Frame, coloured: &[bool]) -> Option<String> {
        let count = coloured.iter().filter(|c| **c).count();
        if count == 0 || count == coloured.len() {
            return None;
        }
        let becomes = if frame.channels == 1 { "grey" } else { "red, green and blue" };
        let odd = coloured.iter().position(|c| *c == (frame.channels == 1))?;
        Some(format!(
            "{}: {count} of {} images are coloured and {} grey; all become {becomes}, such as {}",
            self.place.display(),
            coloured.len(),
            coloured.len() - count,
            self.members[odd].name
        ))
    }
}

/// Whether 16 bits a channel are stored.
fn is_deep(image: &DynamicImage) -> bool {
    matches!(image, DynamicImage::ImageLuma16(_) | DynamicImage::ImageRgb16(_))
}
