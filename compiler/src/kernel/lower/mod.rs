//! From a loop nest to a kernel: the loops around its operations, and which of them run in vectors.
//!
//! A kernel's share `begin..end` cuts the outermost loop, and the run-time words say where its tensors lie and how far
//! its loops go (see [`Template`]). In a recurrence the time step is not walked: `begin..end` cuts the loop after it, and
//! counts on from step to step.

mod access;
mod point;
mod reduce;
mod store;

use super::build::Builder;
use super::template::Template;
use super::verify::verify;
use super::{Kernel, Memory, Number, Op, Tensor, Type, Value};
use crate::ir::TensorId;
use crate::scalar::{Binary, Kind};
use crate::schedule::nest::{Form, Lanes, Nest};
use crate::schedule::order;
use crate::target::Target;
use nnc_core::number::Precision;
use reduce::Reduction;

/// Makes the kernel of a template.
///
/// # Panics
/// In debug builds, when the kernel does not verify: a fault of the compiler.
#[must_use]
pub fn lower(template: &Template, target: &Target) -> Kernel {
    let precision = target.precision;
    let element = |kind: Kind| if kind == Kind::Float { Number::float(precision) } else { Number::I32 };
    let tensors: Vec<Tensor> =
        template.tensors.iter().map(|t| Tensor { element: element(t.kind), written: t.written }).collect();
    let nest = &template.nest;
    let first_extent = tensors.len();
    let after_extents = first_extent + nest.extents.len();
    let cleared = match (nest.form, nest.turn) {
        (Form::Accumulate, None) => 1,
        (Form::Accumulate, Some(_)) => 2,
        _ => 0,
    };
    let mut b = Builder::new(precision, tensors, after_extents + cleared);
    let extents = (0..nest.extents.len()).map(|v| b.op(Type::OFFSET, Op::Word(first_extent + v))).collect();
    let cleared: Vec<Value> = (0..cleared).map(|n| b.op(Type::OFFSET, Op::Word(after_extents + n))).collect();
    let mut lowering =
        Lowering { b, nest, template, extents, precision, width: target.lanes(), together: template.together };
    lowering.task(&cleared);
    let kernel = lowering.b.finish();
    if cfg!(debug_assertions)
        && let Err(wrong) = verify(&kernel)
    {
        panic!("a kernel does not verify: {wrong}\n{}", kernel.text());
    }
    kernel
}

/// A nest while it becomes a kernel.
struct Lowering<'a> {
    /// Where statements go.
    b: Builder,
    nest: &'a Nest,
    template: &'a Template,
    /// How far its loops go, outermost first.
    extents: Vec<Value>,
    precision: Precision,
    /// Lanes of a vector.
    width: usize,
    /// Whether several vectors of results are reduced at once.
    together: bool,
}

/// Where the loops stand.
#[derive(Clone, Debug)]
struct Position {
    /// The counter of every loop entered so far.
    counters: Vec<Value>,
    /// How many points of the lane loop are done at once, from its counter on.
    lanes: usize,
}

/// What a loop does each time, given its counter and the values carried: those it hands on.
type Body<'f, 'a> = &'f mut dyn FnMut(&mut Lowering<'a>, Value, &[Value]) -> Vec<Value>;

impl<'a> Lowering<'a> {
    /// The memory of a tensor of the nest.
    fn memory(&self, tensor: TensorId) -> Memory {
        Memory::Tensor(tensor.0 as usize)
    }

    /// The kind of a tensor's elements.
    fn kind(&self, tensor: TensorId) -> Kind {
        self.template.tensors[tensor.0 as usize].kind
    }

    /// The type of values of a kind. Integers are 64 bits wide, except in vectors, where they are as wide as floats.
    fn ty(&self, kind: Kind, lanes: usize) -> Type {
        let number = match kind {
            Kind::Float => Number::float(self.precision),
            Kind::Bool => Number::Bool,
            Kind::Int if lanes == 1 => Number::I64,
            Kind::Int => Number::lane_int(self.precision),
        };
        Type { number, lanes }
    }

    /// Lanes of a value.
    fn lanes(&self, value: Value) -> usize {
        self.b.ty(value).lanes
    }

    /// `for i in from..` while a whole step fits before `to`; yields the counter and what is carried, afterwards.
    fn count_up(
        &mut self,
        from: Value,
        to: Value,
        step: usize,
        carried: &[Value],
        body: Body<'_, 'a>,
    ) -> (Value, Vec<Value>) {
        let to = self.b.offset(to, 1 - step as i64);
        self.every(from, to, step, carried, body)
    }

    /// `for (i = from; i < to; i += step)`; yields the counter and what is carried, afterwards.
    fn every(
        &mut self,
        from: Value,
        to: Value,
        step: usize,
        carried: &[Value],
        body: Body<'_, 'a>,
    ) -> (Value, Vec<Value>) {
        let (counter, inside) = self.b.begin_loop(carried);
        let next = body(self, counter, &inside);
        self.b.end_loop((counter, &inside), (from, to, step as i64), carried, &next)
    }

    fn task(&mut self, cleared: &[Value]) {
        let (begin, end) = (self.b.op(Type::OFFSET, Op::Begin), self.b.op(Type::OFFSET, Op::End));
        let (mut counters, share) = self.time_step((begin, end));
        match *cleared {
            [len] => {
                let start = self.b.int(0);
                self.clear(start, len);
            }
            [runs, length] => self.clear_time_step(counters[0], runs, length),
            _ => {}
        }
        self.walk(&mut counters, share);
    }

    /// Takes the time step of a recurrence out of a share: the loops entered so far, and what is left.
    fn time_step(&mut self, (begin, end): (Value, Value)) -> (Vec<Value>, (Value, Value)) {
        if self.nest.turn.is_none() {
            return (vec![], (begin, end));
        }
        if self.nest.outer == 1 || self.nest.form == Form::Accumulate {
            return (vec![begin], (begin, end));
        }
        let step = self.b.binary(Binary::FloorDiv, begin, self.extents[1]);
        let before = self.b.binary(Binary::Mul, step, self.extents[1]);
        let [begin, end] = [begin, end].map(|at| self.b.binary(Binary::Sub, at, before));
        (vec![step], (begin, end))
    }

    /// The loops that walk stored elements, from the outermost not yet entered.
    fn walk(&mut self, counters: &mut Vec<Value>, share: (Value, Value)) {
        let level = counters.len();
        if level == self.nest.outer {
            return self.leaf(&Position { counters: counters.clone(), lanes: 1 });
        }
        let shared = level == self.nest.first() && self.nest.form != Form::Accumulate;
        let (from, to) = if shared { share } else { (self.b.int(0), self.extents[level]) };
        if self.nest.lanes == Lanes::Outer && level + 1 == self.nest.outer {
            return self.strips(counters, from, to);
        }
        self.count_up(from, to, 1, &[], &mut |this, i, _| {
            counters.push(i);
            this.walk(counters, share);
            counters.pop();
            vec![]
        });
    }

    /// The lane loop over stored elements: several vectors at once, then one, then single elements.
    fn strips(&mut self, counters: &[Value], from: Value, to: Value) {
        let several = self.together.then_some(order::lanes(self.precision));
        let mut from = from;
        for lanes in several.into_iter().chain([self.width, 1]) {
            (from, _) = self.count_up(from, to, lanes, &[], &mut |this, i, _| {
                this.leaf(&Position { counters: [counters, &[i]].concat(), lanes });
                vec![]
            });
        }
    }

    /// What happens at a stored element, or a run of them.
    fn leaf(&mut self, at: &Position) {
        match self.nest.form {
            Form::Point | Form::Accumulate => self.write(at),
            Form::Reduce(combine, rank) => self.reduce(at, &Reduction { combine, rank }),
        }
    }

    fn write(&mut self, at: &Position) {
        let nest = self.nest;
        let roots = nest.stores.iter().flat_map(|s| {
            let gathers = s.address.gathers.iter().map(|(_, g)| *g);
            gathers.chain(s.guards.iter().map(|g| g.position)).chain([s.value])
        });
        let values = self.evaluate(at, &roots.collect::<Vec<_>>());
        for store in &nest.stores {
            let value = values[store.value].unwrap_or_else(|| unreachable!("stores are roots"));
            if nest.form == Form::Accumulate {
                self.accumulate(at, store, value, &values);
            } else {
                self.store(at, store, value, &values);
            }
        }
    }

    /// Sets what an accumulation's target holds at a time step to zero: that many runs of that length.
    fn clear_time_step(&mut self, step: Value, runs: Value, length: Value) {
        let from = self.b.int(0);
        self.count_up(from, runs, 1, &[], &mut |this, run, _| {
            let steps = this.b.binary(Binary::Mul, run, this.extents[0]);
            let number = this.b.binary(Binary::Add, steps, step);
            let start = this.b.binary(Binary::Mul, number, length);
            let end = this.b.binary(Binary::Add, start, length);
            this.clear(start, end);
            vec![]
        });
    }

    /// Sets elements of an accumulation's target to zero.
    fn clear(&mut self, start: Value, to: Value) {
        let tensor = self.nest.stores[0].tensor;
        let (memory, kind, mut from) = (self.memory(tensor), self.kind(tensor), start);
        for lanes in [self.width, 1] {
            (from, _) = self.count_up(from, to, lanes, &[], &mut |this, i, _| {
                let zero = this.zero(kind, lanes);
                this.b.store(memory, i, zero);
                vec![]
            });
        }
    }

    fn zero(&mut self, kind: Kind, lanes: usize) -> Value {
        let op = match kind {
            Kind::Float => Op::Float(0),
            Kind::Int => Op::Int(0),
            Kind::Bool => Op::Bool(false),
        };
        self.b.op(self.ty(kind, lanes), op)
    }
}
