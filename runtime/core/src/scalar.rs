//! The scalar functions of the core language: what may stand inside an indexed definition, one row each with all that is
//! known of a function apart from what it computes. Everything else (sigmoid, gelu, ..) is library source.
//!
//! What a function is on floats stands in [`crate::numeric`], its derivative in the compiler's `differentiate/table.rs`.
//! Both are matches over all functions, as is whatever else no row can say: Rust asks for what is missing there.

use Takes::{Any, Bool, Float, Int, IntOrBool, Number};
use Work::{Add, Call, Choice, Div, Free, Mul};

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

/// The kinds of arguments that a function has. Two arguments are of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Float.
    Float,
    /// Int.
    Int,
    /// Bool.
    Bool,
    /// Float or Int.
    Number,
    /// Int or Bool.
    IntOrBool,
    /// All of them.
    Any,
}

impl Takes {
    /// Whether a kind is among them.
    #[must_use]
    pub fn admits(self, kind: Kind) -> bool {
        match kind {
            Kind::Float => matches!(self, Float | Number | Any),
            Kind::Int => matches!(self, Int | Number | IntOrBool | Any),
            Kind::Bool => matches!(self, Bool | IntOrBool | Any),
        }
    }
}

/// What arithmetic a function counts as, on floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// None.
    Free,
    /// An addition, or as cheap.
    Add,
    /// A multiplication.
    Mul,
    /// A division.
    Div,
    /// A comparison, a choice, a rounding.
    Choice,
    /// A function of many operations, or a root.
    Call,
}

impl Work {
    /// Whether it is worth being done once rather than several times.
    #[must_use]
    pub fn is_costly(self) -> bool {
        matches!(self, Div | Call)
    }
}

/// What is known of a function.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// The name in text forms, and in the language where it is a function there.
    pub name: &'static str,
    /// The kinds of its arguments.
    pub takes: Takes,
    /// The kind of its result, if that is not the kind of its arguments.
    pub gives: Option<Kind>,
    /// What it counts as.
    pub work: Work,
    /// Roughly how many additions it takes as long as.
    pub weight: usize,
    /// Whether it is finite wherever its arguments are.
    pub finite: bool,
    /// Above which (first) arguments it has a value and a slope that are both finite.
    pub above: f64,
    /// Whether it has a derivative other than zero.
    pub slope: bool,
}

/// Makes an enumeration of functions from a table with a row for each.
macro_rules! functions {
    (
        $(#[$what:meta])*
        $name:ident
        $($(#[$about:meta])*
        $function:ident: $text:literal, $takes:ident, $gives:expr, $work:ident, $weight:literal, $finite:literal,
        $above:expr, $slope:literal;)*
    ) => {
        $(#[$what])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$about])* $function,)*
        }

        impl $name {
            /// Every one of them.
            pub const ALL: [Self; [$($text),*].len()] = [$(Self::$function),*];

            /// What is known of it.
            #[must_use]
            pub fn facts(self) -> &'static Facts {
                match self {
                    $(Self::$function => &Facts {
                        name: $text,
                        takes: $takes,
                        gives: $gives,
                        work: $work,
                        weight: $weight,
                        finite: $finite,
                        above: $above,
                        slope: $slope,
                    },)*
                }
            }

            /// The name in text forms, and in the language where it is a function there.
            #[must_use]
            pub fn name(self) -> &'static str {
                self.facts().name
            }

            /// The kind of the result for arguments of kind `arg`.
            #[must_use]
            pub fn result(self, arg: Kind) -> Kind {
                self.facts().gives.unwrap_or(arg)
            }
        }
    };
}

const SAME: Option<Kind> = None;
const FLOAT: Option<Kind> = Some(Kind::Float);
const BOOL: Option<Kind> = Some(Kind::Bool);
/// No bound below.
const ALL: f64 = f64::NEG_INFINITY;

functions! {
    /// Functions of one argument.
    Unary
    // name              takes      gives  work   weight finite above slope
    /// The opposite.
    Neg: "neg",          Number,    SAME,  Add,     1,   true,  ALL,  true;
    /// The size; derivative at 0 is 0.
    Abs: "abs",          Number,    SAME,  Choice,  1,   true,  ALL,  true;
    /// Square root.
    Sqrt: "sqrt",        Float,     SAME,  Call,    1,   false, 0.0,  true;
    /// e^x.
    Exp: "exp",          Float,     SAME,  Call,   10,   false, ALL,  true;
    /// Natural logarithm.
    Log: "log",          Float,     SAME,  Call,   10,   false, 0.0,  true;
    /// e^x - 1, exact near zero.
    Expm1: "expm1",      Float,     SAME,  Call,   10,   false, ALL,  true;
    /// log(1 + x), exact near zero.
    Log1p: "log1p",      Float,     SAME,  Call,   10,   false, -1.0, true;
    /// Sine, radians.
    Sin: "sin",          Float,     SAME,  Call,   10,   true,  ALL,  true;
    /// Cosine, radians.
    Cos: "cos",          Float,     SAME,  Call,   10,   true,  ALL,  true;
    /// Hyperbolic tangent.
    Tanh: "tanh",        Float,     SAME,  Call,   10,   true,  ALL,  true;
    /// The error function.
    Erf: "erf",          Float,     SAME,  Call,   10,   true,  ALL,  true;
    /// Largest whole number not above; derivative 0.
    Floor: "floor",      Float,     SAME,  Choice,  1,   true,  ALL,  false;
    /// Smallest whole number not below; derivative 0.
    Ceil: "ceil",        Float,     SAME,  Choice,  1,   true,  ALL,  false;
    /// Nearest whole number, ties to even; derivative 0.
    Round: "round",      Float,     SAME,  Choice,  1,   true,  ALL,  false;
    /// Whether it is false.
    Not: "not",          Bool,      SAME,  Free,    1,   true,  ALL,  false;
    /// The number that it is; 0 or 1 of a truth value.
    ToFloat: "float",    IntOrBool, FLOAT, Free,    1,   true,  ALL,  false;
    /// The same number, through which no gradient passes.
    Detach: "stop_gradient", Float, SAME,  Free,    1,   true,  ALL,  false;
}

functions! {
    /// Functions of two arguments of one kind.
    Binary
    // name              takes      gives  work   weight finite above slope
    /// a + b.
    Add: "+",            Number,    SAME,  Add,     1,   true,  ALL,  true;
    /// a - b.
    Sub: "-",            Number,    SAME,  Add,     1,   true,  ALL,  true;
    /// a * b.
    Mul: "*",            Number,    SAME,  Mul,     1,   true,  ALL,  true;
    /// Real division.
    Div: "/",            Float,     SAME,  Div,     1,   false, ALL,  true;
    /// a^b.
    Pow: "^",            Float,     SAME,  Call,   30,   false, 0.0,  true;
    /// a * b, but zero where either is zero, whatever the other is: the product of derivatives, in which what does not
    /// move is not moved, not even by an infinite slope.
    ZeroOrProduct: "zero_or_product", Float, SAME, Mul, 1, true, ALL, true;
    /// a / b, but zero where a is zero, whatever b is.
    ZeroOrQuotient: "zero_or_quotient", Float, SAME, Div, 1, false, ALL, true;
    /// The larger; the derivative goes to `a` only if a > b, else to `b`.
    Max: "max",          Number,    SAME,  Choice,  1,   true,  ALL,  true;
    /// The smaller; the derivative goes to `a` only if a < b, else to `b`.
    Min: "min",          Number,    SAME,  Choice,  1,   true,  ALL,  true;
    /// Rounds towards minus infinity; the divisor is a positive constant.
    FloorDiv: "div",     Int,       SAME,  Choice,  1,   true,  ALL,  false;
    /// The remainder of `FloorDiv`, never negative.
    Mod: "mod",          Int,       SAME,  Choice,  1,   true,  ALL,  false;
    /// Whether they are equal.
    Eq: "==",            Any,       BOOL,  Choice,  1,   true,  ALL,  false;
    /// Whether a is less.
    Lt: "<",             Number,    BOOL,  Choice,  1,   true,  ALL,  false;
    /// Whether a is not more.
    Le: "<=",            Number,    BOOL,  Choice,  1,   true,  ALL,  false;
    /// Both.
    And: "&&",           Bool,      SAME,  Choice,  1,   true,  ALL,  false;
    /// One or both.
    Or: "||",            Bool,      SAME,  Choice,  1,   true,  ALL,  false;
}
