//! Every program in `examples` runs, for 20 updates; the larger ones in `examples/bench` check.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{fs, io};

fn nnc(arguments: &[&str]) -> io::Result<Output> {
    Command::new(env!("CARGO_BIN_EXE_nnc")).args(arguments).current_dir(root()).output()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The programs of a folder, in the order of their names.
fn programs(folder: &str) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(root().join(folder))?;
    let mut paths: Vec<PathBuf> = entries.map(|e| Ok(e?.path())).collect::<io::Result<_>>()?;
    paths.retain(|p| p.extension().is_some_and(|e| e == "nn"));
    paths.sort();
    assert!(!paths.is_empty(), "{folder} has no programs");
    Ok(paths)
}

/// The last line of standard output, as JSON.
fn last(output: &Output) -> serde_json::Value {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default()
}

#[test]
fn every_example_runs() -> io::Result<()> {
    let folder = std::env::temp_dir().join(format!("nnc-examples-{}", std::process::id()));
    let mut wrong = vec![];
    for path in programs("examples")? {
        let text = fs::read_to_string(&path)?;
        let out = folder.join(path.file_stem().unwrap_or_default());
        let (file, out) = (path.display().to_string(), out.display().to_string());
        if !text.contains("\ntrain ") {
            continue; // Only to be differentiated; the documentation's commands do that.
        }
        let output =
            nnc(&["run", &file, "--json", "--out", &out, "--epochs", "1", "--set", "steps=20", "--samples", "600"])?;
        let end = last(&output);
        let absent = output.status.code() == Some(3)
            && end["message"]
                .as_str()
                .is_some_and(|m| m.contains("there is no file") || m.contains("there is no folder"));
        if absent {
            println!("skipped {file}: {}", end["message"]);
        } else if !output.status.success() || !end["train"]["loss"].is_number() {
            wrong.push(format!("{file}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
        } else {
            let left = ["curves.svg", "curves.png", "weights.safetensors", "metrics.jsonl", "metrics.csv", "source.nn"];
            let missing = left.iter().filter(|name| !Path::new(&out).join(name).is_file());
            wrong.extend(missing.map(|name| format!("{file} left no {name}")));
        }
    }
    fs::remove_dir_all(&folder)?;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn every_example_says_what_it_is() -> io::Result<()> {
    for path in programs("examples")? {
        let text = fs::read_to_string(&path)?;
        if !text.contains("\ntrain ") {
            continue;
        }
        let head: Vec<&str> = text.lines().take_while(|line| line.starts_with("///")).collect();
        assert!(head.iter().any(|l| l.contains("Shows:")), "{} does not say what it shows", path.display());
        assert!(head.iter().any(|l| l.contains("Expect")), "{} does not say what to expect", path.display());
    }
    Ok(())
}

#[test]
fn the_programs_that_are_measured_check_without_a_warning() -> io::Result<()> {
    for path in programs("examples/bench")? {
        let output = nnc(&["check", &path.display().to_string()])?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.contains("no errors, 0 warnings"), "{}: {said}", path.display());
    }
    Ok(())
}
