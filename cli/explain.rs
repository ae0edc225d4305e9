//! `nnc explain`: the page of an error code, or the list of all codes.

use crate::fault::Fault;
use crate::say;
use compiler::explain::{self, PAGES};

/// Prints a page, or the codes with their titles.
pub fn explain(code: Option<&str>) -> Result<(), Fault> {
    let Some(code) = code else {
        let width = PAGES.iter().map(|(code, _)| code.len()).max().unwrap_or(0);
        for (code, text) in PAGES {
            say!("{code:width$}  {}", explain::title(text));
        }
        return Ok(());
    };
    match explain::page(code) {
        Some(text) => {
            crate::output::write(format_args!("{text}"));
            Ok(())
        }
        None => Err(Fault::usage(format!("there is no error code `{code}`; `nnc explain` lists all of them"))),
    }
}
