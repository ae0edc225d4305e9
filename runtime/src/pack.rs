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
        unsafe {
            let panel = to.add(number * depth.len() * width);
            if lanes.len() == width && is_run(lanes) {
                for (k, d) in depth.iter().enumerate() {
                    std::ptr::copy_nonoverlapping(source.add((lanes[0] + d) as usize), panel.add(k * width), width);
                }
                continue;
            }
            for (block, lanes) in lanes.chunks(BLOCK).enumerate() {
                pack_block(source, lanes, depth, width, panel.add(block * BLOCK));
            }
            clear(lanes.len()..width, depth.len(), width, panel);
        }
    }
}

fn is_run(offsets: &[u32]) -> bool {
    offsets.windows(2).all(|w| w[1] == w[0] + 1)
}

/// Up to [`BLOCK`] lanes of a panel: vectors where lanes are neighbours, transposed blocks where terms are.
///
/// # Safety
/// As [`pack`]; `to` is the first lane's place.
unsafe fn pack_block<T: Float>(source: *const T, lanes: &[u32], depth: &[u32], width: usize, to: *mut T) {
    let full = lanes.len() == BLOCK;
    let run = full && is_run(lanes);
    for (number, terms) in depth.chunks(BLOCK).enumerate() {
        // SAFETY: the caller's promise.
        unsafe {
            let to = to.add(number * BLOCK * width);
            if run {
                for (k, d) in terms.iter().enumerate() {
                    std::ptr::copy_nonoverlapping(source.add((lanes[0] + d) as usize), to.add(k * width), BLOCK);
                }
            } else if full && terms.len() == BLOCK && is_run(terms) {
                T::transpose([0, 1, 2, 3].map(|l| source.add((lanes[l] + terms[0]) as usize)), to, width);
            } else {
                for (k, d) in terms.iter().enumerate() {
                    for (l, lane) in lanes.iter().enumerate() {
                        *to.add(k * width + l) = *source.add((lane + d) as usize);
                    }
                }
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
