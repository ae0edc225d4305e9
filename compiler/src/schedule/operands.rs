//! Prepares contractions: `Module -> Module`, meaning unchanged.
//!
//! An operand whose read is guarded (a padded convolution) is first copied into a tensor that has
//! the padding, so that the product reads plainly; copies are shared. A product with a long sum
//! and few results is cut into a fixed number of partial products that are summed afterwards, so
//! that there is work for several threads. Updates from persistent tensors go through a copy.

use super::affine::Affine;
use super::localise::positions;
use crate::ir::recurrence::arrange;
use crate::ir::{Combine, Def, ExprId, Item, Module, Node, Role, TensorId};
use crate::optimise::contraction::{Contraction, Operand, contraction};
use crate::scalar::Binary;
use std::collections::HashMap;

/// Results below which a long sum is cut.
const FEW_RESULTS: usize = 1 << 14;
/// Terms above which a sum is long.
const LONG_SUM: usize = 2048;
/// Partial sums at most.
const PARTS: usize = 16;
/// A padded copy may be this many times as large as what it copies.
const GROWTH: usize = 8;

/// Padded copies by tensor, ranges and the bits of what lies outside.
type Copies = HashMap<(TensorId, Vec<(i64, i64)>, Option<u64>), TensorId>;

/// Prepares every contraction of the module.
#[must_use]
pub fn prepare(module: &Module) -> Module {
    let mut out = module.clone();
    out.items = vec![];
    let mut copies = Copies::new();
    for item in &module.items {
        match item {
            Item::Def(def) => prepare_def(&mut out, def, &mut copies),
            Item::Draw(_) | Item::Listed(_) => out.items.push(item.clone()),
        }
    }
    arrange(&mut out);
    for i in 0..out.updates.len() {
        let source = out.updates[i].1;
        if out.t(source).role == Role::Persistent {
            out.updates[i].1 = copy_of(&mut out, source);
        }
    }
    out
}

fn copy_of(out: &mut Module, source: TensorId) -> TensorId {
    let value = out.read_here(source);
    let (name, shape) = (format!("{}.old", out.t(source).name), out.t(source).shape.clone());
    out.define(&name, shape, &[], Combine::Set, value, None)
}

fn prepare_def(out: &mut Module, def: &Def, copies: &mut Copies) {
    let mut def = def.clone();
    if let Some(seen) = contraction(out, &def) {
        let a = plain(out, &def, &seen.a, copies);
        let b = plain(out, &def, &seen.b, copies);
        def.value = out.binary(Binary::Mul, a, b);
        if let Some((var, parts)) = cut(&def, &seen) {
            return push_parts(out, &def, var, parts);
        }
    }
    out.items.push(Item::Def(def));
}

/// The operand as an unguarded read, of a padded copy if need be; as it was, where that is not possible.
fn plain(out: &mut Module, def: &Def, operand: &Operand, copies: &mut Copies) -> ExprId {
    let Some(ranges) = ranges(out, def, operand) else { return operand.expr };
    let shape = out.t(operand.tensor).shape.clone();
    let inside = ranges.iter().zip(&shape).all(|((low, high), extent)| *low >= 0 && *high < *extent as i64);
    let padded: Vec<usize> = ranges.iter().map(|(low, high)| (high - low + 1) as usize).collect();
    let grown = padded.iter().product::<usize>() > GROWTH * shape.iter().product::<usize>();
    if inside || operand.outside.is_none() || grown {
        return operand.expr;
    }
    let key = (operand.tensor, ranges.clone(), operand.outside.map(f64::to_bits));
    let copy = match copies.get(&key) {
        Some(copy) => *copy,
        None => {
            let copy = push_padded(out, operand, &ranges, padded);
            copies.insert(key, copy);
            copy
        }
    };
    let at = operand.at.iter().zip(&ranges).map(|(p, (low, _))| minus(out, *p, *low)).collect();
    out.read(copy, at)
}

fn minus(out: &mut Module, position: ExprId, by: i64) -> ExprId {
    if by == 0 {
        return position;
    }
    let by = out.int(-by);
    out.binary(Binary::Add, position, by)
}

/// The least and greatest position on each axis, if positions are affine.
fn ranges(module: &Module, def: &Def, operand: &Operand) -> Option<Vec<(i64, i64)>> {
    let at: Vec<Affine> = positions(module, &def.domain, &operand.at)?;
    Some(at.iter().map(|p| p.range(&def.domain)).collect())
}

fn push_padded(out: &mut Module, operand: &Operand, ranges: &[(i64, i64)], shape: Vec<usize>) -> TensorId {
    let at = ranges.iter().enumerate().map(|(d, (low, _))| {
        let var = out.var(d as u32);
        minus(out, var, -low)
    });
    let at: Box<[ExprId]> = at.collect();
    let otherwise = operand.outside.map(|value| out.float(value));
    let value = out.intern(Node::Read { tensor: operand.tensor, at, otherwise });
    let name = format!("{}.padded", out.t(operand.tensor).name);
    out.define(&name, shape, &[], Combine::Set, value, None)
}

/// The reduced variable to cut and into how many parts, if the sum is long and the results few.
fn cut(def: &Def, seen: &Contraction) -> Option<(u32, usize)> {
    let count = |vars: &[u32]| vars.iter().map(|v| def.domain[*v as usize]).product::<usize>();
    let results = count(&seen.batch) * count(&seen.m) * count(&seen.n);
    if results > FEW_RESULTS || count(&seen.k) < LONG_SUM {
        return None;
    }
    let parts = |v: &u32| (2..=PARTS).rev().find(|d| def.domain[*v as usize].is_multiple_of(*d)).map(|d| (*v, d));
    seen.k.iter().filter_map(parts).max_by_key(|(v, d)| (*d, std::cmp::Reverse(*v)))
}

/// Adds `parts` partial sums over pieces of the variable, and their sum.
fn push_parts(out: &mut Module, def: &Def, var: u32, parts: usize) {
    let piece = def.domain[var as usize] / parts;
    let target = out.t(def.target).clone();
    let mut shape = vec![parts];
    shape.extend(&target.shape);
    let mut reduced: Vec<usize> = def.domain[target.shape.len()..].to_vec();
    reduced[var as usize - target.shape.len()] = piece;
    let place = |out: &mut Module, v: u32| {
        let inner = out.var(v + 1);
        if v != var {
            return inner;
        }
        let (part, piece) = (out.var(0), out.int(piece as i64));
        let start = out.binary(Binary::Mul, part, piece);
        out.binary(Binary::Add, start, inner)
    };
    let value = substitute(out, def.value, &place);
    let partial = out.define(&format!("{}.parts", target.name), shape, &reduced, Combine::Sum, value, target.span);
    let rank = target.shape.len() as u32;
    let at = std::iter::once(rank).chain(0..rank).map(|v| out.var(v)).collect();
    let value = out.read(partial, at);
    let domain = target.shape.iter().copied().chain([parts]).collect();
    out.items.push(Item::Def(Def { target: def.target, domain, combine: Combine::Sum, value, scatter: None }));
}

/// The expression with every variable `v` put as `place(v)`. Expressions here are products of two reads.
fn substitute(out: &mut Module, expr: ExprId, place: &dyn Fn(&mut Module, u32) -> ExprId) -> ExprId {
    let node = match out.node(expr).clone() {
        Node::Var(v) => return place(out, v),
        Node::Read { tensor, at, otherwise } => {
            let at = at.iter().map(|p| substitute(out, *p, place)).collect();
            let otherwise = otherwise.map(|o| substitute(out, o, place));
            Node::Read { tensor, at, otherwise }
        }
        Node::Unary(f, a) => Node::Unary(f, substitute(out, a, place)),
        Node::Binary(f, a, b) => Node::Binary(f, substitute(out, a, place), substitute(out, b, place)),
        Node::Select(c, a, b) => {
            Node::Select(substitute(out, c, place), substitute(out, a, place), substitute(out, b, place))
        }
        leaf => leaf,
    };
    out.intern(node)
}
