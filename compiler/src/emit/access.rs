//! Addresses and loads.

use super::lanes::{Lane, gather, lane};
use super::point::{Point, Scene};
use crate::ir::TensorId;
use crate::numeric::ops::Precision;
use crate::scalar::Kind;
use crate::schedule::nest::{Address, Guard, Op, Val};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{BlockArg, InstBuilder, MemFlagsData, Value, types};

/// A tensor's place, as code sees it.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Address of its first byte.
    pub base: Value,
    /// Of its elements.
    pub kind: Kind,
    /// Whether this kernel writes it.
    pub written: bool,
}

/// Values of the operations emitted so far.
pub type Values<'v> = &'v [Option<Lane>];

impl Scene<'_, '_> {
    pub(super) fn place(&self, tensor: TensorId) -> Place {
        self.places[tensor.0 as usize]
    }

    pub(super) fn bytes(&self, kind: Kind) -> i64 {
        if kind == Kind::Float { i64::from(self.types.float().bytes()) } else { 4 }
    }

    fn flags(&self, place: Place) -> MemFlagsData {
        let flags = MemFlagsData::new().with_notrap();
        if place.written { flags } else { flags.with_readonly().with_can_move() }
    }

    /// Loads an element, or a vector of them; `otherwise` where a guard fails.
    pub fn load(
        &mut self,
        point: &Point,
        tensor: TensorId,
        address: &Address,
        guards: &[Guard],
        otherwise: Option<Lane>,
        values: Values,
    ) -> Lane {
        let place = self.place(tensor);
        let step = self.lane_step(point, &address.affine);
        if matches!(step, 0 | 1) && self.is_even(point, address, guards, values) {
            let inside = self.inside(point, guards, values, 0);
            let at = self.start(point, place, address, &inside, values, 0);
            let element =
                if step == 1 { Lane::Wide(self.load_run(place, at)) } else { Lane::One(self.load_one(place, at)) };
            return match inside.first().zip(otherwise) {
                Some((inside, otherwise)) => self.select(place.kind, Lane::One(*inside), element, otherwise),
                None => element,
            };
        }
        if step == 1 && self.is_affine(point, address, guards, values) {
            return Lane::Wide(self.load_split(point, place, address, guards, otherwise, values));
        }
        Lane::Wide(self.load_lanes(point, place, address, guards, otherwise, values))
    }

    /// Loads each lane by itself.
    fn load_lanes(
        &mut self,
        point: &Point,
        place: Place,
        address: &Address,
        guards: &[Guard],
        otherwise: Option<Lane>,
        values: Values,
    ) -> Value {
        let mut lanes = vec![];
        for l in 0..self.types.width() {
            lanes.push(self.load_lane(point, place, address, guards, otherwise, values, l));
        }
        gather(self.builder, self.types, place.kind, &lanes)
    }

    /// Loads a run at once where its first and last lane lie inside (then all do), else lane by lane.
    fn load_split(
        &mut self,
        point: &Point,
        place: Place,
        address: &Address,
        guards: &[Guard],
        otherwise: Option<Lane>,
        values: Values,
    ) -> Value {
        let ends: Vec<Value> =
            [0, self.types.width() - 1].into_iter().flat_map(|l| self.inside(point, guards, values, l)).collect();
        let whole = self.builder.ins().band(ends[0], ends[1]);
        let [run, single, after] = [(); 3].map(|()| self.builder.create_block());
        let loaded = self.builder.append_block_param(after, self.types.wide(place.kind));
        self.builder.ins().brif(whole, run, &[], single, &[]);
        self.builder.switch_to_block(run);
        self.builder.seal_block(run);
        // Written or not, this load must stay behind its condition.
        let at = self.start(point, place, address, &[], values, 0);
        let vector = self.load_run(Place { written: true, ..place }, at);
        self.builder.ins().jump(after, &[BlockArg::Value(vector)]);
        self.builder.switch_to_block(single);
        self.builder.seal_block(single);
        let vector = self.load_lanes(point, place, address, guards, otherwise, values);
        self.builder.ins().jump(after, &[BlockArg::Value(vector)]);
        self.builder.switch_to_block(after);
        self.builder.seal_block(after);
        loaded
    }

    /// Whether the address varies with the loops alone, and guards that vary from lane to lane do too.
    fn is_affine(&self, point: &Point, address: &Address, guards: &[Guard], values: Values) -> bool {
        let affine = |g: &Guard| matches!(self.nest.ops[g.position], Op::Index(_));
        self.is_even(point, address, &[], values) && !guards.is_empty() && guards.iter().all(affine)
    }

    /// Whether nothing but the affine part varies from lane to lane.
    fn is_even(&self, point: &Point, address: &Address, guards: &[Guard], values: Values) -> bool {
        let even = |v: Val| !point.wide || matches!(values[v], Some(Lane::One(_)));
        address.gathers.iter().all(|(_, g)| even(*g)) && guards.iter().all(|g| even(g.position))
    }

    /// The condition that all guards hold in a lane, if there are any.
    pub(super) fn inside(&mut self, point: &Point, guards: &[Guard], values: Values, l: usize) -> Vec<Value> {
        let mut all: Option<Value> = None;
        for guard in guards {
            let position = self.integer(point, guard.position, values, l);
            // Negative positions are large as unsigned numbers.
            let holds = self.builder.ins().icmp_imm_s(IntCC::UnsignedLessThan, position, guard.extent);
            all = Some(all.map_or(holds, |a| self.builder.ins().band(a, holds)));
        }
        all.into_iter().collect()
    }

    /// An integer operation's value in a lane.
    fn integer(&mut self, point: &Point, v: Val, values: Values, l: usize) -> Value {
        if let Op::Index(affine) = &self.nest.ops[v] {
            let mut affine = affine.clone();
            affine.offset += l as i64 * self.lane_step(point, &affine);
            return self.affine(point, &affine, 1);
        }
        let value = values[v].unwrap_or_else(|| unreachable!("positions come before the access"));
        lane(self.builder, self.types, Kind::Int, value, l)
    }

    /// The address of a lane's element: the tensor's first element where `inside` does not hold.
    pub(super) fn start(
        &mut self,
        point: &Point,
        place: Place,
        address: &Address,
        inside: &[Value],
        values: Values,
        l: usize,
    ) -> Value {
        let size = self.bytes(place.kind);
        let mut affine = address.affine.clone();
        affine.offset += l as i64 * self.lane_step(point, &affine);
        let mut offset = self.affine(point, &affine, size);
        for (factor, v) in &address.gathers {
            let position = self.integer(point, *v, values, l);
            let moved = self.builder.ins().imul_imm_s(position, factor * size);
            offset = self.builder.ins().iadd(offset, moved);
        }
        if let Some(inside) = inside.first() {
            let zero = self.builder.ins().iconst(types::I64, 0);
            offset = self.builder.ins().select(*inside, offset, zero);
        }
        self.builder.ins().iadd(place.base, offset)
    }

    fn load_lane(
        &mut self,
        point: &Point,
        place: Place,
        address: &Address,
        guards: &[Guard],
        otherwise: Option<Lane>,
        values: Values,
        l: usize,
    ) -> Value {
        let inside = self.inside(point, guards, values, l);
        let at = self.start(point, place, address, &inside, values, l);
        let element = self.load_one(place, at);
        let Some((inside, otherwise)) = inside.first().zip(otherwise) else { return element };
        let otherwise = lane(self.builder, self.types, place.kind, otherwise, l);
        self.builder.ins().select(*inside, element, otherwise)
    }

    pub(super) fn load_one(&mut self, place: Place, at: Value) -> Value {
        let flags = self.flags(place);
        match place.kind {
            Kind::Float => self.builder.ins().load(self.types.float(), flags, at, 0),
            Kind::Int => self.builder.ins().sload32(flags, at, 0),
            Kind::Bool => {
                let word = self.builder.ins().load(types::I32, flags, at, 0);
                self.builder.ins().icmp_imm_s(IntCC::NotEqual, word, 0)
            }
        }
    }

    pub(super) fn load_run(&mut self, place: Place, at: Value) -> Value {
        let flags = self.flags(place);
        let words = match (place.kind, self.types.precision) {
            (Kind::Float, _) => return self.builder.ins().load(self.types.floats(), flags, at, 0),
            (_, Precision::F32) => self.builder.ins().load(types::I32X4, flags, at, 0),
            (_, Precision::F64) => self.builder.ins().sload32x2(flags, at, 0),
        };
        if place.kind == Kind::Int {
            return words;
        }
        let zero = self.builder.ins().iconst(self.types.lane_int(), 0);
        let nothing = self.builder.ins().splat(self.types.ints(), zero);
        self.builder.ins().icmp(IntCC::NotEqual, words, nothing)
    }
}
