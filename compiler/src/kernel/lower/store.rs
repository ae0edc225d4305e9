//! Stores: of values, and of sums with what is there.

use super::point::Values;
use super::{Lowering, Position};
use crate::kernel::{Op as To, Value};
use crate::scalar::Binary;
use crate::schedule::nest::Store;

impl Lowering<'_> {
    /// Stores a value at its element, or a value's lanes at theirs.
    pub(super) fn store(&mut self, at: &Position, store: &Store, value: Value, values: Values) {
        let (memory, kind) = (self.memory(store.tensor), self.kind(store.tensor));
        let step = self.lane_step(at, &store.address.affine);
        if step == 1 {
            let offset = self.element(at, &store.address, None, values, 0);
            let run = self.widen(kind, value, at.lanes);
            return self.b.store(memory, offset, run);
        }
        for l in 0..if step == 0 { 1 } else { at.lanes } {
            let offset = self.element(at, &store.address, None, values, l);
            let one = self.lane(kind, value, l);
            self.b.store(memory, offset, one);
        }
    }

    /// Adds a value to an element, or its lanes to a run of elements; nothing where a guard fails.
    pub(super) fn accumulate(&mut self, at: &Position, store: &Store, value: Value, values: Values) {
        let Some(inside) = self.inside(at, &store.guards, values, 0) else {
            return self.accumulate_inside(at, store, value, values);
        };
        self.b.begin_branch();
        self.accumulate_inside(at, store, value, values);
        let then = self.b.end_branch(vec![]);
        self.b.choose(inside, then, Default::default());
    }

    fn accumulate_inside(&mut self, at: &Position, store: &Store, value: Value, values: Values) {
        let (memory, kind) = (self.memory(store.tensor), self.kind(store.tensor));
        let offset = self.element(at, &store.address, None, values, 0);
        let lanes = if self.lane_step(at, &store.address.affine) == 1 { at.lanes } else { 1 };
        let old = self.b.op(self.ty(kind, lanes), To::Load(memory, offset));
        let value = if lanes == 1 { self.lane(kind, value, 0) } else { self.widen(kind, value, lanes) };
        let sum = self.b.binary(Binary::Add, old, value);
        self.b.store(memory, offset, sum);
    }
}
