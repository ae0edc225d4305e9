//! Logarithms and roots of what nothing shows to be positive. Judged from the intervals of the typed expressions: a
//! square is not negative, an exponential neither, and zero where it is small, a condition says something in its
//! branches. A value from outside, such as a data field or a parameter, may be any number. The root of zero is zero, and
//! only its slope is infinite: a root that no parameter moves may be taken of it.

use super::interval::Interval;
use crate::scalar::{Binary, Unary};
use crate::typed::expr::operands;
use crate::typed::{Definition, Element, Expr, Extent, IndexId, Pass, ReduceOp, ValueId};
use nnc_core::random::Distribution;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// A function whose argument is not shown to be in its range.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubt {
    /// The value in whose definition it stands.
    pub value: ValueId,
    /// `log`, `log1p` or `sqrt`.
    pub function: Unary,
    /// The least that the argument may be.
    pub least: f64,
}

/// The first such function of each of the values.
pub(super) fn doubts(pass: &Pass, values: impl IntoIterator<Item = ValueId>) -> Vec<Doubt> {
    let ranges = Ranges { pass, known: RefCell::default(), moved: moved(pass) };
    let mut found = vec![];
    for value in values {
        if let Definition::Indexed { value: expr, .. } | Definition::Accumulate { value: expr, .. } =
            &pass.v(value).definition
        {
            let doubt = ranges.first_doubt(expr, &mut vec![]);
            found.extend(doubt.map(|(function, least)| Doubt { value, function, least }));
        }
    }
    found
}

/// For each value of the pass, whether it has a derivative by some parameter.
fn moved(pass: &Pass) -> Vec<bool> {
    let mut moved = Vec::with_capacity(pass.values.len());
    for value in &pass.values {
        moved.push(match &value.definition {
            // What is carried may be defined further down.
            Definition::Parameter(_) | Definition::Delayed { .. } => true,
            Definition::Indexed { value, .. } | Definition::Accumulate { value, .. } => is_moved(value, &moved),
            _ => false,
        });
    }
    moved
}

fn is_moved(expr: &Expr, moved: &[bool]) -> bool {
    match expr {
        Expr::Unary(Unary::Detach, _) => false,
        Expr::Read { value, .. } if moved.get(value.0 as usize).is_none_or(|m| *m) => true,
        _ => {
            let mut any = false;
            operands(expr, &mut |e| any = any || is_moved(e, moved));
            any
        }
    }
}

/// What conditions say about expressions.
type Facts = Vec<(Expr, Interval)>;

struct Ranges<'p> {
    pass: &'p Pass,
    /// Of values; all numbers while it is being found.
    known: RefCell<BTreeMap<ValueId, Interval>>,
    /// Whether each value is moved by a parameter.
    moved: Vec<bool>,
}

impl Ranges<'_> {
    fn first_doubt(&self, expr: &Expr, facts: &mut Facts) -> Option<(Unary, f64)> {
        if let Expr::Unary(function, a) = expr
            && function.facts().above.is_finite()
        {
            let argument = self.of(a, facts);
            let limit = function.facts().above;
            let still = *function == Unary::Sqrt && argument.is_at_least(limit) && !is_moved(a, &self.moved);
            if !argument.is_above(limit) && !still {
                return Some((*function, argument.low()));
            }
        }
        if let Expr::Select(c, a, b) = expr {
            let then = self.under(c, true, facts, |f| self.first_doubt(a, f));
            let doubt = then.or_else(|| self.under(c, false, facts, |f| self.first_doubt(b, f)));
            return doubt.or_else(|| self.first_doubt(c, facts));
        }
        let mut found = None;
        operands(expr, &mut |e| found = found.or_else(|| self.first_doubt(e, facts)));
        found
    }

    /// Does something knowing that the condition holds, or does not.
    fn under<T>(&self, condition: &Expr, holds: bool, facts: &mut Facts, f: impl FnOnce(&mut Facts) -> T) -> T {
        let before = facts.len();
        self.learn(condition, holds, facts);
        let result = f(facts);
        facts.truncate(before);
        result
    }

    fn learn(&self, condition: &Expr, holds: bool, facts: &mut Facts) {
        match (condition, holds) {
            (Expr::Unary(Unary::Not, c), _) => self.learn(c, !holds, facts),
            (Expr::Binary(Binary::And, a, b), true) | (Expr::Binary(Binary::Or, a, b), false) => {
                self.learn(a, holds, facts);
                self.learn(b, holds, facts);
            }
            (Expr::Binary(Binary::Lt, a, b), true) => self.order(a, b, false, facts),
            (Expr::Binary(Binary::Lt, a, b), false) => self.order(b, a, true, facts),
            (Expr::Binary(Binary::Le, a, b), true) => self.order(a, b, true, facts),
            (Expr::Binary(Binary::Le, a, b), false) => self.order(b, a, false, facts),
            _ => {}
        }
    }

    /// a < b, or a <= b where they may be equal.
    fn order(&self, a: &Expr, b: &Expr, equal: bool, facts: &mut Facts) {
        let (low, high) = (self.of(a, facts), self.of(b, facts));
        facts.push((a.clone(), high.under(equal)));
        facts.push((b.clone(), low.over(equal)));
    }

    /// The range of an expression where the facts hold.
    fn of(&self, expr: &Expr, facts: &mut Facts) -> Interval {
        let range = self.by_form(expr, facts);
        let said = facts.iter().filter(|(e, _)| e == expr);
        said.fold(range, |r, (_, fact)| r.and(*fact))
    }

    fn by_form(&self, expr: &Expr, facts: &mut Facts) -> Interval {
        match expr {
            Expr::Number(x) => Interval::closed(*x, *x),
            Expr::Int(x) => Interval::closed(*x as f64, *x as f64),
            Expr::Bool(_) => Interval::closed(0.0, 1.0),
            Expr::Index(id) => Interval::closed(0.0, self.most(*id) - 1.0),
            Expr::BatchSize => Interval::from(1.0),
            Expr::Read { value, otherwise, .. } => {
                let inside = self.of_value(*value);
                otherwise.as_ref().map_or(inside, |e| inside.or(self.of(e, facts)))
            }
            Expr::Unary(op, a) => unary(*op, self.of(a, facts)),
            Expr::Binary(Binary::Mul, a, b) if a == b => self.of(a, facts).power(2.0),
            // The larger or smaller of a number and its opposite is its size, or the opposite of that.
            Expr::Binary(Binary::Max, a, b) if opposite(a, b) => self.of(a, facts).abs(),
            Expr::Binary(Binary::Min, a, b) if opposite(a, b) => self.of(a, facts).abs().neg(),
            // Of an exponential and its inverse one is at least 1.
            Expr::Binary(Binary::Add, a, b) if inverse(a, b) => Interval::from(1.0),
            Expr::Binary(op, a, b) => {
                let (a, b) = (self.of(a, facts), self.of(b, facts));
                binary(*op, a, b)
            }
            Expr::Select(c, a, b) => {
                let then = self.under(c, true, facts, |f| self.of(a, f));
                then.or(self.under(c, false, facts, |f| self.of(b, f)))
            }
            Expr::Reduce { op, over, body } => {
                let body = self.of(body, facts);
                self.reduced(*op, over, body)
            }
        }
    }

    fn reduced(&self, op: ReduceOp, over: &[IndexId], body: Interval) -> Interval {
        let fixed = |id: &IndexId| matches!(self.pass.indices[id.0 as usize].extent, Extent::Fixed(_));
        let most: f64 = over.iter().map(|id| self.most(*id)).product();
        match op {
            ReduceOp::Sum if over.iter().all(fixed) => body.sum(most, most),
            ReduceOp::Sum => body.sum(1.0, f64::INFINITY),
            ReduceOp::Mean | ReduceOp::Max | ReduceOp::Min => body,
            ReduceOp::Prod if body.is_at_least(1.0) => Interval::from(1.0),
            ReduceOp::Prod if body.is_at_least(0.0) => Interval::from(0.0),
            ReduceOp::Prod => Interval::ALL,
            ReduceOp::Argmax => Interval::closed(0.0, most - 1.0),
            ReduceOp::Any | ReduceOp::All => Interval::closed(0.0, 1.0),
            ReduceOp::Logsumexp => body.over(true),
        }
    }

    /// The extent of an index, or no bound.
    fn most(&self, id: IndexId) -> f64 {
        match self.pass.indices[id.0 as usize].extent {
            Extent::Fixed(n) => n as f64,
            Extent::Batch => f64::INFINITY,
        }
    }

    fn of_value(&self, id: ValueId) -> Interval {
        if let Some(known) = self.known.borrow().get(&id) {
            return *known;
        }
        self.known.borrow_mut().insert(id, Interval::ALL);
        let value = self.pass.v(id);
        let range = match &value.definition {
            Definition::Indexed { value, .. } => self.of(value, &mut vec![]),
            Definition::Accumulate { value, .. } => {
                // Some positions get nothing, others much.
                self.of(value, &mut vec![]).sum(0.0, f64::INFINITY)
            }
            Definition::Draw { distribution: Distribution::Uniform, .. } => Interval::half_open(0.0, 1.0),
            Definition::Listed(values) => Interval::closed(
                values.iter().copied().fold(f64::INFINITY, f64::min),
                values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            ),
            _ => match value.ty.element {
                Element::Class(n) => Interval::closed(0.0, n as f64 - 1.0),
                Element::Sample => Interval::from(0.0),
                Element::Bool => Interval::closed(0.0, 1.0),
                Element::Number => Interval::ALL,
            },
        };
        self.known.borrow_mut().insert(id, range);
        range
    }
}

fn opposite(a: &Expr, b: &Expr) -> bool {
    let negated = |x: &Expr, of: &Expr| matches!(x, Expr::Unary(Unary::Neg, y) if **y == *of);
    negated(a, b) || negated(b, a)
}

fn inverse(a: &Expr, b: &Expr) -> bool {
    matches!((a, b), (Expr::Unary(Unary::Exp, x), Expr::Unary(Unary::Exp, y)) if opposite(x, y))
}

fn unary(op: Unary, a: Interval) -> Interval {
    match op {
        Unary::Neg => a.neg(),
        Unary::Abs => a.abs(),
        Unary::Exp => a.exp(),
        // Below -17 it is -1 in 32 bits.
        Unary::Expm1 => a.grown(|x| if x < -17.0 { -1.0 } else { x.exp_m1() }),
        Unary::Log if a.is_at_least(0.0) => a.grown(f64::ln),
        Unary::Log1p if a.is_at_least(-1.0) => a.grown(f64::ln_1p),
        Unary::Sqrt if a.is_at_least(0.0) => a.grown(f64::sqrt),
        Unary::Log | Unary::Log1p => Interval::ALL,
        Unary::Sqrt => Interval::from(0.0),
        // Beyond 10 it is 1 in 32 bits.
        Unary::Tanh => a.grown(|x| if x.abs() > 9.0 { x.signum() } else { x.tanh() }),
        Unary::Erf => Interval::closed(-1.0, 1.0),
        Unary::Sin | Unary::Cos => Interval::closed(-1.0, 1.0),
        Unary::Floor => Interval::from(a.low().floor()),
        Unary::Ceil | Unary::Round => Interval::from(a.low().round().min(a.low().ceil())),
        Unary::Not => Interval::closed(0.0, 1.0),
        Unary::ToFloat | Unary::Detach => a,
    }
}

fn binary(op: Binary, a: Interval, b: Interval) -> Interval {
    match op {
        Binary::Add => a.plus(b),
        Binary::Sub => a.plus(b.neg()),
        Binary::Mul => a.times(b),
        Binary::Div => a.times(b.inverse()),
        Binary::ZeroOrProduct => a.times(b).or(Interval::closed(0.0, 0.0)),
        Binary::ZeroOrQuotient => a.times(b.inverse()).or(Interval::closed(0.0, 0.0)),
        Binary::Pow => match b {
            fixed if fixed == Interval::closed(fixed.low(), fixed.low()) => a.power(fixed.low()),
            _ if a.is_above(0.0) => Interval::POSITIVE,
            _ => Interval::ALL,
        },
        Binary::Max => a.max(b),
        Binary::Min => a.min(b),
        Binary::FloorDiv => Interval::from(a.times(b.inverse()).low().floor()),
        Binary::Mod => Interval::from(0.0).and(b.under(false)),
        Binary::Eq | Binary::Lt | Binary::Le | Binary::And | Binary::Or => Interval::closed(0.0, 1.0),
    }
}
