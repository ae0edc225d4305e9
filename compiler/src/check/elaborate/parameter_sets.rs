//! Sets of parameters: `weights(Net)`, `params(D)`, `encoder.*`, `rest`.

use super::Elaborator;
use super::entity::{Entity, Env, Member, PassKind, Template};
use super::tables::ParameterInfo;
use crate::check::report::nearest;
use grammar::ast::{self, CallableKind, ExprKind};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;
use std::rc::Rc;

impl<'a> Elaborator<'a> {
    /// `weights(M)` and `params(M)` in an expression.
    pub(super) fn parameter_set(&mut self, weights: bool, of: &Entity<'a>, span: Span) -> Entity<'a> {
        let all = match of {
            Entity::Poison => return Entity::Poison,
            Entity::Template(template) => self.parameters_of(template),
            Entity::Set(members) => members.iter().map(|m| m.parameter).collect(),
            other => {
                let message = format!("a model or layer is needed here, but this is {}", other.words());
                return self.fail(Diagnostic::error("wrong-kind", span, message));
            }
        };
        let chosen = all.into_iter().filter(|n| !weights || self.is_weight(*n)).collect();
        self.set_of(chosen)
    }

    /// `encoder.*` in an expression.
    pub(super) fn set_of_path(&mut self, expr: &'a ast::Expr) -> Entity<'a> {
        // In the first pass not all parameters may be known yet.
        if self.pass() == PassKind::Training && self.of_path(&dotted(expr).unwrap_or_default()).is_empty() {
            return self.set_of(vec![]);
        }
        self.path_set(expr).map_or(Entity::Poison, |numbers| self.set_of(numbers))
    }

    fn set_of(&mut self, numbers: Vec<usize>) -> Entity<'a> {
        self.tables.asked = Some(self.tables.parameters.len());
        let members =
            numbers.into_iter().map(|parameter| Member { parameter, term: self.parameter_term(parameter) }).collect();
        Entity::Set(Rc::new(members))
    }

    fn is_weight(&self, number: usize) -> bool {
        self.tables.parameters[number].parameter.dims.len() >= 2
    }

    /// The parameters that belong to a model or instance.
    fn parameters_of(&self, template: &Template<'a>) -> Vec<usize> {
        let under = |path: &str, prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'));
        let all = self.tables.parameters.iter().enumerate();
        let belongs = |p: &ParameterInfo| match (&template.instance, template.callable.kind) {
            (Some(instance), _) => under(&p.parameter.path, &instance.path),
            (None, CallableKind::Model) => p.model.as_ref() == Some(&template.callable.name.name),
            (None, _) => under(&p.parameter.path, &template.callable.name.name),
        };
        all.filter(|(_, p)| belongs(p)).map(|(n, _)| n).collect()
    }

    /// A set as written in a setting: `on weights`, `on encoder.*`, `over params(D)`, `freeze = ..`.
    pub fn set_setting(&mut self, expr: &'a ast::Expr, env: &Env<'a>) -> Option<Vec<usize>> {
        match &expr.kind {
            ExprKind::Paren(e) => self.set_setting(e, env),
            ExprKind::Name(n) if n == "weights" => {
                Some((0..self.tables.parameters.len()).filter(|p| self.is_weight(*p)).collect())
            }
            ExprKind::Sequence(parts) | ExprKind::List(parts) => {
                let mut all = vec![];
                for part in parts {
                    all.extend(self.set_setting(part, env)?);
                }
                Some(all)
            }
            ExprKind::Field { .. } => self.path_set(expr),
            ExprKind::Name(_) | ExprKind::Call { .. } => match self.eval(expr, env) {
                Entity::Poison => None,
                Entity::Set(members) => Some(members.iter().map(|m| m.parameter).collect()),
                Entity::Template(t) => Some(self.parameters_of(&t)),
                other => self.no_set(expr.span, &other.words()),
            },
            _ => self.no_set(expr.span, "something else"),
        }
    }

    fn no_set(&mut self, span: Span, words: &str) -> Option<Vec<usize>> {
        let d =
            Diagnostic::error("wrong-kind", span, format!("a set of parameters is needed here, but this is {words}"))
                .help("sets are `weights`, `rest`, `params(Net)`, `weights(Net)` and paths such as `encoder.*`");
        self.fail(d);
        None
    }

    /// `a.b.*` or the path of one parameter.
    fn path_set(&mut self, expr: &'a ast::Expr) -> Option<Vec<usize>> {
        let path = dotted(expr)?;
        let found = self.of_path(&path);
        if found.is_empty() {
            let stem = path.trim_end_matches(".*").to_string();
            let tops: Vec<String> = self
                .tables
                .parameters
                .iter()
                .filter_map(|p| p.parameter.path.split('.').next().map(str::to_string))
                .collect();
            let mut d = Diagnostic::error("unknown-name", expr.span, format!("no parameter has a path like `{path}`"));
            if let Some(near) = nearest(&stem, tops.iter().map(String::as_str)) {
                d = d.help(format!("did you mean `{near}.*`?"));
            } else if !tops.is_empty() {
                let mut tops = tops;
                tops.dedup();
                d = d.note(format!("the paths begin with {}", tops.join(", ")));
            }
            self.fail(d);
            return None;
        }
        Some(found)
    }

    /// The parameters at a path or below it. A parameter may also be called as it is saved, and a path may begin with
    /// the model's name where the model is the only one.
    fn of_path(&self, path: &str) -> Vec<usize> {
        let within = |name: &str| match path.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')),
        };
        let named = |p: &ParameterInfo| {
            let names = [&p.parameter.path, &p.parameter.saved];
            let inside = |model: &String| names.iter().any(|name| within(&format!("{model}.{name}")));
            names.iter().any(|name| within(name)) || p.model.as_ref().is_some_and(inside)
        };
        let all = self.tables.parameters.iter().enumerate();
        all.filter(|(_, p)| named(p)).map(|(n, _)| n).collect()
    }
}

/// `a.b.*` as text.
fn dotted(expr: &ast::Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::Name(n) => Some(n.clone()),
        ExprKind::Field { base, field } => Some(format!("{}.{}", dotted(base)?, field.name)),
        _ => None,
    }
}
