//! Every program in `examples` runs, for 3 updates on 200 samples; these and the larger ones in `examples/bench` check
//! without a warning. The weights that they leave are recorded in `tests/bits.txt`: whatever changes below the language,
//! they stay the same on every processor, unless an order of sums is changed on purpose
//! (`NNC_BLESS=1 cargo test --workspace --features parquet --test examples` records them).

mod common;

use common::{Folder, data, errors, nnc, repository};
use runtime::checkpoint::digest;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Output;
use std::{fs, io};

/// The programs of a folder, in the order of their names.
fn programs(folder: &str) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(repository(folder))?;
    let mut paths: Vec<PathBuf> = entries.map(|e| Ok(e?.path())).collect::<io::Result<_>>()?;
    paths.retain(|p| p.extension().is_some_and(|e| e == "nn"));
    paths.sort();
    assert!(!paths.is_empty(), "{folder} has no programs");
    Ok(paths)
}

/// A fingerprint of the weights of every train block, one a line.
const BITS: &str = "tests/bits.txt";

fn blessing() -> bool {
    std::env::var_os("NNC_BLESS").is_some()
}

fn recorded() -> io::Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(repository(BITS))?;
    Ok(text.lines().filter_map(|line| line.split_once(' ')).map(|(train, bits)| (train.into(), bits.into())).collect())
}

/// The last line of standard output, as JSON.
fn last(output: &Output) -> serde_json::Value {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default()
}

/// Runs a train block for so few updates that it takes no longer than to compile.
fn shrunk(file: &str, train: &str, out: &str) -> io::Result<Output> {
    let chosen = ["run", file, "--train", train, "--json", "--out", out];
    let few = ["--epochs", "1", "--set", "steps=3", "--samples", "200"];
    nnc().args(chosen).args(few).arg("--data-dir").arg(data()).output()
}

/// Every train block runs, has the figure `loss`, and leaves what a run leaves; only data may be missing.
#[test]
fn every_example_runs() -> io::Result<()> {
    let folder = Folder::new("examples");
    let mut wrong = vec![];
    let mut bits = recorded()?;
    for path in programs("examples")? {
        let text = fs::read_to_string(&path)?;
        let file = path.display().to_string();
        // A program without a train block is only to be differentiated; the documentation's commands do that.
        for train in text.lines().filter_map(|l| l.strip_prefix("train ")?.strip_suffix(" {")) {
            let out = folder.path(train);
            let output = shrunk(&file, train, &out.display().to_string())?;
            let end = last(&output);
            let said = end["message"].as_str().unwrap_or_default();
            let absent = ["there is no file", "there is no folder"].iter().any(|words| said.contains(words));
            if output.status.code() == Some(3) && absent {
                println!("skipped {file}: {said}");
            } else if !output.status.success() || !end["train"]["loss"].is_number() {
                wrong.push(format!("{file}: {}\n{}", output.status, errors(&output)));
            } else {
                let left =
                    ["curves.svg", "curves.png", "weights.safetensors", "metrics.jsonl", "metrics.csv", "source.nn"];
                let missing = left.iter().filter(|name| !out.join(name).is_file());
                wrong.extend(missing.map(|name| format!("{file} left no {name}")));
                let found = digest(&out.join("weights.safetensors")).map_err(io::Error::other)?;
                if blessing() {
                    bits.insert(train.to_string(), found);
                } else if bits.get(train) != Some(&found) {
                    wrong.push(format!("{file}: the weights of `{train}` are no longer those of tests/bits.txt"));
                }
            }
        }
    }
    if blessing() {
        let lines: String = bits.iter().map(|(train, bits)| format!("{train} {bits}\n")).collect();
        fs::write(repository(BITS), lines)?;
    }
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
fn all_programs_check_without_a_warning() -> io::Result<()> {
    for path in programs("examples")?.into_iter().chain(programs("examples/bench")?) {
        let output = nnc().arg("check").arg(&path).output()?;
        let said = errors(&output);
        assert!(output.status.success() && said.contains("no errors, 0 warnings"), "{}: {said}", path.display());
    }
    Ok(())
}
