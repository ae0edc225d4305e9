//! Updates one after the other, each on a full minibatch, epoch after epoch in a run's order: for what measures a step or
//! watches the loss, and keeps nothing of a run.

use crate::bind::Bound;
use crate::fault::Fault;
use runtime::data::epoch_order;
use runtime::session::{Position, Sums};

/// Where the updates stand.
pub struct Steps {
    order: Vec<u32>,
    /// Before the next update.
    pub at: Position,
    /// Samples of an update.
    batch: usize,
    sums: Sums,
}

impl Steps {
    /// Before the first.
    pub fn new(bound: &Bound) -> Self {
        let batch = bound.batch * bound.accumulate;
        let mut steps = Self { order: vec![], at: Position::default(), batch, sums: Sums::default() };
        steps.order = steps.shuffled(bound);
        steps.batch = batch.min(steps.order.len());
        steps
    }

    fn shuffled(&self, bound: &Bound) -> Vec<u32> {
        let count = bound.data.as_ref().and_then(|d| d.split("train")).map_or(1, |s| s.count);
        epoch_order(bound.session.seed, self.at.epoch, count, bound.data.is_some())
    }

    /// Makes an update.
    pub fn next(&mut self, bound: &mut Bound) -> Result<(), Fault> {
        if self.at.sample + self.batch > self.order.len() {
            self.at = Position { epoch: self.at.epoch + 1, sample: 0, ..self.at };
            self.order = self.shuffled(bound);
        }
        let samples = &self.order[self.at.sample..self.at.sample + self.batch];
        let split = bound.data.as_ref().and_then(|d| d.split("train"));
        self.sums.clear();
        bound.session.train(split, samples, self.at, &mut self.sums).map_err(Fault::internal)?;
        self.at.step += 1;
        self.at.sample += self.batch;
        Ok(())
    }

    /// The loss of the last update.
    pub fn loss(&self, bound: &Bound) -> f64 {
        bound.session.loss(&self.sums, self.batch as f64)
    }
}
