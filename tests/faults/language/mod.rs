//! Words, settings and models that would be taken for something else.

mod arguments;
mod instances;
mod ranges;
mod samples;
mod twice;
mod types;

use crate::common::{Folder, errors, nnc};

/// Two fields of four numbers.
const DATA: &str = "
data d {
    x: [4] = random_normal(64, [4], seed = 1)
    y: [4] = random_normal(64, [4], seed = 2)
}
";

/// A whole program: definitions, and an objective of the fields `x` and `y` above.
fn program(definitions: &str, objective: &str) -> String {
    lines(definitions, &format!("    objective = {objective}\n    optimizer = sgd(lr = 0.1)\n"))
}

/// A whole program with these lines in its train block.
fn lines(definitions: &str, lines: &str) -> String {
    format!("{DATA}{definitions}\ntrain t {{\n    data = d\n{lines}    batch = 8\n    epochs = 1\n}}\n")
}

/// What a command says of a program, and whether it succeeds.
fn said(command: &str, text: &str) -> (bool, String) {
    let folder = Folder::new("language");
    let path = folder.write("net.nn", text);
    let output = nnc().args(command.split(' ')).arg(&path).output().expect("the command starts");
    (output.status.success(), format!("{}{}", String::from_utf8_lossy(&output.stdout), errors(&output)))
}

/// Nothing is wrong with the program.
#[track_caller]
fn right(text: &str) {
    let (fine, said) = said("check", text);
    assert!(fine, "{said}");
}

/// The program is refused with exactly one error of that code, which says all of this.
#[track_caller]
fn refused(text: &str, code: &str, parts: &[&str]) {
    let (fine, said) = said("check", text);
    assert!(!fine && said.contains(&format!("error[{code}]")), "{said}\n{text}");
    assert_eq!(said.matches("error[").count(), 1, "{said}");
    for part in parts {
        assert!(said.contains(part), "`{part}` is not in\n{said}");
    }
}

/// The paths of a program's parameters, in order.
fn parameters(text: &str) -> Vec<String> {
    let (fine, said) = said("emit --stage typed", text);
    assert!(fine, "{said}");
    let found = said.lines().filter_map(|l| l.trim().strip_prefix("param "));
    found.map(|l| l.split([' ', ':']).next().unwrap_or_default().to_string()).collect()
}
