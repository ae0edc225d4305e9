//! What a number that changes over a run, such as a schedule, is at the first update and at the last.

use crate::ir::evaluate;
use crate::typed::{Definition, Expr, Pass, Supplied};

/// An end of a run.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Moment {
    /// The first update.
    First,
    /// The last update.
    Last,
}

/// How long a run may be: what is true of a short one and a long one is said.
const LENGTHS: [f64; 2] = [10.0, 1e6];

/// The value at a moment, if it is computed from the number of the update alone, for runs of the lengths above.
pub(super) fn values(pass: &Pass, expr: &Expr, moment: Moment) -> Option<[f64; 2]> {
    let [short, long] = LENGTHS.map(|steps| {
        let step = if moment == Moment::First { 1.0 } else { steps };
        At { pass, step, steps }.value(expr)
    });
    Some([short?, long?])
}

struct At<'p> {
    pass: &'p Pass,
    step: f64,
    steps: f64,
}

impl At<'_> {
    fn value(&self, expr: &Expr) -> Option<f64> {
        match expr {
            Expr::Number(x) => Some(*x),
            Expr::Int(n) => Some(*n as f64),
            Expr::Bool(b) => Some(f64::from(u8::from(*b))),
            Expr::Read { value, at, .. } if at.is_empty() => match &self.pass.v(*value).definition {
                Definition::Indexed { value, .. } => self.value(value),
                Definition::Supplied(Supplied::Step) => Some(self.step),
                Definition::Supplied(Supplied::Steps) => Some(self.steps),
                _ => None,
            },
            Expr::Unary(op, a) => Some(evaluate::unary(*op, self.value(a)?)),
            Expr::Binary(op, a, b) => evaluate::binary(*op, self.value(a)?, self.value(b)?),
            Expr::Select(c, a, b) => self.value(if self.value(c)? == 0.0 { b } else { a }),
            Expr::Index(_) | Expr::BatchSize | Expr::Read { .. } | Expr::Reduce { .. } => None,
        }
    }
}
