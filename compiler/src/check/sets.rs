//! Sets of parameters: `weights(Net)`, `params(D)`, `encoder.*`, `rest`.

use super::elaborate::Elaborator;
use super::entity::{Entity, Env, Member, Template};
use super::report::nearest;
use grammar::ast::{self, CallableKind, ExprKind};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;
use std::rc::Rc;

impl<'a> Elaborator<'a> {
    /// `weights(M)` and `params(M)` in an expression.
    pub fn parameter_set(&mut self, weights: bool, of: &Entity<'a>, span: Span) -> Entity<'a> {
        let Entity::Template(template) = of else {
            if matches!(of, Entity::Poison) {
                return Entity::Poison;
            }
            let d = Diagnostic::error(
                "wrong-kind",
                span,
                format!("a model or layer is needed here, but this is {}", of.words()),
            );
            return self.fail(d);
        };
        self.tables.asked = Some(self.tables.parameters.len());
        let numbers: Vec<usize> =
            self.parameters_of(template).into_iter().filter(|n| !weights || self.is_weight(*n)).collect();
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
        let belongs = |p: &super::elaborate::ParameterInfo| match (&template.instance, template.callable.kind) {
            (Some(path), _) => under(&p.parameter.path, path),
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
        let found: Vec<usize> = match path.strip_suffix('*') {
            Some(prefix) => self.matching(|p| p.starts_with(prefix)),
            None => self.matching(|p| p == path || p.starts_with(&format!("{path}."))),
        };
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

    fn matching(&self, f: impl Fn(&str) -> bool) -> Vec<usize> {
        let all = self.tables.parameters.iter().enumerate();
        all.filter(|(_, p)| f(&p.parameter.path)).map(|(n, _)| n).collect()
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
