//! One picture. In: the bytes of a PNG or JPEG file. Out: its pixels, upright and without transparency, in the depth they
//! were stored in; or what is wrong with the file. A file that is cut short or damaged is never half a picture.

use crate::error::{DataError, Kind, Position, Result};
use image::metadata::Orientation;
use image::{
    DynamicImage, ImageBuffer, ImageDecoder, ImageFormat, ImageReader, Limits, Luma, LumaA, Primitive, Rgb, Rgba,
};
use std::io::Cursor;

/// The most bytes of a file with a picture.
pub const FILE: u64 = 64 << 20;
/// The most bytes that a picture has in memory: 64 million pixels of three bytes.
const PIXELS: u64 = 192 << 20;

/// Decodes a picture. What is transparent lies on a `background` of that grey value, if one is said.
///
/// # Errors
/// If the file is no whole picture, is too large, or has transparent pixels that lie on nothing.
pub fn decode(bytes: &[u8], background: Option<f64>) -> Result<DynamicImage> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let mut reader = reader.map_err(|e| undecodable(&e))?;
    match reader.format() {
        Some(ImageFormat::Jpeg) => whole_jpeg(bytes)?,
        Some(ImageFormat::Png) => whole_png(bytes)?,
        _ => return Err(undecodable(&"it begins neither as a PNG nor as a JPEG file does").at(Position::Byte(0))),
    }
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(2 * PIXELS);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|e| undecodable(&e))?;
    let (width, height) = decoder.dimensions();
    if decoder.total_bytes() > PIXELS {
        let message = format!("the image has {width} x {height} pixels, which take more than {} MiB", PIXELS >> 20);
        return Err(DataError::new(Kind::TooLarge, message).help("make it smaller before it is read"));
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(|e| undecodable(&e))?;
    image.apply_orientation(orientation);
    opaque(image, background)
}

/// The picture without its alpha channel, if all of it is opaque or lies on something.
fn opaque(image: DynamicImage, background: Option<f64>) -> Result<DynamicImage> {
    Ok(match image {
        DynamicImage::ImageLumaA8(i) => DynamicImage::ImageLuma8(grey(&i, background)?),
        DynamicImage::ImageLumaA16(i) => DynamicImage::ImageLuma16(grey(&i, background)?),
        DynamicImage::ImageRgba8(i) => DynamicImage::ImageRgb8(coloured(&i, background)?),
        DynamicImage::ImageRgba16(i) => DynamicImage::ImageRgb16(coloured(&i, background)?),
        other => other,
    })
}

type Pixels<P, T> = ImageBuffer<P, Vec<T>>;

fn grey<T: Primitive>(image: &Pixels<LumaA<T>, T>, background: Option<f64>) -> Result<Pixels<Luma<T>, T>>
where
    LumaA<T>: image::Pixel<Subpixel = T>,
    Luma<T>: image::Pixel<Subpixel = T>,
{
    let mut out = ImageBuffer::new(image.width(), image.height());
    for ((x, y, from), to) in image.enumerate_pixels().zip(out.pixels_mut()) {
        let LumaA([l, alpha]) = *from;
        *to = Luma([blended(l, alpha, background).ok_or_else(|| transparent(x, y))?]);
    }
    Ok(out)
}

fn coloured<T: Primitive>(image: &Pixels<Rgba<T>, T>, background: Option<f64>) -> Result<Pixels<Rgb<T>, T>>
where
    Rgba<T>: image::Pixel<Subpixel = T>,
    Rgb<T>: image::Pixel<Subpixel = T>,
{
    let mut out = ImageBuffer::new(image.width(), image.height());
    for ((x, y, from), to) in image.enumerate_pixels().zip(out.pixels_mut()) {
        let Rgba([r, g, b, alpha]) = *from;
        let on = |colour| blended(colour, alpha, background).ok_or_else(|| transparent(x, y));
        *to = Rgb([on(r)?, on(g)?, on(b)?]);
    }
    Ok(out)
}

/// A colour on the background, rounded; nothing where it is transparent and there is no background.
fn blended<T: Primitive>(colour: T, alpha: T, background: Option<f64>) -> Option<T> {
    if alpha == T::DEFAULT_MAX_VALUE {
        return Some(colour);
    }
    let share = alpha.to_f64()? / T::DEFAULT_MAX_VALUE.to_f64()?;
    let mixed = colour.to_f64()? * share + background? * (1.0 - share);
    T::from(mixed.round())
}

fn transparent(x: u32, y: u32) -> DataError {
    let message =
        format!("the image is transparent in row {}, column {}, and nothing says what it lies on", y + 1, x + 1);
    DataError::new(Kind::BadValue, message)
        .help("say it, `images(.., background = 255)` for white or 0 for black; or save the image without transparency")
}

/// Walks through the parts of a JPEG file up to its end mark.
fn whole_jpeg(bytes: &[u8]) -> Result<()> {
    let cut = |at: usize| damaged("the image is cut short: the file ends before the image does", at.min(bytes.len()));
    let mut at = 2;
    loop {
        // Between parts stand bytes of 255, the last of them before the mark of the next.
        at += bytes.get(at..).and_then(|rest| rest.iter().position(|b| *b == 0xff)).ok_or_else(|| cut(bytes.len()))?;
        at += bytes[at..].iter().position(|b| *b != 0xff).ok_or_else(|| cut(bytes.len()))?;
        let mark = bytes[at];
        at += 1;
        match mark {
            0xd9 => return Ok(()),
            // Marks without contents, and bytes of 255 among the compressed data.
            0x00 | 0x01 | 0xd0..=0xd8 => continue,
            _ => {}
        }
        let [high, low] = *bytes.get(at..at + 2).and_then(|b| b.as_array()).ok_or_else(|| cut(bytes.len()))?;
        let is_frame = matches!(mark, 0xc0..=0xcf) && !matches!(mark, 0xc4 | 0xc8 | 0xcc);
        if is_frame && bytes.get(at + 7) == Some(&4) {
            let message = "the image has the four colours of printing (CMYK), from which those of a screen only follow by \
                           guessing";
            return Err(DataError::new(Kind::Malformed, message).help("save it in red, green and blue, or in grey"));
        }
        at += usize::from(u16::from_be_bytes([high, low])).max(2);
    }
}

/// Compares the checksum of every part of a PNG file, up to its end.
fn whole_png(bytes: &[u8]) -> Result<()> {
    let cut = || damaged("the image is cut short: the file ends before the image does", bytes.len());
    let word = |at: usize| bytes.get(at..at + 4).and_then(|b| b.as_array()).map(|b| u32::from_be_bytes(*b));
    let mut at = 8;
    loop {
        let length = word(at).ok_or_else(cut)? as usize;
        let part = bytes.get(at + 4..at + 8 + length).ok_or_else(cut)?;
        let mut sum = flate2::Crc::new();
        sum.update(part);
        if sum.sum() != word(at + 8 + length).ok_or_else(cut)? {
            let name = part[..4].escape_ascii();
            return Err(damaged(&format!("the image is damaged: its part {name} does not match its checksum"), at));
        }
        if part.starts_with(b"IEND") {
            return Ok(());
        }
        at += 12 + length;
    }
}

fn damaged(message: &str, at: usize) -> DataError {
    DataError::new(Kind::Malformed, message).at(Position::Byte(at as u64)).help("fetch the file again, or take it away")
}

fn undecodable(error: &dyn std::fmt::Display) -> DataError {
    DataError::new(Kind::Malformed, format!("the image cannot be decoded ({error})"))
        .help("it must be a whole PNG or JPEG file; take it away or replace it")
}
