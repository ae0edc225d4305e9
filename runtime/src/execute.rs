//! Runs programs: owns the arena and the threads, walks the launches.
//!
//! Nothing here allocates once the executor exists. Slices of tensors borrow the executor, so no
//! launch can run while they are held.

use crate::contract;
use crate::pool::Pool;
use crate::random::{self, Place};
use nnc_core::number::{ALIGNMENT, Element};
use nnc_core::plan::{Bundle, FILL_GRAIN, Fault, Fill, Launch, Program, Slot, Work};
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ops::Range;
use std::sync::Arc;

/// Page size the arena is aligned to, in bytes.
const PAGE: usize = 4096;

/// What tells the draws of one run from those of another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// The program's seed.
    pub seed: u64,
    /// The step; evaluation sets [`nnc_core::random::EVALUATION`].
    pub step: u64,
    /// Number of the first sample of this run in its logical batch.
    pub sample: u64,
}

/// Zeroed, page-aligned memory, touched once.
struct Arena {
    start: *mut u8,
    layout: Layout,
}

// SAFETY: the arena is plain memory; access is governed by the executor that owns it.
unsafe impl Send for Arena {}
// SAFETY: as above; shared references only read.
unsafe impl Sync for Arena {}

impl Arena {
    fn new(bytes: usize) -> Result<Self, Fault> {
        let none = || Fault::new(format!("there is no memory for {bytes} bytes"));
        let rounded = bytes.max(PAGE).checked_next_multiple_of(PAGE).ok_or_else(none)?;
        let layout = Layout::from_size_align(rounded, PAGE).map_err(|_| none())?;
        // SAFETY: the layout's size is not zero.
        let start = unsafe { alloc_zeroed(layout) };
        if start.is_null() {
            return Err(none());
        }
        for page in (0..layout.size()).step_by(PAGE) {
            // SAFETY: inside the block just allocated. Volatile, so that fresh pages are really touched.
            unsafe { start.add(page).write_volatile(0) };
        }
        Ok(Self { start, layout })
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.start, self.layout) };
    }
}

/// A bundle ready to run.
pub struct Executor {
    bundle: Bundle,
    arena: Arena,
    /// One block of `scratch_stride` bytes for each worker.
    scratch: Arena,
    scratch_stride: usize,
    pool: Arc<Pool>,
}

impl Executor {
    /// Allocates the arena, zeroed, and starts `threads` workers (the caller's thread is one).
    ///
    /// # Errors
    /// When there is no memory for the arena.
    pub fn new(bundle: Bundle, threads: usize) -> Result<Self, Fault> {
        let threads = threads.max(1);
        Self::on(bundle, threads, || Arc::new(Pool::new(threads)))
    }

    /// Allocates the arena of another bundle, which the same workers run.
    ///
    /// # Errors
    /// When there is no memory for the arena.
    pub fn beside(&self, bundle: Bundle) -> Result<Self, Fault> {
        Self::on(bundle, self.threads(), || self.pool.clone())
    }

    fn on(bundle: Bundle, threads: usize, pool: impl FnOnce() -> Arc<Pool>) -> Result<Self, Fault> {
        let scratch_stride = bundle.scratch_bytes.max(1).next_multiple_of(PAGE);
        let arena = Arena::new(bundle.arena_bytes + ALIGNMENT)?;
        let scratch = Arena::new(scratch_stride * threads)?;
        Ok(Self { bundle, arena, scratch, scratch_stride, pool: pool() })
    }

    /// What it runs.
    #[must_use]
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// Threads it runs on, the caller's included.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }

    /// The program of that number.
    #[must_use]
    pub fn program(&self, program: usize) -> &Program {
        &self.bundle.programs[program]
    }

    /// Runs a program once on what its inputs and the persistent tensors hold.
    ///
    /// # Errors
    /// When a task panics: a fault of ours.
    pub fn run(&mut self, program: usize, clock: Clock) -> Result<(), Fault> {
        let memory = Memory { arena: self.arena.start, scratch: self.scratch.start, stride: self.scratch_stride };
        for (launch, turn) in self.bundle.programs[program].in_order() {
            run_launch(launch, turn, &self.pool, memory, clock)?;
        }
        Ok(())
    }

    /// As [`Self::run`], calling `observe` with each launch's label and seconds.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn profile(&mut self, program: usize, clock: Clock, observe: &mut dyn FnMut(&str, f64)) -> Result<(), Fault> {
        let memory = Memory { arena: self.arena.start, scratch: self.scratch.start, stride: self.scratch_stride };
        for (launch, turn) in self.bundle.programs[program].in_order() {
            let start = std::time::Instant::now();
            run_launch(launch, turn, &self.pool, memory, clock)?;
            observe(&launch.label, start.elapsed().as_secs_f64());
        }
        Ok(())
    }

    fn check(&self, slot: &Slot, element: Element) {
        assert!(slot.element == element, "the slot holds {:?}, not {element:?}", slot.element);
        assert!(slot.offset + slot.bytes() <= self.arena.layout.size(), "the slot is of another arena");
    }

    /// The elements of an f32 tensor.
    ///
    /// # Panics
    /// When the slot holds another kind of element; so do the following.
    #[must_use]
    pub fn f32s(&self, slot: &Slot) -> &[f32] {
        self.check(slot, Element::F32);
        // SAFETY: checked to lie in the arena, which is aligned, initialised and borrowed.
        unsafe { std::slice::from_raw_parts(self.arena.start.add(slot.offset).cast(), slot.len) }
    }

    /// The elements of an f32 tensor, to be changed.
    pub fn f32s_mut(&mut self, slot: &Slot) -> &mut [f32] {
        self.check(slot, Element::F32);
        // SAFETY: as in `f32s`, borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.arena.start.add(slot.offset).cast(), slot.len) }
    }

    /// The elements of an f64 tensor.
    #[must_use]
    pub fn f64s(&self, slot: &Slot) -> &[f64] {
        self.check(slot, Element::F64);
        // SAFETY: as in `f32s`.
        unsafe { std::slice::from_raw_parts(self.arena.start.add(slot.offset).cast(), slot.len) }
    }

    /// The elements of an f64 tensor, to be changed.
    pub fn f64s_mut(&mut self, slot: &Slot) -> &mut [f64] {
        self.check(slot, Element::F64);
        // SAFETY: as in `f32s`, borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.arena.start.add(slot.offset).cast(), slot.len) }
    }

    /// The elements of a tensor of integers or truth values.
    #[must_use]
    pub fn i32s(&self, slot: &Slot) -> &[i32] {
        self.check(slot, Element::I32);
        // SAFETY: as in `f32s`.
        unsafe { std::slice::from_raw_parts(self.arena.start.add(slot.offset).cast(), slot.len) }
    }

    /// The elements of a tensor of integers or truth values, to be changed.
    pub fn i32s_mut(&mut self, slot: &Slot) -> &mut [i32] {
        self.check(slot, Element::I32);
        // SAFETY: as in `f32s`, borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.arena.start.add(slot.offset).cast(), slot.len) }
    }

    /// The elements of any tensor as f64.
    #[must_use]
    pub fn read_f64(&self, slot: &Slot) -> Vec<f64> {
        match slot.element {
            Element::F32 => self.f32s(slot).iter().map(|x| f64::from(*x)).collect(),
            Element::F64 => self.f64s(slot).to_vec(),
            Element::I32 => self.i32s(slot).iter().map(|x| f64::from(*x)).collect(),
        }
    }

    /// Fills any tensor from f64 values, rounded to its element; missing values leave the rest as it is.
    pub fn write_f64(&mut self, slot: &Slot, values: &[f64]) {
        match slot.element {
            Element::F32 => self.f32s_mut(slot).iter_mut().zip(values).for_each(|(t, v)| *t = *v as f32),
            Element::F64 => self.f64s_mut(slot).iter_mut().zip(values).for_each(|(t, v)| *t = *v),
            Element::I32 => self.i32s_mut(slot).iter_mut().zip(values).for_each(|(t, v)| *t = *v as i32),
        }
    }
}

/// The memory a launch works in.
#[derive(Clone, Copy)]
struct Memory {
    arena: *mut u8,
    scratch: *mut u8,
    stride: usize,
}

// SAFETY: tasks of one launch write disjoint parts of the arena and their worker's own scratch.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    fn scratch_of(&self, worker: usize) -> *mut u8 {
        self.scratch.wrapping_add(worker * self.stride)
    }
}

fn run_launch(launch: &Launch, turn: usize, pool: &Pool, memory: Memory, clock: Clock) -> Result<(), Fault> {
    if launch.tasks == 1 {
        run_task(&launch.work, memory, clock, turn, (0, 0));
        return Ok(());
    }
    pool.run(launch.tasks, &|task, worker| run_task(&launch.work, memory, clock, turn, (task, worker)))
        .map_err(|e| Fault::new(format!("{}: {e}", launch.label)))
}

fn run_task(work: &Work, memory: Memory, clock: Clock, turn: usize, (task, worker): (usize, usize)) {
    match work {
        Work::Kernel { entry, words, extent, grain } => {
            let (range, before) = (chunk(task, *grain, *extent), turn * extent);
            leave_wide_vectors();
            // SAFETY: generated for this arena; the plan gives every task iterations of its own.
            unsafe { entry(memory.arena, (before + range.start) as u64, (before + range.end) as u64, words.as_ptr()) };
        }
        Work::Contraction(contraction) => {
            // SAFETY: operands and tile lie in this arena by the plan; the scratch is the worker's own.
            unsafe { contract::run(contraction, memory.arena, memory.scratch_of(worker), turn, task) };
            leave_wide_vectors();
        }
        Work::Fill(draw) => run_fill(draw, memory, clock, chunk(task, FILL_GRAIN, draw.slot.len)),
        // SAFETY: the tensor has that many bytes in the arena, by the plan.
        Work::Listed { to, bytes } => unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), memory.arena.add(*to), bytes.len());
        },
        // SAFETY: both ranges lie in the arena and do not overlap, by the plan.
        Work::Copy { from, to, bytes } => unsafe {
            std::ptr::copy_nonoverlapping(memory.arena.add(*from), memory.arena.add(*to), *bytes);
        },
    }
}

fn chunk(task: usize, grain: usize, extent: usize) -> Range<usize> {
    task * grain..((task + 1) * grain).min(extent)
}

fn run_fill(draw: &Fill, memory: Memory, clock: Clock, range: Range<usize>) {
    let place = Place { seed: clock.seed, site: draw.site, step: clock.step };
    let rows = if draw.per_sample { draw.slot.shape[0] } else { 1 };
    let row = draw.slot.len / rows;
    let first = if draw.per_sample { clock.sample } else { 0 };
    let (sample, element) = (first + (range.start / row) as u64, range.start % row);
    // SAFETY: the range lies in the slot, which no other task of this launch shares.
    unsafe {
        let start = memory.arena.add(draw.slot.offset);
        if draw.slot.element == Element::F64 {
            let out = std::slice::from_raw_parts_mut(start.cast::<f64>().add(range.start), range.len());
            random::fill(out, draw.distribution, place, row, sample, element);
        } else {
            let out = std::slice::from_raw_parts_mut(start.cast::<f32>().add(range.start), range.len());
            random::fill(out, draw.distribution, place, row, sample, element);
        }
    }
}

/// Clears the upper halves of the vector registers: generated code is many times slower while they
/// are in use, because its 128-bit moves keep them.
fn leave_wide_vectors() {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx") {
        // SAFETY: the machine has AVX.
        unsafe { std::arch::x86_64::_mm256_zeroupper() };
    }
}
