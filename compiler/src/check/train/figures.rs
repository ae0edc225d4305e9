//! Figures that a train block's settings or a sweep of it name: each must be one that an epoch or a run ends with.

use super::TrainBlock;
use super::settings::argument;
use crate::check::resolve::entries;
use crate::check::resolve::sweeps::{listed, swept, with_nearest};
use crate::typed::DataSet;
use grammar::ast::{self, ExprKind};
use grammar::diagnostic::Diagnostic;

impl<'a> TrainBlock<'a> {
    /// Reports figures that a sweep of this block draws and no run of it ends with. After the metrics, which name them.
    pub fn plotted(&mut self, data: Option<&DataSet>) {
        let mut splits = self.elaborator.train.as_ref().map_or_else(Vec::new, |t| t.splits.clone());
        if data.is_some_and(|d| d.splits.iter().any(|s| s.0 == "test")) {
            splits.push("test");
        }
        let items = self.elaborator.items;
        let sweeps = items.sweeps().filter(|sweep| swept(sweep) == Some(self.block.name.name.as_str()));
        for value in sweeps.flat_map(|sweep| &sweep.plots).flat_map(|plot| &plot.values) {
            let figure = match &value.kind {
                ExprKind::Field { base, field } => match &base.kind {
                    ExprKind::Name(split) => Some((split, base.span, field)),
                    _ => None,
                },
                _ => None,
            };
            let wrong = match figure {
                Some((split, at, _)) if !splits.contains(&split.as_str()) => {
                    let message =
                        format!("a run of `{}` ends without figures of a split `{split}`", self.block.name.name);
                    let d = Diagnostic::error("unknown-name", at, message);
                    let name = ast::Ident { name: split.clone(), span: at };
                    Some(with_nearest(d, &name, &splits).note(listed("there are those of", &splits)))
                }
                Some((_, _, field)) => self.elaborator.not_reported(field),
                None => {
                    let d = Diagnostic::error("wrong-kind", value.span, "a sweep draws figures of a split");
                    Some(d.help(format!("write one such as `{}.loss`", splits.last().unwrap_or(&"train"))))
                }
            };
            if let Some(d) = wrong {
                self.fail(d);
            }
        }
    }
}

impl<'a> TrainBlock<'a> {
    /// Reports a figure watched by early stopping that no epoch ends with. After the metrics, which name the figures.
    pub fn watched(&mut self) {
        let Some(entry) = entries(self.block, "stop").next() else { return };
        let ExprKind::Call { args, .. } = &entry.value.kind else { return };
        let wrong = match argument(args, "monitor", 0).map(|e| (&e.kind, e.span)) {
            Some((ExprKind::Field { base, field }, span)) => match &base.kind {
                ExprKind::Name(split) => self.elaborator.no_figure(split, field, span),
                _ => None,
            },
            None => {
                let loss = ast::Ident { name: "loss".into(), span: entry.value.span };
                self.elaborator.no_figure("valid", &loss, entry.value.span)
            }
            _ => None,
        };
        if let Some(d) = wrong {
            self.fail(d);
        }
    }
}
