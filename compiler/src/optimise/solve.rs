//! Solving the positions of a scatter for its domain variables.
//!
//! A scatter sends the point `v` of its domain to `at(v)`. For every position `p` of the target we
//! want the points with `at(v) = p`: domain variables as expressions over `p` and as few remaining
//! (reduced) variables as possible, with conditions where a solution may leave a variable's range.
//! Per axis, with `q` for `p` less the constant and all that is known already:
//!
//! | position | solution |
//! |---|---|
//! | `i` | `i = q` |
//! | `i + u` | `i = q - u`, u reduced: the variable with the largest extent is eliminated |
//! | `s*i` | `i = q div s`, if s divides q |
//! | `s*i + u`, u < s | digits: `i = q div s`, `u = q mod s` (any number of digits) |
//! | `s*i + u`, u >= s | `u = s*a + q mod s`, `i = q div s - a`, a reduced, of extent `ceil(U/s)` |
//! | `s*i + ..` otherwise | `i = (q - ..) div s`, if s divides it |
//!
//! Of those that apply, the one that leaves least to reduce is taken. A position that is no linear
//! form of variables (an element of an Int tensor) remains a condition `p = at`.

use super::index;
use super::rewrite::{guarded_read, rewrite};
use crate::ir::{Def, ExprId, Module};
use crate::scalar::Binary;

/// How one axis of the target appears in the new domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// As one variable.
    Plain,
    /// Position p as two variables `(p - offset) = stride * (block + first) + phase`.
    Phased { stride: i64, offset: i64, first: i64, blocks: usize, phases: usize },
}

/// A requirement on the solution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// `0 <= expr < extent`.
    Inside(ExprId, usize),
    /// Two Ints are equal.
    Equal(ExprId, ExprId),
}

/// All points of the domain that a position of the target receives values from.
#[derive(Clone, Debug, Default)]
pub struct Solution {
    /// Extents of the new variables: those of the target's axes, then the reduced ones.
    pub domain: Vec<usize>,
    /// How many of them belong to the target.
    pub rank: usize,
    /// The old domain variables over the new ones.
    pub values: Vec<ExprId>,
    /// What must hold for a point to count.
    pub conditions: Vec<Condition>,
    /// For each axis how it could be phased: it is solved as `s*i + u` from its own variable alone.
    pub phasable: Vec<Axis>,
}

/// Solves a scatter for its domain, with the axes laid out as given.
#[must_use]
pub fn solve(m: &mut Module, def: &Def, layout: &[Axis]) -> Option<Solution> {
    let at = &def.scatter.as_ref()?.at;
    let mut s = Solver::new(m, def, layout);
    let forms: Vec<Option<Affine>> = at.iter().map(|e| s.m.affine(*e)).collect();
    let mut pending: Vec<(usize, &Affine)> =
        forms.iter().enumerate().filter_map(|(k, f)| Some((k, f.as_ref()?))).collect();
    while let Some(slot) = (0..pending.len()).min_by_key(|n| s.open(pending[*n].1).len()) {
        let (axis, form) = pending.remove(slot);
        s.axis(axis, form);
    }
    for v in 0..def.domain.len() {
        s.keep(v as u32);
    }
    let mut done = s.finish()?;
    for k in (0..at.len()).filter(|k| forms[*k].is_none()) {
        let position = over_solution(m, at[k], &done);
        let p = target_variable(m, layout, k)?;
        done.conditions.push(Condition::Equal(p, position));
    }
    Some(done)
}

/// An expression over the new variables. A solution may leave a variable's range, so reads are guarded.
pub fn over_solution(m: &mut Module, e: ExprId, solution: &Solution) -> ExprId {
    let domain = &solution.domain;
    rewrite(m, domain, e, &mut |_, v| solution.values[v as usize], &mut |m, a| guarded_read(m, domain, a))
}

/// A position: its constant, and the coefficient of each variable.
type Affine = (i64, Vec<(u32, i64)>);

/// The variable of a plain axis.
fn target_variable(m: &mut Module, layout: &[Axis], axis: usize) -> Option<ExprId> {
    let before: usize = layout[..axis].iter().map(|a| if *a == Axis::Plain { 1 } else { 2 }).sum();
    (layout[axis] == Axis::Plain).then(|| m.var(before as u32))
}

/// An open variable in a position: number, coefficient, extent.
#[derive(Clone, Copy, Debug)]
struct Term {
    var: u32,
    factor: i64,
    extent: usize,
}

struct Solver<'a> {
    m: &'a mut Module,
    def: &'a Def,
    layout: &'a [Axis],
    found: Vec<Option<ExprId>>,
    out: Solution,
}

impl<'a> Solver<'a> {
    fn new(m: &'a mut Module, def: &'a Def, layout: &'a [Axis]) -> Self {
        let mut domain = vec![];
        for (axis, extent) in layout.iter().zip(&m.t(def.target).shape) {
            match axis {
                Axis::Plain => domain.push(*extent),
                Axis::Phased { blocks, phases, .. } => domain.extend([*blocks, *phases]),
            }
        }
        let rank = domain.len();
        let phasable = vec![Axis::Plain; layout.len()];
        let out = Solution { domain, rank, values: vec![], conditions: vec![], phasable };
        Self { m, def, layout, found: vec![None; def.domain.len()], out }
    }

    fn finish(mut self) -> Option<Solution> {
        self.out.values = self.found.into_iter().collect::<Option<_>>()?;
        Some(self.out)
    }

    fn open(&self, form: &Affine) -> Vec<Term> {
        let unknown = |(var, _): &&(u32, i64)| self.found[*var as usize].is_none();
        let term =
            |(var, factor): &(u32, i64)| Term { var: *var, factor: *factor, extent: self.def.domain[*var as usize] };
        let mut terms: Vec<Term> = form.1.iter().filter(unknown).map(term).collect();
        terms.sort_by_key(|t| (-t.factor, t.var));
        terms
    }

    /// Makes an open variable a reduced variable of the new domain.
    fn keep(&mut self, var: u32) {
        if self.found[var as usize].is_none() {
            let fresh = self.reduced(self.def.domain[var as usize]);
            self.found[var as usize] = Some(fresh);
        }
    }

    fn reduced(&mut self, extent: usize) -> ExprId {
        self.out.domain.push(extent);
        self.m.var(self.out.domain.len() as u32 - 1)
    }

    fn int(&mut self, op: Binary, a: ExprId, b: ExprId) -> ExprId {
        index::binary(self.m, &self.out.domain, op, a, b)
    }

    fn set(&mut self, term: Term, value: ExprId) {
        self.found[term.var as usize] = Some(value);
        if !index::inside(self.m, &self.out.domain, value, term.extent) {
            self.out.conditions.push(Condition::Inside(value, term.extent));
        }
    }

    /// `q` as quotient and remainder by the stride, straight from the variables of a phased axis.
    fn digits(&mut self, axis: usize, q: ExprId, stride: i64) -> (ExprId, ExprId) {
        let before: usize = self.layout[..axis].iter().map(|a| if *a == Axis::Plain { 1 } else { 2 }).sum();
        if let Axis::Phased { first, .. } = self.layout[axis] {
            let (block, phase) = (self.m.var(before as u32), self.m.var(before as u32 + 1));
            let first = self.m.int(first);
            return (self.int(Binary::Add, block, first), phase);
        }
        let s = self.m.int(stride);
        (self.int(Binary::FloorDiv, q, s), self.int(Binary::Mod, q, s))
    }

    /// Solves `at[axis] = p`.
    fn axis(&mut self, axis: usize, form: &Affine) {
        let terms = self.open(form);
        let q = self.residue(axis, form);
        match terms[..] {
            [] => self.require_zero(q),
            [i, u] if i.factor > 1 && u.factor == 1 && u.extent.div_ceil(i.factor as usize) <= i.extent => {
                self.strided(axis, form, q, i, u);
            }
            [i] if i.factor > 1 => self.skipping(axis, form, q, i),
            _ if nested(&terms) => self.nested_digits(q, &terms),
            _ => self.eliminate(q, &terms),
        }
    }

    /// The position less the constant and the terms already solved. On a phased axis nothing reads it.
    fn residue(&mut self, axis: usize, form: &Affine) -> ExprId {
        let Some(p) = target_variable(self.m, self.layout, axis) else { return self.m.int(0) };
        let offset = self.m.int(form.0);
        let mut q = self.int(Binary::Sub, p, offset);
        for (var, factor) in &form.1 {
            if let Some(value) = self.found[*var as usize] {
                q = self.less(q, *factor, value);
            }
        }
        q
    }

    /// `q - factor * value`.
    fn less(&mut self, q: ExprId, factor: i64, value: ExprId) -> ExprId {
        let factor = self.m.int(factor);
        let taken = self.int(Binary::Mul, factor, value);
        self.int(Binary::Sub, q, taken)
    }

    fn skipping(&mut self, axis: usize, form: &Affine, q: ExprId, i: Term) {
        self.offer_phases(axis, form, i.factor, 1);
        let (quotient, rest) = self.digits(axis, q, i.factor);
        self.require_zero(rest);
        self.set(i, quotient);
    }

    fn require_zero(&mut self, e: ExprId) {
        let zero = self.m.int(0);
        if e != zero {
            self.out.conditions.push(Condition::Equal(e, zero));
        }
    }

    fn strided(&mut self, axis: usize, form: &Affine, q: ExprId, i: Term, u: Term) {
        self.offer_phases(axis, form, i.factor, u.extent);
        let stride = i.factor;
        let (quotient, rest) = self.digits(axis, q, stride);
        let turns = u.extent.div_ceil(stride as usize);
        let turn = if turns > 1 { self.reduced(turns) } else { self.m.int(0) };
        let s = self.m.int(stride);
        let skipped = self.int(Binary::Mul, s, turn);
        let tap = self.int(Binary::Add, skipped, rest);
        let position = self.int(Binary::Sub, quotient, turn);
        self.set(u, tap);
        self.set(i, position);
    }

    /// Notes that the axis may be laid out in phases, of which `taps` are used, if its position
    /// mentions no variable solved elsewhere.
    fn offer_phases(&mut self, axis: usize, form: &Affine, stride: i64, taps: usize) {
        let own = form.1.iter().all(|(v, _)| self.found[*v as usize].is_none());
        if !own || self.layout[axis] != Axis::Plain {
            return;
        }
        let (offset, extent) = (form.0, self.m.t(self.def.target).shape[axis] as i64);
        let first = (-offset).div_euclid(stride);
        let blocks = ((extent - 1 - offset).div_euclid(stride) - first + 1) as usize;
        let phases = taps.min(stride as usize);
        self.out.phasable[axis] = Axis::Phased { stride, offset, first, blocks, phases };
    }

    fn nested_digits(&mut self, mut q: ExprId, terms: &[Term]) {
        for term in terms {
            let s = self.m.int(term.factor);
            let digit = self.int(Binary::FloorDiv, q, s);
            q = self.int(Binary::Mod, q, s);
            self.set(*term, digit);
        }
        self.require_zero(q);
    }

    /// Solves for the variable whose elimination leaves least to reduce; the others are kept.
    fn eliminate(&mut self, q: ExprId, terms: &[Term]) {
        let Some(chosen) = terms.iter().max_by_key(|t| (t.extent, -t.factor.abs(), -i64::from(t.var))).copied() else {
            return;
        };
        let mut rest = q;
        for term in terms.iter().filter(|t| t.var != chosen.var) {
            self.keep(term.var);
            if let Some(value) = self.found[term.var as usize] {
                rest = self.less(rest, term.factor, value);
            }
        }
        let sign = self.m.int(chosen.factor.signum());
        let rest = self.int(Binary::Mul, sign, rest);
        let stride = self.m.int(chosen.factor.abs());
        let value = self.int(Binary::FloorDiv, rest, stride);
        let remainder = self.int(Binary::Mod, rest, stride);
        self.require_zero(remainder);
        self.set(chosen, value);
    }
}

/// Whether terms, by falling factor, are digits of a mixed-radix number: all that follows a term is
/// less than its factor.
fn nested(terms: &[Term]) -> bool {
    (0..terms.len()).all(|k| {
        let rest: i64 = terms[k + 1..].iter().map(|t| t.factor * (t.extent as i64 - 1)).sum();
        terms[k].factor > 0 && rest < terms[k].factor
    })
}
