//! Archives, images, CIFAR's binary version, texts: what is read from good files, and why broken ones are refused.

use super::*;

/// A zip archive of stored members.
fn zip_file(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    use std::io::Write;
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    for (name, bytes) in members {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn tar_file(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(vec![]);
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, &bytes[..]).unwrap();
    }
    builder.into_inner().unwrap()
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| s.to_string()).collect()
}

fn several(name: &str, dims: &[usize], columns: &[&str]) -> Field {
    Field { columns: words(columns), ..field(name, dims, Element::Number, "", &[]) }
}

#[test]
fn npz_files() {
    let folder = Folder::new("npz");
    let x: Vec<u8> = (0..6).flat_map(|k| (k as f32).to_le_bytes()).collect();
    let good = [
        ("x_train.npy", npy_file("<f4", "(3, 2)", &x)),
        ("y_train.npy", npy_file("|u1", "(3,)", &[0, 1, 2])),
        ("x_test.npy", npy_file("<f4", "(1, 2)", &x[..8])),
        ("notes.txt", b"no array".to_vec()),
    ];
    folder.write("a.npz", &zip_file(&good));
    let part = folder.load("npz", &[text("a.npz"), text("train")]).unwrap();
    assert_eq!(part.columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["x", "y"]);
    assert_eq!((part.count, &part.columns[0].shape), (3, &vec![2]));
    // Without a part the arrays do not fit together, unless those read do.
    let error = folder.load("npz", &[text("a.npz")]).unwrap_err();
    assert_eq!(error.kind, Kind::Mismatch, "{error}");
    let asked = [field("x", &[2], Element::Number, "x_test", &[])];
    let some = source::load(&call("npz", &[text("a.npz")]), &folder.files(), &asked).unwrap();
    assert_eq!((some.count, some.column("x_test").unwrap().numbers().unwrap()), (1, vec![0.0, 1.0]));
    assert!(some.column("y_train").unwrap().numbers().is_err());

    let whole = zip_file(&good);
    let cut_array = [("x.npy", good[0].1[..good[0].1.len() - 3].to_vec())];
    let nan = [("x.npy", npy_file("<f4", "(1,)", &f32::NAN.to_le_bytes()))];
    let broken: [(&str, Vec<u8>, Kind, &str); 6] = [
        ("empty", vec![], Kind::Malformed, "numpy.savez"),
        ("no archive", b"x,y\n1,2\n".to_vec(), Kind::Malformed, "numpy.savez"),
        ("cut", whole[..whole.len() - 9].to_vec(), Kind::Malformed, "numpy.savez"),
        ("cut array", zip_file(&cut_array), Kind::Malformed, "the array `x`"),
        ("nan", zip_file(&nan), Kind::BadValue, "the array `x`: element 0 (sample 1) is NaN"),
        ("no arrays", zip_file(&good[3..]), Kind::Request, "no arrays"),
    ];
    for (what, bytes, kind, said) in broken {
        folder.write("broken.npz", &bytes);
        let error = folder.load("npz", &[text("broken.npz")]).unwrap_err();
        assert_eq!(error.kind, kind, "{what}: {error}");
        assert!(error.to_string().contains(said) && error.to_string().contains("broken.npz"), "{what}: {error}");
    }
}

#[test]
fn several_columns_make_a_vector() {
    let table = Table::new(
        2,
        vec![
            Column::new("a", vec![], Values::Integers(vec![1, 2])),
            Column::new("b", vec![2], Values::Numbers(vec![0.5, 1.5, 2.5, 3.5])),
            Column::new("y", vec![], Values::Bytes(vec![0, 1])),
        ],
    );
    let fields = [
        several("x1", &[3], &["b", "a"]),
        field("x2", &[], Element::Number, "a", &[]),
        field("y", &[], Element::Class(2), "y", &[]),
    ];
    let mut wanted = spec(&[], &fields);
    wanted.splits = vec![("train".to_string(), Origin::Table(table))];
    let set = load(&wanted).unwrap();
    assert_eq!(floats(&set, "train", 0), [0.5, 1.5, 1.0, 2.5, 3.5, 2.0]);
    assert_eq!(floats(&set, "train", 1), [1.0, 2.0]);
    wanted.fields[0].columns.push("c".to_string());
    let error = load(&wanted).unwrap_err().to_string();
    assert!(error.contains("no column `c`") && error.contains("`a`, `b`"), "{error}");
}

#[test]
fn words_in_a_table_are_classes() {
    let folder = Folder::new("words");
    folder.write("a.csv", b"size,kind\n1,setosa\n2,iris\n3,setosa\n");
    let table = folder.load("csv", &[text("a.csv")]).unwrap();
    let kind = table.column("kind").unwrap();
    assert_eq!((kind.classes(2).unwrap(), &kind.names), (vec![1, 0, 1], &words(&["iris", "setosa"])));
    let error = kind.classes(1).unwrap_err().to_string();
    assert!(error.contains("2 classes") && error.contains("class(2); the classes are iris, setosa"), "{error}");
    assert!(kind.numbers().unwrap_err().to_string().contains("a.csv:2:2: `setosa` is not a number"));
    folder.write("b.csv", b"size,kind\n1,oops\n2,3\n");
    let error = folder.load("csv", &[text("b.csv")]).unwrap().column("kind").unwrap().classes(9).unwrap_err();
    assert_eq!(error.position, Some(Position::Cell { line: 2, column: 2 }));
}

/// A picture whose pixel in row i, column j is (10 i + j, 100, 200), or that value as grey.
fn picture(height: u32, width: u32, grey: bool) -> Vec<u8> {
    let value = |i: u32, j: u32| (10 * i + j) as u8;
    let image = if grey {
        image::DynamicImage::ImageLuma8(image::GrayImage::from_fn(width, height, |j, i| image::Luma([value(i, j)])))
    } else {
        image::DynamicImage::ImageRgb8(image::RgbImage::from_fn(width, height, |j, i| {
            image::Rgb([value(i, j), 100, 200])
        }))
    };
    let mut png = std::io::Cursor::new(vec![]);
    image.write_to(&mut png, image::ImageFormat::Png).unwrap();
    png.into_inner()
}

fn pets(grey: bool) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("pets/train/dog/b.png", picture(2, 3, grey)),
        ("pets/train/cat/a.png", picture(2, 3, grey)),
        ("pets/train/cat/c.PNG", picture(2, 3, grey)),
        ("pets/train/cat/notes.txt", b"ignored".to_vec()),
        ("pets/test/dog/d.png", picture(2, 3, grey)),
    ]
}

#[test]
fn images_from_folders_and_archives() {
    let folder = Folder::new("images");
    for (name, bytes) in pets(false) {
        std::fs::create_dir_all(folder.0.join(name).parent().unwrap()).unwrap();
        folder.write(name, &bytes);
    }
    folder.write("pets.tar", &tar_file(&pets(false)));
    folder.write("grey.tar.gz", &zipped(&tar_file(&pets(true))));
    for place in ["pets/train", "pets.tar/pets/train", "./pets.tar/pets/train/"] {
        let table = folder.load("images", &[text(place)]).unwrap();
        let image = table.column("image").unwrap();
        assert_eq!((table.count, &image.shape), (3, &vec![3, 2, 3]), "{place}");
        let Values::Bytes(pixels) = &image.values else { panic!("{image:?}") };
        assert_eq!(pixels[..7], [0, 1, 2, 10, 11, 12, 100], "{place}");
        let label = table.column("label").unwrap();
        assert_eq!((label.classes(2).unwrap(), &label.names), (vec![0, 0, 1], &words(&["cat", "dog"])));
    }
    let grey = folder.load("images", &[text("grey.tar.gz/pets/train")]).unwrap();
    assert_eq!(grey.columns[0].shape, [1, 2, 3]);
    // The declared type decides about colour, whatever the files have.
    let shape = |place: &str, channels: usize| {
        let asked = [field("x", &[channels, 2, 3], Element::Number, "image", &[])];
        source::load(&call("images", &[text(place)]), &folder.files(), &asked).map(|t| t.columns[0].shape.clone())
    };
    assert_eq!(shape("grey.tar.gz/pets/train", 3).unwrap(), [3, 2, 3]);
    assert_eq!(shape("pets/train", 1).unwrap(), [1, 2, 3]);
    assert_eq!(shape("pets/train", 4).unwrap_err().kind, Kind::Mismatch);
    let size = Value::List(vec![Value::Number(4.0), Value::Number(6.0)]);
    assert_eq!(folder.load("images", &[text("pets/train"), size]).unwrap().columns[0].shape, [3, 4, 6]);
    // The splits must have the same classes.
    let splits = [("train", call("images", &[text("pets/train")])), ("test", call("images", &[text("pets/test")]))];
    let mut wanted = spec(&splits, &[field("y", &[], Element::Class(2), "label", &[])]);
    wanted.files = folder.files();
    let error = load(&wanted).unwrap_err();
    assert!(error.kind == Kind::Mismatch && error.to_string().contains("`cat`"), "{error}");
    wanted.splits.pop();
    assert_eq!(load(&wanted).unwrap().names, [words(&["cat", "dog"])]);
}

#[test]
fn broken_images_and_archives() {
    let folder = Folder::new("broken-images");
    let fails = |members: &[(&str, Vec<u8>)], place: &str| {
        folder.write("a.tar", &tar_file(members));
        folder.load("images", &[text(place)]).unwrap_err()
    };
    let mut members = pets(false);
    members[1].1.truncate(40);
    let error = fails(&members, "a.tar/pets/train");
    assert!(error.kind == Kind::Malformed && error.to_string().contains("a.tar/pets/train/cat/a.png"), "{error}");
    let mut members = pets(false);
    members[0].1 = picture(3, 3, false);
    let error = fails(&members, "a.tar/pets/train");
    assert!(error.kind == Kind::Mismatch, "{error}");
    for part in ["dog/b.png", "3 x 3 pixels", "cat/a.png has 3 x 2", "size = [2, 3]"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_eq!(fails(&pets(false), "a.tar/pets/validation").kind, Kind::Missing);
    assert_eq!(fails(&pets(false)[3..4], "a.tar/pets/train").kind, Kind::Malformed);
    assert_eq!(folder.load("images", &[text("nowhere")]).unwrap_err().kind, Kind::Missing);
    let whole = tar_file(&pets(false));
    for end in (0..whole.len() - 1024).step_by(256) {
        folder.write("cut.tar", &whole[..end]);
        let error = folder.load("images", &[text("cut.tar/pets/train")]).unwrap_err();
        assert_eq!(error.kind, Kind::Malformed, "cut at {end}: {error}");
        assert!(error.to_string().contains("cut.tar"), "{error}");
    }
    let packed = zipped(&whole);
    folder.write("cut.tar.gz", &packed[..packed.len() - 20]);
    assert_eq!(folder.load("images", &[text("cut.tar.gz/pets/train")]).unwrap_err().kind, Kind::Malformed);
}

#[test]
fn cifar_binaries() {
    let folder = Folder::new("cifar");
    let record = |labels: &[u8], fill: u8| [labels, &[fill; 3072]].concat();
    let names = "airplane\nautomobile\n\n".as_bytes().to_vec();
    let mut members: Vec<(String, Vec<u8>)> =
        (1..=5).map(|k| (format!("bin/data_batch_{k}.bin"), record(&[k], 10 * k))).collect();
    members.push(("bin/test_batch.bin".to_string(), [record(&[9], 1), record(&[0], 2)].concat()));
    members.push(("bin/batches.meta.txt".to_string(), names));
    let borrowed: Vec<(&str, Vec<u8>)> = members.iter().map(|(n, b)| (n.as_str(), b.clone())).collect();
    folder.write("ten.tar.gz", &zipped(&tar_file(&borrowed)));
    let table = folder.load("cifar10", &[text("ten.tar.gz"), text("train")]).unwrap();
    assert_eq!((table.count, &table.columns[0].shape), (5, &vec![3, 32, 32]));
    assert_eq!(table.column("label").unwrap().classes(10).unwrap(), [1, 2, 3, 4, 5]);
    assert_eq!(table.column("label").unwrap().names[..2], ["airplane", "automobile"]);
    assert_eq!(folder.load("cifar10", &[text("ten.tar.gz"), text("test")]).unwrap().count, 2);

    std::fs::create_dir_all(folder.0.join("hundred")).unwrap();
    folder.write("hundred/test.bin", &record(&[19, 99], 7));
    let table = folder.load("cifar100", &[text("hundred"), text("test")]).unwrap();
    assert_eq!(table.column("coarse").unwrap().classes(20).unwrap(), [19]);
    assert_eq!(table.column("label").unwrap().classes(100).unwrap(), [99]);
    assert_eq!(folder.load("cifar100", &[text("hundred"), text("train")]).unwrap_err().kind, Kind::Missing);
    assert_eq!(folder.load("cifar100", &[text("hundred"), text("dev")]).unwrap_err().kind, Kind::Request);
    for (bytes, kind, at) in [
        (record(&[1, 100], 0), Kind::BadValue, 1),
        ([record(&[0, 0], 0), record(&[20, 0], 0)].concat(), Kind::BadValue, 3074),
        (record(&[1, 1], 0)[..3000].to_vec(), Kind::Malformed, 0),
        ([record(&[1, 1], 0), vec![3]].concat(), Kind::Malformed, 3074),
        (vec![], Kind::Malformed, 0),
    ] {
        folder.write("hundred/test.bin", &bytes);
        let error = folder.load("cifar100", &[text("hundred"), text("test")]).unwrap_err();
        assert_eq!((error.kind, &error.position), (kind, &Some(Position::Byte(at))), "{error}");
        assert!(error.to_string().contains("hundred/test.bin"), "{error}");
    }
}

/// Two columns of numbers and one of words, made by `make_table.py` with pyarrow, compressed by Snappy.
#[cfg(feature = "parquet")]
const TABLE: &[u8] = include_bytes!("table.parquet");

#[cfg(feature = "parquet")]
#[test]
fn parquet_tables() {
    let folder = Folder::new("parquet");
    folder.write("a.parquet", TABLE);
    let table = folder.load("parquet", &[text("a.parquet")]).unwrap();
    assert_eq!(table.columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["size", "count", "gap", "kind"]);
    assert_eq!(table.column("size").unwrap().numbers().unwrap(), [0.5, 1.5, -2.0]);
    assert_eq!(table.column("count").unwrap().numbers().unwrap(), [3.0, 0.0, 70_000.0]);
    let kind = named(&table, "label").unwrap();
    assert_eq!((kind.classes(2).unwrap(), &kind.names), (vec![1, 0, 1], &words(&["iris", "setosa"])));
    let error = table.column("gap").unwrap().numbers().unwrap_err();
    assert_eq!((error.kind, error.position), (Kind::BadValue, Some(Position::Row(2))));
    assert_eq!(
        named(&folder.load("parquet", &[text("a.parquet"), text("size")]).unwrap(), "label")
            .unwrap()
            .numbers()
            .unwrap()[1],
        1.5
    );
    for end in 0..TABLE.len() {
        folder.write("cut.parquet", &TABLE[..end]);
        let error = folder.load("parquet", &[text("cut.parquet")]).unwrap_err();
        assert!(error.kind == Kind::Malformed && error.to_string().contains("cut.parquet"), "cut at {end}: {error}");
    }
    let mut flipped = TABLE.to_vec();
    for at in 0..TABLE.len() {
        flipped[at] ^= 0x55;
        folder.write("flipped.parquet", &flipped);
        if let Err(error) = folder.load("parquet", &[text("flipped.parquet")]) {
            assert!(!error.message.is_empty());
        }
        flipped[at] ^= 0x55;
    }
}

#[cfg(not(feature = "parquet"))]
#[test]
fn without_the_feature_parquet_is_refused_politely() {
    let folder = Folder::new("parquet");
    folder.write("a.parquet", b"PAR1");
    let error = folder.load("parquet", &[text("a.parquet")]).unwrap_err();
    assert!(error.to_string().contains("--features parquet"), "{error}");
}

fn text_spec(folder: &Folder, classes: usize, args: &[(&str, f64)]) -> Spec {
    let mut windows = call("text", &[text("a.txt")]);
    windows.args.extend(args.iter().map(|(k, v)| (Some(k.to_string()), Value::Number(*v))));
    let fields = [
        field("x", &[4], Element::Class(classes), "text", &[]),
        field("y", &[4], Element::Class(classes), "next", &[]),
    ];
    Spec { files: folder.files(), ..spec(&[("train", windows)], &fields) }
}

#[test]
fn texts_are_windows_of_characters() {
    let folder = Folder::new("text");
    folder.write("a.txt", "hello wörld".as_bytes());
    let set = load(&text_spec(&folder, 9, &[("context", 4.0)])).unwrap();
    let known = " dehlorwö".chars().map(|c| c.to_string()).collect::<Vec<_>>();
    assert_eq!(set.names[0], known, "in the order of code points");
}

#[test]
fn windows_overlap_without_being_copied() {
    let folder = Folder::new("windows");
    folder.write("a.txt", b"abcdefghij");
    let rows = |args: &[(&str, f64)]| {
        let set = load(&text_spec(&folder, 10, &[&[("context", 4.0)], args].concat())).unwrap();
        let at =
            |field: usize| floats(&set, "train", field).chunks(4).map(|r| (r[0] as u8, r[3] as u8)).collect::<Vec<_>>();
        (at(0), at(1), set.bytes())
    };
    assert_eq!(rows(&[]), (vec![(0, 3), (4, 7)], vec![(1, 4), (5, 8)], 64));
    let (x, y, bytes) = rows(&[("stride", 1.0)]);
    assert_eq!((x.len(), x[5], y[5], bytes), (6, (5, 8), (6, 9), 72));
    assert_eq!(rows(&[("from", 0.5)]).0, [(5, 8)]);
    assert_eq!(rows(&[("to", 0.5)]).0, [(0, 3)]);
}

#[test]
fn texts_that_do_not_fit_are_refused() {
    let folder = Folder::new("texts");
    folder.write("a.txt", b"abcdefghij");
    let fails = |classes: usize, args: &[(&str, f64)]| load(&text_spec(&folder, classes, args)).unwrap_err();
    let error = fails(9, &[("context", 4.0)]);
    assert!(error.kind == Kind::Mismatch && error.to_string().contains("10 classes"), "{error}");
    assert_eq!(fails(10, &[("context", 10.0)]).kind, Kind::Mismatch);
    assert_eq!(fails(10, &[("context", 4.0), ("from", 0.7), ("to", 0.3)]).kind, Kind::Request);
    assert_eq!(fails(10, &[("context", 0.0)]).kind, Kind::Request);
    let mut overlapping = text_spec(&folder, 10, &[("context", 4.0), ("stride", 1.0)]);
    overlapping.valid_share = Some(0.2);
    let error = load(&overlapping).unwrap_err();
    assert!(error.to_string().contains("from = 0.9"), "{error}");
    folder.write("a.txt", b"abc\xffdefghij");
    let error = fails(10, &[("context", 4.0)]);
    assert_eq!((error.kind, error.position), (Kind::Malformed, Some(Position::Byte(3))));
}

#[test]
fn bytes_stay_bytes() {
    let mut wanted = built_in("digits", "image", &[1, 8, 8], &["standardize"]);
    wanted.valid_share = Some(0.1);
    let set = load(&wanted).unwrap();
    assert!(set.splits.iter().all(|s| matches!(s.columns[0], Rows::Bytes(_))));
    let mut numbers = wanted.clone();
    numbers.fields[0].transforms.insert(0, Call { args: vec![(None, Value::Number(1.0))], ..call("scale", &[]) });
    numbers.fields[0].dims = vec![64];
    numbers.fields[0].transforms.insert(1, call("reshape", &[]));
    // By feature there are 64 channels, too many for tables.
    assert!(matches!(load(&numbers).unwrap().splits[0].columns[0], Rows::Numbers(_)));
    // Standardising numbers gives what standardising bytes does.
    let values = floats(&set, "train", 0);
    let raw = built_in("digits", "image", &[1, 8, 8], &[]);
    let raw = load(&Spec { valid_share: Some(0.1), ..raw }).unwrap();
    let raw: Vec<f64> = floats(&raw, "train", 0).iter().map(|x| f64::from(*x)).collect();
    let mean = raw.iter().sum::<f64>() / raw.len() as f64;
    let deviation = (raw.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / raw.len() as f64).sqrt();
    for (value, raw) in values.iter().zip(&raw) {
        assert!((f64::from(*value) - (raw - mean) / deviation).abs() < 1e-6);
    }
}

/// With CIFAR-10 as a folder of images and a text at hand (`NNC_DATA`), they are read as anyone would expect.
#[test]
fn cifar_images_and_shakespeare_where_they_are_at_hand() {
    let files = Files::usual(None, Some(Path::new("program.nn")));
    match source::load(&call("images", &[text("cifar10-jpg.tar.gz/test")]), &files, &[]) {
        Err(error) => assert_eq!(error.kind, Kind::Missing, "{error}"),
        Ok(table) => {
            assert_eq!((table.count, &table.columns[0].shape), (10_000, &vec![3, 32, 32]));
            assert_eq!(table.columns[1].names[3], "cat");
        }
    }
    let mut windows = call("text", &[text("tinyshakespeare.txt"), Value::Number(64.0)]);
    windows.args.push((Some("stride".to_string()), Value::Number(1.0)));
    match source::load(&windows, &files, &[]) {
        Err(error) => assert_eq!(error.kind, Kind::Missing, "{error}"),
        Ok(table) => assert_eq!((table.count, table.columns[0].names.len()), (1_115_394 - 64, 65)),
    }
}
