//! `metrics.jsonl`: one JSON object a line, appended while training. After a resume it holds each
//! line once, as if nothing had happened.

use crate::data::{DataError, Kind, Position, Result};
use crate::file::{self, unwritable};
use crate::moments;
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The longest line: a hundred times what an epoch tells.
const LINE: u64 = 1 << 20;

/// Lines within epochs that are kept of a log when it is read, evenly spaced: more than a picture can show.
const INTERIM: usize = 1 << 16;

/// A log open for appending.
#[derive(Debug)]
pub struct Log {
    file: File,
    path: PathBuf,
}

impl Log {
    /// Begins an empty log.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| unwritable(&e, path))?;
        }
        let file = File::create(path).map_err(|e| unwritable(&e, path))?;
        Ok(Self { file, path: path.to_path_buf() })
    }

    /// Goes on with a log whose run continues in epoch number `epoch` (from 0) after update number `step`: the first
    /// line that tells of something later, or that a kill cut short, is removed with all that follow.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn resume(path: &Path, epoch: u64, step: u64) -> Result<Self> {
        if let Ok(about) = std::fs::metadata(path) {
            file::only_regular(&about).map_err(|e| e.in_file(path))?;
        }
        #[allow(clippy::disallowed_methods, reason = "opened to be written on; what is read of it is limited below")]
        let open = || -> std::io::Result<File> {
            let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
            let keep = length_until(&file, epoch, step)?;
            file.set_len(keep)?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        Ok(Self { file: open().map_err(|e| unwritable(&e, path))?, path: path.to_path_buf() })
    }

    /// Appends a line in one write.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn append(&mut self, line: &Value) -> Result<()> {
        let text = format!("{line}\n");
        let (first, rest) = moments::halves(text.as_bytes());
        moments::pass();
        let written = self.file.write_all(first).and_then(|()| {
            moments::pass();
            self.file.write_all(rest)
        });
        written.map_err(|e| unwritable(&e, &self.path))
    }
}

/// Bytes of the lines that are whole and tell of nothing later.
fn length_until(file: &File, epoch: u64, step: u64) -> std::io::Result<u64> {
    let mut reader = BufReader::new(file);
    let (mut line, mut keep) = (Vec::new(), 0);
    loop {
        line.clear();
        let length = (&mut reader).take(LINE).read_until(b'\n', &mut line)?;
        let told = line.strip_suffix(b"\n").and_then(|l| serde_json::from_slice::<Value>(l).ok());
        match told {
            Some(told) if !is_later(&told, epoch, step) => keep += length as u64,
            _ => return Ok(keep),
        }
    }
}

/// Whether a line was written after the given position: one with a later step, the end of the epoch under way (which may
/// bear the same step), the end of the run.
fn is_later(line: &Value, epoch: u64, step: u64) -> bool {
    let number = |key: &str| line.get(key).and_then(Value::as_u64);
    number("step").is_some_and(|s| s > step)
        || match line.get("event").and_then(Value::as_str) {
            Some("epoch") => number("epoch").is_some_and(|e| e > epoch),
            Some("done") => true,
            _ => false,
        }
}

/// The lines of a log; a last one without its end is left out, since the run may go on while its log is read. Of those
/// within epochs a long log yields every second, every fourth and so on.
///
/// # Errors
/// If the file cannot be read, or a line is no JSON.
pub fn read(path: &Path) -> Result<Vec<Value>> {
    let input = file::open(path, file::LOG)?;
    let size = input.size();
    let mut reader = BufReader::new(input.into_file()).take(size);
    let (mut line, mut kept) = (Vec::new(), Kept { lines: vec![], interim: 0, seen: 0, every: 1 });
    for number in 0.. {
        line.clear();
        let cannot = |e: std::io::Error| DataError::io(&e, "cannot read the log").in_file(path);
        (&mut reader).take(LINE).read_until(b'\n', &mut line).map_err(cannot)?;
        let Some(whole) = line.strip_suffix(b"\n") else {
            // A run may be writing it.
            if line.len() as u64 == LINE {
                return Err(no_log(path, number, "it is longer than 1 MiB"));
            }
            break;
        };
        kept.push(serde_json::from_slice(whole).map_err(|e| {
            // The line that the reader counts is always its first.
            let why = e.to_string();
            no_log(path, number, why.split(" at line ").next().unwrap_or(&why))
        })?);
    }
    Ok(kept.lines)
}

/// What is kept of a log: of the lines within epochs one in `every`, counted from the first.
struct Kept {
    lines: Vec<Value>,
    interim: usize,
    seen: usize,
    every: usize,
}

impl Kept {
    fn push(&mut self, line: Value) {
        if is_interim(&line) {
            self.seen += 1;
            if !(self.seen - 1).is_multiple_of(self.every) {
                return;
            }
            self.interim += 1;
        }
        self.lines.push(line);
        if self.interim > INTERIM {
            self.halve();
        }
    }

    fn halve(&mut self) {
        let mut number = 0;
        self.lines.retain(|line| {
            number += usize::from(is_interim(line));
            !is_interim(line) || number % 2 == 1
        });
        self.interim = self.interim.div_ceil(2);
        self.every *= 2;
    }
}

/// Whether a line tells of updates within an epoch.
fn is_interim(line: &Value) -> bool {
    line.get("event").and_then(Value::as_str) == Some("interval")
}

fn no_log(path: &Path, lines_before: u64, why: &str) -> DataError {
    let line = lines_before + 1;
    DataError::new(Kind::Malformed, format!("this line is none of a log: {why}"))
        .at(Position::Cell { line, column: 1 })
        .in_file(path)
        .help("a log has a JSON object a line, as `nnc run` writes them to metrics.jsonl")
}

/// The epochs of a log as comma-separated values: `epoch`, `step`, then every figure under its split, `valid.loss`.
#[must_use]
pub fn table(lines: &[Value]) -> String {
    let epochs = || lines.iter().filter(|l| l.get("event").and_then(Value::as_str) == Some("epoch"));
    let figures = |line: &Value| {
        let splits = line.as_object().into_iter().flat_map(|l| l.iter());
        let named = |(split, v): (&String, &Value)| {
            let metrics = v.as_object().into_iter().flat_map(|m| m.iter());
            metrics.map(|(metric, value)| (format!("{split}.{metric}"), value.clone())).collect::<Vec<_>>()
        };
        splits.flat_map(named).collect::<Vec<_>>()
    };
    let mut columns = vec!["epoch".to_string(), "step".to_string()];
    for (name, _) in epochs().flat_map(figures) {
        if !columns.contains(&name) {
            columns.push(name);
        }
    }
    let row = |line: &Value| {
        let figures = figures(line);
        let cell = |name: &String| {
            let value = figures.iter().find(|(n, _)| n == name).map(|(_, v)| v).or_else(|| line.get(name));
            value.map_or(String::new(), Value::to_string)
        };
        columns.iter().map(cell).collect::<Vec<_>>().join(",")
    };
    let lines = std::iter::once(columns.join(",")).chain(epochs().map(row));
    lines.map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn epochs_make_a_table() {
        let lines = [
            json!({"event": "start"}),
            json!({"event": "epoch", "epoch": 1, "step": 4, "train": {"loss": 0.5}}),
            json!({"event": "epoch", "epoch": 2, "step": 8, "train": {"loss": 0.25}, "valid": {"loss": 1.0}}),
        ];
        assert_eq!(table(&lines), "epoch,step,train.loss,valid.loss\n1,4,0.5,\n2,8,0.25,1.0\n");
    }

    #[test]
    fn a_long_log_is_thinned_evenly() {
        let mut kept = Kept { lines: vec![], interim: 0, seen: 0, every: 1 };
        for step in 0..3 * INTERIM as u64 {
            kept.push(json!({"event": "interval", "step": step}));
            if step % 1000 == 999 {
                kept.push(json!({"event": "epoch", "step": step}));
            }
        }
        let steps = |event: &str| {
            let of = kept.lines.iter().filter(|l| l["event"] == event);
            of.map(|l| l["step"].as_u64().unwrap()).collect::<Vec<_>>()
        };
        let wanted: Vec<u64> = (0..3 * INTERIM as u64).step_by(4).collect();
        assert_eq!(steps("interval"), wanted);
        assert_eq!(steps("epoch").len(), 3 * INTERIM / 1000);
    }

    #[test]
    fn resuming_leaves_no_gap_and_no_repetition() {
        let path = std::env::temp_dir().join(format!("nnc-log-{}.jsonl", std::process::id()));
        let line = |step: u64| json!({"event": "epoch", "step": step, "train": {"loss": 0.5}});
        let mut log = Log::create(&path).unwrap();
        log.append(&json!({"event": "start"})).unwrap();
        (1..6).for_each(|step| log.append(&line(step)).unwrap());
        drop(log);
        let whole = std::fs::read(&path).unwrap();
        let start = 1 + whole.iter().position(|b| *b == b'\n').unwrap();
        for cut in start..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let reached = read(&path).unwrap().len() as u64 - 1;
            let mut log = Log::resume(&path, 3, 3).unwrap();
            (reached.min(3) + 1..6).for_each(|step| log.append(&line(step)).unwrap());
            assert_eq!(std::fs::read(&path).unwrap(), whole, "cut at byte {cut}");
        }
        // A checkpoint taken after the last update of an epoch and before its end was told; one of a finished run.
        for (last, epoch) in [(json!({"event": "epoch", "epoch": 6, "step": 5}), 5), (json!({"event": "done"}), 6)] {
            Log::resume(&path, 6, 5).unwrap().append(&last).unwrap();
            drop(Log::resume(&path, epoch, 5).unwrap());
            assert_eq!(std::fs::read(&path).unwrap(), whole, "{last}");
        }
        std::fs::remove_file(&path).unwrap();
    }
}
