//! The order of every sum, as a property of the program: it follows from extents, from the loops of the nest and from
//! the precision, never from the machine.
//!
//! A reduction whose innermost loop runs in lanes does so in [`lanes`] virtual ones: term t goes to lane t mod V, and
//! the lanes come together by halves at the end, lane l with lane l + V/2, again and again. The last terms, if they
//! fill no step of V, are joined after all others. A machine runs V lanes in as many vectors as it takes.
//!
//! No chain of additions of floats is longer than [`CHAIN`]: a loop of more steps is cut into blocks, each a sum of its
//! own from zero, which are added in order; blocks of blocks where those are too many. The chain of an inner loop goes on
//! through as many steps of the loop around it as fit; if it fills a chain by itself, each run of it is a sum of its
//! own. So a sum of n terms goes through some log(n) / log(16) levels, and
//! loses what a pairwise sum would.

use super::nest::{Chain, Form, Lanes, Nest};
use crate::ir::Combine;
use crate::scalar::Kind;
use nnc_core::number::Precision;

/// Additions one after the other, at most.
pub const CHAIN: usize = 16;

/// Virtual lanes of a reduction.
#[must_use]
pub fn lanes(precision: Precision) -> usize {
    match precision {
        Precision::F32 => 16,
        Precision::F64 => 8,
    }
}

/// How the reduced loops of a nest, outermost first, are cut.
#[must_use]
pub fn chains(nest: &Nest, precision: Precision) -> Vec<Chain> {
    let reduced = &nest.extents[nest.outer..];
    let mut chains = vec![Chain::default(); reduced.len()];
    if !matches!(nest.form, Form::Reduce(Combine::Sum, _)) || nest.kinds[nest.stores[0].value] != Kind::Float {
        return chains;
    }
    let mut length = 1;
    for (k, extent) in reduced.iter().enumerate().rev() {
        let innermost = k + 1 == reduced.len();
        let steps = if innermost && nest.lanes == Lanes::Reduced { extent.div_ceil(lanes(precision)) } else { *extent };
        let room = (CHAIN / length).max(1);
        if steps <= room {
            length *= steps;
            continue;
        }
        let fresh = room == 1;
        if fresh && !innermost {
            chains[k + 1].fresh = true;
        }
        let block = if fresh { CHAIN } else { room };
        (chains[k].block, (chains[k].cuts, length)) = (block, cuts(steps, block));
    }
    chains
}

/// How often that many steps are cut, the first time into blocks of that many, and how many blocks there are in the end.
fn cuts(steps: usize, block: usize) -> (u32, usize) {
    if steps <= block {
        return (0, steps);
    }
    let (mut cuts, mut blocks) = (1, steps.div_ceil(block));
    while blocks > CHAIN {
        blocks = blocks.div_ceil(CHAIN);
        cuts += 1;
    }
    (cuts, blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_loop_is_cut_until_its_chains_are_short() {
        assert_eq!(cuts(16, 16), (0, 16));
        assert_eq!(cuts(17, 16), (1, 2));
        assert_eq!(cuts(256, 16), (1, 16));
        assert_eq!(cuts(257, 16), (2, 2));
        assert_eq!(cuts(100_000, 16), (4, 2));
        assert_eq!(cuts(64, 4), (1, 16));
    }
}
