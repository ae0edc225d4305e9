//! The elaborator: an interpreter of the syntax tree whose values are the entities of [`entity`] and whose effect is to
//! write the passes of the typed tree. Every call is inlined with extents that are numbers.
//!
//! In: an expression and an [`Env`], what its names stand for. Out: an [`Entity`]; after an error, which is reported once,
//! the poison that no error follows from. It is one recursive evaluator over the files of this folder. What is `pub` in them
//! is the door for its clients, the checks of train blocks, data blocks and lone functions: they begin a pass, bind names,
//! evaluate ([`Elaborator::eval`]), ask for a kind of value (`term`, `float_term`, `extent`, `whole`), report
//! ([`Elaborator::fail`]) and take the passes and tables that have been written. This file holds the state and the
//! bookkeeping that all parts use.

mod apply;
mod block;
mod builder;
mod callable;
mod calls;
mod context;
mod dims;
mod draws;
mod entity;
mod eval;
mod extents;
mod figures;
mod frames;
mod indexed;
mod nested_scan;
mod number;
mod operators;
mod parameter_range;
mod parameter_sets;
mod reads;
mod recurrence;
mod scan;
mod schedule_ends;
mod statements;
mod states;
mod tables;
mod update_rule;

pub use block::{Progress, TrainScope};
pub use builder::Builder;
pub use callable::{is_input, kind_word};
pub use calls::{Arguments, Given};
pub use dims::Declared;
pub use entity::{Entity, Env, Instance, Member, PassKind, Scope, Template, Term, shape_text};
pub use number::Num;
pub use parameter_range::Owner;
pub use update_rule::{Gradients, RuleGroup};

use crate::check::report::Sink;
use crate::check::resolve::Items;
use crate::tally::{Work, count};
use crate::typed::Outcome;
use context::{Context, PassState};
use frames::{Activation, Call, join};
use grammar::ast;
use grammar::diagnostic::{Diagnostic, Label};
use grammar::span::Span;
use parameter_range::Written;
use recurrence::CarriedState;
use std::collections::BTreeMap;
use std::rc::Rc;
use tables::Tables;

/// The state of the interpreter.
pub struct Elaborator<'a> {
    /// All items by name.
    pub items: &'a Items<'a>,
    /// Where diagnostics go.
    pub sink: Sink,
    /// The four passes, by [`PassKind`].
    pub builders: Vec<Builder>,
    /// What holds where we are.
    context: Context,
    /// What the pass has used up so far.
    state: PassState,
    /// Shared by the passes.
    pub tables: Tables,
    /// The calls we are inside of.
    calls: Vec<Call<'a>>,
    /// States of layers in the body of the scan we are inside of.
    carried: Vec<CarriedState>,
    /// By state: the calls around each place of the training pass that gives it its next value.
    moves: BTreeMap<usize, Vec<Vec<Span>>>,
    /// The block.
    pub train: Option<TrainScope<'a>>,
    /// By the call that made a shape: which argument gave which of its extents.
    extents: BTreeMap<Span, Vec<(usize, Span)>>,
    /// Nesting of expressions.
    depth: usize,
    /// Expressions elaborated; bounded.
    work: usize,
    /// Whether that bound was met, and reported.
    gave_up: bool,
    /// The callables applied, by the place of their names, and how often.
    called: BTreeMap<Span, (&'a str, usize)>,
    /// The name being defined, for the path of a loop's turns.
    defining: Option<String>,
    /// Whether something was met that the parser could not read, and has reported.
    pub broken: bool,
    /// The arguments that are names or numbers as written.
    written: BTreeMap<Span, Written<'a>>,
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
            context: Context::new(PassKind::Training),
            state: PassState::new(Span::default()),
            tables: Tables::default(),
            calls: vec![],
            carried: vec![],
            moves: BTreeMap::new(),
            train: None,
            extents: BTreeMap::new(),
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
        let pass = self.pass();
        &mut self.builders[pass as usize]
    }

    /// Starts a pass afresh.
    pub fn begin(&mut self, kind: PassKind) {
        self.context.pass = kind;
        self.builders[kind as usize] = Builder::new(kind);
        if kind == PassKind::Training {
            self.moves.clear();
        }
        let made = self.train.as_ref().map_or(Span::default(), |t| t.block.name.span);
        self.state = PassState::new(made);
        if let Some(train) = &mut self.train {
            train.progress.fill(Progress::Waiting);
            train.seen.clear();
        }
    }

    /// Which pass is being written.
    pub fn pass(&self) -> PassKind {
        self.context.pass
    }

    /// Runs `f` where something else holds than around it: `change` says what.
    pub fn inside<T>(&mut self, change: impl FnOnce(&mut Context), f: impl FnOnce(&mut Self) -> T) -> T {
        let around = self.context.clone();
        change(&mut self.context);
        let result = f(self);
        self.context = around;
        result
    }

    /// Runs `f` with another pass being written.
    fn within<T>(&mut self, pass: PassKind, f: impl FnOnce(&mut Self) -> T) -> T {
        let elsewhere = |c: &mut Context| (c.pass, c.facts, c.active) = (pass, Rc::default(), vec![]);
        self.inside(elsewhere, f)
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
    fn enter(&mut self, span: Span) -> bool {
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
        let last = self.state.activations.len() - 1;
        &mut self.state.activations[last]
    }

    /// The path of a name in the innermost instance.
    fn path(&self, name: &str) -> String {
        join(self.state.activations.last().map_or("", |a| &a.path), name)
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
    fn numbered(&mut self, name: &str, span: Span) -> String {
        self.activation().used.numbered(name, span)
    }

    /// Adds a result of the pass at hand; a term that is no value yet becomes one of that name.
    pub fn outcome(&mut self, outcome: Outcome, term: &Term, name: &str, span: Span) {
        let whole = self.builder().whole(term);
        if let Some(id) = whole.or_else(|| self.builder().define(term, name, span).map(|d| d.0)) {
            self.builder().outcome(outcome, id);
        }
    }

    /// A name that the program gives to an instance, a parameter or a state, which nothing else here may have. Where one
    /// statement gives it more than once, as in a local function, the others are numbered.
    fn given(&mut self, name: &ast::Ident) -> Option<String> {
        match self.activation().used.place(&name.name) {
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
    fn declares(&mut self, name: &ast::Ident) -> bool {
        if self.activation().used.place(&name.name) == Some(name.span) {
            return true;
        }
        self.given(name).is_some()
    }
}

/// Whether what is wrong inside may be right in another use: its shapes or settings are not fixed.
fn depends_on_use(callable: &ast::Callable) -> bool {
    !callable.dims.is_empty() || callable.params.iter().any(|p| !is_input(callable, p))
}
