//! Arithmetic, comparisons and choices: on numbers known while compiling at once, on tensors
//! element by element. Tensors of equal shape combine, a scalar combines with anything, and
//! nothing else broadcasts.

use super::Elaborator;
use super::callable::is_input;
use super::dims::whole_term;
use super::entity::{Entity, Env, Term, shape_text};
use super::number::Num;
use crate::scalar::{Binary, Kind, Unary};
use crate::typed::bounds;
use crate::typed::expr::{binary as make_binary, literal, rebuild, substitute, unary as make_unary};
use crate::typed::{Definition, Element, Expr, IndexId, Type};
use grammar::ast::{self, BinaryOp, UnaryOp};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;
use nnc_core::numeric::{eval_binary_f64, eval_unary_f64};
use std::rc::Rc;

/// Entries of a list up to which they are chosen one by one; more numbers than that lie in memory.
const CHOSEN: usize = 16;

/// An operand: a constant whose kind follows its partner, or a term.
#[derive(Clone)]
pub(super) enum Operand {
    /// A number known while compiling.
    Number(Num),
    /// Anything else.
    Term(Term),
}

/// Operands with common axes.
pub(super) struct Aligned {
    axes: Vec<IndexId>,
    dims: Vec<usize>,
    origin: Span,
    parts: Vec<Operand>,
}

impl Operand {
    fn kind(&self) -> Kind {
        match self {
            Self::Number(n) if n.whole().is_some() => Kind::Int,
            Self::Number(_) => Kind::Float,
            Self::Term(t) => t.kind,
        }
    }

    fn expr(&self, kind: Kind) -> Expr {
        match self {
            Self::Number(n) => literal(n.value, kind),
            Self::Term(t) => convert(&t.expr, t.kind, kind),
        }
    }
}

/// The expression as the wider kind.
fn convert(expr: &Expr, from: Kind, to: Kind) -> Expr {
    if from != to && to == Kind::Float { make_unary(Unary::ToFloat, expr.clone()) } else { expr.clone() }
}

/// `Float` unless every operand is a whole number.
fn wider(parts: &[Operand]) -> Kind {
    let whole = parts.iter().all(|p| p.kind() == Kind::Int);
    if whole { Kind::Int } else { Kind::Float }
}

impl<'a> Elaborator<'a> {
    /// The entity as an operand; `None` after an error.
    pub(super) fn operand(&mut self, entity: Entity<'a>, span: Span) -> Option<Operand> {
        match self.settle(entity, span) {
            Entity::Number(n) => Some(Operand::Number(n)),
            other => self.term(other, span).map(Operand::Term),
        }
    }

    /// The entity as a tensor or scalar; `None` after an error.
    pub fn term(&mut self, entity: Entity<'a>, span: Span) -> Option<Term> {
        match self.settle(entity, span) {
            Entity::Poison => None,
            Entity::Term(t) => Some(t),
            Entity::Number(n) => {
                let expr = n.whole().map_or(Expr::Number(n.value), Expr::Int);
                Some(self.builder().scalar(expr, span))
            }
            Entity::Bool(b) => Some(self.builder().scalar(Expr::Bool(b), span)),
            Entity::List(list) => self.list_term(list, span),
            other => {
                let words = other.words();
                let mut d = Diagnostic::error(
                    "wrong-kind",
                    span,
                    format!("a number or tensor is needed here, but this is {words}"),
                );
                d = self.way_to_a_tensor(d, &other, span);
                self.fail(d);
                None
            }
        }
    }

    /// How to come from something else to the tensor that is needed.
    fn way_to_a_tensor(&self, d: Diagnostic, given: &Entity<'a>, span: Span) -> Diagnostic {
        let t = match given {
            Entity::Template(t) => t,
            Entity::Thunk(_) => {
                return d.help("what is random is drawn with `~`, as a statement: `u: [n] ~ uniform(0, 1)`");
            }
            Entity::Text(text) => return self.unquoted(d, text, span),
            _ => return d,
        };
        let name = &t.callable.name.name;
        match (t.callable.kind, self.input_at_hand()) {
            (ast::CallableKind::Init, _) => {
                d.help(format!("fill a tensor with it, `{name}([n])`, or draw one: `z: [n] ~ {name}`"))
            }
            (_, Some(input)) if t.instance.is_none() && !self.items.is_library(span) => {
                let bare = (span.end - span.start) as usize == name.len();
                let inside = span.start + name.len() as u32 + 1;
                let (at, edit) = match bare {
                    true => (span.end, format!("({input})")),
                    false => {
                        (inside, if t.bound.iter().any(Option::is_some) { format!("{input}, ") } else { input.into() })
                    }
                };
                let place = Span { start: at, end: at, ..span };
                let written = if bare { format!("{name}({input})") } else { format!("{name}({input}, ..)") };
                d.fix(format!("give it its input: `{written}`"), place, edit)
            }
            _ => {
                let own = t.instance.as_ref().and_then(|i| i.path.rsplit('.').next()).unwrap_or(name);
                d.help(format!("give it its input: `{own}(..)` or `.. |> {own}`"))
            }
        }
    }

    /// The first input of the callable around us, or the first field of the data: what a layer most often takes.
    pub(super) fn input_at_hand(&self) -> Option<&str> {
        match self.calls.last() {
            Some(call) => {
                let input = call.callable.params.iter().find(|p| is_input(call.callable, p));
                input.map(|p| p.name.name.as_str())
            }
            None => self.train.as_ref().and_then(|t| t.fields.first()).map(|f| f.name.as_str()),
        }
    }

    /// A text where what it says was meant: a number, or the name of something.
    pub fn unquoted(&self, d: Diagnostic, text: &str, span: Span) -> Diagnostic {
        let number = text.starts_with(|c: char| c.is_ascii_digit()) && text.parse::<f64>().is_ok();
        match number || self.items.callable(text, span).is_some() {
            true => d.fix(format!("write it without quotes: `{text}`"), span, text),
            false => d,
        }
    }

    /// The term with real elements.
    pub fn float_term(&mut self, entity: Entity<'a>, span: Span) -> Option<Term> {
        let mut term = self.term(entity, span)?;
        term.expr = convert(&term.expr, term.kind, Kind::Float);
        term.kind = Kind::Float;
        Some(term)
    }

    /// Operands on common axes, or a report of the shapes that differ.
    fn align(&mut self, parts: Vec<(Operand, Span)>) -> Option<Aligned> {
        let lead = parts.iter().find_map(|(p, s)| match p {
            Operand::Term(t) if !t.axes.is_empty() => Some((t.clone(), *s)),
            _ => None,
        });
        let Some((lead, lead_span)) = lead else {
            let origin = parts.first().map_or(Span::default(), |p| p.1);
            let parts = parts.into_iter().map(|p| p.0).collect();
            return Some(Aligned { axes: vec![], dims: vec![], origin, parts });
        };
        let mut out = vec![];
        for (part, span) in parts {
            let part = match part {
                Operand::Term(mut t) if !t.axes.is_empty() => {
                    if t.dims != lead.dims {
                        self.shape_mismatch((&lead, lead_span), (&t, span));
                        return None;
                    }
                    let map: Vec<_> = t.axes.iter().zip(&lead.axes).map(|(a, b)| (*a, Expr::Index(*b))).collect();
                    t.expr = substitute(&t.expr, &map);
                    Operand::Term(t)
                }
                other => other,
            };
            out.push(part);
        }
        Some(Aligned { axes: lead.axes, dims: lead.dims, origin: lead.origin, parts: out })
    }

    fn shape_mismatch(&mut self, left: (&Term, Span), right: (&Term, Span)) {
        let (a, b) = (shape_text(&left.0.dims), shape_text(&right.0.dims));
        let code = if left.0.dims.len() == right.0.dims.len() { "shape-mismatch" } else { "rank-mismatch" };
        let message = format!("tensors of shape {a} and {b} cannot be combined element by element");
        let mut d = Diagnostic::error(code, left.1.to(right.1), message)
            .here("both sides must have the same shape")
            .label(left.1, format!("this is {a}"))
            .label(right.1, format!("this is {b}"));
        for (term, span) in [left, right] {
            if term.origin != span && term.origin != Span::default() {
                d = d.label(term.origin, format!("the shape {} comes from here", shape_text(&term.dims)));
            }
        }
        d = match left.0.dims.len() == right.0.dims.len() {
            true => d.help(format!("bring one of them to the shape of the other first: both {a} or both {b}")),
            false => d.help(index_by_index(&left.0.dims, &right.0.dims)),
        };
        self.fail(d);
    }

    fn joined(&mut self, aligned: Aligned, expr: Expr) -> Entity<'a> {
        let kind = self.builder().pass.kind_of(&expr);
        let pass = self.pass();
        Entity::Term(Term { axes: aligned.axes, dims: aligned.dims, expr, kind, origin: aligned.origin, pass })
    }

    /// `a op b`.
    pub fn binary(&mut self, op: BinaryOp, left: (Entity<'a>, Span), right: (Entity<'a>, Span)) -> Entity<'a> {
        if let Some(folded) = fold(op, &left.0, &right.0) {
            return folded;
        }
        let (a, b) = (self.operand(left.0, left.1), self.operand(right.0, right.1));
        let (Some(a), Some(b)) = (a, b) else { return Entity::Poison };
        if let (Operand::Number(x), Operand::Number(y)) = (&a, &b) {
            return fold_numbers(op, *x, *y);
        }
        let bools = [&a, &b].iter().filter(|o| o.kind() == Kind::Bool).count();
        let logical = matches!(op, BinaryOp::And | BinaryOp::Or);
        if logical && bools < 2 {
            let span = if a.kind() == Kind::Bool { right.1 } else { left.1 };
            let d = Diagnostic::error("wrong-kind", span, "`&&` and `||` combine conditions, but this is a number");
            return self.fail(d.help("compare it with something, such as `> 0`"));
        }
        let Some(aligned) = self.align(vec![(a, left.1), (b, right.1)]) else { return Entity::Poison };
        let kind = match op {
            BinaryOp::And | BinaryOp::Or => Kind::Bool,
            BinaryOp::Div | BinaryOp::Pow => Kind::Float,
            BinaryOp::Eq | BinaryOp::Ne if bools == 2 => Kind::Bool,
            _ => wider(&aligned.parts),
        };
        if op == BinaryOp::Mod && !(kind == Kind::Int && positive(&aligned.parts[1])) {
            let d = Diagnostic::error(
                "wrong-kind",
                right.1,
                "`mod` takes a whole number on the left and a positive dimension on the right",
            );
            return self.fail(d);
        }
        let (x, y) = (aligned.parts[0].expr(kind), aligned.parts[1].expr(kind));
        let expr = operation(op, x, y);
        self.joined(aligned, expr)
    }

    /// `-a` and `!a`.
    pub(super) fn prefix(&mut self, op: UnaryOp, value: Entity<'a>, span: Span) -> Entity<'a> {
        match (op, &value) {
            (UnaryOp::Neg, Entity::Number(n)) => return Entity::Number(n.neg()),
            (UnaryOp::Not, Entity::Bool(b)) => return Entity::Bool(!b),
            _ => {}
        }
        let Some(mut term) = self.term(value, span) else { return Entity::Poison };
        let wanted = op == UnaryOp::Not;
        if wanted != (term.kind == Kind::Bool) {
            let words = if wanted {
                "`!` takes a condition, but this is a number"
            } else {
                "`-` takes a number, but this is a condition"
            };
            return self.fail(Diagnostic::error("wrong-kind", span, words));
        }
        term.expr = make_unary(if wanted { Unary::Not } else { Unary::Neg }, term.expr);
        Entity::Term(term)
    }

    /// A scalar function applied to a number or element by element.
    pub(super) fn scalar_function(&mut self, op: Unary, value: Entity<'a>, span: Span) -> Entity<'a> {
        let value = self.settle(value, span);
        if let Entity::Number(n) = value {
            return Entity::Number(known(op, n));
        }
        let Some(mut term) = self.term(value, span) else { return Entity::Poison };
        let whole = term.kind == Kind::Int;
        if whole && matches!(op, Unary::Floor | Unary::Ceil | Unary::Round | Unary::Detach) {
            return Entity::Term(term);
        }
        let quotient = if matches!(op, Unary::Floor | Unary::Ceil) { whole_quotient(op, &term.expr) } else { None };
        if let Some(expr) = quotient {
            (term.expr, term.kind) = (expr, Kind::Int);
            return Entity::Term(term);
        }
        if !(whole && op == Unary::Abs) {
            term.expr = convert(&term.expr, term.kind, Kind::Float);
            term.kind = Kind::Float;
        }
        term.expr = make_unary(op, term.expr);
        Entity::Term(term)
    }

    /// `max(a, b)`, `min(a, b)`.
    pub(super) fn extremum(&mut self, op: Binary, left: (Entity<'a>, Span), right: (Entity<'a>, Span)) -> Entity<'a> {
        let (a, b) = (self.operand(left.0, left.1), self.operand(right.0, right.1));
        let (Some(a), Some(b)) = (a, b) else { return Entity::Poison };
        if let (Operand::Number(x), Operand::Number(y)) = (&a, &b) {
            let first = if op == Binary::Max { x.value >= y.value } else { x.value <= y.value };
            return Entity::Number(if first { *x } else { *y });
        }
        let Some(aligned) = self.align(vec![(a, left.1), (b, right.1)]) else { return Entity::Poison };
        let kind = wider(&aligned.parts);
        let expr = make_binary(op, aligned.parts[0].expr(kind), aligned.parts[1].expr(kind));
        self.joined(aligned, expr)
    }

    /// `zero_or_product(a, b)`, `zero_or_quotient(a, b)`.
    pub(super) fn zero_or(&mut self, op: Binary, left: (Entity<'a>, Span), right: (Entity<'a>, Span)) -> Entity<'a> {
        let (a, b) = (self.operand(left.0, left.1), self.operand(right.0, right.1));
        let (Some(a), Some(b)) = (a, b) else { return Entity::Poison };
        if let (Operand::Number(x), Operand::Number(y)) = (&a, &b) {
            return Entity::Number(Num::float(eval_binary_f64(op, x.value, y.value)));
        }
        let Some(aligned) = self.align(vec![(a, left.1), (b, right.1)]) else { return Entity::Poison };
        let expr = make_binary(op, aligned.parts[0].expr(Kind::Float), aligned.parts[1].expr(Kind::Float));
        self.joined(aligned, expr)
    }

    /// `if c then a else b`, per element; a condition known while compiling chooses at once.
    pub(super) fn select(
        &mut self,
        condition: &'a ast::Expr,
        then: &'a ast::Expr,
        otherwise: &'a ast::Expr,
        env: &Env<'a>,
    ) -> Entity<'a> {
        let c = self.eval(condition, env);
        match c {
            Entity::Poison => return Entity::Poison,
            Entity::Bool(true) => return self.eval(then, env),
            Entity::Bool(false) => return self.eval(otherwise, env),
            _ => {}
        }
        let Some(c) = self.term(c, condition.span) else { return Entity::Poison };
        if c.kind != Kind::Bool {
            let d = Diagnostic::error("wrong-kind", condition.span, "a condition is needed here, but this is a number");
            return self.fail(d.help("compare it, such as `x > 0`"));
        }
        let a = self.under(&c.expr, true, |s| s.eval(then, env));
        let b = self.under(&c.expr, false, |s| s.eval(otherwise, env));
        let (a, b) = (self.operand(a, then.span), self.operand(b, otherwise.span));
        let (Some(a), Some(b)) = (a, b) else { return Entity::Poison };
        let parts = vec![(Operand::Term(c), condition.span), (a, then.span), (b, otherwise.span)];
        let Some(aligned) = self.align(parts) else { return Entity::Poison };
        let kind = match (aligned.parts[1].kind(), aligned.parts[2].kind()) {
            (Kind::Bool, Kind::Bool) => Kind::Bool,
            // Two literals are numbers, not classes: `if c then 1 else 0`.
            _ if aligned.parts[1..].iter().all(|p| matches!(p, Operand::Number(_))) => Kind::Float,
            _ => wider(&aligned.parts[1..]),
        };
        let c = aligned.parts[0].expr(Kind::Bool);
        let (a, b) = (aligned.parts[1].expr(kind), aligned.parts[2].expr(kind));
        let expr = Expr::Select(Box::new(c), Box::new(a), Box::new(b));
        self.joined(aligned, expr)
    }

    /// Elaborates with what a condition says about indices known.
    fn under(&mut self, condition: &Expr, holds: bool, f: impl FnOnce(&mut Self) -> Entity<'a>) -> Entity<'a> {
        let facts = bounds::facts(&self.builder().pass, condition, holds);
        self.inside(|c| Rc::make_mut(&mut c.facts).extend(facts), f)
    }

    /// `[a, b, c]` as a tensor: many numbers lie in memory, else the elements are chosen by position.
    pub(super) fn list_term(&mut self, list: Vec<Entity<'a>>, span: Span) -> Option<Term> {
        if let Some((dims, values)) = numbers(&list)
            && values.len() > CHOSEN
        {
            return Some(self.listed(dims, values, Element::Number, span));
        }
        let mut parts = vec![];
        for entity in list {
            let term = self.float_or_whole(entity, span)?;
            parts.push((Operand::Term(term), span));
        }
        let n = parts.len();
        if n == 0 {
            self.fail(Diagnostic::error("wrong-kind", span, "an empty list has no shape; every extent is at least 1"));
            return None;
        }
        let scalar = parts.iter().all(|p| matches!(&p.0, Operand::Term(t) if t.axes.is_empty()));
        let tensors = parts.iter().all(|p| matches!(&p.0, Operand::Term(t) if !t.axes.is_empty()));
        if !scalar && !tensors {
            self.fail(Diagnostic::error("rank-mismatch", span, "the entries of a list must all have the same shape"));
            return None;
        }
        let aligned = self.align(parts)?;
        let kind = wider(&aligned.parts);
        let exprs: Vec<_> = aligned.parts.iter().map(|p| p.expr(kind)).collect();
        let axis = self.builder().axes(&[n])[0];
        let chosen = choice(axis, 0, exprs);
        let axes = std::iter::once(axis).chain(aligned.axes).collect();
        let dims = std::iter::once(n).chain(aligned.dims).collect();
        Some(Term { axes, dims, expr: chosen, kind, origin: span, pass: self.pass() })
    }

    /// A value that is a class where it is written as a whole number.
    pub(super) fn class_term(&mut self, value: Entity<'a>, span: Span) -> Option<Term> {
        if let Entity::List(list) = &value
            && let Some((dims, values)) = numbers(list)
            && values.len() > CHOSEN
            && values.iter().all(|v| v.fract() == 0.0 && (0.0..f64::from(i32::MAX)).contains(v))
        {
            let classes = values.iter().fold(0.0, |most: f64, v| most.max(*v)) as usize + 1;
            return Some(self.listed(dims, values, Element::Class(classes), span));
        }
        self.term(value, span).map(whole_term)
    }

    /// Numbers as they are listed, as a value of the pass.
    fn listed(&mut self, dims: Vec<usize>, values: Vec<f64>, element: Element, span: Span) -> Term {
        let name = self.value_name("list");
        let ty = Type { per_sample: false, dims, element };
        let id = self.builder().outside(Definition::Listed(values.into()), &name, ty, span);
        self.builder().read(id, span)
    }

    fn float_or_whole(&mut self, entity: Entity<'a>, span: Span) -> Option<Term> {
        match entity {
            Entity::Number(n) => Some(self.builder().scalar(Expr::Number(n.value), span)),
            other => self.term(other, span),
        }
    }
}

/// The extents of a list of numbers, or of lists of numbers in one shape, and the numbers row-major.
fn numbers(list: &[Entity]) -> Option<(Vec<usize>, Vec<f64>)> {
    let (mut inner, mut values): (Option<Vec<usize>>, Vec<f64>) = (None, vec![]);
    for entity in list {
        let shape = match entity {
            Entity::Number(n) => {
                values.push(n.value);
                vec![]
            }
            Entity::List(list) => {
                let (shape, more) = numbers(list)?;
                values.extend(more);
                shape
            }
            _ => return None,
        };
        if inner.get_or_insert_with(|| shape.clone()) != &shape {
            return None;
        }
    }
    Some((std::iter::once(list.len()).chain(inner?).collect(), values))
}

/// The entry whose place along the axis it is: a few are asked one after the other, more by halves, so that the expression
/// is no deeper than it must be.
fn choice(axis: IndexId, first: usize, mut entries: Vec<Expr>) -> Expr {
    let asked =
        |op, place: usize| Box::new(Expr::Binary(op, Box::new(Expr::Index(axis)), Box::new(Expr::Int(place as i64))));
    if entries.len() > CHOSEN {
        let half = entries.len() / 2;
        let upper = choice(axis, first + half, entries.split_off(half));
        let lower = choice(axis, first, entries);
        return Expr::Select(asked(Binary::Lt, first + half), Box::new(lower), Box::new(upper));
    }
    let Some(last) = entries.pop() else { return Expr::Number(0.0) };
    let before = entries.into_iter().enumerate().rev();
    before.fold(last, |rest, (n, e)| Expr::Select(asked(Binary::Eq, first + n), Box::new(e), Box::new(rest)))
}

fn positive(part: &Operand) -> bool {
    match part {
        Operand::Number(n) => n.whole().is_some_and(|w| w > 0),
        Operand::Term(t) => t.expr == Expr::BatchSize,
    }
}

/// `floor(a / n)` of a whole `a` and a positive whole `n`, as an integer; divided by one it is `a` already.
fn whole_quotient(op: Unary, expr: &Expr) -> Option<Expr> {
    if let Expr::Unary(Unary::ToFloat, a) = expr {
        return Some((**a).clone());
    }
    let Expr::Binary(Binary::Div, a, b) = expr else { return None };
    let (Expr::Unary(Unary::ToFloat, a), Expr::Number(n)) = (&**a, &**b) else { return None };
    if n.fract() != 0.0 || *n < 1.0 || *n > 1e9 {
        return None;
    }
    let n = *n as i64;
    let a = rebuild(a, &mut Expr::clone);
    let up = if op == Unary::Ceil { make_binary(Binary::Add, a, Expr::Int(n - 1)) } else { a };
    Some(make_binary(Binary::FloorDiv, up, Expr::Int(n)))
}

fn operation(op: BinaryOp, a: Expr, b: Expr) -> Expr {
    match op {
        BinaryOp::Add => make_binary(Binary::Add, a, b),
        BinaryOp::Sub => make_binary(Binary::Sub, a, b),
        BinaryOp::Mul => make_binary(Binary::Mul, a, b),
        BinaryOp::Div => make_binary(Binary::Div, a, b),
        BinaryOp::Pow => make_binary(Binary::Pow, a, b),
        BinaryOp::Mod => make_binary(Binary::Mod, a, b),
        BinaryOp::Eq => make_binary(Binary::Eq, a, b),
        BinaryOp::Ne => make_unary(Unary::Not, make_binary(Binary::Eq, a, b)),
        BinaryOp::Lt => make_binary(Binary::Lt, a, b),
        BinaryOp::Le => make_binary(Binary::Le, a, b),
        BinaryOp::Gt => make_binary(Binary::Lt, b, a),
        BinaryOp::Ge => make_binary(Binary::Le, b, a),
        BinaryOp::And => make_binary(Binary::And, a, b),
        BinaryOp::Or => make_binary(Binary::Or, a, b),
    }
}

/// What is known while compiling.
fn fold<'a>(op: BinaryOp, a: &Entity<'a>, b: &Entity<'a>) -> Option<Entity<'a>> {
    match (op, a, b) {
        (_, Entity::Poison, _) | (_, _, Entity::Poison) => Some(Entity::Poison),
        (_, Entity::Number(x), Entity::Number(y)) => Some(fold_numbers(op, *x, *y)),
        (BinaryOp::And, Entity::Bool(false), _) | (BinaryOp::And, _, Entity::Bool(false)) => Some(Entity::Bool(false)),
        (BinaryOp::Or, Entity::Bool(true), _) | (BinaryOp::Or, _, Entity::Bool(true)) => Some(Entity::Bool(true)),
        (BinaryOp::And, Entity::Bool(true), x) | (BinaryOp::And, x, Entity::Bool(true)) => Some(x.clone()),
        (BinaryOp::Or, Entity::Bool(false), x) | (BinaryOp::Or, x, Entity::Bool(false)) => Some(x.clone()),
        (BinaryOp::Eq, Entity::Bool(x), Entity::Bool(y)) => Some(Entity::Bool(x == y)),
        (BinaryOp::Ne, Entity::Bool(x), Entity::Bool(y)) => Some(Entity::Bool(x != y)),
        (BinaryOp::Eq, Entity::Text(x), Entity::Text(y)) => Some(Entity::Bool(x == y)),
        (BinaryOp::Ne, Entity::Text(x), Entity::Text(y)) => Some(Entity::Bool(x != y)),
        _ => None,
    }
}

fn fold_numbers<'a>(op: BinaryOp, a: Num, b: Num) -> Entity<'a> {
    let order = |holds: bool| Entity::Bool(holds);
    let same = a.sub(b).whole().map_or(a.value == b.value, |d| d == 0);
    match op {
        BinaryOp::Add => Entity::Number(a.add(b)),
        BinaryOp::Sub => Entity::Number(a.sub(b)),
        BinaryOp::Mul => Entity::Number(a.mul(b)),
        BinaryOp::Div => Entity::Number(a.div(b)),
        BinaryOp::Pow => Entity::Number(a.pow(b)),
        BinaryOp::Mod => Entity::Number(a.modulo(b)),
        BinaryOp::Eq => order(same),
        BinaryOp::Ne => order(!same),
        BinaryOp::Lt => order(!same && a.value < b.value),
        BinaryOp::Le => order(same || a.value < b.value),
        BinaryOp::Gt => order(!same && a.value > b.value),
        BinaryOp::Ge => order(same || a.value > b.value),
        BinaryOp::And => order(a.value != 0.0 && b.value != 0.0),
        BinaryOp::Or => order(a.value != 0.0 || b.value != 0.0),
    }
}

/// A scalar function of a number known while compiling: what compiled code gives in 64 bits.
fn known(op: Unary, n: Num) -> Num {
    let v = n.value;
    match op {
        Unary::Neg => n.neg(),
        Unary::Floor => n.floor(),
        Unary::Ceil => n.ceil(),
        Unary::Abs => {
            if v < 0.0 {
                n.neg()
            } else {
                n
            }
        }
        Unary::Detach | Unary::ToFloat | Unary::Not => n,
        Unary::Round => Num::literal(v.round_ties_even(), &format!("{}", v.round_ties_even())),
        Unary::Sqrt => Num::literal(v.sqrt(), &format!("{}", v.sqrt())),
        _ => Num::float(eval_unary_f64(op, v)),
    }
}

/// How to write the combination of two shapes out, index by index.
fn index_by_index(left: &[usize], right: &[usize]) -> String {
    let names = ["i", "j", "k", "l", "m", "n"];
    let longer = left.len().max(right.len()).min(names.len());
    let list = |n: usize| names[longer - n.min(longer)..longer].join(", ");
    let read = |name: &str, n: usize| if n == 0 { name.to_string() } else { format!("{name}[{}]", list(n)) };
    format!(
        "nothing broadcasts by itself; say which elements meet: `y[{}] = {} + {}`",
        list(longer),
        read("a", left.len()),
        read("b", right.len())
    )
}
