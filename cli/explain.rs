//! `nnc explain`: the page of an error code, or the list of all codes.

use crate::say;
use compiler::explain::{self, PAGES};
use driver::fault::Fault;

/// Prints a page, or the codes with their titles.
pub fn explain(code: Option<&str>) -> Result<(), Fault> {
    let Some(code) = code else {
        let width = PAGES.iter().map(|(code, _)| code.len()).max().unwrap_or(0);
        say!("The page of a code: nnc explain CODE\n");
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
        None => {
            let meant = explain::nearest(code).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
            Err(Fault::usage(format!("there is no code `{code}`{meant} (`nnc explain` lists all of them)")))
        }
    }
}
