//! Shared by the tests that compute: a gradient checked three ways, by reverse mode, forward mode and finite
//! differences.

#![allow(dead_code, reason = "every test is a crate of its own and uses a part")]

use nnc_compiler::differentiate::{forward, reverse};
use nnc_compiler::ir::interpret::{Choices, Values, interpret_noting};
use nnc_compiler::ir::random::{Prng, Program};
use nnc_compiler::ir::recurrence::arrange;
use nnc_compiler::ir::verify::verify;
use nnc_compiler::ir::{Combine, Def, Draw, ExprId, Item, Module, Node, Role, TensorId, text};
use nnc_compiler::scalar::{Kind, Unary};

/// Points are compared at up to this distance (largest element of the step).
const REACH: f64 = 1e-3;

/// Programs and points that could not be used, of how many.
#[derive(Debug, Default)]
pub struct Counts {
    pub programs: usize,
    pub not_finite: usize,
    pub moved: usize,
    pub stuck: usize,
    /// Differences do not settle.
    pub wild: usize,
    /// The gradient is zero.
    pub flat: usize,
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
    arrange(&mut m);
    arrange(&mut probes);
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

/// Checks the gradient of one program, `what`, in all ways.
pub fn check(p: &Program, what: &str, seed: u64, counts: &mut Counts) {
    let objective = p.objective().expect("an objective");
    let mut m = p.module.clone();
    let pairs = with_tangents(&mut m, &p.wrt);
    let tangent = forward(&mut m, &pairs).get(&objective).copied();
    let gradients = reverse(&mut m, objective, &p.wrt);
    assert_eq!(verify(&m), Ok(()), "{what}, seed {seed}\n{}", text::print(&m));
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
        let described = || format!("{what}, seed {seed}\n{}", text::print(&m));
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
