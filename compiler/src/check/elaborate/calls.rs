//! Calls: which argument goes to which parameter, and whether a call is an application or makes a
//! template. A call without any input is a template; one with only some of them is an error.

use super::Elaborator;
use super::callable::{is_input, kind_word, signature};
use super::context::Target;
use super::entity::{Entity, Env, Instance, Lambda, Scope, Template, Term};
use super::frames::made_at;
use super::number::Num;
use super::parameter_range::{Owner, Written};
use crate::check::report::nearest;
use crate::check::resolve::Primitive;
use crate::scalar::Binary;
use crate::typed::Definition;
use grammar::ast::{self, Arg, CallableKind, ExprKind, TypeKind};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;
use std::rc::Rc;

/// An evaluated argument and its place.
pub type Given<'a> = (Entity<'a>, Span);

/// The arguments of a call.
pub struct Arguments<'a> {
    /// Those without a name, in order; what was piped in comes first.
    pub positional: Vec<Given<'a>>,
    /// Those with a name.
    pub named: Vec<(&'a ast::Ident, Given<'a>)>,
    /// Whether the first was piped in, which makes the call an application.
    pub piped: bool,
    /// The first one without a name behind one that has a name.
    pub late: Option<Span>,
}

impl<'a> Elaborator<'a> {
    /// `callee(args)`, with what was piped in as its first argument, and the instance's name.
    pub fn call(
        &mut self,
        callee: &'a ast::Expr,
        args: &'a [Arg],
        piped: Option<Given<'a>>,
        name: Option<&'a ast::Ident>,
        span: Span,
        env: &Env<'a>,
    ) -> Entity<'a> {
        let target = self.callee(callee, env);
        let arguments = self.arguments(args, piped, env);
        self.call_entity(target, arguments, name, callee.span, span)
    }

    /// What is called. A local that is no function does not hide a callable of its name.
    fn callee(&mut self, callee: &'a ast::Expr, env: &Env<'a>) -> Entity<'a> {
        if let ExprKind::Name(name) = &callee.kind
            && let Some((Entity::Term(_) | Entity::Number(_), _)) = env.find(name)
            && let Some(item) = self.item(name, callee.span)
        {
            return item;
        }
        self.eval(callee, env)
    }

    fn arguments(&mut self, args: &'a [Arg], piped: Option<Given<'a>>, env: &Env<'a>) -> Arguments<'a> {
        let mut out =
            Arguments { piped: piped.is_some(), positional: piped.into_iter().collect(), named: vec![], late: None };
        self.note_written(args);
        for arg in args {
            let value = (self.eval(&arg.value, env), arg.value.span);
            match &arg.name {
                Some(name) => out.named.push((name, value)),
                None => {
                    let late = (!out.named.is_empty()).then_some(value.1);
                    out.late = out.late.or(late);
                    out.positional.push(value);
                }
            }
        }
        out
    }

    /// Calls what an expression stands for.
    pub fn call_entity(
        &mut self,
        target: Entity<'a>,
        args: Arguments<'a>,
        name: Option<&'a ast::Ident>,
        callee: Span,
        span: Span,
    ) -> Entity<'a> {
        match target {
            Entity::Poison => Entity::Poison,
            Entity::Template(t) => self.call_template(&t, args, name, span),
            Entity::Lambda(l) => self.call_lambda(&l, args, span),
            Entity::Primitive(p) => self.call_primitive(p, args, callee, span),
            other => {
                let d = Diagnostic::error(
                    "wrong-kind",
                    callee,
                    format!("this is {}, which cannot be called", other.words()),
                );
                self.fail(d)
            }
        }
    }

    /// `x |> f(a) |> g`, without recursion along the chain.
    pub(super) fn pipeline(&mut self, expr: &'a ast::Expr, name: Option<&'a ast::Ident>, env: &Env<'a>) -> Entity<'a> {
        let mut steps = vec![];
        let mut first = expr;
        let mut last_name = name;
        while let ExprKind::Pipe { input, call } = &first.kind {
            steps.push((&**call, last_name.take(), first.span));
            first = input;
            // `x |> f as a |> g`: the name belongs to the step it follows.
            if let ExprKind::As { value, name } = &first.kind
                && matches!(value.kind, ExprKind::Pipe { .. })
            {
                first = value;
                last_name = Some(name);
            }
        }
        let mut value = (self.eval(first, env), first.span);
        for (call, name, _) in steps.into_iter().rev() {
            let result = self.step(value, call, name, env);
            value = (result, call.span);
        }
        value.0
    }

    fn step(
        &mut self,
        input: Given<'a>,
        call: &'a ast::Expr,
        name: Option<&'a ast::Ident>,
        env: &Env<'a>,
    ) -> Entity<'a> {
        match &call.kind {
            ExprKind::As { value, name } => self.step(input, value, Some(name), env),
            ExprKind::Paren(e) => self.step(input, e, name, env),
            ExprKind::Call { callee, args } => self.call(callee, args, Some(input), name, call.span, env),
            _ => {
                let target = self.callee(call, env);
                let args = Arguments { positional: vec![input], named: vec![], piped: true, late: None };
                self.call_entity(target, args, name, call.span, call.span)
            }
        }
    }

    /// `e as name`.
    pub(super) fn named(&mut self, value: &'a ast::Expr, name: &'a ast::Ident, env: &Env<'a>) -> Entity<'a> {
        match &value.kind {
            ExprKind::Paren(e) => self.named(e, name, env),
            ExprKind::Pipe { .. } => self.pipeline(value, Some(name), env),
            ExprKind::Call { callee, args } => self.call(callee, args, None, Some(name), value.span, env),
            _ => match self.eval(value, env) {
                Entity::Template(t) => self.named_instance(&t, name),
                Entity::Poison => Entity::Poison,
                other => {
                    let d = Diagnostic::error(
                        "wrong-kind",
                        name.span,
                        format!("`as` names the layer that an application makes, but this is {}", other.words()),
                    );
                    self.fail(d)
                }
            },
        }
    }

    fn call_template(
        &mut self,
        template: &Rc<Template<'a>>,
        mut args: Arguments<'a>,
        name: Option<&'a ast::Ident>,
        span: Span,
    ) -> Entity<'a> {
        let callable = template.callable;
        if args.positional.iter().chain(args.named.iter().map(|n| &n.1)).any(|g| matches!(g.0, Entity::Poison)) {
            return Entity::Poison;
        }
        let mut bound = template.bound.clone();
        let mut input_named = false;
        for (arg, value) in std::mem::take(&mut args.named) {
            let Some(n) = callable.params.iter().position(|p| p.name.name == arg.name) else {
                return self.unknown_argument(callable, arg);
            };
            input_named |= is_input(callable, &callable.params[n]);
            bound[n] = Some(value);
        }
        let open: Vec<usize> = (0..bound.len()).filter(|n| bound[*n].is_none()).collect();
        let settings: Vec<usize> = open.iter().copied().filter(|n| !is_input(callable, &callable.params[*n])).collect();
        let no_inputs = settings.len() == open.len();
        let as_template = !no_inputs
            && !args.piped
            && !input_named
            && self.reads_as_template(callable, &bound, (&open, &settings), &args.positional);
        let order = if as_template { settings } else { open };
        let shape = self.shape_argument(callable, &mut args.positional, order.len());
        if args.positional.len() > order.len() {
            let extra = args.positional[order.len()].1;
            return self.too_many(callable, extra, args.positional.len(), order.len());
        }
        for (n, value) in order.iter().zip(args.positional) {
            if args.late == Some(value.1) {
                return self.out_of_order(value.1, &callable.params[*n].name.name);
            }
            let own = Written::Name(&callable.params[*n].name.name);
            if by_name_only(callable, *n) && self.written.get(&value.1) != Some(&own) {
                return self.needs_name(callable, &callable.params[*n], value.1);
            }
            bound[*n] = Some(value);
        }
        let wanted = |n: &usize| !as_template || !is_input(callable, &callable.params[*n]);
        let missing =
            (0..bound.len()).filter(wanted).find(|n| bound[*n].is_none() && callable.params[*n].default.is_none());
        if let Some(n) = missing {
            return self.missing_argument(callable, &callable.params[n], span);
        }
        let by_settings =
            matches!(callable.kind, CallableKind::Init | CallableKind::Schedule | CallableKind::Optimizer);
        if as_template || by_settings {
            let filled = Template { callable, bound, instance: template.instance.clone() };
            if let Some(shape) = shape {
                return self.filled_tensor(&Rc::new(filled), shape, span);
            }
            return match name {
                Some(name) => self.named_instance(&Rc::new(filled), name),
                None => Entity::Template(Rc::new(filled)),
            };
        }
        self.apply(callable, bound, template.instance.clone(), name, span)
    }

    /// The shape of a tensor that an initialiser is to fill: a list after all of its parameters, `zeros([n, m])`.
    fn shape_argument(
        &self,
        callable: &ast::Callable,
        positional: &mut Vec<Given<'a>>,
        taken: usize,
    ) -> Option<Given<'a>> {
        let one_more = callable.kind == CallableKind::Init && positional.len() == taken + 1;
        let shape = matches!(positional.last(), Some((Entity::List(_) | Entity::Dims(_), _)));
        if one_more && shape { positional.pop() } else { None }
    }

    /// A tensor of the given shape that an initialiser without draws fills.
    fn filled_tensor(&mut self, template: &Rc<Template<'a>>, (shape, at): Given<'a>, span: Span) -> Entity<'a> {
        let dims = match shape {
            Entity::Dims(dims) => Some(dims),
            Entity::List(list) => list.iter().map(|e| self.extent(e, at)).collect(),
            _ => None,
        };
        let Some(dims) = dims else { return Entity::Poison };
        let axes = self.builder().axes(&dims);
        let path = self.value_name(&template.callable.name.name);
        let known = self.builder().pass.values.len();
        let target = Rc::new(Target { path, axes, dims: dims.clone(), lifted: 0, per_sample: false });
        let filled = |s: &mut Self| {
            let value = s.apply_settings_only(template, span);
            s.float_term(value, span)
        };
        let term = self.inside(|c| c.target = Some(target), filled);
        let Some(term) = term else { return Entity::Poison };
        if self.builder().pass.values[known..].iter().any(|v| matches!(v.definition, Definition::Draw { .. })) {
            let message = format!("`{}` is random, and randomness is written with `~`", template.callable.name.name);
            let d = Diagnostic::error("wrong-kind", span, message);
            return self.fail(d.help("write it as a statement: `z: [n] ~ ..`"));
        }
        let term = self.fill(term, &dims);
        Entity::Term(Term { origin: span, ..term })
    }

    /// Whether a call gives settings only: nothing positional could be the first input, or the
    /// inputs would stay incomplete while the settings are complete.
    fn reads_as_template(
        &self,
        callable: &ast::Callable,
        bound: &[Option<Given<'a>>],
        (open, settings): (&[usize], &[usize]),
        positional: &[Given<'a>],
    ) -> bool {
        let Some((first, _)) = positional.first() else { return true };
        let complete = |order: &[usize], all: bool| {
            positional.len() <= order.len()
                && callable.params.iter().enumerate().all(|(n, p)| {
                    let filled = order.iter().take(positional.len()).any(|o| *o == n);
                    filled || bound[n].is_some() || p.default.is_some() || (!all && is_input(callable, p))
                })
        };
        let param = open.first().map(|n| &callable.params[*n]);
        let may_be_input = match (first, param) {
            (Entity::Term(_) | Entity::Record(_) | Entity::Set(_) | Entity::List(_) | Entity::Dims(_), _) => {
                return false;
            }
            (_, Some(p)) if !is_input(callable, p) => true,
            (Entity::Number(_) | Entity::Bool(_), Some(p)) => match &p.ty {
                None => !matches!(callable.kind, CallableKind::Layer | CallableKind::Model),
                Some(ty) => !matches!(&ty.kind, TypeKind::Tensor { dims, .. } if !dims.is_empty()),
            },
            (_, Some(p)) => p.ty.is_none(),
            (_, None) => false,
        };
        !may_be_input || (!complete(open, true) && complete(settings, false))
    }

    /// What `enc = dense(64)` binds: one instance of the layer. A model is one instance already.
    pub(super) fn bind_instance(&mut self, template: &Rc<Template<'a>>, name: &ast::Ident) -> Entity<'a> {
        if template.callable.kind != CallableKind::Layer || template.instance.is_some() {
            return Entity::Template(template.clone());
        }
        let path = self.numbered(&name.name, name.span);
        self.instance_at(template, &path, name.span)
    }

    /// What `dense(64) as enc` and `Net as teacher` are: an instance of its own, of a model too.
    fn named_instance(&mut self, template: &Rc<Template<'a>>, name: &ast::Ident) -> Entity<'a> {
        let makes = matches!(template.callable.kind, CallableKind::Layer | CallableKind::Model);
        if !makes || template.instance.is_some() {
            return Entity::Template(template.clone());
        }
        match self.given(name) {
            Some(path) => self.instance_at(template, &path, name.span),
            None => Entity::Poison,
        }
    }

    fn instance_at(&mut self, template: &Rc<Template<'a>>, name: &str, span: Span) -> Entity<'a> {
        let instance = Instance { path: self.path(name), origin: made_at(&self.activation().origin, span) };
        Entity::Template(Rc::new(Template { instance: Some(instance), ..(**template).clone() }))
    }

    /// A local function: an application with all its parameters.
    pub(super) fn call_lambda(&mut self, lambda: &Rc<Lambda<'a>>, args: Arguments<'a>, span: Span) -> Entity<'a> {
        let scope = Scope::inside(Some(&lambda.env));
        let mut values: Vec<Option<Given<'a>>> = vec![None; lambda.params.len()];
        for (n, value) in args.positional.into_iter().enumerate() {
            match values.get_mut(n) {
                Some(slot) => *slot = Some(value),
                None => {
                    let d = Diagnostic::error(
                        "unknown-argument",
                        value.1,
                        format!("this function has only {} parameters", lambda.params.len()),
                    );
                    return self.fail(d.label(lambda.span, "the function"));
                }
            }
        }
        for (arg, value) in args.named {
            match lambda.params.iter().position(|p| p.name.name == arg.name) {
                Some(n) => values[n] = Some(value),
                None => {
                    let d = Diagnostic::error(
                        "unknown-argument",
                        arg.span,
                        format!("this function has no parameter `{}`", arg.name),
                    );
                    return self.fail(d.label(lambda.span, "the function"));
                }
            }
        }
        for (param, value) in lambda.params.iter().zip(values) {
            let at = value.as_ref().map(|v| v.1).or_else(|| param.default.as_ref().map(|d| d.span)).unwrap_or(span);
            let value = match (value, &param.default) {
                (Some((v, at)), _) => {
                    let v = self.settle(v, at);
                    self.shared(v, &param.name.name, at)
                }
                (None, Some(default)) => self.eval(default, &scope),
                (None, None) => {
                    let d = Diagnostic::error(
                        "missing-argument",
                        span,
                        format!("the argument `{}` is missing", param.name.name),
                    );
                    return self.fail(d.label(lambda.span, "the function"));
                }
            };
            if !self.allowed(Owner::Lambda, param, &value, at, &scope) {
                return Entity::Poison;
            }
            scope.bind(&param.name.name, value, param.name.span);
        }
        self.body(lambda.body, None, &scope)
    }

    fn call_primitive(&mut self, primitive: Primitive, args: Arguments<'a>, callee: Span, span: Span) -> Entity<'a> {
        let arity = match primitive {
            Primitive::Scalar(_) | Primitive::Size | Primitive::Weights | Primitive::Params => 1,
            Primitive::Max | Primitive::Min | Primitive::ZeroOr(_) | Primitive::Uniform | Primitive::Normal => 2,
        };
        if let Some((name, _)) = args.named.first() {
            return self.fail(Diagnostic::error(
                "unknown-argument",
                name.span,
                format!("this function has no parameter `{}`", name.name),
            ));
        }
        let given = args.positional;
        if given.len() != arity {
            let code = if given.len() < arity { "missing-argument" } else { "unknown-argument" };
            let many = if arity == 1 { "one argument" } else { "two arguments" };
            return self.fail(Diagnostic::error(
                code,
                callee,
                format!("this function takes {many}, but {} are given", given.len()),
            ));
        }
        let mut given = given.into_iter();
        let (Some(a), b) = (given.next(), given.next()) else { return Entity::Poison };
        if let (Primitive::Normal, Some((Entity::Number(n), at))) = (primitive, &b)
            && n.value < 0.0
        {
            let message = format!("the deviation of a normal distribution is not negative, but this is {}", n.text());
            return self.fail(Diagnostic::error("out-of-range", *at, message).help("write `normal(mean, deviation)`"));
        }
        if let (Primitive::Uniform, Entity::Number(low), Some((Entity::Number(high), at))) = (primitive, &a.0, &b)
            && high.value < low.value
        {
            let (low, high) = (low.text(), high.text());
            let message = format!("a uniform draw is from the smaller end to the larger, but {high} is below {low}");
            return self
                .fail(Diagnostic::error("out-of-range", *at, message).help(format!("write `uniform({high}, {low})`")));
        }
        match (primitive, b) {
            (Primitive::Scalar(op), _) => self.scalar_function(op, a.0, a.1),
            (Primitive::Max, Some(b)) => self.extremum(Binary::Max, a, b),
            (Primitive::Min, Some(b)) => self.extremum(Binary::Min, a, b),
            (Primitive::ZeroOr(op), Some(b)) => self.zero_or(op, a, b),
            (Primitive::Uniform | Primitive::Normal, Some(b)) => self.draw(primitive, a, b, span),
            (Primitive::Size, _) => self.size(a.0, a.1),
            (Primitive::Weights | Primitive::Params, _) => {
                self.parameter_set(primitive == Primitive::Weights, &a.0, a.1)
            }
            _ => Entity::Poison,
        }
    }

    fn size(&mut self, entity: Entity<'a>, span: Span) -> Entity<'a> {
        let dims = match entity {
            Entity::Poison => return Entity::Poison,
            Entity::Dims(dims) => dims,
            Entity::Number(n) => return Entity::Number(n),
            other => match self.term(other, span) {
                Some(t) => t.dims,
                None => return Entity::Poison,
            },
        };
        Entity::Number(Num::int(dims.iter().fold(1i64, |n, d| n.saturating_mul(*d as i64))))
    }

    fn unknown_argument(&mut self, callable: &'a ast::Callable, arg: &ast::Ident) -> Entity<'a> {
        let name = &callable.name.name;
        let message = format!("the {} `{name}` has no parameter `{}`", kind_word(callable.kind), arg.name);
        let mut d =
            Diagnostic::error("unknown-argument", arg.span, message).label(callable.name.span, signature(callable));
        if let Some(near) = nearest(&arg.name, callable.params.iter().map(|p| p.name.name.as_str())) {
            d = d.fix(format!("did you mean `{near}`?"), arg.span, near);
        }
        self.fail(d)
    }

    /// An argument without a name behind one that has a name.
    pub fn out_of_order(&mut self, at: Span, parameter: &str) -> Entity<'a> {
        let d = Diagnostic::error("argument-order", at, "an argument without a name stands behind one that has a name")
            .here(format!("this would be `{parameter}`"));
        let before = Span { end: at.start, ..at };
        self.fail(d.fix(format!("name it too: `{parameter} = ..`"), before, format!("{parameter} = ")))
    }

    /// A setting beyond the first whose default would be taken silently by what was meant for another.
    fn needs_name(&mut self, callable: &'a ast::Callable, param: &ast::Param, at: Span) -> Entity<'a> {
        let (of, name) = (&callable.name.name, &param.name.name);
        let message = format!("this argument of `{of}` would be `{name}`, which is given by its name");
        let d = Diagnostic::error("argument-needs-name", at, message)
            .here(format!("this would be `{name}`"))
            .label(callable.name.span, signature(callable))
            .note("without a name stand the inputs, the settings that have no default value, the first setting, and what has the parameter's own name");
        let before = Span { end: at.start, ..at };
        self.fail(d.fix(format!("if it is meant, name it: `{name} = ..`"), before, format!("{name} = ")))
    }

    fn too_many(&mut self, callable: &'a ast::Callable, at: Span, given: usize, taken: usize) -> Entity<'a> {
        let name = &callable.name.name;
        let d = Diagnostic::error(
            "unknown-argument",
            at,
            format!("`{name}` takes {taken} arguments here, but {given} are given"),
        )
        .label(callable.name.span, signature(callable));
        self.fail(d)
    }

    fn missing_argument(&mut self, callable: &'a ast::Callable, param: &ast::Param, span: Span) -> Entity<'a> {
        let (name, missing) = (&callable.name.name, &param.name.name);
        let d = Diagnostic::error("missing-argument", span, format!("the argument `{missing}` of `{name}` is missing"))
            .here(format!("`{missing}` is missing"))
            .label(param.name.span, "it has no default")
            .help(format!("write `{missing} = ..`; all parameters: {}", signature(callable)));
        self.fail(d)
    }
}

/// Whether an argument for the parameter of that number must have its name: a setting with a default value that is not
/// the first setting.
fn by_name_only(callable: &ast::Callable, number: usize) -> bool {
    let setting = |p: &ast::Param| !is_input(callable, p);
    let first = callable.params.iter().position(setting);
    let param = &callable.params[number];
    setting(param) && param.default.is_some() && first != Some(number)
}
