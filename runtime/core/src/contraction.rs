//! Sums of products as data: `C[b, m, n] = sum over k of A[b, m, k] * B[b, k, n]` for operands that lie in memory in any
//! way an index expression can say, and how the work is cut into tasks.
//!
//! Where an element lies is the sum of table entries, one for each of its (flattened) indices, so a convolution reads
//! its input in place and a transpose is another table. A task computes one tile of C.
//!
//! Every element is one chain of fused multiply-adds over k from zero, cut every [`DEPTH`] terms, and the pieces added in
//! order. Neither the machine's caches nor its vector width nor the number of threads change a bit.

use crate::number::{ALIGNMENT, Precision};
use crate::vectors::{Block, Vectors};

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
    /// What its elements are, in memory and in registers.
    pub precision: Precision,
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
        (self.tile.0.next_multiple_of(Block::LARGEST.rows) + Block::LARGEST.columns)
            * self.depth[0].len().min(DEPTH)
            * self.precision.bytes()
            + 2 * ALIGNMENT
    }

    /// Bytes its tables take.
    #[must_use]
    pub fn table_bytes(&self) -> usize {
        let tables = self.rows.iter().chain(&self.columns).chain(&self.depth);
        4 * (tables.map(Vec::len).sum::<usize>() + 3 * self.batch.len())
    }

    /// Tiles in a column of them.
    #[must_use]
    pub fn row_tiles(&self) -> usize {
        self.rows[0].len().div_ceil(self.tile.0)
    }

    /// Tiles in a row of them.
    #[must_use]
    pub fn column_tiles(&self) -> usize {
        self.columns[0].len().div_ceil(self.tile.1)
    }
}
