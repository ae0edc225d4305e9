//! Source text to the same tokens in good order: indentation, spaces, blank lines. Lines stay where the writer broke
//! them, comments stay where they stood, and what was aligned in columns stays aligned.
//!
//! What must hold: the result has the tokens of the text, and formatting it again changes nothing.

mod columns;
mod space;

use crate::lexer::lex;
use crate::span::SourceId;
use crate::token::Token;
use columns::align;
use logos::Logos;
use space::gap;

/// Columns that a block is indented by.
const INDENT: usize = 4;

/// A token as it stood.
#[derive(Clone, Copy, Debug)]
struct Piece<'a> {
    token: Token<'a>,
    text: &'a str,
    /// Its column in the text, tabs counted as to the next multiple of four.
    column: usize,
    /// Spaces between the token before it in the line and this one, as written.
    before: usize,
}

impl Piece<'_> {
    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

/// A line with something on it.
#[derive(Debug)]
struct Line<'a> {
    pieces: Vec<Piece<'a>>,
    /// Whether an empty line stood before it.
    after_blank: bool,
    /// Where it will begin.
    indent: usize,
    /// The spaces before each piece, the first apart.
    gaps: Vec<usize>,
}

/// Formats a text; one that could not be read comes out as it is read.
#[must_use]
pub fn format(text: &str) -> String {
    let mut lines = lines(text);
    indent(&mut lines);
    for line in &mut lines {
        line.gaps = (1..line.pieces.len()).map(|k| gap(&line.pieces, k)).collect();
    }
    align(&mut lines);
    written(&lines)
}

/// Whether two texts have the same tokens, the layout's included.
#[must_use]
pub fn same_tokens(a: &str, b: &str) -> bool {
    fn tokens(text: &str) -> Vec<Vec<Token<'_>>> {
        let items = lex(SourceId(0), text).items;
        items.into_iter().map(|item| item.into_iter().map(|(_, token, _)| token).collect()).collect()
    }
    let lines = |doc: &str| doc.lines().map(|line| line.trim().to_string()).collect::<Vec<_>>();
    let same = |pair: (&Token, &Token)| match pair {
        (Token::Doc(a), Token::Doc(b)) => lines(a) == lines(b),
        (a, b) => a == b,
    };
    let (a, b) = (tokens(a), tokens(b));
    a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.len() == b.len() && a.iter().zip(b).all(same))
}

/// Cuts a text into lines of tokens.
fn lines(text: &str) -> Vec<Line<'_>> {
    let mut lines: Vec<Line> = vec![];
    let mut pieces: Vec<Piece> = vec![];
    // Where the line begins, and where its last token ends.
    let (mut start, mut end, mut after_blank) = (0, 0, false);
    let newline = (Ok(Token::Newline), text.len()..text.len());
    for (token, range) in Token::lexer(text).spanned().chain([newline]) {
        let token = token.unwrap_or(Token::Error);
        if token != Token::Newline {
            let column = column(&text[start..range.start]);
            let before = column - self::column(&text[start..end]);
            pieces.push(Piece { token, text: text[range.clone()].trim_end(), column, before });
            end = range.end;
            continue;
        }
        if pieces.is_empty() {
            after_blank = true;
        } else {
            let pieces = std::mem::take(&mut pieces);
            lines.push(Line { pieces, after_blank: std::mem::take(&mut after_blank), indent: 0, gaps: vec![] });
        }
        (start, end) = (range.end, range.end);
    }
    lines
}

/// The column after a beginning of a line.
fn column(text: &str) -> usize {
    text.chars().fold(0, |at, c| match c {
        '\t' => (at / INDENT + 1) * INDENT,
        '\r' | '\u{feff}' => at,
        _ => at + 1,
    })
}

/// A statement that goes on: where its first line begins now, and by how much that was moved.
#[derive(Clone, Copy, Default)]
struct Statement {
    indent: usize,
    moved: isize,
}

/// Gives every line its indentation: by braces where it begins a statement; where it continues one, as far from the
/// statement's first line as it was.
fn indent(lines: &mut [Line]) {
    let mut open: Vec<(Token, Statement)> = vec![];
    let mut statement = Statement::default();
    let mut last = None;
    let mut in_where = false;
    for line in lines {
        let first = line.pieces[0];
        let written = first.column;
        let closers = line.pieces.iter().take_while(|p| closes(p.token)).count();
        let in_braces = open.last().is_none_or(|(token, _)| *token == Token::LBrace);
        let goes_on = !in_braces
            || last.is_some_and(Token::continues_after)
            || first.token.continues_before() && last.is_some()
            || in_where && open.is_empty() && written > 0;
        in_where &= goes_on;
        let own_line = matches!(first.token, Token::Comment(_));
        line.indent = if closers > 0 {
            let at = open.len().saturating_sub(closers);
            open.get(at).map_or(0, |(_, of)| of.indent)
        } else if goes_on && !(own_line && in_braces) {
            let moved = written.saturating_add_signed(statement.moved);
            if moved > statement.indent { moved } else { statement.indent + INDENT }
        } else {
            let inside = open.last().map_or(0, |(_, of)| of.indent + INDENT);
            if !own_line {
                statement = Statement { indent: inside, moved: inside as isize - written as isize };
            }
            inside
        };
        for piece in &line.pieces {
            match piece.token {
                Token::LParen | Token::LBracket | Token::LBrace => open.push((plain(piece.token), statement)),
                Token::Where => in_where |= open.is_empty(),
                token if closes(token) => statement = open.pop().map_or(statement, |(_, of)| of),
                _ => {}
            }
        }
        last = line.pieces.iter().rev().map(|p| p.token).find(|t| !matches!(t, Token::Comment(_))).or(last);
        if matches!(last, Some(Token::LBrace)) {
            last = None;
        }
    }
}

fn closes(token: Token) -> bool {
    matches!(token, Token::RParen | Token::RBracket | Token::RBrace)
}

fn plain(token: Token) -> Token<'static> {
    match token {
        Token::LParen => Token::LParen,
        Token::LBracket => Token::LBracket,
        _ => Token::LBrace,
    }
}

/// The text of the lines; of empty ones, one at most between two, and none next to a brace.
fn written(lines: &[Line]) -> String {
    let mut out = String::new();
    for (number, line) in lines.iter().enumerate() {
        let opened = number.checked_sub(1).and_then(|n| lines[n].pieces.last()).map(|p| p.token);
        let next_to_brace = opened == Some(Token::LBrace) || closes(line.pieces[0].token);
        if line.after_blank && number > 0 && !next_to_brace {
            out.push('\n');
        }
        out.extend(std::iter::repeat_n(' ', line.indent));
        for (k, piece) in line.pieces.iter().enumerate() {
            let gap = if k == 0 { 0 } else { line.gaps[k - 1] };
            out.extend(std::iter::repeat_n(' ', gap));
            out.push_str(piece.text);
        }
        out.push('\n');
    }
    out
}
