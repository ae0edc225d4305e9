//! The end of a pass: what no outcome needs is left out, and indices and values are numbered anew.

use super::expr::{operands, rebuild};
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
    let kept: Vec<usize> = (0..pass.values.len()).filter(|n| needed[*n]).collect();
    let mut renumber = Renumber {
        old: &pass.indices,
        indices: vec![pass.indices[0].clone()],
        map: vec![None; pass.indices.len()],
        values: vec![ValueId(0); pass.values.len()],
    };
    renumber.map[0] = Some(SAMPLE);
    for (new, old) in kept.iter().enumerate() {
        renumber.values[*old] = ValueId(new as u32);
    }
    let mut value = |n: &usize| {
        let value = &pass.values[*n];
        Value { definition: renumber.definition(&value.definition), ..value.clone() }
    };
    let values: Vec<Value> = kept.iter().map(&mut value).collect();
    let outcomes = pass.outcomes.iter().map(|(o, v)| (o.clone(), renumber.values[v.0 as usize])).collect();
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

struct Renumber<'p> {
    old: &'p [Index],
    indices: Vec<Index>,
    map: Vec<Option<IndexId>>,
    values: Vec<ValueId>,
}

impl Renumber<'_> {
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

    fn all(&mut self, ids: &[IndexId]) -> Vec<IndexId> {
        ids.iter().map(|i| self.index(*i)).collect()
    }

    fn definition(&mut self, definition: &Definition) -> Definition {
        match definition {
            Definition::Indexed { indices, value } => {
                Definition::Indexed { indices: self.all(indices), value: self.expr(value) }
            }
            Definition::Accumulate { indices, at, dropping, value } => Definition::Accumulate {
                indices: self.all(indices),
                at: at.iter().map(|e| self.expr(e)).collect(),
                dropping: *dropping,
                value: self.expr(value),
            },
            Definition::Delayed { of, initial, turn } => {
                let new = |id: &ValueId| self.values[id.0 as usize];
                Definition::Delayed { of: new(of), initial: new(initial), turn: *turn }
            }
            other => other.clone(),
        }
    }

    fn expr(&mut self, expr: &Expr) -> Expr {
        match expr {
            Expr::Index(id) => Expr::Index(self.index(*id)),
            Expr::Read { value, at, otherwise } => Expr::Read {
                value: self.values[value.0 as usize],
                at: at.iter().map(|e| self.expr(e)).collect(),
                otherwise: otherwise.as_ref().map(|e| Box::new(self.expr(e))),
            },
            Expr::Reduce { op, over, body } => {
                Expr::Reduce { op: *op, over: self.all(over), body: Box::new(self.expr(body)) }
            }
            _ => rebuild(expr, &mut |e| self.expr(e)),
        }
    }
}
