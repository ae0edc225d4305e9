//! No text brings the compiler down: programs of the project, damaged at random, and texts built to be too much, go
//! through lexer, parser and checker, their messages are rendered, and those without errors are lowered and optimised;
//! nothing panics, and none is much work.

#[path = "../../tests/common/allocated.rs"]
mod allocated;

use allocated::allocated;
use grammar::ast::File;
use grammar::diagnostic::{Diagnostic, Severity};
use grammar::render;
use grammar::span::{SourceId, Sources};
use nnc_compiler::lower::programs;
use nnc_compiler::{check, library, optimise};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// How many bytes may be allocated on one text, freed ones among them: some five times as many as the most that any
/// of these does.
const LIMIT: u64 = 256 << 20;

/// All `.nn` files under `folder`, in the order of their names.
fn sources_in(folder: &Path) -> io::Result<Vec<String>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            found.extend(sources_in(&path)?);
        } else if path.extension().is_some_and(|end| end == "nn") {
            found.push(fs::read_to_string(path)?);
        }
    }
    Ok(found)
}

fn corpus() -> io::Result<Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["../examples", "../tests/ui", "std"].map(|folder| sources_in(&root.join(folder)));
    Ok(folders.into_iter().collect::<io::Result<Vec<_>>>()?.concat())
}

/// The library, parsed once.
struct Compiler {
    sources: Sources,
    library: Vec<File>,
}

impl Compiler {
    fn new() -> Self {
        let mut sources = Sources::default();
        let library = library::parse(&mut sources, &library::texts()).0;
        Self { sources, library }
    }

    /// All that is said about a text; what has no errors is compiled as far as the optimised IR.
    fn compile(&self, text: &str) -> Vec<Diagnostic> {
        let mut sources = self.sources.clone();
        let source = sources.add("mutated.nn", text);
        let (file, mut list) = grammar::parse(source, text);
        let (checked, found) = check::check(&sources, &file, &self.library);
        list.extend(check::independent(&list, found, &file));
        let shown: usize = list.iter().map(|d| render::human(&sources, d, false).len()).sum();
        assert!(list.is_empty() || shown > 0);
        if !list.iter().any(|d| d.severity == Severity::Error) {
            for train in &checked.trains {
                let mut module = programs::training(train, train.settings.batch.unwrap_or(1)).module;
                optimise::optimise(&mut module);
            }
        }
        list
    }

    /// Whether a text has errors; or why it is a failure of the compiler: a panic, or too much work.
    fn try_to_compile(&self, text: &str) -> Result<bool, String> {
        let (list, bytes) = allocated(|| catch_unwind(AssertUnwindSafe(|| self.compile(text))));
        let list = list.map_err(|_| "panics".to_string())?;
        if bytes > LIMIT {
            return Err(format!("makes the compiler allocate {bytes} bytes"));
        }
        Ok(list.iter().any(|d| d.severity == Severity::Error))
    }
}

/// Splitmix64: the same mutations in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn choose<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

/// Pieces that matter to the language, put where they do not belong.
const PIECES: [&str; 48] = [
    "0",
    "1",
    "2",
    "3",
    "1.5",
    "1e308",
    "1e-320",
    "999999999999",
    "99999999999999999999999",
    "4294967296",
    "-1",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ";",
    "|>",
    "->",
    "..s",
    "..i",
    "~",
    "+=",
    "=",
    "==",
    "'",
    "@",
    "\"",
    "or 0",
    "as a",
    "param",
    "state",
    "if",
    "else",
    "then",
    "for l in 1..3 with h = x { h }",
    "sum[i]",
    "max[u: 3]",
    "batch",
    "training",
    "grad",
    "theta",
    "class(0)",
    "of class(3)",
    "é",
    "\u{0}",
];

/// Start and end of a random token: a word or number, or one other character.
fn token(text: &str, random: &mut Random) -> (usize, usize) {
    let from = text.floor_char_boundary(random.below(text.len()));
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let start = text[..from].rfind(|c| !word(c)).map_or(0, |at| text.ceil_char_boundary(at + 1));
    let length = text[start..].find(|c| !word(c)).unwrap_or(text.len() - start);
    let single = text[start..].chars().next().map_or(0, char::len_utf8);
    (start, start + length.max(single))
}

/// One to four changes.
fn mutate(text: &str, other: &str, random: &mut Random) -> String {
    let mut text = text.to_string();
    for _ in 0..=random.below(4) {
        let (start, end) = token(&text, random);
        match random.below(8) {
            0 => text.replace_range(start..end, ""),
            1 => text.insert_str(end, &format!(" {}", &text[start..end])),
            2 | 3 => text.replace_range(start..end, random.choose(&PIECES)),
            4 => text.insert_str(start, random.choose(&PIECES)),
            5 => {
                let (a, b) = token(other, random);
                text.replace_range(start..end, &other[a..b]);
            }
            6 => {
                let (a, b) = token(&text, random);
                let word = text[a..b].to_string();
                text.replace_range(start..end, &word);
            }
            _ => {
                let lines: Vec<&str> = text.lines().collect();
                let (from, to) = (random.below(lines.len()), random.below(lines.len()));
                let moved: Vec<&str> = (0..lines.len()).map(|n| lines[if n == to { from } else { n }]).collect();
                text = moved.join("\n");
            }
        }
        if text.is_empty() {
            return text;
        }
    }
    text
}

fn survive(count: usize, seed: u64) -> io::Result<()> {
    let corpus = corpus()?;
    let compiler = Compiler::new();
    let mut random = Random(seed);
    let mut failures = Vec::new();
    let mut right = 0;
    for _ in 0..count {
        let (n, m) = (random.below(corpus.len()), random.below(corpus.len()));
        let text = mutate(&corpus[n], &corpus[m], &mut random);
        match compiler.try_to_compile(&text) {
            Ok(errors) => right += usize::from(!errors),
            Err(why) => failures.push(format!("this text {why}:\n{text}\n")),
        }
    }
    let shown = &failures[..failures.len().min(5)];
    assert!(failures.is_empty(), "{} of {count}\n{}", failures.len(), shown.concat());
    assert!(right > count / 50 && right < count / 2, "{right} of {count} had no errors: the mutations test too little");
    Ok(())
}

#[test]
fn five_hundred_mutated_programs() -> io::Result<()> {
    survive(500, 1)
}

#[test]
#[ignore = "twenty times as many as run always"]
fn ten_thousand_mutated_programs() -> io::Result<()> {
    survive(10_000, 2)
}

fn codes(text: &str) -> Vec<&'static str> {
    let compiler = Compiler::new();
    let (list, bytes) = allocated(|| compiler.compile(text));
    assert!(bytes < LIMIT + 10 * text.len() as u64, "{bytes} bytes for a text of {}", text.len());
    list.iter().map(|d| d.code).collect()
}

#[test]
fn a_sum_of_fifty_thousand_terms_is_refused() {
    let sum = vec!["x"; 50_000].join(" + ");
    assert_eq!(codes(&format!("fn f(x) = {sum}\n")), ["expression-too-long"]);
}

#[test]
fn a_million_nested_brackets_are_refused() {
    for bracket in ["(", "[", "{", "f(", "x[", "-(", "if a { "] {
        let found = codes(&format!("fn f(x) = {}", bracket.repeat(1_000_000)));
        assert!(found.contains(&"nesting-too-deep"), "{bracket}: {found:?}");
    }
    for prefix in ["-", "!", "sum[i] ", "if a then ", "if a then b else ", "fn(x) = ", "x |> "] {
        let found = codes(&format!("fn f(x) = {}x", prefix.repeat(300_000)));
        assert!(!found.is_empty(), "{prefix}");
    }
}

#[test]
fn ten_megabytes_of_source_are_read() {
    let items = "/// Twice a number.\nfn twice(x) = x + x\n\n";
    let text = items.repeat(10_000_000 / items.len());
    let (file, found) = grammar::parse(SourceId(0), &text);
    assert!(found.is_empty() && file.items.len() > 100_000);
    let broken = "fn twice(x = x + + x }\n".repeat(10_000_000 / 23);
    let (_, found) = grammar::parse(SourceId(0), &broken);
    assert!(!found.is_empty() && found.len() < 1_000);
}

#[test]
fn extents_that_overflow_are_refused() {
    let program = |body: &str| {
        format!(
            "data points {{\n train = moons(200)\n x: [2] = point\n y: class(2) = label\n}}\n{body}\ntrain t {{\n data = points\n \
             logits = Net(x)\n objective = cross_entropy(logits, y)\n optimizer = sgd(lr = 0.1)\n batch = 16\n epochs = 1\n}}\n"
        )
    };
    for net in [
        "x |> dense(4294967296) |> dense(4294967296) |> dense(2)",
        "x |> dense(9223372036854775807) |> dense(2)",
        "x |> dense(99999999999999999999999) |> dense(2)",
        "x |> dense(3037000500 * 3037000500) |> dense(2)",
        "x |> dense(2^200) |> dense(2)",
    ] {
        let found = codes(&program(&format!("model Net(x: [2]) -> [2] {{ {net} }}")));
        assert!(!found.is_empty(), "{net}");
    }
    let deep = "model Net(x: [2]) -> [2] { h = for l in 1..200 with h = x { 0.5 * h + x }\n h |> dense(2) }";
    assert_eq!(codes(&program(deep)), [""; 0]);
    let calls: String = (1..400).map(|n| format!("fn f{n}(x) = f{}(x) + 1\n", n - 1)).collect();
    let chain = format!("fn f0(x) = x\n{calls}model Net(x: [2]) -> [2] {{ x |> f399 |> dense(2) }}");
    let found = codes(&program(&chain));
    assert!(!found.is_empty());
}
