//! Runs a kernel slowly, in its own precision: each operation on each lane as its definition says. Machine code must
//! give the same bits.

use super::{If, Kernel, Loop, Memory, Number, Op, Statement, Type, Value};
use crate::scalar::{Binary, Unary};
use nnc_core::numeric;

/// What a lane holds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cell {
    F32(f32),
    F64(f64),
    Int(i64),
    Bool(bool),
}

/// What a task of a launch is told.
#[derive(Clone, Copy, Debug)]
pub struct Share<'a> {
    /// Its first iteration of the outermost loop.
    pub begin: u64,
    /// Past its last.
    pub end: u64,
    /// The run-time words.
    pub words: &'a [u64],
}

/// Runs one task on an arena.
///
/// # Panics
/// When the kernel reaches outside of the arena or its own memory, or does not verify: faults of ours.
pub fn interpret(kernel: &Kernel, arena: &mut [u8], share: Share) {
    let own = kernel.locals.iter().map(|ty| vec![zero(ty.number); ty.lanes]).collect();
    let mut machine = Machine { kernel, arena, share, own, values: vec![vec![]; kernel.types.len()] };
    machine.block(&kernel.body);
}

fn zero(number: Number) -> Cell {
    match number {
        Number::F32 => Cell::F32(0.0),
        Number::F64 => Cell::F64(0.0),
        Number::I32 | Number::I64 => Cell::Int(0),
        Number::Bool => Cell::Bool(false),
    }
}

struct Machine<'a> {
    kernel: &'a Kernel,
    arena: &'a mut [u8],
    share: Share<'a>,
    own: Vec<Vec<Cell>>,
    values: Vec<Vec<Cell>>,
}

impl Machine<'_> {
    fn block(&mut self, statements: &[Statement]) {
        for statement in statements {
            match statement {
                Statement::Let(value, op) => {
                    let lanes = self.op(self.kernel.ty(*value), op);
                    self.set(*value, lanes);
                }
                Statement::Store { memory, at, value } => self.store(*memory, *at, *value),
                Statement::Loop(each) => self.each(each),
                Statement::If(choice) => self.choice(choice),
            }
        }
    }

    fn set(&mut self, value: Value, lanes: Vec<Cell>) {
        self.values[value.0 as usize] = lanes;
    }

    fn get(&self, value: Value) -> &[Cell] {
        &self.values[value.0 as usize]
    }

    fn int(&self, value: Value) -> i64 {
        int(self.get(value)[0])
    }

    fn truth(&self, value: Value) -> bool {
        self.get(value)[0] == Cell::Bool(true)
    }

    fn each(&mut self, each: &Loop) {
        let to = self.int(each.to);
        let mut counter = self.int(each.from);
        let mut carried: Vec<Vec<Cell>> = each.carried.iter().map(|c| self.get(c.start).to_vec()).collect();
        while counter < to {
            self.set(each.counter, vec![Cell::Int(counter)]);
            each.carried.iter().zip(carried).for_each(|(c, lanes)| self.set(c.inside, lanes));
            self.block(&each.body);
            carried = each.carried.iter().map(|c| self.get(c.next).to_vec()).collect();
            counter += each.step;
        }
        self.set(each.after, vec![Cell::Int(counter)]);
        each.carried.iter().zip(carried).for_each(|(c, lanes)| self.set(c.after, lanes));
    }

    fn choice(&mut self, choice: &If) {
        let holds = self.truth(choice.condition);
        self.block(if holds { &choice.then } else { &choice.otherwise });
        for r in &choice.results {
            let lanes = self.get(if holds { r.then } else { r.otherwise }).to_vec();
            self.set(r.after, lanes);
        }
    }

    fn op(&self, ty: Type, op: &Op) -> Vec<Cell> {
        let all = |cell: Cell| vec![cell; ty.lanes];
        match op {
            Op::Float(bits) if ty.number == Number::F32 => all(Cell::F32(f64::from_bits(*bits) as f32)),
            Op::Float(bits) => all(Cell::F64(f64::from_bits(*bits))),
            Op::Int(i) => all(Cell::Int(cut(ty.number, *i))),
            Op::Bool(b) => all(Cell::Bool(*b)),
            Op::Word(n) => all(Cell::Int(self.share.words[*n] as i64)),
            Op::Begin => all(Cell::Int(self.share.begin as i64)),
            Op::End => all(Cell::Int(self.share.end as i64)),
            Op::Steps(s) => (0..ty.lanes as i64).map(|l| Cell::Int(cut(ty.number, l * s))).collect(),
            Op::Splat(a) => all(self.get(*a)[0]),
            Op::Extract(a, lane) => vec![self.get(*a)[*lane]],
            Op::Pack(each) => each.iter().map(|a| self.get(*a)[0]).collect(),
            Op::Resize(a) => self.get(*a).iter().map(|c| Cell::Int(cut(ty.number, int(*c)))).collect(),
            Op::Within(a, extent) => all(Cell::Bool((0..*extent).contains(&self.int(*a)))),
            Op::Unary(f, a) => self.get(*a).iter().map(|c| unary(ty.number, *f, *c)).collect(),
            Op::Binary(f, a, b) => {
                self.get(*a).iter().zip(self.get(*b)).map(|(a, b)| binary(self.number(*f, ty), *f, *a, *b)).collect()
            }
            Op::Select(c, a, b) => {
                let condition = self.get(*c);
                let holds = |l: usize| condition[l % condition.len()] == Cell::Bool(true);
                (0..ty.lanes).map(|l| self.get(if holds(l) { *a } else { *b })[l]).collect()
            }
            Op::Load(memory, at) => self.load(ty, *memory, self.int(*at)),
            Op::Fold(f, a) => {
                let mut lanes = self.get(*a).to_vec();
                while lanes.len() > 1 {
                    let high = lanes.split_off(lanes.len() / 2);
                    lanes = lanes.iter().zip(high).map(|(a, b)| binary(ty.number, *f, *a, b)).collect();
                }
                lanes
            }
        }
    }

    /// What integers a function works on: comparisons yield none.
    fn number(&self, f: Binary, ty: Type) -> Number {
        if matches!(f, Binary::Eq | Binary::Lt | Binary::Le) { Number::I64 } else { ty.number }
    }

    /// Where an element lies in the arena.
    fn byte(&self, tensor: usize, element: i64) -> usize {
        let size = bytes(self.kernel.tensors[tensor].element) as i64;
        (self.share.words[tensor] as i64 + element * size) as usize
    }

    fn load(&self, ty: Type, memory: Memory, at: i64) -> Vec<Cell> {
        let lanes = at..at + ty.lanes as i64;
        match memory {
            Memory::Local(n) => lanes.map(|i| self.own[n][i as usize]).collect(),
            Memory::Tensor(n) => lanes
                .map(|i| {
                    let byte = self.byte(n, i);
                    let word = |from: usize| -> [u8; 4] { std::array::from_fn(|k| self.arena[from + k]) };
                    match (self.kernel.tensors[n].element, ty.number) {
                        (Number::F32, _) => Cell::F32(f32::from_le_bytes(word(byte))),
                        (Number::F64, _) => {
                            Cell::F64(f64::from_le_bytes(std::array::from_fn(|k| self.arena[byte + k])))
                        }
                        (_, Number::Bool) => Cell::Bool(i32::from_le_bytes(word(byte)) != 0),
                        _ => Cell::Int(i32::from_le_bytes(word(byte)).into()),
                    }
                })
                .collect(),
        }
    }

    fn store(&mut self, memory: Memory, at: Value, value: Value) {
        let (at, lanes) = (self.int(at), self.get(value).to_vec());
        for (i, cell) in (at..).zip(lanes) {
            match memory {
                Memory::Local(n) => self.own[n][i as usize] = cell,
                Memory::Tensor(n) => {
                    let byte = self.byte(n, i);
                    match cell {
                        Cell::F32(x) => self.arena[byte..byte + 4].copy_from_slice(&x.to_le_bytes()),
                        Cell::F64(x) => self.arena[byte..byte + 8].copy_from_slice(&x.to_le_bytes()),
                        Cell::Int(x) => self.arena[byte..byte + 4].copy_from_slice(&(x as i32).to_le_bytes()),
                        Cell::Bool(x) => self.arena[byte..byte + 4].copy_from_slice(&i32::from(x).to_le_bytes()),
                    }
                }
            }
        }
    }
}

/// Bytes of an element in memory.
fn bytes(element: Number) -> usize {
    if element == Number::F64 { 8 } else { 4 }
}

/// An integer as wide as its kind.
fn cut(number: Number, value: i64) -> i64 {
    if number == Number::I32 { i64::from(value as i32) } else { value }
}

fn int(cell: Cell) -> i64 {
    match cell {
        Cell::Int(i) => i,
        other => panic!("{other:?} is no integer"),
    }
}

fn unary(to: Number, f: Unary, cell: Cell) -> Cell {
    match (f, cell) {
        (Unary::ToFloat, Cell::Int(i)) if to == Number::F32 => Cell::F32(i as f32),
        (Unary::ToFloat, Cell::Int(i)) => Cell::F64(i as f64),
        (Unary::ToFloat, Cell::Bool(b)) if to == Number::F32 => Cell::F32(f32::from(u8::from(b))),
        (Unary::ToFloat, Cell::Bool(b)) => Cell::F64(f64::from(u8::from(b))),
        (_, Cell::F32(x)) => Cell::F32(numeric::eval_unary_f32(f, x)),
        (_, Cell::F64(x)) => Cell::F64(numeric::eval_unary_f64(f, x)),
        (Unary::Neg, Cell::Int(i)) => Cell::Int(cut(to, i.wrapping_neg())),
        (Unary::Abs, Cell::Int(i)) => Cell::Int(cut(to, i.wrapping_abs())),
        (Unary::Not, Cell::Bool(b)) => Cell::Bool(!b),
        (f, cell) => panic!("{f:?} of {cell:?}"),
    }
}

fn binary(to: Number, f: Binary, a: Cell, b: Cell) -> Cell {
    match (a, b) {
        (Cell::F32(a), Cell::F32(b)) => match f {
            Binary::Eq => Cell::Bool(a == b),
            Binary::Lt => Cell::Bool(a < b),
            Binary::Le => Cell::Bool(a <= b),
            _ => Cell::F32(numeric::eval_binary_f32(f, a, b)),
        },
        (Cell::F64(a), Cell::F64(b)) => match f {
            Binary::Eq => Cell::Bool(a == b),
            Binary::Lt => Cell::Bool(a < b),
            Binary::Le => Cell::Bool(a <= b),
            _ => Cell::F64(numeric::eval_binary_f64(f, a, b)),
        },
        (Cell::Int(a), Cell::Int(b)) => match f {
            Binary::Eq => Cell::Bool(a == b),
            Binary::Lt => Cell::Bool(a < b),
            Binary::Le => Cell::Bool(a <= b),
            Binary::Add => Cell::Int(cut(to, a.wrapping_add(b))),
            Binary::Sub => Cell::Int(cut(to, a.wrapping_sub(b))),
            Binary::Mul => Cell::Int(cut(to, a.wrapping_mul(b))),
            Binary::Max => Cell::Int(a.max(b)),
            Binary::Min => Cell::Int(a.min(b)),
            Binary::FloorDiv => Cell::Int(a.div_euclid(b)),
            Binary::Mod => Cell::Int(a.rem_euclid(b)),
            other => panic!("{other:?} of integers"),
        },
        (Cell::Bool(a), Cell::Bool(b)) => match f {
            Binary::Eq => Cell::Bool(a == b),
            Binary::And => Cell::Bool(a && b),
            Binary::Or => Cell::Bool(a || b),
            other => panic!("{other:?} of truth values"),
        },
        (a, b) => panic!("{f:?} of {a:?} and {b:?}"),
    }
}
