//! How much arithmetic a module asks for. In: a module. Out: counts of Float operations and
//! of elements read and written.
//!
//! An expression counts once for each combination of the variables it mentions, as if it stood in
//! the outermost loop it can; a reduction or scatter counts one operation a point. Index arithmetic
//! and logic are free. The counts are those of the program as written, before any pass is run.

use super::{Combine, Def, ExprId, Item, Module, Node};
use crate::scalar::{Kind, Work};
use std::collections::{BTreeSet, HashMap};
use std::ops::AddAssign;

/// Numbers of Float operations, and of elements moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Additions, subtractions, negations.
    pub adds: u64,
    /// Multiplications.
    pub muls: u64,
    /// Divisions.
    pub divisions: u64,
    /// Comparisons, choices, absolute values, larger or smaller of two, roundings.
    pub choices: u64,
    /// Scalar functions: exp, sqrt, powers, and so on.
    pub calls: u64,
    /// Random numbers drawn.
    pub draws: u64,
    /// Elements read.
    pub reads: u64,
    /// Elements written.
    pub writes: u64,
}

impl Cost {
    /// All arithmetic, a function counting as one operation.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.adds + self.muls + self.divisions + self.choices + self.calls
    }

    /// The count that a function belongs to.
    fn of<'a>(&'a mut self, work: Work, free: &'a mut u64) -> &'a mut u64 {
        match work {
            Work::Free => free,
            Work::Add => &mut self.adds,
            Work::Mul => &mut self.muls,
            Work::Div => &mut self.divisions,
            Work::Choice => &mut self.choices,
            Work::Call => &mut self.calls,
        }
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.adds += other.adds;
        self.muls += other.muls;
        self.divisions += other.divisions;
        self.choices += other.choices;
        self.calls += other.calls;
        self.draws += other.draws;
        self.reads += other.reads;
        self.writes += other.writes;
    }
}

/// The cost of one run of the module.
#[must_use]
pub fn cost(module: &Module) -> Cost {
    let mut total = Cost::default();
    for item in &module.items {
        total += match item {
            Item::Def(def) => cost_of(module, def),
            Item::Listed(listed) => Cost { writes: listed.bits.len() as u64, ..Cost::default() },
            Item::Draw(draw) => {
                let n = module.t(draw.target).len() as u64;
                Cost { draws: n, writes: n, ..Cost::default() }
            }
        };
    }
    total
}

/// The cost of one definition.
#[must_use]
pub fn cost_of(module: &Module, def: &Def) -> Cost {
    let mut total = Cost { writes: module.t(def.target).len() as u64, ..Cost::default() };
    let points: u64 = def.domain.iter().map(|e| *e as u64).product();
    if module.kind(def.value) == Kind::Float {
        match def.combine {
            Combine::Set => {}
            Combine::Sum => total.adds += points,
            Combine::Prod => total.muls += points,
            Combine::Max | Combine::Min | Combine::Argmax => total.choices += points,
        }
    }
    let at = def.scatter.iter().flat_map(|s| s.at.iter().copied());
    let roots: Vec<ExprId> = at.chain([def.value]).collect();
    let mut free = 0;
    let mut variables: HashMap<ExprId, BTreeSet<u32>> = HashMap::new();
    for id in module.reachable(&roots) {
        let mut mentioned: BTreeSet<u32> = module.operands(id).iter().flat_map(|o| variables[o].clone()).collect();
        if let Node::Var(k) = module.node(id) {
            mentioned.insert(*k);
        }
        let times: u64 = mentioned.iter().filter_map(|k| def.domain.get(*k as usize)).map(|e| *e as u64).product();
        *count(module, id, &mut total, &mut free) += times;
        variables.insert(id, mentioned);
    }
    total
}

/// The count that a node belongs to; what is free goes nowhere.
fn count<'a>(module: &Module, id: ExprId, total: &'a mut Cost, free: &'a mut u64) -> &'a mut u64 {
    let operand = module.operands(id).first().map(|o| module.kind(*o));
    match module.node(id) {
        Node::Read { .. } => &mut total.reads,
        _ if operand != Some(Kind::Float) && module.kind(id) != Kind::Float => free,
        Node::Select(..) => &mut total.choices,
        Node::Unary(op, _) => total.of(op.facts().work, free),
        Node::Binary(op, ..) => total.of(op.facts().work, free),
        Node::Float(_) | Node::Int(_) | Node::Bool(_) | Node::Var(_) => free,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::text::parse;

    #[test]
    fn a_linear_layer() {
        let source = "input x: f[64, 784]\ninput W: f[10, 784]\ninput b: f[10]\n\
            z[i0: 64, i1: 10] = sum[r0: 784] W[i1, r0] * x[i0, r0]\n\
            y[i0: 64, i1: 10] = tanh(z[i0, i1] + exp(b[i1]))";
        let cost = cost(&parse(source).expect("parses"));
        let points = 64 * 10 * 784;
        assert_eq!((cost.muls, cost.adds), (points, points + 640));
        assert_eq!(cost.calls, 640 + 10);
        assert_eq!(cost.reads, 784 * 10 + 64 * 784 + 640 + 10);
        assert_eq!(cost.writes, 2 * 640);
    }

    #[test]
    fn positions_and_logic_are_free() {
        let source = "input x: f[9]\ny[i0: 4] = select(2 * i0 < 4, x[2 * i0 + 1], max(x[i0], 0.0))";
        let cost = cost(&parse(source).expect("parses"));
        assert_eq!(cost.operations(), 4 + 4);
    }
}
