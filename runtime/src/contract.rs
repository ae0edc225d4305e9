//! Runs contractions ([`nnc_core::contraction`]), a tile a task: for every [`DEPTH`] terms it packs its rows of A through
//! the tables, which then stay in the second-level cache, and panel after panel of B, which stays in the first, and runs
//! a register-tiled microkernel on them.

use crate::microkernel::{Float, Kernel};
use crate::pack::pack;
use nnc_core::contraction::{Contraction, DEPTH};
use nnc_core::number::{ALIGNMENT, Precision};
use nnc_core::vectors::Block;

/// Computes one tile at a turn.
///
/// # Safety
/// `arena` must hold the operands at `base` and `turn` steps, with every offset the tables can sum to, and
/// nobody may write them or touch this tile meanwhile; `scratch` must have
/// [`Contraction::scratch_bytes`] bytes of the caller's own.
pub unsafe fn run(work: &Contraction, arena: *mut u8, scratch: *mut u8, turn: usize, task: usize) {
    // SAFETY: passed on from the caller.
    unsafe {
        match work.precision {
            Precision::F32 => run_in::<f32>(work, arena, scratch, turn, task),
            Precision::F64 => run_in::<f64>(work, arena, scratch, turn, task),
        }
    }
}

/// # Safety
/// As [`run`], the elements being of type `T`.
unsafe fn run_in<T: Float>(work: &Contraction, arena: *mut u8, scratch: *mut u8, turn: usize, task: usize) {
    let kernel = T::kernel(work.vectors);
    let (tiles, task) = (work.row_tiles() * work.column_tiles(), task);
    let (batch, tile) = (work.batch[task / tiles], task % tiles);
    let rows = span(tile / work.column_tiles(), work.tile.0, work.rows[0].len());
    let columns = span(tile % work.column_tiles(), work.tile.1, work.columns[0].len());
    // SAFETY: bases and batch offsets lie in the arena (the caller's promise); packed panels fit the scratch,
    // whose size is for tiles rounded up to any panel.
    unsafe {
        let operand = |i: usize| {
            let ahead = turn as isize * work.step[i] + batch[i] as isize;
            arena.add(work.base[i]).cast::<T>().offset(ahead)
        };
        let packed_a = scratch.add(scratch.align_offset(ALIGNMENT)).cast::<T>();
        let packed_b = packed_a.add(rows.len().next_multiple_of(kernel.rows) * work.depth[0].len().min(DEPTH));
        let mut start = 0;
        loop {
            let depth = start..(start + DEPTH).min(work.depth[0].len());
            pack(operand(0), &work.rows[0][rows.clone()], &work.depth[0][depth.clone()], kernel.rows, packed_a);
            let terms = &work.depth[1][depth.clone()];
            for first in columns.clone().step_by(kernel.columns) {
                let panel = first..columns.end.min(first + kernel.columns);
                pack(operand(1), &work.columns[0][panel.clone()], terms, kernel.columns, packed_b);
                let out = Out { c: operand(2), rows: &work.rows[1][rows.clone()], columns: &work.columns[1][panel] };
                multiply(&kernel, depth.len(), packed_a, packed_b, &out, start > 0);
            }
            start = depth.end;
            if start == work.depth[0].len() {
                break;
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
    let mut tile = [T::ZERO; Block::LARGEST.rows * Block::LARGEST.columns];
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
