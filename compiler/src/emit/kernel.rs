//! The loops of a nest around its operations.
//!
//! A kernel is `fn(arena, begin, end, scratch)`; `begin..end` cuts the outermost loop.

use super::access::Places;
use super::lanes::{Types, float};
use super::point::{Point, Scene};
use super::reduce::{PARALLEL, Reduction};
use crate::scalar::Kind;
use crate::schedule::nest::{Form, Lanes, Nest};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{BlockArg, InstBuilder, Value, types};
use cranelift_frontend::FunctionBuilder;

/// Fills the function that `builder` stands at the entry of.
pub fn emit(builder: &mut FunctionBuilder, nest: &Nest, places: &Places, types: Types) {
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    builder.seal_block(entry);
    let [arena, begin, end] = [0, 1, 2].map(|i| builder.block_params(entry)[i]);
    let mut scene = Scene { builder, nest, places, types, arena };
    if nest.form == Form::Accumulate {
        scene.clear();
    }
    let mut vars = vec![];
    scene.walk(&mut vars, (begin, end));
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
        let [header, inside, after] = [(); 3].map(|()| self.builder.create_block());
        let i = self.builder.append_block_param(header, types::I64);
        let values: Vec<Value> = carried
            .iter()
            .map(|c| {
                let kind = self.builder.func.dfg.value_type(*c);
                self.builder.append_block_param(header, kind)
            })
            .collect();
        let last = self.builder.ins().iadd_imm_s(to, 1 - step as i64);
        self.jump(header, from, carried);
        self.builder.switch_to_block(header);
        let more = self.builder.ins().icmp(IntCC::SignedLessThan, i, last);
        self.builder.ins().brif(more, inside, &[], after, &[]);
        self.builder.switch_to_block(inside);
        self.builder.seal_block(inside);
        let next_values = body(self, i, &values);
        let next = self.builder.ins().iadd_imm_s(i, step as i64);
        self.jump(header, next, &next_values);
        self.builder.seal_block(header);
        self.builder.switch_to_block(after);
        self.builder.seal_block(after);
        (i, values)
    }

    fn jump(&mut self, to: cranelift_codegen::ir::Block, first: Value, rest: &[Value]) {
        let arguments: Vec<BlockArg> =
            std::iter::once(first).chain(rest.iter().copied()).map(BlockArg::Value).collect();
        self.builder.ins().jump(to, &arguments);
    }

    /// The loops that walk stored elements, from the outermost not yet entered.
    fn walk(&mut self, vars: &mut Vec<Value>, task: (Value, Value)) {
        let level = vars.len();
        if level == self.nest.outer {
            return self.leaf(&Point { vars: vars.clone(), wide: false }, 1);
        }
        let (from, to) = if level == 0 && self.nest.form != Form::Accumulate {
            task
        } else {
            (self.known(0), self.known(self.nest.extents[level]))
        };
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
        let extent = self.nest.extents[self.nest.outer - 1];
        let together = matches!(self.nest.form, Form::Reduce(..)) && extent >= PARALLEL * width;
        let mut from = from;
        let counts: &[usize] = if together { &[PARALLEL, 1] } else { &[1] };
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

    /// Sets the target of an accumulation to zero.
    fn clear(&mut self) {
        let target = self.nest.stores[0].tensor;
        let place = (self.places)(target);
        let (start, to) = (self.known(0), self.known(place.len));
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
