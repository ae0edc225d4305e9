//! Text to syntax tree. There is always a tree: an item is parsed on its own, and where that fails
//! the smallest enclosing part (the value of a definition, else a statement, else the item) is
//! replaced by an error node, and the item is parsed again. Since the lexer has balanced the
//! brackets, an error never shifts the meaning of what stands around it.

use crate::ast::{File, Item};
use crate::build::Out;
use crate::diagnostic::Diagnostic;
use crate::lexer::{self, MAX_DIAGNOSTICS, Tokens};
use crate::message;
use crate::span::{SourceId, Span};
use crate::token::Spanned;
use crate::token::Token;
use lalrpop_util::{ParseError, lalrpop_mod};

lalrpop_mod!(
    #[allow(clippy::all, clippy::pedantic, clippy::unwrap_used, unused_imports)]
    grammar
);

/// Most tokens read again for repairs of one item; beyond it the item is given up.
const REPAIR_BUDGET: usize = 400_000;

/// Parses a text. The tree covers all of it; where it was wrong the tree has error nodes and the
/// list says why, in the order of the text.
#[must_use]
pub fn parse(source: SourceId, text: &str) -> (File, Vec<Diagnostic>) {
    if u32::try_from(text.len()).is_err() {
        let span = Span::new(source, 0, 0);
        return (File { items: vec![Item::Error(span)] }, vec![message::too_large(span)]);
    }
    let Tokens { items, diagnostics, reported } = lexer::lex(source, text);
    let mut parser = Parser { source, item: grammar::ItemParser::new(), diagnostics, reported };
    let items = items.into_iter().map(|tokens| parser.item(tokens)).collect();
    let mut diagnostics = parser.diagnostics;
    diagnostics.sort_by_key(|d| d.primary.span.start);
    diagnostics.truncate(MAX_DIAGNOSTICS);
    (File { items }, diagnostics)
}

/// Parses a single expression, such as one given on a command line.
#[must_use]
pub fn parse_expression(source: SourceId, text: &str) -> (crate::ast::Expr, Vec<Diagnostic>) {
    let wrapped = lexer::lex_expression(source, text);
    let mut diagnostics = wrapped.diagnostics;
    let tokens: Vec<_> = wrapped.items.into_iter().flatten().collect();
    let mut out = Out { source, diagnostics: vec![] };
    let parsed = grammar::ExprParser::new().parse(&mut out, tokens.iter().copied());
    let whole = Span::new(source, 0, text.len());
    let error = crate::ast::Expr { kind: crate::ast::ExprKind::Error, span: whole };
    match parsed {
        Ok(expr) => {
            diagnostics.append(&mut out.diagnostics);
            (expr, diagnostics)
        }
        Err(error_found) => {
            if diagnostics.is_empty() {
                let trouble = Trouble::new(error_found, &tokens);
                diagnostics.push(message::unexpected(source, &tokens, trouble.at, &trouble.expected));
            }
            (error, diagnostics)
        }
    }
}

struct Parser {
    source: SourceId,
    item: grammar::ItemParser,
    diagnostics: Vec<Diagnostic>,
    /// Stretches already spoken of.
    reported: Vec<Span>,
}

/// Where a parse stopped: the index of the token that did not fit (the length at the end), and the
/// names of those that would have.
struct Trouble {
    at: usize,
    expected: Vec<String>,
}

impl Trouble {
    fn new(error: ParseError<usize, Token<'_>, ()>, tokens: &[Spanned<'_>]) -> Self {
        let (start, end, expected) = match error {
            ParseError::UnrecognizedToken { token: (start, _, end), expected } => (start, end, expected),
            ParseError::UnrecognizedEof { expected, .. } => return Self { at: tokens.len(), expected },
            ParseError::ExtraToken { token: (start, _, end) } => (start, end, vec![]),
            _ => return Self { at: tokens.len(), expected: vec![] },
        };
        Self { at: position(tokens, start, end), expected }
    }
}

/// The index of the token at `start..end`; several empty ones may begin there.
fn position(tokens: &[Spanned<'_>], start: usize, end: usize) -> usize {
    let first = tokens.partition_point(|(s, _, e)| (*s, *e) < (start, end));
    first.min(tokens.len())
}

impl Parser {
    fn item(&mut self, mut tokens: Vec<Spanned<'_>>) -> Item {
        let (start, end) = (tokens.first().map_or(0, |t| t.0), tokens.last().map_or(0, |t| t.2));
        let whole = Span::new(self.source, start, end);
        let mut budget = REPAIR_BUDGET.max(2 * tokens.len());
        loop {
            let mut out = Out { source: self.source, diagnostics: vec![] };
            let error = match self.item.parse(&mut out, tokens.iter().copied()) {
                Ok(item) => {
                    self.diagnostics.append(&mut out.diagnostics);
                    return item;
                }
                Err(error) => error,
            };
            let mut trouble = Trouble::new(error, &tokens);
            trouble.at = trouble.at.min(tokens.len());
            self.report(&tokens, &trouble);
            budget = budget.saturating_sub(tokens.len());
            let Some(range) = (budget > 0).then(|| repair(&tokens, trouble.at)).flatten() else {
                return Item::Error(whole);
            };
            let (from, to) = (tokens[range.start].0, tokens[range.end - 1].2);
            tokens.splice(range, [(from, Token::Error, to)]);
        }
    }

    /// Says what did not fit, unless the place or the statement is known to be broken.
    fn report(&mut self, tokens: &[Spanned<'_>], trouble: &Trouble) {
        let place = tokens.get(trouble.at).or(tokens.last()).map_or(0, |token| token.0) as u32;
        let known = self.reported.iter().any(|span| span.start <= place && place <= span.end);
        let segment = enclosing(tokens, trouble.at).pop().unwrap_or(0);
        let seen = tokens.get(segment..(trouble.at + 1).min(tokens.len())).unwrap_or(&[]);
        let damaged = seen.iter().any(|(_, token, _)| *token == Token::Error);
        if !known && !damaged && self.diagnostics.len() < MAX_DIAGNOSTICS {
            let diagnostic = message::unexpected(self.source, tokens, trouble.at, &trouble.expected);
            self.diagnostics.push(diagnostic);
        }
    }
}

/// The first tokens of the statements around the token at `at`, outermost first.
fn enclosing(tokens: &[Spanned<'_>], at: usize) -> Vec<usize> {
    let mut starts = vec![];
    for (i, (_, token, _)) in tokens.iter().enumerate().take(at) {
        match token {
            Token::LBrace => starts.push(i + 1),
            Token::RBrace => drop(starts.pop()),
            Token::Sep => {
                if let Some(last) = starts.last_mut() {
                    *last = i + 1;
                }
            }
            _ => {}
        }
    }
    starts
}

/// The smallest part to replace by an error: the value of a definition if the trouble is in it, else
/// its statement, else the next larger statement; `None` where only the item is left.
fn repair(tokens: &[Spanned<'_>], at: usize) -> Option<std::ops::Range<usize>> {
    let mut starts = enclosing(tokens, at);
    while let Some(start) = starts.pop() {
        let end = statement_end(tokens, start);
        let value = value_start(tokens, start, at.min(end)).filter(|value| !is_error(tokens, *value, end));
        if let Some(value) = value {
            return Some(value..end);
        }
        if start < end && !is_error(tokens, start, end) {
            return Some(start..end);
        }
    }
    None
}

fn is_error(tokens: &[Spanned<'_>], start: usize, end: usize) -> bool {
    end == start + 1 && tokens[start].1 == Token::Error
}

/// The index of the `Sep` or closing brace that ends the statement beginning at `start`.
fn statement_end(tokens: &[Spanned<'_>], start: usize) -> usize {
    let mut depth = 0usize;
    for (i, (_, token, _)) in tokens.iter().enumerate().skip(start) {
        match token {
            Token::LBrace => depth += 1,
            Token::Sep if depth == 0 => return i,
            Token::RBrace if depth == 0 => return i,
            Token::RBrace => depth -= 1,
            _ => {}
        }
    }
    tokens.len()
}

/// The token after the first `=`, `+=` or `~` of a definition, if it stands before `at`.
fn value_start(tokens: &[Spanned<'_>], start: usize, at: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (i, (_, token, _)) in tokens.iter().enumerate().take(at).skip(start) {
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
            Token::Assign | Token::PlusAssign | Token::Tilde if depth == 0 => return Some(i + 1).filter(|i| *i <= at),
            _ => {}
        }
    }
    None
}
