//! Standard output and standard error that may go away: a reader such as `head` that has seen enough is no fault, and
//! no reason to stop a training run.

use std::fmt::Arguments;
use std::io::Write;

/// Writes to standard output; what nobody reads is dropped.
pub fn write(text: Arguments) {
    let _ = std::io::stdout().lock().write_fmt(text);
}

/// Writes to standard error in the same way, at one go, as nothing is buffered there.
pub fn write_error(text: Arguments) {
    let _ = std::io::stderr().lock().write_all(text.to_string().as_bytes());
}

/// As `println!`, but a closed pipe is no panic.
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => { $crate::output::write(format_args!("{}\n", format_args!($($text)*))) };
}

/// As `eprintln!`, but a closed pipe is no panic.
#[macro_export]
macro_rules! complain {
    ($($text:tt)*) => { $crate::output::write_error(format_args!("{}\n", format_args!($($text)*))) };
}
