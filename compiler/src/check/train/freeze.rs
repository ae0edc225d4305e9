//! `freeze = ..`: parameters that no update moves. What nothing has trained is not frozen by mistake.

use super::TrainBlock;
use crate::check::elaborate::PassKind;
use crate::check::resolve::entries;
use crate::typed::expr::operands;
use crate::typed::reach::reached;
use crate::typed::{Definition, Outcome, ValueId};
use grammar::ast::ExprKind;
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;

impl<'a> TrainBlock<'a> {
    pub(super) fn freeze(&mut self) {
        let Some(entry) = entries(self.block, "freeze").next() else { return };
        let parts = match &entry.value.kind {
            ExprKind::Sequence(parts) => parts.iter().collect(),
            _ => vec![&entry.value],
        };
        for part in parts {
            let (set, drawn) = match &part.kind {
                ExprKind::As { value, name } if name.name == "drawn" => (&**value, true),
                ExprKind::As { name, .. } => {
                    let message = format!("what is frozen stays `as drawn`, not `as {}`", name.name);
                    self.fail(Diagnostic::error("wrong-kind", name.span, message).fix(
                        "write `drawn`",
                        name.span,
                        "drawn",
                    ));
                    continue;
                }
                _ => (part, false),
            };
            let Some(set) = self.elaborator.set_setting(set, &self.env) else { continue };
            let random: Vec<usize> = set.iter().copied().filter(|p| !drawn && self.is_random_at_first(*p)).collect();
            set.into_iter().for_each(|p| self.elaborator.tables.parameters[p].parameter.frozen = true);
            random.iter().for_each(|p| self.elaborator.tables.parameters[*p].parameter.needs_value = true);
            if let Some(first) = random.first().filter(|_| entries(self.block, "start").next().is_none()) {
                self.frozen_at_random(*first, random.len(), part.span);
            }
        }
    }

    /// Whether the initial value of a parameter is drawn.
    fn is_random_at_first(&self, parameter: usize) -> bool {
        let builder = &self.elaborator.builders[PassKind::Init as usize];
        let (pass, value) = (&builder.pass, builder.known_outcome(&Outcome::Parameter(parameter)));
        let drawn = |id: &ValueId| matches!(pass.v(*id).definition, Definition::Draw { .. });
        reached(pass, value.into_iter(), operands).iter().any(drawn)
    }

    /// Reports frozen parameters that nothing has trained.
    fn frozen_at_random(&mut self, first: usize, count: usize, set: Span) {
        let p = self.elaborator.tables.parameters[first].parameter.clone();
        let others = match count {
            1 => String::new(),
            2 => " and one other parameter".to_string(),
            n => format!(" and {} other parameters", n - 1),
        };
        let (verb, them) = if count == 1 { ("is", "it") } else { ("are", "them") };
        let message =
            format!("`{}`{others} {verb} frozen, but nothing gives {them} a value beside random draws", p.path);
        let end = Span { start: set.end, ..set };
        let d = Diagnostic::error("frozen-at-random", set, message)
            .label(p.instance, "made here")
            .note("`start = other.weights` begins with the weights of another train block")
            .fix("if random features are meant, say so with `as drawn` after them", end, " as drawn");
        self.fail(d);
    }
}
