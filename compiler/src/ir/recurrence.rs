//! Recurrences: definitions that depend on themselves, one turn later.
//!
//! Nothing marks them. Reads between items make a graph; a strongly connected part of it, whose
//! members hold all turns along one axis each, is a recurrence if every read inside it is at the
//! reader's own turn or at earlier ones (later ones, if it runs from the last turn to the first),
//! and no cycle stays within a turn:
//!
//! ```text
//! later h: f[8, 5]
//! before[i0: 8, i1: 5] = (h[i0 - 1, i1] or 0.0)
//! h[i0: 8, i1: 5] = tanh(before[i0, i1] + x[i0, i1])
//! ```
//!
//! A definition's turn is the variable that is the position on its target's turn axis. What depends
//! on no other turn is in no cycle, so it stands outside, and is computed for all turns at once.
//! Passes may rewrite members like any other definition; [`arrange`] then finds the order again.

use super::{Def, ExprId, Item, Module, Node, TensorId};
use crate::tally::{Work, count};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Definitions that are computed together, turn by turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recurrence {
    /// Their places in [`Module::items`], in the order of one turn.
    pub items: Range<usize>,
    /// How many turns there are.
    pub turns: usize,
    /// Whether the last turn comes first.
    pub descending: bool,
    axes: BTreeMap<TensorId, usize>,
}

impl Recurrence {
    /// The axis of a member's tensor that its turns lie along; `None` for other tensors.
    #[must_use]
    pub fn axis(&self, tensor: TensorId) -> Option<usize> {
        self.axes.get(&tensor).copied()
    }

    /// The domain variable of a member that is its turn.
    #[must_use]
    pub fn variable(&self, m: &Module, def: &Def) -> Option<u32> {
        let axis = self.axis(def.target)?;
        def.scatter.as_ref().map_or(Some(axis as u32), |s| shifted(m, s.at[axis]).map(|(k, _)| k))
    }

    /// Whether a member reads another turn than its own.
    #[must_use]
    pub fn delays(&self, m: &Module, def: &Def) -> bool {
        m.reachable(&def.roots()).into_iter().any(|e| match m.node(e) {
            Node::Read { tensor, at, .. } => {
                self.axis(*tensor).and_then(|axis| shifted(m, at[axis])).is_some_and(|(_, c)| c != 0)
            }
            _ => false,
        })
    }

    /// The turns in the order they are computed.
    pub fn order(&self) -> impl Iterator<Item = usize> + use<> {
        let (turns, descending) = (self.turns, self.descending);
        (0..turns).map(move |k| if descending { turns - 1 - k } else { k })
    }
}

/// The recurrences of a verified module, in order.
#[must_use]
pub fn recurrences(m: &Module) -> Vec<Recurrence> {
    cyclic_ranges(m).into_iter().filter_map(|range| recurrence(m, range)).collect()
}

/// The recurrence that these items are; `None` if they are none, or stand in another order.
pub(super) fn recurrence(m: &Module, items: Range<usize>) -> Option<Recurrence> {
    let group = Group::of(m, items.clone().collect());
    let found = group.turns(m)?;
    let ordered = found.within.iter().all(|(reader, source)| source < reader);
    ordered.then_some(Recurrence { items, turns: found.count, descending: found.descending, axes: found.axes })
}

/// The shortest ranges of items outside of which nothing is read before it is defined.
pub(super) fn cyclic_ranges(m: &Module) -> Vec<Range<usize>> {
    let defined = places(m);
    let mut ranges: Vec<Range<usize>> = vec![];
    for (k, item) in m.items.iter().enumerate() {
        let last = sources(m, item, &defined).into_iter().max().filter(|last| *last >= k);
        match (ranges.last_mut(), last) {
            (Some(range), last) if range.end > k => range.end = range.end.max(last.map_or(0, |l| l + 1)),
            (_, Some(last)) => ranges.push(k..last + 1),
            _ => {}
        }
    }
    ranges
}

/// Orders items so that everything stands after what it reads, the members of a recurrence beside each
/// other and in the order of one turn. A module without recurrences whose order is right stays as it is.
pub fn arrange(m: &mut Module) {
    if cyclic_ranges(m).is_empty() {
        return;
    }
    let defined = places(m);
    let reads: Vec<Vec<usize>> = m.items.iter().map(|item| sources(m, item, &defined)).collect();
    let mut order: Vec<usize> = vec![];
    for part in strongly_connected(&reads) {
        let cyclic = part.len() > 1 || reads[part[0]].contains(&part[0]);
        let turn = if cyclic { Group::of(m, part.clone()).turns(m).map(|t| t.order) } else { None };
        order.extend(turn.unwrap_or(part));
    }
    let mut items: Vec<Option<Item>> = std::mem::take(&mut m.items).into_iter().map(Some).collect();
    m.items = order.into_iter().filter_map(|k| items[k].take()).collect();
}

/// Where each tensor is defined.
fn places(m: &Module) -> BTreeMap<TensorId, usize> {
    m.items.iter().enumerate().map(|(k, item)| (item.target(), k)).collect()
}

/// The items that an item reads from, ascending.
fn sources(m: &Module, item: &Item, defined: &BTreeMap<TensorId, usize>) -> Vec<usize> {
    let Item::Def(def) = item else { return vec![] };
    let read = |e: ExprId| match m.node(e) {
        Node::Read { tensor, .. } => defined.get(tensor).copied(),
        _ => None,
    };
    let mut found: Vec<usize> = m.reachable(&def.roots()).into_iter().filter_map(read).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// `Var(k) + c` as (k, c).
pub(crate) fn shifted(m: &Module, position: ExprId) -> Option<(u32, i64)> {
    if let Node::Var(k) = m.node(position) {
        return Some((*k, 0));
    }
    match m.affine(position)? {
        (offset, terms) if terms.len() == 1 && terms[0].1 == 1 => Some((terms[0].0, offset)),
        _ => None,
    }
}

/// A read of one member by another.
struct Link {
    reader: usize,
    source: usize,
    at: Box<[ExprId]>,
}

/// Items that form a cycle, and the reads among them.
struct Group {
    members: Vec<usize>,
    links: Vec<Link>,
    /// For each member, the links that read it, by their places.
    readers: BTreeMap<usize, Vec<usize>>,
}

/// How a group runs.
struct Turns {
    axes: BTreeMap<TensorId, usize>,
    count: usize,
    descending: bool,
    /// Reads within one turn: reader, source.
    within: Vec<(usize, usize)>,
    /// The members in the order of one turn.
    order: Vec<usize>,
}

impl Group {
    fn of(m: &Module, members: Vec<usize>) -> Self {
        let targets: BTreeMap<TensorId, usize> = members.iter().map(|k| (m.items[*k].target(), *k)).collect();
        let mut links = vec![];
        for reader in &members {
            let Item::Def(def) = &m.items[*reader] else { continue };
            for e in m.reachable(&def.roots()) {
                if let Node::Read { tensor, at, .. } = m.node(e)
                    && let Some(source) = targets.get(tensor)
                {
                    links.push(Link { reader: *reader, source: *source, at: at.clone() });
                }
            }
        }
        let mut readers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        links.iter().enumerate().for_each(|(n, link)| readers.entry(link.source).or_default().push(n));
        Self { members, links, readers }
    }

    /// The axes along which every cycle goes forward: tried are those on which something is shifted.
    fn turns(&self, m: &Module) -> Option<Turns> {
        let rank = self.links.iter().map(|l| l.at.len()).max()?;
        let seeds = (0..rank).flat_map(|axis| self.links.iter().map(move |link| (axis, link)));
        let moved = |(axis, link): &(usize, &Link)| {
            link.at.get(*axis).and_then(|p| shifted(m, *p)).is_some_and(|(_, c)| c != 0)
        };
        seeds.filter(moved).find_map(|(axis, link)| self.along(m, link.source, axis))
    }

    /// The turns, if they lie along that axis of that member's tensor.
    fn along(&self, m: &Module, member: usize, axis: usize) -> Option<Turns> {
        let axes = self.axes(m, BTreeMap::from([(member, axis)]))?;
        let count = m.t(m.items[member].target()).shape[axis];
        let shift = |link: &Link| shifted(m, link.at[axes[&link.source]]).map(|(_, c)| c);
        let shifts: Vec<i64> = self.links.iter().map(shift).collect::<Option<_>>()?;
        let descending = shifts.iter().any(|c| *c > 0);
        if descending && shifts.iter().any(|c| *c < 0) {
            return None;
        }
        let still = self.links.iter().zip(&shifts).filter(|(_, c)| **c == 0);
        let within: Vec<(usize, usize)> = still.map(|(l, _)| (l.reader, l.source)).collect();
        let order = self.order(&within)?;
        let axes = axes.into_iter().map(|(k, a)| (m.items[k].target(), a)).collect();
        Some(Turns { axes, count, descending, within, order })
    }

    /// The turn axis of every member, given some: it goes from what is read to the reader. Where a scatter
    /// leaves a choice, the first that fits all reads.
    fn axes(&self, m: &Module, mut known: BTreeMap<usize, usize>) -> Option<BTreeMap<usize, usize>> {
        let candidates = |link: &Link, axis: usize| match shifted(m, link.at[axis]) {
            Some((variable, _)) => turn_axes(m, &m.items[link.reader], variable),
            None => vec![],
        };
        let mut choices = vec![];
        let mut open: Vec<(usize, usize)> = known.iter().map(|(k, a)| (*k, *a)).collect();
        while let Some((source, axis)) = open.pop() {
            for link in self.readers.get(&source).map_or(&[][..], Vec::as_slice).iter().map(|n| &self.links[*n]) {
                count(Work::Nodes);
                let found = candidates(link, axis);
                match (known.get(&link.reader), &found[..]) {
                    (Some(axis), _) if found.contains(axis) => {}
                    (Some(_), _) | (None, []) => return None,
                    (None, [only]) => {
                        known.insert(link.reader, *only);
                        open.push((link.reader, *only));
                    }
                    (None, _) => choices.push((link.reader, found)),
                }
            }
        }
        if choices.iter().any(|(reader, axes)| known.get(reader).is_some_and(|axis| !axes.contains(axis))) {
            return None;
        }
        if let Some((reader, axes)) = choices.into_iter().find(|(reader, _)| !known.contains_key(reader)) {
            let with = |axis| known.iter().map(|(k, a)| (*k, *a)).chain([(reader, axis)]).collect();
            return axes.into_iter().find_map(|axis| self.axes(m, with(axis)));
        }
        (known.len() == self.members.len()).then_some(known)
    }

    /// The members, each after what it reads within its turn; the earliest first where there is a choice.
    fn order(&self, within: &[(usize, usize)]) -> Option<Vec<usize>> {
        let mut waits: BTreeMap<usize, usize> = self.members.iter().map(|k| (*k, 0)).collect();
        let mut readers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (reader, source) in within {
            *waits.entry(*reader).or_default() += 1;
            readers.entry(*source).or_default().push(*reader);
        }
        let mut ready: BTreeSet<usize> = waits.iter().filter(|(_, n)| **n == 0).map(|(k, _)| *k).collect();
        let mut order = vec![];
        while let Some(next) = ready.pop_first() {
            order.push(next);
            for reader in readers.get(&next).map_or(&[][..], Vec::as_slice) {
                count(Work::Nodes);
                let left = waits.entry(*reader).or_default();
                *left -= 1;
                if *left == 0 {
                    ready.insert(*reader);
                }
            }
        }
        (order.len() == self.members.len()).then_some(order)
    }
}

/// The axes of an item's target whose position is that variable, if the variable runs over all of it.
fn turn_axes(m: &Module, item: &Item, variable: u32) -> Vec<usize> {
    let Item::Def(def) = item else { return vec![] };
    let (shape, turns) = (&m.t(def.target).shape, def.domain[variable as usize]);
    let along = |axis: &usize| match &def.scatter {
        None => *axis == variable as usize,
        Some(s) => *m.node(s.at[*axis]) == Node::Var(variable),
    };
    (0..shape.len()).filter(|axis| shape[*axis] == turns && along(axis)).collect()
}

/// The strongly connected parts of a graph (Tarjan 1972), each after those it reads, and where there is a
/// choice in the order of the nodes.
fn strongly_connected(reads: &[Vec<usize>]) -> Vec<Vec<usize>> {
    const NEW: usize = usize::MAX;
    let (mut number, mut low) = (vec![NEW; reads.len()], vec![NEW; reads.len()]);
    let (mut waiting, mut held, mut parts) = (vec![], vec![false; reads.len()], vec![]);
    let mut count = 0;
    for root in 0..reads.len() {
        let mut path = if number[root] == NEW { vec![(root, 0)] } else { vec![] };
        while let Some((node, next)) = path.pop() {
            if next == 0 {
                (number[node], low[node]) = (count, count);
                count += 1;
                waiting.push(node);
                held[node] = true;
            } else if held[reads[node][next - 1]] {
                low[node] = low[node].min(low[reads[node][next - 1]]);
            }
            if let Some(source) = reads[node].get(next) {
                path.push((node, next + 1));
                if number[*source] == NEW {
                    path.push((*source, 0));
                }
            } else if low[node] == number[node] {
                let from = waiting.iter().rposition(|n| *n == node).unwrap_or(0);
                let mut part = waiting.split_off(from);
                part.iter().for_each(|n| held[*n] = false);
                part.sort_unstable();
                parts.push(part);
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{text, verify::verify};

    const NETWORK: &str = "input x: f[4, 6, 3]\ninput start: f[4, 5]\ninput U: f[5, 3]\ninput W: f[5, 5]\n\
        later h: f[4, 6, 5]\n\
        before[i0: 4, i1: 6, i2: 5] = (h[i0, i1 - 1, i2] or start[i0, i2])\n\
        mixed[i0: 4, i1: 6, i2: 5] = sum[r0: 5] W[i2, r0] * before[i0, i1, r0]\n\
        seen[i0: 4, i1: 6, i2: 5] = sum[r0: 3] U[i2, r0] * x[i0, i1, r0]\n\
        h[i0: 4, i1: 6, i2: 5] = tanh(mixed[i0, i1, i2] + seen[i0, i1, i2])\n\
        e[] = sum[r0: 4, r1: 5] h[r0, 5, r1]\noutput e = e\n";

    fn names(m: &Module) -> Vec<&str> {
        m.items.iter().map(|i| m.t(i.target()).name.as_str()).collect()
    }

    #[test]
    fn what_needs_no_earlier_turn_stands_outside() {
        let mut m = text::parse(NETWORK).expect("parses");
        assert!(verify(&m).is_err(), "`seen` is no part of the recurrence");
        arrange(&mut m);
        assert_eq!(verify(&m), Ok(()));
        assert_eq!(names(&m), ["seen", "before", "mixed", "h", "e"]);
        let found = recurrences(&m);
        let [r] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((r.items.clone(), r.turns, r.descending), (1..4, 6, false));
        assert_eq!(r.axis(m.items[2].target()), Some(1));
        m.items.swap(1, 3);
        assert!(verify(&m).is_err());
        arrange(&mut m);
        assert_eq!(names(&m), ["seen", "before", "mixed", "h", "e"]);
    }

    #[test]
    fn the_axis_and_the_direction_are_those_of_the_shift() {
        let source = "input x: f[3, 7]\nlater b: f[7, 3]\na[i0: 3, i1: 7] = (b[i1 + 2, i0] or x[i0, i1])\n\
            b[i0: 7, i1: 3] = 0.5 * a[i1, i0]\noutput b = b";
        let m = text::parse(source).expect("parses");
        assert_eq!(verify(&m), Ok(()));
        let found = recurrences(&m);
        assert!(found[0].descending);
        assert_eq!([0, 1].map(|k| found[0].axis(m.items[k].target())), [Some(1), Some(0)]);
    }

    #[test]
    fn a_cycle_within_a_turn_is_no_recurrence() {
        for reads in ["(b[i0 - 1] or 0.0) + b[i0]", "(b[i0 - 1] or 0.0) + (b[i0 + 1] or 0.0)", "(b[2 * i0 - 7] or 0.0)"]
        {
            let source = format!("later b: f[7]\na[i0: 7] = {reads}\nb[i0: 7] = sin(a[i0])\noutput b = b");
            let mut m = text::parse(&source).expect("parses");
            arrange(&mut m);
            let wrong = verify(&m).err().unwrap_or_default().join("\n");
            assert!(wrong.contains("no recurrence"), "{reads}: {wrong}");
        }
    }
}
