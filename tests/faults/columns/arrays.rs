//! Forms of NPY and NPZ: each is read to the right values, or refused in words.

use super::{call, field, load, values};
use crate::common::{Folder, read_arrays};
use std::io::Write;

/// An NPY file of version 1.0; `descr` as it stands in the header.
pub fn file(descr: &str, fortran: bool, shape: &str, elements: &[u8]) -> Vec<u8> {
    version(1, descr, fortran, shape, elements)
}

fn version(version: u8, descr: &str, fortran: bool, shape: &str, elements: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let header = format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n");
    let length = (header.len() as u32).to_le_bytes();
    let length = if version == 1 { &length[..2] } else { &length[..] };
    [&b"\x93NUMPY"[..], &[version, 0], length, header.as_bytes(), elements].concat()
}

/// A ZIP archive of stored NPY files under their names; the same name may stand twice, as `zipfile` of Python writes it.
pub fn archive(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    // The writer refuses a name a second time, so it gets another of the same length, which is put right in the bytes.
    let other = |n: usize, name: &str| format!("{}{n}.npy", &name[..name.len() - 1]);
    let mut right = vec![];
    for (n, (name, bytes)) in members.iter().enumerate() {
        let twice = members[..n].iter().any(|(before, _)| before == name);
        let written = if twice { other(n, name) } else { format!("{name}.npy") };
        writer.start_file(&written, stored).expect("a member");
        writer.write_all(bytes).expect("its bytes");
        right.push((written, format!("{name}.npy")));
    }
    let mut bytes = writer.finish().expect("an archive").into_inner();
    for (written, right) in right.iter().filter(|(a, b)| a != b) {
        let (from, to) = (written.as_bytes(), right.as_bytes());
        assert_eq!(from.len(), to.len());
        let places: Vec<usize> = (0..bytes.len() - from.len()).filter(|i| bytes[*i..].starts_with(from)).collect();
        places.into_iter().for_each(|i| bytes[i..i + to.len()].copy_from_slice(to));
    }
    bytes
}

/// The little-endian or big-endian bytes of the same numbers.
macro_rules! le {
    ($t:ty: $($x:expr),*) => { [$(($x as $t).to_le_bytes()),*].concat() };
}
macro_rules! be {
    ($t:ty: $($x:expr),*) => { [$(($x as $t).to_be_bytes()),*].concat() };
}

#[test]
fn every_type_of_number_is_read() {
    let folder = Folder::new("types");
    // numpy.array([1.5, -2, 65504], "<f2").tobytes(): sign, 5 bits of exponent with bias 15, 10 of fraction.
    let half = [0x00, 0x3e, 0x00, 0xc0, 0xff, 0x7b];
    let large = [9_007_199_254_740_992.0, -3.0, 4_294_967_296.0];
    let forms: [(&str, Vec<u8>, [f64; 3]); 21] = [
        ("'<f8'", le!(f64: 0.1, -2.0, 1e300), [0.1, -2.0, 1e300]),
        ("'>f8'", be!(f64: 0.1, -2.0, 1e300), [0.1, -2.0, 1e300]),
        ("'=f8'", le!(f64: 0.1, -2.0, 3.0), [0.1, -2.0, 3.0]),
        ("'<f4'", le!(f32: 0.5, -2.0, 3.0), [0.5, -2.0, 3.0]),
        ("'>f4'", be!(f32: 0.5, -2.0, 3.0), [0.5, -2.0, 3.0]),
        ("'<f2'", half.to_vec(), [1.5, -2.0, 65504.0]),
        ("'>f2'", half.chunks(2).flat_map(|b| [b[1], b[0]]).collect(), [1.5, -2.0, 65504.0]),
        ("'|b1'", vec![1, 0, 1], [1.0, 0.0, 1.0]),
        ("'|u1'", vec![1, 200, 255], [1.0, 200.0, 255.0]),
        ("'|i1'", le!(i8: 1, -128, 127), [1.0, -128.0, 127.0]),
        ("'<u2'", le!(u16: 1, 40_000, 65_535), [1.0, 40_000.0, 65_535.0]),
        ("'>u2'", be!(u16: 1, 40_000, 65_535), [1.0, 40_000.0, 65_535.0]),
        ("'<i2'", le!(i16: 1, -32_768, 5), [1.0, -32_768.0, 5.0]),
        ("'>i2'", be!(i16: 1, -32_768, 5), [1.0, -32_768.0, 5.0]),
        ("'<u4'", le!(u32: 1, 4_000_000_000u32, 7), [1.0, 4e9, 7.0]),
        ("'>i4'", be!(i32: 1, -2_000_000_000, 16_777_217), [1.0, -2e9, 16_777_217.0]),
        ("'<i4'", le!(i32: 1, -2_000_000_000, 16_777_217), [1.0, -2e9, 16_777_217.0]),
        ("'<i8'", le!(i64: 1, -2, 3), [1.0, -2.0, 3.0]),
        ("'<i8'", le!(i64: 9_007_199_254_740_992i64, -3, 4_294_967_296i64), large),
        ("'>i8'", be!(i64: 9_007_199_254_740_992i64, -3, 4_294_967_296i64), large),
        ("'<u8'", le!(u64: 1, 2, 1u64 << 63), [1.0, 2.0, 9_223_372_036_854_775_808.0]),
    ];
    for (descr, elements, right) in &forms {
        for kind in 1..=3 {
            let npy = version(kind, descr, false, "(3,)", elements);
            folder.write("x.npy", &npy);
            folder.write("x.npz", archive(&[("x", npy)]));
            for (loader, name) in [("npy", "x.npy"), ("npz", "x.npz")] {
                let fields = [field("x", &[], &["x"], &[])];
                let set = super::spec(&folder, &[("train", call(loader, name, &[]))], &fields, true);
                let set = runtime::data::load(&set).unwrap_or_else(|e| panic!("{descr} {name}: {e}"));
                assert_eq!(values(&set, "train", 0), right, "{descr}, version {kind}, {name}");
                // The same file handed to a command as its inputs.
                assert_eq!(read_arrays(&folder.path(name))["x"].values, right, "{descr}, version {kind}, {name}");
            }
        }
    }
}

/// numpy.asfortranarray(a).tobytes("A") of a[i, j, k] = 100 i + 10 j + k, of shape (2, 3, 2): the first index runs fastest.
#[test]
fn columns_first_are_read_as_rows_first() {
    let folder = Folder::new("fortran");
    let value = |i: usize, j: usize, k: usize| (100 * i + 10 * j + k) as f64;
    let stored: Vec<f64> = (0..12).map(|n| value(n % 2, n / 2 % 3, n / 6)).collect();
    let right: Vec<f64> = (0..12).map(|n| value(n / 6, n / 2 % 3, n % 2)).collect();
    let bytes = |of: &dyn Fn(f64) -> Vec<u8>| stored.iter().flat_map(|x| of(*x)).collect::<Vec<u8>>();
    let forms = [
        ("'<f8'", bytes(&|x| x.to_le_bytes().to_vec())),
        ("'<f4'", bytes(&|x| (x as f32).to_le_bytes().to_vec())),
        ("'>i2'", bytes(&|x| (x as i16).to_be_bytes().to_vec())),
        ("'|u1'", bytes(&|x| vec![x as u8])),
    ];
    for (descr, elements) in forms {
        folder.write("x.npy", file(descr, true, "(2, 3, 2)", &elements));
        let set = load(&folder, &[("train", call("npy", "x.npy", &[]))], &[field("x", &[3, 2], &["x"], &[])]);
        assert_eq!(values(&set.expect(descr), "train", 0), right, "{descr}");
        assert_eq!(read_arrays(&folder.path("x.npy"))["x"].values, right, "{descr}");
    }
    // With one dimension both orders are the same; NumPy 1 wrote long integers of Python 2.
    folder.write("x.npy", file("'<f8'", true, "(3L,)", &le!(f64: 1, 2, 3)));
    let set = load(&folder, &[("train", call("npy", "x.npy", &[]))], &[field("x", &[], &["x"], &[])]);
    assert_eq!(values(&set.expect("one dimension"), "train", 0), [1.0, 2.0, 3.0]);
}

#[test]
fn what_is_no_array_of_numbers_is_refused() {
    let folder = Folder::new("refused");
    let refused: [(Vec<u8>, &str); 15] = [
        (file("'|O'", false, "(2,)", b"\x80\x04]"), "Python objects"),
        (file("'<U5'", false, "(1,)", &[0; 20]), "texts"),
        (file("'|S3'", false, "(1,)", &[0; 3]), "texts"),
        (file("'<c16'", false, "(1,)", &[0; 16]), "complex numbers"),
        (file("'<M8[ns]'", false, "(1,)", &[0; 8]), "dates or times"),
        (file("'<f16'", false, "(1,)", &[0; 16]), "`<f16`"),
        (file("[('a', '<f4'), ('shape', '<i4')]", false, "(1,)", &[0; 8]), "records of several fields"),
        (file("'<f8'", false, "(2,)", &le!(f64: 1.0, f64::NAN)), "element 1 (sample 2) is NaN"),
        (file("'<f4'", false, "(2,)", &le!(f32: 1.0, f32::INFINITY)), "element 1 (sample 2) is inf"),
        (file("'<f2'", false, "(1,)", &[0, 0x7e]), "is NaN"),
        (file("'<i8'", false, "(2,)", &le!(i64: 1, 9_007_199_254_740_993i64)), "9007199254740993"),
        (file("'>u8'", false, "(1,)", &[255; 8]), "18446744073709551615"),
        (file("'<f8'", false, "(0, 2)", &[]), "empty"),
        (file("'<f8'", false, "()", &[0; 8]), "no samples"),
        (version(4, "'<f8'", false, "(1,)", &[0; 8]), "version 4"),
    ];
    for (npy, words) in refused {
        folder.write("x.npy", &npy);
        folder.write("x.npz", archive(&[("x", npy)]));
        for (loader, name) in [("npy", "x.npy"), ("npz", "x.npz")] {
            let said = load(&folder, &[("train", call(loader, name, &[]))], &[field("x", &[], &["x"], &[])]);
            let said = said.expect_err(words);
            assert!(said.contains(words) && said.contains(name), "`{words}` in: {said}");
        }
    }
}

#[test]
fn a_name_twice_in_an_archive_is_refused() {
    let folder = Folder::new("twice");
    let x = |value: f64| file("'<f8'", false, "(1,)", &value.to_le_bytes());
    folder.write("x.npz", archive(&[("xa", x(1.0)), ("y", x(2.0)), ("xa", x(3.0))]));
    for part in [&[][..], &[("part", super::text("train"))]] {
        let said = load(&folder, &[("train", call("npz", "x.npz", part))], &[field("x", &[], &["xa"], &[])]);
        assert!(said.expect_err("which of them?").contains("the archive has two members called `xa.npy`"));
    }
    let said = runtime::arrays::read(&folder.path("x.npz")).expect_err("which of them?").to_string();
    assert!(said.contains("the archive has two members called `xa.npy`"), "{said}");
}

/// A vector of columns comes from one array only if it has one element for each.
#[test]
fn arrays_for_several_columns_have_one_element_for_each() {
    let folder = Folder::new("several");
    folder.write("t.csv", "a,b,y\n1,2,0\n3,4,1\n");
    let net = folder.write(
        "net.nn",
        "data d {\n    train = csv(\"t.csv\")\n    x: [2] = [b, a]\n    y: class(2) = label\n}\n\
         model Net(x: [2]) -> [2] { x |> dense(2) as fc }\n\
         train net {\n    data = d\n    z = Net(x)\n    objective = cross_entropy(z, y)\n    optimizer = sgd(lr = 0.1)\n    \
         batch = 2\n    epochs = 1\n}\n",
    );
    let at = folder.0.display().to_string();
    crate::common::succeed(&format!("run {} --out {at}/run", net.display()));
    let line = format!("predict {} --weights {at}/run --inputs {at}/x.npy -o {at}/z.npz", net.display());
    folder.write("x.npy", file("'<f8'", false, "(2, 2)", &le!(f64: 2, 1, 4, 3)));
    crate::common::succeed(&line);
    for (shape, elements) in [("(6,)", 6), ("(2, 3)", 6), ("(2, 2, 1)", 4)] {
        folder.write("x.npy", file("'<f8'", false, shape, &vec![0; 8 * elements]));
        let said = crate::common::fail(&line, 3);
        assert!(said.contains("stands for the columns b, a"), "{shape}: {said}");
    }
}
