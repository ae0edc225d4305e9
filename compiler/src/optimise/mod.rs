//! Passes from IR to IR: the same values, computed fast.
//!
//! In: a verified module, after differentiation. Out: a verified module with the same outputs and
//! updates. [`PASSES`] is the whole of it: each pass takes any module to an equivalent one, so their
//! order decides how good the result is, never whether it is right.
//!
//! Floats may change only as follows, besides what [`crate::ir::build`] lists:
//!
//! * factors that do not depend on a reduced variable leave the sum, and the others are regrouped
//!   (`contract`);
//! * a sum of products is computed term by term (`contract`);
//! * long reductions are summed in a tree whose shape the extents fix (`split`);
//! * a value repeated n times in a sum is multiplied by n (`simplify`);
//! * zero times a value that is no longer looked at because a guarded read yields 0 is 0 (`gather`,
//!   `contract`): it was NaN or dropped where that value is not finite.

pub mod contract;
pub mod contraction;
pub mod dead;
pub mod expr;
pub mod fuse;
pub mod gather;
pub mod index;
pub mod product;
pub mod rewrite;
pub mod share;
pub mod simplify;
pub mod solve;
pub mod split;

use crate::ir::Module;

/// A rewriting of modules: total, deterministic, and equivalent.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    /// A word.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub what: &'static str,
    /// Does it.
    pub run: fn(&mut Module),
}

const SIMPLIFY: Pass =
    Pass { name: "simplify", what: "Every definition takes its plainest form.", run: simplify::run };
const SHARE: Pass = Pass { name: "share", what: "Equal definitions become one.", run: share::run };
const DEAD: Pass = Pass { name: "dead", what: "What nothing observable needs is dropped.", run: dead::run };
const GATHER: Pass = Pass { name: "gather", what: "Scatters become projections.", run: gather::run };
const CONTRACT: Pass = Pass { name: "contract", what: "Sums of products become contractions.", run: contract::run };
const FUSE: Pass = Pass { name: "fuse", what: "Pointwise definitions move into their readers.", run: fuse::run };
const SPLIT: Pass = Pass { name: "split", what: "Long reductions become trees of two levels.", run: split::run };

/// What the optimiser does, in order.
pub const PASSES: &[Pass] =
    &[SIMPLIFY, SHARE, DEAD, GATHER, SIMPLIFY, SHARE, CONTRACT, DEAD, FUSE, SIMPLIFY, CONTRACT, SPLIT, SHARE, DEAD];

/// Runs all passes.
pub fn optimise(module: &mut Module) {
    for pass in PASSES {
        (pass.run)(module);
    }
}
