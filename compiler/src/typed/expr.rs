//! Scalar expressions of the typed tree: construction with the obvious simplifications, free
//! indices, substitution.

use crate::scalar::{Binary, Kind, Unary};
use crate::typed::{Expr, IndexId};

/// A constant of the given kind.
pub fn literal(value: f64, kind: Kind) -> Expr {
    match kind {
        Kind::Float => Expr::Number(value),
        Kind::Int => Expr::Int(value as i64),
        Kind::Bool => Expr::Bool(value != 0.0),
    }
}

/// `f(a)`, constants folded where that is exact.
pub fn unary(op: Unary, a: Expr) -> Expr {
    match (op, a) {
        (Unary::Neg, Expr::Number(v)) => Expr::Number(-v),
        (Unary::Neg, Expr::Int(v)) => Expr::Int(-v),
        (Unary::Not, Expr::Bool(v)) => Expr::Bool(!v),
        (Unary::ToFloat, Expr::Int(v)) => Expr::Number(v as f64),
        (Unary::ToFloat, Expr::Bool(v)) => Expr::Number(f64::from(u8::from(v))),
        (op, a) => Expr::Unary(op, Box::new(a)),
    }
}

/// `f(a, b)`; integer constants are folded, and neutral elements dropped.
pub fn binary(op: Binary, a: Expr, b: Expr) -> Expr {
    use Binary as B;
    match (op, &a, &b) {
        (B::Add, Expr::Int(x), Expr::Int(y)) => return Expr::Int(x.saturating_add(*y)),
        (B::Sub, Expr::Int(x), Expr::Int(y)) => return Expr::Int(x.saturating_sub(*y)),
        (B::Mul, Expr::Int(x), Expr::Int(y)) => return Expr::Int(x.saturating_mul(*y)),
        (B::Add, Expr::Int(0), _) => return b,
        (B::Mul, Expr::Int(1), _) => return b,
        (B::Add | B::Sub, _, Expr::Int(0)) | (B::Mul | B::FloorDiv, _, Expr::Int(1)) => return a,
        (B::Add, Expr::Number(x), _) if *x == 0.0 => return b,
        (B::Mul, Expr::Number(x), _) if *x == 1.0 => return b,
        (B::Add | B::Sub, _, Expr::Number(y)) if *y == 0.0 => return a,
        (B::Mul | B::Div, _, Expr::Number(y)) if *y == 1.0 => return a,
        (B::Add, Expr::Number(x), Expr::Number(y)) => return Expr::Number(x + y),
        (B::Sub, Expr::Number(x), Expr::Number(y)) => return Expr::Number(x - y),
        (B::Mul, Expr::Number(x), Expr::Number(y)) => return Expr::Number(x * y),
        (B::Div, Expr::Number(x), Expr::Number(y)) => return Expr::Number(x / y),
        _ => {}
    }
    Expr::Binary(op, Box::new(a), Box::new(b))
}

/// What is written with whole numbers, as a whole number: literals and whole numbers, and choices among them.
pub fn whole(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::Int(_) => Some(expr.clone()),
        Expr::Number(v) if v.fract() == 0.0 && v.abs() < f64::from(i32::MAX) => Some(Expr::Int(*v as i64)),
        Expr::Unary(Unary::ToFloat, a) => Some((**a).clone()),
        Expr::Select(c, a, b) => Some(Expr::Select(c.clone(), Box::new(whole(a)?), Box::new(whole(b)?))),
        _ => None,
    }
}

/// Calls `f` on each direct operand.
pub fn operands<'e>(expr: &'e Expr, f: &mut dyn FnMut(&'e Expr)) {
    match expr {
        Expr::Number(_) | Expr::Int(_) | Expr::Bool(_) | Expr::Index(_) | Expr::BatchSize => {}
        Expr::Read { at, otherwise, .. } => {
            at.iter().for_each(&mut *f);
            if let Some(e) = otherwise {
                f(e);
            }
        }
        Expr::Unary(_, a) | Expr::Reduce { body: a, .. } => f(a),
        Expr::Binary(_, a, b) => {
            f(a);
            f(b);
        }
        Expr::Select(c, a, b) => {
            f(c);
            f(a);
            f(b);
        }
    }
}

/// The same expression with each direct operand replaced.
pub fn rebuild(expr: &Expr, f: &mut dyn FnMut(&Expr) -> Expr) -> Expr {
    match expr {
        Expr::Number(_) | Expr::Int(_) | Expr::Bool(_) | Expr::Index(_) | Expr::BatchSize => expr.clone(),
        Expr::Read { value, at, otherwise } => Expr::Read {
            value: *value,
            at: at.iter().map(&mut *f).collect(),
            otherwise: otherwise.as_ref().map(|e| Box::new(f(e))),
        },
        Expr::Unary(op, a) => unary(*op, f(a)),
        Expr::Binary(op, a, b) => {
            let a = f(a);
            binary(*op, a, f(b))
        }
        Expr::Select(c, a, b) => {
            let (c, a) = (f(c), f(a));
            Expr::Select(Box::new(c), Box::new(a), Box::new(f(b)))
        }
        Expr::Reduce { op, over, body } => Expr::Reduce { op: *op, over: over.clone(), body: Box::new(f(body)) },
    }
}

/// Replaces indices. Bound indices are unique in a pass, so nothing can be captured.
pub fn substitute(expr: &Expr, map: &[(IndexId, Expr)]) -> Expr {
    if map.is_empty() {
        return expr.clone();
    }
    match expr {
        Expr::Index(id) => map.iter().find(|m| m.0 == *id).map_or_else(|| expr.clone(), |m| m.1.clone()),
        _ => rebuild(expr, &mut |e| substitute(e, map)),
    }
}

/// The free indices, in order of first appearance.
pub fn free(expr: &Expr) -> Vec<IndexId> {
    fn walk(expr: &Expr, bound: &mut Vec<IndexId>, out: &mut Vec<IndexId>) {
        match expr {
            Expr::Index(id) if !bound.contains(id) && !out.contains(id) => out.push(*id),
            Expr::Reduce { over, body, .. } => {
                let depth = bound.len();
                bound.extend(over);
                walk(body, bound, out);
                bound.truncate(depth);
            }
            _ => operands(expr, &mut |e| walk(e, bound, out)),
        }
    }
    let mut out = vec![];
    walk(expr, &mut vec![], &mut out);
    out
}

/// Whether it is cheap enough to be written out at each use: a few nodes, no reduction.
pub fn is_small(expr: &Expr) -> bool {
    fn count(expr: &Expr, left: &mut usize) {
        if matches!(expr, Expr::Reduce { .. }) || *left == 0 {
            *left = 0;
            return;
        }
        *left -= 1;
        operands(expr, &mut |e| count(e, left));
    }
    let mut left = 12;
    count(expr, &mut left);
    left > 0
}
