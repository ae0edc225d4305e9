//! From the nest of a sum of products to the runtime's contraction engine.
//!
//! The nest's loops fall into batch, M, N and K by the operands they move; offsets along each
//! become tables. Both loads must be plain: affine and unguarded.

use super::affine::{Affine, Loop};
use super::nest::{Nest, Op};
use crate::ir::TensorId;
use crate::scalar::Binary;
use runtime::contract::{Contraction, ENOUGH_TASKS, Table};
use runtime::microkernel::Vectors;

/// Multiply-adds below which generated loops are as fast.
const WORTH_PACKING: usize = 4096;
/// Columns that make a batch of narrower products worthwhile.
const COLUMNS_ENOUGH: usize = 64;

/// A contraction over tensors that have no place yet; `work.base` holds element offsets inside them.
#[derive(Clone, Debug)]
pub struct Product {
    /// A, B and C.
    pub tensors: [TensorId; 3],
    /// The engine's plan.
    pub work: Contraction,
}

/// Offsets of the two operands and the result over the loops.
struct Access {
    a: Affine,
    b: Affine,
    c: Affine,
}

/// Sees a nest as a contraction worth the engine.
#[must_use]
pub fn product(nest: &Nest, double: bool) -> Option<Product> {
    let [store] = nest.stores.as_slice() else { return None };
    let Op::Binary(Binary::Mul, left, right) = nest.ops[store.value] else { return None };
    let (mut a, mut b) = (plain(&nest.ops[left])?, plain(&nest.ops[right])?);
    let innermost = nest.outer.checked_sub(1).filter(|v| *v >= nest.first())?;
    if a.1.factor(innermost) != 0 {
        std::mem::swap(&mut a, &mut b);
    }
    let access = Access { a: a.1.clone(), b: b.1.clone(), c: store.address.affine.clone() };
    let groups = Groups::new(nest, &access);
    let (m, n, k) = (nest.count(&groups.m), nest.count(&groups.n), nest.count(&groups.k));
    let batch = nest.count(&groups.batch);
    if batch.saturating_mul(m).saturating_mul(n).saturating_mul(k) < WORTH_PACKING || m < 2 || n < 4 || k < 2 {
        return None;
    }
    let operands = [&access.a, &access.b, &access.c];
    let base = operands.map(|x| nest.lowest(x));
    let step = operands.map(|x| if nest.turn.is_some() { x.factor(0) as isize } else { 0 });
    let table = |loops: &[Loop], x: &Affine| nest.table(loops, x);
    let [ba, bb, bc] = [&access.a, &access.b, &access.c].map(|x| table(&groups.batch, x));
    let mut offsets = Vec::with_capacity(batch);
    for i in 0..batch {
        offsets.push([ba.as_ref()?[i], bb.as_ref()?[i], bc.as_ref()?[i]]);
    }
    let work = Contraction {
        double,
        vectors: Vectors::Portable,
        base,
        step,
        batch: offsets,
        rows: [table(&groups.m, &access.a)?, table(&groups.m, &access.c)?],
        columns: [table(&groups.n, &access.b)?, table(&groups.n, &access.c)?],
        depth: [table(&groups.k, &access.a)?, table(&groups.k, &access.b)?],
        tile: Contraction::choose_tile([batch, m, n, k], ENOUGH_TASKS),
    };
    Some(Product { tensors: [a.0, b.0, store.tensor], work })
}

/// The tensor and offset of a plain load.
fn plain(op: &Op) -> Option<(TensorId, &Affine)> {
    match op {
        Op::Load { tensor, address, guards, .. } if guards.is_empty() && address.gathers.is_empty() => {
            Some((*tensor, &address.affine))
        }
        _ => None,
    }
}

/// The loops of each group, outermost first.
struct Groups {
    batch: Vec<Loop>,
    m: Vec<Loop>,
    n: Vec<Loop>,
    k: Vec<Loop>,
}

impl Groups {
    fn new(nest: &Nest, access: &Access) -> Self {
        let mut groups = Self { batch: vec![], m: vec![], n: vec![], k: (nest.outer..nest.extents.len()).collect() };
        for v in nest.first()..nest.outer {
            match (access.a.factor(v) != 0, access.b.factor(v) != 0) {
                (true, false) => groups.m.push(v),
                (false, true) => groups.n.push(v),
                _ => groups.batch.push(v),
            }
        }
        groups.promote(nest, &access.c);
        groups
    }

    /// Outer columns that do not continue the inner ones in the result become batch, while enough columns remain.
    fn promote(&mut self, nest: &Nest, c: &Affine) {
        while let [first, second, ..] = self.n.as_slice() {
            let continues = c.factor(*first) == c.factor(*second) * nest.extents[*second] as i64;
            if continues || nest.count(&self.n[1..]) < COLUMNS_ENOUGH {
                return;
            }
            self.batch.push(self.n.remove(0));
        }
    }
}

impl Nest {
    /// Points of some of the loops.
    fn count(&self, loops: &[Loop]) -> usize {
        loops.iter().map(|v| self.extents[*v]).product()
    }

    /// The least offset, from which tables count upwards; in a recurrence, in the first turn.
    fn lowest(&self, offset: &Affine) -> usize {
        let mut extents = self.extents.clone();
        extents[..self.first()].fill(1);
        offset.range(&extents).0 as usize
    }

    /// Offsets above the least along some of the loops; `None` beyond 32 bits.
    fn table(&self, loops: &[Loop], offset: &Affine) -> Option<Table> {
        let mut table = vec![0_i64];
        for v in loops {
            let (factor, extent) = (offset.factor(*v), self.extents[*v] as i64);
            let step = |i: i64| if factor < 0 { factor * (i - extent + 1) } else { factor * i };
            table = table.iter().flat_map(|t| (0..extent).map(move |i| t + step(i))).collect();
        }
        table.into_iter().map(|t| u32::try_from(t).ok()).collect()
    }
}
