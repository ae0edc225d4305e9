//! Packing: copies a tile of an operand into panels that a microkernel reads in order.

use crate::microkernel::Float;

/// Lanes and terms that are moved as one block.
const BLOCK: usize = 4;

/// Copies an operand's tile into panels of `width` lanes, `[panel][k][lane]`, zero where lanes run out.
///
/// # Safety
/// Every sum of a lane's and a term's offset is readable from `source`; `to` has room for the panels.
pub unsafe fn pack<T: Float>(source: *const T, lanes: &[u32], depth: &[u32], width: usize, to: *mut T) {
    for (number, lanes) in lanes.chunks(width).enumerate() {
        // SAFETY: the caller's promise; a panel takes `depth.len() * width` elements.
        unsafe { pack_panel(source, lanes, depth, width, to.add(number * depth.len() * width)) };
    }
}

/// One panel: neighbouring lanes are copied together, others in blocks.
///
/// # Safety
/// As [`pack`], for at most `width` lanes.
unsafe fn pack_panel<T: Float>(source: *const T, lanes: &[u32], depth: &[u32], width: usize, to: *mut T) {
    let mut done = 0;
    while done < lanes.len() {
        let run = run_length(&lanes[done..]);
        // SAFETY: the caller's promise.
        unsafe {
            if run >= BLOCK {
                copy_run(source.add(lanes[done] as usize), run, depth, width, to.add(done));
                done += run;
            } else {
                // The last block reaches back over lanes already there, rather than being a short one.
                let start = done.min(lanes.len().saturating_sub(BLOCK));
                let end = lanes.len().min(start + BLOCK);
                pack_block(source, &lanes[start..end], depth, width, to.add(start));
                done = end;
            }
        }
    }
    // SAFETY: the caller's promise.
    unsafe { clear(lanes.len()..width, depth.len(), width, to) };
}

/// How many offsets from the first on are neighbours.
fn run_length(offsets: &[u32]) -> usize {
    1 + offsets.windows(2).take_while(|w| w[1] == w[0] + 1).count()
}

/// Copies `run` neighbouring lanes, at least [`BLOCK`].
///
/// # Safety
/// As [`pack`]; `source` and `to` are the first lane's places.
unsafe fn copy_run<T: Float>(source: *const T, run: usize, depth: &[u32], width: usize, to: *mut T) {
    // SAFETY: the caller's promise. Known lengths, those of whole panels, become straight vector moves.
    unsafe {
        match (run, width) {
            (16, 16) => copy_rows(source, 16, depth, 16, to),
            (6, 6) => copy_rows(source, 6, depth, 6, to),
            (32, 32) => copy_rows(source, 32, depth, 32, to),
            (12, 12) => copy_rows(source, 12, depth, 12, to),
            _ => copy_rows(source, run, depth, width, to),
        }
    }
}

/// # Safety
/// As [`copy_run`].
#[inline(always)]
unsafe fn copy_rows<T: Float>(source: *const T, run: usize, depth: &[u32], width: usize, to: *mut T) {
    for (k, d) in depth.iter().enumerate() {
        // SAFETY: the caller's promise; the last block may overlap the one before it.
        unsafe {
            let (from, to) = (source.add(*d as usize), to.add(k * width));
            for start in (0..run).step_by(BLOCK) {
                let start = start.min(run - BLOCK);
                let block = from.add(start).cast::<[T; BLOCK]>().read_unaligned();
                to.add(start).cast::<[T; BLOCK]>().write_unaligned(block);
            }
        }
    }
}

/// Up to [`BLOCK`] lanes that are no neighbours: transposed where terms are neighbours.
///
/// # Safety
/// As [`pack`]; `to` is the first lane's place.
unsafe fn pack_block<T: Float>(source: *const T, lanes: &[u32], depth: &[u32], width: usize, to: *mut T) {
    let mut done = 0;
    while done < depth.len() {
        let terms = &depth[done..depth.len().min(done + BLOCK)];
        // SAFETY: the caller's promise.
        unsafe {
            let to = to.add(done * width);
            if lanes.len() == BLOCK && terms.len() == BLOCK && run_length(terms) == BLOCK {
                T::transpose([0, 1, 2, 3].map(|l| source.add((lanes[l] + terms[0]) as usize)), to, width);
                done += BLOCK;
            } else {
                lanes.iter().enumerate().for_each(|(l, lane)| *to.add(l) = *source.add((lane + terms[0]) as usize));
                done += 1;
            }
        }
    }
}

/// Zeroes lanes that have no source.
///
/// # Safety
/// The panel has `depth` rows of `width` elements.
unsafe fn clear<T: Float>(lanes: std::ops::Range<usize>, depth: usize, width: usize, panel: *mut T) {
    if lanes.is_empty() {
        return;
    }
    for k in 0..depth {
        for l in lanes.clone() {
            // SAFETY: the caller's promise.
            unsafe { *panel.add(k * width + l) = T::ZERO };
        }
    }
}
