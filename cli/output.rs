//! Standard output that may go away: a reader such as `head` that has seen enough is no fault, and
//! no reason to stop a training run.

use std::fmt::Arguments;
use std::io::Write;

/// Writes to standard output; what nobody reads is dropped.
pub fn write(text: Arguments) {
    let _ = std::io::stdout().lock().write_fmt(text);
}

/// As `println!`, but a closed pipe is no panic.
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => { $crate::output::write(format_args!("{}\n", format_args!($($text)*))) };
}
