//! Random numbers as generated code: what `runtime::random` does, operation by operation, so that the bits are the
//! same: Philox4x32-10 by counter, uniform numbers of 24 bits, normal ones by Box and Muller's transform in f64.

use super::super::arithmetic::Arithmetic;
use super::super::functions::Functions;
use super::super::lanes::Types;
use super::super::loops::Loop;
use super::memory::{address, ceiling, load};
use crate::numeric::ops::{Ops, Precision};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, StackSlotData, StackSlotKind, Value, types};
use cranelift_frontend::FunctionBuilder;
use cranelift_module::{FuncId, Linkage, Module};
use nnc_core::plan::Fault;
use nnc_core::random::{Distribution, MULTIPLIERS, TWO_52, WEYL};

/// Adds `fill(to, rows, row, site, step, seed, first)`: `rows` samples of `row` elements each, from sample `first` on.
///
/// # Errors
/// When Cranelift refuses it: a fault of ours.
pub fn fill<M: Module>(
    functions: &mut Functions<M>,
    distribution: Distribution,
    types: Types,
) -> Result<FuncId, Fault> {
    let pointer = functions.pointer();
    let name = match distribution {
        Distribution::Uniform => "uniform",
        Distribution::Normal => "normal",
    };
    let params = [pointer, types::I64, types::I64, types::I64, types::I64, types::I64, types::I64];
    functions.define(name, Linkage::Local, &params, None, None, &mut |_, b| {
        let entry = b.create_block();
        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        b.seal_block(entry);
        let [to, rows, row, site, step, seed, first_sample] = [0, 1, 2, 3, 4, 5, 6].map(|i| b.block_params(entry)[i]);
        let high = |b: &mut FunctionBuilder, x: Value| b.ins().ushr_imm_u(x, 32);
        let (seed_high, step_high) = (high(b, seed), high(b, step));
        let mixed = b.ins().bxor(seed_high, step_high);
        let place = Place { site, step: low(b, step), key: [low(b, seed), mixed] };
        let size = i64::from(types.float().bytes());
        let block = b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, 32, 4));
        let zero = b.ins().iconst(types::I64, 0);
        let samples = Loop::open(b, zero, rows, 1, &[]);
        let before = b.ins().imul(samples.i, row);
        let start = address(b, to, before, size);
        let count = ceiling(b, row, 4);
        let blocks = Loop::open(b, zero, count, 1, &[]);
        let sample = b.ins().iadd(samples.i, first_sample);
        let words = philox(b, [blocks.i, sample, place.step, place.site], place.key);
        for (n, value) in values(b, distribution, words).into_iter().enumerate() {
            let value = if types.precision == Precision::F32 { b.ins().fdemote(types::F32, value) } else { value };
            b.ins().stack_store(pointer, value, block, n as i32 * size as i32);
        }
        let first = b.ins().imul_imm_s(blocks.i, 4);
        let left = b.ins().isub(row, first);
        let four = b.ins().iconst(types::I64, 4);
        let wanted = b.ins().smin(left, four);
        let from = b.ins().stack_addr(pointer, block, 0);
        let target = address(b, start, first, size);
        let elements = Loop::open(b, zero, wanted, 1, &[]);
        let from = address(b, from, elements.i, size);
        let at = address(b, target, elements.i, size);
        let value = load(b, types.float(), from, 0);
        b.ins().store(MemFlagsData::new().with_notrap(), value, at, 0);
        elements.close(b, &[]);
        blocks.close(b, &[]);
        samples.close(b, &[]);
        b.ins().return_(&[]);
        Ok(())
    })
}

/// What the counters and the key of a fill are made of, each 32 bits in a word of 64.
struct Place {
    site: Value,
    step: Value,
    key: [Value; 2],
}

/// The lower 32 bits.
fn low(b: &mut FunctionBuilder, x: Value) -> Value {
    b.ins().band_imm_u(x, 0xffff_ffff)
}

/// The four random words of a counter under a key.
fn philox(b: &mut FunctionBuilder, counter: [Value; 4], key: [Value; 2]) -> [Value; 4] {
    let (mut c, mut key) = (counter, key);
    for turn in 0..10 {
        if turn > 0 {
            for (k, weyl) in key.iter_mut().zip(WEYL) {
                let next = b.ins().iadd_imm_s(*k, i64::from(weyl));
                *k = low(b, next);
            }
        }
        let mut product = |x: Value, by: u32| {
            let by = b.ins().iconst(types::I64, i64::from(by));
            let product = b.ins().imul(x, by);
            (b.ins().ushr_imm_u(product, 32), low(b, product))
        };
        let (a_high, a_low) = product(c[0], MULTIPLIERS[0]);
        let (b_high, b_low) = product(c[2], MULTIPLIERS[1]);
        let mut mix = |high: Value, word: Value, key: Value| {
            let mixed = b.ins().bxor(high, word);
            b.ins().bxor(mixed, key)
        };
        c = [mix(b_high, c[1], key[0]), b_low, mix(a_high, c[3], key[1]), a_low];
    }
    c
}

/// Four draws in f64 from four words.
fn values(b: &mut FunctionBuilder, distribution: Distribution, words: [Value; 4]) -> [Value; 4] {
    match distribution {
        Distribution::Uniform => words.map(|word| {
            let bits = b.ins().ushr_imm_u(word, 8);
            let whole = b.ins().fcvt_from_sint(types::F64, bits);
            let scale = b.ins().f64const(1.0 / 16_777_216.0);
            b.ins().fmul(whole, scale)
        }),
        Distribution::Normal => {
            let [w, x, y, z] = words;
            let (first, second) = (box_muller(b, w, x), box_muller(b, y, z));
            [first[0], first[1], second[0], second[1]]
        }
    }
}

/// Two independent standard normal numbers: a radius from the first word, an angle from the second.
fn box_muller(b: &mut FunctionBuilder, first: Value, second: Value) -> [Value; 2] {
    let doubles = Types { precision: Precision::F64 };
    let [sin, cos] = sin_cos_turn(b, second);
    let o = &mut Arithmetic { builder: b, types: doubles, wide: false };
    let log = log_unit(o, first);
    let minus_two = o.float(-2.0);
    let square = o.mul(minus_two, log);
    let radius = o.sqrt(square);
    [o.mul(radius, cos), o.mul(radius, sin)]
}

/// Natural logarithm of (word + 1/2) / 2^32, by log m = 2 artanh((m - 1) / (m + 1)).
fn log_unit<O: Ops>(o: &mut O, word: O::I) -> O::V {
    let (one, two_52) = (o.int(1), o.int(TWO_52.to_bits() as i64));
    let offset = o.float(TWO_52);
    let exact = |o: &mut O, whole: O::I| {
        let bits = o.int_or(two_52, whole);
        let above = o.from_bits(bits);
        o.sub(above, offset)
    };
    let twice = o.shl(word, 1);
    let odd = o.int_or(twice, one);
    let number = exact(o, odd);
    let bits = o.bits(number);
    // Split at sqrt(1/2) so that |log m| is at most log(2) / 2.
    let split = o.int(std::f64::consts::FRAC_1_SQRT_2.to_bits() as i64);
    let shifted = o.int_sub(bits, split);
    let (mask, exponent_bits) = (o.int(0x7ff), o.int(0x7ff0_0000_0000_0000));
    let exponent = o.shr(shifted, 52);
    let exponent = o.int_and(exponent, mask);
    let exponent = exact(o, exponent);
    let scale = o.int_and(shifted, exponent_bits);
    let m = o.int_sub(bits, scale);
    let m = o.from_bits(m);
    let one = o.float(1.0);
    let (below, above) = (o.sub(m, one), o.add(m, one));
    let s = o.div(below, above);
    let q = o.mul(s, s);
    let mut series = o.float(1.0 / 21.0);
    for odd in [19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0] {
        let (power, next) = (o.mul(series, q), o.float(1.0 / odd));
        series = o.add(power, next);
    }
    let (shift, ln_2, two) = (o.float(33.0), o.float(std::f64::consts::LN_2), o.float(2.0));
    let exponent = o.sub(exponent, shift);
    let whole = o.mul(exponent, ln_2);
    let twice = o.mul(two, s);
    let rest = o.mul(twice, series);
    o.add(whole, rest)
}

/// Sine and cosine of word / 2^32 turns: the nearest quarter turn and a rest within an eighth.
fn sin_cos_turn(b: &mut FunctionBuilder, word: Value) -> [Value; 2] {
    let rounded = b.ins().iadd_imm_s(word, 1 << 29);
    let rounded = low(b, rounded);
    let quarter = b.ins().ushr_imm_u(rounded, 30);
    let whole = b.ins().ishl_imm_u(quarter, 30);
    let rest = b.ins().isub(word, whole);
    let rest = b.ins().ireduce(types::I32, rest);
    let rest = b.ins().fcvt_from_sint(types::F64, rest);
    let o = &mut Arithmetic { builder: b, types: Types { precision: Precision::F64 }, wide: false };
    let turn = o.float(std::f64::consts::TAU / 4_294_967_296.0);
    let x = o.mul(rest, turn);
    let q = o.mul(x, x);
    let one = o.float(1.0);
    let (mut sin, mut cos) = (one, one);
    for k in [16.0, 14.0, 12.0, 10.0, 8.0, 6.0, 4.0, 2.0] {
        let mut nest = |series: Value, share: f64| {
            let (product, share) = (o.mul(q, series), o.float(share));
            let part = o.mul(product, share);
            o.sub(one, part)
        };
        sin = nest(sin, 1.0 / (k * (k + 1.0)));
        cos = nest(cos, 1.0 / (k * (k - 1.0)));
    }
    sin = o.mul(sin, x);
    let odd = b.ins().band_imm_u(quarter, 1);
    let (s, c) = (b.ins().select(odd, cos, sin), b.ins().select(odd, sin, cos));
    let next = b.ins().iadd_imm_s(quarter, 1);
    let signed = |b: &mut FunctionBuilder, x: Value, quarter: Value| {
        let second = b.ins().band_imm_u(quarter, 2);
        let opposite = b.ins().fneg(x);
        b.ins().select(second, opposite, x)
    };
    [signed(b, s, quarter), signed(b, c, next)]
}
