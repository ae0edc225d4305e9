//! The elaborator: an interpreter of the syntax tree whose values are the entities of
//! [`super::entity`] and whose effect is to write the passes of the typed tree. Every call is
//! inlined with concrete dimensions. This file holds its state and the bookkeeping all parts use.

use super::allowed::Written;
use super::bounds::Affine;
use super::builder::Builder;
use super::entity::{Entity, Env, PassKind, Term, shape_text};
use super::items::Items;
use super::report::Sink;
use super::scan::Scan;
use crate::scalar::Kind;
use crate::tally::{Work, count};
use crate::typed::{Field, Group, IndexId, Parameter, State, ValueId};
use grammar::ast;
use grammar::diagnostic::{Diagnostic, Label};
use grammar::span::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// A callable being elaborated, and the call that did it.
pub(super) struct Call<'a> {
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
pub(super) enum Plain {
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
pub(super) enum Role {
    /// A layer, a model, or the train block itself.
    Forward,
    /// The update rule of the parameter of that number.
    Rule(usize),
    /// A schedule with states of its own.
    Schedule,
}

/// Which instance it is: the places that made it, the outermost first. Two instances may come to have one path, by the
/// names that were given; these tell them apart.
pub(super) type Origin = Rc<[Span]>;

/// An origin and one place more.
pub(super) fn made_at(origin: &Origin, span: Span) -> Origin {
    origin.iter().copied().chain([span]).collect()
}

/// The names of instances, parameters and states in an instance.
#[derive(Clone, Default)]
pub(super) struct Names {
    /// How often each was asked for.
    counts: BTreeMap<String, u32>,
    /// Those that are taken, and where.
    taken: BTreeMap<String, Span>,
}

/// One elaboration of an instance's body.
#[derive(Clone)]
pub(super) struct Activation {
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
    fn outermost(made: Span) -> Self {
        Self::new(String::new(), Rc::from([]), None, made, Role::Forward)
    }
}

/// What a distribution is to fill.
#[derive(Clone)]
pub(super) struct Target {
    /// The draw's or parameter's path.
    pub path: String,
    /// Extents, those of surrounding indices first.
    pub dims: Vec<usize>,
    /// The indices that run over them.
    pub axes: Vec<IndexId>,
    /// How many of the axes belong to the surroundings.
    pub lifted: usize,
    /// Whether there is a draw for each sample.
    pub per_sample: bool,
}

/// A parameter and what only the checker needs to know of it.
pub(super) struct ParameterInfo {
    /// As it will be in the typed tree.
    pub parameter: Parameter,
    /// The model it belongs to.
    pub model: Option<String>,
    /// The instance that declares it.
    pub origin: Origin,
}

/// What all passes of a train block share.
#[derive(Default)]
pub(super) struct Tables {
    /// Parameters in order of first use.
    pub parameters: Vec<ParameterInfo>,
    /// Their numbers by path.
    pub parameter_numbers: BTreeMap<String, usize>,
    /// States in order of first use.
    pub states: Vec<State>,
    /// Their numbers by path.
    pub state_numbers: BTreeMap<String, usize>,
    /// The instances that declare them.
    pub state_origins: Vec<Origin>,
    /// States of the update rules.
    pub slots: Vec<State>,
    /// Fields of the data set that are used.
    pub fields: Vec<Field>,
    /// Draw sites taken, and by what.
    pub sites: BTreeMap<u32, String>,
    /// How many parameters there were when a set of them was last asked for.
    pub asked: Option<usize>,
    /// The objectives' names.
    pub objectives: Vec<String>,
    /// Which rule moves which parameters.
    pub groups: Vec<Group>,
    /// Figures that the update reads.
    pub figures: Vec<(String, String)>,
    /// What evaluation uses in the place of a parameter, as a value of the update pass.
    pub evaluated: BTreeMap<usize, ValueId>,
}

/// A local of the train block: not yet elaborated, being elaborated, or done.
#[derive(Clone)]
pub(super) enum Progress<'a> {
    /// Not looked at.
    Waiting,
    /// Its value needs itself if it is asked for now.
    Running,
    /// Its value.
    Done(Entity<'a>),
}

/// The train block being elaborated.
pub(super) struct TrainScope<'a> {
    /// Its syntax.
    pub block: &'a ast::Train,
    /// What its expressions see.
    pub env: Env<'a>,
    /// Its entries, in the current pass.
    pub progress: Vec<Progress<'a>>,
    /// Entries whose value something used.
    pub used: BTreeSet<usize>,
    /// The data set, by its fields.
    pub fields: Vec<Field>,
    /// What the pass at hand sees instead of a field, by the field's place.
    pub seen: BTreeMap<usize, Term>,
    /// Whether a field may be missing because its declaration, already reported, is wrong.
    pub fields_lost: bool,
    /// Whether several models share the block, so that each needs its name in paths.
    pub several_models: bool,
    /// The splits whose figures an epoch ends with.
    pub splits: Vec<&'static str>,
    /// Whether metrics are being elaborated, which may sum over all samples of a split.
    pub measuring: bool,
}

/// The state of the interpreter.
pub(super) struct Elaborator<'a> {
    /// All items by name.
    pub items: &'a Items<'a>,
    /// Where diagnostics go.
    pub sink: Sink,
    /// The four passes, by [`PassKind`].
    pub builders: Vec<Builder>,
    /// The pass being written.
    pub now: PassKind,
    /// Shared by the passes.
    pub tables: Tables,
    /// The calls we are inside of.
    pub calls: Vec<Call<'a>>,
    /// The instances we are inside of, outermost first; never empty.
    pub activations: Vec<Activation>,
    /// What is known where we are.
    pub facts: Vec<Affine>,
    /// Indices of the surrounding definitions and reductions.
    pub active: Vec<IndexId>,
    /// Distributions being elaborated.
    pub targets: Vec<Target>,
    /// The scan we are inside of.
    pub scan: Option<Scan>,
    /// The next value of states in the pass.
    pub next: BTreeMap<usize, Term>,
    /// By state: the calls around each place of the training pass that gives it its next value.
    pub moves: BTreeMap<usize, Vec<Vec<Span>>>,
    /// How often a draw of a path was made in the pass.
    pub draws: BTreeMap<String, u32>,
    /// The block.
    pub train: Option<TrainScope<'a>>,
    /// By the call that made a shape: which argument gave which of its extents.
    pub extents: BTreeMap<Span, Vec<(usize, Span)>>,
    /// How many `if training` surround us.
    pub training_ifs: usize,
    /// Nesting of expressions.
    pub depth: usize,
    /// Expressions elaborated; bounded.
    pub work: usize,
    /// Whether that bound was met, and reported.
    pub gave_up: bool,
    /// The callables applied, by the place of their names, and how often.
    pub called: BTreeMap<Span, (&'a str, usize)>,
    /// The name being defined, for the path of a loop's turns.
    pub defining: Option<String>,
    /// Whether something was met that the parser could not read, and has reported.
    pub broken: bool,
    /// The arguments that are names or numbers as written.
    pub written: BTreeMap<Span, Written<'a>>,
}

/// Nesting of expressions and calls beyond which we give up.
const DEEPEST: usize = 1500;
/// Expressions elaborated in one train block before we give up: with all they leave behind, some seconds and gigabytes.
const MOST_WORK: usize = 2_000_000;

impl<'a> Elaborator<'a> {
    /// An elaborator with empty passes.
    pub fn new(items: &'a Items<'a>) -> Self {
        let kinds = [PassKind::Init, PassKind::Training, PassKind::Evaluation, PassKind::Update];
        Self {
            items,
            sink: Sink::default(),
            builders: kinds.into_iter().map(Builder::new).collect(),
            now: PassKind::Training,
            tables: Tables::default(),
            calls: vec![],
            activations: vec![Activation::outermost(Span::default())],
            facts: vec![],
            active: vec![],
            targets: vec![],
            scan: None,
            next: BTreeMap::new(),
            moves: BTreeMap::new(),
            draws: BTreeMap::new(),
            train: None,
            extents: BTreeMap::new(),
            training_ifs: 0,
            depth: 0,
            work: 0,
            gave_up: false,
            called: BTreeMap::new(),
            defining: None,
            broken: false,
            written: BTreeMap::new(),
        }
    }

    /// The pass being written.
    pub fn builder(&mut self) -> &mut Builder {
        &mut self.builders[self.now as usize]
    }

    /// Starts a pass afresh.
    pub fn begin(&mut self, kind: PassKind) {
        self.now = kind;
        self.builders[kind as usize] = Builder::new(kind);
        self.next.clear();
        if kind == PassKind::Training {
            self.moves.clear();
        }
        self.draws.clear();
        let made = self.train.as_ref().map_or(Span::default(), |t| t.block.name.span);
        self.activations = vec![Activation::outermost(made)];
        if let Some(train) = &mut self.train {
            train.progress.fill(Progress::Waiting);
            train.seen.clear();
        }
    }

    /// Runs `f` with another pass being written.
    pub fn within<T>(&mut self, pass: PassKind, f: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.now, pass);
        let (facts, active) = (std::mem::take(&mut self.facts), std::mem::take(&mut self.active));
        let result = f(self);
        (self.now, self.facts, self.active) = (before, facts, active);
        result
    }

    /// Reports and yields the erroneous value. A fault inside the library is shown at the user's
    /// call, with a label in the library; one inside the user's own callable gets a label at the
    /// call that gave its numbers.
    pub fn fail(&mut self, diagnostic: Diagnostic) -> Entity<'a> {
        let placed = self.place(diagnostic);
        self.sink.add(placed);
        Entity::Poison
    }

    fn place(&self, mut d: Diagnostic) -> Diagnostic {
        let inside_library = self.items.is_library(d.primary.span);
        let call = self.calls.iter().rev().find(|c| !self.items.is_library(c.span));
        let Some(call) = call else { return d };
        let name = &call.callable.name.name;
        if inside_library {
            let text = if d.primary.text.is_empty() { "here, in the library".into() } else { d.primary.text.clone() };
            d.secondary.insert(0, Label { span: d.primary.span, text });
            d.primary = Label { span: call.span, text: format!("in this use of `{name}`") };
            for (span, dims) in call.given.iter().filter(|g| !call.span.contains(g.0)) {
                d.secondary.push(Label { span: *span, text: format!("it is given {} from here", shape_text(dims)) });
            }
        } else if depends_on_use(call.callable)
            && d.primary.span != call.span
            && !d.secondary.iter().any(|l| l.span == call.span)
        {
            d.secondary.push(Label { span: call.span, text: format!("in this use of `{name}`") });
        }
        d
    }

    /// Counts one more level of nesting; `false` (reported) where it is too deep or takes too long.
    pub fn enter(&mut self, span: Span) -> bool {
        self.depth += 1;
        self.work += 1;
        count(Work::Expressions);
        if self.depth > DEEPEST || self.work > MOST_WORK {
            let d = match self.depth > DEEPEST {
                true => Diagnostic::error("too-deep", span, "this is nested too deeply to be elaborated"),
                false if self.gave_up => return false,
                false => self.too_much(span),
            };
            self.fail(d);
            return false;
        }
        true
    }

    /// Says that the train block is too large, once, and which callables it is made of most.
    fn too_much(&mut self, span: Span) -> Diagnostic {
        self.gave_up = true;
        let mut most: Vec<(&usize, &str)> = self.called.iter().map(|(_, (name, n))| (n, *name)).collect();
        most.sort_unstable_by_key(|(n, name)| (std::cmp::Reverse(**n), *name));
        let listed: Vec<String> = most.iter().take(3).map(|(n, name)| format!("`{name}` {n} times")).collect();
        let message =
            format!("written out with all its calls and loops, this train block has more than {MOST_WORK} expressions");
        let d = Diagnostic::error("too-deep", span, message).here("here they were too many");
        let d = if listed.is_empty() { d } else { d.note(format!("applied so far: {}", listed.join(", "))) };
        d.help("give a result that is used twice a name, so that it is computed once: `y = f(x)`, then `y + y`; do in a `scan` what a `for` does many times")
    }

    /// The innermost instance.
    pub fn activation(&mut self) -> &mut Activation {
        let last = self.activations.len() - 1;
        &mut self.activations[last]
    }

    /// The path of a name in the innermost instance.
    pub fn path(&self, name: &str) -> String {
        join(self.activations.last().map_or("", |a| &a.path), name)
    }

    /// The name to give an intermediate value: the path and the callable we are in.
    pub fn value_name(&self, name: &str) -> String {
        let inner = self
            .calls
            .last()
            .filter(|c| !matches!(c.callable.kind, ast::CallableKind::Layer | ast::CallableKind::Model));
        match inner {
            Some(c) => self.path(&join(&c.callable.name.name, name)),
            None => self.path(name),
        }
    }

    /// `name`, or `name2`, `name3`.. where the innermost instance has used it already.
    pub fn numbered(&mut self, name: &str, span: Span) -> String {
        let Names { counts, taken } = &mut self.activation().used;
        let count = counts.entry(name.to_string()).or_insert(0);
        loop {
            *count += 1;
            let numbered = if *count == 1 { name.to_string() } else { format!("{name}{count}") };
            if !taken.contains_key(&numbered) {
                taken.insert(numbered.clone(), span);
                return numbered;
            }
        }
    }

    /// A name that the program gives to an instance, a parameter or a state, which nothing else here may have. Where one
    /// statement gives it more than once, as in a local function, the others are numbered.
    pub fn given(&mut self, name: &ast::Ident) -> Option<String> {
        match self.activation().used.taken.get(&name.name).copied() {
            Some(earlier) if earlier != name.span => {
                let n = &name.name;
                let message = format!("two things are called `{n}` here, so that `{n}.*` could mean either");
                let d = Diagnostic::error("duplicate-definition", name.span, message)
                    .label(earlier, format!("this is `{n}` already"))
                    .help("give one of them another name; for one layer that is used twice, name it once: `enc = ..`, then `enc(x)`");
                self.fail(d);
                None
            }
            _ => Some(self.numbered(&name.name, name.span)),
        }
    }

    /// A name that a parameter or state has here; the same statement may be met again.
    pub fn declares(&mut self, name: &ast::Ident) -> bool {
        if self.activation().used.taken.get(&name.name) == Some(&name.span) {
            return true;
        }
        self.given(name).is_some()
    }
}

/// Whether what is wrong inside may be right in another use: its shapes or settings are not fixed.
fn depends_on_use(callable: &ast::Callable) -> bool {
    !callable.dims.is_empty() || callable.params.iter().any(|p| !super::calls::is_input(callable, p))
}

/// `a.b`, or the one that is not empty.
pub(super) fn join(path: &str, name: &str) -> String {
    match (path, name) {
        ("", n) => n.to_string(),
        (p, "") => p.to_string(),
        (p, n) => format!("{p}.{n}"),
    }
}
