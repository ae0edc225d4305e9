//! States of layers in the body of a scan: carried from turn to turn, as long as a turn changes them.

use super::Elaborator;
use super::entity::{PassKind, Term};
use super::recurrence::{CarriedState, Turns};
use crate::typed::expr::substitute;
use crate::typed::{Expr, Outcome};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;
use std::collections::BTreeSet;

impl<'a> Elaborator<'a> {
    /// Notes that a state gets its next value here.
    pub(super) fn moved(&mut self, number: usize) {
        self.tables.states[number].told |= self.context.in_training_if;
        if self.pass() == PassKind::Training {
            let calls: Vec<Span> = self.calls.iter().map(|c| c.span).collect();
            let uses = self.moves.entry(number).or_default();
            // The turns of a scan inside another are written out, and its states are meant to go from turn to turn.
            if self.context.scan.is_none() || !uses.contains(&calls) {
                uses.push(calls);
            }
        }
    }

    /// Warns of instances whose several uses each move their states.
    pub fn states_moved_twice(&mut self) {
        let moves = std::mem::take(&mut self.moves);
        let mut told: BTreeSet<String> = BTreeSet::new();
        for (number, uses) in &moves {
            let [first, second, ..] = uses.as_slice() else { continue };
            let path = &self.tables.states[*number].path;
            let instance = path.rsplit_once('.').map_or("", |(instance, _)| instance);
            if !told.insert(instance.to_string()) {
                continue;
            }
            let differs = first.iter().zip(second).find(|(a, b)| a != b).map(|(a, b)| (*a, *b));
            let last = || first.last().map_or(self.tables.states[*number].span, |span| *span);
            let (here, there) = differs.unwrap_or_else(|| (last(), last()));
            let times = if uses.len() == 2 { "twice".to_string() } else { format!("{} times", uses.len()) };
            let message = format!("the state `{path}` changes {times} in every step, once for each use of its layer");
            let mut d = Diagnostic::warning("state-moves-twice", here, message);
            d = if here == there {
                d.here("used here in every turn")
            } else {
                d.here("used here, which changes it").label(there, "and here, which goes on from there")
            };
            let help = "if each use is to have a state of its own, apply the layer by its own name in each place instead of \
                        sharing one instance";
            self.sink.add(d.help(help));
        }
    }

    /// Makes the scan around us carry a state on, so that every turn sees what the one before left.
    pub(super) fn carry_state(&mut self, number: usize, now: Term, span: Span) -> Term {
        let Some(turns) = self.context.scan.clone() else { return now };
        if self.carried.iter().any(|s| s.number == number) {
            return now;
        }
        let path = self.tables.states[number].path.clone();
        let carried = self.carry(&turns, &path, &path, &now, false, span);
        let initial = self.builder().first_of(carried.delayed);
        let read = self.builder().read_over(carried.delayed, &turns.inner(), span);
        self.state.next.insert(number, read.clone());
        self.carried.push(CarriedState { number, initial, delayed: carried.delayed, read: read.clone() });
        read
    }

    /// After the last turn: what the turns made of each state is its value from here on, and its update.
    pub(super) fn hand_on_states(&mut self, turns: &Turns, states: &[CarriedState], span: Span) {
        for state in states {
            let Some(now) = self.state.next.get(&state.number).cloned() else { continue };
            let path = self.tables.states[state.number].path.clone();
            let builder = self.builder();
            if now.expr == state.read.expr {
                builder.untie(state.delayed, &turns.outer, turns.turn);
                let before = builder.read_over(state.initial, &turns.outer, span);
                self.state.next.insert(state.number, before);
                continue;
            }
            let id = builder.define_over(&turns.inner(), &now, false, &format!("{path}.after"), span);
            builder.tie(state.delayed, id);
            let all = builder.read_over(id, &turns.outer, span);
            let end = Expr::Int(turns.count as i64 - 1);
            let last = Term {
                expr: substitute(&all.expr, &[(all.axes[0], end)]),
                axes: all.axes[1..].to_vec(),
                dims: all.dims[1..].to_vec(),
                ..all
            };
            self.state.next.insert(state.number, last.clone());
            if let Some((id, _)) = self.builder().define(&last, &format!("{path}'"), span) {
                self.builder().outcome(Outcome::State(state.number), id);
            }
        }
    }
}
