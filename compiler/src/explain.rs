//! The pages of `nnc explain`: one text per diagnostic code, each with a wrong and a right program
//! that the tests compile.

macro_rules! pages {
    ($($code:literal),* $(,)?) => {
        /// Code and page, in the order of the alphabet.
        pub const PAGES: &[(&str, &str)] = &[$(($code, include_str!(concat!("../explain/", $code, ".md")))),*];
    };
}

pages![];

/// The page of a code.
#[must_use]
pub fn page(code: &str) -> Option<&'static str> {
    PAGES.iter().find(|(c, _)| *c == code).map(|(_, text)| *text)
}

/// A page's title: what its first line says after the code.
#[must_use]
pub fn title(text: &str) -> &str {
    let first = text.lines().next().unwrap_or("");
    first.split_once(": ").map_or(first, |(_, title)| title)
}
