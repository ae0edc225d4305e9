//! Folders and archives of images.

use crate::common::Folder;
use image::{DynamicImage, GrayImage, ImageBuffer, ImageFormat, Luma, Rgb, RgbImage, Rgba, RgbaImage};
use runtime::data::{self, Call, DataSet, Element, Field, Files, LIMIT, Origin, Spec, Value};
use std::io::{Cursor, Write};

/// A field of numbers that reads the column `image`.
pub fn field(dims: &[usize], transforms: Vec<Call>) -> Field {
    Field { name: "x".into(), dims: dims.to_vec(), element: Element::Number, columns: vec!["image".into()], transforms }
}

/// The data that a loader makes of texts and named numbers.
pub fn loaded(
    folder: &Folder,
    (loader, texts): (&str, &[&str]),
    named: &[(&str, Value)],
    field: Field,
) -> data::Result<DataSet> {
    let texts = texts.iter().map(|t| (None, Value::Text((*t).to_string())));
    let named = named.iter().map(|(n, v)| (Some((*n).to_string()), v.clone()));
    data::load(&Spec {
        name: "d".into(),
        splits: vec![("train".into(), Origin::Call(Call { name: loader.into(), args: texts.chain(named).collect() }))],
        fields: vec![field],
        settings: vec![],
        valid_share: None,
        at_most: None,
        seed: 0,
        double: false,
        record: None,
        files: Files { folders: vec![folder.0.clone()], limit: LIMIT },
    })
}

/// The values of a sample.
pub fn values(set: &DataSet, sample: u32) -> Vec<f32> {
    let mut out = vec![0.0; set.splits[0].widths[0]];
    set.splits[0].numbers(0, &[sample], &mut out);
    out
}

fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut out = Cursor::new(vec![]);
    image.into().write_to(&mut out, format).expect("encoded");
    out.into_inner()
}

fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
    encoded(image, ImageFormat::Png)
}

/// A folder of images, all of one class.
fn photos(files: &[(&str, Vec<u8>)]) -> Folder {
    let folder = Folder::new("photos");
    std::fs::create_dir_all(folder.path("photos/cat")).expect("a folder");
    files.iter().for_each(|(name, bytes)| drop(folder.write(&format!("photos/cat/{name}"), bytes)));
    folder
}

const PHOTOS: (&str, &[&str]) = ("images", &["photos"]);

/// What is said of images that are refused.
fn refused(files: &[(&str, Vec<u8>)], dims: &[usize]) -> String {
    loaded(&photos(files), PHOTOS, &[], field(dims, vec![])).expect_err("refused").to_string()
}

fn grey(width: u32, height: u32, value: impl Fn(u32, u32) -> u8) -> GrayImage {
    GrayImage::from_fn(width, height, |x, y| Luma([value(x, y)]))
}

#[test]
fn sixteen_bits_keep_their_values() {
    let deep = |values: [u16; 2]| png(ImageBuffer::<Luma<u16>, _>::from_vec(2, 1, values.to_vec()).expect("an image"));
    let folder = photos(&[("1.png", deep([40_000, 7]))]);
    let set = loaded(&folder, PHOTOS, &[], field(&[1, 1, 2], vec![])).expect("loaded");
    assert_eq!(values(&set, 0), [40_000.0, 7.0]);
    let rgb = ImageBuffer::<Rgb<u16>, _>::from_vec(1, 1, vec![65_535, 256, 1]).expect("an image");
    let set = loaded(&photos(&[("1.png", png(rgb))]), PHOTOS, &[], field(&[3, 1, 1], vec![])).expect("loaded");
    assert_eq!(values(&set, 0), [65_535.0, 256.0, 1.0]);
    let said = refused(&[("1.png", deep([1, 2])), ("2.png", png(grey(2, 1, |_, _| 9)))], &[1, 1, 2]);
    assert!(said.contains("cat/2.png") && said.contains("8 bits") && said.contains("16"), "{said}");
}

#[test]
fn what_is_transparent_lies_on_something() {
    let image = |alpha: u8| png(RgbaImage::from_pixel(1, 1, Rgba([100, 0, 255, alpha])));
    let said = refused(&[("1.png", image(255)), ("2.png", image(128))], &[3, 1, 1]);
    assert!(said.contains("cat/2.png") && said.contains("row 1, column 1") && said.contains("background"), "{said}");
    let set = loaded(&photos(&[("1.png", image(255))]), PHOTOS, &[], field(&[3, 1, 1], vec![])).expect("opaque");
    assert_eq!(values(&set, 0), [100.0, 0.0, 255.0]);
    let white = [("background", Value::Number(255.0))];
    let set = loaded(&photos(&[("1.png", image(128))]), PHOTOS, &white, field(&[3, 1, 1], vec![])).expect("on white");
    // c 128/255 + 255 (127/255) = 177.2, 127, 255.
    assert_eq!(values(&set, 0), [177.0, 127.0, 255.0]);
}

/// A JPEG with an EXIF entry that says how it is turned.
fn turned(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let tiff =
        [b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice(), &[orientation, 0, 0, 0, 0, 0, 0, 0]].concat();
    let length = (2 + 6 + tiff.len()) as u16;
    [&jpeg[..2], &[0xff, 0xe1], &length.to_be_bytes(), b"Exif\0\0", &tiff, &jpeg[2..]].concat()
}

#[test]
fn turned_photographs_stand_upright() {
    let jpeg = encoded(grey(16, 8, |x, _| if x < 8 { 0 } else { 255 }), ImageFormat::Jpeg);
    let flat = loaded(&photos(&[("1.jpg", jpeg.clone())]), PHOTOS, &[], field(&[1, 8, 16], vec![])).expect("as it is");
    assert!(values(&flat, 0)[0] < 50.0 && values(&flat, 0)[15] > 200.0);
    // 6: turned to the right; what was left is above. 8: to the left; what was left is below.
    for (orientation, above_is_dark) in [(6, true), (8, false)] {
        let folder = photos(&[("1.jpg", turned(&jpeg, orientation))]);
        let set = loaded(&folder, PHOTOS, &[], field(&[1, 16, 8], vec![])).expect("turned");
        let pixels = values(&set, 0);
        assert_eq!((pixels[0] < 50.0, pixels[127] < 50.0), (above_is_dark, !above_is_dark), "{orientation}");
    }
    let said = refused(&[("1.jpg", jpeg.clone()), ("2.jpg", turned(&jpeg, 6))], &[1, 8, 16]);
    assert!(said.contains("cat/2.jpg") && said.contains("turned by a quarter"), "{said}");
    // Height and width the wrong way round in the program.
    let said = refused(&[("1.jpg", jpeg)], &[1, 16, 8]);
    assert!(said.contains("declare it [1, 8, 16]") && !said.contains("reshape"), "{said}");
}

#[test]
fn half_a_picture_is_none() {
    let noise = |x: u32, y: u32| (x * 37 + y * 91 + x * y) as u8;
    let (jpeg, whole) = (encoded(grey(32, 32, noise), ImageFormat::Jpeg), png(grey(32, 32, noise)));
    for (name, bytes) in [("1.jpg", &jpeg), ("1.png", &whole)] {
        assert!(loaded(&photos(&[(name, bytes.clone())]), PHOTOS, &[], field(&[1, 32, 32], vec![])).is_ok());
        for tenth in 1..10 {
            let said = refused(&[(name, bytes[..bytes.len() * tenth / 10].to_vec())], &[1, 32, 32]);
            assert!(said.contains(&format!("cat/{name}")), "{said}");
        }
        let said = refused(&[(name, bytes[..bytes.len() - 1].to_vec())], &[1, 32, 32]);
        assert!(said.contains("cut short"), "{said}");
    }
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let said = refused(&[("1.png", damaged)], &[1, 32, 32]);
    assert!(said.contains("cat/1.png") && said.contains("checksum"), "{said}");
    // A frame of 8 x 8 pixels in four colours.
    let printed =
        [b"\xff\xd8\xff\xc0\x00\x14\x08\x00\x08\x00\x08\x04".as_slice(), &[1, 17, 0, 2, 17, 0, 3, 17, 0, 4, 17, 0]]
            .concat();
    assert!(refused(&[("1.jpg", printed)], &[3, 8, 8]).contains("CMYK"));
    assert!(refused(&[("1.png", b"GIF89a".to_vec())], &[3, 8, 8]).contains("neither as a PNG"));
}

#[test]
fn a_gigantic_picture_costs_nothing() {
    // A head of 60000 x 60000 pixels on a small file.
    let mut bytes = png(grey(4, 4, |_, _| 1));
    bytes[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    let mut sum = flate2::Crc::new();
    sum.update(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&sum.sum().to_be_bytes());
    let said = refused(&[("1.png", bytes)], &[1, 4, 4]);
    assert!(said.contains("cat/1.png") && said.contains("60000 x 60000"), "{said}");
}

#[test]
fn grey_among_coloured_is_said() {
    let colour = png(RgbImage::from_pixel(2, 2, Rgb([1, 2, 3])));
    let folder = photos(&[("1.png", colour.clone()), ("2.png", png(grey(2, 2, |_, _| 9)))]);
    let set = loaded(&folder, PHOTOS, &[], field(&[3, 2, 2], vec![])).expect("loaded");
    assert!(
        set.notes[0].contains("1 of 2 images are coloured") && set.notes[0].contains("cat/2.png"),
        "{:?}",
        set.notes
    );
    let set = loaded(&photos(&[("1.png", colour)]), PHOTOS, &[], field(&[3, 2, 2], vec![])).expect("loaded");
    assert!(set.notes.is_empty());
}

#[test]
fn an_archive_without_its_end_is_refused() {
    let mut archive = tar::Builder::new(vec![]);
    let image = png(grey(8, 8, |x, y| (x * 29 + y * 17) as u8));
    let mut header = tar::Header::new_gnu();
    header.set_size(image.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, "cat/1.png", &image[..]).expect("packed");
    let tar = archive.into_inner().expect("packed");
    let mut gz = flate2::write::GzEncoder::new(vec![], flate2::Compression::default());
    gz.write_all(&tar).expect("packed");
    let gz = gz.finish().expect("packed");
    for (name, whole) in [("p.tar", &tar), ("p.tar.gz", &gz)] {
        let read = |bytes: &[u8]| {
            let folder = Folder::new("archive");
            folder.write(name, bytes);
            loaded(&folder, ("images", &[name]), &[], field(&[1, 8, 8], vec![]))
        };
        assert!(read(whole).is_ok(), "{name}");
        for cut in [1, 4, 8, 9, 20, 512, 600, 1024] {
            if cut < whole.len() {
                let said = read(&whole[..whole.len() - cut]).expect_err("refused").to_string();
                assert!(said.contains(name) && said.contains("cut short"), "{name}, {cut}: {said}");
            }
        }
    }
    // One wrong bit in the checksum.
    let mut damaged = gz.clone();
    let at = damaged.len() - 6;
    damaged[at] ^= 1;
    let folder = Folder::new("archive");
    folder.write("p.tar.gz", damaged);
    assert!(loaded(&folder, ("images", &["p.tar.gz"]), &[], field(&[1, 8, 8], vec![])).is_err());
}

#[test]
fn a_folder_inside_itself_is_refused() {
    let folder = photos(&[("1.png", png(grey(2, 2, |_, _| 1)))]);
    std::os::unix::fs::symlink("..", folder.path("photos/cat/back")).expect("a link");
    let said = loaded(&folder, PHOTOS, &[], field(&[1, 2, 2], vec![])).expect_err("refused").to_string();
    assert!(said.contains("inside itself"), "{said}");
}
