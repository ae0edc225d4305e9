//! `nnc new`: a folder with a program that runs at once, to be changed.

use crate::fault::Fault;
use crate::say;
use std::path::Path;

const PROGRAM: &str = include_str!("new/program.nn");
const NOTE: &str = include_str!("new/README.md");

/// Makes the folder and says what to do next.
pub fn new(folder: &Path) -> Result<(), Fault> {
    let name = folder.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let good = name.starts_with(|c: char| c.is_alphabetic() && c.is_ascii())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !good {
        let message =
            "a project's name begins with a letter and has letters, digits and _ only, such as nnc new first_net";
        return Err(Fault::usage(message));
    }
    if folder.exists() {
        return Err(Fault::usage(format!("{} is already there", folder.display())));
    }
    std::fs::create_dir_all(folder).map_err(|e| cannot(folder, &e))?;
    for (file, text) in [(format!("{name}.nn"), PROGRAM), ("README.md".to_string(), NOTE)] {
        let path = folder.join(file);
        std::fs::write(&path, text.replace("NAME", name)).map_err(|e| cannot(&path, &e))?;
    }
    say!("{}/{name}.nn runs as it is:\n\n  cd {} && nnc run {name}.nn", folder.display(), folder.display());
    Ok(())
}

fn cannot(path: &Path, error: &std::io::Error) -> Fault {
    Fault::data(format!("cannot make {}: {error}", path.display()))
}
