//! Spaces between two tokens of a line.

use super::Piece;
use crate::token::{Infix, Token, reduction};

/// The spaces before piece `k`, which is not the first of its line.
pub(super) fn gap(pieces: &[Piece], k: usize) -> usize {
    let (left, right) = (&pieces[k - 1], &pieces[k]);
    let is_prefix = |at: usize| at == 0 || !ends_operand(pieces, at - 1);
    match (left.token, right.token) {
        (_, Token::Comment(_)) => 1,
        (Token::LBrace, Token::RBrace) => 0,
        (Token::LBrace, _) | (_, Token::RBrace | Token::LBrace) => 1,
        (Token::LParen | Token::LBracket, _) | (_, Token::RParen | Token::RBracket) => 0,
        (_, Token::Comma | Token::Colon | Token::Sep) => 0,
        (Token::Comma | Token::Colon | Token::Sep, _) => 1,
        (Token::Dot | Token::At | Token::Caret | Token::Bang, _) => 0,
        (_, Token::Dot | Token::DotStar | Token::At | Token::Caret) => 0,
        (Token::DotDot, _) => 0,
        (_, Token::DotDot) => usize::from(is_prefix(k)),
        (Token::Minus, _) if is_prefix(k - 1) => 0,
        (_, token) if is_tight(token) && !is_prefix(k) => symmetric(right, pieces.get(k + 1)),
        (token, _) if is_tight(token) => symmetric(left, Some(right)),
        // A name directly before a bracket calls, reads or reduces; the words of the language do not.
        (token, Token::LParen | Token::LBracket) if token.ends_operand() || token == Token::Fn => right.before.min(1),
        _ => 1,
    }
}

/// Whether an operand ends with the piece. None does with a word between operands, nor with the indices of a reduction.
fn ends_operand(pieces: &[Piece], at: usize) -> bool {
    let word = |at: usize| if let Token::Ident(word) = pieces[at].token { Some(word) } else { None };
    match pieces[at].token {
        Token::Ident(word) if Infix::from_word(word).is_some() => at == 0 || !pieces[at - 1].token.ends_operand(),
        Token::RBracket => match opening(pieces, at) {
            Some(open) if open > 0 && pieces[open].before == 0 => word(open - 1).is_none_or(|w| reduction(w).is_none()),
            _ => true,
        },
        token => token.ends_operand(),
    }
}

/// The bracket in the same line that a closing one belongs to.
fn opening(pieces: &[Piece], closing: usize) -> Option<usize> {
    let mut depth = 0;
    (0..=closing).rev().find(|at| {
        match pieces[*at].token {
            Token::RBracket => depth += 1,
            Token::LBracket => depth -= 1,
            _ => {}
        }
        depth == 0
    })
}

/// Operators that may stand close to their operands, `2*i + 1`.
fn is_tight(token: Token) -> bool {
    matches!(token, Token::Plus | Token::Minus | Token::Star | Token::Slash)
}

/// No space on either side of an operator that was written so; else one.
fn symmetric(operator: &Piece, after: Option<&Piece>) -> usize {
    usize::from(operator.before > 0 || after.is_none_or(|p| p.before > 0))
}
