//! `fuse`: pointwise definitions move into their readers.
//!
//! A producer is a pointwise definition. Whether a reader takes it in:
//!
//! | producer | into pointwise | into a reduction or scatter | into a contraction |
//! |---|---|---|---|
//! | reads nothing and is cheap; a read or a cast of one | yes | yes | a read that stays a plain access |
//! | any, read at one place only | if no element is read twice | likewise, unless an epilogue | no |
//! | cheap, several readers | if all can and it saves memory traffic | no | no |
//!
//! An epilogue is pointwise over a reduction of its own shape: it costs nothing where it stands,
//! because the scheduler computes it while the reduction's result is at hand. Reductions never move.
//!
//! A chain of definitions, each of which takes in the one before, would be walked again for every link. So a value that
//! is read element for element moves as it is, what is asked of values is remembered for every part of them, and
//! definitions that have moved into all their readers are dropped.

use super::contraction::contraction;
use super::dead::{self, observable};
use super::expr::{reads, reads_nothing, roots};
use super::index;
use super::rewrite::{Access, guarded_read, read, rewrite, rewrite_def, simple};
use crate::ir::{Combine, Def, ExprId, Item, Module, Node, TensorId};
use crate::scalar::{Binary, Unary};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Operations that a value computed again for every reader may take.
const CHEAP: usize = 4;
/// A value grows no further by fusion than this many nodes.
const LARGEST: usize = 400;

/// Runs the pass.
pub fn run(m: &mut Module) {
    let mut uses = Uses::of(m);
    let mut producers: BTreeMap<TensorId, Producer> = BTreeMap::new();
    for item in std::mem::take(&mut m.items) {
        let item = match item {
            Item::Def(def) => {
                let (def, size) = absorb(m, def, &producers);
                producers.extend(Producer::of(m, &def, size, &mut uses).map(|p| (def.target, p)));
                Item::Def(def)
            }
            other @ (Item::Draw(_) | Item::Listed(_)) => other,
        };
        m.items.push(item);
    }
    dead::run(m);
}

/// Who reads what.
struct Uses {
    /// For each tensor, the definitions that read it, and at how many places in all.
    readers: BTreeMap<TensorId, (BTreeSet<TensorId>, usize)>,
    /// Of these, those that no nontrivial value may move into.
    fixed: BTreeSet<TensorId>,
    /// Tensors that a reduction defines.
    reductions: BTreeSet<TensorId>,
    /// Tensors that are there after a run in any case.
    observable: BTreeSet<TensorId>,
    /// For each shape, whether an expression over it reads such a reduction element for element.
    following: HashMap<Vec<usize>, HashMap<ExprId, bool>>,
}

impl Uses {
    fn of(m: &Module) -> Self {
        let (mut readers, mut fixed) = (BTreeMap::<TensorId, (BTreeSet<TensorId>, usize)>::new(), BTreeSet::new());
        let mut reductions = BTreeSet::new();
        for item in &m.items {
            let Item::Def(def) = item else { continue };
            let sites: BTreeSet<ExprId> = roots(item).into_iter().flat_map(|e| reads(m, e)).collect();
            for site in sites {
                if let Node::Read { tensor, .. } = m.node(site) {
                    let (who, places) = readers.entry(*tensor).or_default();
                    who.insert(def.target);
                    *places += 1;
                }
            }
            if def.combine != Combine::Set {
                reductions.insert(def.target);
                fixed.insert(def.target);
            }
        }
        Self { readers, fixed, reductions, observable: observable(m).collect(), following: HashMap::new() }
    }

    fn readers(&self, t: TensorId) -> usize {
        self.readers.get(&t).map_or(0, |(who, _)| who.len())
    }

    fn places(&self, t: TensorId) -> usize {
        self.readers.get(&t).map_or(0, |(_, places)| *places)
    }

    fn all_pointwise(&self, t: TensorId) -> bool {
        self.readers.get(&t).is_some_and(|(who, _)| who.is_disjoint(&self.fixed))
    }
}

/// A pointwise definition that may move, and how readily.
#[derive(Clone, Copy, Debug)]
struct Producer {
    value: ExprId,
    cost: Cost,
    elements: usize,
    /// How many nodes its value has at most, where it is in its plainest form over its domain.
    size: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cost {
    /// A read, maybe guarded.
    Read,
    /// A cast of a read, or cheap index arithmetic.
    Free,
    /// Read at one place only, and not an epilogue.
    Once,
    /// Read at one place only, and an epilogue: moves into pointwise definitions only.
    Epilogue,
    /// Worth computing again for each of its readers, which are all pointwise.
    Again,
}

impl Producer {
    fn of(m: &Module, def: &Def, size: Option<usize>, uses: &mut Uses) -> Option<Self> {
        if def.combine != Combine::Set || def.scatter.is_some() {
            return None;
        }
        let cost = cost(m, def, uses)?;
        Some(Self { value: def.value, cost, elements: m.t(def.target).len(), size })
    }
}

fn cost(m: &Module, def: &Def, uses: &mut Uses) -> Option<Cost> {
    match m.node(def.value) {
        Node::Read { otherwise, .. } if otherwise.is_none_or(|o| reads_nothing(m, o)) => return Some(Cost::Read),
        Node::Unary(Unary::ToFloat, a) if matches!(m.node(*a), Node::Read { .. }) => return Some(Cost::Free),
        _ if takes_at_most(m, def.value, 2 * CHEAP) && reads_nothing(m, def.value) => return Some(Cost::Free),
        _ => {}
    }
    let target = def.target;
    if uses.observable.contains(&target) {
        return None;
    }
    let epilogue = follows_reduction(m, def, uses);
    if uses.places(target) == 1 {
        return Some(if epilogue { Cost::Epilogue } else { Cost::Once });
    }
    let readers = uses.readers(target);
    let saves = |sources: usize| readers * sources <= sources + 1 + readers;
    let again = !epilogue && uses.all_pointwise(target) && takes_at_most(m, def.value, CHEAP);
    (again && saves(large_sources(m, def))).then_some(Cost::Again)
}

/// Whether a value takes at most so many Float operations, none of them expensive; positions do not count.
fn takes_at_most(m: &Module, value: ExprId, most: usize) -> bool {
    let expensive = |e: ExprId| match m.node(e) {
        Node::Unary(op, _) => !matches!(op, Unary::Neg | Unary::Abs | Unary::Not | Unary::ToFloat | Unary::Floor),
        Node::Binary(op, ..) => matches!(op, Binary::Div | Binary::ZeroOrQuotient | Binary::Pow),
        _ => false,
    };
    let (mut seen, mut open, mut count) = (BTreeSet::new(), vec![value], 0);
    while let Some(e) = open.pop() {
        if seen.insert(e) && matches!(m.node(e), Node::Unary(..) | Node::Binary(..) | Node::Select(..)) {
            count += 1;
            if expensive(e) || count > most {
                return false;
            }
            open.extend(m.operands(e));
        }
    }
    true
}

/// Whether positions are those of the element that is computed.
fn is_here(m: &Module, at: &[ExprId]) -> bool {
    at.iter().enumerate().all(|(k, p)| *m.node(*p) == Node::Var(k as u32))
}

/// Whether a definition reads, element for element, a reduction that nothing else reads.
fn follows_reduction(m: &Module, def: &Def, uses: &mut Uses) -> bool {
    let shape = &m.t(def.target).shape;
    let mut known = uses.following.remove(shape).unwrap_or_default();
    let found = follows(m, shape, uses, def.value, &mut known);
    uses.following.insert(shape.clone(), known);
    found
}

fn follows(m: &Module, shape: &[usize], uses: &Uses, e: ExprId, known: &mut HashMap<ExprId, bool>) -> bool {
    if let Some(found) = known.get(&e) {
        return *found;
    }
    let found = match m.node(e) {
        Node::Read { tensor, at, .. } if is_here(m, at) && m.t(*tensor).shape == *shape => {
            uses.reductions.contains(tensor) && uses.readers(*tensor) == 1
        }
        _ => false,
    };
    let found = found || m.operands(e).into_iter().any(|o| follows(m, shape, uses, o, known));
    known.insert(e, found);
    found
}

/// How many tensors of about the target's size a definition reads.
fn large_sources(m: &Module, def: &Def) -> usize {
    let large = |t: &TensorId| m.t(*t).len() * 4 > m.t(def.target).len();
    super::expr::tensors(m, def.value).iter().filter(|t| large(t)).count()
}

/// A definition with the producers it should take in, and how many nodes its value has at most; none where it stays as
/// it was, which need not be its plainest form.
fn absorb(m: &mut Module, def: Def, producers: &BTreeMap<TensorId, Producer>) -> (Def, Option<usize>) {
    let domain = def.domain.clone();
    let contracts = contraction(m, &def).is_some();
    // What moves as it is adds its size; of what is written anew, the size is counted.
    let mut size = Some(m.reachable(&[def.value]).len());
    let mut one = |m: &mut Module, e: ExprId| {
        rewrite(m, &domain, e, &mut Module::var, &mut |m, access| {
            let moved = producers.get(&access.tensor).copied().filter(|p| wanted(m, &def, &access, p, contracts));
            if let Some((p, more)) = moved.and_then(|p| Some((p, as_it_is(m, &domain, &access, p, contracts)?))) {
                size = size.map(|n| n + more);
                return p.value;
            }
            let inlined = moved.and_then(|p| inline(m, &domain, &access, p, contracts));
            size = size.filter(|_| inlined.is_none());
            inlined.unwrap_or_else(|| read(m, &domain, access))
        })
    };
    let fused = rewrite_def(m, def.clone(), &mut one);
    let lost = contracts && contraction(m, &fused).is_none();
    let size = size.filter(|n| *n <= LARGEST).unwrap_or_else(|| m.reachable(&[fused.value]).len());
    if lost || size > LARGEST { (def, None) } else { (fused, Some(size)) }
}

/// The size of a producer whose value may stand in place of an access without being written anew: it is read element for
/// element, over variables of the same extents.
fn as_it_is(m: &Module, domain: &[usize], access: &Access, p: Producer, contracts: bool) -> Option<usize> {
    let here = access.otherwise.is_none() && is_here(m, &access.at) && domain.starts_with(&m.t(access.tensor).shape);
    p.size.filter(|_| here && !contracts)
}

/// Whether a definition wants a producer, by the table above.
fn wanted(m: &Module, reader: &Def, access: &Access, producer: &Producer, contracts: bool) -> bool {
    let points: usize = reader.domain.iter().product();
    let copies = matches!(m.node(reader.value), Node::Read { .. });
    let once = points <= producer.elements && !copies;
    let here = is_here(m, &access.at);
    match producer.cost {
        Cost::Read => true,
        Cost::Free => !contracts,
        Cost::Once => once && !contracts,
        Cost::Epilogue => once && here && reader.combine == Combine::Set,
        Cost::Again => once && reader.combine == Combine::Set,
    }
}

/// The producer's value in place of an access to it.
fn inline(m: &mut Module, domain: &[usize], access: &Access, p: Producer, contracts: bool) -> Option<ExprId> {
    let inside = access.otherwise.is_none() || m.proven_inside(access.tensor, &access.at, domain);
    let shape = m.t(access.tensor).shape.clone();
    if inside || same_bounds(m, p.value, &shape) {
        let value = rewrite(m, domain, p.value, &mut |_, v| access.at[v as usize], &mut |m, a| {
            let otherwise = a.otherwise.or(access.otherwise.filter(|_| !inside));
            read(m, domain, Access { otherwise, ..a })
        });
        return (!contracts || direct(m, value)).then_some(value);
    }
    let otherwise = access.otherwise.filter(|_| !contracts)?;
    let value = rewrite(m, domain, p.value, &mut |_, v| access.at[v as usize], &mut |m, a| guarded_read(m, domain, a));
    let truth = in_bounds(m, domain, &access.at, &shape);
    Some(simple(m, domain, Node::Select(truth, value, otherwise)))
}

/// Whether a value is an unguarded read that is outside exactly where its own position is outside
/// `shape`: every variable stands alone in a position of the same extent.
fn same_bounds(m: &Module, value: ExprId, shape: &[usize]) -> bool {
    let Node::Read { tensor, at, otherwise: None } = m.node(value) else { return false };
    let source = &m.t(*tensor).shape;
    let alone = |v: usize| at.iter().zip(source).any(|(p, n)| *m.node(*p) == Node::Var(v as u32) && *n == shape[v]);
    let pure = at.iter().all(|p| reads_nothing(m, *p));
    pure && (0..shape.len()).all(alone)
}

fn in_bounds(m: &mut Module, domain: &[usize], at: &[ExprId], shape: &[usize]) -> ExprId {
    let mut truth = m.bool(true);
    for (p, extent) in at.iter().zip(shape) {
        let (least, end) = (m.int(0), m.int(*extent as i64));
        let above = simple(m, domain, Node::Binary(Binary::Le, least, *p));
        let below = simple(m, domain, Node::Binary(Binary::Lt, *p, end));
        for half in [above, below] {
            truth = simple(m, domain, Node::Binary(Binary::And, truth, half));
        }
    }
    truth
}

/// Whether a value is a read whose place in memory is linear in the variables, guarded by a constant
/// if at all: an access that packing takes at full speed.
fn direct(m: &mut Module, value: ExprId) -> bool {
    let Node::Read { tensor, at, otherwise } = m.node(value).clone() else { return false };
    let shape = m.t(tensor).shape.clone();
    let place = index::row_major(m, &shape, &at);
    let plain = m.affine(place).is_some();
    let guarded = otherwise.is_some();
    let positions_plain = at.iter().all(|p| m.variables(*p).len() <= 2 || !guarded);
    plain && positions_plain && otherwise.is_none_or(|o| m.as_float(o).is_some())
}
