//! Offsets in the arena for the tensors of all modules of a bundle.

use crate::ir::{Module, Role, TensorId};
use crate::schedule::Schedule;
use crate::schedule::memory::{Need, aligned, pack};
use nnc_core::number::{Element, Precision};
use nnc_core::plan::{Fault, Holding, Slot};
use std::collections::BTreeMap;

/// Where everything lives.
pub struct Layout {
    /// What lives from run to run.
    pub persistent: BTreeMap<String, Slot>,
    /// Every tensor with memory of its own.
    pub holdings: Vec<Holding>,
    /// Bytes in all.
    pub arena_bytes: usize,
    /// What floats are.
    pub precision: Precision,
    /// Bytes of what does not live from run to run, by module.
    pub bytes: Vec<usize>,
    /// Offset of each tensor, by module.
    offsets: Vec<BTreeMap<TensorId, usize>>,
}

impl Layout {
    /// Lays out the persistent tensors from byte `head` on, then each module's others from the same offset on.
    ///
    /// # Errors
    /// When persistent tensors of one name differ.
    pub fn new(
        modules: &[(&str, &Module)],
        schedules: &[Schedule],
        precision: Precision,
        head: usize,
    ) -> Result<Self, Fault> {
        let (persistent, holdings, bytes, offsets) = (BTreeMap::new(), vec![], vec![], vec![]);
        let mut layout = Self { persistent, holdings, arena_bytes: head, precision, bytes, offsets };
        for schedule in schedules {
            layout.place_persistent(&schedule.module)?;
        }
        let start = layout.arena_bytes;
        for ((name, _), schedule) in modules.iter().zip(schedules) {
            layout.place_module(name, schedule, start);
        }
        Ok(layout)
    }

    /// The offset of a tensor of a module; of one that has no memory, the end of the arena.
    #[must_use]
    pub fn offset(&self, module: usize, tensor: TensorId) -> usize {
        self.offsets[module].get(&tensor).copied().unwrap_or(self.arena_bytes)
    }

    /// The slot of a tensor of a module.
    #[must_use]
    pub fn slot(&self, number: usize, module: &Module, tensor: TensorId) -> Slot {
        slot(module, tensor, self.offset(number, tensor), self.precision)
    }

    fn place_persistent(&mut self, module: &Module) -> Result<(), Fault> {
        for (id, tensor) in tensors(module).filter(|(_, t)| t.role == Role::Persistent) {
            let new = slot(module, id, self.arena_bytes, self.precision);
            match self.persistent.get(&tensor.name) {
                Some(old) if old.shape == new.shape && old.element == new.element => {}
                Some(old) => {
                    let (name, a, b) = (&tensor.name, &old.shape, &new.shape);
                    return Err(Fault::new(format!("the programs disagree on `{name}`: {a:?} and {b:?}")));
                }
                None => {
                    self.arena_bytes += aligned(new.bytes());
                    self.holdings.push(Holding { name: tensor.name.clone(), offset: new.offset, bytes: new.bytes() });
                    self.persistent.insert(tensor.name.clone(), new);
                }
            }
        }
        Ok(())
    }

    fn place_module(&mut self, name: &str, schedule: &Schedule, start: usize) {
        let module = &schedule.module;
        let needs = needs(schedule, self.precision);
        let (at, bytes) = pack(&needs);
        let mut offsets: BTreeMap<TensorId, usize> = at.iter().map(|(t, offset)| (*t, start + offset)).collect();
        for need in &needs {
            let holding = format!("{name}: {}", module.t(need.tensor).name);
            self.holdings.push(Holding { name: holding, offset: offsets[&need.tensor], bytes: need.bytes });
        }
        for (id, tensor) in tensors(module).filter(|(_, t)| t.role == Role::Persistent) {
            offsets.insert(id, self.persistent[&tensor.name].offset);
        }
        for (from, to) in &schedule.places.shared {
            let offset = offsets[to];
            offsets.insert(*from, offset);
        }
        self.offsets.push(offsets);
        self.bytes.push(bytes);
        self.arena_bytes = self.arena_bytes.max(start + bytes);
    }
}

fn tensors(module: &Module) -> impl Iterator<Item = (TensorId, &crate::ir::Tensor)> {
    module.tensors.iter().enumerate().map(|(n, t)| (TensorId(n as u32), t))
}

fn slot(module: &Module, id: TensorId, offset: usize, precision: Precision) -> Slot {
    let tensor = module.t(id);
    Slot { offset, len: tensor.len(), shape: tensor.shape.clone(), element: Element::of(tensor.kind, precision) }
}

/// What the module's inputs and stored temporaries need, and when. Inputs stay whole through the
/// run, so that a program can run again on the same ones; outputs and sources of copies stay to its end.
/// What a recurrence touches is needed until its last turn, what it defines from its first.
fn needs(schedule: &Schedule, precision: Precision) -> Vec<Need> {
    let module = &schedule.module;
    let end = schedule.steps.len();
    let mut spans: BTreeMap<TensorId, (usize, usize)> = BTreeMap::new();
    for (number, step) in schedule.steps.iter().enumerate() {
        for tensor in step.defines.iter().chain(&step.reads) {
            let turns = schedule.recurrences.iter().find(|r| r.steps.contains(&number));
            let (first, last) = turns.map_or((number, number), |r| (r.steps.start, r.steps.end - 1));
            let span = spans.entry(*tensor).or_insert((first, last));
            span.1 = last;
        }
    }
    let kept = module.outputs.iter().map(|(_, t)| *t).chain(schedule.places.copies.iter().map(|(_, from)| *from));
    for tensor in kept {
        spans.entry(tensor).or_insert((0, end)).1 = end;
    }
    for (id, _) in tensors(module).filter(|(_, t)| t.role == Role::Input) {
        spans.insert(id, (0, end));
    }
    let own = |id: &TensorId| module.t(*id).role != Role::Persistent && !schedule.places.shared.contains_key(id);
    let need = |(id, span)| Need { tensor: id, bytes: slot(module, id, 0, precision).bytes(), span };
    spans.into_iter().filter(|(id, _)| own(id)).map(need).collect()
}
