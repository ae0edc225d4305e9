//! The loops of a nest around its operations.
//!
//! A kernel is `fn(arena, begin, end, words)`; `begin..end` cuts the outermost loop, and the words
//! say where its tensors lie and how far its loops go (see [`Template`]). In a recurrence the turn is
//! not walked: `begin..end` cuts the loop after it, and counts on from turn to turn.

use super::access::Place;
use super::lanes::{Types, float};
use super::loops::Loop;
use super::point::{Point, Scene};
use super::reduce::{PARALLEL, Reduction};
use super::template::Template;
use crate::scalar::Kind;
use crate::schedule::nest::{Form, Lanes};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, types};
use cranelift_frontend::FunctionBuilder;

/// Fills the function that `builder` stands at the entry of.
pub fn emit(builder: &mut FunctionBuilder, template: &Template, types: Types) {
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    builder.seal_block(entry);
    let [arena, begin, end, words] = [0, 1, 2, 3].map(|i| builder.block_params(entry)[i]);
    let word = |builder: &mut FunctionBuilder, number: usize| {
        let flags = MemFlagsData::trusted().with_readonly().with_can_move();
        builder.ins().load(types::I64, flags, words, 8 * number as i32)
    };
    let mut places = vec![];
    for (number, held) in template.places.iter().enumerate() {
        let offset = word(builder, number);
        places.push(Place { base: builder.ins().iadd(arena, offset), kind: held.kind, written: held.written });
    }
    let nest = &template.nest;
    let extents = (0..nest.extents.len()).map(|v| word(builder, places.len() + v)).collect();
    let after_extents = places.len() + nest.extents.len();
    let cleared = match (nest.form, nest.turn) {
        (Form::Accumulate, None) => vec![word(builder, after_extents)],
        (Form::Accumulate, Some(_)) => vec![word(builder, after_extents), word(builder, after_extents + 1)],
        _ => vec![],
    };
    let mut scene = Scene { builder, nest, places, extents, types, together: template.together };
    let (mut vars, task) = scene.turn((begin, end));
    match cleared[..] {
        [len] => {
            let start = scene.known(0);
            scene.clear(start, len);
        }
        [runs, length] => scene.clear_turn(vars[0], runs, length),
        _ => {}
    }
    scene.walk(&mut vars, task);
    scene.builder.ins().return_(&[]);
}

/// Emits what happens at a point, given the values carried by the loops around it.
pub type Body<'f, 'a, 'b> = &'f mut dyn FnMut(&mut Scene<'a, 'b>, Value, &[Value]) -> Vec<Value>;

impl<'a, 'b> Scene<'a, 'b> {
    /// An integer constant.
    pub fn known(&mut self, value: usize) -> Value {
        self.builder.ins().iconst(types::I64, value as i64)
    }

    /// `while i + step <= to { body; i += step }` from `from`; yields the final `i` and carried values.
    pub fn count_up(
        &mut self,
        from: Value,
        to: Value,
        step: usize,
        carried: &[Value],
        body: Body<'_, 'a, 'b>,
    ) -> (Value, Vec<Value>) {
        let looping = Loop::open(self.builder, from, to, step, carried);
        let next = body(self, looping.i, &looping.values);
        looping.close(self.builder, &next)
    }

    /// Takes the turn of a recurrence out of a task: the loops entered so far, and what is left.
    fn turn(&mut self, (begin, end): (Value, Value)) -> (Vec<Value>, (Value, Value)) {
        if self.nest.turn.is_none() {
            return (vec![], (begin, end));
        }
        if self.nest.outer == 1 || self.nest.form == Form::Accumulate {
            return (vec![begin], (begin, end));
        }
        let turn = self.builder.ins().udiv(begin, self.extents[1]);
        let before = self.builder.ins().imul(turn, self.extents[1]);
        let [begin, end] = [begin, end].map(|at| self.builder.ins().isub(at, before));
        (vec![turn], (begin, end))
    }

    /// The loops that walk stored elements, from the outermost not yet entered.
    fn walk(&mut self, vars: &mut Vec<Value>, task: (Value, Value)) {
        let level = vars.len();
        if level == self.nest.outer {
            return self.leaf(&Point { vars: vars.clone(), wide: false }, 1);
        }
        let shared = level == self.nest.first() && self.nest.form != Form::Accumulate;
        let (from, to) = if shared { task } else { (self.known(0), self.extents[level]) };
        if self.nest.lanes == Lanes::Outer && level + 1 == self.nest.outer {
            return self.strips(vars, from, to);
        }
        self.count_up(from, to, 1, &[], &mut |scene, i, _| {
            vars.push(i);
            scene.walk(vars, task);
            vars.pop();
            vec![]
        });
    }

    /// The lane loop over stored elements: several vectors at once, then one, then single elements.
    fn strips(&mut self, vars: &[Value], from: Value, to: Value) {
        let width = self.types.width();
        let mut from = from;
        let counts: &[usize] = if self.together { &[PARALLEL, 1] } else { &[1] };
        for count in counts {
            (from, _) = self.count_up(from, to, count * width, &[], &mut |scene, i, _| {
                scene.leaf(&Point { vars: [vars, &[i]].concat(), wide: true }, *count);
                vec![]
            });
        }
        self.count_up(from, to, 1, &[], &mut |scene, i, _| {
            scene.leaf(&Point { vars: [vars, &[i]].concat(), wide: false }, 1);
            vec![]
        });
    }

    /// What happens at a stored element, a vector of them, or `count` neighbouring vectors.
    fn leaf(&mut self, point: &Point, count: usize) {
        match self.nest.form {
            Form::Point | Form::Accumulate => self.write(point),
            Form::Reduce(combine, rank) => self.reduce(point, count, &Reduction { combine, rank }),
        }
    }

    fn write(&mut self, point: &Point) {
        let nest = self.nest;
        let roots = nest.stores.iter().flat_map(|s| {
            let gathers = s.address.gathers.iter().map(|(_, g)| *g);
            gathers.chain(s.guards.iter().map(|g| g.position)).chain([s.value])
        });
        let values = self.evaluate(point, &roots.collect::<Vec<_>>());
        for store in &nest.stores {
            let value = values[store.value].unwrap_or_else(|| unreachable!("stores are roots"));
            if nest.form == Form::Accumulate {
                self.accumulate(point, store, value, &values);
            } else {
                self.store(point, store, value, &values);
            }
        }
    }

    /// Sets what an accumulation's target holds at a turn to zero: that many runs of that length.
    fn clear_turn(&mut self, turn: Value, runs: Value, length: Value) {
        let from = self.known(0);
        self.count_up(from, runs, 1, &[], &mut |scene, run, _| {
            let turns = scene.builder.ins().imul(run, scene.extents[0]);
            let number = scene.builder.ins().iadd(turns, turn);
            let start = scene.builder.ins().imul(number, length);
            let end = scene.builder.ins().iadd(start, length);
            scene.clear(start, end);
            vec![]
        });
    }

    /// Sets elements of an accumulation's target to zero.
    fn clear(&mut self, start: Value, to: Value) {
        let place = self.place(self.nest.stores[0].tensor);
        let zero = self.zero(place.kind);
        let (done, _) = self.count_up(start, to, self.types.width(), &[], &mut |scene, i, _| {
            scene.fill_run(i, place, zero);
            vec![]
        });
        self.count_up(done, to, 1, &[], &mut |scene, i, _| {
            scene.fill_one(i, place, zero);
            vec![]
        });
    }

    fn zero(&mut self, kind: Kind) -> Value {
        match kind {
            Kind::Float => float(self.builder, self.types, 0.0),
            Kind::Int => self.builder.ins().iconst(types::I64, 0),
            Kind::Bool => self.builder.ins().iconst(types::I8, 0),
        }
    }
}
