//! The operations of the scalar functions as instructions, on single values or vectors.

use super::lanes::{Types, bits_flags, blend, float};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{BlockArg, InstBuilder, Type, Value};
use cranelift_frontend::FunctionBuilder;
use nnc_core::number::Precision;
use nnc_core::numeric::ops::Ops;

/// Arithmetic as instructions, on single values or vectors.
pub struct Arithmetic<'a, 'b> {
    /// Where instructions go.
    pub builder: &'a mut FunctionBuilder<'b>,
    /// Machine types.
    pub types: Types,
    /// Whether on vectors.
    pub wide: bool,
}

impl Arithmetic<'_, '_> {
    fn float_type(&self) -> Type {
        if self.wide { self.types.floats() } else { self.types.float() }
    }

    fn int_type(&self) -> Type {
        if self.wide { self.types.ints() } else { self.types.lane_int() }
    }

    fn compare(&mut self, how: FloatCC, a: Value, b: Value) -> Value {
        self.builder.ins().fcmp(how, a, b)
    }

    /// The larger; NaN if either is.
    pub fn greater(&mut self, a: Value, b: Value) -> Value {
        self.winner(FloatCC::GreaterThan, a, b)
    }

    /// The smaller; NaN if either is.
    pub fn lesser(&mut self, a: Value, b: Value) -> Value {
        self.winner(FloatCC::LessThan, a, b)
    }

    fn winner(&mut self, how: FloatCC, a: Value, b: Value) -> Value {
        let wins = self.compare(how, a, b);
        let nan = self.compare(FloatCC::Unordered, a, a);
        let mask = self.builder.ins().bor(wins, nan);
        self.select(mask, a, b)
    }
}

impl Ops for Arithmetic<'_, '_> {
    type V = Value;
    type I = Value;
    type M = Value;

    fn precision(&self) -> Precision {
        self.types.precision
    }

    fn float(&mut self, value: f64) -> Value {
        let one = float(self.builder, self.types, value);
        if self.wide { self.builder.ins().splat(self.types.floats(), one) } else { one }
    }

    fn int(&mut self, value: i64) -> Value {
        let value = if self.types.precision == Precision::F32 { i64::from(value as u32) } else { value };
        let one = self.builder.ins().iconst(self.types.lane_int(), value);
        if self.wide { self.builder.ins().splat(self.types.ints(), one) } else { one }
    }

    fn add(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().fadd(a, b)
    }

    fn sub(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().fsub(a, b)
    }

    fn mul(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().fmul(a, b)
    }

    fn div(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().fdiv(a, b)
    }

    fn fma(&mut self, a: Value, b: Value, c: Value) -> Value {
        self.builder.ins().fma(a, b, c)
    }

    fn neg(&mut self, a: Value) -> Value {
        self.builder.ins().fneg(a)
    }

    fn abs(&mut self, a: Value) -> Value {
        self.builder.ins().fabs(a)
    }

    fn sqrt(&mut self, a: Value) -> Value {
        self.builder.ins().sqrt(a)
    }

    fn floor(&mut self, a: Value) -> Value {
        self.builder.ins().floor(a)
    }

    fn ceil(&mut self, a: Value) -> Value {
        self.builder.ins().ceil(a)
    }

    fn nearest(&mut self, a: Value) -> Value {
        self.builder.ins().nearest(a)
    }

    fn lt(&mut self, a: Value, b: Value) -> Value {
        self.compare(FloatCC::LessThan, a, b)
    }

    fn le(&mut self, a: Value, b: Value) -> Value {
        self.compare(FloatCC::LessThanOrEqual, a, b)
    }

    fn eq(&mut self, a: Value, b: Value) -> Value {
        self.compare(FloatCC::Equal, a, b)
    }

    fn int_eq(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().icmp(IntCC::Equal, a, b)
    }

    fn select(&mut self, mask: Value, yes: Value, no: Value) -> Value {
        if self.wide { blend(self.builder, mask, yes, no) } else { self.builder.ins().select(mask, yes, no) }
    }

    fn rarely<const N: usize>(
        &mut self,
        mask: Value,
        usual: [Value; N],
        rare: impl FnOnce(&mut Self) -> [Value; N],
    ) -> [Value; N] {
        let ty = self.float_type();
        let any = if self.wide { self.builder.ins().vany_true(mask) } else { mask };
        let [seldom, after] = [(); 2].map(|()| self.builder.create_block());
        let results = [(); N].map(|()| self.builder.append_block_param(after, ty));
        self.builder.set_cold_block(seldom);
        self.builder.ins().brif(any, seldom, &[], after, &usual.map(BlockArg::Value));
        self.builder.switch_to_block(seldom);
        self.builder.seal_block(seldom);
        let mut chosen = rare(self);
        for (made, kept) in chosen.iter_mut().zip(usual) {
            *made = self.select(mask, *made, kept);
        }
        self.builder.ins().jump(after, &chosen.map(BlockArg::Value));
        self.builder.switch_to_block(after);
        self.builder.seal_block(after);
        results
    }

    fn bits(&mut self, a: Value) -> Value {
        let to = self.int_type();
        self.builder.ins().bitcast(to, bits_flags(), a)
    }

    fn from_bits(&mut self, a: Value) -> Value {
        let to = self.float_type();
        self.builder.ins().bitcast(to, bits_flags(), a)
    }

    fn int_add(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().iadd(a, b)
    }

    fn int_sub(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().isub(a, b)
    }

    fn int_and(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().band(a, b)
    }

    fn int_or(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().bor(a, b)
    }

    fn int_xor(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().bxor(a, b)
    }

    fn shl(&mut self, a: Value, by: u32) -> Value {
        self.builder.ins().ishl_imm_u(a, i64::from(by))
    }

    fn shr(&mut self, a: Value, by: u32) -> Value {
        self.builder.ins().ushr_imm_u(a, i64::from(by))
    }
}
