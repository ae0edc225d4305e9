//! The update pass: gradients, clipping, and the optimiser's rule for each parameter tensor.

use super::TrainBlock;
use crate::check::elaborate::{Arguments, Entity, Gradients, Member, PassKind, RuleGroup, Template, Term, shape_text};
use crate::check::report::nearest;
use crate::check::resolve::{body_children, children, entries};
use crate::typed::{self, Definition, Element, Pass, Type};
use grammar::ast::{self, CallableKind, ExprKind, TypeKind};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;
use std::collections::BTreeSet;
use std::rc::Rc;

impl<'a> TrainBlock<'a> {
    /// Writes the update pass. `objectives` says which objective moves each parameter.
    pub fn update_pass(&mut self, objectives: &[usize]) {
        self.elaborator.begin(PassKind::Update);
        let trained: Vec<usize> = (0..self.elaborator.tables.parameters.len())
            .filter(|p| !self.elaborator.tables.parameters[*p].parameter.frozen)
            .collect();
        let Some(groups) = self.groups(&trained, objectives) else { return };
        let mut gradients = vec![];
        for of in 0..self.elaborator.tables.objectives.len() {
            let list = self.gradients_of(of, &groups, objectives);
            match self.clipped_gradients(list) {
                Some(list) => gradients.extend(list),
                None => return,
            }
        }
        for group in &groups {
            let Some(bound) = self.rule_settings(group) else { continue };
            let mine: BTreeSet<usize> = group.parameters.iter().copied().collect();
            for g in gradients.iter().filter(|g| mine.contains(&g.parameter)) {
                self.elaborator.rule(group, bound.clone(), g);
            }
        }
        let listed = groups.into_iter().map(|g| typed::Group { rule: g.span, parameters: g.parameters });
        self.elaborator.tables.groups = listed.collect();
    }

    /// As [`super::rule_alone`].
    pub fn rule_alone(mut self, rule: &'a ast::Expr, elaborated: &typed::Train, parameter: usize) -> Option<[Pass; 2]> {
        self.open();
        self.elaborator.take_up(elaborated, parameter, self.block.name.span);
        let group = RuleGroup { rule: self.optimizer(rule)?, span: rule.span, parameters: vec![parameter] };
        let objectives = vec![0; elaborated.parameters.len()];
        let gradients = self.gradients_of(0, std::slice::from_ref(&group), &objectives).pop()?;
        let bound = self.rule_settings(&group)?;
        self.elaborator.rule(&group, bound, &gradients);
        let mut pass = |kind: PassKind| std::mem::take(&mut self.elaborator.builders[kind as usize].pass);
        let passes = [pass(PassKind::Init), pass(PassKind::Update)];
        (self.elaborator.sink.errors() == 0).then_some(passes)
    }

    /// The gradients by the parameters that an objective moves.
    fn gradients_of(&mut self, of: usize, groups: &[RuleGroup<'a>], objectives: &[usize]) -> Vec<Gradients> {
        let mut out = vec![];
        for group in groups {
            let (plain, shifted) = mentions_gradient(&group.rule.callable.body);
            for parameter in group.parameters.iter().copied().filter(|p| objectives[*p] == of) {
                let mut gradient = |wanted: bool, shifted| wanted.then(|| self.gradient(parameter, of, shifted));
                out.push(Gradients { parameter, plain: gradient(plain, false), shifted: gradient(shifted, true) });
            }
        }
        out.sort_by_key(|g| g.parameter);
        out
    }

    fn gradient(&mut self, parameter: usize, of: usize, shifted: bool) -> Term {
        let p = self.elaborator.tables.parameters[parameter].parameter.clone();
        let ty = Type { per_sample: false, dims: p.dims, element: Element::Number };
        let definition = Definition::Gradient { parameter, of, shifted };
        let id = self.elaborator.builder().outside(definition, &format!("{}.grad", p.path), ty, p.span);
        self.elaborator.builder().read(id, p.span)
    }

    /// The gradients of one objective, clipped. Where a rule asks for both kinds, those at the parameters are clipped
    /// together, and then those at the points.
    fn clipped_gradients(&mut self, mut list: Vec<Gradients>) -> Option<Vec<Gradients>> {
        let Some(clip) = entries(self.block, "clip").next().map(|e| &e.value) else { return Some(list) };
        let members =
            |list: &[Gradients], first: fn(&Gradients) -> &Option<Term>, second: fn(&Gradients) -> &Option<Term>| {
                list.iter()
                    .filter_map(|g| {
                        let term = first(g).as_ref().or(second(g).as_ref())?.clone();
                        Some(Member { parameter: g.parameter, term })
                    })
                    .collect::<Vec<Member>>()
            };
        let both = list.iter().any(|g| g.plain.is_some() && g.shifted.is_some());
        let at_parameters = members(&list, |g| &g.plain, |g| &g.shifted);
        let at_points = both.then(|| members(&list, |g| &g.shifted, |g| &g.plain));
        let first = self.clipped(clip, at_parameters)?;
        let last = match at_points {
            Some(members) => self.clipped(clip, members)?,
            None => first.clone(),
        };
        for (g, (first, last)) in list.iter_mut().zip(first.into_iter().zip(last)) {
            g.plain = g.plain.as_ref().map(|_| first.term);
            g.shifted = g.shifted.as_ref().map(|_| last.term);
        }
        Some(list)
    }

    /// `clip = f(..)`: a function of the set of gradients yields a factor for all of them; a
    /// function of a tensor is applied to each.
    fn clipped(&mut self, clip: &'a ast::Expr, gradients: Vec<Member>) -> Option<Vec<Member>> {
        if let ExprKind::Number { text, .. } = &clip.kind {
            self.limit_alone(clip.span, text);
            return None;
        }
        if self.clips_each(clip) {
            return gradients.into_iter().map(|g| self.clip_one(clip, g)).collect();
        }
        let factor = self.clip_call(clip, Entity::Set(Rc::new(gradients.clone())));
        let factor = self.elaborator.float_term(factor, clip.span)?;
        if !factor.dims.is_empty() {
            let d = Diagnostic::error(
                "shape-mismatch",
                clip.span,
                "a clip over all gradients yields one factor, a single number",
            );
            self.fail(d);
            return None;
        }
        let (_, factor) = self.elaborator.builder().define(&factor, "clip", clip.span)?;
        let mut out = vec![];
        for g in gradients {
            let path = format!("{}.clipped", self.elaborator.tables.parameters[g.parameter].parameter.path);
            let (f, t) = (Entity::Term(factor.clone()), Entity::Term(g.term));
            let product = self.elaborator.binary(ast::BinaryOp::Mul, (f, clip.span), (t, clip.span));
            let product = self.elaborator.term(product, clip.span)?;
            let (_, term) = self.elaborator.builder().define(&product, &path, clip.span)?;
            out.push(Member { term, ..g });
        }
        Some(out)
    }

    /// A limit that does not say what it limits.
    fn limit_alone(&mut self, span: Span, limit: &str) {
        let takes_limit = |name: &&str| {
            let callable = self.elaborator.items.callable(name, span);
            callable.is_some_and(|c| c.params.len() == 2 && c.params[1].name.name == "limit")
        };
        let ways: Vec<String> = self
            .elaborator
            .items
            .callable_names()
            .filter(takes_limit)
            .map(|n| format!("`clip = {n}({limit})`"))
            .collect();
        let d = Diagnostic::error("wrong-kind", span, "`clip` takes a function of the gradients, but this is a number")
            .here("the limit of what?")
            .help(format!("say what is limited: {}", ways.join(" or ")));
        self.fail(d);
    }

    /// Whether the clip's first parameter is declared a tensor.
    fn clips_each(&mut self, clip: &'a ast::Expr) -> bool {
        let callee = match &clip.kind {
            ExprKind::Call { callee, .. } => callee,
            _ => clip,
        };
        let first = match &callee.kind {
            ExprKind::Name(n) if self.env.find(n).is_none() => {
                self.elaborator.items.callable(n, callee.span).and_then(|c| c.params.first())
            }
            _ => None,
        };
        first.and_then(|p| p.ty.as_ref()).is_some_and(|ty| matches!(ty.kind, TypeKind::Tensor { .. }))
    }

    fn clip_one(&mut self, clip: &'a ast::Expr, gradient: Member) -> Option<Member> {
        let dims = gradient.term.dims.clone();
        let path = format!("{}.clipped", self.elaborator.tables.parameters[gradient.parameter].parameter.path);
        let result = self.clip_call(clip, Entity::Term(gradient.term));
        let term = self.elaborator.float_term(result, clip.span)?;
        if term.dims != dims {
            let message = format!(
                "a clip of each gradient keeps its shape, but this turns {} into {}",
                shape_text(&dims),
                shape_text(&term.dims)
            );
            self.fail(Diagnostic::error("shape-mismatch", clip.span, message));
            return None;
        }
        let (_, term) = self.elaborator.builder().define(&term, &path, clip.span)?;
        Some(Member { parameter: gradient.parameter, term })
    }

    fn clip_call(&mut self, clip: &'a ast::Expr, input: Entity<'a>) -> Entity<'a> {
        match &clip.kind {
            ExprKind::Call { callee, args } => {
                self.elaborator.call(callee, args, Some((input, clip.span)), None, clip.span, &self.env)
            }
            _ => {
                let target = self.elaborator.eval(clip, &self.env);
                let args = Arguments { positional: vec![(input, clip.span)], named: vec![], piped: true, late: None };
                self.elaborator.call_entity(target, args, None, clip.span, clip.span)
            }
        }
    }

    /// `optimizer = a(..) on weights, b(..) on rest`; with a label, `optimizer d = ..`, for what that objective moves.
    /// A parameter belongs to the first group that takes it.
    fn groups(&mut self, trained: &[usize], objectives: &[usize]) -> Option<Vec<RuleGroup<'a>>> {
        let mut left: Vec<usize> = trained.to_vec();
        let mut groups = vec![];
        for entry in entries(self.block, "optimizer") {
            let mine: BTreeSet<usize> = match &entry.label {
                Some(label) => {
                    let of = self.objective_named(label)?;
                    trained.iter().copied().filter(|p| objectives[*p] == of).collect()
                }
                None => trained.iter().copied().collect(),
            };
            let parts: Vec<&'a ast::Expr> = match &entry.value.kind {
                ExprKind::Sequence(parts) => parts.iter().collect(),
                _ => vec![&entry.value],
            };
            for part in parts {
                let (rule, set) = match &part.kind {
                    ExprKind::On { rule, set } => (&**rule, Some(&**set)),
                    _ => (part, None),
                };
                let chosen: BTreeSet<usize> = match set {
                    None => mine.clone(),
                    Some(ast::Expr { kind: ExprKind::Name(n), .. }) if n == "rest" => mine.clone(),
                    Some(set) => self.elaborator.set_setting(set, &self.env)?.into_iter().collect(),
                };
                let takes = |p: &usize| mine.contains(p) && chosen.contains(p);
                let parameters: Vec<usize> = left.iter().copied().filter(takes).collect();
                left.retain(|p| !takes(p));
                let template = self.optimizer(rule)?;
                if parameters.is_empty() && !trained.is_empty() {
                    self.empty_group(part.span, &chosen, trained, groups.is_empty());
                }
                groups.push(RuleGroup { rule: template, span: rule.span, parameters });
            }
        }
        if let Some(p) = left.first() {
            let p = self.elaborator.tables.parameters[*p].parameter.clone();
            let span = entries(self.block, "optimizer").next().map_or(self.block.name.span, |e| e.value.span);
            let d =
                Diagnostic::error("missing-setting", span, format!("no optimiser moves the parameter `{}`", p.path))
                    .label(p.span, "declared here")
                    .help("add one for all others, `.. on rest`, or leave it out of training with `freeze`");
            self.fail(d);
            return None;
        }
        Some(groups)
    }

    /// A group that moves nothing is a mistake: its set holds nothing, or others have taken all.
    fn empty_group(&mut self, span: Span, chosen: &BTreeSet<usize>, trained: &[usize], first: bool) {
        let message = "this optimiser moves no parameter";
        let mut d = Diagnostic::error("empty-group", span, message);
        d = if chosen.is_empty() {
            d.note("the set after `on` holds no parameter")
        } else if !chosen.iter().any(|p| trained.contains(p)) {
            d.note("all parameters of its set are frozen")
        } else if first {
            d.note("none of its set is moved by this objective")
        } else {
            d.note(
                "a parameter belongs to the first group that takes it, and groups before this one took all of its set",
            )
        };
        self.fail(d.help("remove it, or put the group of fewer parameters first: `a(..) on encoder.*, b(..) on rest`"));
    }

    /// The objective of that label.
    fn objective_named(&mut self, label: &ast::Ident) -> Option<usize> {
        let found = self.elaborator.tables.objectives.iter().position(|o| *o == label.name);
        if found.is_none() {
            let message = format!("there is no objective `{}` whose parameters this could move", label.name);
            let mut d = Diagnostic::error("unknown-name", label.span, message);
            if let Some(near) = nearest(&label.name, self.elaborator.tables.objectives.iter().map(String::as_str)) {
                d = d.fix(format!("did you mean `{near}`?"), label.span, near);
            }
            self.fail(d.help("an objective gets a name like this: `objective d = .. over params(D)`"));
        }
        found
    }

    fn optimizer(&mut self, rule: &'a ast::Expr) -> Option<Rc<Template<'a>>> {
        match self.elaborator.eval(rule, &self.env) {
            Entity::Poison => None,
            Entity::Template(t) if t.callable.kind == CallableKind::Optimizer => Some(t),
            other => {
                let message = format!("an optimiser is needed here, but this is {}", other.words());
                let d = Diagnostic::error("wrong-kind", rule.span, message);
                let d = if let Entity::Text(text) = &other { self.elaborator.unquoted(d, text, rule.span) } else { d };
                self.fail(d);
                None
            }
        }
    }

    /// The rule's settings, schedules as values of the pass, once for the whole group.
    fn rule_settings(&mut self, group: &RuleGroup<'a>) -> Option<Vec<Option<(Entity<'a>, Span)>>> {
        let callable = group.rule.callable;
        let mut out = vec![];
        for (param, bound) in callable.params.iter().zip(&group.rule.bound) {
            let value = match (bound, &param.default) {
                (Some((entity, at)), _) => Some((entity.clone(), *at)),
                (None, Some(_)) => None,
                (None, None) => {
                    let name = &param.name.name;
                    let d = Diagnostic::error(
                        "missing-argument",
                        group.span,
                        format!("the argument `{name}` of `{}` is missing", callable.name.name),
                    )
                    .label(param.name.span, "it has no default");
                    self.fail(d.help(format!("write `{name} = ..`")));
                    return None;
                }
            };
            out.push(match value {
                Some((entity, at)) => {
                    let entity = self.elaborator.settle(entity, at);
                    let entity = self.elaborator.setting(callable, param, entity, at);
                    if matches!(entity, Entity::Poison) {
                        return None;
                    }
                    Some((self.course(entity, &param.name.name, at), at))
                }
                None => None,
            });
        }
        Some(out)
    }

    /// A setting that changes over a run is a value of its own, however small its formula, so that its course can be asked
    /// for by name.
    fn course(&mut self, entity: Entity<'a>, name: &str, span: Span) -> Entity<'a> {
        match entity {
            Entity::Term(t) if t.pass == self.elaborator.pass() => {
                let name = self.elaborator.value_name(name);
                Entity::Term(self.elaborator.builder().plain(t, &name, span))
            }
            other => other,
        }
    }
}

/// Whether a rule says `grad`, and whether it says `grad at p`.
fn mentions_gradient(body: &ast::Body) -> (bool, bool) {
    fn look(expr: &ast::Expr, found: &mut (bool, bool)) {
        found.0 |= matches!(&expr.kind, ExprKind::Name(n) if n == "grad");
        found.1 |= matches!(expr.kind, ExprKind::GradAt(_));
        children(expr, &mut |e| look(e, found));
    }
    let mut found = (false, false);
    body_children(body, &mut |e| look(e, &mut found));
    found
}
