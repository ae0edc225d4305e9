//! Random well-formed programs, for the tests of every stage: they cover every form of the IR.
//! The same seed gives the same program. Values stay of moderate size and mostly away from singular
//! points, so that numbers can be compared. Definitions are made here, what they say in `expression`.

mod expression;

use crate::ir::interpret::Values;
use crate::ir::recurrence::arrange;
use crate::ir::{Combine, Def, Draw, Item, Module, Node, Role, Scatter, TensorId};
use crate::scalar::{Binary, Kind};
use nnc_core::random::Distribution;

/// A program whose one output is a scalar objective, and what its tensors are filled with.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program.
    pub module: Module,
    /// Contents of the inputs.
    pub inputs: Values,
    /// Contents of the drawn tensors.
    pub draws: Values,
    /// The Float inputs, to differentiate by.
    pub wrt: Vec<TensorId>,
}

impl Program {
    /// The scalar that the program computes.
    #[must_use]
    pub fn objective(&self) -> Option<TensorId> {
        self.module.outputs.first().map(|(_, t)| *t)
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Debug)]
pub struct Prng(pub u64);

impl Prng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `0..n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    /// Uniform in [-1, 1).
    pub fn signed_unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> Option<T> {
        (!items.is_empty()).then(|| items[self.below(items.len())])
    }
}

/// The program of a seed.
#[must_use]
pub fn program(seed: u64) -> Program {
    let mut g = Generator {
        rng: Prng(seed.wrapping_mul(0x2545_f491_4f6c_dd1d)),
        module: Module::default(),
        floats: vec![],
        classes: vec![],
        domain: vec![],
        carried: vec![],
        turn: 0,
    };
    let (inputs, draws, wrt) = g.sources();
    for number in 0..3 + g.rng.below(4) {
        g.definition(number);
    }
    g.objective();
    arrange(&mut g.module);
    Program { module: g.module, inputs, draws, wrt }
}

struct Generator {
    rng: Prng,
    module: Module,
    /// Float tensors that may be read.
    floats: Vec<TensorId>,
    /// Int tensors with the number that their elements stay below.
    classes: Vec<(TensorId, usize)>,
    /// Of the definition being made.
    domain: Vec<usize>,
    /// Members of the recurrence being made that may be read at its turn, each with its turn axis.
    carried: Vec<(TensorId, usize)>,
    /// The variable that is the turn there.
    turn: usize,
}

impl Generator {
    fn extent(&mut self) -> usize {
        1 + self.rng.below(3) + self.rng.below(2)
    }

    fn shape(&mut self, rank: usize) -> Vec<usize> {
        (0..rank).map(|_| self.extent()).collect()
    }

    /// Inputs, persistent tensors and draws, with their contents.
    fn sources(&mut self) -> (Values, Values, Vec<TensorId>) {
        let (mut inputs, mut draws) = (Values::new(), Values::new());
        for rank in [0, 1, 2, 3] {
            let shape = self.shape(rank);
            let role = if rank == 1 { Role::Persistent } else { Role::Input };
            let id = self.module.tensor(&format!("x{rank}"), shape, Kind::Float, role, None);
            inputs.insert(id, self.contents(id));
            self.floats.push(id);
        }
        let wrt = self.floats.clone();
        let bound = self.extent();
        let shape = self.shape(1);
        let label = self.module.tensor("label", shape, Kind::Int, Role::Input, None);
        let classes = (0..self.module.t(label).len()).map(|_| self.rng.below(bound) as f64).collect();
        inputs.insert(label, classes);
        self.classes.push((label, bound));
        for distribution in [Distribution::Uniform, Distribution::Normal] {
            let shape = self.shape(2);
            let target = self.module.tensor("noise", shape, Kind::Float, Role::Temporary, None);
            let draw = Draw { target, site: target.0, distribution, per_sample: self.rng.one_in(2) };
            self.module.items.push(Item::Draw(draw));
            draws.insert(target, self.contents(target));
            self.floats.push(target);
        }
        (inputs, draws, wrt)
    }

    fn contents(&mut self, id: TensorId) -> Vec<f64> {
        (0..self.module.t(id).len()).map(|_| 1.5 * self.rng.signed_unit()).collect()
    }

    fn definition(&mut self, number: usize) {
        let name = format!("t{number}");
        let (kept, reduced) = (self.rng.below(3), 1 + self.rng.below(2));
        match self.rng.below(11) {
            0 | 1 => self.project(&name, kept, 0, Combine::Set),
            2 => self.project(&name, kept, reduced, Combine::Sum),
            3 => self.project(&name, kept, reduced, Combine::Prod),
            4 => self.project(&name, kept, reduced, Combine::Max),
            5 => self.project(&name, kept, reduced, Combine::Min),
            6 => self.project(&name, kept, reduced, Combine::Argmax),
            7 | 8 => self.scatter(&name),
            _ => self.recurrence(&name),
        }
    }

    fn project(&mut self, name: &str, kept: usize, reduced: usize, combine: Combine) {
        let (shape, reduced) = (self.shape(kept), self.shape(reduced));
        self.domain = shape.iter().chain(&reduced).copied().collect();
        let value = self.settled();
        let target = self.module.define(name, shape, &reduced, combine, value, None);
        match combine {
            Combine::Argmax => self.classes.push((target, reduced.iter().product())),
            _ => self.floats.push(target),
        }
    }

    fn scatter(&mut self, name: &str) {
        let rank = 1 + self.rng.below(2);
        self.domain = self.shape(rank + 1);
        let axes = 1 + self.rng.below(2);
        let shape = self.shape(axes);
        let dropping = self.rng.one_in(2);
        let at = shape.iter().map(|extent| if dropping { self.loose() } else { self.position(*extent) }).collect();
        let value = self.settled();
        let target = self.module.tensor(name, shape, Kind::Float, Role::Temporary, None);
        let scatter = Some(Scatter { at, dropping });
        let (domain, combine) = (self.domain.clone(), Combine::Sum);
        self.module.items.push(Item::Def(Def { target, domain, combine, value, scatter }));
        self.floats.push(target);
    }

    /// `before` is `name` some turns earlier (later), `inner` is made from it, and `name` from both. That they
    /// depend on each other is likely, not certain.
    fn recurrence(&mut self, name: &str) {
        let (shape, axis) = (self.shape(2), self.rng.below(2));
        let whole = self.module.tensor(name, shape.clone(), Kind::Float, Role::Temporary, None);
        let steps = (1 + self.rng.below(2) as i64) * if self.rng.one_in(2) { 1 } else { -1 };
        self.domain = shape.clone();
        let (steps, turn) = (self.module.int(steps), self.module.var(axis as u32));
        let mut at = vec![self.position(shape[0]), self.position(shape[1])];
        at[axis] = self.module.binary(Binary::Add, turn, steps);
        let otherwise = Some(self.settled());
        let value = self.module.intern(Node::Read { tensor: whole, at: at.into(), otherwise });
        let before = self.module.define(&format!("{name}.before"), shape.clone(), &[], Combine::Set, value, None);
        self.carried = vec![(before, axis)];
        let inner = self.inner(&format!("{name}.inner"), shape[axis]);
        self.carried.push(inner);
        (self.domain, self.turn) = (shape, axis);
        let value = self.settled();
        let (target, domain, combine) = (whole, self.domain.clone(), Combine::Set);
        self.module.items.push(Item::Def(Def { target, domain, combine, value, scatter: None }));
        self.carried.clear();
        self.floats.extend([whole, inner.0]);
    }

    /// A member with its turns along the last kept axis: a projection of any kind, or a scatter.
    fn inner(&mut self, name: &str, turns: usize) -> (TensorId, usize) {
        let combine = self.rng.pick(&[Combine::Set, Combine::Sum, Combine::Prod, Combine::Max, Combine::Min]);
        let reduced = if combine == Some(Combine::Set) { vec![] } else { self.shape(1) };
        let shape = vec![self.extent(), turns];
        (self.domain, self.turn) = ([shape.clone(), reduced.clone()].concat(), 1);
        if self.rng.one_in(3) {
            let at = vec![self.loose(), self.module.var(1)];
            let value = self.settled();
            let target = self.module.tensor(name, shape, Kind::Float, Role::Temporary, None);
            let (domain, scatter) = (self.domain.clone(), Some(Scatter { at, dropping: true }));
            self.module.items.push(Item::Def(Def { target, domain, combine: Combine::Sum, value, scatter }));
            return (target, 1);
        }
        let value = self.settled();
        (self.module.define(name, shape, &reduced, combine.unwrap_or(Combine::Set), value, None), 1)
    }

    /// The sum over all elements of the last tensors.
    fn objective(&mut self) {
        let last: Vec<TensorId> = self.floats.iter().rev().take(3).copied().collect();
        let mut total = self.module.float(0.0);
        for (k, id) in last.into_iter().enumerate() {
            let value = self.module.read_here(id);
            let shape = self.module.t(id).shape.clone();
            let sum = self.module.define(&format!("sum{k}"), vec![], &shape, Combine::Sum, value, None);
            let sum = self.module.read(sum, vec![]);
            total = self.module.binary(Binary::Add, total, sum);
        }
        let objective = self.module.define("objective", vec![], &[], Combine::Set, total, None);
        self.module.outputs.push(("objective".into(), objective));
    }
}
