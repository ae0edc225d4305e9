//! Tokens of the text form. In: the whole text. Out: tokens with the line each stands on; a
//! `Newline` ends every line that is not blank.

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name, a variable, a function or a word of the form.
    Word(String),
    /// A name in quotes.
    Quoted(String),
    /// Digits, with a point or exponent if it is a Float.
    Number(String),
    /// An operator or bracket.
    Sign(&'static str),
    Newline,
}

/// Longest first.
const SIGNS: [&str; 20] =
    ["+=", "==", "<=", "&&", "||", "<", "=", "+", "-", "*", "/", "^", "(", ")", "[", "]", ",", ":", "{", "}"];

pub(super) fn starts_name(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

pub(super) fn continues_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '#' | '\'' | '@')
}

/// Splits the text; on a character that begins no token, its line.
pub(super) fn lex(text: &str) -> Result<Vec<(Token, usize)>, (usize, String)> {
    let mut tokens = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line_number = number + 1;
        let mut rest = line.trim_start();
        while !rest.is_empty() {
            let (token, used) = next(rest).ok_or_else(|| (line_number, format!("`{rest}` begins no token")))?;
            tokens.push((token, line_number));
            rest = rest[used..].trim_start();
        }
        if tokens.last().is_some_and(|(_, l)| *l == line_number) {
            tokens.push((Token::Newline, line_number));
        }
    }
    Ok(tokens)
}

/// The first token, and how many bytes it takes.
fn next(rest: &str) -> Option<(Token, usize)> {
    let first = rest.chars().next()?;
    if starts_name(first) {
        let used = rest.find(|c| !continues_name(c)).unwrap_or(rest.len());
        return Some((Token::Word(rest[..used].to_string()), used));
    }
    if first.is_ascii_digit() {
        let used = number_length(rest);
        return Some((Token::Number(rest[..used].to_string()), used));
    }
    if first == '"' {
        return quoted(rest);
    }
    let sign = SIGNS.into_iter().find(|s| rest.starts_with(s))?;
    Some((Token::Sign(sign), sign.len()))
}

fn number_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let inside = |k: usize| {
        let signed_exponent = k > 0 && matches!(bytes[k], b'-' | b'+') && bytes[k - 1] == b'e';
        bytes[k].is_ascii_digit() || matches!(bytes[k], b'.' | b'e') || signed_exponent
    };
    (0..bytes.len()).find(|k| !inside(*k)).unwrap_or(bytes.len())
}

/// A name in quotes; `\"`, `\\` and `\n` stand for themselves.
fn quoted(rest: &str) -> Option<(Token, usize)> {
    let mut name = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((k, c)) = chars.next() {
        match c {
            '"' => return Some((Token::Quoted(name), k + 1)),
            '\\' => match chars.next()?.1 {
                'n' => name.push('\n'),
                other => name.push(other),
            },
            _ => name.push(c),
        }
    }
    None
}
