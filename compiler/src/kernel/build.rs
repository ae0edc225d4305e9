//! Makes kernels, statement by statement. An operation that was done before is not done again where its value is
//! still there: in the same block, or one around it.

use super::{Carried, Chosen, If, Kernel, Loop, Memory, Number, Op, Statement, Tensor, Type, Value};
use crate::scalar::Binary;
use nnc_core::number::Precision;
use std::collections::HashMap;

/// A block that is being filled, and the operations done in it.
#[derive(Default)]
struct Open {
    statements: Vec<Statement>,
    done: HashMap<(Op, Type), Value>,
}

/// A kernel in the making.
pub struct Builder {
    kernel: Kernel,
    /// From the outermost block to the one being filled.
    open: Vec<Open>,
}

impl Builder {
    /// An empty kernel over these tensors, told that many words.
    #[must_use]
    pub fn new(precision: Precision, tensors: Vec<Tensor>, words: usize) -> Self {
        let kernel = Kernel { precision, tensors, words, locals: vec![], types: vec![], body: vec![] };
        Self { kernel, open: vec![Open::default()] }
    }

    /// The kernel, finished.
    #[must_use]
    pub fn finish(mut self) -> Kernel {
        self.kernel.body = self.close();
        self.kernel
    }

    /// The program's floats.
    #[must_use]
    pub fn precision(&self) -> Precision {
        self.kernel.precision
    }

    /// The type of a value.
    #[must_use]
    pub fn ty(&self, value: Value) -> Type {
        self.kernel.ty(value)
    }

    /// Memory of the task's own.
    pub fn local(&mut self, ty: Type) -> Memory {
        self.kernel.locals.push(ty);
        Memory::Local(self.kernel.locals.len() - 1)
    }

    fn fresh(&mut self, ty: Type) -> Value {
        self.kernel.types.push(ty);
        Value(self.kernel.types.len() as u32 - 1)
    }

    fn push(&mut self, statement: Statement) {
        if let Some(open) = self.open.last_mut() {
            open.statements.push(statement);
        }
    }

    /// Whether an operation yields the same wherever it stands.
    fn lasts(&self, op: &Op) -> bool {
        match op {
            Op::Load(Memory::Tensor(n), _) => !self.kernel.tensors[*n].written,
            Op::Load(Memory::Local(_), _) => false,
            _ => true,
        }
    }

    /// The value of an operation.
    pub fn op(&mut self, ty: Type, op: Op) -> Value {
        let lasts = self.lasts(&op);
        let key = (op, ty);
        if lasts && let Some(value) = self.open.iter().rev().find_map(|open| open.done.get(&key)) {
            return *value;
        }
        let value = self.fresh(ty);
        self.push(Statement::Let(value, key.0.clone()));
        if lasts && let Some(open) = self.open.last_mut() {
            open.done.insert(key, value);
        }
        value
    }

    /// An integer for offsets and counters.
    pub fn int(&mut self, value: i64) -> Value {
        self.op(Type::OFFSET, Op::Int(value))
    }

    /// A function of two values, of the type of the first.
    pub fn binary(&mut self, f: Binary, a: Value, b: Value) -> Value {
        let ty = self.ty(a);
        let ty =
            if matches!(f, Binary::Eq | Binary::Lt | Binary::Le) { Type { number: Number::Bool, ..ty } } else { ty };
        self.op(ty, Op::Binary(f, a, b))
    }

    /// `a + by`, for offsets.
    pub fn offset(&mut self, a: Value, by: i64) -> Value {
        if by == 0 {
            return a;
        }
        let by = self.int(by);
        self.binary(Binary::Add, a, by)
    }

    /// `a * by`, for offsets.
    pub fn scaled(&mut self, a: Value, by: i64) -> Value {
        if by == 1 {
            return a;
        }
        let by = self.int(by);
        self.binary(Binary::Mul, a, by)
    }

    /// A value goes to memory.
    pub fn store(&mut self, memory: Memory, at: Value, value: Value) {
        self.push(Statement::Store { memory, at, value });
    }

    fn close(&mut self) -> Vec<Statement> {
        self.open.pop().map(|open| open.statements).unwrap_or_default()
    }

    /// Begins a loop, whose body is filled until [`Self::end_loop`]; gives the counter and the values carried.
    pub fn begin_loop(&mut self, carried: &[Value]) -> (Value, Vec<Value>) {
        self.open.push(Open::default());
        let counter = self.fresh(Type::OFFSET);
        let inside = carried.iter().map(|c| self.fresh(self.kernel.ty(*c))).collect();
        (counter, inside)
    }

    /// Ends the body of a loop, which hands `next` on; gives the counter and what was carried, afterwards.
    pub fn end_loop(
        &mut self,
        (counter, inside): (Value, &[Value]),
        (from, to, step): (Value, Value, i64),
        start: &[Value],
        next: &[Value],
    ) -> (Value, Vec<Value>) {
        let body = self.close();
        let after = self.fresh(Type::OFFSET);
        let mut carried = vec![];
        for ((start, inside), next) in start.iter().zip(inside).zip(next) {
            let after = self.fresh(self.kernel.ty(*start));
            carried.push(Carried { start: *start, inside: *inside, next: *next, after });
        }
        let ends = carried.iter().map(|c| c.after).collect();
        self.push(Statement::Loop(Loop { counter, from, to, step, carried, body, after }));
        (after, ends)
    }

    /// Begins a branch, filled until [`Self::end_branch`].
    pub fn begin_branch(&mut self) {
        self.open.push(Open::default());
    }

    /// Ends a branch, which yields values.
    pub fn end_branch(&mut self, results: Vec<Value>) -> Branch {
        Branch { statements: self.close(), results }
    }

    /// One of two branches, by a condition; what it yields.
    pub fn choose(&mut self, condition: Value, then: Branch, otherwise: Branch) -> Vec<Value> {
        let pairs = then.results.iter().zip(&otherwise.results);
        let results: Vec<Chosen> =
            pairs.map(|(a, b)| Chosen { then: *a, otherwise: *b, after: self.fresh(self.kernel.ty(*a)) }).collect();
        let values = results.iter().map(|r| r.after).collect();
        let (then, otherwise) = (then.statements, otherwise.statements);
        self.push(Statement::If(If { condition, then, otherwise, results }));
        values
    }
}

/// A finished branch.
#[derive(Default)]
pub struct Branch {
    statements: Vec<Statement>,
    results: Vec<Value>,
}
