//! Where the elaborator is: the calls it is inside of and the instances whose bodies they are.

use crate::scalar::Kind;
use grammar::ast;
use grammar::span::Span;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A callable being elaborated, and the call that did it.
pub struct Call<'a> {
    /// What was called.
    pub callable: &'a ast::Callable,
    /// The call.
    pub span: Span,
    /// The tensors given: where each shape comes from, and the shape.
    pub given: Vec<(Span, Vec<usize>)>,
    /// All that decides what the call becomes, if it is no more than this.
    pub plain: Option<Vec<Plain>>,
}

/// An argument as far as it decides what a call becomes.
#[derive(PartialEq)]
pub enum Plain {
    /// Not given.
    Default,
    /// A number, by its bits.
    Number(u64),
    /// A truth value.
    Bool(bool),
    /// Extents.
    Dims(Vec<usize>),
    /// A tensor of that shape.
    Tensor(Vec<usize>, Kind),
}

/// Whose parameters and states a body declares.
#[derive(Clone, Copy, PartialEq)]
pub enum Role {
    /// A layer, a model, or the train block itself.
    Forward,
    /// The update rule of the parameter of that number.
    Rule(usize),
    /// A schedule with states of its own.
    Schedule,
}

/// Which instance it is: the places that made it, the outermost first. Two instances may come to have one path, by the
/// names that were given; these tell them apart.
pub type Origin = Rc<[Span]>;

/// An origin and one place more.
pub fn made_at(origin: &Origin, span: Span) -> Origin {
    origin.iter().copied().chain([span]).collect()
}

/// The names of instances, parameters and states in an instance.
#[derive(Clone, Default)]
pub struct Names {
    /// How often each was asked for.
    counts: BTreeMap<String, u32>,
    /// Those that are taken, and where.
    taken: BTreeMap<String, Span>,
}

impl Names {
    /// `name`, or `name2`, `name3`.. where it is taken.
    pub fn numbered(&mut self, name: &str, span: Span) -> String {
        let count = self.counts.entry(name.to_string()).or_insert(0);
        loop {
            *count += 1;
            let numbered = if *count == 1 { name.to_string() } else { format!("{name}{count}") };
            if !self.taken.contains_key(&numbered) {
                self.taken.insert(numbered.clone(), span);
                return numbered;
            }
        }
    }

    /// Where the name was taken.
    pub fn place(&self, name: &str) -> Option<Span> {
        self.taken.get(name).copied()
    }
}

/// One elaboration of an instance's body.
#[derive(Clone)]
pub struct Activation {
    /// Its path; empty for the train block and its model.
    pub path: String,
    /// Which instance it is.
    pub origin: Origin,
    /// The model it belongs to.
    pub model: Option<String>,
    /// The application that made it.
    pub made: Span,
    /// What it may declare.
    pub role: Role,
    /// The names given here.
    pub used: Names,
    /// Its states by name, as numbers in the tables.
    pub states: BTreeMap<String, usize>,
}

impl Activation {
    /// An instance at a path, in which nothing has happened yet.
    pub fn new(path: String, origin: Origin, model: Option<String>, made: Span, role: Role) -> Self {
        Self { path, origin, model, made, role, used: Names::default(), states: BTreeMap::new() }
    }

    /// The train block itself, which is never left.
    pub fn outermost(made: Span) -> Self {
        Self::new(String::new(), Rc::from([]), None, made, Role::Forward)
    }
}

/// `a.b`, or the one that is not empty.
pub(super) fn join(path: &str, name: &str) -> String {
    match (path, name) {
        ("", n) => n.to_string(),
        (p, "") => p.to_string(),
        (p, n) => format!("{p}.{n}"),
    }
}
