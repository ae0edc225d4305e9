//! Sums of products: `C[b, m, n] = sum over k of A[b, m, k] * B[b, k, n]` for operands that lie in
//! memory in any way an index expression can say.
//!
//! Where an element lies is the sum of table entries, one for each of its (flattened) indices, so a
//! convolution reads its input in place and a transpose is another table. A task computes one tile
//! of C: for every [`DEPTH`] terms it packs its rows of A through the tables, which then stay in the second-level
//! cache, and panel after panel of B, which stays in the first, and runs a register-tiled microkernel on them.
//!
//! Every element is one chain of fused multiply-adds over k, cut every [`DEPTH`] terms. Neither
//! the machine's caches nor its vector width nor the number of threads change a bit.

use crate::microkernel::{Float, Kernel, Vectors};
use crate::pack::pack;

/// Alignment of every tensor in the arena and of packed operands, in bytes: a cache line.
pub const ALIGNMENT: usize = 64;
/// Terms summed in registers before they are added to the element: fixed, part of every result.
pub const DEPTH: usize = 256;
/// Largest tile of a task: packed rows for [`DEPTH`] terms fill half a common second-level cache.
const TILE: (usize, usize) = (256, 512);
/// Multiply-adds below which a tile is not cut further for parallelism.
const WORTH_A_TASK: usize = 1 << 19;
/// Tasks that are enough for several threads.
pub const ENOUGH_TASKS: usize = 8;

/// Offsets, in elements, along one flattened index.
pub type Table = Vec<u32>;

/// A planned contraction. Tables of one index have one length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contraction {
    /// Whether elements are f64 rather than f32.
    pub double: bool,
    /// The instructions of the microkernel: no bit depends on them.
    pub vectors: Vectors,
    /// First bytes of A, B and C in the arena.
    pub base: [usize; 3],
    /// Elements by which A, B and C lie further on with every turn of a recurrence.
    pub step: [isize; 3],
    /// For each batch index, element offsets into A, B and C.
    pub batch: Vec<[u32; 3]>,
    /// For each m, offsets into A and C.
    pub rows: [Table; 2],
    /// For each n, offsets into B and C.
    pub columns: [Table; 2],
    /// For each k, offsets into A and B.
    pub depth: [Table; 2],
    /// Rows and columns of a task's tile.
    pub tile: (usize, usize),
}

impl Contraction {
    /// Chooses the tile so that there are `enough` tasks where the work is worth that many.
    #[must_use]
    pub fn choose_tile([batch, m, n, k]: [usize; 4], enough: usize) -> (usize, usize) {
        let (mut rows, mut columns) = (m.min(TILE.0), n.min(TILE.1));
        while batch * m.div_ceil(rows) * n.div_ceil(columns) < enough && rows * columns * k > WORTH_A_TASK {
            if columns >= rows && columns > 32 {
                columns = columns.div_ceil(2).next_multiple_of(16);
            } else if rows > 12 {
                rows = rows.div_ceil(2).next_multiple_of(6);
            } else {
                break;
            }
        }
        (rows, columns)
    }

    /// Cuts the work for that many threads: every tile packs its operands anew, so there should be no more of them than
    /// keep all threads busy. Not a bit of the result depends on it.
    pub fn tile_for(&mut self, threads: usize) {
        let enough = if threads == 1 { 1 } else { ENOUGH_TASKS.max(2 * threads) };
        let extents = [self.batch.len(), self.rows[0].len(), self.columns[0].len(), self.depth[0].len()];
        self.tile = Self::choose_tile(extents, enough);
    }

    /// How many tasks there are.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.batch.len() * self.row_tiles() * self.column_tiles()
    }

    /// Multiply-adds in all.
    #[must_use]
    pub fn multiply_adds(&self) -> usize {
        self.batch.len() * self.rows[0].len() * self.columns[0].len() * self.depth[0].len()
    }

    /// Bytes of scratch a worker needs.
    #[must_use]
    pub fn scratch_bytes(&self) -> usize {
        let size = if self.double { 8 } else { 4 };
        (self.tile.0.next_multiple_of(12) + 32) * self.depth[0].len().min(DEPTH) * size + 2 * ALIGNMENT
    }

    /// Bytes its tables take.
    #[must_use]
    pub fn table_bytes(&self) -> usize {
        let tables = self.rows.iter().chain(&self.columns).chain(&self.depth);
        4 * (tables.map(Vec::len).sum::<usize>() + 3 * self.batch.len())
    }

    fn row_tiles(&self) -> usize {
        self.rows[0].len().div_ceil(self.tile.0)
    }

    fn column_tiles(&self) -> usize {
        self.columns[0].len().div_ceil(self.tile.1)
    }

    /// Computes one tile at a turn.
    ///
    /// # Safety
    /// `arena` must hold the operands at `base` and `turn` steps, with every offset the tables can sum to, and
    /// nobody may write them or touch this tile meanwhile; `scratch` must have
    /// [`Self::scratch_bytes`] bytes of the caller's own.
    pub unsafe fn run(&self, arena: *mut u8, scratch: *mut u8, turn: usize, task: usize) {
        // SAFETY: passed on from the caller.
        unsafe {
            if self.double {
                self.run_in::<f64>(arena, scratch, turn, task);
            } else {
                self.run_in::<f32>(arena, scratch, turn, task);
            }
        }
    }

    /// # Safety
    /// As [`Self::run`], the elements being of type `T`.
    unsafe fn run_in<T: Float>(&self, arena: *mut u8, scratch: *mut u8, turn: usize, task: usize) {
        let kernel = T::kernel(self.vectors);
        let (tiles, task) = (self.row_tiles() * self.column_tiles(), task);
        let (batch, tile) = (self.batch[task / tiles], task % tiles);
        let rows = span(tile / self.column_tiles(), self.tile.0, self.rows[0].len());
        let columns = span(tile % self.column_tiles(), self.tile.1, self.columns[0].len());
        // SAFETY: bases and batch offsets lie in the arena (the caller's promise); packed panels fit the scratch,
        // whose size is for tiles rounded up to any panel.
        unsafe {
            let operand = |i: usize| {
                let ahead = turn as isize * self.step[i] + batch[i] as isize;
                arena.add(self.base[i]).cast::<T>().offset(ahead)
            };
            let packed_a = scratch.add(scratch.align_offset(ALIGNMENT)).cast::<T>();
            let packed_b = packed_a.add(rows.len().next_multiple_of(kernel.rows) * self.depth[0].len().min(DEPTH));
            let mut start = 0;
            loop {
                let depth = start..(start + DEPTH).min(self.depth[0].len());
                pack(operand(0), &self.rows[0][rows.clone()], &self.depth[0][depth.clone()], kernel.rows, packed_a);
                let terms = &self.depth[1][depth.clone()];
                for first in columns.clone().step_by(kernel.columns) {
                    let panel = first..columns.end.min(first + kernel.columns);
                    pack(operand(1), &self.columns[0][panel.clone()], terms, kernel.columns, packed_b);
                    let out =
                        Out { c: operand(2), rows: &self.rows[1][rows.clone()], columns: &self.columns[1][panel] };
                    multiply(&kernel, depth.len(), packed_a, packed_b, &out, start > 0);
                }
                start = depth.end;
                if start == self.depth[0].len() {
                    break;
                }
            }
        }
    }
}

/// Indices of the `number`th span of `size` out of `total`.
fn span(number: usize, size: usize, total: usize) -> std::ops::Range<usize> {
    number * size..((number + 1) * size).min(total)
}

/// Where a tile's results go.
struct Out<'a, T> {
    c: *mut T,
    rows: &'a [u32],
    columns: &'a [u32],
}

/// Multiplies the packed panels of A by one of B into the tile's columns; `more` adds to what is there.
///
/// # Safety
/// The panels are packed for `kernel` and `depth`; the tile's offsets are writable from `out.c`.
unsafe fn multiply<T: Float>(kernel: &Kernel<T>, depth: usize, a: *const T, b: *const T, out: &Out<T>, more: bool) {
    let mut tile = [T::ZERO; 12 * 32];
    let contiguous = out.columns.windows(2).all(|w| w[1] == w[0] + 1);
    for (i, rows) in out.rows.chunks(kernel.rows).enumerate() {
        // SAFETY: panel `i` lies where `pack` put it; `tile` holds any kernel's block.
        unsafe { (kernel.run)(depth, a.add(i * depth * kernel.rows), b, tile.as_mut_ptr()) };
        for (row, from) in rows.iter().zip(tile.chunks(kernel.columns)) {
            // SAFETY: the caller's promise.
            unsafe { store_row(&from[..out.columns.len()], out.c.add(*row as usize), out.columns, contiguous, more) };
        }
    }
}

/// # Safety
/// `row` plus every column's offset is writable.
unsafe fn store_row<T: Float>(from: &[T], row: *mut T, columns: &[u32], contiguous: bool, more: bool) {
    // SAFETY: the caller's promise.
    unsafe {
        if contiguous {
            let to = std::slice::from_raw_parts_mut(row.add(columns[0] as usize), columns.len());
            if more {
                in_blocks(to, from, |t, f| t + f);
            } else {
                in_blocks(to, from, |_, f| f);
            }
        } else {
            for (f, column) in from.iter().zip(columns) {
                let to = row.add(*column as usize);
                *to = if more { *to + *f } else { *f };
            }
        }
    }
}

/// `to = f(to, from)`, eight elements at a time: rows are too short to call a copying routine for.
fn in_blocks<T: Float>(to: &mut [T], from: &[T], f: impl Fn(T, T) -> T) {
    let ((to, to_rest), (from, from_rest)) = (to.as_chunks_mut::<8>(), from.as_chunks::<8>());
    for (to, from) in to.iter_mut().zip(from) {
        *to = std::array::from_fn(|i| f(to[i], from[i]));
    }
    to_rest.iter_mut().zip(from_rest).for_each(|(t, x)| *t = f(*t, *x));
}
