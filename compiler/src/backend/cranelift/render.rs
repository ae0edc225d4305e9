//! A kernel as a Cranelift function `fn(arena, begin, end, words)`: each operation in Cranelift's words, no decision
//! taken. A value of several lanes is as many vectors of 128 bits as it takes, the first lanes first.

use super::arithmetic::Arithmetic;
use super::lanes::{Types, bits_flags, blend, float};
use super::loops::Loop as Rendered;
use crate::kernel::{If, Kernel, Loop, Memory, Number, Op, Statement, Type, Value as K};
use crate::scalar::{Binary, Unary};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    BlockArg, InstBuilder, MemFlagsData, StackSlot, StackSlotData, StackSlotKind, Value, types,
};
use cranelift_frontend::FunctionBuilder;
use nnc_core::number::Precision;
use nnc_core::numeric;
use nnc_core::numeric::ops::Ops;

/// Fills the function that `builder` stands at the entry of. `apart` keeps loads of vectors out of other instructions.
pub fn render(builder: &mut FunctionBuilder, kernel: &Kernel, apart: bool) {
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    builder.seal_block(entry);
    let [arena, begin, end, words] = [0, 1, 2, 3].map(|i| builder.block_params(entry)[i]);
    let own = kernel.locals.iter().map(|ty| {
        let bytes = ty.lanes as u32 * if ty.number == Number::F64 { 8 } else { 4 };
        builder.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, bytes, 4))
    });
    let own = own.collect();
    let (values, sums) = (vec![vec![]; kernel.types.len()], vec![None; kernel.types.len()]);
    let types = Types { precision: kernel.precision };
    let mut renderer =
        Renderer { b: builder, kernel, types, begin, end, words, bases: vec![], own, values, sums, branches: 0, apart };
    for tensor in 0..kernel.tensors.len() {
        let offset = renderer.word(tensor);
        let base = renderer.b.ins().iadd(arena, offset);
        renderer.bases.push(base);
    }
    renderer.block(&kernel.body);
    renderer.b.ins().return_(&[]);
}

struct Renderer<'a, 'b> {
    b: &'a mut FunctionBuilder<'b>,
    kernel: &'a Kernel,
    types: Types,
    begin: Value,
    end: Value,
    words: Value,
    /// Addresses of the tensors' first bytes.
    bases: Vec<Value>,
    /// Memory of the task's own.
    own: Vec<StackSlot>,
    /// The vectors of every value, or its single number.
    values: Vec<Vec<Value>>,
    /// Of a value that is another plus a constant, these.
    sums: Vec<Option<(K, i64)>>,
    /// How many conditions stand around.
    branches: usize,
    /// Whether a load of a vector must be an instruction of its own.
    apart: bool,
}

impl Renderer<'_, '_> {
    fn block(&mut self, statements: &[Statement]) {
        for statement in statements {
            match statement {
                Statement::Let(value, op) => {
                    let rendered = self.op(self.kernel.ty(*value), op);
                    self.note(*value, op);
                    self.set(*value, rendered);
                }
                Statement::Store { memory, at, value } => self.store(*memory, *at, *value),
                Statement::Loop(each) => self.each(each),
                Statement::If(choice) => self.choice(choice),
            }
        }
    }

    fn set(&mut self, value: K, rendered: Vec<Value>) {
        self.values[value.0 as usize] = rendered;
    }

    fn all(&self, value: K) -> Vec<Value> {
        self.values[value.0 as usize].clone()
    }

    fn one(&self, value: K) -> Value {
        self.values[value.0 as usize][0]
    }

    /// How many vectors, or single numbers, a value is.
    fn parts(&self, ty: Type) -> usize {
        ty.lanes.div_ceil(self.types.width())
    }

    /// Remembers sums with a constant, which addresses take for nothing.
    fn note(&mut self, value: K, op: &Op) {
        if let Op::Binary(Binary::Add, a, b) = op
            && self.kernel.ty(*a) == Type::OFFSET
            && let Some((known, by)) = self.sums[b.0 as usize]
            && known == *b
            && self.sums[a.0 as usize].is_none()
        {
            self.sums[value.0 as usize] = Some((*a, by));
        } else if let Op::Int(by) = op {
            // A constant is itself, taken as what is added to another.
            self.sums[value.0 as usize] = Some((value, *by));
        }
    }

    fn word(&mut self, number: usize) -> Value {
        let flags = MemFlagsData::trusted().with_readonly().with_can_move();
        self.b.ins().load(types::I64, flags, self.words, 8 * number as i32)
    }

    fn each(&mut self, each: &Loop) {
        let start: Vec<Value> = each.carried.iter().flat_map(|c| self.all(c.start)).collect();
        let looping = Rendered::open_while(self.b, self.one(each.from), self.one(each.to), each.step, &start);
        self.set(each.counter, vec![looping.i]);
        let inside = looping.values.clone();
        self.spread(each.carried.iter().map(|c| c.inside), &inside);
        self.block(&each.body);
        let next: Vec<Value> = each.carried.iter().flat_map(|c| self.all(c.next)).collect();
        let (after, ends) = looping.close(self.b, &next);
        self.set(each.after, vec![after]);
        self.spread(each.carried.iter().map(|c| c.after), &ends);
    }

    /// Gives values their vectors, from a list of all.
    fn spread(&mut self, values: impl Iterator<Item = K>, all: &[Value]) {
        let mut rest = all;
        for value in values {
            let (own, others) = rest.split_at(self.parts(self.kernel.ty(value)));
            self.set(value, own.to_vec());
            rest = others;
        }
    }

    fn choice(&mut self, choice: &If) {
        let [then, otherwise, after] = [(); 3].map(|()| self.b.create_block());
        let mut ends = vec![];
        for r in &choice.results {
            let ty = self.kernel.ty(r.after);
            for _ in 0..self.parts(ty) {
                let kind = if ty.lanes == 1 { self.types.single(ty.number) } else { self.types.vector(ty.number) };
                ends.push(self.b.append_block_param(after, kind));
            }
        }
        let condition = self.one(choice.condition);
        self.b.ins().brif(condition, then, &[], otherwise, &[]);
        self.branches += 1;
        for (block, statements, second) in [(then, &choice.then, false), (otherwise, &choice.otherwise, true)] {
            self.b.switch_to_block(block);
            self.b.seal_block(block);
            self.block(statements);
            let yielded = choice.results.iter().map(|r| if second { r.otherwise } else { r.then });
            let yielded: Vec<BlockArg> = yielded.flat_map(|v| self.all(v)).map(BlockArg::Value).collect();
            self.b.ins().jump(after, &yielded);
        }
        self.branches -= 1;
        self.b.switch_to_block(after);
        self.b.seal_block(after);
        self.spread(choice.results.iter().map(|r| r.after), &ends);
    }

    fn op(&mut self, ty: Type, op: &Op) -> Vec<Value> {
        let parts = self.parts(ty);
        match op {
            Op::Float(bits) => {
                let one = float(self.b, self.types, f64::from_bits(*bits));
                self.everywhere(ty, one)
            }
            Op::Int(value) => {
                let kind = self.types.single(ty.number);
                let value = if ty.number == Number::I32 { i64::from(*value as u32) } else { *value };
                let one = self.b.ins().iconst(kind, value);
                self.everywhere(ty, one)
            }
            Op::Bool(value) => {
                let one = self.b.ins().iconst(types::I8, i64::from(*value));
                self.everywhere(ty, one)
            }
            Op::Word(n) => vec![self.word(*n)],
            Op::Begin => vec![self.begin],
            Op::End => vec![self.end],
            Op::Steps(step) => (0..parts).map(|part| self.steps(*step, part)).collect(),
            Op::Splat(a) => self.everywhere(ty, self.one(*a)),
            Op::Extract(a, lane) => vec![self.extract(*a, *lane)],
            Op::Pack(singles) => {
                let singles: Vec<Value> = singles.iter().map(|v| self.one(*v)).collect();
                singles.chunks(self.types.width()).map(|chunk| self.pack(ty, chunk)).collect()
            }
            Op::Resize(a) => {
                let a = self.one(*a);
                let narrow = ty.number == Number::I32;
                vec![if narrow { self.b.ins().ireduce(types::I32, a) } else { self.b.ins().sextend(types::I64, a) }]
            }
            Op::Within(a, extent) => {
                // Negative numbers are large as unsigned ones.
                let a = self.one(*a);
                vec![self.b.ins().icmp_imm_s(IntCC::UnsignedLessThan, a, *extent)]
            }
            Op::Unary(f, a) => {
                let from = self.kernel.ty(*a);
                self.all(*a).into_iter().map(|v| self.unary(*f, from, v)).collect()
            }
            Op::Binary(f, a, b) => {
                let from = self.kernel.ty(*a);
                let pairs = self.all(*a).into_iter().zip(self.all(*b));
                pairs.map(|(a, b)| self.binary(*f, from, a, b)).collect()
            }
            Op::Select(c, a, b) => {
                let (conditions, one) = (self.all(*c), self.kernel.ty(*c).lanes == 1);
                let pairs: Vec<(Value, Value)> = self.all(*a).into_iter().zip(self.all(*b)).collect();
                let choose = |(n, (a, b)): (usize, (Value, Value))| match one {
                    true => self.b.ins().select(conditions[0], a, b),
                    false => blend(self.b, conditions[n], a, b),
                };
                pairs.into_iter().enumerate().map(choose).collect()
            }
            Op::Load(memory, at) => self.load(ty, *memory, *at),
            Op::Fold(f, a) => vec![self.fold(*f, *a)],
        }
    }

    /// A number in every lane.
    fn everywhere(&mut self, ty: Type, one: Value) -> Vec<Value> {
        if ty.lanes == 1 {
            return vec![one];
        }
        let vector = self.splat(ty.number, one);
        vec![vector; self.parts(ty)]
    }

    fn splat(&mut self, number: Number, one: Value) -> Value {
        let one = if number == Number::Bool { self.b.ins().bmask(self.types.lane_int(), one) } else { one };
        self.b.ins().splat(self.types.vector(number), one)
    }

    /// The constant vector 0, step, 2*step, .. from a part's first lane on.
    fn steps(&mut self, step: i64, part: usize) -> Value {
        let mut bytes = vec![];
        let width = self.types.width();
        for l in part * width..(part + 1) * width {
            match self.types.precision {
                Precision::F32 => bytes.extend(((l as i64 * step) as i32).to_le_bytes()),
                Precision::F64 => bytes.extend((l as i64 * step).to_le_bytes()),
            }
        }
        let pool = self.b.func.dfg.constants.insert(bytes.into());
        self.b.ins().vconst(self.types.ints(), pool)
    }

    fn extract(&mut self, a: K, lane: usize) -> Value {
        let width = self.types.width();
        self.lane(self.kernel.ty(a).number, self.values[a.0 as usize][lane / width], lane % width)
    }

    /// A lane of a vector.
    fn lane(&mut self, number: Number, vector: Value, lane: usize) -> Value {
        let element = self.b.ins().extractlane(vector, lane as u8);
        if number == Number::Bool { self.b.ins().icmp_imm_s(IntCC::NotEqual, element, 0) } else { element }
    }

    /// A vector of single numbers.
    fn pack(&mut self, ty: Type, singles: &[Value]) -> Value {
        let mut vector = self.splat(ty.number, singles[0]);
        for (lane, one) in singles.iter().enumerate().skip(1) {
            let one = if ty.number == Number::Bool { self.b.ins().bmask(self.types.lane_int(), *one) } else { *one };
            vector = self.b.ins().insertlane(vector, one, lane as u8);
        }
        vector
    }

    fn unary(&mut self, f: Unary, ty: Type, a: Value) -> Value {
        let wide = ty.lanes > 1;
        match (f, ty.number) {
            (Unary::Not, _) if wide => self.b.ins().bnot(a),
            (Unary::Not, _) => self.b.ins().icmp_imm_s(IntCC::Equal, a, 0),
            (Unary::ToFloat, Number::Bool) if wide => {
                let o = &mut Arithmetic { builder: self.b, types: self.types, wide };
                let (one, zero) = (o.float(1.0), o.float(0.0));
                blend(self.b, a, one, zero)
            }
            (Unary::ToFloat, Number::Bool) => {
                let whole = self.b.ins().uextend(types::I64, a);
                self.b.ins().fcvt_from_sint(self.types.float(), whole)
            }
            (Unary::ToFloat, _) => {
                let kind = if wide { self.types.floats() } else { self.types.float() };
                self.b.ins().fcvt_from_sint(kind, a)
            }
            (Unary::Neg, Number::I32 | Number::I64) => self.b.ins().ineg(a),
            (Unary::Abs, Number::I32 | Number::I64) => self.b.ins().iabs(a),
            _ => numeric::unary(&mut Arithmetic { builder: self.b, types: self.types, wide }, f, a),
        }
    }

    fn binary(&mut self, f: Binary, ty: Type, a: Value, b: Value) -> Value {
        let wide = ty.lanes > 1;
        let mut arithmetic = Arithmetic { builder: self.b, types: self.types, wide };
        match (f, ty.number) {
            (Binary::Max, Number::F32 | Number::F64) => arithmetic.greater(a, b),
            (Binary::Min, Number::F32 | Number::F64) => arithmetic.lesser(a, b),
            (Binary::Eq, Number::F32 | Number::F64) => arithmetic.eq(a, b),
            (Binary::Lt, Number::F32 | Number::F64) => arithmetic.lt(a, b),
            (Binary::Le, Number::F32 | Number::F64) => arithmetic.le(a, b),
            (f, Number::F32 | Number::F64) => numeric::binary(&mut arithmetic, f, a, b),
            (Binary::Or, Number::Bool) => self.b.ins().bor(a, b),
            (Binary::Eq, _) => self.b.ins().icmp(IntCC::Equal, a, b),
            (_, Number::Bool) => self.b.ins().band(a, b),
            (Binary::Sub, _) => self.b.ins().isub(a, b),
            (Binary::Mul, _) => self.b.ins().imul(a, b),
            (Binary::Lt, _) => self.b.ins().icmp(IntCC::SignedLessThan, a, b),
            (Binary::Le, _) => self.b.ins().icmp(IntCC::SignedLessThanOrEqual, a, b),
            (Binary::Max | Binary::Min, _) => {
                let how = if f == Binary::Max { IntCC::SignedGreaterThan } else { IntCC::SignedLessThan };
                let wins = self.b.ins().icmp(how, a, b);
                if wide { blend(self.b, wins, a, b) } else { self.b.ins().select(wins, a, b) }
            }
            (Binary::FloorDiv | Binary::Mod, _) => self.divide(f, a, b),
            _ => self.b.ins().iadd(a, b),
        }
    }

    /// The quotient or the remainder of single integers, rounded down.
    fn divide(&mut self, f: Binary, a: Value, b: Value) -> Value {
        let remainder = self.b.ins().srem(a, b);
        let negative = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, remainder, 0);
        let lifted = self.b.ins().iadd(remainder, b);
        let remainder = self.b.ins().select(negative, lifted, remainder);
        if f == Binary::Mod {
            return remainder;
        }
        let whole = self.b.ins().isub(a, remainder);
        self.b.ins().sdiv(whole, b)
    }

    /// All lanes in one: vectors in halves, then the lanes of the last.
    fn fold(&mut self, f: Binary, a: K) -> Value {
        let ty = self.kernel.ty(a);
        let mut vectors = self.all(a);
        while vectors.len() > 1 {
            let high = vectors.split_off(vectors.len() / 2);
            vectors = vectors.into_iter().zip(high).map(|(a, b)| self.binary(f, ty, a, b)).collect();
        }
        let mut lanes: Vec<Value> = (0..self.types.width()).map(|l| self.lane(ty.number, vectors[0], l)).collect();
        while lanes.len() > 1 {
            let high = lanes.split_off(lanes.len() / 2);
            lanes = lanes.into_iter().zip(high).map(|(a, b)| self.binary(f, Type::one(ty.number), a, b)).collect();
        }
        lanes[0]
    }

    /// An address, and bytes after it that instructions add for nothing.
    fn address(&mut self, memory: Memory, at: K) -> (Value, i32) {
        let size: i64 = if self.kernel.element(memory) == Number::F64 { 8 } else { 4 };
        let base = match memory {
            Memory::Tensor(n) => self.bases[n],
            Memory::Local(n) => self.b.ins().stack_addr(types::I64, self.own[n], 0),
        };
        let (index, after) = match self.sums[at.0 as usize] {
            Some((index, by)) => match i32::try_from(by * size) {
                Ok(after) if index == at => return (base, after),
                Ok(after) => (index, after),
                Err(_) => (at, 0),
            },
            None => (at, 0),
        };
        let index = self.one(index);
        let offset = self.b.ins().ishl_imm_u(index, if size == 8 { 3 } else { 2 });
        (self.b.ins().iadd(base, offset), after)
    }

    /// A load may come early where nothing writes what it reads, unless a condition says that it is inside.
    fn flags(&self, memory: Memory) -> MemFlagsData {
        let flags = MemFlagsData::new().with_notrap();
        match memory {
            Memory::Tensor(n) if !self.kernel.tensors[n].written && self.branches == 0 => {
                flags.with_readonly().with_can_move()
            }
            _ => flags,
        }
    }

    fn load(&mut self, ty: Type, memory: Memory, at: K) -> Vec<Value> {
        let (base, after) = self.address(memory, at);
        let flags = self.flags(memory);
        if ty.lanes == 1 {
            return vec![match ty.number {
                Number::I64 => self.b.ins().sload32(flags, base, after),
                Number::Bool => {
                    let word = self.b.ins().load(types::I32, flags, base, after);
                    self.b.ins().icmp_imm_s(IntCC::NotEqual, word, 0)
                }
                number => self.b.ins().load(self.types.single(number), flags, base, after),
            }];
        }
        (0..self.parts(ty)).map(|part| self.load_vector(ty, flags, base, after, part as i32)).collect()
    }

    fn load_vector(&mut self, ty: Type, flags: MemFlagsData, base: Value, after: i32, part: i32) -> Value {
        let wanted = self.types.vector(ty.number);
        let words = if self.types.precision == Precision::F64 && !ty.number.is_float() {
            let at = self.b.ins().iadd_imm_s(base, i64::from(after + 8 * part));
            self.b.ins().sload32x2(flags, at, 0)
        } else if self.apart {
            let bytes = self.b.ins().load(types::I8X16, flags, base, after + 16 * part);
            self.b.ins().bitcast(wanted, bits_flags(), bytes)
        } else {
            self.b.ins().load(wanted, flags, base, after + 16 * part)
        };
        if ty.number != Number::Bool {
            return words;
        }
        let zero = self.b.ins().iconst(self.types.lane_int(), 0);
        let nothing = self.b.ins().splat(self.types.ints(), zero);
        self.b.ins().icmp(IntCC::NotEqual, words, nothing)
    }

    fn store(&mut self, memory: Memory, at: K, value: K) {
        let (base, after) = self.address(memory, at);
        let ty = self.kernel.ty(value);
        for (part, rendered) in self.all(value).into_iter().enumerate() {
            self.store_part(ty, rendered, base, after, part as i32);
        }
    }

    fn store_part(&mut self, ty: Type, value: Value, base: Value, after: i32, part: i32) {
        let flags = MemFlagsData::new().with_notrap();
        let narrow = self.types.precision == Precision::F64 && !ty.number.is_float();
        if ty.lanes > 1 && narrow {
            for l in 0..self.types.width() {
                let one = self.lane(ty.number, value, l);
                let at = after + 4 * (part * self.types.width() as i32 + l as i32);
                self.store_part(Type::one(ty.number), one, base, at, 0);
            }
            return;
        }
        let word = match (ty.number, ty.lanes) {
            (Number::I64, 1) => self.b.ins().ireduce(types::I32, value),
            (Number::Bool, 1) => self.b.ins().uextend(types::I32, value),
            (Number::Bool, _) => {
                let one = self.b.ins().iconst(types::I32, 1);
                let lowest = self.b.ins().splat(types::I32X4, one);
                self.b.ins().band(value, lowest)
            }
            _ => value,
        };
        self.b.ins().store(flags, word, base, after + 16 * part);
    }
}
