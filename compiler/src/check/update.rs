//! The update pass: gradients, clipping, and the optimiser's rule for each parameter tensor.

use super::calls::Arguments;
use super::elaborate::{Activation, Call, Elaborator, Role};
use super::entity::{Entity, Env, Member, PassKind, Scope, Template, Term, shape_text};
use crate::typed::{Definition, Element, Outcome, Type};
use grammar::ast::{self, CallableKind, ExprKind, TypeKind};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A rule and the parameters it moves.
struct Group<'a> {
    rule: Rc<Template<'a>>,
    span: Span,
    parameters: Vec<usize>,
}

impl<'a> Elaborator<'a> {
    /// Writes the update pass. `objectives` says which objective moves each parameter.
    pub fn update_pass(
        &mut self,
        optimizer: &'a ast::Expr,
        clip: Option<&'a ast::Expr>,
        objectives: &[usize],
        env: &Env<'a>,
    ) {
        self.begin(PassKind::Update);
        let trained: Vec<usize> =
            (0..self.tables.parameters.len()).filter(|p| !self.tables.parameters[*p].parameter.frozen).collect();
        let gradients = trained.iter().map(|p| self.gradient(*p, objectives[*p])).collect();
        let Some(gradients) = self.clipped(clip, gradients, env) else { return };
        let Some(groups) = self.groups(optimizer, &trained, env) else { return };
        for group in &groups {
            let bound = self.rule_settings(group);
            for p in &group.parameters {
                if let (Some(bound), Some(member)) = (&bound, gradients.iter().find(|g| g.parameter == *p)) {
                    self.rule(group, bound.clone(), member);
                }
            }
        }
    }

    fn gradient(&mut self, parameter: usize, of: usize) -> Member {
        let p = self.tables.parameters[parameter].parameter.clone();
        let ty = Type { per_sample: false, dims: p.dims, element: Element::Number };
        let definition = Definition::Gradient { parameter, of };
        let id = self.builder().outside(definition, &format!("{}.grad", p.path), ty, p.span);
        Member { parameter, term: self.builder().read(id, p.span) }
    }

    /// `clip = f(..)`: a function of the set of gradients yields a factor for all of them; a
    /// function of a tensor is applied to each.
    fn clipped(&mut self, clip: Option<&'a ast::Expr>, gradients: Vec<Member>, env: &Env<'a>) -> Option<Vec<Member>> {
        let Some(clip) = clip else { return Some(gradients) };
        if let ExprKind::Number { text, .. } = &clip.kind {
            self.limit_alone(clip.span, text);
            return None;
        }
        if self.clips_each(clip, env) {
            return gradients.into_iter().map(|g| self.clip_one(clip, g, env)).collect();
        }
        let factor = self.clip_call(clip, Entity::Set(Rc::new(gradients.clone())), env);
        let factor = self.float_term(factor, clip.span)?;
        if !factor.dims.is_empty() {
            let d = Diagnostic::error(
                "shape-mismatch",
                clip.span,
                "a clip over all gradients yields one factor, a single number",
            );
            self.fail(d);
            return None;
        }
        let (_, factor) = self.builder().define(&factor, "clip", clip.span)?;
        let mut out = vec![];
        for g in gradients {
            let path = format!("{}.clipped", self.tables.parameters[g.parameter].parameter.path);
            let (f, t) = (Entity::Term(factor.clone()), Entity::Term(g.term));
            let product = self.binary(ast::BinaryOp::Mul, (f, clip.span), (t, clip.span));
            let product = self.term(product, clip.span)?;
            let (_, term) = self.builder().define(&product, &path, clip.span)?;
            out.push(Member { term, ..g });
        }
        Some(out)
    }

    /// A limit that does not say what it limits.
    fn limit_alone(&mut self, span: Span, limit: &str) {
        let takes_limit = |name: &&str| {
            let callable = self.items.callable(name, span);
            callable.is_some_and(|c| c.params.len() == 2 && c.params[1].name.name == "limit")
        };
        let ways: Vec<String> =
            self.items.callable_names().filter(takes_limit).map(|n| format!("`clip = {n}({limit})`")).collect();
        let d = Diagnostic::error("wrong-kind", span, "`clip` takes a function of the gradients, but this is a number")
            .here("the limit of what?")
            .help(format!("say what is limited: {}", ways.join(" or ")));
        self.fail(d);
    }

    /// Whether the clip's first parameter is declared a tensor.
    fn clips_each(&mut self, clip: &'a ast::Expr, env: &Env<'a>) -> bool {
        let callee = match &clip.kind {
            ExprKind::Call { callee, .. } => callee,
            _ => clip,
        };
        let first = match &callee.kind {
            ExprKind::Name(n) if env.find(n).is_none() => {
                self.items.callable(n, callee.span).and_then(|c| c.params.first())
            }
            _ => None,
        };
        first.and_then(|p| p.ty.as_ref()).is_some_and(|ty| matches!(ty.kind, TypeKind::Tensor { .. }))
    }

    fn clip_one(&mut self, clip: &'a ast::Expr, gradient: Member, env: &Env<'a>) -> Option<Member> {
        let dims = gradient.term.dims.clone();
        let path = format!("{}.clipped", self.tables.parameters[gradient.parameter].parameter.path);
        let result = self.clip_call(clip, Entity::Term(gradient.term), env);
        let term = self.float_term(result, clip.span)?;
        if term.dims != dims {
            let message = format!(
                "a clip of each gradient keeps its shape, but this turns {} into {}",
                shape_text(&dims),
                shape_text(&term.dims)
            );
            self.fail(Diagnostic::error("shape-mismatch", clip.span, message));
            return None;
        }
        let (_, term) = self.builder().define(&term, &path, clip.span)?;
        Some(Member { parameter: gradient.parameter, term })
    }

    fn clip_call(&mut self, clip: &'a ast::Expr, input: Entity<'a>, env: &Env<'a>) -> Entity<'a> {
        match &clip.kind {
            ExprKind::Call { callee, args } => self.call(callee, args, Some((input, clip.span)), None, clip.span, env),
            _ => {
                let target = self.eval(clip, env);
                let args = Arguments { positional: vec![(input, clip.span)], named: vec![], piped: true };
                self.call_entity(target, args, None, clip.span, clip.span)
            }
        }
    }

    /// `optimizer = a(..) on weights, b(..) on rest`.
    fn groups(&mut self, optimizer: &'a ast::Expr, trained: &[usize], env: &Env<'a>) -> Option<Vec<Group<'a>>> {
        let parts: Vec<&'a ast::Expr> = match &optimizer.kind {
            ExprKind::Sequence(parts) => parts.iter().collect(),
            _ => vec![optimizer],
        };
        let mut left: Vec<usize> = trained.to_vec();
        let mut groups = vec![];
        for part in parts {
            let (rule, set) = match &part.kind {
                ExprKind::On { rule, set } => (&**rule, Some(&**set)),
                _ => (part, None),
            };
            let chosen = match set {
                None => left.clone(),
                Some(ast::Expr { kind: ExprKind::Name(n), .. }) if n == "rest" => left.clone(),
                Some(set) => self.set_setting(set, env)?,
            };
            let parameters: Vec<usize> = left.iter().copied().filter(|p| chosen.contains(p)).collect();
            left.retain(|p| !chosen.contains(p));
            let rule = self.optimizer(rule, env)?;
            groups.push(Group { rule, span: part.span, parameters });
        }
        if let Some(p) = left.first() {
            let p = self.tables.parameters[*p].parameter.clone();
            let d = Diagnostic::error(
                "missing-setting",
                optimizer.span,
                format!("no optimiser moves the parameter `{}`", p.path),
            )
            .label(p.span, "declared here")
            .help("add one for all others, `.. on rest`, or leave it out of training with `freeze`");
            self.fail(d);
            return None;
        }
        Some(groups)
    }

    fn optimizer(&mut self, rule: &'a ast::Expr, env: &Env<'a>) -> Option<Rc<Template<'a>>> {
        match self.eval(rule, env) {
            Entity::Poison => None,
            Entity::Template(t) if t.callable.kind == CallableKind::Optimizer => Some(t),
            other => {
                let d = Diagnostic::error(
                    "wrong-kind",
                    rule.span,
                    format!("an optimiser is needed here, but this is {}", other.words()),
                );
                self.fail(d);
                None
            }
        }
    }

    /// The rule's settings, schedules as values of the pass, once for the whole group.
    fn rule_settings(&mut self, group: &Group<'a>) -> Option<Vec<Option<(Entity<'a>, Span)>>> {
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
                    let entity = self.settle(entity, at);
                    if matches!(entity, Entity::Poison) {
                        return None;
                    }
                    Some((self.shared(entity, &param.name.name, at), at))
                }
                None => None,
            });
        }
        Some(out)
    }

    /// Elaborates the rule for one parameter.
    fn rule(&mut self, group: &Group<'a>, bound: Vec<Option<(Entity<'a>, Span)>>, gradient: &Member) {
        let callable = group.rule.callable;
        let number = gradient.parameter;
        let path = self.tables.parameters[number].parameter.path.clone();
        let scope = Scope::inside(None);
        let theta = self.parameter_term(number);
        scope.bind("theta", Entity::Term(theta), callable.name.span);
        scope.bind("grad", Entity::Term(gradient.term.clone()), callable.name.span);
        self.activations.push(Activation {
            path,
            model: None,
            made: group.span,
            role: Role::Rule(number),
            used: BTreeMap::new(),
            states: BTreeMap::new(),
        });
        self.calls.push(Call { callable, span: group.span, given: vec![] });
        let inner = Scope::inside(Some(&scope));
        let mut good = true;
        for (param, value) in callable.params.iter().zip(bound) {
            let value = match (value, &param.default) {
                (Some((entity, _)), _) => entity,
                (None, Some(default)) => self.eval(default, &inner),
                (None, None) => Entity::Poison,
            };
            good &= !matches!(value, Entity::Poison);
            inner.bind(&param.name.name, value, param.name.span);
        }
        if good {
            self.body(&callable.body, None, &inner);
            self.rule_moves(callable, number);
        }
        self.calls.pop();
        self.activations.pop();
    }

    fn rule_moves(&mut self, callable: &'a ast::Callable, number: usize) {
        let moved = self.builder().pass.outcomes.iter().any(|o| o.0 == Outcome::Parameter(number));
        if !moved && self.sink.errors() == 0 {
            let d = Diagnostic::error(
                "missing-setting",
                callable.name.span,
                format!("the optimiser `{}` never says what `theta'` is", callable.name.name),
            );
            self.fail(d.help("end it with the next value of the parameter: `theta' = theta - lr * grad`"));
        }
    }

    /// `grad at p`: the gradient is taken at `p` instead of at the parameter.
    pub fn grad_at(&mut self, point: &'a ast::Expr, span: Span, env: &Env<'a>) -> Entity<'a> {
        let Role::Rule(number) = self.activation().role else {
            return self.fail(Diagnostic::error("wrong-kind", span, "`grad at` stands only in an optimiser"));
        };
        let entity = self.eval(point, env);
        let Some(term) = self.float_term(entity, point.span) else { return Entity::Poison };
        let parameter = self.tables.parameters[number].parameter.clone();
        if !term.dims.is_empty() && term.dims != parameter.dims {
            let message = format!(
                "the gradient is taken at a point of the parameter's shape {}, but this is {}",
                shape_text(&parameter.dims),
                shape_text(&term.dims)
            );
            return self.fail(Diagnostic::error("shape-mismatch", point.span, message));
        }
        let term: Term = self.fill(term, &parameter.dims);
        let Some((id, _)) = self.builder().define(&term, &format!("{}.point", parameter.path), point.span) else {
            return Entity::Poison;
        };
        self.builder().outcome(Outcome::GradientPoint(number), id);
        env.find("grad").map_or(Entity::Poison, |g| g.0)
    }
}
