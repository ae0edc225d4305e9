//! Applications: a callable's body elaborated with its inputs and settings, in an instance of its
//! own where it is a layer or model.

use super::Elaborator;
use super::callable::{is_input, kind_word};
use super::calls::Given;
use super::dims::{Declared, Meeting};
use super::entity::{Entity, Env, Instance, PassKind, Scope, Template, Term, shape_text};
use super::frames::{Activation, Call, Plain, Role, made_at};
use super::parameter_range::Owner;
use crate::scalar::{Kind, Unary};
use crate::typed::expr::{substitute, unary};
use crate::typed::{Element, Expr};
use grammar::ast::{self, CallableKind, TypeKind};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;
use std::rc::Rc;

/// Calls inside calls beyond which it is taken for endless.
const DEEPEST_CALL: usize = 150;
/// Appearances of one callable among the calls we are inside of.
const MOST_OF_ONE: usize = 64;

impl<'a> Elaborator<'a> {
    /// Applies a callable to a value for each parameter (defaults where there is none).
    pub fn apply(
        &mut self,
        callable: &'a ast::Callable,
        mut bound: Vec<Option<Given<'a>>>,
        instance: Option<Instance>,
        name: Option<&'a ast::Ident>,
        span: Span,
    ) -> Entity<'a> {
        let plain = bound.iter().map(plain).collect::<Option<Vec<Plain>>>();
        if !self.may_enter(callable, plain.as_deref(), span) {
            return Entity::Poison;
        }
        if let Some(result) = self.element_by_element(callable, &bound, span) {
            return result;
        }
        let scope = Scope::inside(None);
        if !self.bind_inputs(callable, &mut bound, span, &scope) {
            return Entity::Poison;
        }
        let Some(pushed) = self.open_instance(callable, instance, name, span) else { return Entity::Poison };
        let shape = |g: &Given<'a>| match &g.0 {
            Entity::Term(t) if !t.dims.is_empty() => Some((t.origin, t.dims.clone())),
            _ => None,
        };
        let given = bound.iter().filter_map(|slot| slot.as_ref().and_then(shape)).collect();
        self.calls.push(Call { callable, span, given, plain });
        let extents = extents_given(callable, &bound);
        let result = self.run(callable, bound, &scope);
        self.calls.pop();
        if pushed {
            self.state.activations.pop();
        }
        let result =
            if self.leaves_network(callable) { self.handed_on(result, &callable.name.name, span) } else { result };
        match result {
            // What has no type of its own hands the shape of its input on, and so where it came from.
            Entity::Term(t) if callable.output.is_none() && !callable.span.contains(t.origin) => Entity::Term(t),
            Entity::Term(t) => {
                self.extents.insert(span, extents);
                Entity::Term(Term { origin: span, ..t })
            }
            other => other,
        }
    }

    /// Whether what this layer or model gives goes to what is none, in a train block with metrics.
    fn leaves_network(&self, callable: &ast::Callable) -> bool {
        let network = |c: &ast::Callable| matches!(c.kind, CallableKind::Layer | CallableKind::Model);
        let measured = |block: &ast::Train| block.entries.iter().any(|e| e.lhs.name.name == "metrics");
        network(callable)
            && matches!(self.pass(), PassKind::Training | PassKind::Evaluation)
            && self.train.as_ref().is_some_and(|t| measured(t.block))
            && !self.calls.iter().any(|c| network(c.callable))
    }

    /// What a layer or model gives, as values of their own: they are handed on as 32 bits to what is computed in 64.
    fn handed_on(&mut self, entity: Entity<'a>, name: &str, span: Span) -> Entity<'a> {
        match entity {
            Entity::Term(t) if t.pass == self.pass() => {
                let name = self.value_name(name);
                Entity::Term(self.builder().give(t, &name, span))
            }
            Entity::Record(fields) => {
                let values = fields.iter().map(|(n, e)| (n.clone(), self.handed_on(e.clone(), n, span))).collect();
                Entity::Record(Rc::new(values))
            }
            other => other,
        }
    }

    /// Applies an initialiser or schedule, all of whose parameters are settings.
    pub(super) fn apply_settings_only(&mut self, template: &Rc<Template<'a>>, span: Span) -> Entity<'a> {
        let callable = template.callable;
        let missing = callable.params.iter().zip(&template.bound).find(|(p, b)| b.is_none() && p.default.is_none());
        if let Some((param, _)) = missing {
            let d = Diagnostic::error(
                "missing-argument",
                span,
                format!("the argument `{}` of `{}` is missing", param.name.name, callable.name.name),
            );
            return self.fail(d.label(param.name.span, "it has no default"));
        }
        self.apply(callable, template.bound.clone(), None, None, span)
    }

    /// Whether a call may go in: not inside of one that it repeats, nor too deep, nor once a block was given up.
    fn may_enter(&mut self, callable: &'a ast::Callable, plain: Option<&[Plain]>, span: Span) -> bool {
        if self.gave_up {
            return false;
        }
        self.called.entry(callable.name.span).or_insert((&callable.name.name, 0)).1 += 1;
        let same = || self.calls.iter().filter(|c| std::ptr::eq(c.callable, callable));
        let repeats = plain.is_some() && same().any(|c| c.plain.as_deref() == plain);
        let times = same().count();
        if !repeats && times < MOST_OF_ONE && self.calls.len() < DEEPEST_CALL {
            return true;
        }
        let (kind, name) = (kind_word(callable.kind), &callable.name.name);
        let loops = "do something several times with `for l in 1..n with h = x { .. }`";
        let d = if repeats {
            let message = format!("the {kind} `{name}` calls itself without end");
            Diagnostic::error("endless-call", span, message)
                .here("this call has the settings and shapes of the one that it stands in")
                .label(callable.name.span, "defined here")
                .help(loops)
        } else if times >= MOST_OF_ONE {
            let message =
                format!("the {kind} `{name}` calls itself more than {MOST_OF_ONE} times, which is as deep as nnc goes");
            Diagnostic::error("endless-call", span, message)
                .label(callable.name.span, "defined here")
                .help(format!("if it should end sooner, look at the condition it ends with; else {loops}"))
        } else {
            let message = format!("calls are nested more than {DEEPEST_CALL} deep");
            Diagnostic::error("too-deep", span, message).label(callable.name.span, "calls on from here")
        };
        self.gave_up = true;
        self.sink.add(d);
        false
    }

    /// A function of scalars given tensors applies to each element.
    fn element_by_element(
        &mut self,
        callable: &'a ast::Callable,
        bound: &[Option<Given<'a>>],
        span: Span,
    ) -> Option<Entity<'a>> {
        let scalar = |p: &ast::Param| match &p.ty {
            Some(ty) => match &ty.kind {
                TypeKind::Tensor { dims, .. } => dims.is_empty(),
                TypeKind::Class(_) => true,
                TypeKind::Name(n) => n == "number",
                _ => false,
            },
            None => false,
        };
        let pure = !matches!(callable.kind, CallableKind::Layer | CallableKind::Model);
        if !pure
            || !callable.params.iter().any(scalar)
            || !callable.params.iter().filter(|p| is_input(callable, p)).all(scalar)
        {
            return None;
        }
        let lead = callable.params.iter().zip(bound).find_map(|(p, b)| match b {
            Some((Entity::Term(t), at)) if scalar(p) && !t.axes.is_empty() => Some((t.clone(), *at)),
            _ => None,
        })?;
        let axes = self.builder().axes(&lead.0.dims);
        let mut inner = bound.to_vec();
        for (entity, at) in inner.iter_mut().filter_map(Option::as_mut) {
            let Entity::Term(t) = entity else { continue };
            if t.axes.is_empty() {
                continue;
            }
            if t.dims != lead.0.dims {
                let message =
                    format!("`{}` works element by element, so its arguments need one shape", callable.name.name);
                let d = Diagnostic::error("shape-mismatch", span, message)
                    .label(lead.1, format!("this is {}", shape_text(&lead.0.dims)))
                    .label(*at, format!("this is {}", shape_text(&t.dims)));
                return Some(self.fail(d));
            }
            let map: Vec<_> = t.axes.iter().zip(&axes).map(|(a, b)| (*a, Expr::Index(*b))).collect();
            t.expr = substitute(&t.expr, &map);
            (t.axes, t.dims) = (vec![], vec![]);
        }
        let result = self.inside(|c| c.active.extend(&axes), |s| s.apply(callable, inner, None, None, span));
        let term = self.term(result, span)?;
        let (axes, dims) =
            (axes.into_iter().chain(term.axes.clone()).collect(), [lead.0.dims, term.dims.clone()].concat());
        Some(Entity::Term(Term { axes, dims, ..term }))
    }

    /// Settles the inputs, solves the dimension variables and compares every input with its type.
    fn bind_inputs(
        &mut self,
        callable: &'a ast::Callable,
        bound: &mut [Option<Given<'a>>],
        call: Span,
        scope: &Env<'a>,
    ) -> bool {
        let mut good = true;
        for (param, slot) in callable.params.iter().zip(bound.iter_mut()) {
            let Some((entity, at)) = slot else { continue };
            let (tensor, classes) = match param.ty.as_ref().map(|ty| &ty.kind) {
                Some(TypeKind::Tensor { of, .. }) => (true, of.is_some()),
                Some(TypeKind::Class(_)) => (true, true),
                _ => (false, false),
            };
            let value = self.settle(entity.clone(), *at);
            *entity = if tensor {
                match if classes { self.class_term(value, *at) } else { self.term(value, *at) } {
                    Some(t) => {
                        let at = Meeting::of(*at, call);
                        good &= param.ty.as_ref().is_none_or(|ty| self.solve(ty, &t, at, callable, scope));
                        Entity::Term(t)
                    }
                    None => return false,
                }
            } else {
                if let Some(ty) = &param.ty {
                    good &= self.solve_fields(ty, &value, Meeting::of(*at, call), callable, scope);
                }
                value
            };
            if matches!(entity, Entity::Poison) {
                return false;
            }
        }
        good
    }

    /// Solves the dimension variables in the fields of a record type.
    fn solve_fields(
        &mut self,
        ty: &'a ast::TypeExpr,
        given: &Entity<'a>,
        at: Meeting,
        callable: &'a ast::Callable,
        scope: &Env<'a>,
    ) -> bool {
        match (&ty.kind, given) {
            (TypeKind::Record(types), Entity::Record(values)) => types.iter().all(|(name, ty)| {
                let value = values.iter().find(|v| v.0 == name.name);
                value.is_none_or(|v| self.solve_fields(ty, &v.1, at, callable, scope))
            }),
            (_, Entity::Term(term)) => self.solve(ty, term, at, callable, scope),
            _ => true,
        }
    }

    fn compare_inputs(&mut self, callable: &'a ast::Callable, bound: &[Option<Given<'a>>], scope: &Env<'a>) -> bool {
        let call = self.calls.pop();
        let mut good = true;
        for (param, given) in callable.params.iter().zip(bound) {
            let (Some(ty), Some((entity, at))) = (&param.ty, given) else { continue };
            if !is_input(callable, param) {
                continue;
            }
            let what = format!("the input `{}` of `{}`", param.name.name, callable.name.name);
            good &= match self.declared(ty, scope) {
                Some(declared) => {
                    let at = call.as_ref().map_or((*at).into(), |c| Meeting::of(*at, c.span));
                    let known = self.sink.list.len();
                    let fits = self.conforms(&declared, entity, at, &what);
                    if self.sink.list.len() > known {
                        self.show_beside(callable, bound, at.value);
                    }
                    fits
                }
                None => false,
            };
        }
        self.calls.extend(call);
        good
    }

    /// Labels the other inputs, whose shapes say what the dimension variables are.
    fn show_beside(&mut self, callable: &'a ast::Callable, bound: &[Option<Given<'a>>], but: Span) {
        for (param, given) in callable.params.iter().zip(bound) {
            if let Some((Entity::Term(t), at)) = given
                && *at != but
                && !t.dims.is_empty()
            {
                self.sink.annotate(*at, &format!("`{}` is {}", param.name.name, shape_text(&t.dims)));
            }
        }
    }

    /// Opens the instance of a layer or model: a bound one, or a new one by name. Whether there is one; `None` after an
    /// error.
    fn open_instance(
        &mut self,
        callable: &'a ast::Callable,
        instance: Option<Instance>,
        name: Option<&'a ast::Ident>,
        span: Span,
    ) -> Option<bool> {
        let own = &callable.name.name;
        let makes = matches!(callable.kind, CallableKind::Layer | CallableKind::Model);
        let inner = made_at(&self.activation().origin, span);
        let (path, origin) = match (callable.kind, instance, name) {
            (CallableKind::Schedule, ..) if self.pass() == PassKind::Update && has_states(&callable.body) => {
                let part = self.numbered(own, span);
                let activation = Activation::new(self.path(&part), inner, None, span, Role::Schedule);
                self.state.activations.push(activation);
                return Some(true);
            }
            (_, Some(instance), _) if makes => (instance.path, instance.origin),
            (_, None, Some(name)) if makes => {
                let part = self.given(name)?;
                (self.path(&part), inner)
            }
            (CallableKind::Layer, None, None) => {
                let part = self.numbered(own, span);
                (self.path(&part), inner)
            }
            // A model is one instance in a train block, wherever it is used and whatever it is called there.
            (CallableKind::Model, None, None) => {
                let nested = self.calls.iter().any(|c| c.callable.kind == CallableKind::Model);
                let several = self.train.as_ref().is_some_and(|t| t.several_models);
                let path = if nested || several { own.clone() } else { String::new() };
                (path, Rc::from([callable.name.span]))
            }
            _ => return Some(false),
        };
        let model = match callable.kind {
            CallableKind::Model => Some(own.clone()),
            _ => self.activation().model.clone(),
        };
        self.state.activations.push(Activation::new(path, origin, model, span, Role::Forward));
        Some(true)
    }

    /// An activation inside the innermost one, for a turn of the loop whose index stands at `span`.
    pub(super) fn push_activation(&mut self, part: &str, span: Span) {
        let path = self.path(part);
        let outer = self.activation();
        let (model, role, made) = (outer.model.clone(), outer.role, outer.made);
        let origin = made_at(&outer.origin, span);
        self.state.activations.push(Activation::new(path, origin, model, made, role));
    }

    /// Binds parameters and elaborates the body.
    fn run(&mut self, callable: &'a ast::Callable, bound: Vec<Option<Given<'a>>>, scope: &Env<'a>) -> Entity<'a> {
        for (param, given) in callable.params.iter().zip(&bound) {
            if given.is_some() && is_input(callable, param) {
                continue;
            }
            let (value, at) = match (given, &param.default) {
                (Some((entity, at)), _) => (self.setting(callable, param, entity.clone(), *at), *at),
                (None, Some(default)) => {
                    let value = self.eval(default, scope);
                    (self.setting(callable, param, value, default.span), default.span)
                }
                (None, None) => (Entity::Poison, callable.name.span),
            };
            if matches!(value, Entity::Poison) || !self.argument_allowed(callable, param, &value, at, scope) {
                return Entity::Poison;
            }
            scope.bind(&param.name.name, value, param.name.span);
        }
        if !self.compare_inputs(callable, &bound, scope) {
            return Entity::Poison;
        }
        for (param, given) in callable.params.iter().zip(bound) {
            if let Some((entity, at)) = given.filter(|_| is_input(callable, param)) {
                if !self.argument_allowed(callable, param, &entity, at, scope) {
                    return Entity::Poison;
                }
                let value = self.input_value(param, entity, at);
                scope.bind(&param.name.name, value, param.name.span);
            }
        }
        let output = match &callable.output {
            Some(ty) => match self.declared(ty, scope) {
                Some(declared) => Some(declared),
                None => return Entity::Poison,
            },
            None => None,
        };
        let result = self.body(&callable.body, output.as_ref(), scope);
        self.finish(callable, result, output.as_ref())
    }

    /// Whether an argument is in its parameter's range; a message is about the call, not about the inside of it.
    fn argument_allowed(
        &mut self,
        callable: &'a ast::Callable,
        param: &'a ast::Param,
        value: &Entity<'a>,
        at: Span,
        scope: &Env<'a>,
    ) -> bool {
        let inner = self.calls.pop();
        let allowed = self.allowed(Owner::Callable(callable), param, value, at, scope);
        self.calls.extend(inner);
        allowed
    }

    /// An input as the body sees it: a value of its own, of real numbers unless declared otherwise.
    fn input_value(&mut self, param: &'a ast::Param, entity: Entity<'a>, at: Span) -> Entity<'a> {
        let class = match &param.ty {
            Some(ty) => match &ty.kind {
                TypeKind::Tensor { of, .. } => of.is_some(),
                TypeKind::Class(_) => true,
                _ => true,
            },
            None => true,
        };
        let entity = match entity {
            Entity::Term(mut t) if !class && t.kind != Kind::Float => {
                t.expr = unary(Unary::ToFloat, t.expr);
                t.kind = Kind::Float;
                Entity::Term(t)
            }
            other => other,
        };
        self.shared(entity, &param.name.name, at)
    }

    /// A setting as the body sees it, of the kind its type asks for.
    pub fn setting(
        &mut self,
        callable: &'a ast::Callable,
        param: &'a ast::Param,
        entity: Entity<'a>,
        at: Span,
    ) -> Entity<'a> {
        let word = kind_of_setting(param);
        // Any number may be a schedule; what takes a schedule as such is another schedule or a rule.
        let entity = match &entity {
            Entity::Template(t) if t.callable.kind == CallableKind::Schedule => self.settle(entity, at),
            _ => entity,
        };
        let fits = match (word, &entity) {
            (_, Entity::Poison) => return entity,
            ("dim", Entity::Number(n)) => match n.whole() {
                Some(w) if w >= 0 => true,
                _ => {
                    let message = format!(
                        "`{}` is a dimension, a whole number that is not negative, but this is {}",
                        param.name.name,
                        n.text()
                    );
                    return self.fail(
                        Diagnostic::error("dimension-not-whole", at, message).label(param.name.span, "declared here"),
                    );
                }
            },
            ("dim", _) => false,
            ("bool", Entity::Bool(_)) => true,
            ("bool", Entity::Term(t)) => t.kind == Kind::Bool,
            ("bool", _) => false,
            ("number or schedule", e) => match e {
                Entity::Template(t) => t.callable.kind == CallableKind::Schedule,
                e => !matches!(e, Entity::Text(_) | Entity::Bool(_) | Entity::Record(_) | Entity::Lambda(_)),
            },
            ("text", e) => matches!(e, Entity::Text(_)),
            ("initializer", e) => {
                matches!(e, Entity::Template(_) | Entity::Thunk(_) | Entity::Number(_) | Entity::List(_))
            }
            ("layer", e) => matches!(e, Entity::Template(_) | Entity::Lambda(_) | Entity::Primitive(_)),
            ("number", e) => matches!(e, Entity::Number(_) | Entity::Term(_)),
            _ => true,
        };
        if fits {
            return self.shared(entity, &param.name.name, at);
        }
        let kind = match word {
            "dim" => "a whole number",
            "bool" => "`true` or `false`",
            "initializer" => "an initialiser",
            "layer" => "a layer or function",
            "text" => "a text in quotes",
            "number or schedule" => "a number",
            other => other,
        };
        let message =
            format!("`{}` of `{}` is {kind}, but this is {}", param.name.name, callable.name.name, entity.words());
        let mut d = Diagnostic::error("wrong-kind", at, message).label(param.name.span, "declared here");
        match (word, &entity) {
            ("bool", Entity::Number(n)) => {
                let meant = if n.value == 0.0 { "false" } else { "true" };
                d = d.fix(format!("write `{meant}`"), at, meant);
            }
            (_, Entity::Text(text)) => d = self.unquoted(d, text, at),
            _ => {}
        }
        self.fail(d)
    }

    /// Compares the result with the output type.
    fn finish(&mut self, callable: &'a ast::Callable, result: Entity<'a>, output: Option<&Declared>) -> Entity<'a> {
        let Some(declared) = output else { return result };
        let at = last_span(&callable.body).unwrap_or(callable.name.span);
        let what = format!("the value of `{}`", callable.name.name);
        let result = self.as_declared(declared, result, at);
        if !self.conforms(declared, &result, at, &what) {
            return Entity::Poison;
        }
        match (declared, result) {
            (Declared::Tensor { element: Element::Number, .. }, entity @ Entity::Term(_)) => {
                self.float_term(entity, at).map_or(Entity::Poison, Entity::Term)
            }
            (_, other) => other,
        }
    }
}

/// An argument of a call as far as it decides what the call becomes; `None` for what is told apart by more, such as a
/// layer or a function.
fn plain(given: &Option<Given<'_>>) -> Option<Plain> {
    Some(match given.as_ref().map(|g| &g.0) {
        None => Plain::Default,
        Some(Entity::Number(n)) => Plain::Number(n.value.to_bits()),
        Some(Entity::Bool(b)) => Plain::Bool(*b),
        Some(Entity::Dims(dims)) => Plain::Dims(dims.clone()),
        Some(Entity::Term(t)) => Plain::Tensor(t.dims.clone(), t.kind),
        Some(_) => return None,
    })
}

/// The word for what a setting may be: that of its type, or else what its default value is.
fn kind_of_setting(param: &ast::Param) -> &str {
    match (&param.ty, param.default.as_ref().map(|d| &d.kind)) {
        (Some(ast::TypeExpr { kind: TypeKind::Name(word), .. }), _) if word == "schedule" => "number or schedule",
        (Some(ast::TypeExpr { kind: TypeKind::Name(word), .. }), _) => word,
        (None, Some(ast::ExprKind::Number { .. })) => "number or schedule",
        (None, Some(ast::ExprKind::Bool(_))) => "bool",
        (None, Some(ast::ExprKind::Text(_))) => "text",
        _ => "",
    }
}

/// Whether a body declares states.
fn has_states(body: &ast::Body) -> bool {
    let ast::Body::Block(block) = body else { return false };
    block.stmts.iter().any(|s| matches!(s.kind, ast::StmtKind::State { .. }))
}

/// The axes of the output type that are named after a setting given in the call, and where it is given.
fn extents_given(callable: &ast::Callable, bound: &[Option<Given<'_>>]) -> Vec<(usize, Span)> {
    let Some(ast::TypeExpr { kind: TypeKind::Tensor { dims, .. }, .. }) = &callable.output else { return vec![] };
    let given = |name: &str| {
        let (_, slot) = callable.params.iter().zip(bound).find(|(p, _)| p.name.name == name)?;
        slot.as_ref().filter(|g| matches!(g.0, Entity::Number(_))).map(|g| g.1)
    };
    let axis = |(n, dim): (usize, &ast::DimExpr)| match dim {
        ast::DimExpr::Dim(ast::Expr { kind: ast::ExprKind::Name(name), .. }) => given(name).map(|at| (n, at)),
        _ => None,
    };
    dims.iter().enumerate().filter_map(axis).collect()
}

/// Where the value of a body stands.
fn last_span(body: &ast::Body) -> Option<Span> {
    match body {
        ast::Body::Expr { value, .. } => Some(value.span),
        ast::Body::Block(block) => block.stmts.last().map(|s| s.span),
        ast::Body::ByRank { then, .. } => then.stmts.last().map(|s| s.span),
    }
}
