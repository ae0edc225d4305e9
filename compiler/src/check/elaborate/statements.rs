//! Statements: definitions, parameters, states, draws, accumulations; and blocks, whose value is
//! that of the last statement.

use super::Elaborator;
use super::context::Target;
use super::dims::Declared;
use super::entity::{Entity, Env, PassKind, Scope, Term, shape_text};
use super::frames::{Activation, Origin, Role, join};
use super::number::Num;
use super::tables::ParameterInfo;
use crate::check::resolve::{EVALUATED, children};
use crate::scalar::Kind;
use crate::typed::bounds::interval;
use crate::typed::expr::free;
use crate::typed::{Definition, Element, Expr, Extent, Outcome, Parameter, SAMPLE, State, Type};
use grammar::ast::{self, ExprKind, IndexArg, Lhs, Stmt, StmtKind};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;

impl<'a> Elaborator<'a> {
    /// The value of a body, `tail` being the declared type of its value.
    pub(super) fn body(&mut self, body: &'a ast::Body, tail: Option<&Declared>, env: &Env<'a>) -> Entity<'a> {
        match body {
            ast::Body::Block(block) => self.block(block, tail, env),
            ast::Body::Expr { value, wheres } => {
                let scope = Scope::inside(Some(env));
                for stmt in wheres {
                    self.statement(stmt, None, false, &scope);
                }
                self.eval(value, &scope)
            }
            ast::Body::ByRank { dims, then, otherwise } => self.by_rank(dims, then, otherwise.as_ref(), env),
        }
    }

    /// A rule by the rank of the parameter: `for [m, ..n] { } else { }`.
    fn by_rank(
        &mut self,
        dims: &'a [ast::DimParam],
        then: &'a ast::Block,
        otherwise: Option<&'a ast::Block>,
        env: &Env<'a>,
    ) -> Entity<'a> {
        let Role::Rule(parameter) = self.activation().role else {
            let d = Diagnostic::error("wrong-kind", then.span, "rules by rank stand only in an optimiser");
            return self.fail(d);
        };
        let extents = self.tables.parameters[parameter].parameter.dims.clone();
        let singles = dims.iter().filter(|d| !d.pack).count();
        let fits = if singles == dims.len() { extents.len() == singles } else { extents.len() >= singles };
        if !fits {
            return otherwise.map_or(Entity::Nothing, |b| self.block(b, None, env));
        }
        let scope = Scope::inside(Some(env));
        let mut place = 0;
        for dim in dims {
            let width = if dim.pack { extents.len() - singles } else { 1 };
            let part = extents[place..place + width].to_vec();
            let entity = if dim.pack { Entity::Dims(part) } else { Entity::Number(Num::int(part[0] as i64)) };
            scope.bind(&dim.name.name, entity, dim.name.span);
            place += width;
        }
        self.block(then, None, &scope)
    }

    /// The value of a block.
    pub(super) fn block(&mut self, block: &'a ast::Block, tail: Option<&Declared>, env: &Env<'a>) -> Entity<'a> {
        let scope = Scope::inside(Some(env));
        let mut value = Entity::Nothing;
        for (n, stmt) in block.stmts.iter().enumerate() {
            let last = n + 1 == block.stmts.len();
            value = self.statement(stmt, if last { tail } else { None }, last, &scope);
        }
        value
    }

    fn statement(&mut self, stmt: &'a Stmt, tail: Option<&Declared>, last: bool, scope: &Env<'a>) -> Entity<'a> {
        match &stmt.kind {
            StmtKind::Param { name, saved, ty, init } => self.param(name, saved.as_deref(), ty, init, stmt.span, scope),
            StmtKind::State { name, saved, ty, init } => {
                self.state(name, saved.as_deref(), ty.as_ref(), init, stmt.span, scope)
            }
            StmtKind::Draw { name, ty, dist, per_batch } => self.random(name, ty.as_ref(), dist, *per_batch, scope),
            StmtKind::Define { lhs, value, per_microbatch } => {
                let known = self.builder().pass.values.len();
                let mut entity = self.define(lhs, value, tail, scope);
                if *per_microbatch {
                    entity = self.of_its_own(entity, &lhs.name);
                    self.builder().pass.values[known..].iter_mut().for_each(|v| v.per_microbatch = true);
                }
                self.bind_once(&lhs.name, entity.clone(), scope);
                entity
            }
            StmtKind::Accumulate { lhs, value, dropping } => {
                let entity = self.accumulate(lhs, value, *dropping, tail, scope);
                self.bind_once(&lhs.name, entity.clone(), scope);
                entity
            }
            StmtKind::Expr(ast::Expr { kind: ExprKind::If { condition, then, otherwise }, .. }) => {
                self.choose(condition, then, otherwise.as_ref(), tail, scope)
            }
            StmtKind::Expr(e) => {
                let value = self.eval(e, scope);
                if !last && !matches!(e.kind, ExprKind::For { .. } | ExprKind::Error) {
                    let d = Diagnostic::error("unused-value", e.span, "this value is computed and then forgotten")
                        .help("give it a name, or make it the last line of the block; a line that begins with `-` does not continue the one before");
                    self.fail(d);
                }
                value
            }
            StmtKind::Error => self.unreadable(),
        }
    }

    /// Binds a name; `=` defines once.
    pub fn bind_once(&mut self, name: &'a ast::Ident, entity: Entity<'a>, scope: &Env<'a>) {
        if let Some(earlier) = scope.bound_here(&name.name) {
            let d = Diagnostic::error(
                "duplicate-definition",
                name.span,
                format!("`{}` is defined twice; `=` defines once", name.name),
            )
            .label(earlier, "first defined here")
            .help("choose another name for the second one");
            self.fail(d);
        }
        scope.bind(&name.name, entity, name.span);
    }

    /// `y = e`, `y: [n] = e`, `y[i] = e`, `m' = e`.
    pub(super) fn define(
        &mut self,
        lhs: &'a Lhs,
        value: &'a ast::Expr,
        tail: Option<&Declared>,
        env: &Env<'a>,
    ) -> Entity<'a> {
        let annotated = match &lhs.ty {
            Some(ty) => match self.declared(ty, env) {
                Some(d) => Some(d),
                None => return Entity::Poison,
            },
            None => None,
        };
        let declared = annotated.as_ref().or(tail);
        let entity = match &lhs.indices {
            Some(left) => self.indexed(left, value, declared, lhs.name.span, env).map_or(Entity::Poison, Entity::Term),
            None => {
                self.defining = matches!(value.kind, ExprKind::For { .. }).then(|| lhs.name.name.clone());
                let entity = self.eval(value, env);
                self.settle_definition(entity, lhs)
            }
        };
        let entity = declared.map_or(entity.clone(), |d| self.as_declared(d, entity, value.span));
        if matches!(entity, Entity::Poison) {
            return entity;
        }
        if let (EVALUATED, Role::Rule(p)) = (lhs.name.name.as_str(), self.activation().role) {
            return self.evaluated(p, entity, value.span);
        }
        if let Some(base) = lhs.name.name.strip_suffix('\'') {
            if matches!(env.find(base), Some((Entity::Poison, _))) {
                return Entity::Poison;
            }
            return self.next_value(base, entity, lhs.name.span);
        }
        if let (Some(ty), Entity::Template(_) | Entity::Thunk(_)) = (&lhs.ty, &entity)
            && self.is_random(&entity)
        {
            let message = "what is random is drawn with `~`, not defined with `=`";
            let sign = Span { start: ty.span.end, end: value.span.start, ..value.span };
            let d = Diagnostic::error("wrong-kind", value.span, message);
            return self.fail(d.fix("write `~` instead of `=`", sign, " ~ "));
        }
        if let Some(d) = &annotated {
            let what = format!("`{}`", lhs.name.name);
            if !self.conforms(d, &entity, value.span, &what) {
                return Entity::Poison;
            }
        }
        match entity {
            Entity::Term(t) if lhs.indices.is_some() => {
                let name = self.value_name(&lhs.name.name);
                let read = self.builder().define(&t, &name, lhs.name.span);
                Entity::Term(read.map_or(t, |r| r.1))
            }
            other => self.shared(other, &lhs.name.name, lhs.name.span),
        }
    }

    /// Whether it is a distribution that waits for a tensor to fill.
    fn is_random(&self, entity: &Entity<'a>) -> bool {
        match entity {
            Entity::Template(t) => t.callable.kind == ast::CallableKind::Init,
            Entity::Thunk(_) => true,
            _ => false,
        }
    }

    /// A small number as a value too, so that it can say that it belongs to a microbatch.
    fn of_its_own(&mut self, entity: Entity<'a>, name: &ast::Ident) -> Entity<'a> {
        let Entity::Term(t) = entity else { return entity };
        if self.builder().is_plain(&t) {
            return Entity::Term(t);
        }
        let path = self.value_name(&name.name);
        let read = self.builder().define(&t, &path, name.span);
        Entity::Term(read.map_or(t, |r| r.1))
    }

    fn settle_definition(&mut self, entity: Entity<'a>, lhs: &'a Lhs) -> Entity<'a> {
        match entity {
            Entity::Template(t) if self.applies_by_itself(&t) => self.apply_settings_only(&t, lhs.name.span),
            Entity::Template(t) => self.bind_instance(&t, &lhs.name),
            other => other,
        }
    }

    /// `y[f(i)] += e`: the indices of the value are bound by its reads.
    fn accumulate(
        &mut self,
        lhs: &'a Lhs,
        value: &'a ast::Expr,
        dropping: bool,
        tail: Option<&Declared>,
        env: &Env<'a>,
    ) -> Entity<'a> {
        let annotated = match &lhs.ty {
            Some(ty) => self.declared(ty, env),
            None => tail.cloned(),
        };
        let span = lhs.name.span;
        let Some(dims) = annotated.as_ref().and_then(Declared::dims).map(<[usize]>::to_vec) else {
            let d = Diagnostic::error(
                "index-range-unknown",
                span,
                format!("nothing says how large `{}` is", lhs.name.name),
            )
            .help(format!(
                "declare it: `{}[..]: [n, m] += ..`, or let it be the last line of a function with an output type",
                lhs.name.name
            ));
            return self.fail(d);
        };
        let positions = lhs.indices.as_deref().unwrap_or(&[]);
        match self.scatter(positions, value, &dims, dropping, lhs, env) {
            Some(term) => Entity::Term(term),
            None => Entity::Poison,
        }
    }

    fn scatter(
        &mut self,
        positions: &'a [IndexArg],
        value: &'a ast::Expr,
        dims: &[usize],
        dropping: bool,
        lhs: &'a Lhs,
        env: &Env<'a>,
    ) -> Option<Term> {
        let scope = Scope::inside(Some(env));
        let mut indices = vec![];
        for (name, span) in self.free_names(positions, env) {
            let extent = self.range_from_reads(name, span, false, value, env)?.first().copied()?;
            indices.push(self.bind_index(name, span, Extent::Fixed(extent), &scope)?);
        }
        let at = self.scatter_positions(positions, dims, dropping, &scope)?;
        let entity = self.eval(value, &scope);
        let term = self.float_term(entity, value.span)?;
        let outer: Vec<_> = free(&term.expr).into_iter().filter(|i| !indices.contains(i) && *i != SAMPLE).collect();
        if !outer.is_empty() || !term.axes.is_empty() || at.len() != dims.len() {
            let d = Diagnostic::error(
                "rank-mismatch",
                lhs.name.span,
                format!("`{}` has {} dimensions, and each needs a position here", lhs.name.name, dims.len()),
            );
            self.fail(d.note("the value added must be a single number"));
            return None;
        }
        let per_sample = free(&term.expr).contains(&SAMPLE) || at.iter().any(|e| free(e).contains(&SAMPLE));
        let ty = Type { per_sample, dims: dims.to_vec(), element: Element::Number };
        let definition = Definition::Accumulate { indices, at, dropping, value: term.expr };
        let name = self.value_name(&lhs.name.name);
        let id = self.builder().push(&name, ty, definition, lhs.name.span);
        Some(self.builder().read(id, lhs.name.span))
    }

    /// The names in the positions that nothing outside binds: the indices, each once.
    fn free_names(&self, positions: &'a [IndexArg], env: &Env<'a>) -> Vec<(&'a str, Span)> {
        fn names<'e>(e: &'e ast::Expr, out: &mut Vec<(&'e str, Span)>) {
            if let ExprKind::Name(n) = &e.kind {
                out.push((n, e.span));
            }
            children(e, &mut |c| names(c, out));
        }
        let mut found = vec![];
        for position in positions {
            if let IndexArg::Expr(e) = position {
                names(e, &mut found);
            }
        }
        let mut out: Vec<(&'a str, Span)> = vec![];
        for (name, span) in found {
            if env.find(name).is_none() && !out.iter().any(|o| o.0 == name) {
                out.push((name, span));
            }
        }
        out
    }

    fn scatter_positions(
        &mut self,
        positions: &'a [IndexArg],
        dims: &[usize],
        dropping: bool,
        scope: &Env<'a>,
    ) -> Option<Vec<Expr>> {
        let mut at = vec![];
        for (n, position) in positions.iter().enumerate() {
            let IndexArg::Expr(e) = position else {
                let span = match position {
                    IndexArg::Pack(name) => name.span,
                    IndexArg::Combine { span, .. } => *span,
                    IndexArg::Expr(e) => e.span,
                };
                self.fail(Diagnostic::error("wrong-kind", span, "an accumulating definition takes single positions"));
                return None;
            };
            let entity = self.eval(e, scope);
            let term = self.term(entity, e.span)?;
            let extent = dims.get(n).copied().unwrap_or(1) as i64;
            let (low, high) = interval(&self.builder().pass, &term.expr);
            if term.kind != Kind::Int || (!dropping && (low < 0 || high >= extent)) {
                let d = Diagnostic::error(
                    "out-of-bounds",
                    e.span,
                    format!("this position goes from {low} to {high}, outside the {extent} there are"),
                )
                .help("drop what falls outside with `or` on the left side");
                self.fail(d);
                return None;
            }
            at.push(term.expr);
        }
        Some(at)
    }

    /// `param W "weight": [units, n] ~ init`.
    fn param(
        &mut self,
        name: &'a ast::Ident,
        saved: Option<&str>,
        ty: &'a ast::TypeExpr,
        init: &'a ast::Expr,
        span: Span,
        scope: &Env<'a>,
    ) -> Entity<'a> {
        let declared = self.declared(ty, scope);
        let entity = match declared.as_ref().and_then(Declared::dims) {
            Some(dims) if self.may_declare("param", name) && self.declares(name) => {
                let dims = dims.to_vec();
                self.parameter(name, saved.unwrap_or(&name.name), dims, init, span, scope)
            }
            _ => Entity::Poison,
        };
        self.bind_once(name, entity.clone(), scope);
        entity
    }

    fn may_declare(&mut self, word: &str, name: &ast::Ident) -> bool {
        let inner = self.calls.last().map(|c| c.callable);
        let layer = inner.is_some_and(|c| matches!(c.kind, ast::CallableKind::Layer | ast::CallableKind::Model));
        let rule = inner.is_some_and(|c| c.kind == ast::CallableKind::Optimizer);
        let schedule = inner.is_some_and(|c| c.kind == ast::CallableKind::Schedule);
        if word == "state" && schedule && self.pass() != PassKind::Update {
            let message = "a schedule with a state says how parameters move; elsewhere a number has no state";
            self.fail(Diagnostic::error("wrong-kind", name.span, message).help("use one that is a function of `k`"));
            return false;
        }
        let allowed = if word == "param" { layer } else { layer || rule || schedule };
        if allowed && self.context.in_training_if {
            let message = format!(
                "`{word} {}` stands under `if training`, but training and evaluation have the same parameters and states",
                name.name
            );
            let d = Diagnostic::error("param-in-training-if", name.span, message)
                .here("would exist in one of the two only")
                .help("declare it before the `if`, and use it where it is needed");
            self.fail(d);
            return false;
        }
        if !allowed {
            let d = Diagnostic::error("wrong-kind", name.span, format!("only a layer or model has a `{word}`"))
                .help("write `layer` instead of the word this definition begins with");
            self.fail(d);
        }
        allowed
    }

    fn parameter(
        &mut self,
        name: &'a ast::Ident,
        saved: &str,
        dims: Vec<usize>,
        init: &'a ast::Expr,
        span: Span,
        scope: &Env<'a>,
    ) -> Entity<'a> {
        let (path, saved) = (self.path(&name.name), self.path(saved));
        let number = match self.tables.parameter_numbers.get(&path).copied() {
            Some(n) => {
                let known = self.tables.parameters[n].parameter.clone();
                let origin = self.tables.parameters[n].origin.clone();
                if !self.same_place(&known.path, (known.span, known.instance), &origin, span)
                    || !self.same_parameter(n, &dims, name)
                {
                    return Entity::Poison;
                }
                n
            }
            None if !self.saved_once(&saved, &path, span) => return Entity::Poison,
            None => self.new_parameter(path, saved, dims, init, span, scope),
        };
        Entity::Term(self.parameter_term(number))
    }

    /// A second use of a path must be the same statement of the same instance.
    fn same_place(&mut self, path: &str, (known, made): (Span, Span), origin: &Origin, span: Span) -> bool {
        let activation = self.activation();
        if known == span && *origin == activation.origin {
            return true;
        }
        let here = activation.made;
        let message = format!("two layers would have one `{path}`: their names come out alike");
        let d = Diagnostic::error("duplicate-definition", here, message)
            .here("the second one")
            .label(made, "the first one")
            .help("give one of them another name: `.. as name` for a layer, `h = for ..` for a loop");
        self.fail(d);
        false
    }

    /// Files of weights have one tensor of a name.
    fn saved_once(&mut self, saved: &str, path: &str, span: Span) -> bool {
        let parameters =
            self.tables.parameters.iter().map(|p| (&p.parameter.saved, &p.parameter.path, p.parameter.span));
        let states = self.tables.states.iter().map(|s| (&s.saved, &s.path, s.span));
        let Some((_, other, at)) = parameters.chain(states).find(|known| known.0 == saved) else { return true };
        let message = format!("`{path}` and `{other}` would both be saved as `{saved}`");
        let d =
            Diagnostic::error("duplicate-definition", span, message).label(at, format!("`{other}` is declared here"));
        self.fail(
            d.help("give one of them another name in quotes, or leave it out: it is saved under its own name then"),
        );
        false
    }

    /// One layer used twice has its parameters in one shape.
    fn same_parameter(&mut self, number: usize, dims: &[usize], name: &ast::Ident) -> bool {
        let known = self.tables.parameters[number].parameter.clone();
        if known.dims == *dims {
            return true;
        }
        let (was, is) = (shape_text(&known.dims), shape_text(dims));
        let message =
            format!("one layer is used twice, but `{}` would be {was} in one use and {is} in the other", known.path);
        let d = Diagnostic::error("shape-mismatch", name.span, message)
            .label(known.instance, format!("{was} here"))
            .help("an application of a template makes its own layer; a name bound to it is one layer, shared by all its uses");
        self.fail(d);
        false
    }

    fn new_parameter(
        &mut self,
        path: String,
        saved: String,
        dims: Vec<usize>,
        init: &'a ast::Expr,
        span: Span,
        scope: &Env<'a>,
    ) -> usize {
        let number = self.tables.parameters.len();
        let Activation { made: instance, model, origin, .. } = self.activation().clone();
        let parameter = Parameter {
            path: path.clone(),
            saved,
            dims: dims.clone(),
            span,
            instance,
            frozen: false,
            needs_value: false,
            evaluated: None,
        };
        self.tables.parameters.push(ParameterInfo { parameter, model, origin });
        self.tables.parameter_numbers.insert(path.clone(), number);
        self.initial(Outcome::Parameter(number), &path, &dims, init, scope);
        number
    }

    /// The parameter of that number, read whole in the current pass.
    pub(super) fn parameter_term(&mut self, number: usize) -> Term {
        let p = self.tables.parameters[number].parameter.clone();
        let ty = Type { per_sample: false, dims: p.dims, element: Element::Number };
        let id = self.builder().outside(Definition::Parameter(number), &p.path, ty, p.span);
        self.builder().read(id, p.span)
    }

    /// Writes an initial value into the init pass.
    pub(super) fn initial(
        &mut self,
        outcome: Outcome,
        path: &str,
        dims: &[usize],
        init: &'a ast::Expr,
        scope: &Env<'a>,
    ) {
        self.within(PassKind::Init, |s| {
            let target = Target {
                path: path.into(),
                axes: s.builder().axes(dims),
                dims: dims.to_vec(),
                lifted: 0,
                per_sample: false,
            };
            if let Some(term) = s.distribution(target, init, scope)
                && let Some(term) = s.float_term(Entity::Term(term), init.span)
                && let Some((id, _)) = s.builder().define(&term, path, init.span)
            {
                s.builder().outcome(outcome, id);
            }
        });
    }

    /// `state m: [c] = 0`.
    fn state(
        &mut self,
        name: &'a ast::Ident,
        saved: Option<&str>,
        ty: Option<&'a ast::TypeExpr>,
        init: &'a ast::Expr,
        span: Span,
        scope: &Env<'a>,
    ) -> Entity<'a> {
        let role = self.activation().role;
        let dims = match (ty, role) {
            (Some(ty), _) => self.declared(ty, scope).as_ref().and_then(Declared::dims).map(<[usize]>::to_vec),
            (None, Role::Rule(p)) => Some(self.tables.parameters[p].parameter.dims.clone()),
            (None, Role::Forward | Role::Schedule) => Some(vec![]),
        };
        let entity = match dims {
            Some(dims) if self.may_declare("state", name) && self.declares(name) => {
                let saved = saved.unwrap_or(&name.name);
                match role {
                    Role::Forward => self.forward_state(name, saved, dims, init, span, scope),
                    Role::Rule(p) => self.slot_of_rule(p, name, saved, dims, init, span, scope),
                    Role::Schedule => {
                        let path = self.path(&name.name);
                        let saved = self.path(saved);
                        self.slot(name, State { path, saved, dims, span, told: true }, init, scope)
                    }
                }
            }
            _ => Entity::Poison,
        };
        self.bind_once(name, entity.clone(), scope);
        entity
    }

    fn forward_state(
        &mut self,
        name: &'a ast::Ident,
        saved: &str,
        dims: Vec<usize>,
        init: &'a ast::Expr,
        span: Span,
        scope: &Env<'a>,
    ) -> Entity<'a> {
        let path = self.path(&name.name);
        let number = match self.tables.state_numbers.get(&path).copied() {
            Some(n) => {
                let State { span: known, dims: was, .. } = self.tables.states[n].clone();
                let origin = self.tables.state_origins[n].clone();
                if !self.same_place(&path, (known, known), &origin, span) {
                    return Entity::Poison;
                }
                if was != dims {
                    let (was, is) = (shape_text(&was), shape_text(&dims));
                    let message = format!(
                        "one layer is used twice, but its state `{path}` would be {was} in one use and {is} in the other"
                    );
                    return self.fail(Diagnostic::error("shape-mismatch", name.span, message));
                }
                n
            }
            None => {
                let saved = self.path(saved);
                if !self.saved_once(&saved, &path, span) {
                    return Entity::Poison;
                }
                self.tables.states.push(State { path: path.clone(), saved, dims: dims.clone(), span, told: false });
                let number = self.tables.states.len() - 1;
                let origin = self.activation().origin.clone();
                self.tables.state_origins.push(origin);
                self.tables.state_numbers.insert(path.clone(), number);
                self.initial(Outcome::State(number), &path, &dims, init, scope);
                number
            }
        };
        self.activation().states.insert(name.name.clone(), number);
        let ty = Type { per_sample: false, dims, element: Element::Number };
        let id = self.builder().outside(Definition::State(number), &path, ty, span);
        let before = self.builder().read(id, span);
        let now = self.state.next.get(&number).cloned().unwrap_or(before);
        Entity::Term(self.carry_state(number, now, span))
    }

    /// A state of a rule. Its initial value may be made of `theta`, which is the parameter's.
    fn slot_of_rule(
        &mut self,
        parameter: usize,
        name: &'a ast::Ident,
        saved: &str,
        dims: Vec<usize>,
        init: &'a ast::Expr,
        span: Span,
        scope: &Env<'a>,
    ) -> Entity<'a> {
        let of = self.tables.parameters[parameter].parameter.clone();
        let start = self.within(PassKind::Init, |s| s.start_of(parameter));
        let scope = Scope::inside(Some(scope));
        if let Some(start) = start {
            scope.bind("theta", Entity::Term(start), span);
        }
        let slot = State { path: join(&of.path, &name.name), saved: join(&of.saved, saved), dims, span, told: true };
        self.slot(name, slot, init, &scope)
    }

    /// The initial value of a parameter, in the init pass.
    pub(super) fn start_of(&mut self, parameter: usize) -> Option<Term> {
        let builder = self.builder();
        let id = builder.known_outcome(&Outcome::Parameter(parameter))?;
        let span = builder.pass.v(id).span;
        Some(builder.read(id, span))
    }

    fn slot(&mut self, name: &'a ast::Ident, slot: State, init: &'a ast::Expr, scope: &Env<'a>) -> Entity<'a> {
        let number = self.tables.slots.len();
        let State { path, dims, span, .. } = slot.clone();
        self.tables.slots.push(slot);
        self.initial(Outcome::Slot(number), &path, &dims, init, scope);
        self.activation().states.insert(name.name.clone(), number);
        let ty = Type { per_sample: false, dims, element: Element::Number };
        let id = self.builder().outside(Definition::Slot(number), &path, ty, span);
        Entity::Term(self.builder().read(id, span))
    }

    /// `m' = e`: the next value of a state, or of the parameter in an optimiser.
    fn next_value(&mut self, base: &str, entity: Entity<'a>, span: Span) -> Entity<'a> {
        let role = self.activation().role;
        let state = self.state.activations.iter().rev().find_map(|a| a.states.get(base).copied());
        let (dims, outcome) = match (role, state) {
            (Role::Rule(p), None) if base == "theta" => {
                (self.tables.parameters[p].parameter.dims.clone(), Outcome::Parameter(p))
            }
            (Role::Rule(_) | Role::Schedule, Some(n)) => (self.tables.slots[n].dims.clone(), Outcome::Slot(n)),
            (Role::Forward, Some(n)) => (self.tables.states[n].dims.clone(), Outcome::State(n)),
            _ => {
                let d = Diagnostic::error(
                    "unknown-name",
                    span,
                    format!("there is no state `{base}` here whose next value this could be"),
                )
                .help(format!("declare it before: `state {base} = 0`"));
                return self.fail(d);
            }
        };
        let Some(term) = self.float_term(entity, span) else { return Entity::Poison };
        if self.builder().per_sample(&term) {
            let d = Diagnostic::error(
                "state-per-sample",
                span,
                format!("the next value of `{base}` differs from sample to sample, but a state is one for all"),
            )
            .here("one value for all samples")
            .help(format!("reduce over the batch first, such as `{base}' = mean[batch] ..`"));
            return self.fail(d);
        }
        if !term.dims.is_empty() && term.dims != dims {
            let d = Diagnostic::error(
                "shape-mismatch",
                span,
                format!(
                    "the next value of `{base}` has shape {}, but the state is {}",
                    shape_text(&term.dims),
                    shape_text(&dims)
                ),
            )
            .label(term.origin, "its shape comes from here");
            return self.fail(d);
        }
        let term = self.fill(term, &dims);
        let path = match &outcome {
            Outcome::Parameter(p) => self.tables.parameters[*p].parameter.path.clone(),
            Outcome::Slot(n) => self.tables.slots[*n].path.clone(),
            _ => self.path(base),
        };
        let Some((id, read)) = self.builder().define(&term, &format!("{path}'"), span) else { return Entity::Poison };
        if let Outcome::State(n) = outcome {
            self.moved(n);
            self.state.next.insert(n, read.clone());
        }
        if self.pass() != PassKind::Init && self.context.scan.is_none() {
            self.builder().outcome(outcome, id);
        }
        Entity::Term(read)
    }

    /// A scalar spread over the extents; anything else as it is.
    pub(super) fn fill(&mut self, mut term: Term, dims: &[usize]) -> Term {
        if term.dims.is_empty() && !dims.is_empty() {
            term.axes = self.builder().axes(dims);
            term.dims = dims.to_vec();
        }
        term
    }
}
