//! What a program may use of a machine, and how much memory that has.

use runtime::file;
use std::path::PathBuf;

/// Where data is found, how many threads compute, and what they may take.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// Data and threads.
    pub resources: Resources,
    /// The most bytes a run may hold; all that the machine has if none are said.
    pub memory: Option<usize>,
}

/// Where data is found and how many threads compute. No result depends on the threads.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    /// Where data files are looked for first.
    pub data_dir: Option<PathBuf>,
    /// Threads that compute; all cores if none are said.
    pub threads: Option<usize>,
    /// Threads that put batches together ahead of time.
    pub workers: Option<usize>,
    /// At most so many samples of each split.
    pub samples: Option<usize>,
}

/// Threads to use: those asked for, else all cores.
#[must_use]
pub fn threads(asked: Option<usize>) -> usize {
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1)
}

/// The machine's memory in bytes, if it says.
#[must_use]
pub fn memory() -> Option<usize> {
    let kilobytes = said("/proc/meminfo", "MemTotal")?;
    kilobytes.strip_suffix("kB")?.trim().parse::<usize>().ok()?.checked_mul(1024)
}

/// What a file of the system says under a key.
#[must_use]
pub fn said(file: &str, key: &str) -> Option<String> {
    let text = file::of_the_system(file)?;
    let line = text.lines().find(|l| l.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_string())
}
