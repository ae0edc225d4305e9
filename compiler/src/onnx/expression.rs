//! Expressions of a definition as values with an axis for each variable they depend on.

use super::Export;
use super::proto::{Attribute, Type};
use crate::ir::{Def, ExprId, Node, TensorId};
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

/// Where a read looks along one axis of its tensor.
enum Position {
    /// At a variable that runs over the whole axis.
    Whole(u32),
    /// At positions known now, one for each point of the variables.
    Known { vars: Vec<u32>, at: Vec<i64> },
    /// At positions computed when it runs.
    Computed(Term),
}

impl Position {
    fn vars(&self) -> Vec<u32> {
        match self {
            Self::Whole(v) => vec![*v],
            Self::Known { vars, .. } => vars.clone(),
            Self::Computed(term) => term.vars.clone(),
        }
    }
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

    fn extents(&self, vars: &[u32]) -> Vec<usize> {
        vars.iter().map(|v| self.extent(*v)).collect()
    }

    fn node(&mut self, op: &str, inputs: &[&str]) -> String {
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
    fn joined(&mut self, terms: &[Term], f: impl FnOnce(&mut Self, &[String]) -> String) -> Term {
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
            Unary::Expm1 | Unary::Log1p => {
                let one = self.export.graph.float(1.0);
                return if f == Unary::Expm1 {
                    let e = self.node("Exp", &[a]);
                    self.node("Sub", &[&e, &one])
                } else {
                    let sum = self.node("Add", &[a, &one]);
                    self.node("Log", &[&sum])
                };
            }
        };
        self.node(op, &[a])
    }

    fn binary(&mut self, f: Binary, kind: Kind, a: &str, b: &str) -> String {
        let op = match f {
            Binary::Add => "Add",
            Binary::Sub => "Sub",
            Binary::Mul => "Mul",
            Binary::Div => "Div",
            Binary::Pow => "Pow",
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

    fn read(&mut self, tensor: TensorId, at: &[ExprId], otherwise: Option<ExprId>) -> Result<Term, String> {
        let module = self.export.module;
        let shape = module.t(tensor).shape.clone();
        let from = self.export.names.get(&tensor).cloned();
        let from = from.ok_or_else(|| format!("reads `{}`, which has no value", module.t(tensor).name))?;
        let mut positions = vec![];
        let mut inside: Option<Term> = None;
        for (p, extent) in at.iter().zip(&shape) {
            let position = self.position(*p, *extent)?;
            let (position, holds) =
                if otherwise.is_some() { self.clamped(position, *extent) } else { (position, None) };
            inside = match (inside, holds) {
                (Some(a), Some(b)) => Some(self.joined(&[a, b], |scope, n| scope.node("And", &[&n[0], &n[1]]))),
                (a, b) => a.or(b),
            };
            positions.push(position);
        }
        let (from, positions) = self.merged(from, positions, &shape);
        let all: Vec<u32> = positions.iter().flat_map(Position::vars).collect();
        let distinct = all.iter().all(|v| all.iter().filter(|w| *w == v).count() == 1);
        let element = if distinct { self.axis_by_axis(from, positions) } else { self.at_once(&from, positions) };
        match (inside, otherwise) {
            (Some(inside), Some(otherwise)) => {
                let otherwise = self.value(otherwise)?;
                Ok(self.joined(&[inside, element, otherwise], |scope, n| scope.node("Where", &[&n[0], &n[1], &n[2]])))
            }
            _ => Ok(element),
        }
    }

    /// Axes that are read at the digits of one variable become one axis, which it runs over.
    fn merged(&mut self, from: String, positions: Vec<Position>, shape: &[usize]) -> (String, Vec<Position>) {
        for first in 0..positions.len() {
            for past in (first + 2..=positions.len()).rev() {
                let Some(v) = self.digits(&positions[first..past], &shape[first..past]) else { continue };
                // Zeros keep the extents before; those after the first are never the number of samples.
                let dims = vec![0; first].into_iter().chain([self.extent(v) as i64]);
                let dims: Vec<i64> = dims.chain(shape[past..].iter().map(|d| *d as i64)).collect();
                let dims = self.export.graph.ints(&[dims.len()], &dims);
                let name = self.node("Reshape", &[&from, &dims]);
                let mut kept = positions;
                kept.splice(first..past, [Position::Whole(v)]);
                return (name, kept);
            }
        }
        (from, positions)
    }

    /// The variable whose row-major digits the positions are.
    fn digits(&self, positions: &[Position], shape: &[usize]) -> Option<u32> {
        let [Position::Known { vars, .. }, ..] = positions else { return None };
        let [v] = vars[..] else { return None };
        let mut numbers = vec![0; self.extent(v)];
        for (position, extent) in positions.iter().zip(shape) {
            let Position::Known { vars, at } = position else { return None };
            if vars[..] != [v] {
                return None;
            }
            numbers.iter_mut().zip(at).for_each(|(n, digit)| *n = *n * *extent as i64 + digit);
        }
        let whole = shape.iter().product::<usize>() == self.extent(v);
        (whole && numbers.iter().copied().eq(0..self.extent(v) as i64)).then_some(v)
    }

    fn position(&mut self, p: ExprId, extent: usize) -> Result<Position, String> {
        if let Node::Var(v) = *self.export.module.node(p)
            && self.extent(v) == extent
        {
            return Ok(Position::Whole(v));
        }
        let mut vars: Vec<u32> = self.export.module.variables(p).iter().copied().collect();
        vars.sort_unstable();
        let extents = self.extents(&vars);
        if !extents.iter().any(|e| self.export.graph.is_any(*e)) {
            let points: usize = extents.iter().product();
            let known: Option<Vec<i64>> = (0..points).map(|n| self.known(p, &vars, &point(n, &extents))).collect();
            if let Some(at) = known {
                return Ok(Position::Known { vars, at });
            }
        }
        Ok(Position::Computed(self.value(p)?))
    }

    /// The value of an integer expression that reads nothing, at a point of some variables.
    fn known(&self, id: ExprId, vars: &[u32], point: &[i64]) -> Option<i64> {
        match self.export.module.node(id) {
            Node::Int(n) => Some(*n),
            Node::Var(v) => vars.iter().position(|w| w == v).map(|i| point[i]),
            Node::Unary(Unary::Neg, a) => Some(-self.known(*a, vars, point)?),
            Node::Binary(f, a, b) => {
                let (a, b) = (self.known(*a, vars, point)?, self.known(*b, vars, point)?);
                match f {
                    Binary::Add => Some(a + b),
                    Binary::Sub => Some(a - b),
                    Binary::Mul => Some(a * b),
                    Binary::Max => Some(a.max(b)),
                    Binary::Min => Some(a.min(b)),
                    Binary::FloorDiv if b > 0 => Some(a.div_euclid(b)),
                    Binary::Mod if b > 0 => Some(a.rem_euclid(b)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// A position brought inside, and where it was inside, unless it is everywhere.
    fn clamped(&mut self, position: Position, extent: usize) -> (Position, Option<Term>) {
        let last = extent as i64 - 1;
        match position {
            Position::Whole(_) => (position, None),
            Position::Known { vars, at } => {
                let holds: Vec<bool> = at.iter().map(|p| (0..=last).contains(p)).collect();
                if holds.iter().all(|h| *h) {
                    return (Position::Known { vars, at }, None);
                }
                let name = self.export.graph.bools(&self.extents(&vars), &holds);
                let inside = at.iter().map(|p| (*p).clamp(0, last)).collect();
                (Position::Known { vars: vars.clone(), at: inside }, Some(Term { name, vars }))
            }
            Position::Computed(Term { name, vars }) => {
                let [zero, last, past] = [0, last, extent as i64].map(|n| self.export.graph.ints(&[], &[n]));
                let (low, high) = (self.node("LessOrEqual", &[&zero, &name]), self.node("Less", &[&name, &past]));
                let holds = self.node("And", &[&low, &high]);
                let above = self.node("Max", &[&name, &zero]);
                let inside = self.node("Min", &[&above, &last]);
                (Position::Computed(Term { name: inside, vars: vars.clone() }), Some(Term { name: holds, vars }))
            }
        }
    }

    /// The positions as a value.
    fn index(&mut self, position: &Position) -> Term {
        match position {
            Position::Whole(v) => Term { name: self.export.graph.iota(self.extent(*v)), vars: vec![*v] },
            Position::Known { vars, at } => {
                Term { name: self.export.graph.ints(&self.extents(vars), at), vars: vars.clone() }
            }
            Position::Computed(term) => term.clone(),
        }
    }

    /// A read whose axes depend on different variables: gathered one after the other, then put in order.
    fn axis_by_axis(&mut self, from: String, positions: Vec<Position>) -> Term {
        let mut name = from;
        for (axis, position) in positions.iter().enumerate().rev() {
            if !matches!(position, Position::Whole(_)) {
                let index = self.index(position);
                let axis = [("axis", Attribute::Int(axis as i64))];
                name = self.export.graph.node("Gather", &[&name, &index.name], &axis);
            }
        }
        let axes: Vec<u32> = positions.iter().flat_map(Position::vars).collect();
        self.in_order(name, axes)
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

    /// A read whose positions share variables.
    fn at_once(&mut self, from: &str, positions: Vec<Position>) -> Term {
        let terms: Vec<Term> = positions.iter().map(|p| self.index(p)).collect();
        let (index, vars) = self.indices(&terms);
        Term { name: self.node("GatherND", &[from, &index]), vars }
    }

    /// Positions side by side along a last axis, for all points of the variables they depend on.
    fn indices(&mut self, terms: &[Term]) -> (String, Vec<u32>) {
        let mut vars: Vec<u32> = terms.iter().flat_map(|t| t.vars.iter().copied()).collect();
        vars.sort_unstable();
        vars.dedup();
        (self.indices_over(terms, &vars), vars)
    }

    fn indices_over(&mut self, terms: &[Term], vars: &[u32]) -> String {
        let last = self.export.graph.axes(&[vars.len()]);
        let columns: Vec<String> = terms
            .iter()
            .map(|t| {
                let whole = self.expanded(t, vars);
                self.node("Unsqueeze", &[&whole, &last])
            })
            .collect();
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        self.export.graph.node("Concat", &columns, &[("axis", Attribute::Int(vars.len() as i64))])
    }

    /// Values added into a tensor of zeros.
    pub fn scatter(&mut self, at: &[ExprId], dropping: bool, value: Term) -> Result<String, String> {
        let shape = self.export.module.t(self.def.target).shape.clone();
        let all: Vec<u32> = (0..self.def.domain.len() as u32).collect();
        let (mut terms, mut value) = (vec![], value);
        for (p, extent) in at.iter().zip(&shape) {
            let position = self.position(*p, *extent)?;
            let (position, holds) = if dropping { self.clamped(position, *extent) } else { (position, None) };
            terms.push(self.index(&position));
            if let Some(holds) = holds {
                let nothing = Term { name: self.export.graph.float(0.0), vars: vec![] };
                value = self.joined(&[holds, value, nothing], |scope, n| scope.node("Where", &[&n[0], &n[1], &n[2]]));
            }
        }
        let index = self.indices_over(&terms, &all);
        let value = self.expanded(&value, &all);
        let zero = self.export.graph.float(0.0);
        let shape = self.export.graph.shape(&shape);
        let zeros = self.node("Expand", &[&zero, &shape]);
        let how = [("reduction", Attribute::Text("add"))];
        Ok(self.export.graph.node("ScatterND", &[&zeros, &index, &value], &how))
    }
}

/// The coordinates of a row-major number.
fn point(mut number: usize, extents: &[usize]) -> Vec<i64> {
    let mut at = vec![0; extents.len()];
    for (place, extent) in at.iter_mut().zip(extents).rev() {
        *place = (number % extent) as i64;
        number /= extent;
    }
    at
}
