//! Random expressions over the domain of a definition: Float values, Bool conditions, positions.

use super::Generator;
use crate::ir::{ExprId, Node, TensorId};
use crate::scalar::{Binary, Kind, Unary};

/// Float functions that are finite for any argument.
fn tame() -> Vec<Unary> {
    Unary::ALL.into_iter().filter(|f| f.facts().takes.admits(Kind::Float) && f.facts().finite).collect()
}

impl Generator {
    /// A Float expression between -1 and 1.
    pub(super) fn settled(&mut self) -> ExprId {
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
        let choice = self.rng.below(13);
        if choice >= 11 {
            return self.float_leaf();
        }
        let a = self.float(depth - 1);
        match choice {
            0 | 1 => {
                let tame = tame();
                let op = tame[self.rng.below(tame.len())];
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
            10 => {
                let b = self.float(depth - 1);
                match self.rng.below(3) {
                    0 => {
                        let b = self.positive(b);
                        self.module.binary(Binary::ZeroOrQuotient, a, b)
                    }
                    // Zeros, which keep what is infinite from the product.
                    1 => {
                        let (zero, one) = (self.module.float(0.0), self.module.float(1.0));
                        let cut = self.module.binary(Binary::Max, a, zero);
                        let inverse = self.module.binary(Binary::Div, one, cut);
                        self.module.binary(Binary::ZeroOrProduct, cut, inverse)
                    }
                    _ => self.module.binary(Binary::ZeroOrProduct, a, b),
                }
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
        if let Some((tensor, axis)) = self.rng.pick(&self.carried.clone()).filter(|_| self.rng.one_in(2)) {
            let shape = self.module.t(tensor).shape.clone();
            let mut at: Vec<ExprId> = shape.iter().map(|extent| self.position(*extent)).collect();
            at[axis] = self.module.var(self.turn as u32);
            return self.module.read(tensor, at);
        }
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
    pub(super) fn position(&mut self, extent: usize) -> ExprId {
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
    pub(super) fn loose(&mut self) -> ExprId {
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
