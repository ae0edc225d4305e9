//! Names that stand twice in one list, where the second would silently take the place of the first: parameters,
//! dimensions, fields of a record, named arguments of a call, fields of a data block.

use super::syntax::{body_children, children};
use crate::check::report::Sink;
use grammar::ast::{self, DataEntry, Expr, ExprKind, Ident, Item};
use grammar::diagnostic::Diagnostic;
use std::collections::BTreeMap;

/// Reports them in a whole program.
pub(super) fn names(program: &ast::File, sink: &mut Sink) {
    for item in &program.items {
        match item {
            Item::Callable(c) => {
                let params = c.params.iter().map(|p| &p.name);
                once("parameter", c.dims.iter().map(|d| &d.name).chain(params), sink);
                c.params.iter().filter_map(|p| p.default.as_ref()).for_each(|e| inside(e, sink));
                body_children(&c.body, &mut |e| inside(e, sink));
            }
            Item::Data(d) => entries(&d.entries, sink),
            Item::Train(t) => {
                once("parameter", t.params.iter().map(|p| &p.name), sink);
                t.entries.iter().for_each(|e| inside(&e.value, sink));
            }
            Item::Use { .. } | Item::Sweep(_) | Item::Error(_) => {}
        }
    }
}

fn entries(list: &[DataEntry], sink: &mut Sink) {
    once("line", list.iter().filter_map(entry_name), sink);
    for entry in list {
        match entry {
            DataEntry::Setting { value, .. } | DataEntry::Field { value, .. } => inside(value, sink),
            DataEntry::Rule { entries: inner, .. } => entries(inner, sink),
            DataEntry::Error(_) => {}
        }
    }
}

fn entry_name(entry: &DataEntry) -> Option<&Ident> {
    match entry {
        DataEntry::Setting { name, .. } | DataEntry::Field { name, .. } => Some(name),
        DataEntry::Rule { .. } | DataEntry::Error(_) => None,
    }
}

fn inside(expr: &Expr, sink: &mut Sink) {
    match &expr.kind {
        ExprKind::Record(fields) => once("field", fields.iter().map(|f| &f.0), sink),
        ExprKind::Call { args, .. } => once("argument", args.iter().filter_map(|a| a.name.as_ref()), sink),
        ExprKind::Lambda { params, .. } => once("parameter", params.iter().map(|p| &p.name), sink),
        _ => {}
    }
    children(expr, &mut |e| inside(e, sink));
}

fn once<'a>(what: &str, names: impl Iterator<Item = &'a Ident>, sink: &mut Sink) {
    let mut seen: BTreeMap<&str, &Ident> = BTreeMap::new();
    for name in names {
        let first = *seen.entry(&name.name).or_insert(name);
        if !std::ptr::eq(first, name) {
            let message = format!("the {what} `{}` is given twice", name.name);
            let d = Diagnostic::error("duplicate-definition", name.span, message)
                .label(first.span, "first given here")
                .help("remove one of the two, or give it the name that was meant");
            sink.add(d);
        }
    }
}
