//! How much work this thread has done, counted in debug builds: that it grows with a program, and no faster, can be tested
//! without a clock.

use std::cell::Cell;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Nodes of expressions in index notation that were walked over, and reads within recurrences.
    Nodes,
    /// Expressions of the text that were elaborated.
    Expressions,
    /// Names that were compared letter by letter.
    Names,
    /// Parts of positions whose range was asked for.
    Ranges,
}

thread_local! {
    static DONE: [Cell<u64>; 4] = const { [const { Cell::new(0) }; 4] };
}

/// How much was done so far.
#[must_use]
pub fn done(work: Work) -> u64 {
    DONE.with(|done| done[work as usize].get())
}

/// Counts one more.
pub(crate) fn count(work: Work) {
    if cfg!(debug_assertions) {
        DONE.with(|done| done[work as usize].set(done[work as usize].get() + 1));
    }
}
