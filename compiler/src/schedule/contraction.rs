//! From the nest of a sum of products to the runtime's contraction engine.
//!
//! The nest's loops fall into batch, M, N and K by the operands they move; offsets along each
//! become tables, but not here: tables are as long as the extents, so they are made only once the memory of the whole
//! plan is known to fit. Both loads must be plain: affine and unguarded.

use super::affine::{Affine, Loop};
use super::nest::{Nest, Op};
use crate::ir::TensorId;
use crate::scalar::Binary;
use nnc_core::contraction::{Contraction, ENOUGH_TASKS, Table};
use nnc_core::number::Precision;
use nnc_core::vectors::Vectors;

/// Multiply-adds below which generated loops are as fast.
const WORTH_PACKING: usize = 4096;
/// Columns that make a batch of narrower products worthwhile.
const COLUMNS_ENOUGH: usize = 64;

/// A contraction over tensors that have no place yet.
#[derive(Clone, Debug)]
pub struct Product {
    /// A, B and C.
    pub tensors: [TensorId; 3],
    /// What its elements are.
    pub precision: Precision,
    /// The elements of A, B and C at which the offsets begin.
    pub base: [usize; 3],
    /// Elements by which A, B and C lie further on with every turn of a recurrence.
    pub step: [isize; 3],
    /// Rows and columns of a task's tile.
    pub tile: (usize, usize),
    /// The loops of batch, M, N and K, outermost first.
    groups: [Vec<Walk>; 4],
}

/// A loop: its extent, and by how many elements each operand moves with it.
#[derive(Clone, Copy, Debug)]
struct Walk {
    extent: usize,
    factors: [i64; 3],
}

impl Product {
    /// Points of batch, M, N and K.
    #[must_use]
    pub fn extents(&self) -> [usize; 4] {
        self.groups.each_ref().map(|loops| loops.iter().map(|w| w.extent).product())
    }

    /// Bytes that its tables will take.
    #[must_use]
    pub fn table_bytes(&self) -> usize {
        let [batch, m, n, k] = self.extents();
        let entries = [3, 2, 2, 2].into_iter().zip([batch, m, n, k]);
        entries.fold(0, |sum: usize, (tables, points)| sum.saturating_add(points.saturating_mul(4 * tables)))
    }

    /// The engine's plan for a level of vectors, its tables made; A, B and C begin at these bytes of the arena.
    #[must_use]
    pub fn work(&self, base: [usize; 3], vectors: Vectors) -> Contraction {
        let [batch, m, n, k] = &self.groups;
        let [ba, bb, bc] = [0, 1, 2].map(|operand| table(batch, operand));
        Contraction {
            precision: self.precision,
            vectors,
            base,
            step: self.step,
            batch: ba.into_iter().zip(bb).zip(bc).map(|((a, b), c)| [a, b, c]).collect(),
            rows: [table(m, 0), table(m, 2)],
            columns: [table(n, 1), table(n, 2)],
            depth: [table(k, 0), table(k, 1)],
            tile: self.tile,
        }
    }
}

/// Offsets of an operand above its least along some of the loops.
fn table(loops: &[Walk], operand: usize) -> Table {
    let mut table = vec![0_u32];
    for Walk { extent, factors } in loops {
        let (factor, last) = (factors[operand], *extent as i64 - 1);
        let step = |i: i64| if factor < 0 { factor * (i - last) } else { factor * i };
        table = table.iter().flat_map(|t| (0..=last).map(move |i| t + step(i) as u32)).collect();
    }
    table
}

/// Whether every offset of every operand along the loops is below 2^32, as tables hold them.
fn addressable(loops: &[Walk]) -> bool {
    let span = |operand: usize| {
        let far = loops.iter().map(|w| w.factors[operand].unsigned_abs().saturating_mul(w.extent as u64 - 1));
        far.fold(0, u64::saturating_add)
    };
    [0, 1, 2].into_iter().all(|operand| span(operand) <= u64::from(u32::MAX))
}

/// Offsets of the two operands and the result over the loops.
struct Access {
    a: Affine,
    b: Affine,
    c: Affine,
}

/// Sees a nest as a contraction worth the engine.
#[must_use]
pub fn product(nest: &Nest, precision: Precision) -> Option<Product> {
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
    let walk = |v: &Loop| Walk { extent: nest.extents[*v], factors: operands.map(|x| x.factor(*v)) };
    let groups = [groups.batch, groups.m, groups.n, groups.k].map(|loops| loops.iter().map(walk).collect::<Vec<_>>());
    if !groups.iter().all(|loops| addressable(loops)) {
        return None;
    }
    let tile = Contraction::choose_tile([batch, m, n, k], ENOUGH_TASKS);
    Some(Product { tensors: [a.0, b.0, store.tensor], precision, base, step, tile, groups })
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
}
