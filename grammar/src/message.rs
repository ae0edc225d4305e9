//! What the lexer and the parser say to the reader: every message of this crate that needs more than
//! a sentence, in words of the language rather than of the parser.

use crate::diagnostic::Diagnostic;
use crate::span::{SourceId, Span};
use crate::token::{Spanned, Token, begins_item};

/// What was met where a closing bracket is missing.
#[derive(Clone, Copy, Debug)]
pub enum Missing {
    /// The next item.
    Item,
    /// The closing bracket of something further out.
    Closing(Span),
    /// The end of the text.
    End,
}

const ITEM_WORDS: [&str; 12] =
    ["layer", "fn", "model", "data", "train", "init", "loss", "metric", "optimizer", "schedule", "sweep", "use"];

pub fn too_large(span: Span) -> Diagnostic {
    Diagnostic::error("source-too-large", span, "a source text cannot be larger than 4 GB")
}

pub fn bad_number(span: Span, text: &str) -> Diagnostic {
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    let diagnostic = Diagnostic::error("bad-number", span, format!("`{text}` is neither a number nor a name"));
    if matches!(rest, "e" | "E") {
        return diagnostic.help(format!("write the exponent after `{rest}`, as in `{number}e-3`"));
    }
    if rest.starts_with('_') {
        let plain = text.replace('_', "");
        return diagnostic.fix(format!("write the digits without `_`: `{plain}`"), span, plain);
    }
    let product = format!("{number} * {rest}");
    diagnostic.note("a name cannot begin with a digit").fix(format!("to multiply, write `{product}`"), span, product)
}

pub fn unterminated_text(span: Span, text: &str) -> Diagnostic {
    Diagnostic::error("unterminated-text", span, "this text has no closing `\"` on its line").help(format!(
        "write the closing quote where the text ends, as in `{}\"`",
        text.trim_end_matches([')', ',', ' ', '}'])
    ))
}

pub fn unknown_character(span: Span, text: &str) -> Diagnostic {
    let what = if text.chars().nth(1).is_some() { "these characters are" } else { "this character is" };
    let shown: String = text.chars().take(20).collect();
    let diagnostic = Diagnostic::error(
        "unknown-character",
        span,
        format!("{what} not part of the language: `{}`", shown.escape_debug()),
    );
    match replacement(text) {
        Some(plain) => diagnostic.fix(format!("write `{plain}`"), span, plain),
        None if text.starts_with('\'') => diagnostic
            .help("a name may end in one `'` (the next value of a state); texts stand in double quotes: `\"..\"`"),
        None if text.starts_with('#') => diagnostic.help("a comment begins with `//`"),
        None if text.chars().all(char::is_alphabetic) => {
            diagnostic.help("names are made of the letters a to z and A to Z, Greek letters, digits and `_`")
        }
        None => diagnostic,
    }
}

/// What someone who typed a look-alike wanted.
fn replacement(text: &str) -> Option<&'static str> {
    Some(match text {
        "×" | "·" | "⋅" | "∗" => "*",
        "÷" | "∕" => "/",
        "−" | "–" | "—" => "-",
        "≤" => "<=",
        "≥" => ">=",
        "≠" => "!=",
        "∧" | "&" => "&&",
        "∨" | "|" => "||",
        "¬" => "!",
        "²" => "^2",
        "³" => "^3",
        "→" => "->",
        "∼" => "~",
        "“" | "”" | "„" => "\"",
        "∞" => "inf",
        "%" => "mod",
        "\u{a0}" => " ",
        _ => return None,
    })
}

pub fn too_deep(span: Span, limit: usize) -> Diagnostic {
    Diagnostic::error("nesting-too-deep", span, format!("brackets are nested more than {limit} deep"))
        .help("give the inner parts names of their own")
}

pub fn too_long(span: Span, limit: usize) -> Diagnostic {
    Diagnostic::error("expression-too-long", span, format!("this expression has more than {limit} operators"))
        .help("split it into several definitions")
}

pub fn unclosed_bracket(opening: Span, bracket: Token<'_>, at: Span, missing: Missing) -> Diagnostic {
    let (open, close) = match bracket {
        Token::LParen => ('(', ')'),
        Token::LBracket => ('[', ']'),
        _ => ('{', '}'),
    };
    let diagnostic =
        Diagnostic::error("unclosed-bracket", opening, format!("this `{open}` is never closed")).here("opened here");
    let diagnostic = match missing {
        Missing::Item => diagnostic.label(at, format!("`{close}` is missing before this")),
        Missing::Closing(outer) => diagnostic.label(outer, format!("`{close}` is missing before this")),
        Missing::End => diagnostic.label(at, "the text ends here"),
    };
    diagnostic.help(format!("add `{close}` where the part that `{open}` opens ends"))
}

pub fn stray_bracket(span: Span, bracket: Token<'_>) -> Diagnostic {
    let bracket = token_text(bracket);
    Diagnostic::error("unmatched-bracket", span, format!("nothing is open that `{bracket}` could close"))
        .help(format!("remove this `{bracket}`, or open its partner before it"))
}

/// The token at `at` fits none of `expected` (names of the grammar's terminals).
pub fn unexpected(source: SourceId, tokens: &[Spanned<'_>], at: usize, expected: &[String]) -> Diagnostic {
    let place = Place { source, tokens, at, expected };
    place.known_mistake().unwrap_or_else(|| place.plain())
}

/// Where the parser stopped.
struct Place<'a> {
    source: SourceId,
    tokens: &'a [Spanned<'a>],
    at: usize,
    expected: &'a [String],
}

impl Place<'_> {
    fn token(&self, at: usize) -> Option<Token<'_>> {
        self.tokens.get(at).map(|(_, token, _)| *token)
    }

    fn previous(&self) -> Option<Token<'_>> {
        self.at.checked_sub(1).and_then(|i| self.token(i))
    }

    /// The token itself, or the point where the text or the line ends.
    fn span(&self) -> Span {
        let end = self.tokens.last().map_or(0, |(_, _, end)| *end);
        match self.tokens.get(self.at) {
            Some((start, Token::Sep, _)) => {
                let before = self.at.checked_sub(1).map_or(*start, |i| self.tokens[i].2);
                Span::new(self.source, before, before)
            }
            Some((start, _, end)) => Span::new(self.source, *start, *end),
            None => Span::new(self.source, end, end),
        }
    }

    fn span_of(&self, at: usize) -> Span {
        self.tokens.get(at).map_or(self.span(), |(start, _, end)| Span::new(self.source, *start, *end))
    }

    fn expects(&self, terminal: &str) -> bool {
        self.expected.iter().any(|e| e.trim_matches('"') == terminal)
    }

    fn error(&self, message: String) -> Diagnostic {
        Diagnostic::error("unexpected-token", self.span(), message)
    }

    fn plain(&self) -> Diagnostic {
        let found = self.token(self.at).map_or("the end of the text".to_string(), describe);
        let wanted = self.wanted();
        if wanted.is_empty() {
            return self.error(format!("{found} does not fit here"));
        }
        self.error(format!("expected {}, found {found}", list(&wanted)))
    }

    /// What would have fitted, in words.
    fn wanted(&self) -> Vec<String> {
        let mut wanted = vec![];
        let value = self.expects("number") && self.expects("(");
        let type_form = !value && self.expects("[") && self.expects("{") && self.expects("name");
        if value {
            wanted.push("a value".to_string());
        } else if type_form {
            wanted.push("a type such as `[3, 32]`".to_string());
        } else if self.expects("name") {
            wanted.push("a name".to_string());
        }
        if self.expects("*") && self.expects("==") {
            wanted.push("an operator".to_string());
        }
        if self.expects("text") && !value {
            wanted.push("a text in quotes".to_string());
        }
        for terminal in ["=", "~", ":", "in", "then", "else", "with", "at", "->", ",", ")", "]", "..", "{"] {
            let part_of_value = value && matches!(terminal, "{" | "..");
            let part_of_type = type_form && terminal == "{";
            if self.expects(terminal) && !part_of_value && !part_of_type {
                wanted.push(format!("`{terminal}`"));
            }
        }
        if self.expects("end") {
            wanted.push("the end of the statement".to_string());
        } else if self.expects("}") {
            wanted.push("`}`".to_string());
        }
        wanted
    }

    /// Mistakes that people make often enough to be named.
    fn known_mistake(&self) -> Option<Diagnostic> {
        self.not_an_item()
            .or_else(|| self.foreign_word())
            .or_else(|| self.power_of_stars())
            .or_else(|| self.assign_for_equal())
            .or_else(|| self.chained_comparison())
            .or_else(|| self.reserved_name())
            .or_else(|| self.guard_alternative())
            .or_else(|| self.other_sign())
            .or_else(|| self.without_start())
            .or_else(|| self.loose_part())
            .or_else(|| self.neighbours())
    }

    fn not_an_item(&self) -> Option<Diagnostic> {
        let first = self.tokens.iter().position(|(_, token, _)| !matches!(token, Token::Doc(_)))?;
        let token = self.token(first)?;
        if self.at != first || begins_item(token) {
            return None;
        }
        let message = format!("{} cannot begin an item of a file", describe(token));
        let diagnostic = self.error(message);
        let typed = match token {
            Token::Ident(word) => ITEM_WORDS.into_iter().find(|item| close(word, item)),
            _ => None,
        };
        Some(match typed {
            Some(word) => diagnostic.fix(format!("did you mean `{word}`?"), self.span(), word),
            None => diagnostic.help(format!("a file consists of {}", list(&ITEM_WORDS.map(|w| format!("`{w}`"))))),
        })
    }

    /// `let x`, `return y`, `def f`, .. of other languages.
    fn foreign_word(&self) -> Option<Diagnostic> {
        let Some(Token::Ident(word)) = self.previous() else { return None };
        let help = match word {
            "let" | "var" | "const" | "val" => "a definition needs no word before it: `name = value`",
            "return" => "a block's value is its last statement: write the value alone",
            "def" | "func" | "function" | "lambda" => {
                "a function is written `fn name(x) = value`; a local one `name = fn(x) = value`"
            }
            "while" => "there is no `while`; repeat with `for i in 1..n with h = x { .. }`",
            "not" => "negation is written `!`",
            "import" | "from" | "include" => "another file is taken in by `use \"file.nn\"`",
            _ => return None,
        };
        let span = self.span_of(self.at.checked_sub(1)?);
        Some(Diagnostic::error("unexpected-token", span, format!("`{word}` has no meaning here")).help(help))
    }

    fn power_of_stars(&self) -> Option<Diagnostic> {
        let stars = self.token(self.at) == Some(Token::Star) && self.previous() == Some(Token::Star);
        let span = self.span_of(self.at.checked_sub(1)?).to(self.span());
        stars.then(|| {
            Diagnostic::error("unexpected-token", span, "a power is not written `**`").fix("write `^`", span, "^")
        })
    }

    fn assign_for_equal(&self) -> Option<Diagnostic> {
        let inside = ["==", "then", ")", "]"].into_iter().any(|terminal| self.expects(terminal));
        let after_operand = self.previous().is_some_and(Token::ends_operand);
        if self.token(self.at) != Some(Token::Assign) || !inside || !after_operand {
            return None;
        }
        let message = "`=` defines a name and cannot stand inside an expression".to_string();
        Some(self.error(message).fix("to compare, write `==`", self.span(), "=="))
    }

    fn chained_comparison(&self) -> Option<Diagnostic> {
        use Token::{EqEq, Greater, GreaterEq, Less, LessEq, NotEq};
        let compares = matches!(self.token(self.at)?, EqEq | NotEq | Less | LessEq | Greater | GreaterEq);
        if !compares || !self.previous().is_some_and(Token::ends_operand) {
            return None;
        }
        let message = "comparisons cannot be chained".to_string();
        Some(self.error(message).help("compare twice and join with `&&`: `a < b && b < c`"))
    }

    fn reserved_name(&self) -> Option<Diagnostic> {
        let token = self.token(self.at)?;
        let word = token_text(token);
        let reserved = word.chars().all(char::is_alphabetic) && !matches!(token, Token::Ident(_)) && !word.is_empty();
        if !reserved || !self.expects("name") || self.expects("number") {
            return None;
        }
        let message = format!("`{word}` is a word of the language and cannot be a name here");
        Some(self.error(message).help(format!("choose another name, such as `{word}_1`")))
    }

    fn guard_alternative(&self) -> Option<Diagnostic> {
        let prefix = matches!(self.token(self.at)?, Token::Minus | Token::Bang | Token::If | Token::Reduce(_));
        if self.previous() != Some(Token::Or) || !prefix {
            return None;
        }
        let message = "after `or` stands a number, a name or something in parentheses".to_string();
        Some(self.error(message).help("put the alternative in parentheses, as in `x[k + 1] or (-1)`"))
    }

    /// `param W: [3, 2] = zeros` and `state m ~ 0`.
    fn other_sign(&self) -> Option<Diagnostic> {
        let begun = (0..self.at).rev().find(|k| matches!(self.tokens[*k].1, Token::Sep | Token::LBrace))? + 1;
        let (message, sign) = match (self.token(begun)?, self.token(self.at)?) {
            (Token::Param, Token::Assign) => ("a parameter begins as what is drawn for it, after `~`", "~"),
            (Token::State, Token::Tilde) => ("a state begins as what is given for it, after `=`", "="),
            _ => return None,
        };
        self.expects(sign).then(|| self.error(message.to_string()).fix(format!("write `{sign}`"), self.span(), sign))
    }

    /// `param W: [3, 2]` and `state m`, and nothing on what they are at first.
    fn without_start(&self) -> Option<Diagnostic> {
        let ends = matches!(self.token(self.at), None | Some(Token::Sep | Token::RBrace));
        let begun = (0..self.at).rev().find(|k| matches!(self.tokens[*k].1, Token::Sep | Token::LBrace))? + 1;
        let (what, sign, how) = match self.token(begun)? {
            Token::Param => ("parameter", "~", "~ normal(0, 0.1)` or `~ zeros"),
            Token::State => ("state", "=", "= 0"),
            _ => return None,
        };
        if !ends || !self.expects(sign) {
            return None;
        }
        let message = format!("nothing says what this {what} is at first");
        Some(self.error(message).help(format!("write `{how}` behind it")))
    }

    /// `2 ^ sum[..]`, `1 + if ..`: forms that reach as far to the right as they can.
    fn loose_part(&self) -> Option<Diagnostic> {
        let token = self.token(self.at)?;
        let loose = matches!(token, Token::If | Token::Fn | Token::For | Token::Scan | Token::Reduce(_));
        if !loose || !self.expects("number") {
            return None;
        }
        let message = format!("{} cannot stand here without parentheses", describe(token));
        Some(self.error(message).help(format!("put the whole `{} ..` in parentheses", token_text(token))))
    }

    /// Two operands side by side.
    fn neighbours(&self) -> Option<Diagnostic> {
        let (previous, token) = (self.previous()?, self.token(self.at)?);
        let operand = matches!(token, Token::Ident(_) | Token::Number(_) | Token::Text(_) | Token::Reduce(_));
        let finished =
            self.expected.is_empty() || ["*", ",", "end", ")", "]", "where"].into_iter().any(|t| self.expects(t));
        if !operand || !previous.ends_operand() || !finished {
            return None;
        }
        let diagnostic = self.error(format!("{} follows {} with nothing between", describe(token), describe(previous)));
        Some(if self.expects(",") {
            diagnostic.help("separate the parts by `,`, or write an operator such as `*`")
        } else {
            diagnostic.help("write an operator such as `*` between, or begin a new line")
        })
    }
}

/// "`a`, `b` or `c`".
fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

/// Whether two words differ by one letter changed, added, left out, or two neighbours swapped.
fn close(typed: &str, word: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (typed.chars().collect(), word.chars().collect());
    let front = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let back = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    let (rest_a, rest_b) = (a.len().saturating_sub(front + back), b.len().saturating_sub(front + back));
    let swapped = rest_a == 2 && rest_b == 2 && a[front] == b[front + 1] && a[front + 1] == b[front];
    word.len() > 2 && (swapped || (rest_a <= 1 && rest_b <= 1))
}

/// A token in words, for a message.
fn describe(token: Token<'_>) -> String {
    match token {
        Token::Sep => "the end of the statement".to_string(),
        Token::Doc(_) => "a documentation comment".to_string(),
        Token::Error => "something unreadable".to_string(),
        Token::Text(text) => format!("the text {text}"),
        Token::Number(text) => format!("the number `{text}`"),
        _ => format!("`{}`", token_text(token)),
    }
}

/// A token as it is written.
fn token_text(token: Token<'_>) -> &str {
    match token {
        Token::Ident(text) | Token::Number(text) | Token::BadNumber(text) | Token::Text(text) => text,
        Token::OpenText(text) | Token::Comment(text) | Token::Doc(text) => text,
        Token::Comma => ",",
        Token::Sep => ";",
        Token::Callable(kind) => kind.word(),
        Token::Reduce(op) => op.word(),
        Token::Infix(infix) => infix.word(),
        Token::Newline | Token::Error => "",
        Token::Param => "param",
        Token::State => "state",
        Token::If => "if",
        Token::Then => "then",
        Token::Else => "else",
        Token::For => "for",
        Token::In => "in",
        Token::Scan => "scan",
        Token::Where => "where",
        Token::Fn => "fn",
        Token::Use => "use",
        Token::As => "as",
        Token::Or => "or",
        Token::Grad => "grad",
        Token::True => "true",
        Token::False => "false",
        Token::LParen => "(",
        Token::RParen => ")",
        Token::LBracket => "[",
        Token::RBracket => "]",
        Token::LBrace => "{",
        Token::RBrace => "}",
        Token::Colon => ":",
        Token::Assign => "=",
        Token::PlusAssign => "+=",
        Token::Tilde => "~",
        Token::Arrow => "->",
        Token::Pipe => "|>",
        Token::At => "@",
        Token::Dot => ".",
        Token::DotStar => ".*",
        Token::DotDot => "..",
        Token::Plus => "+",
        Token::Minus => "-",
        Token::Star => "*",
        Token::Slash => "/",
        Token::Caret => "^",
        Token::EqEq => "==",
        Token::NotEq => "!=",
        Token::Less => "<",
        Token::LessEq => "<=",
        Token::Greater => ">",
        Token::GreaterEq => ">=",
        Token::AndAnd => "&&",
        Token::OrOr => "||",
        Token::Bang => "!",
        Token::Data => "data",
        Token::Train => "train",
        Token::Sweep => "sweep",
        Token::Plot => "plot",
    }
}
