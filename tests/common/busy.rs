//! The time that a thread has computed, for tests that bound what something takes: waiting for a busy machine does not count.

use std::time::Duration;

/// When the thread began to be looked at.
pub struct Busy(Duration);

/// Computing time of this thread so far; where the system does not tell, nothing, so that no bound is exceeded.
fn computed() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = told.split_whitespace().next().and_then(|n| n.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}

impl Busy {
    /// Begins to count.
    pub fn now() -> Self {
        Self(computed())
    }

    /// How long this thread has computed since.
    pub fn elapsed(&self) -> Duration {
        computed().saturating_sub(self.0)
    }
}
