//! What the compiler hands to the runtime: programs as lists of launches over one arena.
//!
//! Everything a step touches lies in one block of memory, the arena, at offsets fixed when the
//! plan was made: first what lives from run to run (shared by all programs of a bundle), then one
//! region in which the programs' inputs, outputs and temporaries overlap, since one program runs
//! at a time. Offsets are in bytes and multiples of 64; launches run in order, and the tasks of one
//! launch write disjoint elements, so any number of threads gives the same bits.

use crate::contraction::Contraction;
use crate::number::Element;
use crate::random::Distribution;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// Random numbers that a task draws.
pub const FILL_GRAIN: usize = 1 << 14;

/// A fault in making or starting a plan: ours, or memory that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// One sentence.
    pub message: String,
    /// Where memory is what lacks: how much is needed.
    pub excess: Option<Box<Excess>>,
}

/// The memory that a plan would need, and what for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excess {
    /// In all.
    pub bytes: usize,
    /// Every tensor with memory of its own.
    pub holdings: Vec<Holding>,
}

impl Fault {
    /// A fault with that message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), excess: None }
    }
}

impl Fault {
    /// A plan that needs more memory than there may be.
    #[must_use]
    pub fn excess(excess: Excess) -> Self {
        let message = format!("the plan needs {} bytes, more than there are", excess.bytes);
        Self { message, excess: Some(Box::new(excess)) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// A tensor's place in the arena.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// First byte.
    pub offset: usize,
    /// Number of elements.
    pub len: usize,
    /// Extents.
    pub shape: Vec<usize>,
    /// How its elements are held.
    pub element: Element,
}

impl Slot {
    /// Bytes it takes, padding not included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.len * self.element.bytes()
    }
}

/// A generated kernel: arena, first and past-last iteration of its outermost loop, and the words that
/// say where its tensors lie and how far its loops go.
pub type Entry = unsafe extern "C" fn(*mut u8, u64, u64, *const u64);

/// A tensor to be filled with random numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Fill {
    /// Where.
    pub slot: Slot,
    /// Which draw site.
    pub site: u32,
    /// Of what.
    pub distribution: Distribution,
    /// Whether the first axis is the sample.
    pub per_sample: bool,
}

/// What a launch does.
pub enum Work {
    /// Iterations `task * grain ..` up to `extent` of a generated kernel, `extent` further on for every turn.
    Kernel { entry: Entry, words: Box<[u64]>, extent: usize, grain: usize },
    /// A sum of products, a tile a task.
    Contraction(Box<Contraction>),
    /// Random numbers.
    Fill(Fill),
    /// Numbers that the program lists, as they lie in memory.
    Listed { to: usize, bytes: Box<[u8]> },
    /// Bytes from one offset to another.
    Copy { from: usize, to: usize, bytes: usize },
}

/// One parallel region.
pub struct Launch {
    /// The tensors it defines, for profiles.
    pub label: String,
    /// How many independent tasks.
    pub tasks: usize,
    /// What they do.
    pub work: Work,
}

/// Launches that are run once in every turn, on what lies at that turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recurrence {
    /// By their places.
    pub launches: Range<usize>,
    /// How many turns.
    pub turns: usize,
    /// Whether the last turn comes first.
    pub descending: bool,
}

/// A compiled module.
pub struct Program {
    /// As given to the compiler.
    pub name: String,
    /// In execution order.
    pub launches: Vec<Launch>,
    /// Those that are run turn by turn, in order and apart.
    pub recurrences: Vec<Recurrence>,
    /// Inputs, persistent tensors and outputs by the module's tensor names.
    pub tensors: BTreeMap<String, Slot>,
    /// Names of what is to be filled before each run.
    pub inputs: Vec<String>,
    /// What may be read after a run: output name, place.
    pub outputs: Vec<(String, Slot)>,
    /// Bytes of all that does not live from run to run; it lies where that of other programs does.
    pub bytes: usize,
}

impl Program {
    /// Every launch as often as it is run, in order, with its turn; outside of recurrences, that is 0.
    pub fn in_order(&self) -> impl Iterator<Item = (&Launch, usize)> {
        let once = |launches: Range<usize>| self.launches[launches].iter().map(|l| (l, 0));
        let start_after = |k: usize| k.checked_sub(1).map_or(0, |k| self.recurrences[k].launches.end);
        let each = move |(k, r): (usize, &Recurrence)| {
            let (members, turns, descending) = (r.launches.clone(), r.turns, r.descending);
            let order = (0..turns).map(move |n| if descending { turns - 1 - n } else { n });
            let turn = move |turn| self.launches[members.clone()].iter().map(move |l| (l, turn));
            once(start_after(k)..r.launches.start).chain(order.flat_map(turn))
        };
        let last = start_after(self.recurrences.len())..self.launches.len();
        self.recurrences.iter().enumerate().flat_map(each).chain(once(last))
    }

    /// The place of an output.
    #[must_use]
    pub fn output(&self, name: &str) -> Option<&Slot> {
        self.outputs.iter().find(|(n, _)| n == name).map(|(_, s)| s)
    }
}

/// A file of named tensors without its elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What comes before the elements: names, element types, shapes, places.
    pub head: Vec<u8>,
    /// First byte of each tensor's elements in the file.
    pub starts: Vec<usize>,
    /// Bytes of the whole file.
    pub bytes: usize,
}

/// One line of the memory plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Tensor, prefixed by its program where it does not live from run to run.
    pub name: String,
    /// First byte in the arena; temporaries of different times overlap.
    pub offset: usize,
    /// Bytes it takes.
    pub bytes: usize,
}

/// Several programs over one arena, with the machine code they need.
pub struct Bundle {
    /// In the order given to the compiler.
    pub programs: Vec<Program>,
    /// What lives from run to run, by name.
    pub persistent: BTreeMap<String, Slot>,
    /// Bytes of the arena.
    pub arena_bytes: usize,
    /// Bytes of scratch for each worker.
    pub scratch_bytes: usize,
    /// Every tensor with memory of its own.
    pub holdings: Vec<Holding>,
    /// Tables of the contractions and listed numbers, in bytes.
    pub table_bytes: usize,
    /// Keeps the generated code alive; dropping it frees the code.
    pub code: Box<dyn std::any::Any + Send + Sync>,
}

impl Bundle {
    /// The same, its contractions cut for that many threads.
    #[must_use]
    pub fn tiled_for(mut self, threads: usize) -> Self {
        for launch in self.programs.iter_mut().flat_map(|p| &mut p.launches) {
            if let Work::Contraction(work) = &mut launch.work {
                work.tile_for(threads);
                launch.tasks = work.tasks();
                self.scratch_bytes = self.scratch_bytes.max(work.scratch_bytes());
            }
        }
        self
    }

    /// Bytes this bundle needs on `threads` workers: arena, scratch and tables.
    #[must_use]
    pub fn planned_bytes(&self, threads: usize) -> usize {
        self.arena_bytes + threads * self.scratch_bytes + self.table_bytes
    }

    /// The program of that name.
    #[must_use]
    pub fn program(&self, name: &str) -> Option<usize> {
        self.programs.iter().position(|p| p.name == name)
    }
}
