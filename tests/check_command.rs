//! `nnc check` and `nnc explain` through the built command: the three message formats, and the exit statuses.

mod common;

use serde_json::{Value, json};
use std::io;
use std::path::Path;
use std::process::{Command, Output};

/// Runs the command in the project's folder.
fn nnc(arguments: &[&str]) -> io::Result<Output> {
    Command::new(env!("CARGO_BIN_EXE_nnc")).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const WRONG: &str = "tests/ui/misspelt_layer.nn";

#[test]
fn json_has_a_diagnostic_a_line_and_nothing_else() -> io::Result<()> {
    let output = nnc(&["check", WRONG, "tests/ui/forgotten_flatten.nn", "--message-format", "json"])?;
    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<Value> = text(&output.stdout).lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert_eq!(lines.len(), 2);
    let place = |line: usize, from: usize, to: usize| json!({"file": WRONG, "start": {"line": line, "column": from}, "end": {"line": line, "column": to}});
    let mut expected = place(9, 10, 14);
    let mut label = place(9, 10, 14);
    let mut edit = place(9, 10, 14);
    label["text"] = json!("");
    edit["replacement"] = json!("dense");
    expected["code"] = json!("unknown-name");
    expected["severity"] = json!("error");
    expected["message"] = json!("there is no `dens` here");
    expected["labels"] = json!([label]);
    expected["notes"] = json!([]);
    expected["help"] = json!([{"text": "did you mean `dense`?", "edit": edit}]);
    assert_eq!(lines[0], expected);
    assert_eq!(lines[1]["code"], "rank-mismatch");
    assert_eq!(lines[1]["labels"].as_array().map(Vec::len), Some(4));
    Ok(())
}

#[test]
fn short_is_a_line_for_each() -> io::Result<()> {
    let output = nnc(&["check", WRONG, "--message-format", "short"])?;
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let said = text(&output.stderr);
    assert_eq!(
        said.lines().next(),
        Some("tests/ui/misspelt_layer.nn:9:10: error[unknown-name]: there is no `dens` here")
    );
    Ok(())
}

#[test]
fn human_shows_the_source_and_counts() -> io::Result<()> {
    let output = nnc(&["check", WRONG])?;
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("x |> dens(16) |> relu") && said.contains("help: did you mean `dense`?"), "{said}");
    assert!(said.ends_with("error: 1 error, 0 warnings\n"), "{said}");
    assert!(!said.contains('\u{1b}'), "no colour where nobody looks");
    Ok(())
}

#[test]
fn warnings_alone_are_no_failure() -> io::Result<()> {
    let output = nnc(&["check", "tests/ui/warning_softmax_twice.nn", "--message-format", "json"])?;
    assert_eq!(output.status.code(), Some(0));
    let warning: Value = serde_json::from_str(&text(&output.stdout))?;
    assert_eq!((&warning["code"], &warning["severity"]), (&json!("normalised-twice"), &json!("warning")));
    Ok(())
}

#[test]
fn every_example_checks_in_silence() -> io::Result<()> {
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "nn") {
            let output = nnc(&["check", &path.display().to_string(), "--message-format", "json"])?;
            assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), String::new()), "{}", path.display());
        }
    }
    Ok(())
}

#[test]
fn explain_has_a_list_pages_and_suggestions() -> io::Result<()> {
    let list = nnc(&["explain"])?;
    assert!(list.status.success());
    let listed = text(&list.stdout);
    assert!(listed.lines().any(|line| line.starts_with("shape-mismatch ")), "{listed}");
    let page = nnc(&["explain", "shape-mismatch"])?;
    assert!(page.status.success() && text(&page.stdout).starts_with("# shape-mismatch: "));
    let unknown = nnc(&["explain", "shape-missmatch"])?;
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("did you mean `shape-mismatch`?"), "{}", text(&unknown.stderr));
    Ok(())
}

#[test]
fn a_file_that_is_not_there_is_data_trouble() -> io::Result<()> {
    let output = nnc(&["check", "tests/ui/nowhere.nn"])?;
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("nowhere.nn"));
    Ok(())
}

#[test]
fn a_line_too_long_to_show_is_named_only() -> io::Result<()> {
    let folder = common::Folder::new("long-line");
    let file = folder.write("long.nn", format!("fn f(x) = {}missing\n", "x + ".repeat(300)));
    let output = nnc(&["check", &file.display().to_string()])?;
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains(":1:1211"), "{said}");
    assert!(said.lines().all(|l| l.len() < 200), "{said}");
    Ok(())
}
