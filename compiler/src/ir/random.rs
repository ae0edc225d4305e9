//! Random well-formed programs, for the tests of every stage: they cover every form of the IR.
//! The same seed gives the same program. Values stay of moderate size and mostly away from
//! singular points, so that numbers can be compared.

use super::interpret::Values;
use super::{Combine, Def, Distribution, Draw, ExprId, Item, Module, Node, Role, Scatter, TensorId};
use crate::scalar::{Binary, Kind, Unary};

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
    };
    let (inputs, draws, wrt) = g.sources();
    for number in 0..3 + g.rng.below(4) {
        g.definition(number);
    }
    g.objective();
    Program { module: g.module, inputs, draws, wrt }
}

/// Float functions that take any argument.
const TAME: [Unary; 10] = [
    Unary::Neg,
    Unary::Abs,
    Unary::Sin,
    Unary::Cos,
    Unary::Tanh,
    Unary::Erf,
    Unary::Floor,
    Unary::Ceil,
    Unary::Round,
    Unary::Detach,
];

struct Generator {
    rng: Prng,
    module: Module,
    /// Float tensors that may be read.
    floats: Vec<TensorId>,
    /// Int tensors with the number that their elements stay below.
    classes: Vec<(TensorId, usize)>,
    /// Of the definition being made.
    domain: Vec<usize>,
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
        match self.rng.below(9) {
            0 | 1 => self.project(&name, kept, 0, Combine::Set),
            2 => self.project(&name, kept, reduced, Combine::Sum),
            3 => self.project(&name, kept, reduced, Combine::Prod),
            4 => self.project(&name, kept, reduced, Combine::Max),
            5 => self.project(&name, kept, reduced, Combine::Min),
            6 => self.project(&name, kept, reduced, Combine::Argmax),
            _ => self.scatter(&name),
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

    /// A Float expression between -1 and 1.
    fn settled(&mut self) -> ExprId {
        let value = self.float(4);
        if self.rng.one_in(2) {
            return self.module.unary(Unary::Tanh, value);
        }
        let (square, one) = (self.module.binary(Binary::Mul, value, value), self.module.float(1.0));
        let above = self.module.binary(Binary::Add, one, square);
        let root = self.module.unary(Unary::Sqrt, above);
        self.module.binary(Binary::Div, value, root)
    }

    fn float(&mut self, depth: usize) -> ExprId {
        if depth == 0 {
            return self.float_leaf();
        }
        let choice = self.rng.below(12);
        if choice >= 10 {
            return self.float_leaf();
        }
        let a = self.float(depth - 1);
        match choice {
            0 | 1 => {
                let op = TAME[self.rng.below(TAME.len())];
                self.module.unary(op, a)
            }
            2 => self.guarded_function(a),
            3 => {
                let c = self.condition(depth - 1);
                let b = self.float(depth - 1);
                self.module.select(c, a, b)
            }
            4 => {
                let (a, b) = (self.positive(a), self.float(depth - 1));
                let small = self.module.unary(Unary::Tanh, b);
                self.module.binary(Binary::Pow, a, small)
            }
            5 => {
                let b = self.float(depth - 1);
                let b = self.positive(b);
                self.module.binary(Binary::Div, a, b)
            }
            // The same expression twice: sharing inside a definition.
            6 => self.module.binary(Binary::Mul, a, a),
            k => {
                let b = self.float(depth - 1);
                let op = [Binary::Add, Binary::Sub, Binary::Mul, Binary::Max, Binary::Min][(k + self.rng.below(5)) % 5];
                self.module.binary(op, a, b)
            }
        }
    }

    /// A function that is singular somewhere, mostly kept away from there.
    fn guarded_function(&mut self, a: ExprId) -> ExprId {
        let bounded = self.module.unary(Unary::Sin, a);
        let op = [Unary::Exp, Unary::Expm1, Unary::Sqrt, Unary::Log, Unary::Log1p][self.rng.below(5)];
        let argument = match op {
            Unary::Exp | Unary::Expm1 => bounded,
            _ if self.rng.one_in(60) => a,
            _ => self.positive(a),
        };
        self.module.unary(op, argument)
    }

    /// `a * a + 0.4`, or now and then a power that may be singular.
    fn positive(&mut self, a: ExprId) -> ExprId {
        let exponent = self.module.float([2.0, 2.0, 4.0][self.rng.below(3)]);
        let square = self.module.binary(Binary::Pow, a, exponent);
        let offset = self.module.float(0.4);
        self.module.binary(Binary::Add, square, offset)
    }

    fn float_leaf(&mut self) -> ExprId {
        match self.rng.below(10) {
            0 => {
                let value = (self.rng.signed_unit() * 16.0).round() / 8.0;
                self.module.float(value)
            }
            1 => {
                let n = self.rng.below(3) as i64;
                let n = self.module.int(n);
                let position = self.loose();
                let sum = self.module.binary(Binary::Add, position, n);
                self.module.unary(Unary::ToFloat, sum)
            }
            2 => {
                let c = self.condition(0);
                self.module.unary(Unary::ToFloat, c)
            }
            3 => self.concatenation(),
            4 | 5 => self.guarded_read(),
            _ => self.read(),
        }
    }

    fn any_float(&mut self) -> TensorId {
        // Often the youngest, so that programs are deep, and often an input, so that they vary.
        let count = match self.rng.below(3) {
            0 => 1,
            1 => 4,
            _ => self.floats.len(),
        };
        let k = self.rng.below(count);
        self.floats[if count == 1 { self.floats.len() - 1 } else { k }]
    }

    /// A read that is inside.
    fn read(&mut self) -> ExprId {
        let tensor = self.any_float();
        let shape = self.module.t(tensor).shape.clone();
        let at = shape.iter().map(|extent| self.position(*extent)).collect();
        self.module.read(tensor, at)
    }

    /// A read that may be outside.
    fn guarded_read(&mut self) -> ExprId {
        let tensor = self.any_float();
        let rank = self.module.t(tensor).shape.len();
        let at = (0..rank).map(|_| self.loose()).collect();
        let otherwise = Some(if self.rng.one_in(2) { self.module.float(0.0) } else { self.read() });
        self.module.intern(Node::Read { tensor, at, otherwise })
    }

    /// `select(i < c, a[i], b[i - c])` with the domain variable beyond the first tensor.
    fn concatenation(&mut self) -> ExprId {
        let rank_one: Vec<TensorId> =
            self.floats.iter().copied().filter(|t| self.module.t(*t).shape.len() == 1).collect();
        let (Some(a), Some(b)) = (self.rng.pick(&rank_one), self.rng.pick(&rank_one)) else { return self.read() };
        let (first, second) = (self.module.t(a).shape[0], self.module.t(b).shape[0]);
        let Some(k) = (0..self.domain.len()).find(|k| self.domain[*k] <= first + second) else { return self.read() };
        let (i, c) = (self.module.var(k as u32), self.module.int(first as i64));
        let inside = self.module.binary(Binary::Lt, i, c);
        let rest = self.module.binary(Binary::Sub, i, c);
        let (a, b) = (self.module.read(a, vec![i]), self.module.read(b, vec![rest]));
        let a = self.module.unary(Unary::Sin, a);
        self.module.select(inside, a, b)
    }

    fn condition(&mut self, depth: usize) -> ExprId {
        match self.rng.below(7) {
            0 | 1 => {
                let (a, b) = (self.float(depth), self.float(depth));
                let op = [Binary::Lt, Binary::Le][self.rng.below(2)];
                self.module.binary(op, a, b)
            }
            2 if depth > 0 => {
                let (a, b) = (self.condition(depth - 1), self.condition(depth - 1));
                let op = [Binary::And, Binary::Or][self.rng.below(2)];
                self.module.binary(op, a, b)
            }
            3 if depth > 0 => {
                let a = self.condition(depth - 1);
                self.module.unary(Unary::Not, a)
            }
            4 => self.module.bool(true),
            _ => {
                let (a, b) = (self.loose(), self.loose());
                let op = [Binary::Eq, Binary::Lt, Binary::Le][self.rng.below(3)];
                self.module.binary(op, a, b)
            }
        }
    }

    fn some_variable(&mut self) -> Option<(ExprId, usize)> {
        let k = self.rng.below(self.domain.len());
        let extent = *self.domain.get(k)?;
        Some((self.module.var(k as u32), extent))
    }

    /// A position in `0..extent`.
    fn position(&mut self, extent: usize) -> ExprId {
        if let Some((i, n)) = self.some_variable().filter(|(_, n)| *n <= extent)
            && !self.rng.one_in(3)
        {
            debug_assert!(n <= extent);
            return i;
        }
        let (zero, last, whole) =
            (self.module.int(0), self.module.int(extent as i64 - 1), self.module.int(extent as i64));
        let loose = self.loose();
        match self.rng.below(5) {
            0 => {
                let n = self.rng.below(extent) as i64;
                self.module.int(n)
            }
            1 => {
                let low = self.module.binary(Binary::Max, loose, zero);
                self.module.binary(Binary::Min, low, last)
            }
            2 => match self.classes.iter().copied().find(|(_, bound)| *bound <= extent) {
                Some((class, _)) => self.class(class),
                None => self.module.binary(Binary::Mod, loose, whole),
            },
            _ => self.module.binary(Binary::Mod, loose, whole),
        }
    }

    /// An element of an Int tensor.
    fn class(&mut self, class: TensorId) -> ExprId {
        let shape = self.module.t(class).shape.clone();
        // Plain positions: a gather of a gather is deep enough.
        let at = shape
            .iter()
            .map(|extent| match self.some_variable() {
                Some((i, n)) if n <= *extent => i,
                _ => self.module.int(0),
            })
            .collect();
        self.module.read(class, at)
    }

    /// A whole number near the domain's, not bound to lie inside anything.
    fn loose(&mut self) -> ExprId {
        let Some((i, _)) = self.some_variable() else { return self.module.int(0) };
        let small = self.rng.below(3) as i64 + 1;
        let small = self.module.int(small);
        match self.rng.below(9) {
            0 => self.module.binary(Binary::Add, i, small),
            1 => self.module.binary(Binary::Sub, i, small),
            2 => self.module.binary(Binary::Mul, small, i),
            3 => self.module.binary(Binary::FloorDiv, i, small),
            4 => {
                let (j, _) = self.some_variable().unwrap_or((i, 0));
                let reversed = self.module.unary(Unary::Neg, j);
                self.module.binary(Binary::Add, i, reversed)
            }
            5 => {
                let shifted = self.module.binary(Binary::Sub, i, small);
                self.module.unary(Unary::Abs, shifted)
            }
            6 => match self.rng.pick(&self.classes.clone()) {
                Some((class, _)) => self.class(class),
                None => i,
            },
            _ => i,
        }
    }
}
