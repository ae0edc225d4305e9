//! The pages of `nnc explain`: one text per diagnostic code, each with a wrong and a right program
//! that the tests compile.

macro_rules! pages {
    ($($code:literal),* $(,)?) => {
        /// Code and page, in the order of the alphabet.
        pub const PAGES: &[(&str, &str)] = &[$(($code, include_str!(concat!("../explain/", $code, ".md")))),*];
    };
}

pages![
    "argument-needs-name",
    "argument-order",
    "bad-left-side",
    "bad-number",
    "batch-is-a-count",
    "batch-is-cut",
    "class-needs-whole-number",
    "cyclic-definition",
    "decay-on-biases",
    "dimension-not-whole",
    "dimension-too-small",
    "diverged",
    "duplicate-definition",
    "duplicate-setting",
    "empty-group",
    "endless-call",
    "expression-too-long",
    "factor-in-reduction",
    "frozen-at-random",
    "guard-without-read",
    "identical-units",
    "index-range-conflict",
    "index-range-unknown",
    "missing-argument",
    "missing-setting",
    "moved-twice",
    "nesting-too-deep",
    "no-direction",
    "no-gradient",
    "normalised-twice",
    "not-known-yet",
    "not-supported",
    "out-of-bounds",
    "out-of-range",
    "param-in-training-if",
    "rank-mismatch",
    "shape-mismatch",
    "short-batch",
    "source-too-large",
    "state-begins-anew",
    "state-moves-twice",
    "state-per-sample",
    "too-deep",
    "too-large",
    "unclosed-bracket",
    "unexpected-token",
    "unknown-argument",
    "unknown-character",
    "unknown-name",
    "unknown-setting",
    "unknown-type",
    "unmatched-bracket",
    "unproven-positive",
    "unreadable-file",
    "unterminated-text",
    "unused-local",
    "unused-parameter",
    "unused-value",
    "wrong-kind",
];

/// The page of a code.
#[must_use]
pub fn page(code: &str) -> Option<&'static str> {
    PAGES.iter().find(|(c, _)| *c == code).map(|(_, text)| *text)
}

/// The code nearest to a misspelt one.
#[must_use]
pub fn nearest(code: &str) -> Option<&'static str> {
    crate::check::nearest(code, PAGES.iter().map(|(code, _)| *code))
}

/// A page's title: what its first line says after the code.
#[must_use]
pub fn title(text: &str) -> &str {
    let first = text.lines().next().unwrap_or("");
    first.split_once(": ").map_or(first, |(_, title)| title)
}
