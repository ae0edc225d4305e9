//! From definitions in index notation to loop nests.
//!
//! In: definitions over one domain (several only if pointwise). Out: a [`Nest`] whose loops are the
//! domain's variables, split where a position divides one (`p div 25`, `p mod 25` become two loops),
//! with loads at affine addresses, guarded only where a position could lie outside.
//!
//! Values defined earlier in the same nest are forwarded: reading them at their own element is the
//! value itself. In a recurrence the turn becomes the first loop, and stays whole.
//!
//! A short variable on which conditions alone depend, as `if gate == 2 then ..`, is written out: it has no loop but a
//! store for each of its values, in which the conditions are decided.

use super::affine::{Affine, Division, Loop};
use super::nest::{Address, Form, Guard, Lanes, Nest, Op, Store, Val};
use crate::ir::{Combine, Def, ExprId, Module, Node, TensorId};
use crate::scalar::{Binary, Kind, Unary};
use std::collections::HashMap;

/// Makes the nest of definitions over one domain, of which those that `stored` says are written. In a
/// recurrence, `turn` is the variable that is the turn.
#[must_use]
pub fn localise(module: &Module, defs: &[&Def], turn: Option<u32>, stored: &dyn Fn(TensorId) -> bool) -> Nest {
    let mut digits: Vec<Vec<usize>> = defs[0].domain.iter().map(|e| vec![*e]).collect();
    let written_out = (0..digits.len()).rev().find(|v| worth_writing_out(module, defs, turn, *v));
    if let Some(v) = written_out {
        digits[v].clear();
    }
    loop {
        match Builder::new(module, &digits, turn).build(defs, stored) {
            Ok(nest) => return nest,
            Err(split) => apply(&mut digits, turn, &split),
        }
    }
}

/// Stores of a nest at most, where a variable is written out.
const STORES: usize = 8;

/// Whether a variable of pointwise definitions is short and conditions depend on it alone. The innermost variable keeps
/// its loop, which is the one that runs in lanes.
fn worth_writing_out(module: &Module, defs: &[&Def], turn: Option<u32>, v: usize) -> bool {
    let first = defs[0];
    let pointwise = first.combine == Combine::Set && first.scatter.is_none();
    let short = first.domain[v] > 1 && first.domain[v] * defs.len() <= STORES;
    let alone = |e: ExprId| module.variables(e).into_iter().eq([v as u32]);
    let decides = |e: ExprId| match *module.node(e) {
        Node::Binary(Binary::Eq | Binary::Lt | Binary::Le, a, _) => module.kind(a) == Kind::Int && alone(e),
        _ => false,
    };
    let mut roots = defs.iter().map(|d| d.value);
    pointwise
        && short
        && v + 1 < first.domain.len()
        && turn != Some(v as u32)
        && roots.any(|root| module.reachable(&[root]).into_iter().any(decides))
}

/// The domain variables in the order of their loops: the turn first.
fn loop_order(count: usize, turn: Option<u32>) -> impl Iterator<Item = usize> {
    let turn = turn.map(|v| v as usize);
    turn.into_iter().chain((0..count).filter(move |v| turn != Some(*v)))
}

/// A loop to be cut so that its inner part has extent `inner`.
struct Split {
    at: Loop,
    inner: usize,
}

fn apply(digits: &mut [Vec<usize>], turn: Option<u32>, split: &Split) {
    let mut number = 0;
    for v in loop_order(digits.len(), turn) {
        let var = &mut digits[v];
        if split.at < number + var.len() {
            let at = split.at - number;
            var[at] /= split.inner;
            var.insert(at + 1, split.inner);
            return;
        }
        number += var.len();
    }
}

/// A nest being built for given splits.
struct Builder<'a> {
    module: &'a Module,
    /// Each domain variable over the loops.
    vars: Vec<Affine>,
    extents: Vec<usize>,
    /// The variable that is the turn.
    turn: Option<u32>,
    /// Number of loops of the first `n` domain variables.
    loops_before: Vec<usize>,
    ops: Vec<Op>,
    kinds: Vec<Kind>,
    interned: HashMap<Op, Val>,
    known: HashMap<ExprId, Val>,
    forward: HashMap<TensorId, Val>,
}

impl<'a> Builder<'a> {
    fn new(module: &'a Module, digits: &[Vec<usize>], turn: Option<u32>) -> Self {
        let (mut vars, mut extents, mut loops_before) = (vec![Affine::default(); digits.len()], vec![], vec![0]);
        for v in loop_order(digits.len(), turn) {
            for extent in &digits[v] {
                vars[v] = vars[v].times(*extent as i64).plus(&Affine::var(extents.len()), 1);
                extents.push(*extent);
            }
        }
        for var in digits {
            loops_before.push(loops_before.last().map_or(0, |n| n + var.len()));
        }
        Self {
            module,
            vars,
            extents,
            turn,
            loops_before,
            ops: vec![],
            kinds: vec![],
            interned: HashMap::new(),
            known: HashMap::new(),
            forward: HashMap::new(),
        }
    }

    fn build(mut self, defs: &[&Def], stored: &dyn Fn(TensorId) -> bool) -> Result<Nest, Split> {
        let mut stores = vec![];
        let first = defs[0];
        match (0..self.vars.len()).find(|v| self.loops_before[*v] == self.loops_before[v + 1]) {
            None => self.members(defs, stored, &mut stores)?,
            Some(v) => {
                for value in 0..first.domain[v] {
                    self.vars[v] = Affine::fixed(value as i64);
                    self.known.clear();
                    self.forward.clear();
                    self.members(defs, stored, &mut stores)?;
                }
            }
        }
        let rank = self.module.t(first.target).shape.len();
        let outer = if first.scatter.is_some() { self.extents.len() } else { self.loops_before[rank] };
        let form = match first.combine {
            _ if first.scatter.is_some() => Form::Accumulate,
            Combine::Set => Form::Point,
            Combine::Argmax => Form::Reduce(Combine::Argmax, Some(self.reduced_rank(outer))),
            other => Form::Reduce(other, None),
        };
        let turn = self.turn.map(|_| self.between_turns(first));
        let (extents, ops, kinds) = (self.extents, self.ops, self.kinds);
        Ok(Nest { extents, outer, form, ops, kinds, stores, lanes: Lanes::Scalar, chains: vec![], turn })
    }

    /// The values of all definitions, for the variables as they are, and what is stored of them.
    fn members(
        &mut self,
        defs: &[&Def],
        stored: &dyn Fn(TensorId) -> bool,
        stores: &mut Vec<Store>,
    ) -> Result<(), Split> {
        for def in defs {
            let value = self.value(def.value)?;
            let at: Vec<ExprId> = def.scatter.as_ref().map(|s| s.at.clone()).unwrap_or_default();
            let positions = if def.scatter.is_some() {
                at.iter().map(|p| self.value(*p)).collect::<Result<Vec<_>, _>>()?
            } else {
                let rank = self.module.t(def.target).shape.len();
                (0..rank).map(|v| self.index(self.vars[v].clone())).collect()
            };
            let (address, guards) = self.address(def.target, &positions);
            if stored(def.target) || defs.len() == 1 {
                stores.push(Store { tensor: def.target, address, guards, value });
            }
            self.forward.insert(def.target, value);
        }
        Ok(())
    }

    /// Elements of the target from one turn to the next.
    fn between_turns(&self, def: &Def) -> usize {
        let along = |axis: &usize| match &def.scatter {
            None => Some(*axis as u32) == self.turn,
            Some(s) => *self.module.node(s.at[*axis]) == Node::Var(self.turn.unwrap_or(0)),
        };
        let shape = &self.module.t(def.target).shape;
        (0..shape.len()).find(along).map_or(1, |axis| shape[axis + 1..].iter().product())
    }

    /// The row-major number of the reduced point.
    fn reduced_rank(&mut self, outer: usize) -> Val {
        let mut rank = Affine::default();
        for v in outer..self.extents.len() {
            rank = rank.times(self.extents[v] as i64).plus(&Affine::var(v), 1);
        }
        self.index(rank)
    }

    fn op(&mut self, op: Op, kind: Kind) -> Val {
        if let Some(v) = self.interned.get(&op) {
            return *v;
        }
        self.ops.push(op.clone());
        self.kinds.push(kind);
        self.interned.insert(op, self.ops.len() - 1);
        self.ops.len() - 1
    }

    fn index(&mut self, affine: Affine) -> Val {
        self.op(Op::Index(affine), Kind::Int)
    }

    fn value(&mut self, expr: ExprId) -> Result<Val, Split> {
        if let Some(v) = self.known.get(&expr) {
            return Ok(*v);
        }
        let kind = self.module.kind(expr);
        let value = match self.module.node(expr).clone() {
            Node::Float(bits) => self.op(Op::Float(bits), kind),
            Node::Bool(b) => self.op(Op::Bool(b), kind),
            Node::Int(i) => self.index(Affine::fixed(i)),
            Node::Var(v) => self.index(self.vars[v as usize].clone()),
            Node::Read { tensor, at, otherwise } => self.read(tensor, &at, otherwise)?,
            Node::Unary(f, a) => {
                let a = self.value(a)?;
                self.unary(f, a, kind)
            }
            Node::Binary(f, a, b) => {
                let (a, b) = (self.value(a)?, self.value(b)?);
                self.binary(f, a, b, kind)?
            }
            Node::Select(c, a, b) => {
                let c = self.value(c)?;
                match self.decided(c) {
                    Some(holds) => self.value(if holds { a } else { b })?,
                    None => {
                        let (a, b) = (self.value(a)?, self.value(b)?);
                        self.op(Op::Select(c, a, b), kind)
                    }
                }
            }
        };
        self.known.insert(expr, value);
        Ok(value)
    }

    fn affine(&self, v: Val) -> Option<&Affine> {
        match &self.ops[v] {
            Op::Index(a) => Some(a),
            _ => None,
        }
    }

    fn unary(&mut self, f: Unary, a: Val, kind: Kind) -> Val {
        match (f, self.affine(a)) {
            (Unary::Neg, Some(affine)) => self.index(affine.times(-1)),
            (Unary::Detach, _) => a,
            (Unary::Not, _) => match self.decided(a) {
                Some(holds) => self.op(Op::Bool(!holds), kind),
                None => self.op(Op::Unary(f, a), kind),
            },
            _ => self.op(Op::Unary(f, a), kind),
        }
    }

    /// A condition that is known.
    fn decided(&self, v: Val) -> Option<bool> {
        match self.ops[v] {
            Op::Bool(holds) => Some(holds),
            _ => None,
        }
    }

    /// A comparison of positions, known where the loops decide it.
    fn compared(&self, f: Binary, x: &Affine, y: &Affine) -> Option<bool> {
        let (low, high) = x.plus(y, -1).range(&self.extents);
        match f {
            Binary::Lt if high < 0 => Some(true),
            Binary::Lt if low >= 0 => Some(false),
            Binary::Le if high <= 0 => Some(true),
            Binary::Le if low > 0 => Some(false),
            Binary::Eq if low == 0 && high == 0 => Some(true),
            Binary::Eq if low > 0 || high < 0 => Some(false),
            _ => None,
        }
    }

    /// What is left of an operation one of whose operands is a known condition or a zero that adds nothing.
    fn reduced(&self, f: Binary, a: Val, b: Val) -> Option<Val> {
        let nothing = |v: Val| self.ops[v] == Op::Float(0);
        match (f, self.decided(a), self.decided(b)) {
            (Binary::And, Some(true), _) | (Binary::Or, Some(false), _) => Some(b),
            (Binary::And, Some(false), _) | (Binary::Or, Some(true), _) => Some(a),
            (Binary::And, _, Some(true)) | (Binary::Or, _, Some(false)) => Some(a),
            (Binary::And, _, Some(false)) | (Binary::Or, _, Some(true)) => Some(b),
            (Binary::Add, ..) if nothing(a) => Some(b),
            (Binary::Add | Binary::Sub, ..) if nothing(b) => Some(a),
            _ => None,
        }
    }

    fn binary(&mut self, f: Binary, a: Val, b: Val, kind: Kind) -> Result<Val, Split> {
        if let (Some(x), Some(y)) = (self.affine(a), self.affine(b)) {
            let folded = match (f, x.as_fixed(), y.as_fixed()) {
                (Binary::Add, ..) => Some(x.plus(y, 1)),
                (Binary::Sub, ..) => Some(x.plus(y, -1)),
                (Binary::Mul, Some(c), _) => Some(y.times(c)),
                (Binary::Mul, _, Some(c)) => Some(x.times(c)),
                (Binary::FloorDiv | Binary::Mod, _, Some(c)) if c > 0 => match x.divide(c, &self.extents) {
                    Division::Exact(whole, rest) => Some(if f == Binary::Mod { rest } else { whole }),
                    Division::Split(at, inner) if self.turn.is_none() || at > 0 => return Err(Split { at, inner }),
                    Division::Split(..) | Division::Opaque => None,
                },
                _ => None,
            };
            if let Some(affine) = folded {
                return Ok(self.index(affine));
            }
            if let Some(holds) = self.compared(f, x, y) {
                return Ok(self.op(Op::Bool(holds), kind));
            }
        }
        if let Some(left) = self.reduced(f, a, b) {
            return Ok(left);
        }
        Ok(match (f, &self.ops[b]) {
            (Binary::Pow, Op::Float(bits)) => match whole_exponent(f64::from_bits(*bits)) {
                Some(n) => self.power(a, n),
                None => self.op(Op::Binary(f, a, b), kind),
            },
            _ => self.op(Op::Binary(f, a, b), kind),
        })
    }

    /// a^n by repeated squaring: a few products where the general power takes some 130 operations.
    fn power(&mut self, a: Val, n: u32) -> Val {
        let mut product = |x, y| self.op(Op::Binary(Binary::Mul, x, y), Kind::Float);
        let (mut result, mut square) = (None, a);
        for bit in 0..=n.ilog2() {
            if bit > 0 {
                square = product(square, square);
            }
            if n >> bit & 1 == 1 {
                result = Some(result.map_or(square, |r| product(r, square)));
            }
        }
        result.unwrap_or(a)
    }

    fn read(&mut self, tensor: TensorId, at: &[ExprId], otherwise: Option<ExprId>) -> Result<Val, Split> {
        let positions = at.iter().map(|p| self.value(*p)).collect::<Result<Vec<_>, _>>()?;
        if let Some(value) = self.forward.get(&tensor) {
            return Ok(*value);
        }
        let kind = self.module.t(tensor).kind;
        let (address, guards) = self.address(tensor, &positions);
        let otherwise = match otherwise {
            _ if guards.is_empty() => None,
            Some(e) => Some(self.value(e)?),
            // Proven inside where it matters, by a condition we do not see here.
            None => Some(match kind {
                Kind::Float => self.op(Op::Float(0), kind),
                Kind::Int => self.index(Affine::fixed(0)),
                Kind::Bool => self.op(Op::Bool(false), kind),
            }),
        };
        Ok(self.op(Op::Load { tensor, address, guards, otherwise }, kind))
    }

    /// Where positions lie in a tensor, and which of them could be outside.
    fn address(&mut self, tensor: TensorId, positions: &[Val]) -> (Address, Vec<Guard>) {
        let shape = &self.module.t(tensor).shape;
        let (mut address, mut guards) = (Address::default(), vec![]);
        let mut stride = 1;
        for (extent, position) in shape.iter().zip(positions).rev() {
            let inside = match self.affine(*position) {
                Some(affine) => {
                    address.affine = address.affine.plus(affine, stride);
                    let (low, high) = affine.range(&self.extents);
                    low >= 0 && high < *extent as i64
                }
                None => {
                    address.gathers.push((stride, *position));
                    false
                }
            };
            if !inside {
                guards.push(Guard { position: *position, extent: *extent as i64 });
            }
            stride *= *extent as i64;
        }
        (address, guards)
    }
}

/// The exponents that are written out as products: the error stays within a few last bits.
fn whole_exponent(n: f64) -> Option<u32> {
    (n.fract() == 0.0 && (2.0..=8.0).contains(&n)).then_some(n as u32)
}

/// Positions as affine forms of the domain's variables themselves, if they are.
#[must_use]
pub fn positions(module: &Module, domain: &[usize], at: &[ExprId]) -> Option<Vec<Affine>> {
    let digits: Vec<Vec<usize>> = domain.iter().map(|e| vec![*e]).collect();
    let mut builder = Builder::new(module, &digits, None);
    at.iter()
        .map(|p| {
            let value = builder.value(*p).ok()?;
            builder.affine(value).cloned()
        })
        .collect()
}
