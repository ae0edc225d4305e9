//! A `train` block: which entries are settings and which are locals, the two forward passes, and
//! the assembly of the typed tree.

mod augment;
mod figures;
mod freeze;
mod metrics;
mod models;
mod settings;
mod update;

use crate::check::data::{self, data_named};
use crate::check::elaborate::{
    Elaborator, Entity, Env, Owner, PassKind, Progress, Scope, Term, TrainScope, shape_text,
};
use crate::check::report::{Sink, nearest};
use crate::check::resolve::{Items, LOSS, SETTINGS, entries, meant, written};
use crate::typed::prune::pruned;
use crate::typed::{DataSet, Outcome, Pass, Settings, Start, Train};
use grammar::ast::{self, CallableKind, ExprKind, TrainEntry};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;
use std::collections::{BTreeMap, BTreeSet};

/// A train block of the program; `None` where it has errors.
pub fn elaborated<'a>(items: &'a Items<'a>, block: &'a ast::Train, sink: &mut Sink) -> Option<Train> {
    let mut checked = TrainBlock::new(items, block);
    checked.elaborator.sink = std::mem::take(sink);
    let train = checked.train();
    *sink = checked.elaborator.sink;
    train
}

/// The initial and the update pass of what a rule does to one parameter of a block that is elaborated already: for what
/// tries the rule with other settings, and says nothing. `None` where the rule has errors.
pub fn rule_alone<'a>(
    items: &'a Items<'a>,
    block: &'a ast::Train,
    rule: &'a ast::Expr,
    elaborated: &Train,
    parameter: usize,
) -> Option<[Pass; 2]> {
    TrainBlock::new(items, block).rule_alone(rule, elaborated, parameter)
}

/// A train block being checked.
struct TrainBlock<'a> {
    elaborator: Elaborator<'a>,
    block: &'a ast::Train,
    /// What its lines see: its parameters, fields and locals.
    env: Env<'a>,
}

/// What the forward passes need of the entries.
struct Forward<'a> {
    objectives: Vec<&'a TrainEntry>,
    metrics: Option<&'a TrainEntry>,
}

impl<'a> TrainBlock<'a> {
    fn new(items: &'a Items<'a>, block: &'a ast::Train) -> Self {
        Self { elaborator: Elaborator::new(items), block, env: Scope::inside(None) }
    }

    /// Enters the block: what its lines see is known from here on, and its data set.
    fn open(&mut self) -> Option<DataSet> {
        let block = self.block;
        self.bind_params();
        let named = entries(block, "data").next();
        let (data, fields) =
            named.map_or((None, vec![]), |e| data::named_by(&mut self.elaborator, &e.value, &self.env));
        for (n, field) in fields.iter().enumerate() {
            self.env.bind(&field.name, Entity::Field(n), field.span);
        }
        self.bind_locals();
        let fields_lost = self.fields_declared().is_none_or(|n| n > fields.len());
        self.elaborator.train = Some(TrainScope {
            block,
            fields_lost,
            env: self.env.clone(),
            progress: vec![Progress::Waiting; block.entries.len()],
            used: BTreeSet::new(),
            fields,
            seen: BTreeMap::new(),
            several_models: self.models_of(block).len() > 1,
            splits: splits(block, data.as_ref()),
        });
        data
    }

    fn train(&mut self) -> Option<Train> {
        let block = self.block;
        let errors = self.elaborator.sink.errors();
        let data = self.open();
        self.elaborator.tables.objectives = self.objective_names();
        let settings = self.settings(data.is_some());
        let forward =
            Forward { objectives: entries(block, "objective").collect(), metrics: entries(block, "metrics").next() };
        self.require("objective", "what is minimised", CallableKind::Loss, "(prediction, target)");
        self.require("optimizer", "how the parameters move", CallableKind::Optimizer, "(lr = 0.1)");
        self.forward_passes(&forward);
        if self.elaborator.sink.errors() == errors {
            self.watched();
            self.plotted(data.as_ref());
        }
        self.freeze();
        let objectives = self.objective_of_each(&forward);
        if entries(block, "optimizer").next().is_some() && objectives.len() == self.elaborator.tables.parameters.len() {
            self.update_pass(&objectives);
        }
        let start = self.continued();
        self.elaborator.states_moved_twice();
        self.unused_locals(self.elaborator.sink.errors() > errors);
        if self.elaborator.sink.errors() > errors {
            return None;
        }
        let outcomes = &self.elaborator.builders[PassKind::Training as usize].pass.outcomes;
        if !outcomes.iter().any(|o| matches!(o.0, Outcome::Objective(_))) {
            if self.elaborator.sink.errors() == 0 && !self.elaborator.broken {
                let message = "the objective of this block could not be elaborated";
                self.fail(Diagnostic::error("not-supported", block.name.span, message));
            }
            return None;
        }
        Some(self.assembled(data, settings?, start))
    }

    /// Reports; what went wrong stands for nothing.
    fn fail(&mut self, d: Diagnostic) -> Entity<'a> {
        self.elaborator.fail(d)
    }

    /// How many fields the data block has as written; `None` where there is trouble with the block itself.
    fn fields_declared(&self) -> Option<usize> {
        let Some(entry) = entries(self.block, "data").next() else {
            // A misspelt line is reported as such.
            return (!written(self.block, "data")).then_some(0);
        };
        let (name, _) = data_named(&entry.value)?;
        let data = self.elaborator.items.data(name)?;
        Some(declared_fields(&data.entries))
    }

    /// The settings of a block with parameters: their defaults, or else what a sweep of it tries first.
    fn bind_params(&mut self) {
        for (n, param) in self.block.params.iter().enumerate() {
            let name = &param.name;
            let value = param
                .default
                .as_ref()
                .or_else(|| self.elaborator.items.first_of_sweep(&self.block.name.name, n, &name.name));
            let entity = match value {
                Some(value) => {
                    let entity = self.elaborator.eval(value, &Scope::inside(None));
                    self.elaborator.allowed(Owner::Train(self.block), param, &entity, value.span, &self.env);
                    entity
                }
                None => {
                    let message =
                        format!("nothing says what `{}` of the train block `{}` is", name.name, self.block.name.name);
                    let d = Diagnostic::error("missing-argument", name.span, message);
                    let end = param.ty.as_ref().map_or(name.span.end, |ty| ty.span.end);
                    let behind = Span { start: end, end, ..name.span };
                    self.fail(d.fix("give it a value, here or in a sweep", behind, " = 2"))
                }
            };
            self.env.bind(&name.name, entity, name.span);
        }
    }

    fn bind_locals(&mut self) {
        let mut given: BTreeMap<(&str, Option<&str>), &TrainEntry> = BTreeMap::new();
        for (n, entry) in self.block.entries.iter().enumerate() {
            let name = &entry.lhs.name;
            let first = *given.entry((&name.name, entry.label.as_ref().map(|l| l.name.as_str()))).or_insert(entry);
            let earlier = Some(first).filter(|first| !std::ptr::eq(*first, entry));
            if let Some(label) =
                entry.label.as_ref().filter(|_| !matches!(name.name.as_str(), "objective" | "optimizer"))
            {
                let message = format!("`{}` takes no second name; only objectives and optimisers do", name.name);
                self.fail(
                    Diagnostic::error("wrong-kind", label.span, message).help(format!("write `{} = ..`", name.name)),
                );
                continue;
            }
            if let Some(earlier) = earlier {
                let d = Diagnostic::error("duplicate-definition", name.span, format!("`{}` is given twice", name.name))
                    .label(earlier.lhs.name.span, "first given here")
                    .help("remove one of the two");
                self.fail(d);
                continue;
            }
            if let Some(earlier) = self.env.bound_here(&name.name).filter(|_| !SETTINGS.contains(&name.name.as_str())) {
                let message = format!("`{}` is a field of the data or a parameter of the block already", name.name);
                let d = Diagnostic::error("duplicate-definition", name.span, message)
                    .label(earlier, "it is defined here")
                    .help("choose another name for the line; what training sees of a field is said by `augment`");
                self.fail(d);
                continue;
            }
            if !SETTINGS.contains(&name.name.as_str()) {
                self.env.bind(&name.name, Entity::Local(n), name.span);
            }
        }
    }

    /// Reports a setting that is not there, with the definitions it could name; unless a line is a misspelt one, which
    /// is reported as that.
    fn require(&mut self, name: &str, what: &str, kind: CallableKind, arguments: &str) {
        if written(self.block, name) {
            return;
        }
        let message = format!("the train block `{}` does not say {what}", self.block.name.name);
        let mut d =
            Diagnostic::error("missing-setting", self.block.name.span, message).here(format!("`{name}` is missing"));
        let known = self.elaborator.items.of_kind(kind);
        if !known.is_empty() {
            d = d.help(format!("add a line `{name} = f{arguments}`, where f is one of {}", known.join(", ")));
        }
        self.fail(d);
    }

    /// Both forward passes. If a set of parameters was asked for before all were known, training
    /// is elaborated once more, now that they are.
    fn forward_passes(&mut self, forward: &Forward<'a>) {
        let errors = self.elaborator.sink.errors();
        self.forward_pass(PassKind::Training, forward);
        if self.elaborator.tables.asked.is_some_and(|n| n < self.elaborator.tables.parameters.len())
            && self.elaborator.sink.errors() == errors
        {
            self.forward_pass(PassKind::Training, forward);
        }
        let known = self.elaborator.tables.parameters.len();
        self.forward_pass(PassKind::Evaluation, forward);
        if let Some(extra) = self.elaborator.tables.parameters.get(known)
            && self.elaborator.sink.errors() == errors
        {
            let p = extra.parameter.clone();
            let message =
                format!("the parameter `{}` exists only in evaluation; both modes have the same parameters", p.path);
            self.fail(Diagnostic::error("param-in-training-if", p.span, message).label(p.instance, "made here"));
        }
    }

    fn forward_pass(&mut self, pass: PassKind, forward: &Forward<'a>) {
        self.elaborator.begin(pass);
        if pass == PassKind::Training {
            self.prepare_fields();
        }
        for (n, entry) in forward.objectives.iter().enumerate() {
            let value = match &entry.value.kind {
                ExprKind::Over { value, .. } => value,
                _ => &entry.value,
            };
            let entity = self.elaborator.eval(value, &self.env);
            let name =
                if forward.objectives.len() > 1 { self.elaborator.tables.objectives[n].as_str() } else { "objective" }
                    .to_string();
            if let Some(term) = self.single_number(entity, value.span, "the objective") {
                self.elaborator.outcome(Outcome::Objective(n), &term, &name, value.span);
            }
        }
        if let Some(entry) = forward.metrics {
            self.metrics(entry);
        }
        if pass == PassKind::Evaluation {
            self.outputs();
        }
    }

    fn single_number(&mut self, entity: Entity<'a>, span: Span, what: &str) -> Option<Term> {
        let term = self.elaborator.float_term(entity, span)?;
        if !term.dims.is_empty() {
            let shape = shape_text(&term.dims);
            let d = Diagnostic::error(
                "shape-mismatch",
                span,
                format!("{what} must be a single number, but this is a tensor {shape}"),
            )
            .label(term.origin, format!("the shape {shape} comes from here"))
            .help("reduce it: `sum[i] ..` or `mean[i] ..`");
            self.fail(d);
            return None;
        }
        Some(term)
    }

    /// The objectives by name; one that is alone is the `loss`, several have it as their sum.
    fn objective_names(&mut self) -> Vec<String> {
        let list: Vec<&TrainEntry> = entries(self.block, "objective").collect();
        if list.len() == 1 {
            return vec![LOSS.to_string()];
        }
        for label in list.iter().filter_map(|e| e.label.as_ref()).filter(|l| l.name == LOSS) {
            self.figure_taken(LOSS, label.span);
        }
        let name = |e: &&TrainEntry| e.label.as_ref().map_or("objective", |l| &l.name).to_string();
        list.iter().map(name).collect()
    }

    /// Reports a figure that has the name of the loss or of an objective.
    fn figure_taken(&mut self, name: &str, span: Span) {
        let sum = name == LOSS && self.elaborator.tables.objectives.len() != 1;
        let what = if sum { "the sum of all objectives" } else { "what is minimised" };
        let message = format!("`{name}` is {what} among the figures of a run");
        self.fail(Diagnostic::error("duplicate-definition", span, message).help("give this another name"));
    }

    /// Which objective moves each parameter: the one `over` a set with it. An objective that is alone moves all.
    fn objective_of_each(&mut self, forward: &Forward<'a>) -> Vec<usize> {
        let mut out: Vec<Option<usize>> = vec![None; self.elaborator.tables.parameters.len()];
        for (n, entry) in forward.objectives.iter().enumerate() {
            let set = match &entry.value.kind {
                ExprKind::Over { set, .. } => self.elaborator.set_setting(set, &self.env).unwrap_or_default(),
                _ if forward.objectives.len() == 1 => (0..out.len()).collect(),
                _ => {
                    let message = "with several objectives, each says which parameters it moves";
                    let d = Diagnostic::error("missing-setting", entry.value.span, message);
                    self.fail(d.help("write `over` and a set after it: `objective d = .. over params(D)`"));
                    return vec![];
                }
            };
            for p in set {
                if let Some(earlier) = out[p].replace(n).filter(|e| *e != n) {
                    let path = self.elaborator.tables.parameters[p].parameter.path.clone();
                    let message = format!("two objectives move the parameter `{path}`");
                    let d = Diagnostic::error("moved-twice", entry.value.span, message)
                        .label(forward.objectives[earlier].value.span, "this one does as well")
                        .help("add the two objectives to one, or move apart what each is `over`");
                    self.fail(d);
                    return vec![];
                }
            }
        }
        let free =
            |(p, of): (usize, &Option<usize>)| of.is_none() && !self.elaborator.tables.parameters[p].parameter.frozen;
        if let Some(p) = out.iter().enumerate().position(free)
            && let Some(entry) = forward.objectives.first()
        {
            let p = self.elaborator.tables.parameters[p].parameter.clone();
            let message = format!("no objective moves the parameter `{}`", p.path);
            let d = Diagnostic::error("missing-setting", entry.value.span, message)
                .label(p.span, "declared here")
                .help("put it into the set after an `over`, or leave it out of training with `freeze`");
            self.fail(d);
            return vec![];
        }
        out.into_iter().map(Option::unwrap_or_default).collect()
    }

    /// `start = other.weights`.
    fn continued(&mut self) -> Option<Start> {
        let entry = entries(self.block, "start").next()?;
        let span = entry.value.span;
        let other = match &entry.value.kind {
            ExprKind::Field { base, field } if field.name == "weights" => match &base.kind {
                ExprKind::Name(name) => Some(name),
                _ => None,
            },
            ExprKind::Error => return None,
            _ => None,
        };
        let Some(other) = other else {
            let d =
                Diagnostic::error("wrong-kind", span, "`start` says which train block's weights this one begins with");
            self.fail(d.help("write `start = other.weights`, where `other` is a train block"));
            return None;
        };
        let trail = self.elaborator.items.starts(&self.block.name.name);
        if self.elaborator.items.train(other).is_none() {
            let mut d = Diagnostic::error("unknown-name", span, format!("there is no train block `{other}`"));
            if let Some(near) =
                nearest(other, self.elaborator.items.train_names().filter(|n| *n != self.block.name.name))
            {
                d = d.fix(format!("did you mean `{near}`?"), span, format!("{near}.weights"));
            }
            self.fail(d);
        } else if trail.contains(&self.block.name.name.as_str()) {
            let message = format!("`{}` would start from weights that it makes itself", self.block.name.name);
            let d = Diagnostic::error("cyclic-definition", span, message);
            self.fail(d.note(format!("it starts from {}", trail.join(", which starts from "))));
        }
        let theirs = self.elaborator.items.train(other).map(|t| self.models_of(t)).unwrap_or_default();
        let alone = theirs.len() == 1 && self.models_of(self.block).len() > 1;
        let model = theirs.first().filter(|_| alone).map(ToString::to_string);
        Some(Start { train: other.clone(), model, span })
    }

    /// A local that nothing uses is most often a misspelt setting.
    fn unused_locals(&mut self, failed: bool) {
        let used = self.elaborator.train.as_ref().map(|t| t.used.clone()).unwrap_or_default();
        for (n, entry) in self.block.entries.iter().enumerate() {
            let name = &entry.lhs.name;
            if SETTINGS.contains(&name.name.as_str()) || used.contains(&n) {
                continue;
            }
            let mut d = Diagnostic::error(
                "unknown-setting",
                name.span,
                format!("`{}` is no setting, and nothing uses it", name.name),
            );
            let near = meant(&name.name);
            if failed && near.is_none() {
                // What went wrong before may have kept its use from being seen.
                continue;
            }
            d = match near {
                Some(near) => d.fix(format!("did you mean `{near}`?"), name.span, near),
                None => d.note(format!("the settings are {}", SETTINGS.join(", "))),
            };
            self.fail(d);
        }
    }

    fn assembled(&mut self, data: Option<DataSet>, settings: Settings, start: Option<Start>) -> Train {
        let tables = std::mem::take(&mut self.elaborator.tables);
        let mut passes = self.elaborator.builders.drain(..).map(|b| pruned(b.pass));
        let mut next = || passes.next().unwrap_or_default();
        let (init, training, evaluation, update) = (next(), next(), next(), next());
        Train {
            name: self.block.name.name.clone(),
            objectives: tables.objectives,
            groups: tables.groups,
            figures: tables.figures,
            start,
            data,
            fields: tables.fields,
            parameters: tables.parameters.into_iter().map(|p| p.parameter).collect(),
            states: tables.states,
            slots: tables.slots,
            init,
            training,
            evaluation,
            update,
            settings,
            span: self.block.name.span,
        }
    }
}

fn declared_fields(entries: &[ast::DataEntry]) -> usize {
    let count = |entry: &ast::DataEntry| match entry {
        ast::DataEntry::Field { .. } | ast::DataEntry::Error(_) => 1,
        ast::DataEntry::Rule { entries, .. } => declared_fields(entries),
        ast::DataEntry::Setting { .. } => 0,
    };
    entries.iter().map(count).sum()
}

/// The splits that are evaluated at the end of an epoch.
fn splits(block: &ast::Train, data: Option<&DataSet>) -> Vec<&'static str> {
    let valid = written(block, "valid") || data.is_some_and(|d| d.splits.iter().any(|s| s.0 == "valid"));
    if valid { vec!["train", "valid"] } else { vec!["train"] }
}
