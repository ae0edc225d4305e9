//! The formal grammar in `docs/grammar.md` is the parser's own, in the notation of papers: it is derived from
//! `src/grammar.lalrpop` by leaving out places, actions and recovery. `NNC_BLESS=1` writes it anew.

use std::path::Path;
use std::{fs, io};

const SOURCE: &str = include_str!("../src/grammar.lalrpop");
const BEGIN: &str = "```ebnf\n";
const END: &str = "```\n";

/// Rules that say how the parser is put together, not what the language is.
const PIECES: [&str; 6] = ["Commas", "Commas1", "Lines", "Lines1", "Binary", "Text"];

#[test]
fn the_page_is_the_parser() -> io::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/grammar.md");
    let page = fs::read_to_string(&path)?;
    let (head, rest) = page.split_once(BEGIN).expect("a block of grammar");
    let (shown, tail) = rest.split_once(END).expect("its end");
    let derived = ebnf();
    if std::env::var_os("NNC_BLESS").is_some() {
        return fs::write(&path, format!("{head}{BEGIN}{derived}{END}{tail}"));
    }
    assert!(shown == derived, "docs/grammar.md is not the grammar; NNC_BLESS=1 writes it anew:\n{derived}");
    Ok(())
}

#[test]
fn every_name_in_it_is_defined() {
    let text = ebnf();
    let rules: Vec<&str> = text.lines().filter_map(|l| l.split_once(" = ").map(|(n, _)| n.trim())).collect();
    let words = text.lines().filter(|l| !l.starts_with('(')).flat_map(str::split_whitespace);
    for word in words.filter(|w| w.chars().all(|c| c.is_ascii_lowercase() || c == '-') && w.len() > 1) {
        assert!(rules.contains(&word), "`{word}` is not defined");
    }
}

/// The whole grammar, a heading a part, a line an alternative.
fn ebnf() -> String {
    let mut out = String::new();
    for part in SOURCE.split("// ---- ").skip(1) {
        let (title, body) = part.split_once('\n').unwrap_or((part, ""));
        let body: String = body.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join(" ");
        let rules: Vec<String> = split(&body.replace("=>", "\u{1}"), ';').iter().filter_map(|r| rule(r)).collect();
        if !rules.is_empty() {
            let gap = if out.is_empty() { "" } else { "\n" };
            out += &format!("{gap}(* {title} *)\n{}", rules.concat());
        }
    }
    out
}

/// `Name: Type = { alternatives }` as text, unless it is one of the pieces.
fn rule(text: &str) -> Option<String> {
    let (head, body) = text.split_once(" = ")?;
    let name = head.trim().trim_start_matches("pub ").split([':', '<']).next()?.trim();
    if PIECES.contains(&name) {
        return None;
    }
    let body = body.trim();
    let list = match body.strip_prefix('{').and_then(|b| b.strip_suffix('}')) {
        Some(inner) => split(inner, ','),
        None => vec![body.to_string()],
    };
    let recovery = |a: &String| a.contains("\"error\"");
    let alternatives: Vec<String> =
        list.iter().filter(|a| !a.trim().is_empty() && !recovery(a)).map(|a| alternative(a)).collect();
    let name = kebab(name);
    let bar = format!("\n{:width$} | ", "", width = name.chars().count());
    Some(format!("{name} = {}\n", alternatives.join(&bar)))
}

fn alternative(text: &str) -> String {
    let symbols = text.split('\u{1}').next().unwrap_or_default();
    let words: Vec<String> = pieces(symbols).iter().map(|s| symbol(s)).filter(|s| !s.is_empty()).collect();
    words.join(" ")
}

/// One symbol, with what the parser calls it taken off.
fn symbol(text: &str) -> String {
    let text = text.trim();
    if let Some(inner) = text.strip_suffix('?') {
        return format!("[ {} ]", symbol(inner));
    }
    if let Some(inner) = text.strip_suffix('+') {
        let one = symbol(inner);
        return format!("{one} {{ {one} }}");
    }
    if let Some(inner) = text.strip_prefix('<').and_then(|t| t.strip_suffix('>')) {
        let named =
            inner.split_once(':').filter(|(n, _)| n.trim_start_matches("mut ").chars().all(|c| c.is_alphanumeric()));
        return symbol(named.map_or(inner, |(_, s)| s));
    }
    if let Some(inner) = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')) {
        return alternative(inner);
    }
    if text.starts_with('@') {
        return String::new();
    }
    if text.starts_with('"') {
        return token(text.trim_matches('"'));
    }
    match text.split_once('<') {
        Some((name, arguments)) => applied(name, &split(arguments.trim_end_matches('>'), ',')),
        None if text == "Text" => token("text"),
        None => kebab(text),
    }
}

/// A piece with its arguments.
fn applied(name: &str, arguments: &[String]) -> String {
    let parts: Vec<String> = arguments.iter().map(|a| symbol(a)).collect();
    match (name, parts.as_slice()) {
        ("Commas", [t]) => format!("[ {t} {{ \",\" {t} }} [ \",\" ] ]"),
        ("Commas1", [t]) => format!("{t} {{ \",\" {t} }}"),
        ("Lines", [t]) => format!("[ {t} {{ END {t} }} ]"),
        ("Lines1", [t]) => format!("{t} {{ END {t} }}"),
        _ => parts.join(" "),
    }
}

/// A token: words and signs as they are, classes of them in capitals.
fn token(name: &str) -> String {
    match name {
        "name" | "number" | "text" | "end" | "doc" => name.to_uppercase(),
        "callable" => "KIND".to_string(),
        "reduce" => "REDUCTION".to_string(),
        sign => format!("\"{sign}\""),
    }
}

/// `ReduceIndex` → `reduce-index`.
fn kebab(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// Parts between separators that stand in no brackets and no quotes.
fn split(text: &str, separator: char) -> Vec<String> {
    let (mut parts, mut depth, mut quoted) = (vec![String::new()], 0, false);
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' | '>' => depth -= 1,
            _ => {}
        }
        if c == separator && depth == 0 && !quoted {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    parts
}

/// The symbols of an alternative.
fn pieces(text: &str) -> Vec<String> {
    split(text, ' ').into_iter().filter(|p| !p.trim().is_empty()).collect()
}
