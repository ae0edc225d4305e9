//! `reuse`: a comparison with a bound is made on the tensor that was cut off at that bound.
//!
//! If `h = max(e, c)`, then `c < e` is `c < h` (and false for NaN either way). The derivative of `max`
//! asks `c < e` in the backward half, where `h` has to be kept anyway because other definitions read
//! it; then `e` need not be kept, and becomes part of the computation of `h`. Likewise for `min`.

use super::rewrite::replace;
use crate::ir::{Combine, Def, ExprId, Item, Module, Node, TensorId};
use crate::scalar::Binary;
use std::collections::BTreeMap;

/// `h = max(e, c)` or `min`, over the domain `shape`.
#[derive(Clone, Debug)]
struct Cut {
    tensor: TensorId,
    shape: Vec<usize>,
    bound: ExprId,
}

/// By which function a value was cut off, and the value: `(Max, e)`.
type Cuts = BTreeMap<(bool, ExprId), Cut>;

/// Runs the pass.
pub fn run(m: &mut Module) {
    let mut cuts = Cuts::new();
    for item in std::mem::take(&mut m.items) {
        let item = match item {
            Item::Def(def) => {
                let def = with_cuts(m, def, &cuts);
                cuts.extend(cut(m, &def));
                Item::Def(def)
            }
            other @ (Item::Draw(_) | Item::Listed(_)) => other,
        };
        m.items.push(item);
    }
}

/// What a definition cuts off, if that is all it does, at a constant.
fn cut(m: &Module, def: &Def) -> Option<((bool, ExprId), Cut)> {
    let Node::Binary(op @ (Binary::Max | Binary::Min), a, b) = *m.node(def.value) else { return None };
    let (value, bound) = if m.as_float(b).is_some() { (a, b) } else { (b, a) };
    m.as_float(bound).filter(|_| def.combine == Combine::Set && def.scatter.is_none())?;
    Some(((op == Binary::Max, value), Cut { tensor: def.target, shape: m.t(def.target).shape.clone(), bound }))
}

/// A definition with comparisons `c < e` and `e < c` replaced.
fn with_cuts(m: &mut Module, def: Def, cuts: &Cuts) -> Def {
    let compares = |e: &ExprId| matches!(m.node(*e), Node::Binary(Binary::Lt, ..));
    let found: Vec<ExprId> = m.reachable(&[def.value]).into_iter().filter(compares).collect();
    let mut replaced: BTreeMap<ExprId, ExprId> = BTreeMap::new();
    for e in found {
        let Node::Binary(_, a, b) = *m.node(e) else { continue };
        let (key, bound) = if m.as_float(a).is_some() { ((true, b), a) } else { ((false, a), b) };
        if let Some(kept) = kept(m, &def, cuts, key, bound) {
            let (a, b) = if key.0 { (bound, kept) } else { (kept, bound) };
            replaced.insert(e, m.binary(Binary::Lt, a, b));
        }
    }
    Def { value: replace(m, &def.domain, def.value, &replaced), ..def }
}

/// The read of the cut-off tensor for a value that was cut off at `bound`: the same expression over
/// the same variables, or another element of the tensor that was cut off as a whole.
fn kept(m: &mut Module, def: &Def, cuts: &Cuts, key: (bool, ExprId), bound: ExprId) -> Option<ExprId> {
    if let Some(cut) = cuts.get(&key).filter(|c| c.bound == bound && def.domain.starts_with(&c.shape)) {
        return Some(m.read_here(cut.tensor));
    }
    let Node::Read { tensor, at, otherwise: None } = m.node(key.1).clone() else { return None };
    let whole = m.read_here(tensor);
    let cut = cuts.get(&(key.0, whole)).filter(|c| c.bound == bound && c.shape == m.t(tensor).shape)?;
    Some(m.read(cut.tensor, at.to_vec()))
}
