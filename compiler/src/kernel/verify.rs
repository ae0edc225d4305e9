//! What must hold of a kernel:
//!
//! * every value is assigned once, before it is used, in the same block or one around it;
//! * operands have the types that the operation takes, and it yields the type of its value;
//! * lanes are a power of two, and none of several lanes is an offset;
//! * a load is of memory that exists, and a store of memory that the kernel says it writes;
//! * a loop goes forward, and what it carries has one type from run to run.

use super::{If, Kernel, Loop, Memory, Number, Op, Statement, Type, Value};
use crate::scalar::Binary;

/// Checks all of it.
///
/// # Errors
/// A sentence about the first thing that does not hold.
pub fn verify(kernel: &Kernel) -> Result<(), String> {
    let mut checker = Checker { kernel, known: vec![false; kernel.types.len()], here: vec![] };
    for ty in &kernel.types {
        if !ty.lanes.is_power_of_two() {
            return Err(format!("{ty:?} has lanes that no vector has"));
        }
    }
    checker.block(&kernel.body)
}

struct Checker<'a> {
    kernel: &'a Kernel,
    known: Vec<bool>,
    /// Values of the blocks around, in the order they came.
    here: Vec<Value>,
}

impl Checker<'_> {
    fn block(&mut self, statements: &[Statement]) -> Result<(), String> {
        for statement in statements {
            match statement {
                Statement::Let(value, op) => {
                    self.op(*value, op)?;
                    self.assign(*value)?;
                }
                Statement::Store { memory, at, value } => self.store(*memory, *at, *value)?,
                Statement::Loop(each) => self.each(each)?,
                Statement::If(choice) => self.choice(choice)?,
            }
        }
        Ok(())
    }

    /// A block of its own, whose values end with it unless they are `yielded`.
    fn inner(&mut self, statements: &[Statement], yielded: &[Value]) -> Result<(), String> {
        let before = self.here.len();
        self.block(statements)?;
        yielded.iter().try_for_each(|v| self.ty(*v).map(|_| ()))?;
        self.leave(before);
        Ok(())
    }

    fn leave(&mut self, before: usize) {
        for value in self.here.split_off(before) {
            self.known[value.0 as usize] = false;
        }
    }

    fn assign(&mut self, value: Value) -> Result<(), String> {
        let known = self.known.get_mut(value.0 as usize).ok_or_else(|| format!("%{} has no type", value.0))?;
        if std::mem::replace(known, true) {
            return Err(format!("%{} is assigned twice", value.0));
        }
        self.here.push(value);
        Ok(())
    }

    fn ty(&self, value: Value) -> Result<Type, String> {
        match self.known.get(value.0 as usize) {
            Some(true) => Ok(self.kernel.ty(value)),
            _ => Err(format!("%{} is used where it is not known", value.0)),
        }
    }

    fn expect(&self, value: Value, wanted: Type) -> Result<(), String> {
        let found = self.ty(value)?;
        if found == wanted { Ok(()) } else { Err(format!("%{} is {found:?}, not {wanted:?}", value.0)) }
    }

    fn element(&self, memory: Memory) -> Result<Number, String> {
        let exists = match memory {
            Memory::Tensor(n) => n < self.kernel.tensors.len(),
            Memory::Local(n) => n < self.kernel.locals.len(),
        };
        if exists { Ok(self.kernel.element(memory)) } else { Err(format!("there is no {memory:?}")) }
    }

    fn store(&self, memory: Memory, at: Value, value: Value) -> Result<(), String> {
        self.expect(at, Type::OFFSET)?;
        let (element, ty) = (self.element(memory)?, self.ty(value)?);
        if let Memory::Tensor(n) = memory
            && !self.kernel.tensors[n].written
        {
            return Err(format!("t{n} is stored to, but not said to be written"));
        }
        if holds(element, ty.number) { Ok(()) } else { Err(format!("%{} does not go into {element:?}", value.0)) }
    }

    fn each(&mut self, each: &Loop) -> Result<(), String> {
        if each.step < 1 {
            return Err(format!("a loop steps by {}", each.step));
        }
        [each.from, each.to].into_iter().try_for_each(|v| self.expect(v, Type::OFFSET))?;
        let before = self.here.len();
        self.assign(each.counter)?;
        for carried in &each.carried {
            self.expect(carried.start, self.kernel.ty(carried.inside))?;
            self.assign(carried.inside)?;
        }
        let nexts: Vec<Value> = each.carried.iter().map(|c| c.next).collect();
        self.inner(&each.body, &nexts)?;
        self.leave(before);
        for carried in &each.carried {
            let ty = self.kernel.ty(carried.inside);
            if self.kernel.ty(carried.next) != ty || self.kernel.ty(carried.after) != ty {
                return Err(format!("%{} changes its type from run to run", carried.inside.0));
            }
            self.assign(carried.after)?;
        }
        self.assign(each.after)
    }

    fn choice(&mut self, choice: &If) -> Result<(), String> {
        self.expect(choice.condition, Type::one(Number::Bool))?;
        let (then, otherwise): (Vec<Value>, Vec<Value>) = choice.results.iter().map(|r| (r.then, r.otherwise)).unzip();
        self.inner(&choice.then, &then)?;
        self.inner(&choice.otherwise, &otherwise)?;
        for r in &choice.results {
            let ty = self.kernel.ty(r.after);
            if self.kernel.ty(r.then) != ty || self.kernel.ty(r.otherwise) != ty {
                return Err(format!("%{} is of two types", r.after.0));
            }
            self.assign(r.after)?;
        }
        Ok(())
    }

    fn op(&self, value: Value, op: &Op) -> Result<(), String> {
        let ty = *self.kernel.types.get(value.0 as usize).ok_or_else(|| format!("%{} has no type", value.0))?;
        let right = match op {
            Op::Float(_) => ty.number.is_float(),
            Op::Int(_) => ty.number.is_int(),
            Op::Bool(_) => ty.number == Number::Bool,
            Op::Word(n) => ty == Type::OFFSET && *n < self.kernel.words,
            Op::Begin | Op::End => ty == Type::OFFSET,
            Op::Steps(_) => ty.number.is_int() && ty.lanes > 1,
            Op::Splat(a) => self.ty(*a)? == Type::one(ty.number) && ty.lanes > 1,
            Op::Extract(a, lane) => {
                let from = self.ty(*a)?;
                ty == Type::one(from.number) && *lane < from.lanes
            }
            Op::Pack(all) => {
                all.iter().try_for_each(|a| self.expect(*a, Type::one(ty.number)))?;
                all.len() == ty.lanes && ty.lanes > 1
            }
            Op::Resize(a) => {
                let from = self.ty(*a)?;
                from.number.is_int() && ty.number.is_int() && from.lanes == ty.lanes
            }
            Op::Within(a, _) => self.ty(*a)? == Type::OFFSET && ty == Type::one(Number::Bool),
            Op::Unary(f, a) => {
                let from = self.ty(*a)?;
                let to = f.result(from.number.kind());
                let same = f.facts().gives.is_some() || from.number == ty.number;
                f.facts().takes.admits(from.number.kind()) && to == ty.number.kind() && same && from.lanes == ty.lanes
            }
            Op::Binary(f, a, b) => {
                let (a, b) = (self.ty(*a)?, self.ty(*b)?);
                a == b && binary(*f, a, ty)
            }
            Op::Select(c, a, b) => {
                let condition = self.ty(*c)?;
                let lanes = condition.lanes == 1 || condition.lanes == ty.lanes;
                condition.number == Number::Bool && lanes && self.ty(*a)? == ty && self.ty(*b)? == ty
            }
            Op::Load(memory, at) => {
                self.expect(*at, Type::OFFSET)?;
                holds(self.element(*memory)?, ty.number)
            }
            Op::Fold(f, a) => {
                let from = self.ty(*a)?;
                ty == Type::one(from.number) && binary(*f, ty, ty)
            }
        };
        if right { Ok(()) } else { Err(format!("%{} of {ty:?} cannot be {op:?}", value.0)) }
    }
}

/// Whether memory of an element holds numbers of a kind.
fn holds(element: Number, number: Number) -> bool {
    match element {
        Number::I32 => !number.is_float(),
        float => number == float,
    }
}

/// Whether a function takes two values of one type to another.
fn binary(f: Binary, from: Type, to: Type) -> bool {
    let gives = match f.facts().gives {
        Some(kind) => to.number.kind() == kind && to.lanes == from.lanes,
        None => to == from,
    };
    // Divisions of whole numbers are for positions alone.
    let divides = matches!(f, Binary::FloorDiv | Binary::Mod);
    f.facts().takes.admits(from.number.kind()) && gives && (!divides || from == Type::OFFSET)
}
