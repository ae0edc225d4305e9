//! A derivative that only counts under a condition. `select` makes expressions that may be
//! evaluated in one branch only (a read is inside only there, a logarithm finite only there), so
//! their derivatives must be evaluated there only, too.

use crate::ir::{ExprId, Module, Node};

/// `value` where `guard` holds, else zero; `value` need mean nothing elsewhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guarded {
    pub(super) guard: Option<ExprId>,
    pub(super) value: ExprId,
}

impl Guarded {
    pub(super) fn always(value: ExprId) -> Self {
        Self { guard: None, value }
    }

    pub(super) fn with(self, value: ExprId) -> Self {
        Self { value, ..self }
    }

    /// The same under a further condition, which is looked at only where the guard holds.
    pub(super) fn and(self, m: &mut Module, condition: ExprId) -> Self {
        let guard = match self.guard {
            None => condition,
            Some(g) if reads(m, condition) => {
                let never = m.bool(false);
                m.choose(g, condition, never)
            }
            Some(g) => m.and(g, condition),
        };
        Self { guard: Some(guard), ..self }
    }

    /// The sum of two.
    pub(super) fn plus(self, m: &mut Module, other: Self) -> Self {
        if self.guard == other.guard {
            return self.with(m.add(self.value, other.value));
        }
        let guard = match (self.guard, other.guard) {
            (Some(g), Some(h)) => Some(m.or(g, h)),
            _ => None,
        };
        let (a, b) = (self.everywhere(m), other.everywhere(m));
        Self { guard, value: m.add(a, b) }
    }

    /// One expression that means something everywhere.
    pub(super) fn everywhere(self, m: &mut Module) -> ExprId {
        let zero = m.float(0.0);
        self.guard.map_or(self.value, |g| m.choose(g, self.value, zero))
    }
}

/// Whether an expression reads any tensor.
fn reads(m: &Module, id: ExprId) -> bool {
    m.reachable(&[id]).into_iter().any(|e| matches!(m.node(e), Node::Read { .. }))
}

/// Whether a position lies inside extents.
pub(super) fn inside(m: &mut Module, at: &[ExprId], shape: &[usize]) -> ExprId {
    use crate::scalar::Binary::{Le, Lt};
    let mut all = m.bool(true);
    for (p, extent) in at.iter().zip(shape) {
        let (zero, end) = (m.int(0), m.int(*extent as i64));
        for bound in [m.compare(Le, zero, *p), m.compare(Lt, *p, end)] {
            all = m.and(all, bound);
        }
    }
    all
}
