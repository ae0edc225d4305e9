//! The scalar functions as machine code give the bits of their plain evaluation: f32 and f64, single and vector.

use super::arithmetic::Arithmetic;
use super::lanes::Types;
use crate::scalar::{Binary, Kind, Unary};
use cranelift_codegen::ir::{AbiParam, InstBuilder, MemFlagsData, Value, types};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module, default_libcall_names};
use nnc_core::number::Precision;
use nnc_core::numeric;

/// How many arguments a call takes: a multiple of every vector's width.
const COUNT: usize = 4096;

/// One of the functions compared.
#[derive(Clone, Copy, Debug)]
enum Function {
    Unary(Unary),
    Binary(Binary),
}

/// All that take floats.
fn functions() -> impl Iterator<Item = Function> {
    let unary = Unary::ALL.into_iter().filter(|f| f.facts().takes.admits(Kind::Float));
    let binary = Binary::ALL.into_iter().filter(|f| f.facts().takes.admits(Kind::Float));
    unary.map(Function::Unary).chain(binary.map(Function::Binary))
}

/// Machine code for `out[i] = f(a[i], b[i])` over [`COUNT`] elements at the addresses a, b, out.
fn define(module: &mut JITModule, function: Function, types: Types, wide: bool) -> FuncId {
    let mut context = module.make_context();
    let mut frontend = FunctionBuilderContext::new();
    let pointer = module.target_config().pointer_type();
    context.func.signature.params = vec![AbiParam::new(pointer); 3];
    let mut builder = FunctionBuilder::new(&mut context.func, &mut frontend);
    loop_over(&mut builder, types, wide, |arithmetic, a, b| match function {
        Function::Unary(op) => numeric::unary(arithmetic, op, a),
        Function::Binary(op) => numeric::binary(arithmetic, op, a, b),
    });
    builder.finalize(module.isa().frontend_config());
    let name = format!("{function:?}{types:?}{wide}");
    let id = module.declare_function(&name, Linkage::Local, &context.func.signature).expect("a new name");
    module.define_function(id, &mut context).unwrap_or_else(|e| panic!("{name}: {e:?}"));
    id
}

fn loop_over(
    builder: &mut FunctionBuilder,
    types: Types,
    wide: bool,
    f: impl FnOnce(&mut Arithmetic, Value, Value) -> Value,
) {
    let (entry, body, exit) = (builder.create_block(), builder.create_block(), builder.create_block());
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let [a, b, out] = [0, 1, 2].map(|i| builder.block_params(entry)[i]);
    let zero = builder.ins().iconst(types::I64, 0);
    builder.ins().jump(body, &[zero.into()]);
    builder.append_block_param(body, types::I64);
    builder.switch_to_block(body);
    let offset = builder.block_params(body)[0];
    let ty = if wide { types.floats() } else { types.float() };
    let flags = MemFlagsData::new();
    let [a, b, out] = [a, b, out].map(|base| builder.ins().iadd(base, offset));
    let [a, b] = [a, b].map(|place| builder.ins().load(ty, flags, place, 0));
    let y = f(&mut Arithmetic { builder, types, wide }, a, b);
    builder.ins().store(flags, y, out, 0);
    let step = builder.ins().iconst(types::I64, i64::from(ty.bytes()));
    let next = builder.ins().iadd(offset, step);
    let end = builder.ins().iconst(types::I64, (COUNT * types.float().bytes() as usize) as i64);
    let goes_on = builder.ins().icmp(cranelift_codegen::ir::condcodes::IntCC::UnsignedLessThan, next, end);
    builder.ins().brif(goes_on, body, &[next.into()], exit, &[]);
    builder.switch_to_block(exit);
    builder.ins().return_(&[]);
    builder.seal_all_blocks();
}

/// A repeatable sequence of 64 bits.
fn random(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state ^ (state >> 29)
    }
}

/// Arguments of every kind: any bits at all, and ordinary numbers.
fn arguments(seed: u64) -> Vec<f64> {
    let mut next = random(seed);
    let special = [0.0, -0.0, 1.0, -1.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e-310, 1e-40, -1e-40];
    let any = |i: usize, bits: u64| match i % 3 {
        0 => f64::from_bits(bits),
        1 => f64::from(f32::from_bits(bits as u32)),
        _ => (bits >> 11) as f64 / (1_u64 << 53) as f64 * 40.0 - 20.0,
    };
    special.into_iter().chain((0..).map(|i| any(i, next()))).take(COUNT).collect()
}

fn module() -> JITModule {
    let mut flags = settings::builder();
    flags.set("opt_level", "speed").expect("a known setting");
    let isa = cranelift_native::builder().expect("a known machine").finish(settings::Flags::new(flags));
    JITModule::new(JITBuilder::with_isa(isa.expect("settings in order"), default_libcall_names()))
}

/// Compiles every function, calls each on the arguments, and shows `check` the function with its results.
fn for_every_function<T: Copy + Default>(types: Types, a: &[T], b: &[T], mut check: impl FnMut(Function, bool, &[T])) {
    let mut module = module();
    let kinds = functions().flat_map(|function| [(function, false), (function, true)]);
    let made: Vec<_> = kinds.map(|(f, wide)| (f, wide, define(&mut module, f, types, wide))).collect();
    module.finalize_definitions().expect("executable memory");
    for (function, wide, id) in made {
        let mut out = vec![T::default(); COUNT];
        let code = module.get_finalized_function(id);
        // SAFETY: the code was declared with three addresses and no result, and reads and writes COUNT
        // elements of T's size, which the three slices have.
        unsafe {
            let code = std::mem::transmute::<*const u8, extern "C" fn(*const T, *const T, *mut T)>(code);
            code(a.as_ptr(), b.as_ptr(), out.as_mut_ptr());
        }
        check(function, wide, &out);
    }
    // SAFETY: nothing of the module is called any more.
    unsafe { module.free_memory() };
}

#[test]
fn f32_code_gives_the_bits_of_plain_evaluation() {
    let [a, b] = [1, 2].map(|s| arguments(s).into_iter().map(|x| x as f32).collect::<Vec<_>>());
    for_every_function(Types { precision: Precision::F32 }, &a, &b, |function, wide, out| {
        for ((&a, &b), &found) in a.iter().zip(&b).zip(out) {
            let wanted = match function {
                Function::Unary(op) => numeric::eval_unary_f32(op, a),
                Function::Binary(op) => numeric::eval_binary_f32(op, a, b),
            };
            let same = found.to_bits() == wanted.to_bits() || (found.is_nan() && wanted.is_nan());
            assert!(same, "{function:?} (wide: {wide}) of {a:?}, {b:?} is {wanted:?}, not {found:?}");
        }
    });
}

#[test]
fn f64_code_gives_the_bits_of_plain_evaluation() {
    let [a, b] = [1, 2].map(arguments);
    for_every_function(Types { precision: Precision::F64 }, &a, &b, |function, wide, out| {
        for ((&a, &b), &found) in a.iter().zip(&b).zip(out) {
            let wanted = match function {
                Function::Unary(op) => numeric::eval_unary_f64(op, a),
                Function::Binary(op) => numeric::eval_binary_f64(op, a, b),
            };
            let same = found.to_bits() == wanted.to_bits() || (found.is_nan() && wanted.is_nan());
            assert!(same, "{function:?} (wide: {wide}) of {a:?}, {b:?} is {wanted:?}, not {found:?}");
        }
    });
}
