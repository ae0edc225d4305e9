//! Definitions as nodes.

use super::Export;
use super::expression::{Scope, Term};
use super::proto::{Attribute, Type};
use crate::ir::{Combine, Def};
use crate::optimise::contraction::{Contraction, contraction};
use crate::scalar::Kind;

impl Export<'_> {
    /// Adds a definition.
    ///
    /// # Errors
    /// What cannot be said.
    pub fn definition(&mut self, def: &Def) -> Result<(), String> {
        let rank = self.module.t(def.target).shape.len() as u32;
        let kind = self.module.kind(def.value);
        let mut scope = Scope::new(self, def);
        let name = match &def.scatter {
            Some(scatter) => {
                let value = scope.value(def.value)?;
                scope.scatter(&scatter.at, scatter.dropping, value)?
            }
            None => {
                let targets: Vec<u32> = (0..rank).collect();
                let seen = contraction(scope.export.module, def);
                let term = match seen.as_ref().and_then(|s| scope.convolution(s)) {
                    Some(term) => term,
                    None => match &seen {
                        Some(seen) => scope.product(seen)?,
                        None => {
                            let value = scope.value(def.value)?;
                            scope.reduced(value, rank, kind)
                        }
                    },
                };
                scope.expanded(&term, &targets)
            }
        };
        self.names.insert(def.target, name);
        Ok(())
    }
}

impl Scope<'_, '_> {
    /// A sum of products: of matrices where each group of variables is one, else by formula.
    fn product(&mut self, seen: &Contraction) -> Result<Term, String> {
        let (a, b) = (self.value(seen.a.expr)?, self.value(seen.b.expr)?);
        let one = |group: &[u32]| group.len() == 1;
        let joint: Vec<u32> = seen.batch.iter().copied().filter(|v| a.vars.contains(v) && b.vars.contains(v)).collect();
        let whole = a.vars.len() == joint.len() + 2 && b.vars.len() == joint.len() + 2;
        if one(&seen.m) && one(&seen.n) && one(&seen.k) && whole {
            let order = |first: u32, last: u32| [joint.as_slice(), &[first, last]].concat();
            let (m, n, k) = (seen.m[0], seen.n[0], seen.k[0]);
            let left = self.transposed(a.name, &a.vars, &order(m, k));
            let right = self.transposed(b.name, &b.vars, &order(k, n));
            let product = self.export.graph.node("MatMul", &[&left, &right], &[]);
            return Ok(self.in_order(product, order(m, n)));
        }
        let letters = |vars: &[u32]| vars.iter().map(|v| char::from(b'a' + *v as u8)).collect::<String>();
        if self.def.domain.len() > 26 {
            return Err("a sum over more than 26 indices".to_string());
        }
        let kept = |v: &u32| !seen.k.contains(v) && (a.vars.contains(v) || b.vars.contains(v));
        let vars: Vec<u32> = (0..self.def.domain.len() as u32).filter(kept).collect();
        let formula = format!("{},{}->{}", letters(&a.vars), letters(&b.vars), letters(&vars));
        let formula = [("equation", Attribute::Formula(formula))];
        Ok(Term { name: self.export.graph.node("Einsum", &[&a.name, &b.name], &formula), vars })
    }

    /// Combines over the variables from `rank` on.
    fn reduced(&mut self, value: Term, rank: u32, kind: Kind) -> Term {
        let reduced: Vec<u32> = (rank..self.def.domain.len() as u32).collect();
        if self.def.combine == Combine::Set || reduced.is_empty() {
            return value;
        }
        let mut vars: Vec<u32> = value.vars.iter().copied().filter(|v| *v < rank).collect();
        let kept = vars.clone();
        vars.extend(&reduced);
        let name = self.expanded(&value, &vars);
        let name = if self.def.combine == Combine::Argmax {
            self.first_largest(name, kept.len())
        } else {
            let axes: Vec<usize> = (kept.len()..vars.len()).collect();
            self.reduce(name, &axes, kind)
        };
        Term { name, vars: kept }
    }

    fn reduce(&mut self, name: String, axes: &[usize], kind: Kind) -> String {
        let op = match self.def.combine {
            Combine::Sum | Combine::Set => "ReduceSum",
            Combine::Prod => "ReduceProd",
            Combine::Max | Combine::Argmax => "ReduceMax",
            Combine::Min => "ReduceMin",
        };
        let graph = &mut self.export.graph;
        let cast = |to: Type| [("to", Attribute::To(to))];
        let name = if kind == Kind::Bool { graph.node("Cast", &[&name], &cast(Type::Int)) } else { name };
        let axes = graph.axes(axes);
        let name = graph.node(op, &[&name, &axes], &[("keepdims", Attribute::Int(0))]);
        if kind == Kind::Bool { graph.node("Cast", &[&name], &cast(Type::Bool)) } else { name }
    }

    /// The row-major number of the first largest over the axes from `kept` on.
    fn first_largest(&mut self, name: String, kept: usize) -> String {
        let mut shape = vec![0; kept];
        shape.push(-1);
        let graph = &mut self.export.graph;
        let shape = graph.ints(&[kept + 1], &shape);
        let flat = graph.node("Reshape", &[&name, &shape], &[]);
        graph.node("ArgMax", &[&flat], &[("axis", Attribute::Int(kept as i64)), ("keepdims", Attribute::Int(0))])
    }
}
