//! Stores: of values, of zeros, and of sums with what is there.

use super::access::{Place, Values};
use super::lanes::{Lane, lane, widen};
use super::point::{Point, Scene};
use crate::numeric::ops::Precision;
use crate::scalar::Kind;
use crate::schedule::nest::Store;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, types};

impl Scene<'_, '_> {
    /// Stores a value at its element, or a vector at a run of elements.
    pub fn store(&mut self, point: &Point, store: &Store, value: Lane, values: Values) {
        let place = self.place(store.tensor);
        let step = self.lane_step(point, &store.address.affine);
        if step == 1 {
            let at = self.start(point, place, &store.address, &[], values, 0);
            let vector = widen(self.builder, self.types, place.kind, value);
            return self.store_run(place, at, vector);
        }
        for l in 0..if step == 0 { 1 } else { self.types.width() } {
            let at = self.start(point, place, &store.address, &[], values, l);
            let one = lane(self.builder, self.types, place.kind, value, l);
            self.store_one(place, at, one);
        }
    }

    fn store_one(&mut self, place: Place, at: Value, value: Value) {
        let flags = MemFlagsData::new().with_notrap();
        let word = match place.kind {
            Kind::Float => value,
            Kind::Int => self.builder.ins().ireduce(types::I32, value),
            Kind::Bool => self.builder.ins().uextend(types::I32, value),
        };
        self.builder.ins().store(flags, word, at, 0);
    }

    fn store_run(&mut self, place: Place, at: Value, vector: Value) {
        let flags = MemFlagsData::new().with_notrap();
        match (place.kind, self.types.precision) {
            (Kind::Float, _) | (Kind::Int, Precision::F32) => {
                self.builder.ins().store(flags, vector, at, 0);
            }
            (Kind::Bool, Precision::F32) => {
                let one = self.builder.ins().iconst(types::I32, 1);
                let lowest = self.builder.ins().splat(types::I32X4, one);
                let bits = self.builder.ins().band(vector, lowest);
                self.builder.ins().store(flags, bits, at, 0);
            }
            (_, Precision::F64) => {
                for l in 0..self.types.width() {
                    let one = lane(self.builder, self.types, place.kind, Lane::Wide(vector), l);
                    let at = self.builder.ins().iadd_imm_s(at, 4 * l as i64);
                    self.store_one(place, at, one);
                }
            }
        }
    }

    /// Stores a vector of equal values at element `i` and on.
    pub fn fill_run(&mut self, i: Value, place: Place, one: Value) {
        let vector = widen(self.builder, self.types, place.kind, Lane::One(one));
        let at = self.element(i, place);
        self.store_run(place, at, vector);
    }

    /// Stores a value at element `i`.
    pub fn fill_one(&mut self, i: Value, place: Place, one: Value) {
        let at = self.element(i, place);
        self.store_one(place, at, one);
    }

    fn element(&mut self, i: Value, place: Place) -> Value {
        let size = self.bytes(place.kind);
        let offset = self.builder.ins().imul_imm_s(i, size);
        self.builder.ins().iadd(place.base, offset)
    }

    /// Adds a value to an element, or a vector to a run of elements; nothing where a guard fails.
    pub fn accumulate(&mut self, point: &Point, store: &Store, value: Lane, values: Values) {
        let Some(inside) = self.inside(point, &store.guards, values, 0).first().copied() else {
            return self.accumulate_inside(point, store, value, values);
        };
        let (then, after) = (self.builder.create_block(), self.builder.create_block());
        self.builder.ins().brif(inside, then, &[], after, &[]);
        self.builder.switch_to_block(then);
        self.builder.seal_block(then);
        self.accumulate_inside(point, store, value, values);
        self.builder.ins().jump(after, &[]);
        self.builder.switch_to_block(after);
        self.builder.seal_block(after);
    }

    fn accumulate_inside(&mut self, point: &Point, store: &Store, value: Lane, values: Values) {
        let place = self.place(store.tensor);
        let at = self.start(point, place, &store.address, &[], values, 0);
        let wide = point.wide && self.lane_step(point, &store.address.affine) == 1;
        let old = if wide { self.load_run(place, at) } else { self.load_one(place, at) };
        let value = if wide {
            widen(self.builder, self.types, place.kind, value)
        } else {
            lane(self.builder, self.types, place.kind, value, 0)
        };
        let sum = match place.kind {
            Kind::Float => self.builder.ins().fadd(old, value),
            _ => self.builder.ins().iadd(old, value),
        };
        if wide { self.store_run(place, at, sum) } else { self.store_one(place, at, sum) }
    }
}
