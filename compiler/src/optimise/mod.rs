//! Passes from IR to IR: the same values, computed fast.
//!
//! In: a verified module, after differentiation. Out: a verified module with the same outputs and
//! updates. [`PASSES`] is the whole of it: each pass takes any module to an equivalent one, so their
//! order decides how good the result is, never whether it is right.
//!
//! Floats may change only as follows, besides what `ir::build` lists:
//!
//! * factors that do not depend on a reduced variable leave the sum, and the others are regrouped
//!   (`contract`); one that is NaN makes the sum NaN even if every term with it was left out by a condition;
//! * a sum of products is computed term by term (`contract`);
//! * long reductions are summed in a tree whose shape the extents fix (`split`);
//! * a division by what depends on few variables becomes a multiplication by its reciprocal (`hoist`);
//! * a value repeated n times in a sum is multiplied by n (`simplify`);
//! * zero times a value that is no longer looked at because a guarded read yields 0 is 0 (`gather`,
//!   `contract`): it was NaN or dropped where that value is not finite.

pub mod contract;
pub mod contraction;
pub mod dead;
pub mod expr;
pub mod fuse;
pub mod gather;
pub mod hoist;
pub mod index;
pub mod product;
pub mod reuse;
pub mod rewrite;
pub mod share;
pub mod simplify;
pub mod solve;
pub mod split;
pub mod turns;

use crate::ir::Module;
use crate::ir::recurrence::{arrange, recurrences};
use crate::ir::verify::expect_verified;

/// A rewriting of modules: total, deterministic, and equivalent.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    /// A word.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub what: &'static str,
    run: fn(&mut Module),
}

impl Pass {
    /// Does it. A pass need not keep the order within recurrences, nor notice that one is none any
    /// more: order is restored here.
    pub fn apply(&self, module: &mut Module) {
        (self.run)(module);
        arrange(module);
    }
}

const SIMPLIFY: Pass = Pass { name: "simplify", what: "Every definition takes its plainest form.", run: simplify::run };
const SHARE: Pass = Pass { name: "share", what: "Equal definitions become one.", run: share::run };
const DEAD: Pass = Pass { name: "dead", what: "What nothing observable needs is dropped.", run: dead::run };
const GATHER: Pass = Pass { name: "gather", what: "Scatters become projections.", run: gather::run };
const CONTRACT: Pass = Pass { name: "contract", what: "Sums of products become contractions.", run: contract::run };
const REUSE: Pass =
    Pass { name: "reuse", what: "Comparisons with a bound read what was cut off at it.", run: reuse::run };
const HOIST: Pass = Pass { name: "hoist", what: "What depends on few variables is computed once.", run: hoist::run };
const FUSE: Pass = Pass { name: "fuse", what: "Pointwise definitions move into their readers.", run: fuse::run };
const SPLIT: Pass = Pass { name: "split", what: "Long reductions become trees of two levels.", run: split::run };

const TURNS: Pass = Pass { name: "turns", what: "What a recurrence touches lies turn by turn.", run: turns::run };

/// What the optimiser does, in order.
#[rustfmt::skip]
pub const PASSES: &[Pass] = &[
    SIMPLIFY, SHARE, DEAD,
    GATHER, SIMPLIFY, SHARE,
    REUSE, CONTRACT, DEAD,
    FUSE, SIMPLIFY, CONTRACT, HOIST, SHARE, DEAD,
    SPLIT, SIMPLIFY, DEAD, TURNS,
];

/// Runs all passes; in debug builds verifies the module after each.
///
/// # Panics
/// In debug builds, when a pass breaks an invariant of the IR: a fault of the compiler.
pub fn optimise(module: &mut Module) {
    let recurrent = !recurrences(module).is_empty();
    for pass in PASSES {
        // No pass makes a recurrence, so where there is none the order stands.
        if recurrent {
            pass.apply(module)
        } else {
            (pass.run)(module)
        }
        expect_verified(module, &format!("the pass `{}`", pass.name));
    }
}
