//! How operators and item words are written.

use crate::ast::{Better, BinaryOp, CallableKind, ReduceOp, UnaryOp};

impl CallableKind {
    /// The word that begins the item.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Fn => "fn",
            Self::Layer => "layer",
            Self::Model => "model",
            Self::Init => "init",
            Self::Loss => "loss",
            Self::Metric => "metric",
            Self::Optimizer => "optimizer",
            Self::Schedule => "schedule",
        }
    }
}

impl Better {
    /// As a metric says it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Higher => "higher is better",
            Self::Lower => "lower is better",
        }
    }
}

impl ReduceOp {
    /// The word before the bracket.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Prod => "prod",
            Self::Max => "max",
            Self::Min => "min",
            Self::Argmax => "argmax",
            Self::Any => "any",
            Self::All => "all",
            Self::Logsumexp => "logsumexp",
        }
    }
}

impl BinaryOp {
    /// The operator between its operands.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Pow => "^",
            Self::Mod => "mod",
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::And => "&&",
            Self::Or => "||",
        }
    }
}

impl UnaryOp {
    /// The operator before its operand.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Neg => "-",
            Self::Not => "!",
        }
    }
}
