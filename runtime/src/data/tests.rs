//! Data sets from first to last, and a corpus of broken files.

mod formats;

use super::*;
use std::path::{Path, PathBuf};

fn call(name: &str, args: &[Value]) -> Call {
    Call { name: name.to_string(), args: args.iter().map(|v| (None, v.clone())).collect() }
}

fn text(s: &str) -> Value {
    Value::Text(s.to_string())
}

fn field(name: &str, dims: &[usize], element: Element, column: &str, transforms: &[&str]) -> Field {
    let transforms = transforms.iter().map(|t| call(t, &[])).collect();
    let columns = if column.is_empty() { vec![] } else { vec![column.to_string()] };
    Field { name: name.to_string(), dims: dims.to_vec(), element, columns, transforms }
}

fn spec(splits: &[(&str, Call)], fields: &[Field]) -> Spec {
    Spec {
        name: "set".to_string(),
        splits: splits.iter().map(|(n, c)| (n.to_string(), Origin::Call(c.clone()))).collect(),
        fields: fields.to_vec(),
        settings: vec![],
        valid_share: None,
        at_most: None,
        seed: 42,
        double: false,
        record: None,
        files: Files { folders: vec![], limit: LIMIT },
    }
}

fn built_in(name: &str, column: &str, dims: &[usize], transforms: &[&str]) -> Spec {
    spec(
        &[("test", call(name, &[text("test")])), ("train", call(name, &[text("train")]))],
        &[field("x", dims, Element::Number, column, transforms), field("y", &[], Element::Class(10), "label", &[])],
    )
}

/// The column or columns that a name stands for in a table by itself.
fn named(table: &Table, name: &str) -> Result<Column> {
    let fields = [field("x", &[], Element::Number, name, &[])];
    let reference = Reference::new(table, &fields, None)?;
    let places = columns::places(&fields[0].columns, table, reference.as_ref())?;
    table.clone().take(&places, |_| true)
}

fn floats(set: &DataSet, split: &str, field: usize) -> Vec<f32> {
    let split = set.split(split).unwrap();
    let samples: Vec<u32> = (0..split.count as u32).collect();
    let mut out = vec![0.0; split.count * set.fields[field].width()];
    split.numbers(field, &samples, &mut out);
    out
}

#[test]
fn digits_have_the_published_split() {
    let set = load(&built_in("digits", "image", &[1, 8, 8], &[])).unwrap();
    assert_eq!((set.split("train").unwrap().count, set.split("test").unwrap().count), (1438, 359));
    assert_eq!(set.splits[0].name, "train");
    // The file's first line is a zero that begins 0 0 5 13 9 1.
    assert_eq!(floats(&set, "train", 0)[..6], [0.0, 0.0, 5.0, 13.0, 9.0, 1.0]);
    assert_eq!(floats(&set, "train", 1)[..5], [0.0, 1.0, 2.0, 3.0, 5.0]);
    assert_eq!(floats(&set, "test", 1)[..2], [4.0, 9.0]);
    let mut batch = [0f64; 128];
    set.splits[0].numbers(0, &[1, 0], &mut batch);
    assert_eq!(batch[64..70], [0.0, 0.0, 5.0, 13.0, 9.0, 1.0]);
    let mut classes = [0; 2];
    set.splits[0].classes(1, &[4, 0], &mut classes);
    assert_eq!(classes, [5, 0]);
}

#[test]
fn statistics_are_the_training_split_s() {
    let mut wanted = built_in("digits", "image", &[64], &["standardize", "reshape"]);
    wanted.valid_share = Some(0.1);
    let set = load(&wanted).unwrap();
    assert_eq!(
        set.splits.iter().map(|s| (&*s.name, s.count)).collect::<Vec<_>>(),
        [("train", 1294), ("valid", 144), ("test", 359)]
    );
    let moments = |v: &[f32]| {
        let n = v.len() as f64;
        let mean = v.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
        (mean, v.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / n)
    };
    let (mean, variance) = moments(&floats(&set, "train", 0));
    assert!(mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-5, "{mean} {variance}");
    assert!(moments(&floats(&set, "test", 0)).0.abs() > 1e-4, "test statistics were used");
}

#[test]
fn vectors_are_standardised_by_feature_and_constants_stay_finite() {
    let table = |numbers: &[f32]| {
        Table::new(numbers.len() / 2, vec![Column::new("x", vec![2], Values::Numbers(numbers.to_vec()))])
    };
    let mut wanted = spec(&[], &[field("x", &[2], Element::Number, "x", &["standardize"])]);
    wanted.splits = vec![
        ("train".to_string(), Origin::Table(table(&[1.0, 5.0, 3.0, 5.0]))),
        ("test".to_string(), Origin::Table(table(&[4.0, 6.0]))),
    ];
    let set = load(&wanted).unwrap();
    assert_eq!(floats(&set, "train", 0), [-1.0, 0.0, 1.0, 0.0]);
    assert_eq!(floats(&set, "test", 0), [2.0, 1.0]);
}

#[test]
fn mnist1d_is_as_published() {
    let set = load(&built_in("mnist1d", "signal", &[1, 40], &["reshape"])).unwrap();
    assert_eq!((set.splits[0].count, set.splits[1].count), (4000, 1000));
    let mut all = floats(&set, "train", 0);
    all.extend(floats(&set, "test", 0));
    let mean = all.iter().sum::<f32>() / all.len() as f32;
    let variance = all.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / all.len() as f32;
    assert!(mean.abs() < 1e-3 && (variance - 1.0).abs() < 1e-3, "{mean} {variance}");
    let mut counts = [0; 10];
    floats(&set, "train", 1).iter().chain(&floats(&set, "test", 1)).for_each(|c| counts[*c as usize] += 1);
    assert_eq!(counts, [500; 10]);
}

#[test]
fn validation_is_a_function_of_the_seed() {
    let mut wanted = built_in("digits", "image", &[1, 8, 8], &[]);
    wanted.valid_share = Some(0.2);
    let first = load(&wanted).unwrap();
    assert_eq!(first, load(&wanted).unwrap());
    wanted.seed = 43;
    assert_ne!(first.splits[1], load(&wanted).unwrap().splits[1]);
    wanted.valid_share = Some(1.0 - 1e-9);
    assert_eq!(load(&wanted).unwrap_err().kind, Kind::Request);
}

#[test]
fn settings_of_the_data_block() {
    let mut wanted = built_in("digits", "image", &[1, 8, 8], &[]);
    let clean = floats(&load(&wanted).unwrap(), "train", 1);
    let set = |wanted: &mut Spec, name: &str, x: f64| wanted.settings = vec![(name.to_string(), Value::Number(x))];
    set(&mut wanted, "noise", 0.3);
    let noisy = load(&wanted).unwrap();
    let changed = clean.iter().zip(&floats(&noisy, "train", 1)).filter(|(a, b)| a != b).count();
    assert!((330..450).contains(&changed), "{changed} of 1438 labels changed, 0.3 * 0.9 expected");
    set(&mut wanted, "subset", 100.0);
    assert_eq!(load(&wanted).unwrap().splits[0].count, 100);
    set(&mut wanted, "samples", 1437.0);
    assert_eq!(load(&wanted).unwrap_err().kind, Kind::Mismatch);
    set(&mut wanted, "sample", 1438.0);
    assert_eq!(load(&wanted).unwrap_err().kind, Kind::Request);
}

#[test]
fn fields_with_sources_of_their_own() {
    let own = |name: &str, dims: &[usize], element, source: Call| Field {
        transforms: vec![source],
        ..field(name, dims, element, "", &[])
    };
    let shape = Value::List(vec![Value::Number(3.0), Value::Number(2.0)]);
    let x =
        own("x", &[3, 2], Element::Number, call("random_normal", &[Value::Number(50.0), shape, Value::Number(1.0)]));
    let y = own("y", &[], Element::Class(4), call("random_class", &[Value::Number(50.0), Value::Number(4.0)]));
    let set = load(&spec(&[], &[x.clone(), y.clone()])).unwrap();
    assert_eq!((set.splits.len(), set.splits[0].count), (1, 50));
    assert_eq!(floats(&set, "train", 0).len(), 300);
    assert!((0..4).all(|c| floats(&set, "train", 1).contains(&(c as f32))));
    let mut sequences = call("random_class", &[Value::Number(50.0), Value::Number(4.0)]);
    sequences.args.push((Some("shape".into()), Value::List(vec![Value::Number(7.0)])));
    let z = own("z", &[7], Element::Class(4), sequences);
    let set = load(&spec(&[], &[x.clone(), z])).unwrap();
    assert_eq!(floats(&set, "train", 1).len(), 350);
    let short = own("y", &[], Element::Class(4), call("random_class", &[Value::Number(49.0), Value::Number(4.0)]));
    assert_eq!(load(&spec(&[], &[x, short])).unwrap_err().kind, Kind::Mismatch);
}

#[test]
fn problems_in_the_plane() {
    for (name, classes) in [("moons", 2), ("spirals", 2), ("blobs", 3), ("xor", 2)] {
        let make = |n: f64| {
            let fields = [
                field("x", &[2], Element::Number, "point", &[]),
                field("y", &[1], Element::Class(classes), "label", &["reshape"]),
                field("z", &[classes], Element::Number, "label", &["one_hot"]),
            ];
            load(&spec(&[("train", call(name, &[Value::Number(n)]))], &fields)).unwrap()
        };
        let (small, large) = (make(60.0), make(600.0));
        assert_eq!(floats(&small, "train", 0)[..], floats(&large, "train", 0)[..120], "{name}");
        assert!(floats(&large, "train", 0).iter().all(|x| x.abs() < 5.0));
        assert_eq!(floats(&large, "train", 2).iter().sum::<f32>(), 600.0);
    }
}

#[test]
fn every_catalogue_entry_is_served() {
    let files = Files { folders: vec![], limit: LIMIT };
    for entry in nnc_core::catalogue::LOADERS {
        let args = entry.params.iter().filter(|p| p.required).map(|p| match p.name {
            "part" => text("train"),
            "count" | "context" => Value::Number(12.0),
            _ => text("absent"),
        });
        match source::load(&call(entry.name, &args.collect::<Vec<_>>()), &files, &[]) {
            Ok(table) => {
                let names: Vec<_> = table.columns.iter().map(|c| c.name.as_str()).collect();
                assert_eq!(names, entry.columns, "{}", entry.name);
            }
            Err(error) => assert_eq!(error.kind, Kind::Missing, "{error}"),
        }
    }
}

#[test]
fn misuse_is_explained() {
    let fails = |c: Call| load(&spec(&[("train", c)], &[])).unwrap_err().to_string();
    assert!(fails(call("digit", &[])).contains("`digit` is not known here\n  help: known are idx, csv"));
    assert!(fails(call("digits", &[])).contains("wants an argument `part`"));
    assert!(fails(call("digits", &[text("dev")])).contains("wants \"train\" or \"test\" as `part`"));
    assert!(fails(call("moons", &[text("many")])).contains("wants a whole number from 1 to 4294967295 as `count`"));
    assert!(fails(call("moons", &[Value::Number(1e18)])).contains("whole number"));
    assert!(fails(call("moons", &[Value::Number(4e9)])).contains("limit"));
    let named = Call { name: "moons".to_string(), args: vec![(Some("size".to_string()), Value::Number(1.0))] };
    assert!(fails(named).contains("has no argument size"));
    let wrong = load(&built_in("digits", "image", &[65], &["reshape"])).unwrap_err();
    assert_eq!(wrong.kind, Kind::Mismatch);
    let wrong = load(&built_in("digits", "image", &[64], &[])).unwrap_err();
    assert!(wrong.to_string().contains("|> reshape"), "{wrong}");
    let wrong = load(&built_in("digits", "picture", &[64], &[])).unwrap_err();
    assert!(wrong.to_string().contains("`image`"), "{wrong}");
}

/// A folder of its own for each test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("nnc-data-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.0.join(name), bytes).unwrap();
    }

    fn files(&self) -> Files {
        Files { folders: vec![self.0.clone()], limit: 1 << 20 }
    }

    fn load(&self, name: &str, args: &[Value]) -> Result<Table> {
        source::load(&call(name, args), &self.files(), &[])
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn idx_file(kind: u8, dims: &[u32], body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, kind, dims.len() as u8];
    dims.iter().for_each(|d| bytes.extend(d.to_be_bytes()));
    bytes.extend(body);
    bytes
}

#[test]
fn idx_files() {
    let folder = Folder::new("idx");
    let pixels: Vec<u8> = (0..12).collect();
    folder.write("a.gz", &zipped(&idx_file(8, &[3, 2, 2], &pixels)));
    folder.write("b", &idx_file(8, &[3], &[0, 1, 9]));
    let table = folder.load("idx", &[text("a.gz"), text("b.gz")]).unwrap();
    assert_eq!((table.count, &table.columns[0].shape), (3, &vec![1, 2, 2]));
    assert_eq!(table.columns[0].values, Values::Bytes(pixels));
    let error = table.columns[1].classes(9).unwrap_err();
    assert_eq!((error.kind, error.position), (Kind::BadValue, Some(Position::Row(3))));

    let good = idx_file(8, &[3, 2, 2], &[7; 12]);
    let broken: &[(&str, Vec<u8>, Kind, u64)] = &[
        ("empty", vec![], Kind::Malformed, 0),
        ("short header", good[..9].to_vec(), Kind::Malformed, 9),
        ("short body", good[..20].to_vec(), Kind::Malformed, 20),
        ("long body", [&good[..], &[1]].concat(), Kind::Malformed, 28),
        ("magic", [&[1], &good[1..]].concat(), Kind::Malformed, 0),
        ("type", idx_file(7, &[3], &[0; 3]), Kind::Malformed, 0),
        ("no samples", idx_file(8, &[0, 2], &[]), Kind::Malformed, 4),
        ("overflow", idx_file(8, &[u32::MAX; 4], &[]), Kind::TooLarge, 20),
        ("too large", idx_file(8, &[1 << 21], &[]), Kind::TooLarge, 8),
        ("nan", idx_file(0x0d, &[3], &[0, 0, 0, 0, 0x7f, 0xc0, 0, 0, 0, 0, 0, 0]), Kind::BadValue, 12),
        ("count", idx_file(8, &[2], &[0, 1]), Kind::Mismatch, u64::MAX),
    ];
    for (what, bytes, kind, at) in broken {
        folder.write("broken", bytes);
        let error = folder.load("idx", &[text("broken"), text("b")]).unwrap_err();
        assert_eq!(error.kind, *kind, "{what}: {error}");
        assert!(error.file.is_some(), "{what}: {error}");
        if *at != u64::MAX {
            assert_eq!(error.position, Some(Position::Byte(*at)), "{what}: {error}");
        }
    }
}

#[test]
fn compressed_files_are_no_trap() {
    let folder = Folder::new("gzip");
    folder.write("bomb.csv.gz", &zipped(&vec![b'1'; 1 << 24]));
    assert_eq!(folder.load("csv", &[text("bomb.csv")]).unwrap_err().kind, Kind::TooLarge);
    let whole = zipped(&idx_file(8, &[100], &[3; 100]));
    folder.write("b", &idx_file(8, &[100], &[3; 100]));
    folder.write("cut.gz", &whole[..whole.len() - 10]);
    assert_eq!(folder.load("idx", &[text("cut.gz"), text("b")]).unwrap_err().kind, Kind::Malformed);
    folder.write("huge", &vec![0; (1 << 20) + 1]);
    assert_eq!(folder.load("csv", &[text("huge")]).unwrap_err().kind, Kind::TooLarge);
}

#[test]
fn files_stay_inside_their_folders() {
    let folder = Folder::new("inside");
    for name in ["../secret", "/etc/hostname", "", "a/../../b"] {
        assert_eq!(folder.load("csv", &[text(name)]).unwrap_err().kind, Kind::Request, "{name}");
    }
    let error = folder.load("csv", &[text("absent.csv")]).unwrap_err();
    assert_eq!(error.kind, Kind::Missing);
    assert!(error.to_string().contains("--data-dir"), "{error}");
}

#[test]
fn csv_files() {
    let folder = Folder::new("csv");
    folder.write("a.csv", b"age,name,size,kind\n1,x,0.5,0\n2, y ,1.5,1\n");
    let table = folder.load("csv", &[text("a.csv")]).unwrap();
    let names: Vec<_> = table.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["age", "name", "size", "kind"]);
    assert_eq!(named(&table, "label").unwrap().classes(2).unwrap(), [0, 1]);
    assert_eq!(table.column("size").unwrap().numbers().unwrap(), [0.5, 1.5]);
    let error = named(&table, "features").unwrap_err();
    assert_eq!(error.position, Some(Position::Cell { line: 2, column: 2 }));
    assert!(error.to_string().contains("a.csv:2:2: `x` is not a number (column `name`)"), "{error}");

    folder.write("plain.csv", b"1,2,0\n3,4,1\n");
    let table = folder.load("csv", &[text("plain.csv"), Value::Bool(false)]).unwrap();
    assert_eq!(named(&table, "features").unwrap().numbers().unwrap(), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!((table.count, &table.columns[2].name[..]), (2, "c3"));

    let broken: &[(&str, &[u8], Kind, Option<Position>)] = &[
        ("ragged", b"a,b\n1,2\n3\n", Kind::Malformed, Some(Position::Cell { line: 3, column: 2 })),
        ("missing", b"a,b\n1,2\n3,\n", Kind::BadValue, Some(Position::Cell { line: 3, column: 2 })),
        ("nan", b"a,b\n1,NaN\n", Kind::BadValue, Some(Position::Cell { line: 2, column: 2 })),
        ("infinite", b"a,b\n1,1e309\n", Kind::BadValue, Some(Position::Cell { line: 2, column: 2 })),
        ("not text", b"a,b\n1,\xff\n", Kind::Malformed, Some(Position::Cell { line: 2, column: 2 })),
        ("empty", b"", Kind::Malformed, None),
        ("header only", b"a,b\n", Kind::Malformed, None),
    ];
    for (what, bytes, kind, position) in broken {
        folder.write("broken.csv", bytes);
        let result = folder.load("csv", &[text("broken.csv")]);
        let error = result.and_then(|t| t.column("b")?.numbers()).unwrap_err();
        assert_eq!((error.kind, &error.position), (*kind, position), "{what}: {error}");
    }
}

fn npy_file(descr: &str, shape: &str, body: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(body);
    bytes
}

#[test]
fn npy_files() {
    let folder = Folder::new("npy");
    let floats: Vec<u8> = [1.5f32, -2.0, 3.0, 4.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    folder.write("x.npy", &npy_file("<f4", "(2, 2)", &floats));
    folder.write("y.npy", &npy_file(">i8", "(2,)", &[0, 0, 0, 0, 0, 0, 0, 3, 255, 255, 255, 255, 255, 255, 255, 254]));
    let table = folder.load("npy", &[text("x.npy"), text("y.npy")]).unwrap();
    assert_eq!((table.count, &table.columns[0].shape), (2, &vec![2]));
    assert_eq!(table.columns[0].values, Values::Numbers(vec![1.5, -2.0, 3.0, 4.0]));
    assert_eq!(table.columns[1].values, Values::Integers(vec![3, -2]));

    let good = npy_file("<f4", "(2, 2)", &floats);
    let broken: &[(&str, Vec<u8>, Kind)] = &[
        ("magic", b"PK\x03\x04aaaaaaaa".to_vec(), Kind::Malformed),
        ("cut", good[..good.len() - 1].to_vec(), Kind::Malformed),
        ("long", [&good[..], &[0]].concat(), Kind::Malformed),
        ("objects", npy_file("|O", "(2,)", &[0; 16]), Kind::Malformed),
        ("shape", npy_file("<f4", "(2, -2)", &floats), Kind::Malformed),
        ("overflow", npy_file("<f8", "(4294967295, 4294967295, 4294967295)", &[]), Kind::TooLarge),
        ("large", npy_file("<f8", "(1000000,)", &[]), Kind::TooLarge),
        ("empty", npy_file("<f4", "(0, 2)", &[]), Kind::Malformed),
        ("scalar", npy_file("<f4", "()", &[0; 4]), Kind::Malformed),
        ("nan", npy_file("<f4", "(1,)", &f32::NAN.to_le_bytes()), Kind::BadValue),
        ("infinite", npy_file("<f8", "(1,)", &f64::INFINITY.to_le_bytes()), Kind::BadValue),
        ("too big for f64", npy_file("<u8", "(1,)", &[255; 8]), Kind::BadValue),
        ("count", npy_file("<f4", "(1,)", &[0; 4]), Kind::Mismatch),
    ];
    for (what, bytes, kind) in broken {
        folder.write("broken.npy", bytes);
        let error = folder.load("npy", &[text("broken.npy"), text("y.npy")]).unwrap_err();
        assert_eq!(error.kind, *kind, "{what}: {error}");
    }
}

/// Cuts and flips bytes of good files: any outcome but a panic or a hang will do.
#[test]
fn mutated_files_never_bring_it_down() {
    use crate::random::{Generator, Place};
    let folder = Folder::new("mutated");
    let mut random = Generator::new(Place { seed: 1, site: 2, step: 3 }, 4);
    let seeds: [(&str, Vec<u8>); 4] = [
        ("idx", idx_file(8, &[3, 2, 2], &[7; 12])),
        ("idx", zipped(&idx_file(0x0e, &[3], &[0; 24]))),
        ("csv", b"a,b,\"c\"\n1,2,3\n4,5e3,6\n".to_vec()),
        ("npy", npy_file("<f4", "(2, 2)", &[0; 16])),
    ];
    for round in 0..400 {
        let (name, good) = &seeds[round % seeds.len()];
        let mut bytes = good.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] = random.word() as u8;
        }
        bytes.truncate(bytes.len() - random.below(4) as usize);
        folder.write("f", &bytes);
        let args = if *name == "csv" { vec![text("f")] } else { vec![text("f"), text("f")] };
        if let Err(error) = folder.load(name, &args) {
            assert!(!error.message.is_empty());
        }
    }
}

#[test]
fn orders_cover_every_sample_once() {
    let order = epoch_order(42, 3, 10, true);
    assert_eq!(order.chunks(4).map(<[u32]>::len).collect::<Vec<_>>(), [4, 4, 2]);
    assert_ne!(order, epoch_order(42, 4, 10, true));
    assert_eq!(epoch_order(42, 3, 3, false), [0, 1, 2]);
}

/// With MNIST at hand (`NNC_DATA`), its files are read as anyone would expect.
#[test]
fn mnist_where_it_is_at_hand() {
    let files = Files::usual(None, Some(Path::new("program.nn")));
    let args = [text("t10k-images-idx3-ubyte.gz"), text("t10k-labels-idx1-ubyte.gz")];
    match source::load(&call("idx", &args), &files, &[]) {
        Err(error) => assert_eq!(error.kind, Kind::Missing),
        Ok(table) => {
            assert_eq!((table.count, &table.columns[0].shape), (10_000, &vec![1, 28, 28]));
            assert_eq!(table.columns[1].classes(10).unwrap()[..5], [7, 2, 1, 0, 4]);
        }
    }
}
