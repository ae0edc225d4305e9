//! Gives a nest its final shape: loops that can be one become one, and the loop to run in vector
//! lanes is chosen. The order of sums follows from both, so nothing here knows a machine.

use super::affine::{Affine, Loop};
use super::nest::{Address, Form, Guard, Lanes, Nest, Op, Val};
use super::order;
use crate::ir::Combine;
use crate::scalar::{Binary, Kind, Unary};
use nnc_core::number::Precision;

/// Points that make lanes worthwhile: those of the narrowest vectors that machines have.
fn fewest(precision: Precision) -> usize {
    match precision {
        Precision::F32 => 4,
        Precision::F64 => 2,
    }
}

/// Merges loops and chooses lanes.
pub fn shape(nest: &mut Nest, precision: Precision) {
    // Integers of a vector are as wide as its floats.
    let (width, narrow) = (fewest(precision), precision == Precision::F32);
    drop_single_turns(nest);
    merge(nest);
    widen_innermost(nest, width);
    nest.lanes = lanes(nest, width, narrow);
    nest.chains = order::chains(nest, precision);
}

/// Loops of one turn vanish.
fn drop_single_turns(nest: &mut Nest) {
    for v in (nest.first()..nest.extents.len()).rev().filter(|v| nest.extents[*v] == 1).collect::<Vec<_>>() {
        remove(nest, v);
    }
}

/// Removes a loop whose variable no longer matters.
fn remove(nest: &mut Nest, v: Loop) {
    let renumber = |w: Loop| match w {
        w if w == v => Affine::default(),
        w => Affine::var(w - usize::from(w > v)),
    };
    nest.affines_mut().for_each(|a| *a = a.renamed(&renumber));
    nest.extents.remove(v);
    nest.outer -= usize::from(v < nest.outer);
}

/// Adjacent loops that every position walks as one become one.
fn merge(nest: &mut Nest) {
    let mut v = nest.extents.len().saturating_sub(1);
    while v > nest.first() {
        let inner = nest.extents[v] as i64;
        let same_side = v != nest.outer;
        if same_side && nest.affines().all(|a| a.factor(v - 1) == inner * a.factor(v)) {
            nest.extents[v] *= nest.extents[v - 1];
            remove(nest, v - 1);
        }
        v -= 1;
    }
}

/// Exchanges the two innermost loops of a pointwise nest where only the outer one fills a vector
/// (`i div 2` leaves an inner loop of two turns).
fn widen_innermost(nest: &mut Nest, width: usize) {
    let Some((a, b)) = nest.outer.checked_sub(2).map(|a| (a, a + 1)).filter(|(a, _)| *a >= nest.first()) else {
        return;
    };
    if nest.form != Form::Point || nest.extents[b] >= width || nest.extents[a] < width {
        return;
    }
    let exchange = |v: Loop| {
        Affine::var(if v == a {
            b
        } else if v == b {
            a
        } else {
            v
        })
    };
    nest.affines_mut().for_each(|form| *form = form.renamed(&exchange));
    nest.extents.swap(a, b);
}

fn lanes(nest: &Nest, width: usize, narrow: bool) -> Lanes {
    let wide_enough = |v: Option<Loop>, least| v.is_some_and(|v| nest.extents[v] >= least);
    let fits = !narrow || integers_fit(nest);
    let outer = nest.outer.checked_sub(1).filter(|v| *v >= nest.first());
    let reduced = nest.extents.len().checked_sub(1).filter(|v| *v >= nest.outer);
    let outer_possible = fits && wide_enough(outer, width);
    let smooth = |v: Option<Loop>| v.is_some_and(|v| loads_are_smooth(nest, v));
    match nest.form {
        Form::Point if outer_possible => Lanes::Outer,
        Form::Accumulate if outer_possible && outer.is_some_and(|v| stores_are_runs(nest, v)) => Lanes::Outer,
        Form::Reduce(..) if outer_possible && smooth(outer) => Lanes::Outer,
        Form::Reduce(combine, _)
            if fits && can_split(nest, combine) && wide_enough(reduced, 2 * width) && smooth(reduced) =>
        {
            Lanes::Reduced
        }
        Form::Reduce(..) if outer_possible => Lanes::Outer,
        _ => Lanes::Scalar,
    }
}

/// Whether the reduction may run in several lanes that are combined at the end.
fn can_split(nest: &Nest, combine: Combine) -> bool {
    combine != Combine::Argmax && nest.kinds[nest.stores[0].value] == Kind::Float
}

/// Whether every load reads one element or a run of neighbours along `v`.
fn loads_are_smooth(nest: &Nest, v: Loop) -> bool {
    let varies = varying(nest, v);
    nest.ops.iter().all(|op| match op {
        Op::Load { address, guards, .. } => {
            matches!(address.affine.factor(v), 0 | 1) && uniform(address, guards, &varies)
        }
        _ => true,
    })
}

/// Whether accumulating stores write a run of neighbours along `v`.
fn stores_are_runs(nest: &Nest, v: Loop) -> bool {
    let varies = varying(nest, v);
    nest.stores.iter().all(|s| s.address.affine.factor(v) == 1 && uniform(&s.address, &s.guards, &varies))
}

fn uniform(address: &Address, guards: &[Guard], varies: &[bool]) -> bool {
    address.gathers.iter().all(|(_, g)| !varies[*g]) && guards.iter().all(|g| !varies[g.position])
}

/// Which operations yield different values along `v`.
#[must_use]
pub fn varying(nest: &Nest, v: Loop) -> Vec<bool> {
    let mut varies: Vec<bool> = vec![];
    for op in &nest.ops {
        varies.push(match op {
            Op::Float(_) | Op::Bool(_) => false,
            Op::Index(a) => a.factor(v) != 0,
            Op::Load { address, guards, otherwise, .. } => {
                address.affine.factor(v) != 0
                    || !uniform(address, guards, &varies)
                    || otherwise.is_some_and(|o| varies[o])
            }
            Op::Unary(_, a) => varies[*a],
            Op::Binary(_, a, b) => varies[*a] || varies[*b],
            Op::Select(c, a, b) => varies[*c] || varies[*a] || varies[*b],
        });
    }
    varies
}

/// Whether every integer of the nest fits 32 bits.
fn integers_fit(nest: &Nest) -> bool {
    let mut ranges: Vec<(i128, i128)> = vec![];
    for op in &nest.ops {
        ranges.push(integer_range(nest, op, &ranges));
    }
    ranges.iter().all(|(low, high)| *low >= i128::from(i32::MIN) && *high <= i128::from(i32::MAX))
}

/// Bounds of an integer operation; (0, 0) for others.
fn integer_range(nest: &Nest, op: &Op, known: &[(i128, i128)]) -> (i128, i128) {
    let of = |v: Val| known[v];
    let hull = |points: [i128; 4]| (points.into_iter().min().unwrap_or(0), points.into_iter().max().unwrap_or(0));
    match op {
        Op::Index(a) => {
            let (low, high) = a.range(&nest.extents);
            (low.into(), high.into())
        }
        Op::Unary(Unary::Neg | Unary::Abs, a) => {
            let (low, high) = of(*a);
            (-low.abs().max(high.abs()), low.abs().max(high.abs()))
        }
        Op::Binary(f, a, b) => {
            let ((a, b), (c, d)) = (of(*a), of(*b));
            match f {
                Binary::Add => (a + c, b + d),
                Binary::Sub => (a - d, b - c),
                Binary::Mul => hull([a * c, a * d, b * c, b * d]),
                Binary::Max | Binary::Min => (a.min(c), b.max(d)),
                Binary::FloorDiv => (a.min(0), b.max(0)),
                Binary::Mod => (0, d.max(0)),
                _ => (0, 0),
            }
        }
        Op::Select(_, a, b) => (of(*a).0.min(of(*b).0), of(*a).1.max(of(*b).1)),
        _ => (0, 0),
    }
}
