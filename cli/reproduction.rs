//! When nnc itself fails: a panic becomes a file with all that is needed to see it again.

use driver::fault::Fault;
use runtime::file;
use std::path::Path;
use std::sync::Mutex;

/// Message and place of the last panic.
static LAST: Mutex<String> = Mutex::new(String::new());

/// Keeps what a panic says instead of printing it.
pub fn listen() {
    std::panic::set_hook(Box::new(|info| {
        if let Ok(mut last) = LAST.lock() {
            *last = info.to_string();
        }
    }));
}

/// Writes the reproduction and says where it is.
pub fn write() -> Fault {
    let panic = LAST.lock().map(|last| last.clone()).unwrap_or_default();
    let arguments: Vec<String> = std::env::args().collect();
    let mut report = format!("nnc {}\narguments: {arguments:?}\nfault: {panic}\n", env!("CARGO_PKG_VERSION"));
    for argument in arguments.iter().filter(|a| a.ends_with(".nn")) {
        if let Ok(text) = file::read_text(Path::new(argument), file::PROGRAM) {
            report.push_str(&format!("\n---- {argument}\n{text}"));
        }
    }
    let path = std::env::temp_dir().join(format!("nnc-fault-{}.txt", std::process::id()));
    let kept = match std::fs::write(&path, &report) {
        Ok(()) => format!("{} holds what is needed to see it again; please report it", path.display()),
        Err(_) => format!("please report this:\n{report}"),
    };
    Fault::internal(format!("this is a fault of nnc, not of your program; {kept}"))
}
