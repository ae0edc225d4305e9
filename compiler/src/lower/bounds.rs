//! Whether the reads of an expression stay inside their tensors whatever the conditions around it
//! say. A reduction that stands under `if c then ..` is computed for every element once it is a
//! definition of its own; where its reads rely on `c`, the condition must go along.

use crate::scalar::{Binary, Unary};
use crate::typed::{Element, Expr, Extent, Pass};

/// An inclusive integer interval.
#[derive(Clone, Copy)]
struct Interval(i64, i64);

/// True if every unguarded read in `expr` is inside for all values of the indices.
pub fn reads_are_inside(pass: &Pass, expr: &Expr) -> bool {
    match expr {
        Expr::Read { value, at, otherwise } => {
            let guarded = otherwise.is_some();
            at.iter().all(|p| reads_are_inside(pass, p))
                && otherwise.as_ref().is_none_or(|e| reads_are_inside(pass, e))
                && (guarded || positions_fit(pass, *value, at))
        }
        Expr::Unary(_, a) => reads_are_inside(pass, a),
        Expr::Binary(_, a, b) => reads_are_inside(pass, a) && reads_are_inside(pass, b),
        Expr::Select(c, a, b) => [c, a, b].iter().all(|e| reads_are_inside(pass, e)),
        Expr::Reduce { body, .. } => reads_are_inside(pass, body),
        Expr::Number(_) | Expr::Int(_) | Expr::Bool(_) | Expr::Index(_) | Expr::BatchSize => true,
    }
}

/// Whether each position lies inside its axis; the sample position is inside by construction.
fn positions_fit(pass: &Pass, value: crate::typed::ValueId, at: &[Expr]) -> bool {
    let ty = &pass.v(value).ty;
    let skip = usize::from(ty.per_sample);
    at.iter()
        .skip(skip)
        .zip(&ty.dims)
        .all(|(p, extent)| interval(pass, p).is_some_and(|Interval(low, high)| low >= 0 && high < *extent as i64))
}

/// The range of an Int expression, if it is plain enough to tell.
fn interval(pass: &Pass, expr: &Expr) -> Option<Interval> {
    match expr {
        Expr::Int(v) => Some(Interval(*v, *v)),
        Expr::Index(id) => match pass.indices[id.0 as usize].extent {
            Extent::Fixed(n) => Some(Interval(0, n as i64 - 1)),
            Extent::Batch => None,
        },
        Expr::Read { value, otherwise: None, .. } => match pass.v(*value).ty.element {
            Element::Class(n) => Some(Interval(0, n as i64 - 1)),
            _ => None,
        },
        Expr::Unary(Unary::Neg, a) => interval(pass, a).map(|Interval(low, high)| Interval(-high, -low)),
        Expr::Binary(op, a, b) => combine(*op, interval(pass, a)?, interval(pass, b)?),
        _ => None,
    }
}

fn combine(op: Binary, a: Interval, b: Interval) -> Option<Interval> {
    let (Interval(al, ah), Interval(bl, bh)) = (a, b);
    Some(match op {
        Binary::Add => Interval(al + bl, ah + bh),
        Binary::Sub => Interval(al - bh, ah - bl),
        Binary::Mul => {
            let products = [al * bl, al * bh, ah * bl, ah * bh];
            Interval(products.into_iter().min()?, products.into_iter().max()?)
        }
        Binary::FloorDiv if bl == bh && bl > 0 => Interval(al.div_euclid(bl), ah.div_euclid(bl)),
        Binary::Mod if bl == bh && bl > 0 => Interval(0, bl - 1),
        Binary::Max => Interval(al.max(bl), ah.max(bh)),
        Binary::Min => Interval(al.min(bl), ah.min(bh)),
        _ => return None,
    })
}
