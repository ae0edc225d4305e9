//! `data` blocks: fields by their declared types, loaders and transforms checked against the
//! catalogue, so that a misspelt one is refused before anything is read.

mod generated;

use crate::check::elaborate::{Declared, Elaborator, Entity, Env, Scope};
use crate::check::report::nearest;
use crate::typed::{DataCall, DataSet, DataValue, Element, Field, Type};
use grammar::ast::{self, Arg, DataEntry, ExprKind};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;
use nnc_core::catalogue::{self, Entry, Param};

/// A data block being checked.
struct DataBlock<'e, 'a> {
    elaborator: &'e mut Elaborator<'a>,
}

/// The data set that `data = ..` in a train block names, and its fields.
pub fn named_by<'a>(
    elaborator: &mut Elaborator<'a>,
    value: &'a ast::Expr,
    env: &Env<'a>,
) -> (Option<DataSet>, Vec<Field>) {
    DataBlock { elaborator }.named_by(value, env)
}

impl<'a> DataBlock<'_, 'a> {
    fn named_by(&mut self, value: &'a ast::Expr, env: &Env<'a>) -> (Option<DataSet>, Vec<Field>) {
        let Some((name, given)) = data_named(value) else {
            if !matches!(value.kind, ExprKind::Error) {
                let d = Diagnostic::error("wrong-kind", value.span, "`data` names a data block");
                self.fail(d.help("write `data = name`, and `data name { .. }` beside the train block"));
            }
            return (None, vec![]);
        };
        let Some(data) = self.elaborator.items.data(name) else {
            let mut d = Diagnostic::error("unknown-name", value.span, format!("there is no data block `{name}`"));
            if let Some(near) = nearest(name, self.elaborator.items.data_names()) {
                d = d.fix(format!("did you mean `{near}`?"), value.span, near);
            }
            self.fail(d);
            return (None, vec![]);
        };
        let (mut set, fields) = self.data(data);
        if let Some(set) = &mut set {
            given.iter().for_each(|arg| self.data_given(arg, set, env));
        }
        (set, fields)
    }

    fn fail(&mut self, d: Diagnostic) -> Entity<'a> {
        self.elaborator.fail(d)
    }

    /// `data = points(noise = 0.2)`: a setting of the block with another value.
    fn data_given(&mut self, arg: &'a Arg, set: &mut DataSet, env: &Env<'a>) {
        let named = arg.name.as_ref();
        let known = named.and_then(|n| Some((n, catalogue::SETTINGS.iter().find(|s| s.name == n.name)?)));
        let Some((name, setting)) = known else {
            let names: Vec<&str> = catalogue::SETTINGS.iter().map(|s| s.name).collect();
            let d = Diagnostic::error("unknown-argument", arg.value.span, "this names no setting of a data block")
                .note(format!("its settings are {}", names.join(", ")));
            self.fail(d.help("write `data = points(noise = 0.2)`"));
            return;
        };
        if let Some(plain) = self.setting_value(&arg.value, setting, env) {
            set.settings.retain(|(k, _, _)| *k != name.name);
            set.settings.push((name.name.clone(), plain, name.span));
        }
    }

    /// A data block and its fields.
    fn data(&mut self, data: &'a ast::Data) -> (Option<DataSet>, Vec<Field>) {
        let env = Scope::inside(None);
        let span = data.name.span;
        let mut set = DataSet { name: data.name.name.clone(), splits: vec![], generated: None, settings: vec![], span };
        let mut columns: &'static [&'static str] = &[];
        for entry in &data.entries {
            if let DataEntry::Setting { name, value } = entry {
                self.data_setting(name, value, &mut set, &mut columns, &env);
            }
        }
        let mut fields = vec![];
        for entry in &data.entries {
            match entry {
                DataEntry::Field { name, ty, value } => fields.extend(self.data_column(name, ty, value, columns, &env)),
                DataEntry::Rule { indices, entries, span } => {
                    if set.generated.is_some() || !set.splits.is_empty() {
                        let d = Diagnostic::error(
                            "duplicate-definition",
                            *span,
                            "the samples come from here and from elsewhere",
                        );
                        self.fail(d.help(
                            "a data block has one rule, or `train = ..`; set samples aside with `valid = split(0.1)`",
                        ));
                    } else if let Some((samples, made)) = self.generated(indices, entries, *span) {
                        set.generated = Some(samples);
                        fields.extend(made);
                    }
                }
                DataEntry::Setting { .. } | DataEntry::Error(_) => {}
            }
        }
        (Some(set), fields)
    }

    fn data_setting(
        &mut self,
        name: &'a ast::Ident,
        value: &'a ast::Expr,
        set: &mut DataSet,
        columns: &mut &'static [&'static str],
        env: &Env<'a>,
    ) {
        if matches!(name.name.as_str(), "augment" | "mix") {
            // Elaborated with the training pass.
            return;
        }
        let split = matches!(name.name.as_str(), "train" | "valid" | "test");
        if split {
            if let Some((call, entry)) = self.data_call(value, catalogue::LOADERS, "loader", env) {
                *columns = entry.columns;
                set.splits.push((name.name.clone(), call));
            }
            return;
        }
        let Some(setting) = catalogue::SETTINGS.iter().find(|s| s.name == name.name) else {
            let known = catalogue::SETTINGS.iter().map(|s| s.name).chain(["train", "valid", "test"]);
            let mut d =
                Diagnostic::error("unknown-setting", name.span, format!("a data block has no setting `{}`", name.name))
                    .note("a field is declared with its type: `x: [1, 28, 28] = image`");
            if let Some(near) = nearest(&name.name, known) {
                d = d.fix(format!("did you mean `{near}`?"), name.span, near);
            }
            self.fail(d);
            return;
        };
        if let Some(plain) = self.setting_value(value, setting, env) {
            set.settings.push((name.name.clone(), plain, name.span));
        }
    }

    /// The value of a setting of a data block, if it is what the setting takes.
    fn setting_value(&mut self, value: &'a ast::Expr, setting: &Param, env: &Env<'a>) -> Option<DataValue> {
        let plain = self.data_value(value, env)?;
        if !setting.takes.admits(&plain) {
            let message = format!("the setting `{}` takes {}", setting.name, setting.takes.words());
            self.fail(Diagnostic::error("wrong-kind", value.span, message));
            return None;
        }
        Some(plain)
    }

    /// `x: [1, 28, 28] = image |> standardize |> reshape`. After an error in its value the field is still there, so
    /// that its uses are no errors.
    fn data_column(
        &mut self,
        name: &'a ast::Ident,
        ty: &'a ast::TypeExpr,
        value: &'a ast::Expr,
        columns: &[&str],
        env: &Env<'a>,
    ) -> Option<Field> {
        let ty = match self.elaborator.declared(ty, env)? {
            Declared::Tensor { dims, element, .. } => Type { per_sample: true, dims, element },
            _ => {
                let d = Diagnostic::error("wrong-kind", ty.span, "a field is a tensor of known shape or a class");
                self.fail(d.help("such as `[784]`, `[1, 28, 28]`, `[64] of class(65)` or `class(10)`"));
                return None;
            }
        };
        let mut steps = vec![];
        let mut first = value;
        while let ExprKind::Pipe { input, call } = &first.kind {
            steps.push(&**call);
            first = input;
        }
        let mut transforms = vec![];
        let columns = match &first.kind {
            ExprKind::Call { .. } => {
                transforms.extend(self.data_call(first, catalogue::SOURCES, "source", env).map(|c| c.0));
                vec![]
            }
            ExprKind::List(parts) => parts.iter().filter_map(|part| self.column(part, columns)).collect(),
            ExprKind::Error => vec![],
            _ => self.column(first, columns).into_iter().collect(),
        };
        for step in steps.into_iter().rev() {
            transforms.extend(self.data_call(step, catalogue::TRANSFORMS, "transform", env).map(|c| c.0));
        }
        let whole = !matches!(ty.element, Element::Number) && ty.dims.iter().product::<usize>() == 0;
        (!whole).then(|| Field { name: name.name.clone(), ty, columns, transforms, span: name.span })
    }

    /// The name of a column, written as a name or, where it is none, as a text.
    fn column(&mut self, expr: &'a ast::Expr, columns: &[&str]) -> Option<String> {
        match &expr.kind {
            ExprKind::Name(column) | ExprKind::Text(column) => {
                self.known_column(column, expr.span, columns);
                Some(column.clone())
            }
            ExprKind::Error => None,
            _ => {
                let d = Diagnostic::error("wrong-kind", expr.span, "a field begins with the column it reads");
                self.fail(d.help("such as `x: [784] = image |> standardize`, or `x: [2] = [height, weight]`"));
                None
            }
        }
    }

    fn known_column(&mut self, column: &str, span: Span, columns: &[&str]) {
        if columns.is_empty() || columns.contains(&column) {
            return;
        }
        let mut d = Diagnostic::error("unknown-name", span, format!("the data has no column `{column}`"))
            .note(format!("its columns are {}", columns.join(", ")));
        if let Some(near) = nearest(column, columns.iter().copied()) {
            d = d.fix(format!("did you mean `{near}`?"), span, near);
        }
        self.fail(d);
    }

    /// A call of something in the catalogue, its arguments checked by name, number and kind.
    fn data_call(
        &mut self,
        expr: &'a ast::Expr,
        table: &'static [Entry],
        what: &str,
        env: &Env<'a>,
    ) -> Option<(DataCall, &'static Entry)> {
        let (callee, args): (&'a ast::Expr, &'a [Arg]) = match &expr.kind {
            ExprKind::Call { callee, args } => (callee, args),
            _ => (expr, &[]),
        };
        let ExprKind::Name(name) = &callee.kind else {
            if !matches!(callee.kind, ExprKind::Error) {
                self.fail(Diagnostic::error(
                    "wrong-kind",
                    expr.span,
                    format!("a {what} is needed here, such as `{}`", table[0].name),
                ));
            }
            return None;
        };
        let Some(entry) = table.iter().find(|e| e.name == name) else {
            let mut d = Diagnostic::error("unknown-name", callee.span, format!("there is no {what} `{name}`"));
            d = match nearest(name, table.iter().map(|e| e.name)) {
                Some(near) => d.fix(format!("did you mean `{near}`?"), callee.span, near),
                None => d.note(format!("there are {}", table.iter().map(|e| e.name).collect::<Vec<_>>().join(", "))),
            };
            self.fail(d);
            return None;
        };
        let mut out = vec![];
        let mut given = vec![];
        for (n, arg) in args.iter().enumerate() {
            if arg.name.is_none() && args[..n].iter().any(|a| a.name.is_some()) {
                let free = entry.params.iter().find(|p| !given.contains(&p.name));
                self.elaborator.out_of_order(arg.value.span, free.map_or("..", |p| p.name));
                return None;
            }
            let param = match &arg.name {
                Some(name) => entry.params.iter().find(|p| p.name == name.name),
                None => entry.params.get(n),
            };
            let Some(param) = param else {
                let at = arg.name.as_ref().map_or(arg.value.span, |n| n.span);
                let names: Vec<_> = entry.params.iter().map(|p| p.name).collect();
                let d = Diagnostic::error(
                    "unknown-argument",
                    at,
                    format!("the {what} `{}` does not take this", entry.name),
                );
                self.fail(d.note(if names.is_empty() {
                    "it takes no arguments".into()
                } else {
                    format!("it takes {}", names.join(", "))
                }));
                return None;
            };
            if given.contains(&param.name) {
                let message = format!("`{}` is given `{}` twice", entry.name, param.name);
                self.fail(Diagnostic::error("duplicate-definition", arg.value.span, message));
                return None;
            }
            given.push(param.name);
            let plain = self.data_value(&arg.value, env)?;
            if !param.takes.admits(&plain) {
                let message = format!("`{}` takes {} as `{}`", entry.name, param.takes.words(), param.name);
                let d = Diagnostic::error("wrong-kind", arg.value.span, message);
                self.fail(d.note(format!("`{}`: {}", entry.name, entry.about)));
                return None;
            }
            out.push((arg.name.as_ref().map(|n| n.name.clone()), plain));
        }
        if let Some(missing) = entry.params.iter().find(|p| p.required && !given.contains(&p.name)) {
            let d = Diagnostic::error(
                "missing-argument",
                expr.span,
                format!("the argument `{}` of `{}` is missing", missing.name, entry.name),
            );
            self.fail(d.note(format!("`{}`: {}", entry.name, entry.about)));
            return None;
        }
        Some((DataCall { name: name.clone(), args: out, span: expr.span }, entry))
    }

    fn data_value(&mut self, expr: &'a ast::Expr, env: &Env<'a>) -> Option<DataValue> {
        let entity = self.elaborator.eval(expr, env);
        self.plain_value(entity, expr.span)
    }

    fn plain_value(&mut self, entity: Entity<'a>, span: Span) -> Option<DataValue> {
        match entity {
            Entity::Number(n) if n.is_kept() => Some(DataValue::Number(n.value)),
            Entity::Number(n) => {
                let message =
                    format!("{} has more digits than are kept of a number here; it would become {}", n.text(), n.value);
                self.fail(Diagnostic::error("wrong-kind", span, message).help("take a number of at most 15 digits"));
                None
            }
            Entity::Bool(b) => Some(DataValue::Bool(b)),
            Entity::Text(t) => Some(DataValue::Text(t)),
            Entity::List(items) => {
                items.into_iter().map(|e| self.plain_value(e, span)).collect::<Option<_>>().map(DataValue::List)
            }
            Entity::Poison => None,
            other => {
                let d = Diagnostic::error(
                    "wrong-kind",
                    span,
                    format!("a number, text, truth value or list is needed here, but this is {}", other.words()),
                );
                self.fail(d);
                None
            }
        }
    }
}

/// The data block that `data = name` or `data = name(setting = value)` names, and the settings given.
pub fn data_named(value: &ast::Expr) -> Option<(&str, &[Arg])> {
    match &value.kind {
        ExprKind::Name(name) => Some((name, &[])),
        ExprKind::Call { callee, args } => match &callee.kind {
            ExprKind::Name(name) => Some((name, args)),
            _ => None,
        },
        _ => None,
    }
}
