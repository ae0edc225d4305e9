//! Which values of a pass others depend on.

use super::{Definition, Expr, Pass, ValueId};
use std::collections::BTreeSet;

/// The values reached from `starts` through the operands that `next` visits.
pub fn reached(pass: &Pass, starts: impl Iterator<Item = ValueId>, next: Visit) -> BTreeSet<ValueId> {
    let mut found = BTreeSet::new();
    let mut left: Vec<ValueId> = starts.collect();
    while let Some(id) = left.pop() {
        if found.insert(id) {
            match &pass.v(id).definition {
                Definition::Indexed { value, .. } | Definition::Accumulate { value, .. } => {
                    reads(value, next, &mut |v| left.push(v));
                }
                Definition::Delayed { of, initial, .. } => left.extend([*of, *initial]),
                _ => {}
            }
        }
    }
    found
}

/// Calls a function on some operands of an expression.
pub type Visit = for<'e> fn(&'e Expr, &mut dyn FnMut(&'e Expr));

pub(super) fn reads(expr: &Expr, next: Visit, f: &mut dyn FnMut(ValueId)) {
    if let Expr::Read { value, .. } = expr {
        f(*value);
    }
    next(expr, &mut |e| reads(e, next, f));
}
