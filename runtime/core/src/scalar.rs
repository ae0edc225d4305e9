//! The scalar functions of the core language: what may stand inside an indexed definition.
//! One table of names and kinds, shared by the typed tree, the IR, the derivative table, the
//! interpreter and the code generators. Everything else (sigmoid, gelu, ..) is library source.

/// What kind of scalar a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A real number, computed in the program's precision.
    Float,
    /// An index, class or dimension: a 64-bit integer in expressions, 32 bits in memory.
    Int,
    /// A truth value: 32 bits (0 or 1) in memory.
    Bool,
}

/// Functions of one argument. Float to Float unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unary {
    /// Float or Int.
    Neg,
    /// Float or Int; derivative at 0 is 0.
    Abs,
    /// Square root.
    Sqrt,
    /// e^x.
    Exp,
    /// Natural logarithm.
    Log,
    /// e^x - 1, exact near zero.
    Expm1,
    /// log(1 + x), exact near zero.
    Log1p,
    /// Sine, radians.
    Sin,
    /// Cosine, radians.
    Cos,
    /// Hyperbolic tangent.
    Tanh,
    /// The error function.
    Erf,
    /// Largest whole number not above; derivative 0.
    Floor,
    /// Smallest whole number not below; derivative 0.
    Ceil,
    /// Nearest whole number, ties to even; derivative 0.
    Round,
    /// Bool to Bool.
    Not,
    /// Int or Bool to Float.
    ToFloat,
    /// The same number, through which no gradient passes. Float to Float.
    Detach,
}

/// Functions of two arguments of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Binary {
    /// Float or Int.
    Add,
    /// Float or Int.
    Sub,
    /// Float or Int.
    Mul,
    /// Float: real division.
    Div,
    /// Float: a^b.
    Pow,
    /// Float: a * b, but zero where either is zero, whatever the other is: the product of derivatives, in which
    /// what does not move is not moved, not even by an infinite slope.
    ZeroOrProduct,
    /// Float: a / b, but zero where a is zero, whatever b is.
    ZeroOrQuotient,
    /// Float or Int; the derivative goes to `a` only if a > b, else to `b`.
    Max,
    /// Float or Int; the derivative goes to `a` only if a < b, else to `b`.
    Min,
    /// Int: rounds towards minus infinity; the divisor is a positive constant.
    FloorDiv,
    /// Int: the remainder of `FloorDiv`, never negative.
    Mod,
    /// Any kind to Bool.
    Eq,
    /// Float or Int to Bool.
    Lt,
    /// Float or Int to Bool.
    Le,
    /// Bool.
    And,
    /// Bool.
    Or,
}

impl Unary {
    /// Every function of one argument.
    pub const ALL: [Self; 17] = [
        Self::Neg,
        Self::Abs,
        Self::Sqrt,
        Self::Exp,
        Self::Log,
        Self::Expm1,
        Self::Log1p,
        Self::Sin,
        Self::Cos,
        Self::Tanh,
        Self::Erf,
        Self::Floor,
        Self::Ceil,
        Self::Round,
        Self::Not,
        Self::ToFloat,
        Self::Detach,
    ];

    /// The name in text forms, and in the language where it is a function there.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Neg => "neg",
            Self::Abs => "abs",
            Self::Sqrt => "sqrt",
            Self::Exp => "exp",
            Self::Log => "log",
            Self::Expm1 => "expm1",
            Self::Log1p => "log1p",
            Self::Sin => "sin",
            Self::Cos => "cos",
            Self::Tanh => "tanh",
            Self::Erf => "erf",
            Self::Floor => "floor",
            Self::Ceil => "ceil",
            Self::Round => "round",
            Self::Not => "not",
            Self::ToFloat => "float",
            Self::Detach => "stop_gradient",
        }
    }

    /// The kind of the result for an argument of kind `arg`.
    #[must_use]
    pub fn result(self, arg: Kind) -> Kind {
        match self {
            Self::Not => Kind::Bool,
            Self::ToFloat => Kind::Float,
            _ => arg,
        }
    }
}

impl Binary {
    /// Every function of two arguments.
    pub const ALL: [Self; 16] = [
        Self::Add,
        Self::Sub,
        Self::Mul,
        Self::Div,
        Self::Pow,
        Self::ZeroOrProduct,
        Self::ZeroOrQuotient,
        Self::Max,
        Self::Min,
        Self::FloorDiv,
        Self::Mod,
        Self::Eq,
        Self::Lt,
        Self::Le,
        Self::And,
        Self::Or,
    ];

    /// The name in text forms, and in the language where it is a function there.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Pow => "^",
            Self::ZeroOrProduct => "zero_or_product",
            Self::ZeroOrQuotient => "zero_or_quotient",
            Self::Max => "max",
            Self::Min => "min",
            Self::FloorDiv => "div",
            Self::Mod => "mod",
            Self::Eq => "==",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::And => "&&",
            Self::Or => "||",
        }
    }

    /// The kind of the result for arguments of kind `arg`.
    #[must_use]
    pub fn result(self, arg: Kind) -> Kind {
        match self {
            Self::Eq | Self::Lt | Self::Le | Self::And | Self::Or => Kind::Bool,
            _ => arg,
        }
    }
}
