//! The moments at which a kill makes a difference: between two changes of the file system. Tests end the process at each of
//! them in turn, instead of at times that depend on how busy the machine is.
//!
//! With `NNC_END_AT=n` in its environment a process ends at its n-th moment, counted from 1, as `kill -9` would end it:
//! nothing is flushed, no destructor runs.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The moment at which the process is to end, if any.
fn end() -> Option<u64> {
    static END: OnceLock<Option<u64>> = OnceLock::new();
    *END.get_or_init(|| std::env::var("NNC_END_AT").ok()?.parse().ok())
}

/// Passes a moment, unless it is the one at which the process is to end.
pub(crate) fn pass() {
    static PASSED: AtomicU64 = AtomicU64::new(0);
    if end().is_some_and(|end| PASSED.fetch_add(1, Ordering::Relaxed) + 1 == end) {
        std::process::abort();
    }
}

/// The bytes of a line cut in two, so that it can be caught half written; in one piece while nobody counts moments.
pub(crate) fn halves(line: &[u8]) -> (&[u8], &[u8]) {
    line.split_at(if end().is_some() { line.len() / 2 } else { 0 })
}
