//! Forms of comma-separated values: each is read to the right values, or refused with its place.

use super::{call, class, field, load, spec, values};
use crate::common::Folder;
use runtime::data::{self, Value};

/// What comes of a table whose columns `a` and `b` (or `c1` and `c2`) are numbers.
#[derive(Clone, Copy)]
enum Comes<'a> {
    /// The values of both, row by row.
    Right(&'a [f64]),
    /// A message with these words.
    Refused(&'a [&'a str]),
}

use Comes::{Refused, Right};

/// The form, the file, whether the program says `header = true` or `false`, and what comes of it.
type Form<'a> = (&'a str, &'a [u8], Option<bool>, Comes<'a>);

const ONE_TO_FOUR: Comes = Right(&[1.0, 2.0, 3.0, 4.0]);

const FORMS: &[Form] = &[
    // Line ends and what is around the table.
    ("plain", b"a,b\n1,2\n3,4\n", None, ONE_TO_FOUR),
    ("no final line end", b"a,b\n1,2\n3,4", None, ONE_TO_FOUR),
    ("CRLF", b"a,b\r\n1,2\r\n3,4\r\n", None, ONE_TO_FOUR),
    ("CR", b"a,b\r1,2\r3,4\r", None, ONE_TO_FOUR),
    ("blank lines at the end", b"a,b\n1,2\n3,4\n\n\n", None, ONE_TO_FOUR),
    ("blank lines before and within", b"\n\na,b\n\n1,2\n\n3,4\n", None, ONE_TO_FOUR),
    ("lines of blanks", b"a,b\n1,2\n  \n3,4\n\t\n", None, ONE_TO_FOUR),
    ("a mark of byte order", b"\xef\xbb\xbfa,b\n1,2\n3,4\n", None, ONE_TO_FOUR),
    ("the same before a quotation mark", b"\xef\xbb\xbf\"a\",b\n1,2\n3,4\n", None, ONE_TO_FOUR),
    ("UTF-16", b"\xff\xfea\0,\0b\0\n\0", None, Refused(&["UTF-16", "UTF-8"])),
    ("Latin-1", b"a,b\n1,2\n3,\xe4\n", None, Refused(&["f.csv:3:2", "not UTF-8"])),
    ("empty", b"", None, Refused(&["no samples"])),
    ("only a header", b"a,b\n", None, Refused(&["no samples"])),
    ("only a header without line end", b"a,b", None, Refused(&["no samples"])),
    ("only a header, unsaid", b"1,2\n", Some(true), Refused(&["no samples"])),
    // Quotation marks.
    ("all cells quoted", b"\"a\",\"b\"\n\"1\",\"2\"\n\"3\",\"4\"\n", None, ONE_TO_FOUR),
    ("blanks after a quoted cell", b"a,b\n\"1\" ,2\n3,\"4\" \n", None, ONE_TO_FOUR),
    ("a blank before a quotation mark", b"a,b\n1, \"2\"\n", None, Refused(&["f.csv:2:2", "quotation mark"])),
    ("never closed", b"a,b\n1,\"2\n3,4\n", None, Refused(&["f.csv:2:2", "never closed"])),
    ("never closed in the last cell", b"a,b\n1,2\n3,\"4", None, Refused(&["f.csv:3:2", "never closed"])),
    ("closed too early", b"a,b\n\"1\"5,2\n", None, Refused(&["f.csv:2:1", "quotation mark"])),
    ("in a cell", b"a,b\n1,2\n3,4\"\n", None, Refused(&["f.csv:3:2", "quotation mark"])),
    // Numbers.
    ("blanks around cells", b" a , b \n 1 ,\t2\n3  ,  4 \n", None, ONE_TO_FOUR),
    ("signs and exponents", b"a,b\n+1,2e0\n30e-1,4.\n", None, ONE_TO_FOUR),
    ("more of them", b"a,b\n1E5,-2.5e-3\n.5,-0\n", None, Right(&[1e5, -2.5e-3, 0.5, 0.0])),
    ("leading zeros", b"a,b\n01,002.0\n3,4\n", None, ONE_TO_FOUR),
    ("not a number", b"a,b\n1,2\nNaN,4\n", None, Refused(&["f.csv:3:1", "`NaN` is not a finite number", "`a`"])),
    ("nan in small letters", b"a,b\n1,nan\n", None, Refused(&["f.csv:2:2", "not a finite number"])),
    ("infinity", b"a,b\n1,2\n3,inf\n", None, Refused(&["f.csv:3:2", "`inf` is not a finite number"])),
    ("minus infinity", b"a,b\n1,2\n3,-Infinity\n", None, Refused(&["f.csv:3:2", "not a finite number"])),
    ("too large", b"a,b\n1,2\n3,1e999\n", None, Refused(&["f.csv:3:2", "`1e999` is not a finite number"])),
    ("an empty cell", b"a,b\n1,2\n3,\n", None, Refused(&["f.csv:3:2", "a value is missing"])),
    ("an empty first cell", b"a,b\n,2\n3,4\n", None, Refused(&["f.csv:2:1", "a value is missing"])),
    ("a quoted empty cell", b"a,b\n1,\"\"\n", None, Refused(&["f.csv:2:2", "a value is missing"])),
    ("NA", b"a,b\n1,2\n3,NA\n", None, Refused(&["f.csv:3:2", "`NA` stands for a missing value"])),
    ("NA first", b"a,b\nNA,2\n3,4\n", None, Refused(&["f.csv:2:1", "`NA` stands for a missing value"])),
    ("null", b"a,b\n1,null\n", None, Refused(&["f.csv:2:2", "`null` stands for a missing value"])),
    ("a question mark", b"a,b\n1,2\n3,?\n", None, Refused(&["f.csv:3:2", "`?` is not a number"])),
    ("a word", b"a,b\n1,2\nthree,4\n", None, Refused(&["f.csv:3:1", "`three` is not a number"])),
    ("a word first", b"a,b\none,2\n3,4\n", None, Refused(&["f.csv:2:1", "`one` is not a number"])),
    ("hexadecimal", b"a,b\n1,0x10\n", None, Refused(&["f.csv:2:2", "`0x10` is not a number"])),
    ("a share in percent", b"a,b\n1,2\n3,4%\n", None, Refused(&["f.csv:3:2", "`4%` is not a number"])),
    ("underlines", b"a,b\n1,2\n3,4_000\n", None, Refused(&["f.csv:3:2", "`4_000` is not a number"])),
    ("a quoted decimal comma", b"a,b\n1,\"2,5\"\n", None, Refused(&["f.csv:2:2", "`2,5`", "point", "`2.5`"])),
    ("decimal commas", b"a,b\n1,5,2,5\n", None, Refused(&["f.csv:2:3", "4 cells", "has 2", "decimal commas"])),
    ("digits beyond 2^53", b"a,b\n1,9007199254740993\n", None, Refused(&["f.csv:2:2", "2^53"])),
    // Other separators.
    ("semicolons", b"a;b\n1;2\n3;4\n", None, Refused(&["f.csv:1:1", "separated by `;`", "commas"])),
    ("semicolons and decimal commas", b"a;b\n1,5;2,5\n", None, Refused(&["f.csv:1:1", "separated by `;`"])),
    ("the same without a header", b"1,5;2,5\n3;4\n", Some(false), Refused(&["f.csv:1:1", "separated by `;`"])),
    ("tabs", b"a\tb\n1\t2\n", None, Refused(&["f.csv:1:1", "separated by tabs"])),
    ("bars", b"a|b\n1|2\n", None, Refused(&["f.csv:1:1", "separated by `|`"])),
    ("semicolons below", b"a,b\n1,2;3\n", None, Refused(&["f.csv:2:2", "`2;3`", "separated by `;`"])),
    // Lines of other lengths.
    ("a cell too few", b"a,b\n1,2\n3\n", None, Refused(&["f.csv:3:2", "this line has 1 cells, the first line has 2"])),
    ("a cell too many", b"a,b\n1,2\n3,4,5\n", None, Refused(&["f.csv:3:3", "has 3 cells"])),
    ("a comma at the end", b"a,b\n1,2,\n", None, Refused(&["f.csv:2:3", "has 3 cells"])),
    ("a remark", b"# made yesterday\na,b\n1,2\n", None, Refused(&["f.csv:2:2", "has 2 cells"])),
    // Headers.
    ("a name twice", b"a,b,a\n1,2,3\n", None, Refused(&["two columns are called `a`, number 1 and number 3"])),
    ("a name twice but for blanks", b"a,b,b \n1,2,3\n", None, Refused(&["two columns are called `b`"])),
    ("no header, as said", b"1,2\n3,4\n", Some(false), ONE_TO_FOUR),
    ("no header, unsaid", b"1,2\n3,4\n", None, Refused(&["may be a sample", "header = false", "header = true"])),
    ("no header, words beside", b"1,2,x\n3,4,y\n", None, Refused(&["may be a sample"])),
    ("a header, denied", b"a,b\n1,2\n3,4\n", Some(false), Refused(&["f.csv:1:1", "`a` is not a number", "leave out"])),
    ("a header, affirmed", b"a,b\n1,2\n3,4\n", Some(true), ONE_TO_FOUR),
];

#[test]
fn every_form_is_right_or_refused() {
    let folder = Folder::new("forms");
    for (name, file, header, comes) in FORMS {
        folder.write("f.csv", file);
        let named: Vec<_> = header.iter().map(|h| ("header", Value::Bool(*h))).collect();
        let columns = if *header == Some(false) { ["c1", "c2"] } else { ["a", "b"] };
        let fields = [field("x", &[2], &columns, &[])];
        let wanted = spec(&folder, &[("train", call("csv", "f.csv", &named))], &fields, true);
        let got = data::load(&wanted).map(|s| values(&s, "train", 0)).map_err(|e| e.to_string());
        match (comes, got) {
            (Right(right), Ok(got)) => assert_eq!(got, *right, "{name}"),
            (Refused(words), Err(said)) => {
                let there = |word: &&&str| said.contains(**word);
                assert!(words.iter().all(|w| there(&w)), "{name}: {words:?} in: {said}");
            }
            (Right(_), Err(said)) => panic!("{name} is refused: {said}"),
            (Refused(_), Ok(got)) => panic!("{name} is read as {got:?}"),
        }
    }
    // Numbers for names are meant where the program says so.
    folder.write("f.csv", "2023,2024\n1,2\n3,4\n");
    let fields = [field("x", &[2], &["2023", "2024"], &[])];
    let source = call("csv", "f.csv", &[("header", Value::Bool(true))]);
    let set = load(&folder, &[("train", source)], &fields).expect("a header");
    assert_eq!(values(&set, "train", 0), [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn words_are_classes_or_refused() {
    let folder = Folder::new("words");
    let read = |table: &str, classes: usize| {
        folder.write("w.csv", table);
        let set = load(&folder, &[("train", call("csv", "w.csv", &[]))], &[class("y", classes, "kind")])?;
        let mut got = vec![0; set.splits[0].count];
        set.splits[0].classes(0, &(0..got.len() as u32).collect::<Vec<_>>(), &mut got);
        Ok((got, set.names[0].clone()))
    };
    let names = |names: &[&str]| names.iter().map(|n| (*n).to_string()).collect::<Vec<_>>();
    let birds = Ok::<_, String>((vec![1, 0, 1], names(&["crow", "owl"])));
    assert_eq!(read("kind,a\nowl,1\ncrow,2\nowl,3\n", 2), birds);
    assert_eq!(read("kind,a\n\"owl\",1\n crow ,2\nowl,3\n", 2), birds);
    assert_eq!(read("kind,a\n\"a,b\",1\n\"a \"\"b\"\"\",2\n", 2), Ok((vec![1, 0], names(&["a \"b\"", "a,b"]))));
    assert_eq!(read("kind,a\n2,1\n0,2\n1.0,3\n", 3).map(|(got, _)| got), Ok(vec![2, 0, 1]));
    for (table, classes, words) in [
        ("kind,a\nowl,1\nNA,2\ncrow,3\n", 3, ["w.csv:3:1", "`NA` stands for a missing value"]),
        ("kind,a\nowl,1\n,2\ncrow,3\n", 3, ["w.csv:3:1", "a value is missing"]),
        ("kind,a\nowl,1\nnan,2\ncrow,3\n", 3, ["w.csv:3:1", "`nan` is not a finite number"]),
        ("kind,a\nowl,1\ncrow,2\njay,3\n", 2, ["3 classes", "class(3)"]),
        ("kind,a\nowl,1\n7,2\n", 3, ["w.csv:2:1", "`owl` is not a number"]),
        ("kind,a\n0,1\n0.5,2\n", 3, ["sample 2", "holds 0.5"]),
        ("kind,a\nowl,1\n\"crow,2\n", 2, ["w.csv:3:1", "never closed"]),
    ] {
        let said = read(table, classes).expect_err(table);
        words.iter().for_each(|word| assert!(said.contains(word), "`{word}` in: {said}"));
    }
}

/// Lines are those that an editor counts, columns the cells of a line.
#[test]
fn places_are_right() {
    let folder = Folder::new("places");
    let tables: [(&[u8], &str); 8] = [
        (b"a,b\r\n1,2\r\n3,x\r\n", ":3:2:"),
        (b"a,b\r1,2\r3,x\r", ":3:2:"),
        (b"\r\n\r\na,b\r\n\r\n1,2\r\n3,x\r\n", ":6:2:"),
        (b"\xef\xbb\xbfa,b\r\n1,2\r\n3,x\r\n", ":3:2:"),
        (b"note,b\n\"two\nlines\",2\nother,x\n", ":4:2:"),
        (b"note,b\r\n\"two\r\nlines\",2\r\nother,x\r\n", ":4:2:"),
        // The cell begins on the second line of its sample.
        (b"note,b\r\n\"one\",2\r\n\"two\r\nlines\",x\r\n", ":4:2:"),
        (b"note,b\n\n\"one\",2\n\"three\n\nlines\",x\n", ":6:2:"),
    ];
    for (table, place) in tables {
        folder.write("p.csv", table);
        let fields = [field("x", &[], &["b"], &[])];
        let said = load(&folder, &[("train", call("csv", "p.csv", &[]))], &fields).expect_err("x is no number");
        assert!(said.contains(&format!("p.csv{place}")), "{place} in: {said}");
    }
}

/// However large a cell, a name or a list of them is, a message is one that can be read.
#[test]
fn messages_stay_short() {
    let folder = Folder::new("long");
    let long = "x".repeat(1 << 20);
    let many: Vec<String> = (0..100_000).map(|i| format!("column_{i}")).collect();
    let ones = vec!["1"; many.len()].join(",");
    let words: Vec<String> = (0..5000).map(|i| format!("word_{i},1")).collect();
    let tables = [
        (format!("a,b\n1,2\n3,{long}\n"), "3:2"),
        (format!("a,b\n1,2\n{long},2\n3,4\n"), "3:1"),
        (format!("a,{long}\n1,2\n3,y\n"), "2 columns"),
        (format!("{long},{long}\n1,2\n"), "two columns are called `xxx"),
        (format!("{}\n{ones}\n", many.join(",")), "and 99988 more"),
        (format!("a,b\n1,2\n3,\"{long}\n"), "never closed"),
        (format!("b;{long}\n1;2\n"), "separated by `;`"),
        (format!("a,b\n{}\n", words.join("\n")), "`word_0` is not a number"),
        (format!("a,b\n1,{}1\n", "9".repeat(1 << 20)), "2^53"),
    ];
    for (table, expected) in tables {
        folder.write("l.csv", &table);
        let fields = [field("x", &[2], &["a", "b"], &[])];
        let said = load(&folder, &[("train", call("csv", "l.csv", &[]))], &fields).expect_err("all are wrong");
        assert!(said.len() < 1000, "{} bytes: {}", said.len(), &said[..1000]);
        assert!(said.contains(expected) || expected == "2 columns", "{expected} in: {said}");
    }
    // A class with a name of a megabyte, and 5,000 classes.
    for (table, classes) in
        [(format!("k\n{long}\ny\n"), 1), (format!("k\n{}\n", words.join("\n").replace(",1", "")), 2)]
    {
        folder.write("l.csv", &table);
        let said = load(&folder, &[("train", call("csv", "l.csv", &[]))], &[class("y", classes, "k")]);
        let said = said.expect_err("too few classes");
        assert!(said.len() < 1000 && said.contains("classes"), "{}", &said[..said.len().min(1000)]);
    }
}
