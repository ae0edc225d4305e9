//! What the programs of a train block are built of: the persistent tensors they share, forward
//! passes at the parameters or elsewhere, backward passes, and updates.

use super::pass::{Lowering, definition_reads};
use super::program::{Produced, Program};
use super::rounds::outcomes_of;
use crate::differentiate::reverse;
use crate::ir::verify::expect_verified;
use crate::ir::{Combine, Item, Module, Role, TensorId};
use crate::scalar::{Binary, Kind, Unary};
use crate::typed::{Definition, Outcome, Pass, State, Supplied, Train, ValueId};
use std::collections::{BTreeMap, BTreeSet};

/// A gradient: the parameter, the objective, and whether it is taken at the gradient points.
pub(super) type GradientKey = (usize, usize, bool);

/// The gradients an update pass asks for.
pub(super) fn gradients_read(pass: &Pass) -> Vec<GradientKey> {
    let key = |v: &crate::typed::Value| match v.definition {
        Definition::Gradient { parameter, of, shifted } => Some((parameter, of, shifted)),
        _ => None,
    };
    let mut asked: Vec<GradientKey> = pass.values.iter().filter_map(key).collect();
    asked.sort_unstable();
    asked.dedup();
    asked
}

/// What the sums over a split are made of beside fields and numbers of the run: what layers and models give, draws,
/// parameters and states. Programs of the run's precision compute these, and hand them to one of 64 bits.
pub(super) fn handed(pass: &Pass) -> BTreeSet<ValueId> {
    let totals = pass.outcomes.iter().filter(|(o, _)| matches!(o, Outcome::Total(_)));
    let mut open: Vec<ValueId> = totals.map(|(_, id)| *id).collect();
    let (mut known, mut found) = (BTreeSet::new(), BTreeSet::new());
    while let Some(id) = open.pop() {
        if !known.insert(id) {
            continue;
        }
        let value = pass.v(id);
        match value.definition {
            Definition::Field(_) | Definition::Supplied(_) | Definition::Listed(_) | Definition::Total(_) => {}
            Definition::Parameter(_) | Definition::State(_) | Definition::Slot(_) | Definition::Draw { .. } => {
                found.insert(id);
            }
            _ if value.given => {
                found.insert(id);
            }
            _ => definition_reads(&value.definition, &mut open),
        }
    }
    found
}

/// A program under construction.
pub(super) struct Build<'a> {
    train: &'a Train,
    pub module: Module,
    pub leaves: LeafTensors<'a>,
    results: Vec<(Produced, String)>,
    handed: Vec<String>,
    /// Whether objectives and metrics stay what they are for each sample: their sums are then taken in 64 bits.
    pub each: bool,
    /// The first forward pass of training, and where it took the parameters.
    first: Option<(Lowering<'a>, Vec<Option<TensorId>>)>,
}

/// The tensors that leaves of the typed tree stand for.
pub(super) struct LeafTensors<'a> {
    train: &'a Train,
    pub parameters: Vec<TensorId>,
    states: Vec<TensorId>,
    pub slots: Vec<TensorId>,
    /// Where gradients are accumulated: their sums, by parameter.
    pub sums: Vec<TensorId>,
    pub gradients: BTreeMap<GradientKey, TensorId>,
    fields: BTreeMap<usize, TensorId>,
    supplied: BTreeMap<Supplied, TensorId>,
    batch: usize,
}

impl LeafTensors<'_> {
    /// The tensor of a leaf; `at[p]`, where given, stands for parameter p.
    pub fn leaf(&mut self, module: &mut Module, definition: &Definition, at: &[Option<TensorId>]) -> TensorId {
        match definition {
            Definition::Parameter(p) => self.parameter(*p, at),
            Definition::State(s) => self.states[*s],
            Definition::Slot(s) => self.slots[*s],
            Definition::Gradient { parameter, of, shifted } => self.gradients[&(*parameter, *of, *shifted)],
            Definition::Field(f) => *self.fields.entry(*f).or_insert_with(|| {
                let field = &self.train.fields[*f];
                let shape = std::iter::once(self.batch).chain(field.ty.dims.iter().copied()).collect();
                let name = format!("input.{}", field.name);
                module.tensor(&name, shape, field.ty.element.kind(), Role::Input, Some(field.span))
            }),
            Definition::Supplied(s) => self.supplied(module, *s),
            Definition::Total(n) => {
                let shape = self.train.total_dims(*n);
                module.tensor(&format!("total.{n}"), shape, Kind::Float, Role::Input, None)
            }
            Definition::Draw { .. }
            | Definition::Listed(_)
            | Definition::Indexed { .. }
            | Definition::Accumulate { .. }
            | Definition::Delayed { .. } => {
                unreachable!("not a leaf: Lowering::value handles it")
            }
        }
    }

    fn parameter(&self, p: usize, at: &[Option<TensorId>]) -> TensorId {
        at.get(p).and_then(|s| *s).unwrap_or(self.parameters[p])
    }

    fn supplied(&mut self, module: &mut Module, which: Supplied) -> TensorId {
        *self.supplied.entry(which).or_insert_with(|| {
            let name = match which {
                Supplied::Step => "run.step".to_string(),
                Supplied::Steps => "run.steps".to_string(),
                Supplied::Epoch => "run.epoch".to_string(),
                Supplied::Share => "run.share".to_string(),
                Supplied::Figure(n) => {
                    let (split, name) = &self.train.figures[n];
                    format!("run.{split}.{name}")
                }
            };
            module.tensor(&name, vec![], Kind::Float, Role::Input, None)
        })
    }
}

impl<'a> Build<'a> {
    /// A program of its own, without the tensors that live from run to run.
    pub fn apart(train: &'a Train, batch: usize) -> Self {
        let leaves = LeafTensors {
            train,
            parameters: vec![],
            states: vec![],
            slots: vec![],
            sums: vec![],
            gradients: BTreeMap::new(),
            fields: BTreeMap::new(),
            supplied: BTreeMap::new(),
            batch,
        };
        let module = Module::default();
        Self { train, module, leaves, results: vec![], handed: vec![], each: false, first: None }
    }

    /// Declares the persistent tensors, in the same order for every program of the train block.
    pub fn new(train: &'a Train, batch: usize) -> Self {
        let mut build = Self::apart(train, batch);
        let Self { module, leaves, .. } = &mut build;
        let mut declare = |name: &str, dims: &[usize], span| {
            module.tensor(name, dims.to_vec(), Kind::Float, Role::Persistent, Some(span))
        };
        leaves.parameters = train.parameters.iter().map(|p| declare(&p.path, &p.dims, p.span)).collect();
        let mut states = |list: &[State]| list.iter().map(|s| declare(&s.path, &s.dims, s.span)).collect();
        (leaves.states, leaves.slots) = (states(&train.states), states(&train.slots));
        let summed = if train.settings.accumulate > 1 { &train.parameters[..] } else { &[] };
        leaves.sums = summed.iter().map(|p| declare(&format!("{}.sum", p.path), &p.dims, p.span)).collect();
        build
    }

    /// Forward and backward pass of objective `of`, the parameters being at `here`: at that point where the update
    /// asks for gradients there, and at the points of `grad at p` where it asks for those.
    pub fn backward(&mut self, of: usize, update: &mut Lowering<'a>, here: &[Option<TensorId>]) {
        let asked = gradients_read(&self.train.update);
        let by = |shifted| asked.iter().filter(|g| g.1 == of && g.2 == shifted).map(|g| g.0).collect::<Vec<usize>>();
        let (plain, moved) = (by(false), by(true));
        if !plain.is_empty() || moved.is_empty() {
            let objective = self.objective(of, here);
            self.differentiate(objective, (of, false), &plain, here);
        }
        if !moved.is_empty() {
            let points = self.gradient_points(&moved, update, here);
            let objective = self.objective(of, &points);
            self.differentiate(objective, (of, true), &moved, &points);
        }
    }

    /// The points at which the gradients by those parameters are taken, beside those of all others.
    fn gradient_points(
        &mut self,
        parameters: &[usize],
        update: &mut Lowering<'a>,
        here: &[Option<TensorId>],
    ) -> Vec<Option<TensorId>> {
        let mut points = here.to_vec();
        for (outcome, id) in &self.train.update.outcomes {
            if let Outcome::GradientPoint(p) = outcome
                && parameters.contains(p)
            {
                let leaves = &mut self.leaves;
                let point = update.demand(&mut self.module, &[*id], &mut |m, d| leaves.leaf(m, d, &[]));
                points[*p] = point.first().copied();
            }
        }
        points
    }

    /// Objective `of` with the parameters at `at`. The first time all else that the forward pass yields comes with it;
    /// later only what the moved parameters change is computed anew.
    fn objective(&mut self, of: usize, at: &[Option<TensorId>]) -> TensorId {
        let pass = &self.train.training;
        let Some((first, before)) = self.first.take() else {
            let wanted = |o: &Outcome| match o {
                Outcome::Objective(k) => *k == of,
                // Told once, by the first objective's pass.
                _ => of == 0,
            };
            let mut lowering = Lowering::new(pass, self.leaves.batch);
            let objectives = self.outcomes(&mut lowering, pass, &wanted, at);
            self.first = Some((lowering, at.to_vec()));
            return objectives[&of];
        };
        let moved = |d: &Definition| match d {
            Definition::Parameter(p) => self.leaves.parameter(*p, at) != self.leaves.parameter(*p, &before),
            _ => false,
        };
        let mut again = first.again(moved);
        self.first = Some((first, before));
        let known = self.results.iter().any(|(r, _)| *r == Produced::Objective(of));
        let count = self.results.len();
        let objective = self.outcomes(&mut again, pass, &|o| *o == Outcome::Objective(of), at)[&of];
        if known {
            // An objective is told of as it was before anything moved.
            self.results.truncate(count);
            self.module.outputs.truncate(count);
        }
        objective
    }

    /// A whole forward pass with its results; returns the objectives' tensors.
    pub fn forward(&mut self, pass: &'a Pass, at: &[Option<TensorId>]) -> BTreeMap<usize, TensorId> {
        self.outcomes(&mut Lowering::new(pass, self.leaves.batch), pass, &|_| true, at)
    }

    /// Lowers the wanted outcomes of a forward pass and records them; in the place of sums over a split, what these are
    /// made of.
    fn outcomes(
        &mut self,
        lowering: &mut Lowering<'a>,
        pass: &'a Pass,
        wanted: &dyn Fn(&Outcome) -> bool,
        at: &[Option<TensorId>],
    ) -> BTreeMap<usize, TensorId> {
        let told = |o: &Outcome| wanted(o) && !matches!(o, Outcome::Report(_) | Outcome::Total(_));
        let outcomes: Vec<&(Outcome, ValueId)> = pass.outcomes.iter().filter(|(o, _)| told(o)).collect();
        let mut ids: Vec<ValueId> = outcomes.iter().map(|(_, id)| *id).collect();
        if wanted(&Outcome::Total(0)) {
            ids.extend(handed(pass));
        }
        let leaves = &mut self.leaves;
        let tensors = lowering.demand(&mut self.module, &ids, &mut |m, d| leaves.leaf(m, d, at));
        tensors[outcomes.len()..].iter().for_each(|tensor| self.hand(*tensor));
        let mut objectives = BTreeMap::new();
        for ((outcome, id), tensor) in outcomes.into_iter().zip(tensors) {
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

    /// Makes a tensor's numbers readable after a run, as they were before it where it lives longer.
    fn hand(&mut self, tensor: TensorId) {
        let module = &mut self.module;
        let (name, shape) = (module.t(tensor).name.clone(), module.t(tensor).shape.clone());
        let tensor = match module.t(tensor).role {
            Role::Temporary => tensor,
            _ => {
                let value = module.read_here(tensor);
                module.define(&format!("{name}.handed"), shape, &[], Combine::Set, value, None)
            }
        };
        let name = module.t(tensor).name.clone();
        module.outputs.push((name.clone(), tensor));
        self.handed.push(name);
    }

    /// Declares an input for what a program of the run's precision hands on.
    pub fn take(&mut self, pass: &Pass, id: ValueId) -> TensorId {
        let value = pass.v(id);
        let batch = value.ty.per_sample.then_some(self.leaves.batch);
        let shape = batch.into_iter().chain(value.ty.dims.iter().copied()).collect();
        let (name, kind) = (format!("handed.{}", value.name), value.ty.element.kind());
        let tensor = self.module.tensor(&name, shape, kind, Role::Input, Some(value.span));
        self.handed.push(self.module.t(tensor).name.clone());
        tensor
    }

    /// The mean over the samples of a per-sample scalar, or the scalars themselves; anything else as it is.
    fn mean(&mut self, tensor: TensorId, per_sample: bool) -> TensorId {
        if !per_sample {
            return tensor;
        }
        let (each, module) = (self.each, &mut self.module);
        let (name, span) = (module.t(tensor).name.clone(), module.t(tensor).span);
        if each && module.t(tensor).role == Role::Temporary {
            return tensor;
        }
        let value = module.read_here(tensor);
        if each {
            return module.define(&format!("{name}.each"), vec![self.leaves.batch], &[], Combine::Set, value, span);
        }
        let sum = module.define(&format!("{name}.sum"), vec![], &[self.leaves.batch], Combine::Sum, value, span);
        let (sum, count) = (module.read_here(sum), module.float(self.leaves.batch as f64));
        let mean = module.binary(Binary::Div, sum, count);
        module.define(&format!("{name}.mean"), vec![], &[], Combine::Set, mean, span)
    }

    /// Appends the backward pass of an objective by the given parameters, which are at `at`.
    pub fn differentiate(
        &mut self,
        objective: TensorId,
        (of, shifted): (usize, bool),
        parameters: &[usize],
        at: &[Option<TensorId>],
    ) {
        let wrt: Vec<TensorId> = parameters.iter().map(|p| self.leaves.parameter(*p, at)).collect();
        let gradients = reverse(&mut self.module, objective, &wrt);
        self.leaves.gradients.extend(parameters.iter().map(|p| (*p, of, shifted)).zip(gradients));
    }

    /// The moves of objective `of`: next values of parameters and of the rules' states; returns those of parameters.
    pub fn moves(&mut self, of: usize, update: &mut Lowering<'a>) -> Vec<(usize, TensorId)> {
        let outcomes = outcomes_of(self.train, of);
        let wanted: Vec<ValueId> = outcomes.iter().map(|(_, id)| *id).collect();
        let leaves = &mut self.leaves;
        let tensors = update.demand(&mut self.module, &wanted, &mut |m, d| leaves.leaf(m, d, &[]));
        let mut moved = vec![];
        for ((outcome, _), tensor) in outcomes.into_iter().zip(tensors) {
            self.update(&outcome, tensor);
            if let Outcome::Parameter(p) = outcome {
                moved.push((p, tensor));
            }
        }
        moved
    }

    /// The same numbers, through which no derivative goes: how a parameter was moved is no part of the next objective.
    pub fn detached(&mut self, tensor: TensorId) -> TensorId {
        let (name, shape) = (self.module.t(tensor).name.clone(), self.module.t(tensor).shape.clone());
        let value = self.module.read_here(tensor);
        let value = self.module.unary(Unary::Detach, value);
        self.module.define(&format!("{name}.moved"), shape, &[], Combine::Set, value, None)
    }

    /// Adds the gradients there are, times the minibatch's share in the update, to their sums.
    pub fn add_to_sums(&mut self) {
        let share = self.leaves.supplied(&mut self.module, Supplied::Share);
        for ((parameter, ..), gradient) in self.leaves.gradients.clone() {
            let sum = self.leaves.sums[parameter];
            let m = &mut self.module;
            let (name, shape) = (m.t(sum).name.clone(), m.t(sum).shape.clone());
            let (before, gradient, share) = (m.read_here(sum), m.read_here(gradient), m.read(share, vec![]));
            let part = m.mul(share, gradient);
            let value = m.add(before, part);
            let next = m.define(&format!("{name}'"), shape, &[], Combine::Set, value, None);
            m.updates.push((sum, next));
        }
    }

    /// Makes the sums of the gradients by those parameters zero, where there are any.
    pub fn clear_sums(&mut self, parameters: impl IntoIterator<Item = usize>) {
        for parameter in parameters {
            let Some(sum) = self.leaves.sums.get(parameter).copied() else { continue };
            let m = &mut self.module;
            let (name, shape) = (m.t(sum).name.clone(), m.t(sum).shape.clone());
            let zero = m.float(0.0);
            let next = m.define(&format!("{name}'"), shape, &[], Combine::Set, zero, None);
            m.updates.push((sum, next));
        }
    }

    /// Records the next value of a parameter, state or slot.
    pub fn update(&mut self, outcome: &Outcome, tensor: TensorId) {
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

    /// Records a result.
    pub fn result(&mut self, result: Produced, tensor: TensorId) {
        let name = self.module.t(tensor).name.clone();
        self.module.outputs.push((name.clone(), tensor));
        self.results.push((result, name));
    }

    /// The draws so far.
    pub fn draws(&self) -> Vec<TensorId> {
        let draw = |item: &Item| matches!(item, Item::Draw(_)).then(|| item.target());
        self.module.items.iter().filter_map(draw).collect()
    }

    /// The program.
    pub fn finish(self) -> Program {
        expect_verified(&self.module, "lowering");
        let name = |id: &TensorId| self.module.t(*id).name.clone();
        let fields = self.leaves.fields.iter().map(|(f, t)| (*f, name(t))).collect();
        let supplied = self.leaves.supplied.iter().map(|(s, t)| (*s, name(t))).collect();
        Program { fields, supplied, results: self.results, handed: self.handed, module: self.module }
    }
}
