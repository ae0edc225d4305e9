//! Programs that go NaN: the run ends with its own status and shows the line where the first number that is none, or
//! is infinite, came from, announced in `tests/nan` by `//~ diverged`.

mod common;

use common::{Folder, fail, repository, text};

/// The line announced in a program.
fn announced(source: &str) -> usize {
    let mut lines = source.lines().enumerate().filter(|(_, line)| line.contains("//~ diverged"));
    let (line, _) = lines.next().unwrap_or_else(|| panic!("nothing is announced"));
    assert!(lines.next().is_none(), "only one line is the right one");
    line + 1
}

/// Runs a program and compares the place shown.
fn goes_wrong(name: &str) {
    let folder = Folder::new(name);
    let path = format!("tests/nan/{name}.nn");
    let line = announced(&text(&repository(&path)));
    let said = fail(&format!("run {path} --out {}", folder.path("run").display()), 4);
    let report = said.split("error[diverged]").nth(1).unwrap_or_else(|| panic!("no place is shown:\n{said}"));
    let place = format!("{path}:{line}:");
    assert!(report.contains(&place), "not {place}\n{report}");
}

macro_rules! programs {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            goes_wrong(stringify!($name));
        })*

        /// No program of the folder is left out.
        #[test]
        fn all_are_listed() {
            let listed = [$(stringify!($name)),*];
            let entries = std::fs::read_dir(repository("tests/nan")).expect("the programs");
            for entry in entries.filter_map(Result::ok) {
                let name = entry.file_name().to_string_lossy().into_owned();
                let stem = name.strip_suffix(".nn").unwrap_or_else(|| panic!("{name} is no program"));
                assert!(listed.contains(&stem), "{name} is not run");
            }
            assert!(listed.len() >= 10);
        }
    };
}

programs! {
    accumulation
    backward_pass
    branch_taken
    deviation_of_a_constant
    in_a_for
    layer_used_twice
    learning_rate_too_large
    logarithm_of_relu
    optimizer
    softmax_by_hand
    state
}
