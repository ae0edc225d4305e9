//! `nnc new`: a folder with a program that runs at once, to be changed.

use crate::say;
use driver::fault::Fault;
use runtime::file::replace;
use std::path::Path;

const PROGRAM: &str = include_str!("new/program.nn");
const NOTE: &str = include_str!("new/README.md");

/// Makes the folder and says what to do next. The folder may have any name; the program in it has the nearest one that can
/// be written in the language: `my-project` makes `my-project/my_project.nn`.
pub fn new(folder: &Path) -> Result<(), Fault> {
    let asked = folder.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let Some(name) = item_name(asked) else {
        let message = "the name of a project has a letter of the English alphabet in it, such as nnc new first-net";
        return Err(Fault::usage(message));
    };
    if folder.exists() {
        return Err(Fault::usage(format!("{} is already there", folder.display())));
    }
    std::fs::create_dir_all(folder)
        .map_err(|e| Fault::data(format!("cannot make the folder {}: {e}", folder.display())))?;
    for (file, text) in [(format!("{name}.nn"), PROGRAM), ("README.md".to_string(), NOTE)] {
        replace(&folder.join(file), text.replace("NAME", &name).as_bytes()).map_err(Fault::data)?;
    }
    let place = quoted(&folder.display().to_string());
    say!("{}/{name}.nn runs as it is:\n\n  cd {place} && nnc run {name}.nn", folder.display());
    Ok(())
}

/// A name that begins with a letter and has letters, digits and `_` only; none if nothing would be left.
fn item_name(asked: &str) -> Option<String> {
    let plain: String = asked.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let from = plain.find(|c: char| c.is_ascii_alphabetic())?;
    let name = plain[from..].trim_end_matches('_');
    // A word of the language, or a name the program uses itself, would not be read as the name of the block.
    let read = grammar::parse(grammar::span::SourceId(0), &PROGRAM.replace("NAME", name));
    let taken = !read.1.is_empty() || PROGRAM.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == name);
    Some(if taken { format!("{name}_net") } else { name.to_string() })
}

/// As a shell reads it back as one word.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,=@%".contains(c);
    if path.chars().all(plain) && !path.starts_with('-') {
        path.to_string()
    } else {
        format!("'{}'", path.replace('\'', "'\\''"))
    }
}
