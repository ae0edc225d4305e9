//! The settings of a train block that are plain numbers.

use super::TrainBlock;
use crate::check::elaborate::Entity;
use crate::check::resolve::{entries, written};
use crate::typed::{Better, Settings, Stopping};
use grammar::ast::{self, Arg, CallableKind, ExprKind};
use grammar::diagnostic::Diagnostic;
use nnc_core::number::Precision;

impl<'a> TrainBlock<'a> {
    /// All numeric settings; `None` after an error.
    pub fn settings(&mut self, has_data: bool) -> Option<Settings> {
        let errors = self.elaborator.sink.errors();
        let batch = self.count("batch");
        let epochs = self.count("epochs");
        let steps = self.count("steps");
        let accumulate = self.count("accumulate").unwrap_or(1);
        let seed = self.seed();
        let shuffle = self.shuffle();
        let valid_share = self.valid_share();
        let stop = self.stopping();
        let precision = self.precision();
        if has_data && !written(self.block, "batch") {
            self.need("how many samples a minibatch has", "batch = 64");
        }
        if !written(self.block, "epochs") && !written(self.block, "steps") {
            let example = if has_data { "epochs = 10" } else { "steps = 200" };
            self.need("how long to train", example);
        }
        (self.elaborator.sink.errors() == errors).then_some(Settings {
            batch,
            epochs,
            steps,
            accumulate,
            seed,
            valid_share,
            stop,
            shuffle,
            precision,
        })
    }

    fn need(&mut self, what: &str, example: &str) {
        let d = Diagnostic::error(
            "missing-setting",
            self.block.name.span,
            format!("the train block `{}` does not say {what}", self.block.name.name),
        )
        .here(format!("`{}` is missing", example.split(' ').next().unwrap_or(example)))
        .help(format!("add a line such as `{example}`"));
        self.fail(d);
    }

    fn count(&mut self, name: &'a str) -> Option<usize> {
        let entry = entries(self.block, name).next()?;
        let entity = self.elaborator.eval(&entry.value, &self.env);
        let n = self.elaborator.whole(&entity, entry.value.span)?;
        if n < 1 {
            let usual = match name {
                "batch" => "64",
                "epochs" => "10",
                "steps" => "1000",
                _ => "1",
            };
            let d =
                Diagnostic::error("wrong-kind", entry.value.span, format!("`{name}` must be at least 1, but is {n}"));
            self.fail(d.fix(format!("write a number such as `{name} = {usual}`"), entry.value.span, usual));
        }
        usize::try_from(n).ok()
    }

    fn seed(&mut self) -> u64 {
        let Some(entry) = entries(self.block, "seed").next() else { return 0 };
        let entity = self.elaborator.eval(&entry.value, &self.env);
        match self.elaborator.whole(&entity, entry.value.span).map(u64::try_from) {
            Some(Ok(seed)) => seed,
            Some(Err(_)) => {
                self.fail(Diagnostic::error(
                    "wrong-kind",
                    entry.value.span,
                    "a seed is a whole number that is not negative",
                ));
                0
            }
            None => 0,
        }
    }

    fn shuffle(&mut self) -> bool {
        let Some(entry) = entries(self.block, "shuffle").next() else { return true };
        match self.elaborator.eval(&entry.value, &self.env) {
            Entity::Bool(b) => b,
            Entity::Poison => true,
            other => {
                self.fail(Diagnostic::error(
                    "wrong-kind",
                    entry.value.span,
                    format!("`shuffle` is `true` or `false`, but this is {}", other.words()),
                ));
                true
            }
        }
    }

    /// `precision = f64`.
    fn precision(&mut self) -> Precision {
        let Some(entry) = entries(self.block, "precision").next() else { return Precision::F32 };
        let word = match &entry.value.kind {
            ExprKind::Name(word) => word.as_str(),
            _ => "",
        };
        match word {
            "f32" => Precision::F32,
            "f64" => Precision::F64,
            _ => {
                let d =
                    Diagnostic::error("wrong-kind", entry.value.span, "`precision` names the numbers computed with")
                        .here("neither `f32` nor `f64`")
                        .fix("write `f64` for 64 bits, or `f32`, which is the default", entry.value.span, "f64");
                self.fail(d);
                Precision::F32
            }
        }
    }

    /// `valid = split(0.1)`.
    fn valid_share(&mut self) -> Option<f64> {
        let entry = entries(self.block, "valid").next()?;
        let share = match &entry.value.kind {
            ExprKind::Call { callee, args } if is_name(callee, "split") && args.len() == 1 => {
                self.elaborator.eval(&args[0].value, &self.env)
            }
            _ => Entity::Nothing,
        };
        match share {
            Entity::Number(n) if n.value > 0.0 && n.value < 1.0 => Some(n.value),
            Entity::Poison => None,
            _ => {
                let d = Diagnostic::error(
                    "wrong-kind",
                    entry.value.span,
                    "`valid` says which share of the training split is kept for validation",
                )
                .help("write `valid = split(0.1)`, a share between 0 and 1");
                self.fail(d);
                None
            }
        }
    }

    /// `stop = early_stopping(monitor = valid.loss, patience = 3)`, perhaps with `better = lower`.
    fn stopping(&mut self) -> Option<Stopping> {
        let entry = entries(self.block, "stop").next()?;
        let help = "write `stop = early_stopping(monitor = valid.loss, patience = 3)`";
        let ExprKind::Call { callee, args } = &entry.value.kind else { return self.bad_stop(entry, help) };
        let words = ["monitor", "patience", "better"];
        let known = |a: &Arg| a.name.as_ref().is_none_or(|n| words.contains(&n.name.as_str()));
        if !is_name(callee, "early_stopping") || args.len() > words.len() || !args.iter().all(known) {
            return self.bad_stop(entry, help);
        }
        let monitor = match argument(args, "monitor", 0).map(|e| &e.kind) {
            Some(ExprKind::Field { base, field }) => match &base.kind {
                ExprKind::Name(split) => format!("{split}.{}", field.name),
                _ => return self.bad_stop(entry, help),
            },
            None => "valid.loss".to_string(),
            _ => return self.bad_stop(entry, help),
        };
        let patience = match argument(args, "patience", 1) {
            Some(e) => {
                let entity = self.elaborator.eval(e, &self.env);
                let n = self.elaborator.whole(&entity, e.span)?;
                let Ok(patience) = usize::try_from(n) else {
                    let message = format!("`patience` is how many epochs may pass without a better one, but is {n}");
                    self.fail(Diagnostic::error("out-of-range", e.span, message).help("write a number such as 3"));
                    return None;
                };
                patience
            }
            None => return self.bad_stop(entry, help),
        };
        let figure = monitor.split_once('.').map_or("", |(_, figure)| figure).to_string();
        let better = self.better(&figure, args)?;
        Some(Stopping { monitor, patience, better })
    }

    /// Which values of a watched figure are better: what the train block says, else what the metric's definition says. Of
    /// whatever is minimised they are the lower ones.
    fn better(&mut self, figure: &str, args: &'a [Arg]) -> Option<Better> {
        if let Some(said) = argument(args, "better", 2) {
            return match &said.kind {
                ExprKind::Name(word) if word == "higher" => Some(Better::Higher),
                ExprKind::Name(word) if word == "lower" => Some(Better::Lower),
                _ => {
                    let message = "`better` says which values of the figure are better";
                    let d = Diagnostic::error("wrong-kind", said.span, message);
                    self.fail(d.help("write `better = higher` or `better = lower`"));
                    None
                }
            };
        }
        let Some(measure) = metric_of(self.block, figure) else { return Some(Better::Lower) };
        if let Some(better) = self.better_of(measure) {
            return Some(better);
        }
        let at = argument(args, "monitor", 0).map_or(measure.span, |e| e.span);
        let message = format!("nothing says whether a higher or a lower `{figure}` is better");
        let mut d = Diagnostic::error("no-direction", at, message).here("watched here");
        if let Some(metric) = self.metric_called(measure) {
            let name = &metric.name;
            d = d.label(name.span, format!("`{}` does not say it in its definition", name.name));
            d = d.note("a metric says it before its body: `metric m(..) higher is better { .. }`");
        } else {
            d = d.label(measure.span, "computed here, not by a metric alone");
        }
        self.fail(d.help("say it here: `better = lower` or `better = higher` after the patience"));
        None
    }

    /// What the definition of the metric or loss says that an entry of `metrics` is a call of.
    fn better_of(&self, measure: &'a ast::Expr) -> Option<Better> {
        let callable = self.metric_called(measure)?;
        if callable.kind == CallableKind::Loss { Some(Better::Lower) } else { callable.better }
    }

    /// The metric or loss whose value an expression is, directly or through a local of the train block.
    fn metric_called(&self, measure: &'a ast::Expr) -> Option<&'a ast::Callable> {
        let mut expr = measure;
        // A local may be another's value; one defined by itself is reported elsewhere.
        for _ in 0..=self.block.entries.len() {
            while let ExprKind::Paren(inner) = &expr.kind {
                expr = inner;
            }
            let name = match &expr.kind {
                ExprKind::Call { callee, .. } => callee,
                ExprKind::Pipe { call, .. } => match &call.kind {
                    ExprKind::Call { callee, .. } => callee,
                    _ => call,
                },
                ExprKind::Name(local) => {
                    expr = &entries(self.block, local).next()?.value;
                    continue;
                }
                _ => return None,
            };
            let ExprKind::Name(word) = &name.kind else { return None };
            let measures = |c: &&ast::Callable| matches!(c.kind, CallableKind::Metric | CallableKind::Loss);
            return self.elaborator.items.callable(word, name.span).filter(measures);
        }
        None
    }

    fn bad_stop(&mut self, entry: &'a ast::TrainEntry, help: &str) -> Option<Stopping> {
        let d =
            Diagnostic::error("wrong-kind", entry.value.span, "`stop` says what is watched and for how many epochs");
        self.fail(d.help(help));
        None
    }
}

/// The expression that `metrics` gives for a figure; none for what is minimised.
fn metric_of<'a>(block: &'a ast::Train, figure: &str) -> Option<&'a ast::Expr> {
    let value = &entries(block, "metrics").next()?.value;
    match &value.kind {
        ExprKind::Record(fields) => fields.iter().find(|(name, _)| name.name == figure).map(|(_, e)| e),
        ExprKind::Call { callee, .. } => is_name(callee, figure).then_some(value),
        _ => None,
    }
}

fn is_name(expr: &ast::Expr, name: &str) -> bool {
    matches!(&expr.kind, ExprKind::Name(n) if n == name)
}

pub(super) fn argument<'a>(args: &'a [Arg], name: &str, place: usize) -> Option<&'a ast::Expr> {
    let named = args.iter().find(|a| a.name.as_ref().is_some_and(|n| n.name == name));
    named.or_else(|| args.get(place).filter(|a| a.name.is_none())).map(|a| &a.value)
}
