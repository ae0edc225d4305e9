//! The kernel level: what one task does, as explicit code in a small language of its own.
//!
//! In: a loop nest, apart from where its tensors lie and how far its loops go ([`template`]). Out: a [`Kernel`], in
//! which everything is decided that depends on the machine's vectors: which values have how many lanes, which loads
//! take a run of neighbours and which go lane by lane, what happens to the elements that fill no vector, and how the
//! lanes of a sum come together. A renderer in `backend/` only says each operation in its machine's words.
//!
//! Values are assigned once and have a [`Type`]. An offset into a tensor is counted in elements. Memory holds F32, F64
//! and I32; a load widens to the type of its value, a store narrows to what the memory holds, and a truth value is 0
//! or 1 there. Control is structured: loops and conditions hand values on, nothing jumps.
//!
//! What must hold of a kernel is listed and checked in [`verify`]; [`interpret`] runs one slowly, in its own
//! precision; [`text`] prints it.

pub mod build;
pub mod interpret;
pub mod lower;
pub mod template;
pub mod text;
pub mod verify;

use crate::scalar::{Binary, Kind, Unary};
use nnc_core::number::Precision;

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Number {
    /// A float of 32 bits.
    F32,
    /// A float of 64 bits.
    F64,
    /// An integer of 32 bits.
    I32,
    /// An integer of 64 bits.
    I64,
    /// A truth value; several of them are a mask.
    Bool,
}

impl Number {
    /// A precision's float.
    #[must_use]
    pub fn float(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::F64 => Self::F64,
        }
    }

    /// The integer that has as many bits as a precision's float, as lanes of one vector must.
    #[must_use]
    pub fn lane_int(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::I32,
            Precision::F64 => Self::I64,
        }
    }

    /// The kind of scalar that it is.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::F32 | Self::F64 => Kind::Float,
            Self::I32 | Self::I64 => Kind::Int,
            Self::Bool => Kind::Bool,
        }
    }

    /// Whether it is a float.
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }

    /// Whether it is an integer.
    #[must_use]
    pub fn is_int(self) -> bool {
        matches!(self, Self::I32 | Self::I64)
    }
}

/// What a value is: that many numbers of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Type {
    /// Of each lane.
    pub number: Number,
    /// How many; one is a plain number.
    pub lanes: usize,
}

impl Type {
    /// The type of an offset, a loop's counter or a run-time word.
    pub const OFFSET: Self = Self { number: Number::I64, lanes: 1 };

    /// One number of a kind.
    #[must_use]
    pub fn one(number: Number) -> Self {
        Self { number, lanes: 1 }
    }
}

/// A value, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value(pub u32);

/// Memory that a kernel reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Memory {
    /// A tensor, by its number among those of the kernel.
    Tensor(usize),
    /// The task's own, by its number.
    Local(usize),
}

/// A tensor of a kernel. Where it begins in the arena, in bytes, is the run-time word of its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tensor {
    /// What its elements are in memory: F32, F64 or I32.
    pub element: Number,
    /// Whether this kernel writes it; one that it does not may be loaded early.
    pub written: bool,
}

/// An operation without effect, whose value depends on nothing but its operands and memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// A float in all lanes, by the bits of its f64.
    Float(u64),
    /// An integer in all lanes.
    Int(i64),
    /// A truth value in all lanes.
    Bool(bool),
    /// A run-time word: where a tensor lies, how far a loop goes.
    Word(usize),
    /// The first iteration of the task's share of the outermost loop.
    Begin,
    /// Past the last one.
    End,
    /// The integers 0, s, 2s, .. lane by lane.
    Steps(i64),
    /// One number in all lanes.
    Splat(Value),
    /// A lane of a value.
    Extract(Value, usize),
    /// A value of single numbers, one a lane.
    Pack(Box<[Value]>),
    /// An integer as one of the other width; what does not fit is cut.
    Resize(Value),
    /// Whether an integer lies in `0..extent`.
    Within(Value, i64),
    /// A scalar function, lane by lane.
    Unary(Unary, Value),
    /// A scalar function of two values, lane by lane; a comparison yields truth values.
    Binary(Binary, Value, Value),
    /// The second where the first holds, else the third. The first is one truth value, or one a lane.
    Select(Value, Value, Value),
    /// The run of neighbouring elements from an offset on, one a lane.
    Load(Memory, Value),
    /// All lanes joined to one number: lane l with lane l + half, again and again.
    Fold(Binary, Value),
}

/// A value handed from one run of a loop's body to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    /// What the first run gets.
    pub start: Value,
    /// What a run sees.
    pub inside: Value,
    /// What it hands on.
    pub next: Value,
    /// What the last handed on.
    pub after: Value,
}

/// `for (counter = from; counter < to; counter += step) body`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loop {
    /// The counter, inside.
    pub counter: Value,
    /// Its first value.
    pub from: Value,
    /// Where it stops.
    pub to: Value,
    /// How far it goes each time.
    pub step: i64,
    /// What is handed on.
    pub carried: Vec<Carried>,
    /// What is done each time.
    pub body: Vec<Statement>,
    /// The counter, afterwards.
    pub after: Value,
}

/// A value that one of two branches yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Of the first.
    pub then: Value,
    /// Of the second.
    pub otherwise: Value,
    /// Afterwards.
    pub after: Value,
}

/// One of two branches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct If {
    /// One truth value.
    pub condition: Value,
    /// What is done where it holds.
    pub then: Vec<Statement>,
    /// What is done where it does not.
    pub otherwise: Vec<Statement>,
    /// What they yield.
    pub results: Vec<Chosen>,
}

/// A step of a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// A value comes to be.
    Let(Value, Op),
    /// A value goes to the run of neighbouring elements from an offset on.
    Store { memory: Memory, at: Value, value: Value },
    /// A loop.
    Loop(Loop),
    /// A condition.
    If(If),
}

/// What one task of a launch does, told its share of the outermost loop and the run-time words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// The program's floats.
    pub precision: Precision,
    /// The tensors that it touches.
    pub tensors: Vec<Tensor>,
    /// How many run-time words it is told.
    pub words: usize,
    /// Memory of each task's own.
    pub locals: Vec<Type>,
    /// The type of every value.
    pub types: Vec<Type>,
    /// What it does.
    pub body: Vec<Statement>,
}

impl Kernel {
    /// The type of a value.
    #[must_use]
    pub fn ty(&self, value: Value) -> Type {
        self.types[value.0 as usize]
    }

    /// What memory holds.
    #[must_use]
    pub fn element(&self, memory: Memory) -> Number {
        match memory {
            Memory::Tensor(n) => self.tensors[n].element,
            Memory::Local(n) => self.locals[n].number,
        }
    }
}
