//! The kernel level: golden texts of loops and kernels, and three ways to the same numbers. The interpreter of index
//! notation says what a program means, within rounding; the interpreter of kernels and machine code give the same bits.

use nnc_compiler::emit::{Options, Precision, compile};
use nnc_compiler::ir::interpret::{Values, interpret};
use nnc_compiler::ir::random::program;
use nnc_compiler::ir::text::{parse, print};
use nnc_compiler::ir::{Draw, Module, Role, Tensor, TensorId};
use nnc_compiler::kernel::interpret::{self, Share};
use nnc_compiler::kernel::verify::verify;
use nnc_compiler::optimise::optimise;
use nnc_compiler::plan::{Plan, Planned, plan};
use nnc_compiler::scalar::Kind;
use nnc_compiler::target::{Target, Vectors};
use nnc_core::number::Element;
use nnc_core::plan::{Slot, Work};
use runtime::execute::{Clock, Executor};
use runtime::random::{self, Place};
use std::path::Path;

const CLOCK: Clock = Clock { seed: 7, step: 3, sample: 0 };

fn module(text: &str) -> Module {
    parse(text).unwrap_or_else(|e| panic!("{e:?}"))
}

/// Contents for inputs and persistent tensors.
fn contents(module: &Module) -> Values {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 24)
    };
    let given = module.tensors.iter().enumerate().filter(|(_, t)| t.role != Role::Temporary);
    given
        .map(|(n, t)| {
            let value = |u: f64| match t.kind {
                Kind::Float => f64::from((u * 4.0 - 2.0) as f32),
                Kind::Int => (u * 5.0).floor(),
                Kind::Bool => (u * 2.0).floor(),
            };
            (TensorId(n as u32), (0..t.len()).map(|_| value(next())).collect())
        })
        .collect()
}

/// An arena in which kernels are interpreted.
struct Arena(Vec<u64>);

impl Arena {
    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: every bit pattern is bytes, and the words are borrowed as a whole.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), 8 * self.0.len()) }
    }

    fn write(&mut self, slot: &Slot, values: &[f64]) {
        let size = slot.element.bytes();
        for (place, x) in self.bytes()[slot.offset..].chunks_mut(size).zip(values) {
            match slot.element {
                Element::F32 => place.copy_from_slice(&(*x as f32).to_le_bytes()),
                Element::F64 => place.copy_from_slice(&x.to_le_bytes()),
                Element::I32 => place.copy_from_slice(&(*x as i32).to_le_bytes()),
            }
        }
    }

    fn read(&mut self, slot: &Slot) -> Vec<f64> {
        let each = self.bytes()[slot.offset..slot.offset + slot.bytes()].chunks(slot.element.bytes());
        let number = |b: &[u8]| match slot.element {
            Element::F32 => f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            Element::F64 => f64::from_le_bytes(std::array::from_fn(|k| b[k])),
            Element::I32 => f64::from(i32::from_le_bytes([b[0], b[1], b[2], b[3]])),
        };
        each.map(number).collect()
    }
}

fn launch(plan: &Plan, planned: &Planned, tasks: usize, step: usize, arena: &mut Arena) {
    match planned {
        Planned::Kernel { number, words, extent, grain } => {
            for task in 0..tasks {
                let (begin, end) = (step * extent + task * grain, step * extent + ((task + 1) * grain).min(*extent));
                let share = Share { begin: begin as u64, end: end as u64, words };
                interpret::interpret(&plan.kernels[*number].1, arena.bytes(), share);
            }
        }
        Planned::Work(Work::Contraction(work)) => {
            let mut scratch = vec![0u64; work.scratch_bytes() / 8 + 64];
            for task in 0..tasks {
                // SAFETY: the arena is laid out by the plan that the contraction is of, the scratch is large enough.
                unsafe {
                    runtime::contract::run(work, arena.bytes().as_mut_ptr(), scratch.as_mut_ptr().cast(), step, task)
                };
            }
        }
        Planned::Work(Work::Fill(fill)) => {
            let place = Place { seed: CLOCK.seed, site: fill.site, step: CLOCK.step };
            let rows = if fill.per_sample { fill.slot.shape[0] } else { 1 };
            let row = fill.slot.len / rows;
            if fill.slot.element == Element::F64 {
                let mut out = vec![0.0_f64; fill.slot.len];
                random::fill(&mut out, fill.distribution, place, row, 0, 0);
                arena.write(&fill.slot, &out);
            } else {
                let mut out = vec![0.0_f32; fill.slot.len];
                random::fill(&mut out, fill.distribution, place, row, 0, 0);
                arena.write(&fill.slot, &out.into_iter().map(f64::from).collect::<Vec<_>>());
            }
        }
        Planned::Work(Work::Copy { from, to, bytes }) => arena.bytes().copy_within(*from..from + bytes, *to),
        Planned::Work(Work::Listed { to, bytes }) => arena.bytes()[*to..*to + bytes.len()].copy_from_slice(bytes),
        Planned::Work(Work::Kernel { .. }) => panic!("no kernel has code here"),
    }
}

/// The outputs by interpreted kernels.
fn interpreted(module: &Module, given: &Values, precision: Precision) -> Vec<Vec<f64>> {
    let plan = plan(&[("p", module)], &Target::new(precision, Vectors::best()), 0, usize::MAX)
        .unwrap_or_else(|e| panic!("{e}"));
    plan.kernels.iter().for_each(|(_, kernel)| assert_eq!(verify(kernel), Ok(()), "{}", kernel.text()));
    let mut arena = Arena(vec![0; plan.layout.arena_bytes / 8 + 16]);
    let slot = |id: TensorId| plan.layout.slot(0, &plan.schedules[0].module, id);
    given.iter().for_each(|(id, values)| arena.write(&slot(*id), values));
    let launches = &plan.launches[0];
    let mut run = |range: std::ops::Range<usize>, step: usize| {
        launches[range].iter().for_each(|(_, tasks, planned)| launch(&plan, planned, *tasks, step, &mut arena));
    };
    let mut next = 0;
    for r in &plan.schedules[0].recurrences {
        run(next..r.steps.start, 0);
        next = r.steps.end;
        (0..r.count).for_each(|n| run(r.steps.clone(), if r.descending { r.count - 1 - n } else { n }));
    }
    run(next..launches.len(), 0);
    module.outputs.iter().map(|(_, id)| arena.read(&slot(*id))).collect()
}

/// The outputs by machine code.
fn compiled(module: &Module, given: &Values, options: &Options) -> Vec<Vec<f64>> {
    let bundle = compile(&[("p", module)], options).unwrap_or_else(|e| panic!("{e}"));
    let mut executor = Executor::new(bundle, 1).unwrap_or_else(|e| panic!("{e}"));
    for (id, values) in given {
        let slot = executor.program(0).tensors[&module.t(*id).name].clone();
        executor.write_f64(&slot, values);
    }
    executor.run(0, CLOCK).unwrap_or_else(|e| panic!("{e}"));
    module.outputs.iter().map(|(n, _)| executor.read_f64(executor.program(0).output(n).expect("there"))).collect()
}

fn bits(outputs: &[Vec<f64>]) -> Vec<Vec<u64>> {
    // A NaN is a NaN: which one is the processor's choice.
    let bits = |x: &f64| if x.is_nan() { f64::NAN.to_bits() } else { x.to_bits() };
    outputs.iter().map(|values| values.iter().map(bits).collect()).collect()
}

/// Interpreted kernels and machine code of every kind of vectors that this machine has give the same bits.
fn same_bits(module: &Module, given: &Values) {
    for precision in [Precision::F32, Precision::F64] {
        let wanted = bits(&interpreted(module, given, precision));
        for vectors in Vectors::ALL.into_iter().filter(|v| v.is_here()) {
            let found = bits(&compiled(module, given, &Options { precision, vectors }));
            assert!(found == wanted, "{precision:?}, {}: other bits in\n{}", vectors.name(), print(module));
        }
    }
}

#[test]
fn random_programs_agree_three_ways() {
    for seed in 0..40 {
        let random = program(seed);
        let (mut module, given) = (random.module, random.inputs);
        let draws = &mut |draw: &Draw, tensor: &Tensor| {
            let place = Place { seed: CLOCK.seed, site: draw.site, step: CLOCK.step };
            let mut out = vec![0.0_f64; tensor.len()];
            let row = if draw.per_sample { tensor.len() / tensor.shape[0] } else { tensor.len() };
            random::fill(&mut out, draw.distribution, place, row, 0, 0);
            out
        };
        let values = interpret(&module, &given, draws).unwrap_or_else(|e| panic!("{e}"));
        let wanted: Vec<Vec<f64>> = module.outputs.iter().map(|(_, t)| values[t].clone()).collect();
        optimise(&mut module);
        same_bits(&module, &given);
        for (found, wanted) in interpreted(&module, &given, Precision::F64).iter().zip(&wanted) {
            let scale = wanted.iter().filter(|w| w.is_finite()).fold(1.0_f64, |m, w| m.max(w.abs()));
            for (f, w) in found.iter().zip(wanted) {
                let close = f == w || f.is_nan() && w.is_nan() || (f - w).abs() <= 1e-9 * scale;
                assert!(close, "{f}, not {w}, in\n{}", print(&module));
            }
        }
    }
}

/// Each file of `tests/kernels`: a module, a line `----`, its loops and kernels. `NNC_BLESS=1` writes the second anew.
#[test]
fn files_say_what_kernels_are() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernels");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("the folder").map(|f| f.expect("an entry").path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "ir"));
    files.sort();
    assert!(files.len() >= 12, "{} files", files.len());
    for file in files {
        let text = std::fs::read_to_string(&file).expect("readable");
        let (before, after) = text.split_once("----\n").unwrap_or((&text, ""));
        let module = module(before);
        same_bits(&module, &contents(&module));
        let target = Target::new(Precision::F32, Vectors::Portable);
        let plan = plan(&[("p", &module)], &target, 0, usize::MAX).unwrap_or_else(|e| panic!("{e}"));
        let mut printed = plan.schedules[0].text();
        plan.kernels.iter().for_each(|(label, k)| printed.push_str(&format!("kernel of {label}\n{}", k.text())));
        if std::env::var_os("NNC_BLESS").is_some() {
            std::fs::write(&file, format!("{before}----\n{printed}")).expect("writable");
        } else {
            assert_eq!(printed, after, "{}", file.display());
        }
    }
}

/// Sums of every length around the lanes, the chains and the blocks of chains: the same bits three ways, in the form
/// whose lanes are those of the sum, and in the one whose lanes are results.
#[test]
fn sums_of_every_length_have_one_order() {
    for n in [1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 48, 100, 255, 256, 257, 273, 300, 4096, 4097, 5001] {
        let text = format!(
            "input x: f[3, {n}]\ninput y: f[{n}, 37]\ninput z: f[5, {n}, 6]\n\
             a[i0: 3] = sum[r0: {n}] x[i0, r0]\nb[i0: 37] = sum[r0: {n}] y[r0, i0]\n\
             c[i0: 3] = max[r0: {n}] x[i0, r0]\nd[i0: 37] = argmax[r0: {n}] y[r0, i0]\n\
             e[] = sum[r0: 3, r1: {n}] x[r0, r1] * x[r0, r1]\nf[i0: {n}] = sum[r0: 5, r1: 6] z[r0, i0, r1]\n\
             g[i0: 3] = prod[r0: {n}] (1.0 + 0.001 * x[i0, r0])\nh[i0: 3] = min[r0: {n}] exp(x[i0, r0])\n\
             output a = a\noutput b = b\noutput c = c\noutput d = d\noutput e = e\noutput f = f\noutput g = g\noutput h = h\n"
        );
        let module = module(&text);
        same_bits(&module, &contents(&module));
    }
}

/// The order written down once more, as its own few lines: term t in lane t mod 16, chains of 16, halves.
#[test]
fn the_order_is_what_it_is_said_to_be() {
    fn chain(terms: &[[f32; 16]]) -> [f32; 16] {
        let add = |a: [f32; 16], b: &[f32; 16]| std::array::from_fn(|l| a[l] + b[l]);
        let mut block = 1;
        while terms.len().div_ceil(block) > 16 {
            block *= 16;
        }
        let parts = terms.chunks(block);
        if block == 1 {
            return terms.iter().fold([0.0; 16], add);
        }
        parts.map(|p| nested(p, block / 16)).collect::<Vec<_>>().iter().fold([0.0; 16], add)
    }
    fn nested(terms: &[[f32; 16]], block: usize) -> [f32; 16] {
        let add = |a: [f32; 16], b: &[f32; 16]| std::array::from_fn(|l| a[l] + b[l]);
        if block <= 1 {
            return terms.iter().fold([0.0; 16], add);
        }
        terms.chunks(block).map(|p| nested(p, block / 16)).collect::<Vec<_>>().iter().fold([0.0; 16], add)
    }
    for n in [8, 20, 300, 4099, 5001] {
        let module = module(&format!("input x: f[{n}]\na[] = sum[r0: {n}] x[r0]\noutput a = a\n"));
        let given = contents(&module);
        let x: Vec<f32> = given[&TensorId(0)].iter().map(|x| *x as f32).collect();
        let (steps, rest) = x.as_chunks::<16>();
        let mut lanes = chain(steps);
        rest.iter().enumerate().for_each(|(l, x)| lanes[l] += x);
        let mut lanes = lanes.to_vec();
        while lanes.len() > 1 {
            let high = lanes.split_off(lanes.len() / 2);
            lanes.iter_mut().zip(high).for_each(|(a, b)| *a += b);
        }
        let found = compiled(&module, &given, &Options::new(Precision::F32));
        assert_eq!(found[0], [f64::from(lanes[0])], "{n} terms");
    }
}

/// Ten million equal terms lose no more than a pairwise sum of them does.
#[test]
fn a_long_sum_of_equal_signs_is_good() {
    let n = 10_000_000;
    for shape in [vec![n], vec![n / 4, 4], vec![n / 100, 100]] {
        let (last, read) = match shape[..] {
            [_] => (1, "x[r0]"),
            _ => (shape[1], "x[r0, i0]"),
        };
        let head = if last == 1 { "a[] =".to_string() } else { format!("a[i0: {last}] =") };
        let extents = shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let text = format!("input x: f[{extents}]\n{head} sum[r0: {}] {read}\noutput a = a\n", shape[0]);
        let mut module = module(&text);
        optimise(&mut module);
        let given = Values::from([(TensorId(0), vec![f64::from(0.1_f32); n])]);
        let found = compiled(&module, &given, &Options::new(Precision::F32));
        let wanted = shape[0] as f64 * f64::from(0.1_f32);
        let off = (found[0][0] / wanted - 1.0).abs();
        assert!(off < 2e-7, "{extents}: off by {off:e}");
    }
}
