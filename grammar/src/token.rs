//! The tokens. Logos reads all that can be told from the characters alone; the tokens marked
//! "layout" are made by [`crate::lexer`], which knows brackets and line ends.

use crate::ast::{CallableKind, ReduceOp};
use logos::Logos;

/// One token; borrows its text from the source.
#[derive(Logos, Clone, Copy, Debug, PartialEq)]
#[logos(skip(r"[ \t\r\f\u{feff}]+"))]
pub enum Token<'a> {
    /// A name, with Greek letters and at most one `'` at its end.
    #[regex(r"[A-Za-z_\p{Greek}][A-Za-z0-9_\p{Greek}]*'?", priority = 3)]
    Ident(&'a str),
    /// A number as written.
    #[regex(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", priority = 5)]
    Number(&'a str),
    /// A number that runs into letters, such as `2x` or `1e`.
    #[regex(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?[A-Za-z_\p{Greek}][A-Za-z0-9_\p{Greek}]*", priority = 4)]
    BadNumber(&'a str),
    /// A text with its quotes.
    #[regex("\"[^\"\n]*\"")]
    Text(&'a str),
    /// A text whose closing quote is missing.
    #[regex("\"[^\"\n]*")]
    OpenText(&'a str),
    /// A comment to the end of the line.
    #[regex("//[^\n]*", allow_greedy = true)]
    Comment(&'a str),
    /// A line end as written.
    #[token("\n")]
    Newline,

    #[token("param")]
    Param,
    #[token("state")]
    State,
    #[token("if")]
    If,
    #[token("then")]
    Then,
    #[token("else")]
    Else,
    #[token("for")]
    For,
    #[token("in")]
    In,
    #[token("scan")]
    Scan,
    #[token("where")]
    Where,
    #[token("fn")]
    Fn,
    #[token("use")]
    Use,
    #[token("as")]
    As,
    #[token("or")]
    Or,
    #[token("grad")]
    Grad,
    #[token("true")]
    True,
    #[token("false")]
    False,

    #[token("(")]
    LParen,
    #[token(")")]
    RParen,
    #[token("[")]
    LBracket,
    #[token("]")]
    RBracket,
    #[token("{")]
    LBrace,
    #[token("}")]
    RBrace,
    #[token(",")]
    Comma,
    #[token(":")]
    Colon,
    #[token("=")]
    Assign,
    #[token("+=")]
    PlusAssign,
    #[token("~")]
    Tilde,
    #[token("->")]
    Arrow,
    #[token("|>")]
    Pipe,
    #[token("@")]
    At,
    #[token(".")]
    Dot,
    #[token(".*")]
    DotStar,
    #[token("..")]
    DotDot,
    #[token("+")]
    Plus,
    #[token("-")]
    Minus,
    #[token("*")]
    Star,
    #[token("/")]
    Slash,
    #[token("^")]
    Caret,
    #[token("==")]
    EqEq,
    #[token("!=")]
    NotEq,
    #[token("<")]
    Less,
    #[token("<=")]
    LessEq,
    #[token(">")]
    Greater,
    #[token(">=")]
    GreaterEq,
    #[token("&&")]
    AndAnd,
    #[token("||")]
    OrOr,
    #[token("!")]
    Bang,

    /// The end of a statement: `;` as written, or (layout) a line end that counts.
    #[token(";")]
    Sep,
    /// Layout: the `///` lines before an item.
    Doc(&'a str),
    /// Layout: a word that begins a callable item.
    Callable(CallableKind),
    /// Layout: `data` at item position.
    Data,
    /// Layout: `train` at item position.
    Train,
    /// Layout: `sweep` at item position.
    Sweep,
    /// Layout: a reduction's name directly before `[`.
    Reduce(ReduceOp),
    /// Layout: a word between two operands.
    Infix(Infix),
    /// Layout: `plot` at the beginning of a statement, before a name.
    Plot,
    /// Layout: something unreadable; already reported.
    Error,
}

/// A token with the byte range it stands at.
pub type Spanned<'a> = (usize, Token<'a>, usize);

/// Whether an item may begin with the token.
#[must_use]
pub fn begins_item(token: Token<'_>) -> bool {
    matches!(token, Token::Callable(_) | Token::Data | Token::Train | Token::Sweep | Token::Use)
}

/// Words that mean something only after an operand; elsewhere they are names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Infix {
    /// `a mod n`
    Mod,
    /// `[64] of class(65)`
    Of,
    /// `adam() on weights`
    On,
    /// `e over params(D)`
    Over,
    /// `grad at p`
    At,
    /// `~ d per batch`
    Per,
    /// `for l in 1..L with h = x`
    With,
    /// `plot a against b`
    Against,
    /// `plot a against b by c`
    By,
    /// `metric accuracy(..) higher is better`
    Is,
}

impl Infix {
    /// The word's meaning after an operand, if it has one.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "mod" => Self::Mod,
            "of" => Self::Of,
            "on" => Self::On,
            "over" => Self::Over,
            "at" => Self::At,
            "per" => Self::Per,
            "with" => Self::With,
            "against" => Self::Against,
            "by" => Self::By,
            "is" => Self::Is,
            _ => return None,
        })
    }
}

impl Infix {
    /// The word as written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Mod => "mod",
            Self::Of => "of",
            Self::On => "on",
            Self::Over => "over",
            Self::At => "at",
            Self::Per => "per",
            Self::With => "with",
            Self::Against => "against",
            Self::By => "by",
            Self::Is => "is",
        }
    }
}

impl Token<'_> {
    /// Whether an operand may end with this token, so that a word after it is an infix word.
    #[must_use]
    pub fn ends_operand(self) -> bool {
        use Token::*;
        matches!(
            self,
            Ident(_)
                | Number(_)
                | BadNumber(_)
                | Text(_)
                | OpenText(_)
                | Grad
                | True
                | False
                | RParen
                | RBracket
                | RBrace
                | DotStar
                | Error
        )
    }

    /// Whether a line that ends with this token goes on in the next.
    #[must_use]
    pub fn continues_after(self) -> bool {
        use Token::*;
        matches!(
            self,
            Comma
                | Colon
                | Assign
                | PlusAssign
                | Tilde
                | Arrow
                | Pipe
                | At
                | Dot
                | DotDot
                | Bang
                | Infix(_)
                | In
                | Where
                | If
                | For
                | Plot
        ) || self.is_binary()
            || matches!(self, Minus | Then | Else | As | Or | Callable(_) | Data | Train | Sweep | Use | Doc(_))
    }

    /// Whether a line that begins with this token continues the one before.
    #[must_use]
    pub fn continues_before(self) -> bool {
        use Token::*;
        self.is_binary()
            || matches!(
                self,
                Pipe | Arrow
                    | Else
                    | Where
                    | Then
                    | As
                    | Or
                    | RParen
                    | RBracket
                    | RBrace
                    | Comma
                    | Assign
                    | PlusAssign
                    | Tilde
                    | At
                    | Dot
            )
    }

    fn is_binary(self) -> bool {
        use Token::*;
        matches!(self, Plus | Star | Slash | Caret | EqEq | NotEq | Less | LessEq | Greater | GreaterEq | AndAnd | OrOr)
    }

    /// Whether the tree may grow deeper by this token (operators, prefix words, closing brackets).
    #[must_use]
    pub fn deepens(self) -> bool {
        use Token::*;
        self.is_binary()
            || matches!(
                self,
                Minus
                    | Bang
                    | Pipe
                    | At
                    | Dot
                    | DotStar
                    | If
                    | Fn
                    | For
                    | Scan
                    | Grad
                    | Reduce(_)
                    | Infix(_)
                    | RParen
                    | RBracket
                    | RBrace
                    | As
                    | Or
            )
    }
}

/// The reduction a word names.
#[must_use]
pub fn reduction(word: &str) -> Option<ReduceOp> {
    Some(match word {
        "sum" => ReduceOp::Sum,
        "mean" => ReduceOp::Mean,
        "prod" => ReduceOp::Prod,
        "max" => ReduceOp::Max,
        "min" => ReduceOp::Min,
        "argmax" => ReduceOp::Argmax,
        "any" => ReduceOp::Any,
        "all" => ReduceOp::All,
        "logsumexp" => ReduceOp::Logsumexp,
        _ => return None,
    })
}
