//! The end of a pass: what no outcome needs is left out, and indices and values are numbered anew.

use super::expr::{binary, operands, unary};
use crate::typed::{Definition, Expr, Index, IndexId, Pass, SAMPLE, Value, ValueId};

/// The pass with only what its outcomes need.
pub fn pruned(pass: Pass) -> Pass {
    let mut needed = vec![false; pass.values.len()];
    let mut open: Vec<ValueId> = pass.outcomes.iter().map(|o| o.1).collect();
    while let Some(id) = open.pop() {
        if !std::mem::replace(&mut needed[id.0 as usize], true) {
            sources(&pass.v(id).definition, &mut open);
        }
    }
    let Pass { indices, values, outcomes } = pass;
    let mut renumber = Renumber {
        indices: vec![indices[0].clone()],
        map: vec![None; indices.len()],
        old: indices,
        values: vec![ValueId(0); values.len()],
    };
    renumber.map[0] = Some(SAMPLE);
    let kept = (0..values.len()).filter(|n| needed[*n]);
    kept.enumerate().for_each(|(new, old)| renumber.values[old] = ValueId(new as u32));
    let needed = values.into_iter().zip(needed).filter_map(|(value, needed)| needed.then_some(value));
    let values = needed.map(|v| Value { definition: renumber.definition(v.definition), ..v }).collect();
    let outcomes = outcomes.into_iter().map(|(o, v)| (o, renumber.values[v.0 as usize])).collect();
    Pass { indices: renumber.indices, values, outcomes }
}

/// Adds the values that a definition is made from.
fn sources(definition: &Definition, out: &mut Vec<ValueId>) {
    match definition {
        Definition::Indexed { value, .. } => reads(value, out),
        Definition::Accumulate { at, value, .. } => {
            at.iter().for_each(|e| reads(e, out));
            reads(value, out);
        }
        Definition::Delayed { of, initial, .. } => out.extend([*of, *initial]),
        _ => {}
    }
}

fn reads(expr: &Expr, out: &mut Vec<ValueId>) {
    if let Expr::Read { value, .. } = expr {
        out.push(*value);
    }
    operands(expr, &mut |e| reads(e, out));
}

struct Renumber {
    old: Vec<Index>,
    indices: Vec<Index>,
    map: Vec<Option<IndexId>>,
    values: Vec<ValueId>,
}

impl Renumber {
    fn index(&mut self, id: IndexId) -> IndexId {
        let n = id.0 as usize;
        if let Some(new) = self.map[n] {
            return new;
        }
        self.indices.push(self.old[n].clone());
        let new = IndexId((self.indices.len() - 1) as u32);
        self.map[n] = Some(new);
        new
    }

    fn all(&mut self, ids: Vec<IndexId>) -> Vec<IndexId> {
        ids.into_iter().map(|i| self.index(i)).collect()
    }

    fn definition(&mut self, definition: Definition) -> Definition {
        match definition {
            Definition::Indexed { indices, value } => {
                Definition::Indexed { indices: self.all(indices), value: self.expr(value) }
            }
            Definition::Accumulate { indices, at, dropping, value } => Definition::Accumulate {
                indices: self.all(indices),
                at: self.each(at),
                dropping,
                value: self.expr(value),
            },
            Definition::Delayed { of, initial, turn } => {
                let new = |id: ValueId| self.values[id.0 as usize];
                Definition::Delayed { of: new(of), initial: new(initial), turn }
            }
            other => other,
        }
    }

    fn each(&mut self, list: Vec<Expr>) -> Vec<Expr> {
        list.into_iter().map(|e| self.expr(e)).collect()
    }

    /// What a pass is made of is most of what a program becomes: it is changed where it is, not copied.
    fn expr(&mut self, expr: Expr) -> Expr {
        match expr {
            Expr::Index(id) => Expr::Index(self.index(id)),
            Expr::Read { value, at, otherwise } => Expr::Read {
                value: self.values[value.0 as usize],
                at: self.each(at),
                otherwise: otherwise.map(|e| Box::new(self.expr(*e))),
            },
            Expr::Reduce { op, over, body } => {
                Expr::Reduce { op, over: self.all(over), body: Box::new(self.expr(*body)) }
            }
            Expr::Unary(op, a) => unary(op, self.expr(*a)),
            Expr::Binary(op, a, b) => {
                let a = self.expr(*a);
                binary(op, a, self.expr(*b))
            }
            Expr::Select(c, a, b) => {
                let (c, a) = (self.expr(*c), self.expr(*a));
                Expr::Select(Box::new(c), Box::new(a), Box::new(self.expr(*b)))
            }
            Expr::Number(_) | Expr::Int(_) | Expr::Bool(_) | Expr::BatchSize => expr,
        }
    }
}
