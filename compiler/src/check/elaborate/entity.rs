//! What a name can stand for while a program is elaborated, and the scopes that hold names.

use super::callable::kind_word;
use super::frames::Origin;
use super::number::Num;
use crate::check::resolve::Primitive;
use crate::scalar::Kind;
use crate::typed::{Expr, IndexId};
use grammar::ast;
use grammar::span::Span;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Which pass of the typed tree is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PassKind {
    /// Initial values.
    Init,
    /// Forward pass with `training` true.
    Training,
    /// Forward pass with `training` false.
    Evaluation,
    /// Clipping and update rules.
    Update,
}

/// A tensor as an expression: its element at `axes` is `expr`, which may mention other indices
/// that are in scope, and the sample.
#[derive(Clone, Debug)]
pub struct Term {
    /// One index per dimension; none for a scalar.
    pub axes: Vec<IndexId>,
    /// Their extents.
    pub dims: Vec<usize>,
    /// The element.
    pub expr: Expr,
    /// Of the element.
    pub kind: Kind,
    /// Where its shape comes from.
    pub origin: Span,
    /// The pass whose indices and values `expr` speaks of.
    pub pass: PassKind,
}

/// A member of a set of tensors: a parameter's number and the tensor.
#[derive(Clone, Debug)]
pub struct Member {
    /// By its place among the parameters.
    pub parameter: usize,
    /// The tensor itself, or its gradient.
    pub term: Term,
}

/// A callable with some of its settings bound, and the instance it stands for, if any.
#[derive(Clone)]
pub struct Template<'a> {
    /// Its definition.
    pub callable: &'a ast::Callable,
    /// For each parameter, the value bound.
    pub bound: Vec<Option<(Entity<'a>, Span)>>,
    /// The instance, where a name was bound to it.
    pub instance: Option<Instance>,
}

/// An instance of a layer or model that was given a name.
#[derive(Clone)]
pub struct Instance {
    /// Its path.
    pub path: String,
    /// Which instance it is.
    pub origin: Origin,
}

/// A local function.
pub struct Lambda<'a> {
    /// Its parameters.
    pub params: &'a [ast::Param],
    /// What it does.
    pub body: &'a ast::Body,
    /// Where it was written.
    pub env: Env<'a>,
    /// The expression.
    pub span: Span,
}

/// An expression kept for later: a distribution whose target is not known yet.
pub struct Thunk<'a> {
    /// The expression.
    pub expr: &'a ast::Expr,
    /// Where it was written.
    pub env: Env<'a>,
}

/// What a name or expression stands for.
#[derive(Clone)]
pub enum Entity<'a> {
    /// Wrong, and already reported.
    Poison,
    /// A number known while compiling.
    Number(Num),
    /// A truth value known while compiling.
    Bool(bool),
    /// A text.
    Text(String),
    /// A tensor, or a scalar that depends on indices or data.
    Term(Term),
    /// The extents of a pack `..s`.
    Dims(Vec<usize>),
    /// The indices of a pack `..i`.
    IndexPack(Vec<IndexId>),
    /// `[a, b]`.
    List(Vec<Entity<'a>>),
    /// `{ a = x, b = y }`.
    Record(Rc<Vec<(String, Entity<'a>)>>),
    /// A callable, perhaps with settings bound, perhaps an instance.
    Template(Rc<Template<'a>>),
    /// `fn(x) = e`.
    Lambda(Rc<Lambda<'a>>),
    /// A distribution waiting for its target.
    Thunk(Rc<Thunk<'a>>),
    /// A set of tensors.
    Set(Rc<Vec<Member>>),
    /// A function of the core language.
    Primitive(Primitive),
    /// A local of the train block, by number, elaborated when first used.
    Local(usize),
    /// A field of the data set, by number.
    Field(usize),
    /// Nothing: the value of an empty block.
    Nothing,
}

impl Entity<'_> {
    /// What it is, in words.
    pub fn words(&self) -> String {
        match self {
            Self::Poison => "an erroneous value".into(),
            Self::Number(n) => format!("the number {}", n.text()),
            Self::Bool(b) => format!("`{b}`"),
            Self::Text(t) => format!("the text \"{t}\""),
            Self::Term(t) if t.dims.is_empty() => "a number".into(),
            Self::Term(t) => format!("a tensor {}", shape_text(&t.dims)),
            Self::Dims(d) => format!("the dimensions {}", shape_text(d)),
            Self::IndexPack(_) => "a pack of indices".into(),
            Self::List(_) => "a list".into(),
            Self::Record(_) => "a record".into(),
            Self::Template(t) => format!("the {} `{}`", kind_word(t.callable.kind), t.callable.name.name),
            Self::Lambda(_) => "a function".into(),
            Self::Thunk(_) => "a distribution".into(),
            Self::Set(_) => "a set of tensors".into(),
            Self::Primitive(_) => "a function".into(),
            Self::Local(_) => "a local".into(),
            Self::Field(_) => "a field".into(),
            Self::Nothing => "nothing".into(),
        }
    }
}

/// `[6, 28, 28]`.
pub fn shape_text(dims: &[usize]) -> String {
    let parts: Vec<_> = dims.iter().map(ToString::to_string).collect();
    format!("[{}]", parts.join(", "))
}

/// Names and what they stand for; inner scopes see outer ones.
pub struct Scope<'a> {
    names: RefCell<Vec<(String, Entity<'a>, Span)>>,
    /// The first and the last place of a name among them.
    places: RefCell<HashMap<String, (usize, usize)>>,
    parent: Option<Env<'a>>,
}

/// A shared scope.
pub type Env<'a> = Rc<Scope<'a>>;

impl<'a> Scope<'a> {
    /// A scope inside `parent`.
    pub fn inside(parent: Option<&Env<'a>>) -> Env<'a> {
        Rc::new(Self { names: RefCell::default(), places: RefCell::default(), parent: parent.cloned() })
    }

    /// Binds a name here.
    pub fn bind(&self, name: &str, entity: Entity<'a>, span: Span) {
        let mut names = self.names.borrow_mut();
        let here = names.len();
        self.places.borrow_mut().entry(name.to_string()).or_insert((here, here)).1 = here;
        names.push((name.to_string(), entity, span));
    }

    /// What the name stands for, and where it was bound; the nearest scope wins.
    pub fn find(&self, name: &str) -> Option<(Entity<'a>, Span)> {
        let Some(place) = self.places.borrow().get(name).map(|p| p.1) else { return self.parent.as_ref()?.find(name) };
        self.names.borrow().get(place).map(|n| (n.1.clone(), n.2))
    }

    /// Where this very scope binds the name.
    pub fn bound_here(&self, name: &str) -> Option<Span> {
        let place = self.places.borrow().get(name)?.0;
        self.names.borrow().get(place).map(|n| n.2)
    }

    /// All visible names.
    pub fn visible(&self) -> Vec<String> {
        let mut names: Vec<String> = self.names.borrow().iter().map(|n| n.0.clone()).collect();
        if let Some(parent) = &self.parent {
            names.extend(parent.visible());
        }
        names
    }
}
