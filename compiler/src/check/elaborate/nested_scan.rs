//! A scan inside another, its turns written out one after the other: what each carries may depend on
//! what the outer one carries and the other way round.

use super::Elaborator;
use super::entity::{Entity, Env, Scope, Term};
use super::recurrence::{ScanForm, Start, bind_carry, element_at};
use crate::typed::Expr;
use grammar::span::Span;
use std::rc::Rc;

/// What a turn yields, by name; one without a name where it is no record.
type Outputs<'a> = Vec<(String, Entity<'a>)>;

impl<'a> Elaborator<'a> {
    /// The turns one after the other, each with the same layers.
    pub(super) fn written_out(
        &mut self,
        form: ScanForm<'a>,
        (sequence, count): &(Term, usize),
        start: &Start,
        env: &Env<'a>,
    ) -> Entity<'a> {
        let used = self.activation().used.clone();
        let mut carried = start.parts.clone();
        let mut turns = vec![];
        let mut record = false;
        for turn in 0..*count {
            self.activation().used.clone_from(&used);
            let scope = Scope::inside(Some(env));
            let element = element_at(sequence, Expr::Int(turn as i64));
            scope.bind(&form.element.name, Entity::Term(element), form.element.span);
            if let Some((name, _)) = form.carry {
                let fields = carried.iter().map(|(n, t)| (n.clone(), Entity::Term(t.clone()))).collect();
                bind_carry(name, fields, start.record, &scope);
            }
            let value = self.block(form.body, None, &scope);
            let value = self.settle(value, form.body.span);
            let Some(after) = self.carried_on(form, start, &value) else { return Entity::Poison };
            record = matches!(value, Entity::Record(_));
            turns.push(outputs(value, &after));
            carried = after;
        }
        self.one_behind_the_other(&turns, record, form.span)
    }

    /// What a turn hands to the next.
    fn carried_on(&mut self, form: ScanForm<'a>, start: &Start, value: &Entity<'a>) -> Option<Vec<(String, Term)>> {
        if matches!(value, Entity::Poison) {
            return None;
        }
        let last = form.body.stmts.last().map_or(form.body.span, |s| s.span);
        let mut after = vec![];
        for (name, first) in &start.parts {
            let term = self.after_turn(form, (name, first), start.record, value, last)?;
            let path = self.value_name(name);
            after.push((name.clone(), self.builder().share(term, &path, last)));
        }
        Some(after)
    }

    fn one_behind_the_other(&mut self, turns: &[Outputs<'a>], record: bool, span: Span) -> Entity<'a> {
        let names: Vec<String> = turns.first().into_iter().flat_map(|list| list.iter()).map(|f| f.0.clone()).collect();
        let mut out = vec![];
        for (n, name) in names.into_iter().enumerate() {
            let list = turns.iter().filter_map(|fields| fields.get(n).map(|f| f.1.clone())).collect();
            let Some(term) = self.list_term(list, span) else { return Entity::Poison };
            let path = self.value_name(&name);
            out.push((name, Entity::Term(self.builder().share(term, &path, span))));
        }
        if record { Entity::Record(Rc::new(out)) } else { out.pop().map_or(Entity::Nothing, |f| f.1) }
    }
}

/// What a turn yields, with what it carries on as it is carried on.
fn outputs<'a>(value: Entity<'a>, carried: &[(String, Term)]) -> Outputs<'a> {
    let term = |(n, t): &(String, Term)| (n.clone(), Entity::Term(t.clone()));
    match value {
        Entity::Record(fields) => {
            fields.iter().map(|f| carried.iter().find(|c| c.0 == f.0).map_or_else(|| f.clone(), term)).collect()
        }
        other => vec![carried.first().map_or_else(|| (String::new(), other), term)],
    }
}
