//! Expressions of a definition as values with an axis for each variable they depend on.

use super::Export;
use super::proto::{Attribute, Type};
use crate::ir::{Def, ExprId, Node};
use crate::scalar::{Binary, Kind, Unary};
use std::collections::BTreeMap;

/// A value; its axes are these variables, ascending.
#[derive(Clone, Debug)]
pub struct Term {
    /// Its name in the graph.
    pub name: String,
    /// Its axes.
    pub vars: Vec<u32>,
}

/// The expressions of one definition.
pub struct Scope<'e, 'a> {
    /// Where nodes go.
    pub export: &'e mut Export<'a>,
    /// The definition.
    pub def: &'e Def,
    /// Expressions seen before.
    seen: BTreeMap<ExprId, Term>,
}

impl<'e, 'a> Scope<'e, 'a> {
    /// Of a definition.
    pub fn new(export: &'e mut Export<'a>, def: &'e Def) -> Self {
        Self { export, def, seen: BTreeMap::new() }
    }

    /// The extent of a variable.
    pub fn extent(&self, v: u32) -> usize {
        self.def.domain[v as usize]
    }

    pub(super) fn extents(&self, vars: &[u32]) -> Vec<usize> {
        vars.iter().map(|v| self.extent(*v)).collect()
    }

    pub(super) fn node(&mut self, op: &str, inputs: &[&str]) -> String {
        self.export.graph.node(op, inputs, &[])
    }

    /// An expression's value.
    ///
    /// # Errors
    /// What cannot be said; so do the following.
    pub fn value(&mut self, id: ExprId) -> Result<Term, String> {
        if let Some(term) = self.seen.get(&id) {
            return Ok(term.clone());
        }
        let term = self.compute(id)?;
        self.seen.insert(id, term.clone());
        Ok(term)
    }

    fn compute(&mut self, id: ExprId) -> Result<Term, String> {
        let single = |name: String| Term { name, vars: vec![] };
        Ok(match self.export.module.node(id).clone() {
            Node::Float(bits) => single(self.export.graph.float(f64::from_bits(bits))),
            Node::Int(n) => single(self.export.graph.ints(&[], &[n])),
            Node::Bool(b) => single(self.export.graph.bools(&[], &[b])),
            Node::Var(v) => Term { name: self.export.graph.iota(self.extent(v)), vars: vec![v] },
            Node::Read { tensor, at, otherwise } => self.read(tensor, &at, otherwise)?,
            Node::Unary(f, a) => {
                let kind = self.export.module.kind(a);
                let a = self.value(a)?;
                Term { name: self.unary(f, kind, &a.name), vars: a.vars }
            }
            Node::Binary(f, a, b) => {
                let kind = self.export.module.kind(a);
                let (a, b) = (self.value(a)?, self.value(b)?);
                self.joined(&[a, b], |scope, names| scope.binary(f, kind, &names[0], &names[1]))
            }
            Node::Select(c, a, b) => {
                let terms = [self.value(c)?, self.value(a)?, self.value(b)?];
                self.joined(&terms, |scope, n| scope.node("Where", &[&n[0], &n[1], &n[2]]))
            }
        })
    }

    /// Brings values to common axes and combines them.
    pub(super) fn joined(&mut self, terms: &[Term], f: impl FnOnce(&mut Self, &[String]) -> String) -> Term {
        let mut vars: Vec<u32> = terms.iter().flat_map(|t| t.vars.iter().copied()).collect();
        vars.sort_unstable();
        vars.dedup();
        let names: Vec<String> = terms.iter().map(|t| self.aligned(t, &vars)).collect();
        Term { name: f(self, &names), vars }
    }

    /// A value with axes of one element put in for the variables it does not depend on, but for the leading ones.
    pub fn aligned(&mut self, term: &Term, vars: &[u32]) -> String {
        let leading = vars.iter().take_while(|v| !term.vars.contains(v)).count();
        let missing: Vec<usize> =
            (leading..vars.len()).filter(|i| !term.vars.contains(&vars[*i])).map(|i| i - leading).collect();
        if missing.is_empty() || term.vars.is_empty() {
            return term.name.clone();
        }
        let axes = self.export.graph.axes(&missing);
        self.node("Unsqueeze", &[&term.name, &axes])
    }

    /// A value repeated along the variables it does not depend on.
    pub fn expanded(&mut self, term: &Term, vars: &[u32]) -> String {
        if term.vars == vars {
            return term.name.clone();
        }
        let aligned = self.aligned(term, vars);
        let shape = self.extents(vars);
        let shape = self.export.graph.shape(&shape);
        self.node("Expand", &[&aligned, &shape])
    }

    fn unary(&mut self, f: Unary, kind: Kind, a: &str) -> String {
        let op = match f {
            Unary::Neg => "Neg",
            Unary::Abs => "Abs",
            Unary::Sqrt => "Sqrt",
            Unary::Exp => "Exp",
            Unary::Log => "Log",
            Unary::Sin => "Sin",
            Unary::Cos => "Cos",
            Unary::Tanh => "Tanh",
            Unary::Erf => "Erf",
            Unary::Floor => "Floor",
            Unary::Ceil => "Ceil",
            Unary::Round => "Round",
            Unary::Not => "Not",
            Unary::Detach => return a.to_string(),
            Unary::ToFloat if kind == Kind::Float => return a.to_string(),
            Unary::ToFloat => return self.export.graph.node("Cast", &[a], &[("to", Attribute::To(Type::Float))]),
            Unary::Expm1 => return self.expm1(a),
            Unary::Log1p => return self.log1p(a),
        };
        self.node(op, &[a])
    }

    /// e^a - 1, of which a difference would keep no digit near zero. There, for t = tanh(a / 2), it is 2t / (1 - t).
    fn expm1(&mut self, a: &str) -> String {
        let (one, half) = (self.export.graph.float(1.0), self.export.graph.float(0.5));
        let halved = self.node("Mul", &[a, &half]);
        let t = self.node("Tanh", &[&halved]);
        let (twice, rest) = (self.node("Add", &[&t, &t]), self.node("Sub", &[&one, &t]));
        let near = self.node("Div", &[&twice, &rest]);
        let e = self.node("Exp", &[a]);
        let far = self.node("Sub", &[&e, &one]);
        self.near_zero(a, &near, &far)
    }

    /// log(1 + a), where the sum would lose most digits of a small number. What it loses is made good by a factor: for the
    /// sum s as rounded, a log(s) / (s - 1) (Kahan).
    fn log1p(&mut self, a: &str) -> String {
        let one = self.export.graph.float(1.0);
        let sum = self.node("Add", &[a, &one]);
        let log = self.node("Log", &[&sum]);
        let seen = self.node("Sub", &[&sum, &one]);
        let product = self.node("Mul", &[a, &log]);
        let quotient = self.node("Div", &[&product, &seen]);
        let nothing_seen = self.node("Equal", &[&sum, &one]);
        let near = self.node("Where", &[&nothing_seen, a, &quotient]);
        self.near_zero(a, &near, &log)
    }

    /// `near` where |a| < 1/2, else `far`.
    fn near_zero(&mut self, a: &str, near: &str, far: &str) -> String {
        let half = self.export.graph.float(0.5);
        let size = self.node("Abs", &[a]);
        let is_near = self.node("Less", &[&size, &half]);
        self.node("Where", &[&is_near, near, far])
    }

    /// `value`, but zero where a is.
    fn zero_where_zero(&mut self, a: &str, value: &str) -> String {
        let zero = self.export.graph.float(0.0);
        let is_zero = self.node("Equal", &[a, &zero]);
        self.node("Where", &[&is_zero, &zero, value])
    }

    fn binary(&mut self, f: Binary, kind: Kind, a: &str, b: &str) -> String {
        let op = match f {
            Binary::Add => "Add",
            Binary::Sub => "Sub",
            Binary::Mul => "Mul",
            Binary::Div => "Div",
            Binary::Pow => "Pow",
            Binary::ZeroOrProduct => {
                let product = self.node("Mul", &[a, b]);
                let product = self.zero_where_zero(a, &product);
                return self.zero_where_zero(b, &product);
            }
            Binary::ZeroOrQuotient => {
                let quotient = self.node("Div", &[a, b]);
                return self.zero_where_zero(a, &quotient);
            }
            Binary::Max => "Max",
            Binary::Min => "Min",
            Binary::Mod => "Mod",
            Binary::Eq => "Equal",
            Binary::Lt => "Less",
            Binary::Le => "LessOrEqual",
            Binary::And => "And",
            Binary::Or => "Or",
            Binary::FloorDiv => {
                let rest = self.node("Mod", &[a, b]);
                let whole = self.node("Sub", &[a, &rest]);
                return self.node("Div", &[&whole, b]);
            }
        };
        debug_assert!(f != Binary::Mod || kind == Kind::Int);
        self.node(op, &[a, b])
    }

    /// A value whose axes are these variables in any order.
    pub fn in_order(&mut self, name: String, axes: Vec<u32>) -> Term {
        let mut vars = axes.clone();
        vars.sort_unstable();
        Term { name: self.transposed(name, &axes, &vars), vars }
    }

    /// A value whose axes are brought from one order to another.
    pub fn transposed(&mut self, name: String, from: &[u32], to: &[u32]) -> String {
        if from == to {
            return name;
        }
        let place = |v: &u32| from.iter().position(|w| w == v).unwrap_or(0) as i64;
        let order = to.iter().map(place).collect();
        self.export.graph.node("Transpose", &[&name], &[("perm", Attribute::Ints(order))])
    }
}
