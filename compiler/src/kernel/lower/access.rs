//! Offsets and loads.

use super::point::Values;
use super::{Lowering, Position};
use crate::ir::TensorId;
use crate::kernel::{Memory, Number, Op as To, Type, Value};
use crate::scalar::{Binary, Kind};
use crate::schedule::nest::{Address, Guard, Op, Val};

/// A load, as the nest says it.
pub(super) struct Access<'a> {
    memory: Memory,
    kind: Kind,
    address: &'a Address,
    guards: &'a [Guard],
    /// What is read where a guard fails.
    otherwise: Option<Value>,
    values: Values<'a>,
}

impl Lowering<'_> {
    /// Loads an element, or one for each lane; `otherwise` where a guard fails.
    pub(super) fn load(
        &mut self,
        at: &Position,
        tensor: TensorId,
        address: &Address,
        guards: &[Guard],
        otherwise: Option<Value>,
        values: Values,
    ) -> Value {
        let (memory, kind) = (self.memory(tensor), self.kind(tensor));
        let access = Access { memory, kind, address, guards, otherwise, values };
        let step = self.lane_step(at, &address.affine);
        if matches!(step, 0 | 1) && self.is_uniform(address, guards, values) {
            return self.load_at_once(at, &access, if step == 1 { at.lanes } else { 1 });
        }
        if step == 1 && self.is_affine(address, guards, values) {
            return self.load_if_whole(at, &access);
        }
        self.load_lanes(at, &access)
    }

    /// One element, or a run of them, under guards that hold for all lanes or for none.
    fn load_at_once(&mut self, at: &Position, access: &Access, lanes: usize) -> Value {
        let inside = self.inside(at, access.guards, access.values, 0);
        let offset = self.element(at, access.address, inside, access.values, 0);
        let element = self.b.op(self.ty(access.kind, lanes), To::Load(access.memory, offset));
        match inside.zip(access.otherwise) {
            Some((inside, otherwise)) => self.select(access.kind, inside, element, otherwise),
            None => element,
        }
    }

    /// Each lane by itself.
    fn load_lanes(&mut self, at: &Position, access: &Access) -> Value {
        let mut lanes = vec![];
        for l in 0..at.lanes {
            lanes.push(self.load_lane(at, access, l));
        }
        if at.lanes == 1 { lanes[0] } else { self.pack(access.kind, lanes) }
    }

    fn load_lane(&mut self, at: &Position, access: &Access, l: usize) -> Value {
        let inside = self.inside(at, access.guards, access.values, l);
        let offset = self.element(at, access.address, inside, access.values, l);
        let ty = self.ty(access.kind, 1);
        let element = self.b.op(ty, To::Load(access.memory, offset));
        let Some((inside, otherwise)) = inside.zip(access.otherwise) else { return element };
        let otherwise = self.lane(access.kind, otherwise, l);
        self.b.op(ty, To::Select(inside, element, otherwise))
    }

    /// A run at once where its first and last lane lie inside (then all do), else lane by lane.
    fn load_if_whole(&mut self, at: &Position, access: &Access) -> Value {
        let ends = [0, at.lanes - 1].map(|l| self.inside(at, access.guards, access.values, l));
        let [Some(first), Some(last)] = ends else { unreachable!("it has guards") };
        let whole = self.b.binary(Binary::And, first, last);
        self.b.begin_branch();
        let offset = self.element(at, access.address, None, access.values, 0);
        let run = self.b.op(self.ty(access.kind, at.lanes), To::Load(access.memory, offset));
        let run = self.b.end_branch(vec![run]);
        self.b.begin_branch();
        let lanes = self.load_lanes(at, access);
        let lanes = self.b.end_branch(vec![lanes]);
        self.b.choose(whole, run, lanes)[0]
    }

    /// Whether the address varies with the loops alone, and guards that vary from lane to lane do too.
    fn is_affine(&self, address: &Address, guards: &[Guard], values: Values) -> bool {
        let affine = |g: &Guard| matches!(self.nest.ops[g.position], Op::Index(_));
        self.is_uniform(address, &[], values) && !guards.is_empty() && guards.iter().all(affine)
    }

    /// Whether nothing but the affine part varies from lane to lane.
    fn is_uniform(&self, address: &Address, guards: &[Guard], values: Values) -> bool {
        let uniform = |v: Val| values[v].is_some_and(|value| self.lanes(value) == 1);
        address.gathers.iter().all(|(_, g)| uniform(*g)) && guards.iter().all(|g| uniform(g.position))
    }

    /// The condition that all guards hold in a lane, if there are any.
    pub(super) fn inside(&mut self, at: &Position, guards: &[Guard], values: Values, l: usize) -> Option<Value> {
        let mut all: Option<Value> = None;
        for guard in guards {
            let position = self.integer(at, guard.position, values, l);
            let holds = self.b.op(Type::one(Number::Bool), To::Within(position, guard.extent));
            all = Some(all.map_or(holds, |a| self.b.binary(Binary::And, a, holds)));
        }
        all
    }

    /// An integer operation's value in a lane.
    fn integer(&mut self, at: &Position, v: Val, values: Values, l: usize) -> Value {
        if let Op::Index(affine) = &self.nest.ops[v] {
            let mut affine = affine.clone();
            affine.offset += l as i64 * self.lane_step(at, &affine);
            return self.affine(at, &affine);
        }
        let value = values[v].unwrap_or_else(|| unreachable!("positions come before the access"));
        self.lane(Kind::Int, value, l)
    }

    /// Which element a lane is about: the first where `inside` does not hold.
    pub(super) fn element(
        &mut self,
        at: &Position,
        address: &Address,
        inside: Option<Value>,
        values: Values,
        l: usize,
    ) -> Value {
        let mut affine = address.affine.clone();
        affine.offset += l as i64 * self.lane_step(at, &affine);
        let mut offset = self.affine(at, &affine);
        for (factor, v) in &address.gathers {
            let position = self.integer(at, *v, values, l);
            let moved = self.b.scaled(position, *factor);
            offset = self.b.binary(Binary::Add, offset, moved);
        }
        let Some(inside) = inside else { return offset };
        let zero = self.b.int(0);
        self.b.op(Type::OFFSET, To::Select(inside, offset, zero))
    }
}
