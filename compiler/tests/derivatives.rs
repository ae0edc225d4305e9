//! Gradients are right: on random programs that cover every form of the IR, reverse mode equals
//! forward mode and finite differences, and second derivatives agree whichever way they are taken.

use nnc_compiler::differentiate::{forward, reverse};
use nnc_compiler::ir::interpret::{Choices, Values, interpret_noting};
use nnc_compiler::ir::random::{Prng, Program, program};
use nnc_compiler::ir::verify::verify;
use nnc_compiler::ir::{Combine, Def, Draw, ExprId, Item, Module, Node, Role, TensorId, text};
use nnc_compiler::scalar::{Binary, Kind, Unary};
use std::collections::BTreeMap;

/// Points are compared at up to this distance (largest element of the step).
const REACH: f64 = 1e-3;

/// Programs and points that could not be used, of how many.
#[derive(Debug, Default)]
struct Counts {
    programs: usize,
    not_finite: usize,
    moved: usize,
    stuck: usize,
    /// Differences do not settle.
    wild: usize,
    /// The gradient is zero.
    flat: usize,
}

fn run(module: &Module, p: &Program, inputs: &Values) -> (Values, Choices) {
    let mut draws = |d: &Draw, _: &_| p.draws[&d.target].clone();
    interpret_noting(module, inputs, &mut draws).unwrap_or_else(|e| panic!("{e}\n{}", text::print(module)))
}

/// `point + t * direction`.
fn along(point: &Values, direction: &Values, t: f64) -> Values {
    let mut moved = point.clone();
    for (id, step) in direction {
        for (x, s) in moved.get_mut(id).expect("an input").iter_mut().zip(step) {
            *x += t * s;
        }
    }
    moved
}

/// Replaces what stands under `Detach` by inputs holding its values at `inputs`, because finite
/// differences would look through it.
fn freeze(p: &Program, inputs: &Values) -> (Module, Values) {
    let mut m = p.module.clone();
    let mut probes = p.module.clone();
    let mut frozen: Vec<(TensorId, TensorId)> = Vec::new();
    let items = std::mem::take(&mut m.items);
    probes.items.clear();
    for item in items {
        if let Item::Def(def) = &item {
            let mut inner = m.reachable(&[def.value]);
            inner.retain(|e| matches!(m.node(*e), Node::Unary(Unary::Detach, _)));
            let mut value = def.value;
            for detach in inner.into_iter().rev() {
                let Node::Unary(_, e) = *m.node(detach) else { continue };
                let probe = probes.define("probe", def.domain.clone(), &[], Combine::Set, e, None);
                let held = m.tensor("frozen", def.domain.clone(), Kind::Float, Role::Input, None);
                frozen.push((probe, held));
                let read = m.read_here(held);
                value = replace(&mut m, value, detach, read);
            }
            probes.items.push(item.clone());
            m.items.push(Item::Def(Def { value, ..def.clone() }));
        } else {
            probes.items.push(item.clone());
            m.items.push(item);
        }
    }
    let (values, _) = run(&probes, p, inputs);
    let held = frozen.into_iter().map(|(probe, held)| (held, values[&probe].clone())).collect();
    (m, held)
}

/// The expression with one node replaced, outermost first.
fn replace(m: &mut Module, id: ExprId, old: ExprId, new: ExprId) -> ExprId {
    if id == old {
        return new;
    }
    let again = |m: &mut Module, e| replace(m, e, old, new);
    let node = match m.node(id).clone() {
        Node::Read { tensor, at, otherwise } => {
            let at = at.iter().map(|p| again(m, *p)).collect();
            Node::Read { tensor, at, otherwise: otherwise.map(|o| again(m, o)) }
        }
        Node::Unary(op, a) => Node::Unary(op, again(m, a)),
        Node::Binary(op, a, b) => Node::Binary(op, again(m, a), again(m, b)),
        Node::Select(c, a, b) => Node::Select(again(m, c), again(m, a), again(m, b)),
        leaf => leaf,
    };
    m.intern(node)
}

/// The inputs differentiated by, each with a new input for its tangent.
fn with_tangents(m: &mut Module, wrt: &[TensorId]) -> Vec<(TensorId, TensorId)> {
    let tangent = |m: &mut Module, t: &TensorId| {
        let (name, shape) = (format!("t.{}", m.t(*t).name), m.t(*t).shape.clone());
        (*t, m.tensor(&name, shape, Kind::Float, Role::Input, None))
    };
    wrt.iter().map(|t| tangent(m, t)).collect()
}

/// A random step whose largest element is at most [`REACH`].
fn direction(p: &Program, rng: &mut Prng) -> Values {
    let step = |t: &TensorId, rng: &mut Prng| p.inputs[t].iter().map(|_| REACH * rng.signed_unit()).collect();
    p.wrt.iter().map(|t| (*t, step(t, rng))).collect()
}

/// The derivative along the step from values nearby: central differences of fourth order, at the
/// scale where they agree best with those of the next finer one (coarse ones miss curvature, fine
/// ones digits). With it, how far they agree. `None` where a choice changes within the step.
fn finite_difference(p: &Program, inputs: &Values, step: &Values) -> Option<(f64, f64)> {
    let objective = p.objective().expect("an objective");
    let (frozen, held) = freeze(p, inputs);
    let mut base = inputs.clone();
    base.extend(held);
    let (_, here) = run(&frozen, p, &base);
    let at = |t: f64| {
        let (values, choices) = run(&frozen, p, &along(&base, step, t));
        (choices == here).then(|| values[&objective][0])
    };
    let central = |h: f64| Some((8.0 * (at(h / 2.0)? - at(-h / 2.0)?) - (at(h)? - at(-h)?)) / (6.0 * h));
    let scales: Vec<f64> = (0..5).map(|k| central(0.25f64.powi(k))).collect::<Option<_>>()?;
    let pairs = scales.windows(2).map(|pair| (pair[1], (pair[0] - pair[1]).abs()));
    pairs.min_by(|a, b| a.1.total_cmp(&b.1))
}

/// Checks one program's gradient in all ways.
fn check(p: &Program, seed: u64, counts: &mut Counts) {
    let objective = p.objective().expect("an objective");
    let mut m = p.module.clone();
    let pairs = with_tangents(&mut m, &p.wrt);
    let tangent = forward(&mut m, &pairs).get(&objective).copied();
    let gradients = reverse(&mut m, objective, &p.wrt);
    assert_eq!(verify(&m), Ok(()), "seed {seed}\n{}", text::print(&m));
    let mut rng = Prng(seed);
    let mut inputs = p.inputs.clone();
    counts.programs += 1;
    for attempt in 0..8 {
        let step = direction(p, &mut rng);
        let mut filled = inputs.clone();
        filled.extend(pairs.iter().map(|(t, v)| (*v, step[t].clone())));
        let (values, _) = run(&m, p, &filled);
        let terms: Vec<f64> = p
            .wrt
            .iter()
            .zip(&gradients)
            .flat_map(|(t, g)| step[t].iter().zip(&values[g]).map(|(s, g)| s * g).collect::<Vec<_>>())
            .collect();
        let (reversed, size) = (terms.iter().sum::<f64>(), terms.iter().map(|t| t.abs()).sum::<f64>());
        let forwarded = tangent.map_or(0.0, |t| values[&t][0]);
        if !size.is_finite() || !forwarded.is_finite() {
            counts.not_finite += 1;
            return;
        }
        counts.flat += usize::from(size == 0.0 && attempt == 0);
        let described = || format!("seed {seed}\n{}", text::print(&m));
        assert!(
            (reversed - forwarded).abs() <= 1e-12 * size,
            "reverse {reversed}, forward {forwarded}, terms {size}, {}",
            described()
        );
        if let Some((difference, doubt)) = finite_difference(p, &inputs, &step) {
            // What is summed may be large beside the sum; its last bits are in the differences.
            let largest = values.values().flat_map(|v| v.iter()).fold(1.0, |m: f64, x| m.max(x.abs()));
            let rounding = 1e-14 * largest;
            if doubt > 1e-7 * size + rounding {
                counts.wild += 1;
                return;
            }
            assert!(
                (reversed - difference).abs() <= 1e-6 * size + rounding,
                "reverse {reversed}, difference {difference}, terms {size}, {}",
                described()
            );
            return;
        }
        counts.moved += usize::from(attempt == 0);
        inputs = along(&inputs, &direction(p, &mut rng), 30.0);
    }
    // Such as `x <= stop_gradient(x)`, which is a kink everywhere.
    counts.stuck += 1;
}

/// How often each form of the IR occurs.
fn tally(m: &Module, table: &mut BTreeMap<String, usize>) {
    let mut count = |form: String| *table.entry(form).or_default() += 1;
    for item in &m.items {
        let Item::Def(def) = item else {
            count("draw".into());
            continue;
        };
        count(format!("{:?}", def.combine));
        if let Some(s) = &def.scatter {
            count(if s.dropping { "scatter, dropping" } else { "scatter" }.into());
        }
        for id in m.reachable(&[def.value]) {
            match m.node(id) {
                Node::Unary(op, _) => count(op.name().into()),
                Node::Binary(op, a, _) => count(format!("{} of {:?}", op.name(), m.kind(*a))),
                Node::Select(..) => count("select".into()),
                Node::Read { tensor, at, otherwise } => {
                    count(if otherwise.is_some() { "guarded read" } else { "read" }.into());
                    count(format!("read of {:?}", m.t(*tensor).role));
                    let gathers =
                        |e: &ExprId| m.reachable(&[*e]).into_iter().any(|e| matches!(m.node(e), Node::Read { .. }));
                    if at.iter().any(gathers) {
                        count("gather".into());
                    }
                }
                Node::Float(_) | Node::Int(_) | Node::Bool(_) | Node::Var(_) => {}
            }
        }
    }
}

/// Every form that the random programs must contain.
fn forms() -> Vec<String> {
    let mut forms: Vec<String> = Unary::ALL.iter().map(|op| op.name().to_string()).collect();
    for op in Binary::ALL {
        let kinds: &[Kind] = match op {
            Binary::Div | Binary::Pow => &[Kind::Float],
            Binary::FloorDiv | Binary::Mod | Binary::Eq => &[Kind::Int],
            Binary::And | Binary::Or => &[Kind::Bool],
            _ => &[Kind::Float, Kind::Int],
        };
        forms.extend(kinds.iter().map(|k| format!("{} of {k:?}", op.name())));
    }
    forms.extend(
        ["Set", "Sum", "Prod", "Max", "Min", "Argmax", "draw", "scatter", "scatter, dropping"].map(String::from),
    );
    forms.extend(["select", "read", "guarded read", "gather", "read of Input", "read of Persistent"].map(String::from));
    forms
}

fn check_programs(seeds: std::ops::Range<u64>) {
    let (mut counts, mut table) = (Counts::default(), BTreeMap::new());
    for seed in seeds {
        let p = program(seed);
        tally(&p.module, &mut table);
        check(&p, seed, &mut counts);
    }
    println!("{counts:?}");
    for form in forms() {
        let n = table.get(&form).copied().unwrap_or(0);
        println!("{n:8} {form}");
        assert!(n > 0, "no program contains {form}");
    }
    let Counts { programs, not_finite, moved, stuck, wild, flat } = counts;
    assert!(10 * (not_finite + moved + stuck + wild) < programs, "too many were left out");
    assert!(4 * flat < programs, "too many do not depend on their inputs");
}

#[test]
fn fifty_random_programs() {
    check_programs(0..50);
}

#[test]
#[ignore = "takes a minute"]
fn a_thousand_random_programs() {
    check_programs(1000..2000);
}

/// Hessian times a step, by forward over reverse and by reverse over reverse.
fn check_second(p: &Program, seed: u64) -> bool {
    let objective = p.objective().expect("an objective");
    let mut m = p.module.clone();
    let pairs = with_tangents(&mut m, &p.wrt);
    let gradients = reverse(&mut m, objective, &p.wrt);
    let mut slope = m.float(0.0);
    for (gradient, (_, tangent)) in gradients.iter().zip(&pairs) {
        let shape = m.t(*gradient).shape.clone();
        let (g, v) = (m.read_here(*gradient), m.read_here(*tangent));
        let product = m.mul(g, v);
        let sum = m.define("sum", vec![], &shape, Combine::Sum, product, None);
        let sum = m.read(sum, vec![]);
        slope = m.add(slope, sum);
    }
    let slope = m.define("slope", vec![], &[], Combine::Set, slope, None);
    let tangents = forward(&mut m, &pairs);
    let twice = reverse(&mut m, slope, &p.wrt);
    assert_eq!(verify(&m), Ok(()), "seed {seed}");
    let mut inputs = p.inputs.clone();
    let step = direction(p, &mut Prng(seed));
    inputs.extend(pairs.iter().map(|(t, v)| (*v, step[t].clone())));
    let (values, _) = run(&m, p, &inputs);
    let (mut checked, mut largest, mut off) = (false, 0.0_f64, 0.0_f64);
    for (gradient, twice) in gradients.iter().zip(&twice) {
        let by_forward = tangents.get(gradient).map(|t| &values[t]);
        for (k, b) in values[twice].iter().enumerate() {
            let a = by_forward.map_or(0.0, |t| t[k]);
            if !a.is_finite() || !b.is_finite() {
                return false;
            }
            largest = largest.max(b.abs());
            off = off.max((a - b).abs());
            checked |= *b != 0.0;
        }
    }
    assert!(off <= 1e-11 * largest, "seed {seed}: off by {off} of {largest}\n{}", text::print(&p.module));
    checked
}

#[test]
fn second_derivatives_agree() {
    let checked = (0..40).filter(|seed| check_second(&program(*seed), *seed)).count();
    assert!(checked >= 20, "only {checked} programs have a second derivative");
}
