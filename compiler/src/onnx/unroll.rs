//! Recurrences written out turn by turn, since a graph has no cycles: each turn of a tensor becomes a tensor of its
//! own, with one element along the axis of turns; behind the last they are put together again.

use crate::ir::recurrence::{Recurrence, recurrences};
use crate::ir::{Def, ExprId, Item, Module, Node, Role, TensorId};
use std::collections::BTreeMap;

/// What is exported, in order.
#[derive(Clone, Debug)]
pub enum Step {
    /// A definition or draw.
    Item(Item),
    /// A tensor whose turns along an axis are these.
    Joined { tensor: TensorId, axis: usize, turns: Vec<TensorId> },
}

/// The module with tensors for the turns, and what to compute.
///
/// # Errors
/// What cannot be written out.
pub fn unroll(module: &Module) -> Result<(Module, Vec<Step>), String> {
    let mut m = module.clone();
    let mut steps = vec![];
    let mut next = 0;
    for recurrence in recurrences(module) {
        steps.extend(module.items[next..recurrence.items.start].iter().cloned().map(Step::Item));
        next = recurrence.items.end;
        turns(&mut m, &recurrence, &module.items[recurrence.items.clone()], &mut steps)?;
    }
    steps.extend(module.items[next..].iter().cloned().map(Step::Item));
    Ok((m, steps))
}

/// The members of a recurrence at every turn.
fn turns(m: &mut Module, recurrence: &Recurrence, members: &[Item], steps: &mut Vec<Step>) -> Result<(), String> {
    let mut slices: BTreeMap<TensorId, Vec<TensorId>> = BTreeMap::new();
    for item in members {
        let id = item.target();
        let Some(axis) = recurrence.axis(id) else { continue };
        let tensor = m.t(id).clone();
        let mut shape = tensor.shape;
        shape[axis] = 1;
        let slice = |n: usize| m.tensor(&format!("{}@{n}", tensor.name), shape.clone(), tensor.kind, Role::Temporary, tensor.span);
        slices.insert(id, (0..recurrence.turns).map(slice).collect());
    }
    for turn in recurrence.order() {
        for item in members {
            let def = item.def().filter(|d| d.scatter.is_none());
            let name = || m.t(item.target()).name.clone();
            let def = def.ok_or_else(|| format!("`{}` draws or accumulates within a recurrence", name()))?.clone();
            let variable = recurrence.variable(m, &def).ok_or_else(|| format!("`{}` has no turn", name()))?;
            let mut at = At { m, recurrence, slices: &slices, variable, turn, seen: BTreeMap::new() };
            let value = at.expr(def.value);
            let mut domain = def.domain.clone();
            domain[variable as usize] = 1;
            steps.push(Step::Item(Item::Def(Def { target: slices[&def.target][turn], domain, value, ..def })));
        }
    }
    for (tensor, turns) in slices {
        let axis = recurrence.axis(tensor).unwrap_or(0);
        steps.push(Step::Joined { tensor, axis, turns });
    }
    Ok(())
}

/// Expressions at one turn.
struct At<'a> {
    m: &'a mut Module,
    recurrence: &'a Recurrence,
    slices: &'a BTreeMap<TensorId, Vec<TensorId>>,
    variable: u32,
    turn: usize,
    seen: BTreeMap<ExprId, ExprId>,
}

impl At<'_> {
    fn expr(&mut self, id: ExprId) -> ExprId {
        if let Some(made) = self.seen.get(&id) {
            return *made;
        }
        let made = match self.m.node(id).clone() {
            Node::Var(v) if v == self.variable => self.m.int(self.turn as i64),
            Node::Read { tensor, at, otherwise } => {
                let at = at.iter().map(|p| self.expr(*p)).collect();
                let otherwise = otherwise.map(|o| self.expr(o));
                self.read(tensor, at, otherwise)
            }
            Node::Unary(f, a) => {
                let a = self.expr(a);
                self.m.unary(f, a)
            }
            Node::Binary(f, a, b) => {
                let (a, b) = (self.expr(a), self.expr(b));
                self.m.binary(f, a, b)
            }
            Node::Select(c, a, b) => {
                let (c, a, b) = (self.expr(c), self.expr(a), self.expr(b));
                self.m.select(c, a, b)
            }
            _ => id,
        };
        self.seen.insert(id, made);
        made
    }

    /// A read of a member is one of the turn it names, or of what lies outside.
    fn read(&mut self, tensor: TensorId, mut at: Vec<ExprId>, otherwise: Option<ExprId>) -> ExprId {
        let (axis, slices) = match (self.recurrence.axis(tensor), self.slices.get(&tensor)) {
            (Some(axis), Some(slices)) => (axis, slices),
            _ => return self.m.intern(Node::Read { tensor, at: at.into(), otherwise }),
        };
        let named = self.m.linear(at[axis]).offset;
        let slice = usize::try_from(named).ok().and_then(|turn| slices.get(turn).copied());
        match (slice, otherwise) {
            (None, Some(otherwise)) => otherwise,
            (slice, otherwise) => {
                at[axis] = self.m.int(0);
                let tensor = slice.unwrap_or(slices[0]);
                self.m.intern(Node::Read { tensor, at: at.into(), otherwise })
            }
        }
    }
}
