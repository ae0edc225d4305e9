//! Names of a program as C and C++ can say them, each different from the others and from what these languages, their
//! standard headers and the header itself use.

use std::collections::BTreeSet;

/// Words of C (to C23) and of C++ (to C++23), and names that their compilers or the header's own lines define.
#[rustfmt::skip]
const RESERVED: [&str; 129] = [
    "alignas", "alignof", "and", "and_eq", "asm", "atomic_cancel", "atomic_commit", "atomic_noexcept", "auto", "bitand",
    "bitor", "bool", "break", "case", "catch", "char", "char16_t", "char32_t", "char8_t", "class", "co_await", "co_return",
    "co_yield", "compl", "concept", "const", "const_cast", "consteval", "constexpr", "constinit", "continue", "decltype",
    "default", "delete", "do", "double", "dynamic_cast", "else", "enum", "explicit", "export", "extern", "false", "far",
    "float", "for", "fortran", "friend", "goto", "if", "inline", "int", "int16_t", "int32_t", "int64_t", "int8_t", "linux",
    "long", "mutable", "namespace", "near", "new", "noexcept", "not", "not_eq", "nullptr", "operator", "or", "or_eq",
    "private", "protected", "public", "reflexpr", "register", "reinterpret_cast", "requires", "restrict", "return", "short",
    "signed", "sizeof", "static", "static_assert", "static_cast", "struct", "switch", "synchronized", "template", "this",
    "thread_local", "throw", "true", "try", "typedef", "typeid", "typename", "typeof", "typeof_unqual", "uint16_t",
    "uint32_t", "uint64_t", "uint8_t", "union", "unix", "unsigned", "using", "virtual", "void", "volatile", "wchar_t",
    "while", "xor", "xor_eq",
    // Macros of standard headers.
    "assert", "errno", "null", "eof", "stdin", "stdout", "stderr", "nan", "infinity", "complex",
    // The header's own arguments.
    "arena", "buffer", "seed", "results", "steps", "epoch",
];

/// Names given so far. Two that differ in upper and lower case only are the same: macros are in upper case.
pub struct Names {
    reserved: &'static [&'static str],
    given: BTreeSet<String>,
    /// Beginnings that would make one macro of two.
    beginnings: &'static [&'static str],
}

impl Names {
    /// For arguments of a function and the macros of their sizes.
    #[must_use]
    pub fn of_arguments() -> Self {
        Self { reserved: &RESERVED, given: BTreeSet::new(), beginnings: &["predict_", "offset_", "figure"] }
    }

    /// For macros of places in the arena.
    #[must_use]
    pub fn of_offsets() -> Self {
        Self { reserved: &["seed", "updates"], given: BTreeSet::new(), beginnings: &[] }
    }

    /// A name that was not given before.
    pub fn give(&mut self, name: &str) -> String {
        let plain = plain(name);
        let lower = plain.to_lowercase();
        let reserved = self.reserved.contains(&lower.as_str()) || self.beginnings.iter().any(|b| lower.starts_with(b));
        let base = if reserved { format!("v_{plain}") } else { plain };
        let mut name = base.clone();
        for number in 2.. {
            if self.given.insert(name.to_lowercase()) {
                break;
            }
            name = format!("{base}_{number}");
        }
        name
    }
}

/// A name of letters, digits and single lines between them, which begins with a letter: C and C++ keep what begins
/// with a line or has two in a row for themselves.
#[must_use]
pub fn plain(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        match c {
            c if c.is_ascii_alphanumeric() => out.push(c),
            c if c.is_ascii() => out.push('_'),
            c => out.push_str(&format!("u{:x}", u32::from(c))),
        }
    }
    let parts: Vec<&str> = out.split('_').filter(|p| !p.is_empty()).collect();
    let begins = out.starts_with(|c: char| c.is_ascii_alphabetic());
    let first = (!begins).then_some("v");
    first.into_iter().chain(parts).collect::<Vec<_>>().join("_")
}
