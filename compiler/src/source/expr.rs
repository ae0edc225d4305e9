//! Scalar expressions of the IR as syntax.

use super::names::Names;
use crate::ir::{ExprId, Module, Node, TensorId};
use crate::scalar::{Binary, Kind, Unary};
use grammar::ast::{Arg, BinaryOp, Expr, ExprKind, IndexArg, UnaryOp};
use grammar::span::Span;

/// Expressions of one definition.
pub struct Indexed<'m> {
    m: &'m Module,
    names: &'m Names,
    indices: Vec<String>,
}

/// An expression of that form.
pub fn of(kind: ExprKind) -> Expr {
    Expr { kind, span: Span::default() }
}

/// A name.
pub fn name(text: &str) -> Expr {
    of(ExprKind::Name(text.to_string()))
}

/// A whole number.
pub fn whole(n: i64) -> Expr {
    let size = of(ExprKind::Number { value: n.unsigned_abs() as f64, text: n.unsigned_abs().to_string() });
    if n < 0 { minus(size) } else { size }
}

/// A real number, with all the digits that tell it from others.
pub fn number(x: f64) -> Expr {
    if x.is_nan() {
        let inf = || name("inf");
        return of(ExprKind::Paren(Box::new(binary(BinaryOp::Sub, inf(), inf()))));
    }
    let size = x.abs();
    let positive = if size.is_infinite() {
        name("inf")
    } else {
        let plain = size == 0.0 || (1e-4..1e9).contains(&size);
        let text = if plain { format!("{size}") } else { format!("{size:e}") };
        of(ExprKind::Number { value: size, text })
    };
    if x.is_sign_negative() && x != 0.0 { minus(positive) } else { positive }
}

fn minus(value: Expr) -> Expr {
    of(ExprKind::Unary { op: UnaryOp::Neg, value: Box::new(value) })
}

/// An operator between two expressions.
pub fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    of(ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) })
}

/// A choice per element.
pub fn select(condition: Expr, then: Expr, otherwise: Expr) -> Expr {
    let (condition, then, otherwise) = (Box::new(condition), Box::new(then), Box::new(otherwise));
    of(ExprKind::Select { condition, then, otherwise })
}

/// A call by name.
pub fn call(callee: &str, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(|value| Arg { name: None, value }).collect();
    of(ExprKind::Call { callee: Box::new(name(callee)), args })
}

/// Whether reads in the expression tell that variable `v` runs over `extent`: it stands alone in
/// one that is not guarded, and in none of another extent.
pub fn tells(m: &Module, value: ExprId, v: u32, extent: usize) -> bool {
    let mut found = false;
    for id in m.reachable(&[value]) {
        let Node::Read { tensor, at, otherwise: None } = m.node(id) else { continue };
        for (p, n) in at.iter().zip(&m.t(*tensor).shape) {
            if *m.node(*p) == Node::Var(v) {
                if *n != extent {
                    return false;
                }
                found = true;
            }
        }
    }
    found
}

impl<'m> Indexed<'m> {
    /// Expressions over `count` variables.
    pub fn new(m: &'m Module, names: &'m Names, count: usize) -> Self {
        Self { m, names, indices: (0..count as u32).map(|v| names.index(v)).collect() }
    }

    /// The name of a variable.
    pub fn text(&self, v: u32) -> String {
        self.indices.get(v as usize).cloned().unwrap_or_else(|| self.names.index(v))
    }

    /// A variable.
    pub fn index(&self, v: u32) -> Expr {
        name(&self.text(v))
    }

    /// An expression.
    pub fn expr(&self, id: ExprId) -> Expr {
        match self.m.node(id) {
            Node::Float(bits) => number(f64::from_bits(*bits)),
            Node::Int(n) => whole(*n),
            Node::Bool(b) => of(ExprKind::Bool(*b)),
            Node::Var(v) => self.index(*v),
            Node::Read { tensor, at, otherwise } => self.read(*tensor, at, *otherwise),
            Node::Unary(op, a) => self.unary(*op, *a),
            Node::Binary(op, a, b) => self.binary(*op, *a, *b),
            Node::Select(c, a, b) => select(self.expr(*c), self.expr(*a), self.expr(*b)),
        }
    }

    fn read(&self, tensor: TensorId, at: &[ExprId], otherwise: Option<ExprId>) -> Expr {
        let base = name(self.names.tensor(tensor));
        if at.is_empty() {
            return base;
        }
        let at = at.iter().map(|p| IndexArg::Expr(self.expr(*p))).collect();
        let read = of(ExprKind::Index { base: Box::new(base), at });
        match otherwise {
            None => read,
            // A guard ends at its alternative; the brackets tell the reader so.
            Some(o) => {
                let guarded = ExprKind::Guarded { read: Box::new(read), otherwise: Box::new(self.expr(o)) };
                of(ExprKind::Paren(Box::new(of(guarded))))
            }
        }
    }

    fn unary(&self, op: Unary, a: ExprId) -> Expr {
        let value = self.expr(a);
        match op {
            Unary::Neg => minus(value),
            Unary::Not => of(ExprKind::Unary { op: UnaryOp::Not, value: Box::new(value) }),
            Unary::ToFloat if self.m.kind(a) == Kind::Bool => select(value, number(1.0), number(0.0)),
            // Whole numbers become real ones where they meet them.
            Unary::ToFloat => value,
            _ => call(op.name(), vec![value]),
        }
    }

    fn binary(&self, op: Binary, a: ExprId, b: ExprId) -> Expr {
        let (left, right) = (self.expr(a), self.expr(b));
        let op = match op {
            Binary::Max | Binary::Min | Binary::ZeroOrProduct | Binary::ZeroOrQuotient => {
                return call(op.name(), vec![left, right]);
            }
            Binary::FloorDiv => return call("floor", vec![binary(BinaryOp::Div, left, right)]),
            Binary::Add => return sum(left, right),
            Binary::Sub => BinaryOp::Sub,
            Binary::Mul => BinaryOp::Mul,
            Binary::Div => BinaryOp::Div,
            Binary::Pow => BinaryOp::Pow,
            Binary::Mod => BinaryOp::Mod,
            Binary::Eq => BinaryOp::Eq,
            Binary::Lt => BinaryOp::Lt,
            Binary::Le => BinaryOp::Le,
            Binary::And => BinaryOp::And,
            Binary::Or => BinaryOp::Or,
        };
        binary(op, left, right)
    }
}

/// `a + b`, or `a - c` where b is `-c`.
fn sum(left: Expr, right: Expr) -> Expr {
    match right.kind {
        ExprKind::Unary { op: UnaryOp::Neg, value } => binary(BinaryOp::Sub, left, *value),
        kind => binary(BinaryOp::Add, left, Expr { kind, ..right }),
    }
}
