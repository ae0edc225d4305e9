//! Types as written, with their dimensions as numbers: evaluation of `[c, floor(h / 2), ..s]`,
//! solving of the variables of a signature from the tensors given, comparison of what is declared
//! with what came out.

use super::Elaborator;
use super::entity::{Entity, Env, Term, shape_text};
use super::number::Num;
use crate::check::resolve::children;
use crate::scalar::Kind;
use crate::typed::Element;
use crate::typed::expr::whole;
use grammar::ast::{self, CallableKind, DimExpr, ExprKind, TypeKind};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;
use std::rc::Rc;

/// Elements of one tensor beyond which it is refused.
const LARGEST: usize = 1 << 36;

/// A declared type with numbers in it.
#[derive(Clone, Debug)]
pub enum Declared {
    /// A tensor.
    Tensor { dims: Vec<usize>, element: Element, span: Span },
    /// A record of types.
    Record(Vec<(String, Declared)>),
    /// A word such as `number`, which says nothing of shapes.
    Word,
}

/// Where a value meets a type.
#[derive(Clone, Copy)]
pub struct Meeting {
    /// What a message about it points at.
    pub at: Span,
    /// The value itself: the same place, unless it was piped into a call further on.
    pub value: Span,
}

impl Meeting {
    /// An argument and the call that takes it: what is piped in stands before the call.
    pub fn of(value: Span, call: Span) -> Self {
        Self { at: if call.contains(value) { value } else { call }, value }
    }

    fn piped(self) -> bool {
        self.at != self.value
    }
}

impl From<Span> for Meeting {
    fn from(at: Span) -> Self {
        Self { at, value: at }
    }
}

impl Declared {
    /// The extents of a tensor type.
    pub fn dims(&self) -> Option<&[usize]> {
        match self {
            Self::Tensor { dims, .. } => Some(dims),
            _ => None,
        }
    }
}

impl<'a> Elaborator<'a> {
    /// A type with its dimensions evaluated; `None` after an error.
    pub fn declared(&mut self, ty: &'a ast::TypeExpr, env: &Env<'a>) -> Option<Declared> {
        match &ty.kind {
            TypeKind::Tensor { dims, of } => {
                let element = match of {
                    Some(of) => self.element_type(of, env)?,
                    None => Element::Number,
                };
                let mut out = vec![];
                for dim in dims {
                    out.extend(self.dim_entry(dim, env)?);
                }
                self.size_allowed(&out, ty.span)?;
                Some(Declared::Tensor { dims: out, element, span: ty.span })
            }
            TypeKind::Class(_) => {
                Some(Declared::Tensor { dims: vec![], element: self.element_type(ty, env)?, span: ty.span })
            }
            TypeKind::Record(fields) => {
                let mut out = vec![];
                for (name, ty) in fields {
                    out.push((name.name.clone(), self.declared(ty, env)?));
                }
                Some(Declared::Record(out))
            }
            TypeKind::Name(word) if matches!(word.as_str(), "number" | "bool") => {
                Some(Declared::Tensor { dims: vec![], element: self.element_type(ty, env)?, span: ty.span })
            }
            TypeKind::Name(_) => Some(Declared::Word),
            TypeKind::Error => {
                self.broken = true;
                None
            }
        }
    }

    fn size_allowed(&mut self, dims: &[usize], span: Span) -> Option<()> {
        let size = dims.iter().try_fold(1usize, |n, d| n.checked_mul(*d)).filter(|n| *n <= LARGEST);
        if size.is_none() {
            let d = Diagnostic::error(
                "too-large",
                span,
                format!("a tensor {} is too large for any machine", shape_text(dims)),
            );
            self.fail(d);
        }
        size.map(|_| ())
    }

    fn element_type(&mut self, ty: &'a ast::TypeExpr, env: &Env<'a>) -> Option<Element> {
        match &ty.kind {
            TypeKind::Class(count) => {
                let entity = self.eval(count, env);
                Some(Element::Class(self.extent(&entity, count.span)?))
            }
            TypeKind::Name(n) if n == "number" => Some(Element::Number),
            TypeKind::Name(n) if n == "bool" => Some(Element::Bool),
            TypeKind::Error => None,
            _ => {
                let d = Diagnostic::error(
                    "wrong-kind",
                    ty.span,
                    "a tensor's elements are numbers, `of class(n)` or `of bool`",
                );
                self.fail(d);
                None
            }
        }
    }

    /// The extents one entry of a tensor type stands for.
    fn dim_entry(&mut self, dim: &'a DimExpr, env: &Env<'a>) -> Option<Vec<usize>> {
        match dim {
            DimExpr::Dim(e) => {
                let entity = self.eval(e, env);
                let errors = self.sink.list.len();
                let extent = self.extent(&entity, e.span);
                if extent.is_none() && self.sink.list.len() > errors {
                    self.sink.annotate(e.span, &values_text(e, env));
                }
                extent.map(|n| vec![n])
            }
            DimExpr::Pack(name) => match env.find(&name.name) {
                Some((Entity::Dims(dims), _)) => Some(dims),
                Some((Entity::Poison, _)) => None,
                _ => {
                    let d = Diagnostic::error(
                        "unknown-name",
                        name.span,
                        format!("there is no pack of dimensions `..{}` here", name.name),
                    );
                    self.fail(d.help(format!("name it after the callable: `fn f[..{0}](x: [..{0}])`", name.name)));
                    None
                }
            },
        }
    }

    /// A whole number of at least 1; `None` after an error.
    pub fn extent(&mut self, entity: &Entity<'a>, span: Span) -> Option<usize> {
        if let Entity::Number(n) = entity
            && n.whole().is_none()
        {
            let message = format!("this dimension comes out as {}, which is not whole", n.text());
            let d = Diagnostic::error("dimension-not-whole", span, message)
                .help("round it with `floor(..)` or `ceil(..)`, or choose sizes that divide");
            self.fail(d);
            return None;
        }
        let n = self.whole(entity, span)?;
        match usize::try_from(n).ok().filter(|n| *n >= 1) {
            Some(n) => Some(n),
            None => {
                let d = Diagnostic::error(
                    "dimension-too-small",
                    span,
                    format!("this dimension comes out as {n}, but every extent is at least 1"),
                );
                self.fail(
                    d.note("what is taken is larger than what it is taken from, such as a window than its image"),
                );
                None
            }
        }
    }

    /// Binds the dimension variables that the type mentions by name, from the extents of what was
    /// given; says `false` after an error. Everything else is compared later.
    pub(super) fn solve(
        &mut self,
        ty: &'a ast::TypeExpr,
        given: &Term,
        at: Meeting,
        callable: &'a ast::Callable,
        env: &Env<'a>,
    ) -> bool {
        match &ty.kind {
            TypeKind::Tensor { dims, of } => {
                if let Some(of) = of {
                    self.solve_class(of, given, callable, env);
                }
                self.solve_dims(dims, given, (ty.span, at), callable, env)
            }
            TypeKind::Class(_) => {
                self.solve_class(ty, given, callable, env);
                true
            }
            _ => true,
        }
    }

    fn solve_class(&mut self, ty: &'a ast::TypeExpr, given: &Term, callable: &'a ast::Callable, env: &Env<'a>) {
        let TypeKind::Class(count) = &ty.kind else { return };
        let element = self.builder().element(&given.expr, given.kind);
        if let (ExprKind::Name(name), Element::Class(n)) = (&count.kind, element)
            && callable.dims.iter().any(|d| d.name.name == *name)
            && env.find(name).is_none()
        {
            env.bind(name, Entity::Number(Num::int(n as i64)), ty.span);
        }
    }

    fn solve_dims(
        &mut self,
        dims: &'a [DimExpr],
        given: &Term,
        (declared, at): (Span, Meeting),
        callable: &'a ast::Callable,
        env: &Env<'a>,
    ) -> bool {
        let singles = dims.iter().filter(|d| matches!(d, DimExpr::Dim(_))).count();
        let packs = dims.len() - singles;
        let fits = if packs == 0 { given.dims.len() == singles } else { given.dims.len() >= singles };
        if !fits {
            self.rank_mismatch(dims, given, declared, at, callable);
            return false;
        }
        let spread = given.dims.len() - singles;
        let mut place = 0;
        for dim in dims {
            match dim {
                DimExpr::Dim(e) => {
                    if let ExprKind::Name(name) = &e.kind
                        && callable.dims.iter().any(|d| !d.pack && d.name.name == *name)
                        && env.find(name).is_none()
                    {
                        env.bind(name, Entity::Number(Num::int(given.dims[place] as i64)), e.span);
                    }
                    place += 1;
                }
                DimExpr::Pack(name) => {
                    let width = match env.find(&name.name) {
                        Some((Entity::Dims(known), _)) => known.len(),
                        _ => {
                            env.bind(&name.name, Entity::Dims(given.dims[place..place + spread].to_vec()), name.span);
                            spread
                        }
                    };
                    place += width;
                }
            }
        }
        true
    }

    fn rank_mismatch(
        &mut self,
        dims: &'a [DimExpr],
        given: &Term,
        declared: Span,
        at: Meeting,
        callable: &'a ast::Callable,
    ) {
        let name = &callable.name.name;
        let singles = dims.iter().filter(|d| matches!(d, DimExpr::Dim(_))).count();
        let least = if singles < dims.len() { "at least " } else { "" };
        let wanted = match (singles, least) {
            (0, "") => "a single number".to_string(),
            (1, "") => "a vector".to_string(),
            (1, _) => "a tensor of at least 1 dimension".to_string(),
            _ => format!("a tensor of {least}{singles} dimensions"),
        };
        let shape = shape_text(&given.dims);
        let is = match (given.dims.len(), self.builder().element(&given.expr, given.kind)) {
            (0, Element::Class(n)) => format!("a class, one of {n}"),
            (0, _) => "a single number".to_string(),
            (1, _) => format!("a vector {shape}"),
            (n, _) => format!("a tensor of {n} dimensions, {shape}"),
        };
        let d = Diagnostic::error("rank-mismatch", at.at, format!("`{name}` takes {wanted}, but is given {is}"));
        let mut d = self.with_origin(d, given, at).label(declared, format!("what `{name}` takes is declared here"));
        let vector = singles == 1 && least.is_empty();
        if let (true, Some(reshape)) = (vector && given.dims.len() > 1, self.items.reshaper()) {
            let text = format!("make one vector of it first: `|> {reshape} |> {name}(..)`");
            let before = Span { end: at.at.start, ..at.at };
            d = if at.piped() { d.fix(text, before, format!("{reshape} |> ")) } else { d.help(text) };
        }
        if vector && given.dims.is_empty() && given.kind == Kind::Float {
            d = d.help("a single number is no vector of one element: declare it `[1]` if it should be one");
        }
        self.fail(d);
    }

    /// Labels that say which shape is given, and where it comes from.
    fn with_origin(&self, d: Diagnostic, given: &Term, at: Meeting) -> Diagnostic {
        let shape = if given.dims.is_empty() { "a single number".into() } else { shape_text(&given.dims) };
        let from = |d: Diagnostic, origin| d.label(origin, format!("{shape} comes from here"));
        let d = match at.piped() {
            true if given.origin == at.value => from(d.here(format!("takes {shape} from the left")), at.value),
            true => d.here(format!("takes {shape} from the left")).label(at.value, format!("this hands on {shape}")),
            false => d.here(format!("this is {shape}")),
        };
        if given.origin == at.value || given.origin == at.at { d } else { from(d, given.origin) }
    }

    /// A value as its declared type reads it: lists and numbers are tensors, and what is written with whole numbers is
    /// a class where one is declared.
    pub fn as_declared(&mut self, declared: &Declared, value: Entity<'a>, span: Span) -> Entity<'a> {
        match (declared, value) {
            (Declared::Tensor { element, .. }, value @ (Entity::List(_) | Entity::Number(_) | Entity::Term(_))) => {
                let classes = matches!(element, Element::Class(_));
                let term = if classes { self.class_term(value, span) } else { self.term(value, span) };
                term.map_or(Entity::Poison, Entity::Term)
            }
            (Declared::Record(types), Entity::Record(values)) => {
                let of = |name: &str| types.iter().find(|t| t.0 == name).map(|t| &t.1);
                let read = values.iter().map(|(name, value)| match of(name) {
                    Some(ty) => (name.clone(), self.as_declared(ty, value.clone(), span)),
                    None => (name.clone(), value.clone()),
                });
                Entity::Record(Rc::new(read.collect()))
            }
            (_, other) => other,
        }
    }

    /// Compares what was given to a parameter, or came out of a body, with its type. Says `false`
    /// after an error. `what` begins the message.
    pub fn conforms(&mut self, declared: &Declared, given: &Entity<'a>, at: impl Into<Meeting>, what: &str) -> bool {
        let meeting = at.into();
        let at = meeting.at;
        match (declared, given) {
            (_, Entity::Poison) => false,
            (Declared::Word, _) => true,
            (Declared::Tensor { dims, element, span }, Entity::Term(term)) => {
                self.tensor_conforms(dims, *element, *span, term, meeting, what)
            }
            (Declared::Tensor { dims, .. }, Entity::Number(_) | Entity::Bool(_)) if dims.is_empty() => true,
            (Declared::Record(types), Entity::Record(values)) => {
                types.iter().all(|(name, ty)| match values.iter().find(|v| v.0 == *name) {
                    Some((_, value)) => self.conforms(ty, value, meeting, &format!("{what}, field `{name}`,")),
                    None => {
                        self.fail(Diagnostic::error("missing-argument", at, format!("{what} has no field `{name}`")));
                        false
                    }
                })
            }
            (Declared::Tensor { dims, span, .. }, other) => {
                let message = format!("{what} should be a tensor {}, but is {}", shape_text(dims), other.words());
                let mut d = Diagnostic::error("wrong-kind", at, message).label(*span, "declared here");
                if let (Entity::Template(t), Some(input)) = (other, self.input_at_hand())
                    && matches!(t.callable.kind, CallableKind::Layer | CallableKind::Model | CallableKind::Fn)
                {
                    let before = Span { end: at.start, ..at };
                    let name = &t.callable.name.name;
                    d = d.fix(format!("give it its input: `{input} |> {name}(..)`"), before, format!("{input} |> "));
                }
                self.fail(d);
                false
            }
            (Declared::Record(_), other) => {
                self.fail(Diagnostic::error(
                    "wrong-kind",
                    at,
                    format!("{what} should be a record, but is {}", other.words()),
                ));
                false
            }
        }
    }

    fn tensor_conforms(
        &mut self,
        dims: &[usize],
        element: Element,
        span: Span,
        term: &Term,
        at: Meeting,
        what: &str,
    ) -> bool {
        if term.dims != dims {
            let code = if term.dims.len() == dims.len() { "shape-mismatch" } else { "rank-mismatch" };
            let (wanted, is) = (shape_text(dims), shape_text(&term.dims));
            let d = Diagnostic::error(code, at.at, format!("{what} should have shape {wanted}, but has {is}"));
            let d = self.with_origin(d, term, at).label(span, format!("declared here: {wanted} in this use"));
            let mut d = self.with_extent(d, dims, term);
            match (element, self.builder().element(&term.expr, term.kind)) {
                (Element::Class(n), Element::Number) => d = self.as_classes(d, n, dims, term),
                (Element::Number, Element::Class(n)) if term.dims.is_empty() && dims == [n] => {
                    d = d.help(format!("declare the label as shares of all classes: `[{n}] = .. |> one_hot`"));
                }
                _ => {}
            }
            self.fail(d);
            return false;
        }
        let is = self.builder().element(&term.expr, term.kind);
        match (element, is) {
            (Element::Class(n), Element::Class(m)) if n != m && !(m < n && self.is_computed(term)) => {
                let d = Diagnostic::error(
                    "shape-mismatch",
                    at.at,
                    format!("{what} should be one of {n} classes, but is one of {m}"),
                )
                .here(format!("this is one of {m} classes"))
                .label(span, format!("declared here: {n} classes in this use"))
                .label(term.origin, format!("the {m} classes come from here"));
                self.fail(d);
                false
            }
            (Element::Class(_), Element::Number | Element::Bool) => {
                let d = Diagnostic::error(
                    "class-needs-whole-number",
                    at.at,
                    format!("{what} should be a class, a whole number of known range, but is a real number"),
                )
                .label(span, "declared here")
                .label(term.origin, "this comes from here")
                .note("a class is computed from indices and classes, or is the place of a maximum: `argmax[c: n] ..`");
                let Element::Class(n) = element else { return false };
                let d = self.as_classes(d, n, dims, term);
                self.fail(d);
                false
            }
            _ => true,
        }
    }

    /// A field of numbers where classes are needed: the type to declare it with.
    fn as_classes(&self, d: Diagnostic, classes: usize, dims: &[usize], given: &Term) -> Diagnostic {
        let class = format!("class({classes})");
        let ty = if dims.is_empty() { class } else { format!("{} of {class}", shape_text(dims)) };
        match self.items.field_type(given.origin) {
            Some(at) => d.fix(format!("declare it with its number of classes: `{ty}`"), at, ty),
            None => d.help(format!("what is to be a class is declared as one: `{ty}`")),
        }
    }

    /// Where a single extent differs and was given to the call that made the shape: the number to write there.
    fn with_extent(&self, d: Diagnostic, wanted: &[usize], given: &Term) -> Diagnostic {
        if wanted.len() != given.dims.len() {
            return d;
        }
        let mut wrong = wanted.iter().zip(&given.dims).enumerate().filter(|(_, (w, is))| w != is);
        let (Some((axis, (extent, is))), None) = (wrong.next(), wrong.next()) else { return d };
        match self.extents.get(&given.origin).and_then(|known| known.iter().find(|e| e.0 == axis)) {
            Some((_, at)) if !self.items.is_library(*at) => {
                d.fix(format!("write {extent} instead of {is} where the shape is made"), *at, extent.to_string())
            }
            _ => d,
        }
    }

    /// Whether the elements are computed from indices rather than read from data.
    fn is_computed(&self, term: &Term) -> bool {
        term.kind == Kind::Int && !matches!(term.expr, crate::typed::Expr::Read { .. })
    }
}

/// Real numbers that are whole as written, as whole numbers; anything else as it is.
pub(super) fn whole_term(term: Term) -> Term {
    match whole(&term.expr).filter(|_| term.kind == Kind::Float) {
        Some(expr) => Term { expr, kind: Kind::Int, ..term },
        None => term,
    }
}

/// `with h = 2, kernel = 5`: what the names in a dimension stand for.
fn values_text(dim: &ast::Expr, env: &Env<'_>) -> String {
    fn collect(e: &ast::Expr, env: &Env<'_>, out: &mut Vec<String>) {
        if let ExprKind::Name(name) = &e.kind
            && let Some((Entity::Number(n), _)) = env.find(name)
        {
            let text = format!("{name} = {}", n.text());
            if !out.contains(&text) {
                out.push(text);
            }
        }
        children(e, &mut |c| collect(c, env, out));
    }
    let mut out = vec![];
    collect(dim, env, &mut out);
    if out.is_empty() { String::new() } else { format!("with {}", out.join(", ")) }
}
