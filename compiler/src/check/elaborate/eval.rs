//! Expressions: what each form stands for. Names, fields, records and compile-time choices are
//! here; arithmetic, reads, reductions and calls have files of their own.

use super::Elaborator;
use super::block::Progress;
use super::dims::Declared;
use super::entity::{Entity, Env, Lambda, PassKind, Scope, Template, Term, Thunk};
use super::frames::join;
use super::number::Num;
use super::recurrence::ScanForm;
use crate::check::report::nearest;
use crate::check::resolve::{Primitive, known_names, names_a_split, primitive};
use crate::scalar::{Binary, Kind};
use crate::typed::expr::{binary, free};
use crate::typed::{Definition, Element, Expr, SAMPLE, Supplied, Type};
use grammar::ast::{self, ExprKind};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;
use std::rc::Rc;

/// Bytes of the stack that one more level of nesting may take, and how many are added where there are fewer: a program
/// may nest deeper than the stack of a thread allows.
const STACK_LEFT: usize = 256 << 10;
const STACK_MORE: usize = 4 << 20;

/// Turns of one `for` beyond which it is refused.
const MOST_TURNS: i64 = 10_000;

impl<'a> Elaborator<'a> {
    /// What the expression stands for.
    pub fn eval(&mut self, expr: &'a ast::Expr, env: &Env<'a>) -> Entity<'a> {
        let defining = self.defining.take();
        let entity = match self.enter(expr.span) {
            true => stacker::maybe_grow(STACK_LEFT, STACK_MORE, || self.eval_form(expr, env, defining)),
            false => Entity::Poison,
        };
        self.depth -= 1;
        entity
    }

    fn eval_form(&mut self, expr: &'a ast::Expr, env: &Env<'a>, defining: Option<String>) -> Entity<'a> {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Number { value, text } => Entity::Number(Num::literal(*value, text)),
            ExprKind::Bool(b) => Entity::Bool(*b),
            ExprKind::Text(t) => Entity::Text(t.clone()),
            ExprKind::Name(name) => self.name(name, span, env),
            ExprKind::Paren(e) => self.eval(e, env),
            ExprKind::Unary { op, value } => {
                let v = self.eval(value, env);
                self.prefix(*op, v, value.span)
            }
            ExprKind::Binary { op, left, right } => {
                let (a, b) = (self.eval(left, env), self.eval(right, env));
                if self.compares_count(*op, left, &b, env) {
                    return self.count_for_number(left.span);
                }
                if self.compares_count(*op, right, &a, env) {
                    return self.count_for_number(right.span);
                }
                self.binary(*op, (a, left.span), (b, right.span))
            }
            ExprKind::Select { condition, then, otherwise } => self.select(condition, then, otherwise, env),
            ExprKind::Call { callee, .. } if self.waits_for_target(callee, env) => self.later(expr, env),
            ExprKind::Call { callee, args } => self.call(callee, args, None, None, span, env),
            ExprKind::Pipe { .. } => self.pipeline(expr, None, env),
            ExprKind::As { value, name } => self.named(value, name, env),
            ExprKind::Index { base, at } => self.index(base, at, None, span, env),
            ExprKind::Guarded { read, otherwise } => self.guarded(read, otherwise, env),
            ExprKind::Sample { base, at } => self.sample(base, at, env),
            ExprKind::Field { field, .. } if field.name == "*" => self.set_of_path(expr),
            ExprKind::Field { base, field } => self.field(base, field, env),
            ExprKind::Reduce { op, indices, body } => self.reduce(*op, indices, body, span, env),
            ExprKind::If { condition, then, otherwise } => self.choose(condition, then, otherwise.as_ref(), None, env),
            ExprKind::For { index, from, to, carry, body } => {
                self.unroll(index, (from, to), carry.as_ref(), body, defining, env)
            }
            ExprKind::Scan { index, sequence, carry, body } => {
                self.scan(ScanForm { element: index, sequence, carry: carry.as_ref(), body, span }, env)
            }
            ExprKind::Lambda { params, body } => {
                Entity::Lambda(Rc::new(Lambda { params, body, env: env.clone(), span }))
            }
            ExprKind::Record(fields) => {
                let values = fields.iter().map(|(n, e)| (n.name.clone(), self.eval(e, env))).collect();
                Entity::Record(Rc::new(values))
            }
            ExprKind::List(items) => Entity::List(items.iter().map(|e| self.eval(e, env)).collect()),
            ExprKind::GradAt(point) => self.grad_at(point, span, env),
            ExprKind::On { .. } | ExprKind::Over { .. } | ExprKind::Sequence(_) => {
                let d = Diagnostic::error(
                    "wrong-kind",
                    span,
                    "`on`, `over` and lists without brackets stand only in the settings of a train block",
                );
                self.fail(d)
            }
            ExprKind::Error => self.unreadable(),
        }
    }

    /// Whether `batch`, how many samples there are, is compared with the number of one, or asked to equal an index: no
    /// sample and no index has that number, so another is meant. In parentheses it is meant as it stands.
    fn compares_count(&mut self, op: ast::BinaryOp, name: &ast::Expr, other: &Entity<'a>, env: &Env<'a>) -> bool {
        use ast::BinaryOp as Op;
        let Entity::Term(term) = other else { return false };
        if !self.is_count(name, env) {
            return false;
        }
        match op {
            Op::Eq | Op::Ne => term.kind == Kind::Int && term.expr != Expr::BatchSize,
            Op::Lt | Op::Le | Op::Gt | Op::Ge => self.builder().counts_samples(&term.expr),
            _ => false,
        }
    }

    /// Whether this is the name `batch`, how many samples there are.
    pub(super) fn is_count(&self, expr: &ast::Expr, env: &Env<'a>) -> bool {
        matches!(&expr.kind, ExprKind::Name(name) if name == "batch") && env.find("batch").is_none()
    }

    /// `batch` where the number of a sample is meant.
    pub(super) fn count_for_number(&mut self, span: Span) -> Entity<'a> {
        let d = count_as_number(span);
        self.fail(d.fix("write `this` for the number of the sample at hand", span, "this"))
    }

    /// What the parser could not read, and has reported.
    pub(super) fn unreadable(&mut self) -> Entity<'a> {
        self.broken = true;
        Entity::Poison
    }

    /// Whether this calls a draw where no tensor to fill is known yet.
    fn waits_for_target(&self, callee: &ast::Expr, env: &Env<'a>) -> bool {
        let ExprKind::Name(name) = &callee.kind else { return false };
        let draw = matches!(primitive(name), Some(Primitive::Uniform | Primitive::Normal));
        draw && self.context.target.is_none()
            && env.find(name).is_none()
            && self.items.callable(name, callee.span).is_none()
    }

    /// Follows what is elaborated on demand: locals and fields of the train block, and, where a
    /// number is needed, schedules and distributions.
    pub fn settle(&mut self, entity: Entity<'a>, span: Span) -> Entity<'a> {
        match entity {
            Entity::Local(n) => self.local(n, span),
            Entity::Field(n) => self.data_field(n),
            Entity::Thunk(t) if self.context.target.is_some() => self.eval(t.expr, &t.env),
            Entity::Template(t) if self.applies_by_itself(&t) => self.apply_settings_only(&t, span),
            Entity::Poison => Entity::Poison,
            other => other,
        }
    }

    /// Whether a template that is named where we are means its value: a schedule in an update, an initialiser in a draw.
    pub(super) fn applies_by_itself(&self, template: &Template<'a>) -> bool {
        match template.callable.kind {
            ast::CallableKind::Schedule => self.pass() != PassKind::Init,
            ast::CallableKind::Init => self.context.target.is_some(),
            _ => false,
        }
    }

    /// What a name stands for.
    fn name(&mut self, name: &'a str, span: Span, env: &Env<'a>) -> Entity<'a> {
        if let Some((entity, _)) = env.find(name) {
            return self.seen(entity, name, span);
        }
        if let Some(entity) = self.implicit(name, span) {
            return entity;
        }
        if let Some(entity) = self.item(name, span) {
            return entity;
        }
        self.unknown_name(name, span, env)
    }

    /// A callable or function of the core, by name.
    pub(super) fn item(&self, name: &str, span: Span) -> Option<Entity<'a>> {
        if let Some(callable) = self.items.callable(name, span) {
            let bound = vec![None; callable.params.len()];
            return Some(Entity::Template(Rc::new(Template { callable, bound, instance: None })));
        }
        primitive(name).map(Entity::Primitive)
    }

    fn seen(&mut self, entity: Entity<'a>, name: &str, span: Span) -> Entity<'a> {
        match self.settle_local(entity, span) {
            Entity::Term(t) if t.pass != self.pass() && !free(&t.expr).is_empty() => self.other_pass(name, span),
            Entity::Term(t) if t.pass != self.pass() && matches!(t.expr, Expr::Read { .. }) => {
                self.other_pass(name, span)
            }
            other => other,
        }
    }

    fn settle_local(&mut self, entity: Entity<'a>, span: Span) -> Entity<'a> {
        match entity {
            Entity::Local(_) | Entity::Field(_) => self.settle(entity, span),
            other => other,
        }
    }

    fn other_pass(&mut self, name: &str, span: Span) -> Entity<'a> {
        let message = format!("`{name}` is computed in every step and cannot be used here, where it is not known yet");
        let d = Diagnostic::error("not-known-yet", span, message);
        self.fail(d.note("initial values and update rules see only settings, dimensions and what is declared for them"))
    }

    fn unknown_name(&mut self, name: &str, span: Span, env: &Env<'a>) -> Entity<'a> {
        if self.calls.is_empty() && self.train.as_ref().is_some_and(|t| t.fields_lost) {
            return Entity::Poison;
        }
        let mut d = Diagnostic::error("unknown-name", span, format!("there is no `{name}` here"));
        if self.sink.has_said(&d) {
            // The names of all callables were looked at before; what is worth saying of this one is said.
            return Entity::Poison;
        }
        let visible = if self.sink.may_guess() { env.visible() } else { vec![] };
        let words = visible.iter().map(String::as_str).filter(|n| !n.starts_with('\0'));
        let near = nearest(name, words.chain(self.items.callable_names()).chain(known_names()));
        if let Some(near) = near {
            d = d.fix(format!("did you mean `{near}`?"), span, near);
        } else if self.items.data(name).is_some() {
            d = d.help(format!(
                "`{name}` is a data block; its fields are visible in a train block with `data = {name}`"
            ));
        }
        self.fail(d)
    }

    /// Names that are there without being defined, by where we are.
    fn implicit(&mut self, name: &str, span: Span) -> Option<Entity<'a>> {
        let supplied = |s: &mut Self, which| Some(Entity::Term(s.supplied(which, span)));
        match name {
            "pi" => Some(Entity::Number(Num::float(std::f64::consts::PI))),
            "inf" => Some(Entity::Number(Num::float(f64::INFINITY))),
            "training" => Some(Entity::Bool(self.pass() == PassKind::Training)),
            "batch" if self.pass() != PassKind::Update => {
                Some(Entity::Term(self.builder().scalar(Expr::BatchSize, span)))
            }
            "this" => Some(match self.pass() {
                PassKind::Training | PassKind::Evaluation => {
                    Entity::Term(self.builder().scalar(Expr::Index(SAMPLE), span))
                }
                PassKind::Init | PassKind::Update => self.other_pass(name, span),
            }),
            "fan_in" | "fan_out" => self.fan(name == "fan_in"),
            "step" if self.knows_the_update() => supplied(self, Supplied::Step),
            "steps" if self.knows_the_update() => supplied(self, Supplied::Steps),
            "epoch" if self.knows_the_update() => supplied(self, Supplied::Epoch),
            "k" if self.knows_the_update() => {
                let mut term = self.supplied(Supplied::Step, span);
                term.expr = binary(Binary::Sub, term.expr, Expr::Number(1.0));
                Some(Entity::Term(term))
            }
            _ => None,
        }
    }

    /// Whether the number of the update has a name here: in the update itself, and in a schedule anywhere.
    fn knows_the_update(&self) -> bool {
        let in_schedule = self.calls.last().is_some_and(|c| c.callable.kind == ast::CallableKind::Schedule);
        self.pass() == PassKind::Update || (self.pass() != PassKind::Init && in_schedule)
    }

    pub(super) fn supplied(&mut self, which: Supplied, span: Span) -> Term {
        let name = match which {
            Supplied::Step => "step".to_string(),
            Supplied::Steps => "steps".to_string(),
            Supplied::Epoch => "epoch".to_string(),
            Supplied::Share => "share".to_string(),
            Supplied::Figure(n) => {
                let (split, figure) = &self.tables.figures[n];
                format!("{split}.{figure}")
            }
        };
        let ty = Type { per_sample: false, dims: vec![], element: Element::Number };
        let id = self.builder().outside(Definition::Supplied(which), &name, ty, span);
        self.builder().read(id, span)
    }

    /// For a parameter `[out, in, ..window]`: in or out times the window.
    fn fan(&self, inward: bool) -> Option<Entity<'a>> {
        let target = self.context.target.as_ref()?;
        let dims = &target.dims[target.lifted..];
        let window: usize = dims.iter().skip(2).product();
        let fan = match dims {
            [] => 1,
            [n] => *n,
            [out, into, ..] => window * if inward { into } else { out },
        };
        Some(Entity::Number(Num::int(fan as i64)))
    }

    /// A local of the train block, elaborated at its first use.
    fn local(&mut self, number: usize, span: Span) -> Entity<'a> {
        let Some(train) = &mut self.train else { return Entity::Poison };
        train.used.insert(number);
        let entry = &train.block.entries[number];
        match train.progress[number].clone() {
            Progress::Done(entity) => entity,
            Progress::Running => {
                let name = &entry.lhs.name;
                let d = Diagnostic::error("cyclic-definition", span, format!("`{}` is defined by itself", name.name));
                self.fail(d.label(name.span, "its definition").help("give the inner or the outer one another name"))
            }
            Progress::Waiting => {
                train.progress[number] = Progress::Running;
                let env = train.env.clone();
                let calls = std::mem::take(&mut self.calls);
                let entity = self.define(&entry.lhs, &entry.value, None, &env);
                self.calls = calls;
                if let Some(train) = &mut self.train {
                    train.progress[number] = Progress::Done(entity.clone());
                }
                entity
            }
        }
    }

    /// A field of the data set.
    fn data_field(&mut self, number: usize) -> Entity<'a> {
        let Some(field) = self.train.as_ref().and_then(|t| t.fields.get(number)).cloned() else {
            return Entity::Poison;
        };
        if !matches!(self.pass(), PassKind::Training | PassKind::Evaluation) {
            return self.other_pass(&field.name, field.span);
        }
        if let Some(term) = self.train.as_ref().and_then(|t| t.seen.get(&number)) {
            return Entity::Term(term.clone());
        }
        let known = self.tables.fields.iter().position(|f| f.name == field.name);
        let place = known.unwrap_or(self.tables.fields.len());
        if known.is_none() {
            self.tables.fields.push(field.clone());
        }
        let id = self.builder().outside(Definition::Field(place), &field.name, field.ty, field.span);
        Entity::Term(self.builder().read(id, field.span))
    }

    /// `record.field`.
    fn field(&mut self, base: &'a ast::Expr, field: &ast::Ident, env: &Env<'a>) -> Entity<'a> {
        if let ExprKind::Name(split) = &base.kind
            && names_a_split(split)
            && self.pass() == PassKind::Update
            && env.find(split).is_none()
        {
            return self.figure(split, field, base.span.to(field.span));
        }
        match self.eval(base, env) {
            Entity::Poison => Entity::Poison,
            Entity::Record(fields) => match fields.iter().find(|f| f.0 == field.name) {
                Some((_, value)) => value.clone(),
                None => {
                    let mut d = Diagnostic::error(
                        "unknown-name",
                        field.span,
                        format!("this record has no field `{}`", field.name),
                    );
                    if let Some(near) = nearest(&field.name, fields.iter().map(|f| f.0.as_str())) {
                        d = d.fix(format!("did you mean `{near}`?"), field.span, near);
                    }
                    self.fail(d)
                }
            },
            other => {
                let message = format!("only a record has fields, but this is {}", other.words());
                let mut d = Diagnostic::error("wrong-kind", base.span, message);
                if self.item(&field.name, field.span).is_some() {
                    let dot = Span { start: base.span.end, end: field.span.start, ..base.span };
                    let text = format!("values have no methods; hand it on: `.. |> {}`", field.name);
                    d = d.label(field.span, "this is a function").fix(text, dot, " |> ");
                }
                self.fail(d)
            }
        }
    }

    /// `if c { } else { }`: decided now.
    pub(super) fn choose(
        &mut self,
        condition: &'a ast::Expr,
        then: &'a ast::Block,
        otherwise: Option<&'a ast::Block>,
        tail: Option<&Declared>,
        env: &Env<'a>,
    ) -> Entity<'a> {
        let value = self.eval(condition, env);
        let mode = mentions_training(condition);
        let chosen = |s: &mut Self| match value {
            Entity::Bool(true) => s.block(then, tail, env),
            Entity::Bool(false) => otherwise.map_or(Entity::Nothing, |b| s.block(b, tail, env)),
            Entity::Poison => Entity::Poison,
            other => {
                let message =
                    format!("`if .. {{ }}` is decided while compiling, but this condition is {}", other.words());
                let d = Diagnostic::error("wrong-kind", condition.span, message)
                    .help("choose for each element instead: `if c then a else b`");
                s.fail(d)
            }
        };
        self.inside(|c| c.in_training_if |= mode, chosen)
    }

    /// `for l in a..b with h = x { }`: unrolled, instances of their own in each turn.
    fn unroll(
        &mut self,
        index: &'a ast::Ident,
        range: (&'a ast::Expr, &'a ast::Expr),
        carry: Option<&'a (ast::Ident, Box<ast::Expr>)>,
        body: &'a ast::Block,
        defining: Option<String>,
        env: &Env<'a>,
    ) -> Entity<'a> {
        let (from, to) = (self.eval(range.0, env), self.eval(range.1, env));
        let (Some(from), Some(to)) = (self.whole(&from, range.0.span), self.whole(&to, range.1.span)) else {
            return Entity::Poison;
        };
        if to.saturating_sub(from) >= MOST_TURNS {
            let d = Diagnostic::error(
                "too-deep",
                range.0.span.to(range.1.span),
                format!("a loop of more than {MOST_TURNS} turns is not unrolled"),
            );
            return self.fail(d);
        }
        let mut value = carry.map_or(Entity::Nothing, |(_, start)| self.eval(start, env));
        let prefix = defining.map(|n| self.numbered(&n, index.span)).unwrap_or_default();
        for turn in from..=to {
            let scope = Scope::inside(Some(env));
            scope.bind(&index.name, Entity::Number(Num::int(turn)), index.span);
            if let Some((name, _)) = carry {
                let shared = self.shared(value, &name.name, name.span);
                scope.bind(&name.name, shared, name.span);
            }
            let part = join(&prefix, &turn.to_string());
            self.push_activation(&part, index.span);
            value = self.block(body, None, &scope);
            self.state.activations.pop();
            if matches!(value, Entity::Poison) {
                return value;
            }
        }
        value
    }

    /// The entity with its tensor made a value of its own, so that uses read it.
    pub fn shared(&mut self, entity: Entity<'a>, name: &str, span: Span) -> Entity<'a> {
        match entity {
            Entity::Term(t) if t.pass == self.pass() => {
                let name = self.value_name(name);
                Entity::Term(self.builder().share(t, &name, span))
            }
            Entity::Record(fields) => {
                // A record that stands twice in another is written out twice.
                let good = self.enter(span);
                let mut one = |(n, e): &(String, Entity<'a>)| (n.clone(), self.shared(e.clone(), n, span));
                let values = good.then(|| fields.iter().map(&mut one).collect());
                self.depth -= 1;
                values.map_or(Entity::Poison, |values| Entity::Record(Rc::new(values)))
            }
            other => other,
        }
    }

    /// A whole number known while compiling; `None` after an error.
    pub fn whole(&mut self, entity: &Entity<'a>, span: Span) -> Option<i64> {
        match entity {
            Entity::Poison => None,
            Entity::Number(n) => n.whole().or_else(|| {
                let message = format!("a whole number is needed here, but this is {}", n.text());
                let d = Diagnostic::error("dimension-not-whole", span, message);
                // A number without a fraction is too large to be one that is computed with.
                let whole = n.value.fract() == 0.0 || n.value.is_infinite();
                self.fail(d.help(if whole { "take a smaller number" } else { "round it: `floor(..)` or `ceil(..)`" }));
                None
            }),
            other => {
                let message =
                    format!("a whole number known while compiling is needed here, but this is {}", other.words());
                let d = Diagnostic::error("wrong-kind", span, message);
                let d = if let Entity::Text(text) = other { self.unquoted(d, text, span) } else { d };
                self.fail(d);
                None
            }
        }
    }

    /// Keeps an expression for when its target is known.
    pub(super) fn later(&self, expr: &'a ast::Expr, env: &Env<'a>) -> Entity<'a> {
        Entity::Thunk(Rc::new(Thunk { expr, env: env.clone() }))
    }
}

/// Whether the condition depends on the mode.
fn mentions_training(condition: &ast::Expr) -> bool {
    match &condition.kind {
        ExprKind::Name(n) => n == "training",
        ExprKind::Paren(e) | ExprKind::Unary { value: e, .. } => mentions_training(e),
        ExprKind::Binary { left, right, .. } => mentions_training(left) || mentions_training(right),
        _ => false,
    }
}

/// `batch` is how many samples there are, and stands where the number of one is meant.
pub(super) fn count_as_number(span: Span) -> Diagnostic {
    let message = "`batch` is how many samples the minibatch has, and no sample has that number";
    Diagnostic::error("batch-is-a-count", span, message).here("the number of a sample is meant here")
}
