//! Spaces between two tokens of a line.

use super::Piece;
use crate::token::Token;

/// The spaces before piece `k`, which is not the first of its line.
pub(super) fn gap(pieces: &[Piece], k: usize) -> usize {
    let (left, right) = (&pieces[k - 1], &pieces[k]);
    let is_prefix = |at: usize| at == 0 || !ends_operand(pieces[at - 1].token);
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
        (token, Token::LParen | Token::LBracket) if ends_operand(token) || token == Token::Fn => right.before.min(1),
        _ => 1,
    }
}

/// Whether an operand may end with the token.
fn ends_operand(token: Token) -> bool {
    token.ends_operand()
}

/// Operators that may stand close to their operands, `2*i + 1`.
fn is_tight(token: Token) -> bool {
    matches!(token, Token::Plus | Token::Minus | Token::Star | Token::Slash)
}

/// No space on either side of an operator that was written so; else one.
fn symmetric(operator: &Piece, after: Option<&Piece>) -> usize {
    usize::from(operator.before > 0 || after.is_none_or(|p| p.before > 0))
}
