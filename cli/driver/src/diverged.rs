//! Where a run went wrong: goes back to the last checkpoint, repeats the run up to the first update that
//! left a parameter, a state or the loss not finite, computes that one value by value in the
//! interpreter, and shows the first definition whose result is not finite although all that it read was.

use crate::bind::Bound;
use crate::fault::{Fault, FaultKind};
use compiler::ir::interpret::{Values, interpret_in};
use compiler::ir::{Def, Draw, Item, Module, Node, Role, Tensor, TensorId};
use compiler::lower::programs;
use compiler::typed::Train;
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;
use nnc_core::number::Precision;
use nnc_core::plan::Slot;
use runtime::data::epoch_order;
use runtime::random::{self, Place};
use runtime::session::Session;
use runtime::trainer::{self, End, Metrics, Observer, Progress, Record, Settings};
use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

/// The fault to report, and the place of the first value that is not finite, where it is found. `restore` puts the
/// session back to where the repetition begins, at or before update `step - 1`, and says where that is.
pub fn explain(
    train: &Train,
    bound: &mut Bound,
    settings: &Settings,
    restore: &mut dyn FnMut(&mut Bound) -> Result<Progress, Fault>,
    step: u64,
) -> (Fault, Option<Diagnostic>) {
    let plain = format!("the loss is no finite number after update {step}; a lower learning rate or clipping may help");
    let mut found = || -> Option<(Culprit, u64)> {
        let start = restore(bound).ok()?;
        let step = first_broken(bound, settings, start, step);
        let start = restore(bound).ok()?;
        let progress = replay(bound, settings, start, step - 1, &mut Watch::default()).ok()??;
        Some((culprit(train, bound, settings, &progress)?, step))
    };
    let place = found().map(|(found, step)| found.diagnostic(step));
    (Fault::new(FaultKind::Diverged, plain), place)
}

/// The update after which something that lasts is no longer finite: a gradient or a rule may have gone wrong a while
/// before the loss does. At most `step`, where the loss did.
fn first_broken(bound: &mut Bound, settings: &Settings, start: Progress, step: u64) -> u64 {
    let finite = |(name, slot): (&String, &Slot)| is_finite(&bound.session, slot).then(|| (name.clone(), slot.clone()));
    let watched = bound.session.executor.bundle().persistent.iter().filter_map(finite).collect();
    let mut watch = Watch { watched, broken: None };
    // That it was stopped is in `broken`.
    let _ = replay(bound, settings, start, step - 1, &mut watch);
    watch.broken.unwrap_or(step)
}

fn is_finite(session: &Session, slot: &Slot) -> bool {
    session.executor.read_f64(slot).iter().all(|x| x.is_finite())
}

/// Repeats the run silently until that many updates are made; `None` if it ends in another way.
fn replay(
    bound: &mut Bound,
    settings: &Settings,
    mut progress: Progress,
    updates: u64,
    watch: &mut Watch,
) -> Result<Option<Progress>, String> {
    let settings = Settings { limit: updates, patience: None, interval: 0, ..settings.clone() };
    let never = AtomicBool::new(false);
    let Bound { session, data, .. } = bound;
    // A run that ends exactly at an epoch's end has moved on to the next; that is where the step lies.
    let end = trainer::train(session, data.as_ref(), &settings, &mut progress, &never, watch)?;
    Ok((end == End::Finished).then_some(progress))
}

/// Stops a repetition after the update that leaves something it watches not finite.
#[derive(Default)]
struct Watch {
    watched: Vec<(String, Slot)>,
    broken: Option<u64>,
}

impl Observer for Watch {
    fn updated(&mut self, session: &Session, progress: &Progress, _: f64) -> Result<(), String> {
        match self.watched.iter().find(|(_, slot)| !is_finite(session, slot)) {
            Some((name, _)) => {
                self.broken = Some(progress.at.step);
                Err(format!("`{name}` is no longer finite"))
            }
            None => Ok(()),
        }
    }

    fn interim(&mut self, _: &Progress, _: &Metrics) -> Result<(), String> {
        Ok(())
    }

    fn epoch(&mut self, _: &Session, _: &Progress, _: &Record, _: bool) -> Result<(), String> {
        Ok(())
    }
}

/// A definition that made something not finite of finite operands.
struct Culprit {
    tensor: String,
    span: Option<Span>,
    value: f64,
    position: Vec<usize>,
    operands: Vec<(String, f64, f64)>,
}

impl Culprit {
    fn diagnostic(&self, step: u64) -> Diagnostic {
        let what = if self.value.is_nan() { "not a number" } else { "infinite" };
        let message = format!("in update {step}, `{}` becomes {what}", self.tensor);
        let place =
            if self.position.is_empty() { String::new() } else { format!(" first at element {:?}", self.position) };
        let mut shown = Diagnostic::error("diverged", self.span.unwrap_or_default(), message)
            .here(format!("{}{place}", self.value))
            .help("a lower learning rate, `clip = global_norm(1.0)` or a small constant under the root or logarithm may help");
        for (name, low, high) in &self.operands {
            shown = shown.note(format!("`{name}` lies between {} and {}", short(*low), short(*high)));
        }
        shown
    }
}

/// Four digits, with an exponent where the number is very large or very small.
fn short(x: f64) -> String {
    if x == 0.0 || (1e-3..1e6).contains(&x.abs()) { format!("{x:.4}") } else { format!("{x:.3e}") }
}

/// Computes the minibatches of the step that `progress` stands before, up to the first value that is not finite.
fn culprit(train: &Train, bound: &mut Bound, settings: &Settings, progress: &Progress) -> Option<Culprit> {
    let count = bound.data.as_ref().and_then(|d| d.split("train")).map_or(1, |s| s.count);
    let shuffled = settings.shuffle && bound.data.is_some();
    let order = epoch_order(bound.session.seed, progress.at.epoch, count, shuffled);
    let first = if bound.data.is_some() { progress.at.sample } else { 0 };
    let samples = &order[first..(first + bound.batch * settings.accumulate).min(count)];
    let mut done = 0;
    samples.chunks(bound.batch).find_map(|chunk| {
        let share = chunk.len() as f64 / samples.len() as f64;
        let found = culprit_in(train, bound, progress, chunk, (done, share));
        done += chunk.len() as u64;
        found
    })
}

/// The first value of a minibatch that is not finite. Where an update takes several, that is its forward and backward
/// pass; else it is the whole step.
fn culprit_in(
    train: &Train,
    bound: &mut Bound,
    progress: &Progress,
    samples: &[u32],
    (before, share): (u64, f64),
) -> Option<Culprit> {
    let split = bound.data.as_ref().and_then(|d| d.split("train"));
    bound.session.fill_training(0, split, samples, progress.at, share)?;
    let module = match train.settings.accumulate {
        1 => programs::training(train, samples.len()).module,
        _ => programs::accumulation(train, samples.len(), 0).module,
    };
    let binding = bound.session.training.first()?.minibatch.of(samples.len())?;
    let executor = &bound.session.executor;
    let compiled = executor.program(binding.program);
    let mut inputs = Values::new();
    for (id, tensor) in module.tensors.iter().enumerate().filter(|(_, t)| t.role != Role::Temporary) {
        // A tensor that the compiled program does not have is not read.
        let values =
            compiled.tensors.get(&tensor.name).map_or_else(|| vec![0.0; tensor.len()], |s| executor.read_f64(s));
        inputs.insert(TensorId(id as u32), values);
    }
    let place = |site| Place { seed: bound.session.seed, site, step: progress.at.step + 1 };
    let mut draws = |draw: &Draw, tensor: &Tensor| drawn(draw, tensor, place(draw.site), before);
    let values = interpret_in(Precision::F32, &module, &inputs, &mut draws).ok()?;
    let broken = |id: &TensorId| values.get(id).and_then(|v| v.iter().position(|x| !x.is_finite()));
    module.items.iter().find_map(|item| {
        let Item::Def(def) = item else { return None };
        let at = broken(&def.target)?;
        let reads = reads(&module, def);
        let meant = mentions_infinity(&module, def);
        (!meant && reads.iter().all(|r| broken(r).is_none())).then(|| describe(&module, &values, def, at, &reads))
    })
}

/// The draws of a minibatch before which the update took `before` samples.
fn drawn(draw: &Draw, tensor: &Tensor, place: Place, before: u64) -> Vec<f64> {
    let mut out = vec![0.0f32; tensor.len()];
    let row = if draw.per_sample { tensor.len() / tensor.shape[0] } else { tensor.len() };
    let first = if draw.per_sample { before } else { 0 };
    random::fill(&mut out, draw.distribution, place, row, first, 0);
    out.into_iter().map(f64::from).collect()
}

/// The tensors a definition reads.
fn reads(module: &Module, def: &Def) -> BTreeSet<TensorId> {
    let read = |id| match module.node(id) {
        Node::Read { tensor, .. } => Some(*tensor),
        _ => None,
    };
    module.reachable(&[def.value]).into_iter().filter_map(read).collect()
}

/// Whether the definition itself says infinity, as a mask does.
fn mentions_infinity(module: &Module, def: &Def) -> bool {
    let infinite = |id| matches!(module.node(id), Node::Float(bits) if !f64::from_bits(*bits).is_finite());
    module.reachable(&[def.value]).into_iter().any(infinite)
}

fn describe(module: &Module, values: &Values, def: &Def, at: usize, reads: &BTreeSet<TensorId>) -> Culprit {
    let tensor = module.t(def.target);
    let mut rest = at;
    let mut position: Vec<usize> = tensor.shape.iter().rev().map(|n| (rest % n, rest /= n).0).collect();
    position.reverse();
    let operand = |id: &TensorId| {
        let range = values[id].iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(*x), h.max(*x)));
        (module.t(*id).name.clone(), range.0, range.1)
    };
    Culprit {
        tensor: tensor.name.clone(),
        span: tensor.span.or_else(|| primal_span(module, &tensor.name)),
        value: values[&def.target][at],
        position,
        operands: reads.iter().map(operand).collect(),
    }
}

/// The place of what a derivative is the derivative of.
fn primal_span(module: &Module, name: &str) -> Option<Span> {
    let primal = name.trim_start_matches("d.").split('#').next()?;
    module.tensors.iter().find(|t| t.name == primal).and_then(|t| t.span)
}
