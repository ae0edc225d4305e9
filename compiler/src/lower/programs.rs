//! The programs of a train block, each one IR module over the same persistent tensors: `init`
//! fills them, `training` is the whole step (forward, backward, clipping, optimiser, states),
//! `evaluation` is the forward pass as evaluation sees it, `gradients` is forward and backward with
//! nothing updated, `afresh` puts the states that evaluation carries from minibatch to minibatch to
//! where a split begins.
//!
//! Metrics of whole splits are computed in 64 bits, whatever the precision of the run, in programs
//! apart that have no persistent tensors: after a minibatch of training or evaluation, `sums` makes
//! what it adds to the sums over its split, of fields and of what that program has handed on;
//! `report` makes the metrics of the sums.
//!
//! Objectives are stepped in order: the second is computed with the parameters that the first has
//! moved, on the same minibatch with the same draws. States and metrics come from the first forward
//! pass. Where gradients are accumulated over several minibatches, the step of each objective is
//! two programs: `accumulation` adds a minibatch's gradients to persistent sums, `application`
//! moves the parameters by them.

use super::build::{Build, gradients_read, handed};
use super::pass::Lowering;
use super::program::{Produced, Program};
use crate::ir::{Module, TensorId};
use crate::optimise::dead;
use crate::optimise::expr::sources;
use crate::typed::{Element, Outcome, Pass, Train, ValueId};
use std::collections::{BTreeMap, BTreeSet};

/// Initial values of parameters, states and slots.
#[must_use]
pub fn init(train: &Train) -> Program {
    let mut build = Build::new(train, 1);
    let mut lowering = Lowering::new(&train.init, 1);
    let wanted: Vec<ValueId> = train.init.outcomes.iter().map(|(_, id)| *id).collect();
    let tensors = lowering.demand(&mut build.module, &wanted, &mut |m, d| build.leaves.leaf(m, d, &[]));
    for ((outcome, _), tensor) in train.init.outcomes.iter().zip(tensors) {
        build.update(outcome, tensor);
    }
    build.clear_sums(0..train.parameters.len());
    build.finish()
}

/// Initial values of the slots for parameters that stand already, such as those another train block has left.
#[must_use]
pub fn restart(train: &Train) -> Program {
    let mut build = Build::new(train, 1);
    let mut lowering = Lowering::new(&train.init, 1);
    let mut slots = vec![];
    for (outcome, id) in &train.init.outcomes {
        match outcome {
            Outcome::Parameter(p) => lowering.give(*id, build.leaves.parameters[*p]),
            Outcome::Slot(_) => slots.push((outcome, *id)),
            _ => {}
        }
    }
    let wanted: Vec<ValueId> = slots.iter().map(|(_, id)| *id).collect();
    let tensors = lowering.demand(&mut build.module, &wanted, &mut |m, d| build.leaves.leaf(m, d, &[]));
    for ((outcome, _), tensor) in slots.into_iter().zip(tensors) {
        build.update(outcome, tensor);
    }
    build.finish()
}

/// Initial values of the states that evaluation carries on, which begin anew with every split; `None` if there are none.
#[must_use]
pub fn afresh(train: &Train) -> Option<Program> {
    let carried = train.carried();
    let mut build = Build::new(train, 1);
    let mut lowering = Lowering::new(&train.init, 1);
    let initial = |(outcome, _): &&(Outcome, ValueId)| matches!(outcome, Outcome::State(s) if carried.contains(s));
    let (outcomes, wanted): (Vec<_>, Vec<_>) = train.init.outcomes.iter().filter(initial).cloned().unzip();
    let tensors = lowering.demand(&mut build.module, &wanted, &mut |m, d| build.leaves.leaf(m, d, &[]));
    for (outcome, tensor) in outcomes.iter().zip(tensors) {
        build.update(outcome, tensor);
    }
    (!outcomes.is_empty()).then(|| build.finish())
}

/// One step of training on a minibatch of `batch` samples.
#[must_use]
pub fn training(train: &Train, batch: usize) -> Program {
    let mut build = Build::new(train, batch);
    let mut update = Lowering::new(&train.update, batch);
    let mut here = vec![None; train.parameters.len()];
    for of in 0..train.objectives.len() {
        build.backward(of, &mut update, &here);
        let moved = build.moves(of, &mut update);
        if of + 1 < train.objectives.len() {
            for (parameter, tensor) in moved {
                here[parameter] = Some(build.detached(tensor));
            }
        }
    }
    build.finish()
}

/// Adds the gradients of one minibatch out of several that make an update, by the parameters that objective `of`
/// moves, to their sums.
#[must_use]
pub fn accumulation(train: &Train, batch: usize, of: usize) -> Program {
    let mut build = Build::new(train, batch);
    let mut update = Lowering::new(&train.update, batch);
    build.backward(of, &mut update, &vec![None; train.parameters.len()]);
    build.add_to_sums();
    build.finish()
}

/// Moves the parameters of objective `of` by the sums of their gradients, which become zero.
#[must_use]
pub fn application(train: &Train, of: usize) -> Program {
    let mut build = Build::new(train, 1);
    let parameters: Vec<usize> = gradients_read(&train.update).into_iter().filter(|g| g.1 == of).map(|g| g.0).collect();
    for (parameter, _, shifted) in gradients_read(&train.update).into_iter().filter(|g| g.1 == of) {
        let sum = build.leaves.sums[parameter];
        build.leaves.gradients.insert((parameter, of, shifted), sum);
    }
    build.moves(of, &mut Lowering::new(&train.update, 1));
    build.clear_sums(parameters);
    build.finish()
}

/// The forward pass as evaluation sees it; changes nothing but the states that evaluation carries on.
#[must_use]
pub fn evaluation(train: &Train, batch: usize) -> Program {
    let mut build = Build::new(train, batch);
    build.each = true;
    let at = evaluated(&build, train);
    build.forward(&train.evaluation, &at);
    build.finish()
}

/// The tensors that evaluation uses in the place of parameters.
fn evaluated(build: &Build, train: &Train) -> Vec<Option<TensorId>> {
    train.parameters.iter().map(|p| p.evaluated.map(|slot| build.leaves.slots[slot])).collect()
}

/// What a minibatch of that pass adds to the sums over its split.
#[must_use]
pub fn sums(train: &Train, pass: &Pass, batch: usize) -> Program {
    let mut build = Build::apart(train, batch);
    let mut lowering = Lowering::new(pass, batch);
    for id in handed(pass) {
        lowering.give(id, build.take(pass, id));
    }
    let totals = pass.outcomes.iter().filter(|(o, _)| matches!(o, Outcome::Total(_)));
    let (outcomes, wanted): (Vec<_>, Vec<_>) = totals.cloned().unzip();
    let leaves = &mut build.leaves;
    let tensors = lowering.demand(&mut build.module, &wanted, &mut |m, d| leaves.leaf(m, d, &[]));
    for (outcome, tensor) in outcomes.into_iter().zip(tensors) {
        if let Outcome::Total(n) = outcome {
            build.result(Produced::Total(n), tensor);
        }
    }
    build.finish()
}

/// The metrics of a split from its sums, which are the inputs.
#[must_use]
pub fn report(train: &Train) -> Program {
    let mut build = Build::apart(train, 1);
    let reports = train.evaluation.outcomes.iter().filter(|(o, _)| matches!(o, Outcome::Report(_)));
    let (outcomes, wanted): (Vec<_>, Vec<_>) = reports.cloned().unzip();
    let leaves = &mut build.leaves;
    let tensors =
        Lowering::new(&train.evaluation, 1).demand(&mut build.module, &wanted, &mut |m, d| leaves.leaf(m, d, &[]));
    for (outcome, tensor) in outcomes.into_iter().zip(tensors) {
        if let Outcome::Report(name) = outcome {
            build.result(Produced::Report(name), tensor);
        }
    }
    build.finish()
}

/// What evaluation names, from the fields it needs for that; changes what [`evaluation`] does.
#[must_use]
pub fn prediction(train: &Train, batch: usize) -> Program {
    let mut pass = train.evaluation.clone();
    pass.outcomes.retain(|(outcome, _)| matches!(outcome, Outcome::Output(_) | Outcome::State(_)));
    let mut build = Build::new(train, batch);
    let at = evaluated(&build, train);
    build.forward(&pass, &at);
    let mut program = build.finish();
    forget_idle_states(&mut program.module);
    program
}

/// Drops the updates of states if none of them has a say in what comes out.
pub fn forget_idle_states(module: &mut Module) {
    let updates = std::mem::take(&mut module.updates);
    let mut alone = module.clone();
    dead::run(&mut alone);
    let read: BTreeSet<TensorId> = alone.items.iter().flat_map(|item| sources(&alone, item)).collect();
    let output = |state: &TensorId| module.outputs.iter().any(|(_, id)| id == state);
    if updates.iter().any(|(state, _)| read.contains(state) || output(state)) {
        module.updates = updates;
    }
}

/// The forward pass of training alone.
#[must_use]
pub fn forward(train: &Train, batch: usize) -> Program {
    let mut build = Build::new(train, batch);
    build.forward(&train.training, &[]);
    build.finish()
}

/// Forward and backward pass of training with respect to every trained parameter; updates nothing. Of several
/// objectives, the gradient by a parameter is that of the one that moves it.
#[must_use]
pub fn gradients(train: &Train, batch: usize) -> Program {
    let mut build = Build::new(train, batch);
    let objectives = build.forward(&train.training, &[]);
    build.module.updates.clear();
    let asked = gradients_read(&train.update);
    let moves = |of: usize, p: usize| train.objectives.len() == 1 || asked.iter().any(|g| (g.0, g.1) == (p, of));
    for (of, objective) in objectives {
        let trained = |p: &usize| !train.parameters[*p].frozen && moves(of, *p);
        let trained: Vec<usize> = (0..train.parameters.len()).filter(trained).collect();
        build.differentiate(objective, (of, false), &trained, &[]);
    }
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
