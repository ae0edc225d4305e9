//! Reductions: partial results carried through the reduced loops, then combined and stored.
//!
//! The order of a sum depends on the nest alone. Lanes over stored elements take it in loop order;
//! lanes over the reduced loop keep [`PARALLEL`] vectors and a rest, combined in a fixed tree.

use super::lanes::{Lane, blend, float, lane, widen};
use super::point::{Point, Scene};
use crate::ir::Combine;
use crate::scalar::{Binary, Kind};
use crate::schedule::nest::{Lanes, Val};
use cranelift_codegen::ir::{InstBuilder, Value, types};

/// Vectors of partial results kept at once.
pub const PARALLEL: usize = 4;

impl Scene<'_, '_> {
    /// Combines over the reduced loops and stores the results.
    pub fn reduce(&mut self, point: &Point, count: usize, reduction: &Reduction) {
        let nest = self.nest;
        let store = &nest.stores[0];
        let kind = nest.kinds[store.value];
        let in_lanes = nest.lanes == Lanes::Reduced;
        let points = self.neighbours(point, count);
        let partial = if in_lanes { PARALLEL } else { count };
        let mut start = vec![];
        for _ in 0..partial {
            start.extend(self.identity(reduction, kind, point.wide || in_lanes));
        }
        if in_lanes {
            start.extend(self.identity(reduction, kind, false));
        }
        let sums = self.reduced_loops(&points, &start, reduction);
        if in_lanes {
            let result = self.fold(&sums, reduction.combine, kind);
            return self.store(point, store, Lane::One(result), &[]);
        }
        let parts = reduction.parts();
        for (point, sum) in points.iter().zip(sums.chunks(parts)) {
            let result = *sum.last().unwrap_or_else(|| unreachable!("a result has parts"));
            self.store(point, store, if point.wide { Lane::Wide(result) } else { Lane::One(result) }, &[]);
        }
    }

    /// The point and the vectors of points after it.
    fn neighbours(&mut self, point: &Point, count: usize) -> Vec<Point> {
        (0..count)
            .map(|n| {
                let mut next = point.clone();
                if let (true, Some(var)) = (n > 0, next.vars.last_mut()) {
                    *var = self.builder.ins().iadd_imm_s(*var, (n * self.types.width()) as i64);
                }
                next
            })
            .collect()
    }

    /// The reduced loops not yet entered, carrying partial results.
    fn reduced_loops(&mut self, points: &[Point], carried: &[Value], reduction: &Reduction) -> Vec<Value> {
        let level = points[0].vars.len();
        if level == self.nest.extents.len() {
            return self.combine_points(points, carried, reduction);
        }
        let (from, to) = (self.known(0), self.extents[level]);
        if self.nest.lanes == Lanes::Reduced && level + 1 == self.nest.extents.len() {
            return self.reduced_strips(&points[0], (from, to), carried, reduction);
        }
        let (_, sums) = self.count_up(from, to, 1, carried, &mut |scene, i, carried| {
            let entered: Vec<Point> =
                points.iter().map(|p| Point { vars: [p.vars.as_slice(), &[i]].concat(), wide: p.wide }).collect();
            scene.reduced_loops(&entered, carried, reduction)
        });
        sums
    }

    /// One more value into the partial result of each point.
    fn combine_points(&mut self, points: &[Point], carried: &[Value], reduction: &Reduction) -> Vec<Value> {
        let parts = reduction.parts();
        points.iter().zip(carried.chunks(parts)).flat_map(|(p, sum)| self.combine_at(p, sum, reduction)).collect()
    }

    /// The innermost reduced loop in lanes: [`PARALLEL`] vectors at once, then one, then single values.
    fn reduced_strips(
        &mut self,
        outer: &Point,
        (from, to): (Value, Value),
        carried: &[Value],
        reduction: &Reduction,
    ) -> Vec<Value> {
        let width = self.types.width();
        let at = |i: Value, wide: bool| Point { vars: [outer.vars.as_slice(), &[i]].concat(), wide };
        let (from, sums) = self.count_up(from, to, PARALLEL * width, carried, &mut |scene, i, carried| {
            let points = scene.neighbours(&at(i, true), PARALLEL);
            let mut next = scene.combine_points(&points, &carried[..PARALLEL], reduction);
            next.push(carried[PARALLEL]);
            next
        });
        let (from, sums) = self.count_up(from, to, width, &sums, &mut |scene, i, carried| {
            let mut next = scene.combine_at(&at(i, true), &carried[..1], reduction);
            next.extend(&carried[1..]);
            next
        });
        let (_, sums) = self.count_up(from, to, 1, &sums, &mut |scene, i, carried| {
            let mut next = carried[..PARALLEL].to_vec();
            next.extend(scene.combine_at(&at(i, false), &carried[PARALLEL..], reduction));
            next
        });
        sums
    }

    /// Partial results in lanes and the rest, in a fixed tree.
    fn fold(&mut self, sums: &[Value], combine: Combine, kind: Kind) -> Value {
        let mut vectors = sums[..PARALLEL].to_vec();
        while vectors.len() > 1 {
            vectors = vectors.chunks(2).map(|pair| self.combine(combine, kind, true, pair[0], pair[1])).collect();
        }
        let mut lanes: Vec<Value> =
            (0..self.types.width()).map(|l| lane(self.builder, self.types, kind, Lane::Wide(vectors[0]), l)).collect();
        while lanes.len() > 1 {
            lanes = lanes.chunks(2).map(|pair| self.combine(combine, kind, false, pair[0], pair[1])).collect();
        }
        self.combine(combine, kind, false, lanes[0], sums[PARALLEL])
    }

    /// One more value into a partial result, whose parts are `sum`.
    fn combine_at(&mut self, point: &Point, sum: &[Value], reduction: &Reduction) -> Vec<Value> {
        let value = self.nest.stores[0].value;
        let kind = self.nest.kinds[value];
        let roots: Vec<Val> = std::iter::once(value).chain(reduction.rank).collect();
        let values = self.evaluate(point, &roots);
        let wide = point.wide;
        let new = self.as_wide(kind, values[value], wide);
        let Some(rank) = reduction.rank else {
            return vec![self.combine(reduction.combine, kind, wide, sum[0], new)];
        };
        let rank = self.as_wide(Kind::Int, values[rank], wide);
        self.first_largest(kind, wide, sum, new, rank)
    }

    fn as_wide(&mut self, kind: Kind, value: Option<Lane>, wide: bool) -> Value {
        let value = value.unwrap_or_else(|| unreachable!("roots are evaluated"));
        if wide { widen(self.builder, self.types, kind, value) } else { lane(self.builder, self.types, kind, value, 0) }
    }

    /// Keeps the largest so far and its number: the new lanes only if larger.
    fn first_largest(&mut self, kind: Kind, wide: bool, sum: &[Value], new: Value, rank: Value) -> Vec<Value> {
        let larger = match kind {
            Kind::Float => self.float_binary(Binary::Lt, wide, sum[0], new),
            _ => self.int_binary(Binary::Lt, wide, sum[0], new),
        };
        [(new, sum[0]), (rank, sum[1])].map(|(yes, no)| self.choose(wide, larger, yes, no)).to_vec()
    }

    fn choose(&mut self, wide: bool, condition: Value, yes: Value, no: Value) -> Value {
        if wide { blend(self.builder, condition, yes, no) } else { self.builder.ins().select(condition, yes, no) }
    }

    /// Two partial results into one.
    fn combine(&mut self, combine: Combine, kind: Kind, wide: bool, a: Value, b: Value) -> Value {
        let f = match combine {
            Combine::Prod => Binary::Mul,
            Combine::Max | Combine::Argmax => Binary::Max,
            Combine::Min => Binary::Min,
            Combine::Set | Combine::Sum => Binary::Add,
        };
        match kind {
            // `b` is the newer: as in `greater(new, old)`, an old value stands against an equal new one.
            Kind::Float if matches!(f, Binary::Max | Binary::Min) => self.float_binary(f, wide, b, a),
            Kind::Float => self.float_binary(f, wide, a, b),
            Kind::Int => self.int_binary(f, wide, a, b),
            Kind::Bool if f == Binary::Max => self.builder.ins().bor(a, b),
            Kind::Bool => self.builder.ins().band(a, b),
        }
    }

    /// The parts of an empty result.
    fn identity(&mut self, reduction: &Reduction, kind: Kind, wide: bool) -> Vec<Value> {
        let combine = reduction.combine;
        let start = match (combine, kind) {
            (Combine::Max | Combine::Argmax, Kind::Float) => float(self.builder, self.types, f64::NEG_INFINITY),
            (Combine::Min, Kind::Float) => float(self.builder, self.types, f64::INFINITY),
            (Combine::Prod, Kind::Float) => float(self.builder, self.types, 1.0),
            (_, Kind::Float) => float(self.builder, self.types, 0.0),
            (Combine::Max | Combine::Argmax, Kind::Int) => self.builder.ins().iconst(types::I64, i64::from(i32::MIN)),
            (Combine::Min, Kind::Int) => self.builder.ins().iconst(types::I64, i64::from(i32::MAX)),
            (Combine::Prod, Kind::Int) => self.builder.ins().iconst(types::I64, 1),
            (_, Kind::Int) => self.builder.ins().iconst(types::I64, 0),
            (Combine::Min | Combine::Prod, Kind::Bool) => self.builder.ins().iconst(types::I8, 1),
            (_, Kind::Bool) => self.builder.ins().iconst(types::I8, 0),
        };
        let mut parts = vec![(kind, start)];
        if combine == Combine::Argmax {
            parts.push((Kind::Int, self.builder.ins().iconst(types::I64, 0)));
        }
        let widened = |(kind, v)| if wide { widen(self.builder, self.types, kind, Lane::One(v)) } else { v };
        parts.into_iter().map(widened).collect()
    }
}

/// A reduction's combination and, for `Argmax`, the number of the point.
pub struct Reduction {
    /// How values combine.
    pub combine: Combine,
    /// The number of the reduced point, for `Argmax`.
    pub rank: Option<Val>,
}

impl Reduction {
    /// Values a partial result consists of; the last is what is stored.
    fn parts(&self) -> usize {
        1 + usize::from(self.rank.is_some())
    }
}
