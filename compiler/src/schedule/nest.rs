//! Loop nests: what a kernel computes, as loops over a graph of scalar operations.
//!
//! The first `outer` loops walk the elements that are stored, the others are reduced. Operations are
//! listed operands first and interned, so sharing is explicit. Positions are affine in the loop
//! variables where possible; what is not goes through `gathers`. Guards hold exactly the positions
//! that could lie outside.
//!
//! A nest of a recurrence has the turn as its first loop; every launch of it runs one turn.

use super::affine::{Affine, Loop};
use crate::ir::{Combine, Module, TensorId};
use crate::scalar::{Binary, Kind, Unary};
use std::fmt::Write;

/// Index of an operation in [`Nest::ops`].
pub type Val = usize;

/// Where an element lies in its tensor, in elements: affine part, and factors of computed integers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Address {
    /// The part known from the loops.
    pub affine: Affine,
    /// Factor and integer.
    pub gathers: Vec<(i64, Val)>,
}

/// A position that must lie in `0..extent`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Guard {
    /// The position.
    pub position: Val,
    /// Past the last one inside.
    pub extent: i64,
}

/// A scalar operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// A Float constant by its bits.
    Float(u64),
    /// A Bool constant.
    Bool(bool),
    /// An integer known from the loops.
    Index(Affine),
    /// An element; `otherwise` where a guard fails.
    Load { tensor: TensorId, address: Address, guards: Vec<Guard>, otherwise: Option<Val> },
    /// A function of one argument.
    Unary(Unary, Val),
    /// A function of two arguments.
    Binary(Binary, Val, Val),
    /// The second where the first holds, else the third.
    Select(Val, Val, Val),
}

/// An element to be written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Store {
    /// Into what.
    pub tensor: TensorId,
    /// Where.
    pub address: Address,
    /// Positions that may lie outside; then nothing is written.
    pub guards: Vec<Guard>,
    /// What: the value reduced, or as it is.
    pub value: Val,
}

/// Which loop runs in vector lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lanes {
    /// None.
    Scalar,
    /// The innermost of the outer loops.
    Outer,
    /// The innermost of all, which is reduced.
    Reduced,
}

/// How stored values come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// Every point of the loops stores its values.
    Point,
    /// Values combine over the inner loops. There is one store; for `Argmax`, `rank` is the
    /// row-major number of the reduced point.
    Reduce(Combine, Option<Val>),
    /// Every point adds its value to an element; one task, in order.
    Accumulate,
}

/// How a reduced loop adds (see [`super::order`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Chain {
    /// Steps of the smallest blocks that it is cut into.
    pub block: usize,
    /// How often it is cut: into blocks of steps, blocks of blocks, ...
    pub cuts: u32,
    /// Whether each run of it is a sum of its own, which is then added to what came before.
    pub fresh: bool,
}

/// A loop nest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Nest {
    /// Extents of the loops, outermost first.
    pub extents: Vec<usize>,
    /// How many of them walk what is stored.
    pub outer: usize,
    /// How stored values come about.
    pub form: Form,
    /// Operands before users.
    pub ops: Vec<Op>,
    /// Kind of each operation's value.
    pub kinds: Vec<Kind>,
    /// What is written.
    pub stores: Vec<Store>,
    /// What runs in vectors.
    pub lanes: Lanes,
    /// How each of the reduced loops adds.
    pub chains: Vec<Chain>,
    /// In a recurrence, where loop 0 is the turn: elements of the target from one turn to the next.
    pub turn: Option<usize>,
}

impl Nest {
    /// The first loop that a launch walks: the turn of a recurrence stands still.
    #[must_use]
    pub fn first(&self) -> Loop {
        usize::from(self.turn.is_some())
    }

    /// The loop that runs in lanes.
    #[must_use]
    pub fn lane_loop(&self) -> Option<Loop> {
        match self.lanes {
            Lanes::Scalar => None,
            Lanes::Outer => self.outer.checked_sub(1).filter(|v| *v >= self.first()),
            Lanes::Reduced => self.extents.len().checked_sub(1),
        }
    }

    /// Points of the loops of a launch times operations at each: a measure of its work.
    #[must_use]
    pub fn cost(&self) -> usize {
        let weight = |op: &Op| match op {
            Op::Unary(f, _) => f.facts().weight,
            Op::Binary(f, ..) => f.facts().weight,
            Op::Float(_) | Op::Bool(_) | Op::Index(_) => 0,
            _ => 1,
        };
        self.extents[self.first()..]
            .iter()
            .product::<usize>()
            .saturating_mul(1 + self.ops.iter().map(weight).sum::<usize>())
    }

    /// Every affine form in it.
    pub fn affines(&self) -> impl Iterator<Item = &Affine> {
        let in_ops = self.ops.iter().filter_map(|op| match op {
            Op::Index(a) => Some(a),
            Op::Load { address, .. } => Some(&address.affine),
            _ => None,
        });
        in_ops.chain(self.stores.iter().map(|s| &s.address.affine))
    }

    /// Every affine form in it, to be changed.
    pub fn affines_mut(&mut self) -> impl Iterator<Item = &mut Affine> {
        let in_ops = self.ops.iter_mut().filter_map(|op| match op {
            Op::Index(a) => Some(a),
            Op::Load { address, .. } => Some(&mut address.affine),
            _ => None,
        });
        in_ops.chain(self.stores.iter_mut().map(|s| &mut s.address.affine))
    }

    /// Its text form.
    #[must_use]
    pub fn text(&self, module: &Module) -> String {
        let mut out = String::new();
        let mut depth = 1;
        for (v, extent) in self.extents.iter().enumerate() {
            let reduced = match v {
                v if v < self.first() => "turn",
                v if v < self.outer => "for",
                _ => "reduce",
            };
            let lanes = if self.lane_loop() == Some(v) { " in lanes" } else { "" };
            let chain = v.checked_sub(self.outer).and_then(|k| self.chains.get(k)).copied().unwrap_or_default();
            let cut = match chain.cuts {
                0 => String::new(),
                1 => format!(", in blocks of {}", chain.block),
                cuts => format!(", in blocks of {}, {cuts} levels deep", chain.block),
            };
            let fresh = if chain.fresh { ", from zero" } else { "" };
            line(&mut out, depth, &format!("{reduced} i{v} in 0..{extent}{lanes}{cut}{fresh}"));
            depth += 1;
        }
        for (v, op) in self.ops.iter().enumerate() {
            line(&mut out, depth, &format!("%{v} = {}", op_text(op, module)));
        }
        for store in &self.stores {
            let how = match self.form {
                Form::Point => "=".to_string(),
                Form::Reduce(combine, _) => format!("={combine:?}").to_lowercase(),
                Form::Accumulate => "+=".to_string(),
            };
            let at = address_text(&store.address, &store.guards);
            line(&mut out, depth, &format!("{}[{at}] {how} %{}", module.t(store.tensor).name, store.value));
        }
        out
    }
}

fn line(out: &mut String, depth: usize, text: &str) {
    let _ = writeln!(out, "{:1$}{text}", "", 2 * depth);
}

fn address_text(address: &Address, guards: &[Guard]) -> String {
    let mut text = address.affine.to_string();
    for (factor, v) in &address.gathers {
        let _ = write!(text, " + {factor}*%{v}");
    }
    for guard in guards {
        let _ = write!(text, " | 0 <= %{} < {}", guard.position, guard.extent);
    }
    text
}

fn op_text(op: &Op, module: &Module) -> String {
    match op {
        Op::Float(bits) => format!("{:?}", f64::from_bits(*bits)),
        Op::Bool(b) => b.to_string(),
        Op::Index(a) => a.to_string(),
        Op::Load { tensor, address, guards, otherwise } => {
            let or = otherwise.map(|o| format!(" or %{o}")).unwrap_or_default();
            format!("{}[{}]{or}", module.t(*tensor).name, address_text(address, guards))
        }
        Op::Unary(f, a) => format!("{} %{a}", f.name()),
        Op::Binary(f, a, b) => format!("%{a} {} %{b}", f.name()),
        Op::Select(c, a, b) => format!("if %{c} then %{a} else %{b}"),
    }
}
