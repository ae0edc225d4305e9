//! Standard output and standard error that may go away. A reader such as `head` that has seen enough is no fault, and no
//! reason to stop a training run; a disk that is full is trouble to be told of, once the command has done the rest.

use crate::complain;
use driver::fault::Fault;
use driver::listener::{Listener, Notice};
use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::sync::{Mutex, PoisonError};

/// What first kept standard output from being written.
static TROUBLE: Mutex<Option<io::Error>> = Mutex::new(None);

/// How standard output has ended.
pub enum Ended {
    /// All has been written.
    Whole,
    /// Whoever read it has gone.
    Unread,
    /// It could not be written.
    Failed(Fault),
}

/// Writes to standard output; once that has failed, nothing more.
pub fn write(text: Arguments) {
    attempt(|out| out.write_fmt(text));
}

/// Writes to standard output in whichever way `body` does; what goes wrong is kept for [`end`].
pub fn attempt(body: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
    let mut trouble = TROUBLE.lock().unwrap_or_else(PoisonError::into_inner);
    if trouble.is_none() {
        *trouble = body(&mut io::stdout().lock()).err();
    }
}

/// Writes what is still held back, and says how it went.
pub fn end() -> Ended {
    attempt(|out| out.flush());
    match TROUBLE.lock().unwrap_or_else(PoisonError::into_inner).take() {
        None => Ended::Whole,
        Some(e) if e.kind() == ErrorKind::BrokenPipe => Ended::Unread,
        Some(e) => Ended::Failed(Fault::data(format!("standard output could not be written to the end: {e}"))),
    }
}

/// Writes to standard error in the same way, at one go, as nothing is buffered there.
pub fn write_error(text: Arguments) {
    let _ = std::io::stderr().lock().write_all(text.to_string().as_bytes());
}

/// Writes what a person should know to standard error, and nothing else.
pub struct Printed;

impl Listener for Printed {
    fn notice(&mut self, notice: Notice) {
        complain!("{notice}");
    }
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
