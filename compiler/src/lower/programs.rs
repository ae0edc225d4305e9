//! The programs of a train block, each one IR module over the same persistent tensors: `init`
//! fills them, `training` is the whole step (forward, backward, clipping, optimiser, states),
//! `evaluation` is the forward pass without randomness, `gradients` is forward and backward with
//! nothing updated.

use super::pass::Lowering;
use crate::differentiate::reverse;
use crate::ir::{Combine, Item, Module, Role, TensorId};
use crate::scalar::{Binary, Kind};
use crate::typed::{Definition, Element, Outcome, Pass, State, Supplied, Train, ValueId};
use std::collections::BTreeMap;

/// A module and the names by which the runtime finds its tensors.
#[derive(Clone, Debug)]
pub struct Program {
    /// The code.
    pub module: Module,
    /// For each field of the data set that the module reads: its place in `Train::fields` and its tensor.
    pub fields: Vec<(usize, String)>,
    /// Scalars to fill before each run.
    pub supplied: Vec<(Supplied, String)>,
    /// What comes out: objectives and metrics (means over the minibatch), outputs, gradients.
    pub results: Vec<(Produced, String)>,
}

/// What a result of a program is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Produced {
    /// Mean objective over the minibatch.
    Objective(usize),
    /// Mean of a metric over the minibatch.
    Metric(String),
    /// A named local of the train block.
    Output(String),
    /// Derivative of objective `of` by a parameter.
    Gradient { parameter: usize, of: usize },
    /// The draws of a site, under its path.
    Draw(String),
}

/// Initial values of parameters, states and slots.
#[must_use]
pub fn init(train: &Train) -> Program {
    let mut build = Build::new(train);
    let mut lowering = Lowering::new(&train.init, 1);
    let wanted: Vec<ValueId> = train.init.outcomes.iter().map(|(_, id)| *id).collect();
    let tensors = lowering.demand(&mut build.module, &wanted, &mut |m, d| build.leaves.leaf(m, d, &[]));
    for ((outcome, _), tensor) in train.init.outcomes.iter().zip(tensors) {
        build.update(outcome, tensor);
    }
    build.finish()
}

/// One step of training on a minibatch of `batch` samples.
#[must_use]
pub fn training(train: &Train, batch: usize) -> Program {
    let mut build = Build::new(train);
    let mut update = Lowering::new(&train.update, batch);
    let shifted = build.gradient_points(&mut update);
    let objectives = build.forward(&train.training, batch, &shifted);
    let asked = gradients_read(&train.update);
    build.differentiate(&objectives, &asked, &shifted);
    let results: Vec<&(Outcome, ValueId)> =
        train.update.outcomes.iter().filter(|(o, _)| !matches!(o, Outcome::GradientPoint(_))).collect();
    let wanted: Vec<ValueId> = results.iter().map(|(_, id)| *id).collect();
    let tensors = update.demand(&mut build.module, &wanted, &mut |m, d| build.leaves.leaf(m, d, &[]));
    for ((outcome, _), tensor) in results.into_iter().zip(tensors) {
        build.update(outcome, tensor);
    }
    build.finish()
}

/// The forward pass as evaluation sees it; changes nothing.
#[must_use]
pub fn evaluation(train: &Train, batch: usize) -> Program {
    let mut build = Build::new(train);
    build.forward(&train.evaluation, batch, &[]);
    build.finish()
}

/// What evaluation names, from the fields it needs for that; changes nothing.
#[must_use]
pub fn prediction(train: &Train, batch: usize) -> Program {
    let mut build = Build::new(train);
    let mut pass = train.evaluation.clone();
    pass.outcomes.retain(|(outcome, _)| matches!(outcome, Outcome::Output(_)));
    build.forward(&pass, batch, &[]);
    build.finish()
}

/// The forward pass of training alone.
#[must_use]
pub fn forward(train: &Train, batch: usize) -> Program {
    let mut build = Build::new(train);
    build.forward(&train.training, batch, &[]);
    build.finish()
}

/// Forward and backward pass of training with respect to every trained parameter; updates nothing.
#[must_use]
pub fn gradients(train: &Train, batch: usize) -> Program {
    let mut build = Build::new(train);
    let objectives = build.forward(&train.training, batch, &[]);
    build.module.updates.clear();
    let asked: Vec<(usize, usize)> = objectives
        .keys()
        .flat_map(|of| (0..train.parameters.len()).filter(|p| !train.parameters[*p].frozen).map(|p| (p, *of)))
        .collect();
    build.differentiate(&objectives, &asked, &[]);
    for (key, tensor) in build.leaves.gradients.clone() {
        build.result(Produced::Gradient { parameter: key.0, of: key.1 }, tensor);
    }
    for draw in build.draws() {
        build.result(Produced::Draw(build.module.t(draw).name.clone()), draw);
    }
    build.finish()
}

/// How many classes the elements of a program's fields stand for, where they are no real numbers.
#[must_use]
pub fn classes(train: &Train, program: &Program) -> BTreeMap<TensorId, usize> {
    let classes = |(field, name): &(usize, String)| {
        let Element::Class(n) = train.fields[*field].ty.element else { return None };
        let tensor = program.module.tensors.iter().position(|t| t.name == *name)?;
        Some((TensorId(tensor as u32), n))
    };
    program.fields.iter().filter_map(classes).collect()
}

/// The gradients an update pass asks for, as (parameter, objective).
fn gradients_read(pass: &Pass) -> Vec<(usize, usize)> {
    let mut asked: Vec<(usize, usize)> = pass
        .values
        .iter()
        .filter_map(|v| match v.definition {
            Definition::Gradient { parameter, of } => Some((parameter, of)),
            _ => None,
        })
        .collect();
    asked.sort_unstable();
    asked.dedup();
    asked
}

/// A program under construction.
struct Build<'a> {
    train: &'a Train,
    module: Module,
    leaves: LeafTensors<'a>,
    results: Vec<(Produced, String)>,
}

/// The tensors that leaves of the typed tree stand for.
struct LeafTensors<'a> {
    train: &'a Train,
    parameters: Vec<TensorId>,
    states: Vec<TensorId>,
    slots: Vec<TensorId>,
    gradients: BTreeMap<(usize, usize), TensorId>,
    fields: BTreeMap<usize, TensorId>,
    supplied: BTreeMap<Supplied, TensorId>,
    batch: usize,
}

impl LeafTensors<'_> {
    /// The tensor of a leaf; `shifted[p]`, where given, stands for parameter p.
    fn leaf(&mut self, module: &mut Module, definition: &Definition, shifted: &[Option<TensorId>]) -> TensorId {
        match definition {
            Definition::Parameter(p) => shifted.get(*p).and_then(|s| *s).unwrap_or(self.parameters[*p]),
            Definition::State(s) => self.states[*s],
            Definition::Slot(s) => self.slots[*s],
            Definition::Gradient { parameter, of } => self.gradients[&(*parameter, *of)],
            Definition::Field(f) => *self.fields.entry(*f).or_insert_with(|| {
                let field = &self.train.fields[*f];
                let shape = std::iter::once(self.batch).chain(field.ty.dims.iter().copied()).collect();
                let name = format!("input.{}", field.name);
                module.tensor(&name, shape, field.ty.element.kind(), Role::Input, Some(field.span))
            }),
            Definition::Supplied(s) => *self.supplied.entry(*s).or_insert_with(|| {
                let name = match s {
                    Supplied::Step => "run.step",
                    Supplied::Steps => "run.steps",
                    Supplied::Epoch => "run.epoch",
                };
                module.tensor(name, vec![], Kind::Float, Role::Input, None)
            }),
            Definition::Draw { .. }
            | Definition::Indexed { .. }
            | Definition::Accumulate { .. }
            | Definition::Delayed { .. } => {
                unreachable!("not a leaf: Lowering::value handles it")
            }
        }
    }
}

impl<'a> Build<'a> {
    /// Declares the persistent tensors, in the same order for every program of the train block.
    fn new(train: &'a Train) -> Self {
        let mut module = Module::default();
        let mut declare = |name: &str, dims: &[usize], span| {
            module.tensor(name, dims.to_vec(), Kind::Float, Role::Persistent, Some(span))
        };
        let parameters = train.parameters.iter().map(|p| declare(&p.path, &p.dims, p.span)).collect();
        let mut states = |list: &[State]| list.iter().map(|s| declare(&s.path, &s.dims, s.span)).collect();
        let (states, slots) = (states(&train.states), states(&train.slots));
        let leaves = LeafTensors {
            train,
            parameters,
            states,
            slots,
            gradients: BTreeMap::new(),
            fields: BTreeMap::new(),
            supplied: BTreeMap::new(),
            batch: 1,
        };
        Self { train, module, leaves, results: vec![] }
    }

    /// `grad at p`: the points at which gradients are taken, computed before the forward pass.
    fn gradient_points(&mut self, update: &mut Lowering) -> Vec<Option<TensorId>> {
        let mut shifted = vec![None; self.train.parameters.len()];
        for (outcome, id) in &self.train.update.outcomes {
            if let Outcome::GradientPoint(p) = outcome {
                let leaves = &mut self.leaves;
                let point = update.demand(&mut self.module, &[*id], &mut |m, d| leaves.leaf(m, d, &[]));
                shifted[*p] = point.first().copied();
            }
        }
        shifted
    }

    /// Lowers a forward pass and records its results; returns the objectives' tensors.
    fn forward(&mut self, pass: &Pass, batch: usize, shifted: &[Option<TensorId>]) -> BTreeMap<usize, TensorId> {
        self.leaves.batch = batch;
        let mut lowering = Lowering::new(pass, batch);
        let wanted: Vec<ValueId> = pass.outcomes.iter().map(|(_, id)| *id).collect();
        let leaves = &mut self.leaves;
        let tensors = lowering.demand(&mut self.module, &wanted, &mut |m, d| leaves.leaf(m, d, shifted));
        let mut objectives = BTreeMap::new();
        for ((outcome, id), tensor) in pass.outcomes.iter().zip(tensors) {
            let per_sample = pass.v(*id).ty.per_sample;
            match outcome {
                Outcome::Objective(k) => {
                    let mean = self.mean(tensor, per_sample);
                    objectives.insert(*k, mean);
                    self.result(Produced::Objective(*k), mean);
                }
                Outcome::Metric(name) => {
                    let mean = self.mean(tensor, per_sample);
                    self.result(Produced::Metric(name.clone()), mean);
                }
                Outcome::Output(name) => self.result(Produced::Output(name.clone()), tensor),
                other => self.update(other, tensor),
            }
        }
        objectives
    }

    /// The mean over the samples of a per-sample scalar; anything else as it is.
    fn mean(&mut self, tensor: TensorId, per_sample: bool) -> TensorId {
        if !per_sample {
            return tensor;
        }
        let module = &mut self.module;
        let (name, span) = (module.t(tensor).name.clone(), module.t(tensor).span);
        let value = module.read_here(tensor);
        let sum = module.define(&format!("{name}.sum"), vec![], &[self.leaves.batch], Combine::Sum, value, span);
        let (sum, count) = (module.read_here(sum), module.float(self.leaves.batch as f64));
        let mean = module.binary(Binary::Div, sum, count);
        module.define(&format!("{name}.mean"), vec![], &[], Combine::Set, mean, span)
    }

    /// Appends the backward passes that give the gradients asked for.
    fn differentiate(
        &mut self,
        objectives: &BTreeMap<usize, TensorId>,
        asked: &[(usize, usize)],
        shifted: &[Option<TensorId>],
    ) {
        for (of, objective) in objectives {
            let parameters: Vec<usize> = asked.iter().filter(|(_, o)| o == of).map(|(p, _)| *p).collect();
            let point = |p: &usize| shifted.get(*p).and_then(|s| *s).unwrap_or(self.leaves.parameters[*p]);
            let wrt: Vec<TensorId> = parameters.iter().map(point).collect();
            let gradients = reverse(&mut self.module, *objective, &wrt);
            self.leaves.gradients.extend(parameters.iter().map(|p| (*p, *of)).zip(gradients));
        }
    }

    fn update(&mut self, outcome: &Outcome, tensor: TensorId) {
        let target = match outcome {
            Outcome::Parameter(p) => self.leaves.parameters[*p],
            Outcome::State(s) => self.leaves.states[*s],
            Outcome::Slot(s) => self.leaves.slots[*s],
            _ => return,
        };
        if target != tensor {
            self.module.updates.push((target, tensor));
        }
    }

    fn result(&mut self, result: Produced, tensor: TensorId) {
        let name = self.module.t(tensor).name.clone();
        self.module.outputs.push((name.clone(), tensor));
        self.results.push((result, name));
    }

    fn draws(&self) -> Vec<TensorId> {
        let draw = |item: &Item| matches!(item, Item::Draw(_)).then(|| item.target());
        self.module.items.iter().filter_map(draw).collect()
    }

    fn finish(self) -> Program {
        let name = |id: &TensorId| self.module.t(*id).name.clone();
        let fields = self.leaves.fields.iter().map(|(f, t)| (*f, name(t))).collect();
        let supplied = self.leaves.supplied.iter().map(|(s, t)| (*s, name(t))).collect();
        Program { fields, supplied, results: self.results, module: self.module }
    }
}
