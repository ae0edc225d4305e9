//! What training sees of the data instead of the fields themselves: `augment = x |> random_crop(4)`
//! changes each sample by itself, `mix = mixup(alpha = 0.2)` blends the samples of a minibatch.
//!
//! Both are expressions of the language, elaborated at the start of the training pass; evaluation
//! sees the fields as they are.

use super::TrainBlock;
use crate::check::data::data_named;
use crate::check::elaborate::{Declared, Entity, Template, Term, is_input};
use crate::check::report::nearest;
use crate::check::resolve::entries;
use crate::typed::Element;
use grammar::ast::{self, DataEntry, ExprKind};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;
use std::rc::Rc;

impl<'a> TrainBlock<'a> {
    /// Replaces the fields that `augment` and then `mix` change, in the pass at hand.
    pub fn prepare_fields(&mut self) {
        if let Some(value) = self.preparation("augment") {
            let changed = self.augmented(value);
            self.replace_fields(changed);
        }
        if let Some(value) = self.preparation("mix") {
            let changed = self.mixed(value);
            self.replace_fields(changed);
        }
    }

    /// A line of the train block or else of its data block.
    fn preparation(&self, name: &'a str) -> Option<&'a ast::Expr> {
        if let Some(entry) = entries(self.block, name).next() {
            return Some(&entry.value);
        }
        let (data, _) = data_named(&entries(self.block, "data").next()?.value)?;
        self.elaborator.items.data(data)?.entries.iter().find_map(|entry| match entry {
            DataEntry::Setting { name: setting, value } if setting.name == name => Some(value),
            _ => None,
        })
    }

    fn replace_fields(&mut self, changed: Vec<(usize, Term)>) {
        if let Some(train) = &mut self.elaborator.train {
            for (field, term) in changed {
                train.seen.insert(field, term);
            }
        }
    }

    /// `x |> f |> g` stands for a new `x`; a record says it of each of its names.
    fn augmented(&mut self, value: &'a ast::Expr) -> Vec<(usize, Term)> {
        let parts: Vec<(&'a str, Span, &'a ast::Expr)> = match &value.kind {
            ExprKind::Record(fields) => fields.iter().map(|(n, e)| (n.name.as_str(), n.span, e)).collect(),
            _ => match first_of(value) {
                Some((name, span)) => vec![(name, span, value)],
                None => {
                    let d =
                        Diagnostic::error("wrong-kind", value.span, "`augment` begins with the field that it changes");
                    self.fail(d.help("such as `augment = x |> f`, or for several fields `{ x = .., y = .. }`"));
                    return vec![];
                }
            },
        };
        let mut changed = vec![];
        for (name, span, expr) in parts {
            let Some(field) = self.field_named(name, span) else { continue };
            let entity = self.elaborator.eval(expr, &self.env);
            changed.extend(self.new_value(field, entity, expr.span, "augment"));
        }
        changed
    }

    fn field_named(&mut self, name: &str, span: Span) -> Option<usize> {
        let names: Vec<String> = self.elaborator.train.iter().flat_map(|t| &t.fields).map(|f| f.name.clone()).collect();
        let found = names.iter().position(|n| n == name);
        if found.is_none() && !self.elaborator.train.as_ref().is_some_and(|t| t.fields_lost) {
            let mut d = Diagnostic::error("unknown-name", span, format!("the data has no field `{name}`"));
            if let Some(near) = nearest(name, names.iter().map(String::as_str)) {
                d = d.fix(format!("did you mean `{near}`?"), span, near);
            }
            self.fail(d.note(format!("its fields are {}", names.join(", "))));
        }
        found
    }

    /// The new value of a field, which must be of the field's type.
    fn new_value(&mut self, field: usize, entity: Entity<'a>, span: Span, word: &str) -> Option<(usize, Term)> {
        let known = self.elaborator.train.as_ref()?.fields.get(field)?.clone();
        let declared = Declared::Tensor { dims: known.ty.dims.clone(), element: known.ty.element, span: known.span };
        if !self.elaborator.conforms(&declared, &entity, span, &format!("the new `{}`", known.name)) {
            return None;
        }
        let term = match known.ty.element {
            Element::Number => self.elaborator.float_term(entity, span)?,
            _ => self.elaborator.term(entity, span)?,
        };
        let name = format!("{word}.{}", known.name);
        Some((field, self.elaborator.builder().share(term, &name, span)))
    }

    /// `mixup(alpha = 0.2)`: applied to the fields that its inputs are named after; its value is a record of them.
    fn mixed(&mut self, value: &'a ast::Expr) -> Vec<(usize, Term)> {
        let template = match self.elaborator.eval(value, &self.env) {
            Entity::Template(t) => t,
            Entity::Poison => return vec![],
            other => {
                let message =
                    format!("`mix` is a layer whose inputs are fields of the data, but this is {}", other.words());
                let d = Diagnostic::error("wrong-kind", value.span, message);
                self.fail(d.help("write it without its inputs: `mix = f(alpha = 0.2)`"));
                return vec![];
            }
        };
        let Some(bound) = self.fields_given(&template, value.span) else { return vec![] };
        let result = self.elaborator.apply(template.callable, bound, template.instance.clone(), None, value.span);
        let Entity::Record(fields) = result else {
            if !matches!(result, Entity::Poison) {
                let message = format!("`mix` yields a record of new fields, but this yields {}", result.words());
                self.fail(Diagnostic::error("wrong-kind", value.span, message).help("such as `{ x = .., y = .. }`"));
            }
            return vec![];
        };
        let mut changed = vec![];
        for (name, entity) in fields.iter() {
            let Some(field) = self.field_named(name, value.span) else { continue };
            changed.extend(self.new_value(field, entity.clone(), value.span, "mix"));
        }
        changed
    }

    /// The inputs of a template, each the field of its name.
    fn fields_given(&mut self, template: &Rc<Template<'a>>, span: Span) -> Option<Vec<Option<(Entity<'a>, Span)>>> {
        let mut bound = template.bound.clone();
        for (param, slot) in template.callable.params.iter().zip(&mut bound) {
            if slot.is_some() || !is_input(template.callable, param) {
                continue;
            }
            let field = self.field_named(&param.name.name, span)?;
            let known = self.elaborator.train.as_ref()?.fields.get(field)?.clone();
            if let (Element::Class(n), Some(ast::TypeExpr { kind: ast::TypeKind::Tensor { of: None, .. }, .. })) =
                (known.ty.element, &param.ty)
            {
                let message = format!("`{}` is a class, and classes cannot be blended", known.name);
                let d = Diagnostic::error("class-needs-whole-number", span, message)
                    .label(known.span, format!("one of {n} classes"))
                    .help(format!("declare it as shares of all classes: `{}: [{n}] = label |> one_hot`", known.name));
                self.fail(d);
                return None;
            }
            *slot = Some((Entity::Field(field), known.span));
        }
        Some(bound)
    }
}

/// The name that a pipeline begins with.
fn first_of(expr: &ast::Expr) -> Option<(&str, Span)> {
    match &expr.kind {
        ExprKind::Name(name) => Some((name, expr.span)),
        ExprKind::Pipe { input, .. } => first_of(input),
        ExprKind::As { value, .. } | ExprKind::Paren(value) => first_of(value),
        _ => None,
    }
}
