//! Text to tokens, in two passes run as one: logos splits the characters, the layout pass decides
//! which line ends count, which words begin items, and pairs the brackets.
//!
//! What must hold afterwards, whatever the text was: brackets are balanced (missing ones are added,
//! stray ones dropped), none is nested deeper than [`MAX_NESTING`], no statement carries more than
//! [`MAX_WEIGHT`] operators along one path of the tree, and `Sep` never stands first, last, twice
//! in a row or next to the brace of its block.

use crate::ast::CallableKind;
use crate::diagnostic::Diagnostic;
use crate::message;
use crate::span::{SourceId, Span};
use crate::token::{Infix, Spanned, Token, begins_item, reduction};
use logos::Logos;

/// Deepest nesting of brackets.
pub const MAX_NESTING: usize = 256;
/// Most operators along one path from a statement to its innermost part; bounds the depth of the tree.
pub const MAX_WEIGHT: usize = 600;
/// Most messages about one text.
pub const MAX_DIAGNOSTICS: usize = 100;

/// What the lexer hands to the parser.
#[derive(Debug, Default)]
pub struct Tokens<'a> {
    /// The tokens of each item; a piece that begins with no item word could not be placed.
    pub items: Vec<Vec<Spanned<'a>>>,
    /// What was wrong.
    pub diagnostics: Vec<Diagnostic>,
    /// Stretches whose trouble is already reported: the parser stays silent there.
    pub reported: Vec<Span>,
}

/// Splits a text into the tokens of its items.
#[must_use]
pub fn lex(source: SourceId, text: &str) -> Tokens<'_> {
    Layout::new(source, text).run()
}

/// Splits a text that is a single expression: no word begins an item.
#[must_use]
pub fn lex_expression(source: SourceId, text: &str) -> Tokens<'_> {
    Layout { has_items: false, ..Layout::new(source, text) }.run()
}

/// An open bracket.
struct Open {
    token: Token<'static>,
    start: usize,
    /// Operators seen since the last comma or statement end directly inside.
    weight: usize,
    /// Something inside was reported already, so a missing partner is no news.
    damaged: bool,
}

struct Layout<'a> {
    source: SourceId,
    text: &'a str,
    raw: Raw<'a>,
    /// Whether the text is a file of items.
    has_items: bool,
    out: Tokens<'a>,
    item: Vec<Spanned<'a>>,
    open: Vec<Open>,
    /// Operators in the item outside any bracket.
    weight: usize,
    /// Sum of all weights, this and those of `open`.
    total: usize,
    /// The last token seen, emitted or not.
    previous: Option<Token<'a>>,
    newline: bool,
    doc: Option<(usize, usize)>,
    /// Whether `where` has opened a list of definitions in this item.
    in_where: bool,
    /// While set, tokens are dropped up to the next comma, statement end or closing bracket at this
    /// level; the number counts brackets opened since.
    skipping: Option<usize>,
    /// Whether the item's own closing brace was passed (what follows belongs to nothing).
    stray: bool,
}

/// The logos lexer with one token of lookahead.
struct Raw<'a> {
    lexer: logos::SpannedIter<'a, Token<'a>>,
    ahead: Option<(Token<'a>, usize, usize)>,
}

impl<'a> Raw<'a> {
    fn new(text: &'a str) -> Self {
        let mut raw = Self { lexer: Token::lexer(text).spanned(), ahead: None };
        raw.advance();
        raw
    }

    fn advance(&mut self) {
        self.ahead = self.lexer.next().map(|(token, range)| (token.unwrap_or(Token::Error), range.start, range.end));
    }

    fn next(&mut self) -> Option<(Token<'a>, usize, usize)> {
        let token = self.ahead;
        self.advance();
        token
    }

    fn peek(&self) -> Option<Token<'a>> {
        self.ahead.map(|(token, ..)| token)
    }
}

impl<'a> Layout<'a> {
    fn new(source: SourceId, text: &'a str) -> Self {
        Self {
            source,
            text,
            raw: Raw::new(text),
            has_items: true,
            out: Tokens::default(),
            item: Vec::new(),
            open: Vec::new(),
            weight: 0,
            total: 0,
            previous: None,
            newline: true,
            doc: None,
            in_where: false,
            skipping: None,
            stray: false,
        }
    }

    fn run(mut self) -> Tokens<'a> {
        while let Some((token, start, end)) = self.raw.next() {
            self.take(token, start, end);
        }
        self.finish()
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.source, start, end)
    }

    /// Reports trouble at `span`; the parser will not speak of the same stretch again.
    fn report(&mut self, span: Span, message: impl FnOnce() -> Diagnostic) {
        if self.out.diagnostics.len() < MAX_DIAGNOSTICS {
            self.out.diagnostics.push(message());
        }
        self.silence(span);
    }

    /// Reports trouble after which brackets cannot be trusted to meet their partners.
    fn report_damage(&mut self, span: Span, message: impl FnOnce() -> Diagnostic) {
        self.report(span, message);
        for open in &mut self.open {
            open.damaged = true;
        }
    }

    fn silence(&mut self, span: Span) {
        if self.out.diagnostics.len() < MAX_DIAGNOSTICS {
            self.out.reported.push(span);
        }
    }

    fn take(&mut self, token: Token<'a>, start: usize, end: usize) {
        match token {
            Token::Newline => self.newline = true,
            Token::Comment(text) => self.take_comment(text, start, end),
            Token::Sep => self.separate(start, end),
            _ => self.take_visible(token, start, end),
        }
    }

    fn take_comment(&mut self, text: &str, start: usize, end: usize) {
        if text.starts_with("///") && !text.starts_with("////") && self.open.is_empty() && self.newline {
            let first = self.doc.map_or(start, |(first, _)| first);
            self.doc = Some((first, end));
        }
    }

    fn take_visible(&mut self, token: Token<'a>, start: usize, end: usize) {
        let newline = std::mem::take(&mut self.newline);
        let after_item = self.previous == Some(Token::RBrace) && self.item_word(token, start).is_some();
        let token = if newline || after_item { self.break_line(token, start) } else { token };
        let token = self.in_context(token, start, end);
        if token == Token::Error {
            return self.take_unreadable(start, end);
        }
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => self.open_bracket(token, start, end),
            Token::RParen | Token::RBracket | Token::RBrace => self.close_bracket(token, start, end),
            _ => self.emit(token, start, end),
        }
        self.previous = Some(token);
    }

    /// A token that begins a line: ends the statement before it where the rules say so, and begins
    /// an item where a word of items stands at its place.
    fn break_line(&mut self, token: Token<'a>, start: usize) -> Token<'a> {
        if let Some(word) = self.item_word(token, start) {
            self.begin_item(start);
            return word;
        }
        let continues =
            token.continues_before() || self.begins_with_mod(token) || (self.open.is_empty() && token == Token::LBrace);
        let ends = self.previous.is_some_and(|previous| !previous.continues_after());
        if ends && !continues && self.in_braces() {
            self.separate(start, start);
        }
        token
    }

    fn begins_with_mod(&self, token: Token<'a>) -> bool {
        token == Token::Ident("mod")
            && matches!(self.raw.peek(), Some(Token::Ident(_) | Token::Number(_) | Token::LParen))
    }

    /// Whether line ends count here.
    fn in_braces(&self) -> bool {
        self.open.last().is_none_or(|open| open.token == Token::LBrace)
    }

    /// The item a word begins, if it stands where items stand: outside all brackets, or, since then
    /// a bracket must be missing, at the very beginning of a line before a name.
    fn item_word(&self, token: Token<'a>, start: usize) -> Option<Token<'a>> {
        let word = match token {
            Token::Ident("layer") => Token::Callable(CallableKind::Layer),
            Token::Ident("model") => Token::Callable(CallableKind::Model),
            Token::Ident("init") => Token::Callable(CallableKind::Init),
            Token::Ident("loss") => Token::Callable(CallableKind::Loss),
            Token::Ident("metric") => Token::Callable(CallableKind::Metric),
            Token::Ident("optimizer") => Token::Callable(CallableKind::Optimizer),
            Token::Ident("schedule") => Token::Callable(CallableKind::Schedule),
            Token::Fn => Token::Callable(CallableKind::Fn),
            Token::Ident("data") => Token::Data,
            Token::Ident("train") => Token::Train,
            Token::Ident("sweep") => Token::Sweep,
            Token::Use => Token::Use,
            _ => return None,
        };
        let before_name = matches!(self.raw.peek(), Some(Token::Ident(_)));
        let first_column = start == 0 || self.text.as_bytes().get(start - 1) == Some(&b'\n');
        let outside = self.open.is_empty() && self.raw.peek() != Some(Token::Assign);
        (self.has_items && (outside || (before_name && first_column))).then_some(word)
    }

    fn begin_item(&mut self, start: usize) {
        self.close_all(start, message::Missing::Item);
        self.end_item();
        if let Some((first, last)) = self.doc.take() {
            self.item.push((first, Token::Doc(&self.text[first..last]), last));
        }
    }

    fn end_item(&mut self) {
        if matches!(self.item.last(), Some((_, Token::Sep, _))) {
            self.item.pop();
        }
        if !self.item.is_empty() {
            self.out.items.push(std::mem::take(&mut self.item));
        }
        self.in_where = false;
        self.stray = false;
        self.skipping = None;
        self.previous = None;
        (self.weight, self.total) = (0, 0);
    }

    /// What a word means where it stands.
    fn in_context(&mut self, token: Token<'a>, start: usize, end: usize) -> Token<'a> {
        let next = self.text.as_bytes().get(end);
        let begins = self.previous.is_none_or(|p| matches!(p, Token::LBrace | Token::Sep));
        match token {
            Token::Ident(word) => {
                let field = self.previous == Some(Token::Dot);
                if let Some(op) = reduction(word).filter(|_| next == Some(&b'[') && !field) {
                    return Token::Reduce(op);
                }
                if self.previous.is_some_and(Token::ends_operand)
                    && let Some(infix) = Infix::from_word(word)
                {
                    return Token::Infix(infix);
                }
                let plots = word == "plot" && begins && matches!(self.raw.peek(), Some(Token::Ident(_)));
                if plots { Token::Plot } else { token }
            }
            Token::BadNumber(text) => {
                let span = self.span(start, end);
                self.report(span, || message::bad_number(span, text));
                Token::Error
            }
            Token::OpenText(text) => {
                let span = self.span(start, end);
                self.report_damage(span, || message::unterminated_text(span, text));
                Token::Error
            }
            Token::Where => {
                self.in_where |= self.open.is_empty();
                token
            }
            _ => token,
        }
    }

    /// A stretch of characters that belong to no token, or a token reported already.
    fn take_unreadable(&mut self, start: usize, mut end: usize) {
        let known =
            self.out.reported.last().is_some_and(|last| last.end as usize == end && last.start as usize == start);
        if !known {
            while let Some((Token::Error, next, last)) = self.raw.ahead
                && next == end
            {
                end = last;
                self.raw.advance();
            }
            let (span, text) = (self.span(start, end), &self.text[start..end]);
            self.report(span, || message::unknown_character(span, text));
        }
        self.emit(Token::Error, start, end);
        self.previous = Some(Token::Error);
    }

    /// Ends the statement, unless none has begun.
    fn separate(&mut self, start: usize, end: usize) {
        let written = end > start;
        if self.skipping == Some(0) && self.in_braces() {
            self.skipping = None;
        }
        if self.skipping.is_some() {
            return;
        }
        if self.open.is_empty() && self.has_items && !self.in_where {
            return self.end_outside_item(written);
        }
        if matches!(self.previous, None | Some(Token::Sep))
            || (self.previous == Some(Token::LBrace) && self.in_braces())
        {
            return;
        }
        self.reset_weight();
        self.item.push((start, Token::Sep, end));
        self.previous = Some(Token::Sep);
    }

    /// A statement end outside all brackets ends the item; what follows without an item word is
    /// kept together, so that it is reported once.
    fn end_outside_item(&mut self, written: bool) {
        let placed = self
            .item
            .iter()
            .find(|(_, token, _)| !matches!(token, Token::Doc(_)))
            .is_some_and(|(_, token, _)| begins_item(*token));
        if placed {
            self.end_item();
            self.newline |= written;
        }
    }

    fn emit(&mut self, token: Token<'a>, start: usize, end: usize) {
        if token == Token::Comma && self.skipping == Some(0) {
            self.skipping = None;
        }
        if self.skipping.is_some() {
            return;
        }
        if token == Token::Comma {
            self.reset_weight();
        } else if token.deepens() && !self.add_weight(start, end) {
            return;
        }
        self.item.push((start, token, end));
    }

    fn weight(&mut self) -> &mut usize {
        self.open.last_mut().map_or(&mut self.weight, |open| &mut open.weight)
    }

    fn reset_weight(&mut self) {
        self.total -= std::mem::take(self.weight());
    }

    /// Counts an operator; false where there were too many, and the rest of the statement is dropped.
    fn add_weight(&mut self, start: usize, end: usize) -> bool {
        *self.weight() += 1;
        self.total += 1;
        if self.total > MAX_WEIGHT {
            let span = self.span(start, end);
            self.report(span, || message::too_long(span, MAX_WEIGHT));
            self.item.push((start, Token::Error, end));
            self.skipping = Some(0);
        }
        self.skipping.is_none()
    }

    fn open_bracket(&mut self, token: Token<'a>, start: usize, end: usize) {
        if let Some(opened) = &mut self.skipping {
            *opened += 1;
            return;
        }
        if self.open.len() == MAX_NESTING {
            let span = self.span(start, end);
            self.report_damage(span, || message::too_deep(span, MAX_NESTING));
            self.item.push((start, Token::Error, end));
            self.skipping = Some(1);
            return;
        }
        let kept = match token {
            Token::LParen => Token::LParen,
            Token::LBracket => Token::LBracket,
            _ => Token::LBrace,
        };
        self.open.push(Open { token: kept, start, weight: 0, damaged: false });
        self.item.push((start, token, end));
    }

    fn close_bracket(&mut self, token: Token<'a>, start: usize, end: usize) {
        match &mut self.skipping {
            Some(0) | None => self.skipping = None,
            Some(opened) => {
                *opened -= 1;
                return;
            }
        }
        match self.partner(token) {
            Some(at) => {
                self.close_down_to(at + 1, start, message::Missing::Closing(self.span(start, end)));
                self.pop(token, start, end);
            }
            None => self.drop_stray(token, start, end),
        }
    }

    /// The open bracket that `closing` closes: the innermost of its kind, within the same braces.
    fn partner(&self, closing: Token<'_>) -> Option<usize> {
        let opening = partner_of(closing);
        let fence = self.open.iter().rposition(|open| open.token == Token::LBrace);
        self.open.iter().rposition(|open| open.token == opening).filter(|at| fence.is_none_or(|fence| *at >= fence))
    }

    fn pop(&mut self, closing: Token<'a>, start: usize, end: usize) {
        if let Some(open) = self.open.pop() {
            self.total -= open.weight;
            if closing == Token::RBrace && matches!(self.item.last(), Some((_, Token::Sep, _))) {
                self.item.pop();
            }
            self.emit_closing(closing, start, end);
        }
    }

    /// A closing bracket is emitted in any case; it may make an operand such as `f(a)(b)` deeper.
    fn emit_closing(&mut self, closing: Token<'a>, start: usize, end: usize) {
        self.item.push((start, closing, end));
        self.add_weight(start, end);
    }

    /// Closes what is open above level `depth`; the innermost is reported.
    fn close_down_to(&mut self, depth: usize, at: usize, missing: message::Missing) {
        if self.open.len() <= depth {
            return;
        }
        if let Some(&Open { token, start, damaged: false, .. }) = self.open.last() {
            let (opening, end) = (self.span(start, start + 1), self.span(at, at));
            self.report(self.span(start, at), || message::unclosed_bracket(opening, token, end, missing));
        }
        while self.open.len() > depth {
            self.skipping = None;
            let closing = closing_of(self.open[self.open.len() - 1].token);
            self.pop(closing, at, at);
        }
    }

    fn close_all(&mut self, at: usize, missing: message::Missing) {
        self.skipping = None;
        self.close_down_to(0, at, missing);
    }

    /// Leaves out a closing bracket without a partner. Where it shows that an item ended too soon,
    /// the lines since then are not reported as well.
    fn drop_stray(&mut self, token: Token<'a>, start: usize, end: usize) {
        if std::mem::replace(&mut self.stray, true) {
            return;
        }
        let unplaced = self.open.is_empty() && !self.item.iter().any(|(_, token, _)| begins_item(*token));
        let first = self.item.first().filter(|_| unplaced).map_or(start, |(first, _, _)| *first);
        let span = self.span(start, end);
        self.report_damage(self.span(first, end), || message::stray_bracket(span, token));
    }

    fn finish(mut self) -> Tokens<'a> {
        let end = self.text.len();
        self.close_all(end, message::Missing::End);
        self.end_item();
        self.out
    }
}

fn partner_of(closing: Token<'_>) -> Token<'static> {
    match closing {
        Token::RParen => Token::LParen,
        Token::RBracket => Token::LBracket,
        _ => Token::LBrace,
    }
}

fn closing_of(opening: Token<'_>) -> Token<'static> {
    match opening {
        Token::LParen => Token::RParen,
        Token::LBracket => Token::RBracket,
        _ => Token::RBrace,
    }
}
