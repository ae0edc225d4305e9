//! What the documents show is true: programs compile, commands run, and what they print is what is shown.
//!
//! A block's first line says what it is:
//! * `nn`: a whole program, which checks without a warning; `nn run`: it also trains, for 20 updates;
//! * `nn fragment`: items or statements, which parse;
//! * `nn run parquet`: as `nn run`, where Parquet is built in;
//! * `.. file NAME`: a file of that name, beside the programs;
//! * `sh run`: commands, which succeed where the examples are at hand;
//! * `text of ARGUMENTS`: lines that `nnc ARGUMENTS` prints, in this order; with `without NAME` at the end, on
//!   examples from which the steps `|> NAME` have been taken.
//!
//! `NNC_BLESS=1` writes `docs/library.md` anew from the library.

use compiler::library::{self, Definition};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{fs, io};

const DOCUMENTS: [&str; 11] = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "docs/command-line.md",
    "docs/data.md",
    "docs/deploy.md",
    "docs/deviations.md",
    "docs/grammar.md",
    "docs/language.md",
    "docs/library.md",
    "docs/tutorial.md",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A fenced block of a document.
struct Block {
    place: String,
    kind: String,
    text: String,
}

/// The blocks of all documents whose first line begins with `kind`.
fn blocks(kind: &str) -> io::Result<Vec<Block>> {
    let mut found = vec![];
    for document in DOCUMENTS {
        let text = fs::read_to_string(root().join(document))?;
        let mut open: Option<Block> = None;
        for (n, line) in text.lines().enumerate() {
            match (line.strip_prefix("```"), &mut open) {
                (Some(kind), None) => {
                    open =
                        Some(Block { place: format!("{document}:{}", n + 1), kind: kind.into(), text: String::new() })
                }
                (Some(_), Some(_)) => found.extend(open.take()),
                (None, Some(block)) => block.text.extend([line, "\n"]),
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{document} has a block without an end");
    }
    found.retain(|b| b.kind == kind || b.kind.starts_with(&format!("{kind} ")));
    Ok(found)
}

/// A folder to work in, with the examples in it; gone at the end.
struct Workplace(PathBuf);

impl Workplace {
    fn new(name: &str, without: Option<&str>) -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("nnc-docs-{name}-{}", std::process::id()));
        fs::create_dir_all(folder.join("examples"))?;
        for entry in fs::read_dir(root().join("examples"))? {
            let path = entry?.path();
            if path.is_file() {
                let text = fs::read_to_string(&path)?;
                let kept = |line: &&str| without.is_none_or(|name| line.trim() != format!("|> {name}"));
                let lines: Vec<&str> = text.lines().filter(kept).collect();
                fs::write(folder.join("examples").join(path.file_name().unwrap_or_default()), lines.join("\n") + "\n")?;
            }
        }
        Ok(Self(folder))
    }

    fn nnc(&self, arguments: &[&str]) -> io::Result<Output> {
        Command::new(env!("CARGO_BIN_EXE_nnc")).args(arguments).current_dir(&self.0).output()
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        // What cannot be removed stays in the folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn programs_check_and_run() -> io::Result<()> {
    let place = Workplace::new("programs", None)?;
    let mut wrong = vec![];
    write_data(&place.0)?;
    for block in blocks("nn")?.iter().filter(|b| b.kind != "nn fragment") {
        fs::write(place.0.join("program.nn"), &block.text)?;
        let checked = place.nnc(&["check", "program.nn"])?;
        if !said(&checked).contains("no errors, 0 warnings") {
            wrong.push(format!("{}: {}", block.place, said(&checked)));
        }
        if block.kind == "nn run" || block.kind == "nn run parquet" && cfg!(feature = "parquet") {
            let run = place.nnc(&["run", "program.nn", "--out", "out", "--epochs", "1", "--set", "steps=20"])?;
            if !run.status.success() {
                wrong.push(format!("{}: {}", block.place, said(&run)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// The files that the programs of docs/data.md read: those it shows, and small ones of the binary formats.
fn write_data(folder: &Path) -> io::Result<()> {
    for kind in ["csv", "text"] {
        for block in blocks(kind)? {
            if let Some((_, name)) = block.kind.split_once(" file ") {
                fs::write(folder.join(name), &block.text)?;
            }
        }
    }
    for name in ["train/cat/1", "train/dog/2", "test/cat/3", "test/dog/4"] {
        let picture = runtime::plot::Picture { title: name.to_string(), charts: vec![] };
        let path = folder.join(format!("photos/{name}.png"));
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(path, picture.png().map_err(io::Error::other)?)?;
    }
    let array = |rows: usize, width: usize| runtime::arrays::Array {
        shape: vec![rows, width],
        values: (0..rows * width).map(|i| (i % 7) as f64 - 3.0).collect(),
    };
    let arrays = [("x_train", array(8, 3)), ("y_train", array(8, 2)), ("x_test", array(3, 3)), ("y_test", array(3, 2))];
    let arrays = arrays.into_iter().map(|(name, a)| (name.to_string(), a)).collect();
    runtime::arrays::write(&folder.join("arrays.npz"), &arrays, false).map_err(io::Error::other)?;
    let pixels: Vec<u8> = (0..16 * 784).map(|i| (i % 251) as u8).collect();
    fs::write(
        folder.join("images-idx3-ubyte"),
        [&[0, 0, 8, 3, 0, 0, 0, 16, 0, 0, 0, 28, 0, 0, 0, 28], &pixels[..]].concat(),
    )?;
    let labels: Vec<u8> = (0..16).map(|i| i % 10).collect();
    fs::write(folder.join("labels-idx1-ubyte"), [&[0, 0, 8, 1, 0, 0, 0, 16], &labels[..]].concat())?;
    fs::create_dir_all(folder.join("cifar-10-batches-bin"))?;
    for (k, name) in ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"]
        .iter()
        .enumerate()
    {
        let image = [&[k as u8], &pixels[k..k + 3072]].concat();
        fs::write(folder.join(format!("cifar-10-batches-bin/{name}.bin")), image)?;
    }
    fs::copy(root().join("runtime/src/data/tests/table.parquet"), folder.join("table.parquet"))?;
    Ok(())
}

#[test]
fn fragments_parse() -> io::Result<()> {
    for block in blocks("nn fragment")? {
        let id = grammar::span::SourceId(0);
        let as_body = format!("fn fragment() {{\n{}\n}}\n", block.text);
        let as_settings = format!("train fragment {{\n{}\n}}\n", block.text);
        let read = |text: &str| grammar::parse(id, text).1.is_empty();
        assert!([&block.text, &as_body, &as_settings].into_iter().any(|t| read(t)), "{} does not parse", block.place);
    }
    Ok(())
}

#[test]
fn commands_succeed() -> io::Result<()> {
    let place = Workplace::new("commands", None)?;
    for block in blocks("sh run")? {
        for line in block.text.lines() {
            let command = line.split(" #").next().unwrap_or_default().trim();
            let arguments = command.strip_prefix("cargo run --release -- ").or_else(|| command.strip_prefix("nnc "));
            let Some(arguments) = arguments else { panic!("{}: `{command}` is no command of nnc", block.place) };
            let output = place.nnc(&arguments.split_whitespace().collect::<Vec<_>>())?;
            assert!(output.status.success(), "{}: {command}: {}", block.place, said(&output));
        }
    }
    Ok(())
}

#[test]
fn what_is_shown_is_what_is_printed() -> io::Result<()> {
    for block in blocks("text of")? {
        let command = block.kind.trim_start_matches("text of ");
        let (command, without) = command.split_once(" without ").map_or((command, None), |(c, name)| (c, Some(name)));
        let place = Workplace::new("shown", without)?;
        for other in blocks("nn")?.iter().filter(|b| b.kind == "nn line.nn") {
            fs::write(place.0.join("line.nn"), &other.text)?;
        }
        let output = place.nnc(&command.split_whitespace().collect::<Vec<_>>())?;
        let printed = said(&output);
        let mut lines = printed.lines();
        for shown in block.text.lines().filter(|l| !l.trim().is_empty() && l.trim() != "..") {
            assert!(lines.any(|l| l.trim() == shown.trim()), "{}: not printed, or not here: {shown}", block.place);
        }
    }
    Ok(())
}

#[test]
fn every_command_and_flag_is_described() -> io::Result<()> {
    let place = Workplace::new("flags", None)?;
    let manual = fs::read_to_string(root().join("docs/command-line.md"))?;
    let help = said(&place.nnc(&["--help"])?);
    let listed = help.lines().skip_while(|l| *l != "Commands:").skip(1).take_while(|l| !l.is_empty());
    let commands: Vec<&str> = listed.filter_map(|l| l.split_whitespace().next()).filter(|c| *c != "help").collect();
    assert!(commands.contains(&"run"), "{help}");
    for command in commands {
        assert!(manual.contains(&format!("## nnc {command}")), "the manual does not describe `{command}`");
        let help = said(&place.nnc(&[command, "--help"])?);
        let flags =
            help.split_whitespace().filter(|w| w.starts_with("--")).map(|w| w.trim_matches([',', ']', '.', ':']));
        for flag in flags.filter(|f| *f != "--help") {
            assert!(manual.contains(&format!("`{flag}")), "the manual does not describe `{flag}` of `{command}`");
        }
    }
    Ok(())
}

/// The item up to the block that is its body.
fn head(item: &str) -> &str {
    let mut depth = 0;
    for (at, c) in item.char_indices() {
        match c {
            '{' if depth == 0 && !item[..at].trim_end().ends_with("->") => return item[..at].trim_end(),
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '=' if depth == 0 => return item,
            _ => {}
        }
    }
    item
}

/// What the page of the library begins with.
const LIBRARY: &str = "# The library
Every definition of `compiler/std`, written in the language itself: to be read, copied and changed. `nnc doc NAME` shows one with its whole text; this page is made from the same texts.

The head of a definition has in brackets the dimensions that follow from its inputs, and in parentheses inputs and settings; those with `=` may be left out. `x |> f(a)` is `f(x, a)`. More in [the language](language.md#items).

Under each stands an example, which the tests check and run. One that begins with `model` is a model. The others are lines of a train block, in which `Net` is a model of the field `x`, \
`near` and `far` are further fields like `x`, `y` is a class, and `t` a vector of zeros and ones. For `augment` and `mix`, `x` is an image and `y` a distribution over classes.
";

/// The comment that a file of the library begins with.
fn about(text: &str) -> String {
    text.lines().map_while(|l| l.strip_prefix("// ")).collect::<Vec<_>>().join("\n")
}

/// The page of the library: what there is, by file, then every definition.
fn library_page() -> String {
    let definitions = library::definitions();
    let files: Vec<&[Definition]> = definitions.chunk_by(|a, b| a.file == b.file).collect();
    let mut page = format!("{LIBRARY}\n");
    for file in &files {
        let name = file[0].file.trim_start_matches("std/");
        let links: Vec<String> = file.iter().map(|d| format!("[{0}](#{0})", d.name())).collect();
        let (topic, anchor) = (name.trim_end_matches(".nn"), name.replace('.', ""));
        let _ = writeln!(page, "- [{topic}](#{anchor}): {}", links.join(", "));
    }
    for (file, (_, text)) in files.iter().zip(library::TEXTS) {
        let _ = write!(page, "\n## {}\n{}\n", file[0].file.trim_start_matches("std/"), about(text));
        for definition in *file {
            let Definition { about, example, text, .. } = definition;
            let _ = write!(page, "\n### {}\n{about}\n```text\n{}\n```\n", definition.name(), head(text));
            let _ = write!(page, "Example:\n```nn fragment\n{example}\n```\n");
        }
    }
    page
}

#[test]
fn the_library_is_described_as_it_is() -> io::Result<()> {
    let text = library_page();
    let page = root().join("docs/library.md");
    if std::env::var_os("NNC_BLESS").is_some() {
        fs::write(&page, &text)?;
    }
    assert!(fs::read_to_string(&page)? == text, "docs/library.md is not what NNC_BLESS=1 would write");
    Ok(())
}
