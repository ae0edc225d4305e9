//! The items of a program and of the library by name. Code of the library sees the library's items
//! alone, so that no item of a user changes what the library does.

use super::syntax::item_span;
use grammar::ast;
use grammar::span::{SourceId, Span};
use std::collections::{BTreeMap, BTreeSet};

/// All items by name.
#[derive(Default)]
pub struct Items<'a> {
    user: BTreeMap<&'a str, &'a ast::Callable>,
    library: BTreeMap<&'a str, &'a ast::Callable>,
    data: BTreeMap<&'a str, &'a ast::Data>,
    trains: BTreeMap<&'a str, &'a ast::Train>,
    sweeps: Vec<&'a ast::Sweep>,
    /// The texts the library's items stand in.
    sources: BTreeSet<SourceId>,
}

impl<'a> Items<'a> {
    /// Collects items; the second of two of one name is returned with the first.
    pub fn collect(program: &'a ast::File, library: &'a [ast::File]) -> (Self, Vec<(&'a ast::Ident, Span)>) {
        let sources = library.iter().flat_map(|f| &f.items).map(|i| item_span(i).source).collect();
        let mut items = Self { sources, ..Self::default() };
        let mut twice = vec![];
        for item in library.iter().flat_map(|f| &f.items) {
            if let ast::Item::Callable(c) = item {
                items.library.insert(&c.name.name, c);
            }
        }
        for item in &program.items {
            let earlier = match item {
                ast::Item::Callable(c) => items.user.insert(&c.name.name, c).map(|e| (&c.name, e.name.span)),
                ast::Item::Data(d) => items.data.insert(&d.name.name, d).map(|e| (&d.name, e.name.span)),
                ast::Item::Sweep(s) => {
                    items.sweeps.push(s);
                    None
                }
                ast::Item::Train(t) => items.trains.insert(&t.name.name, t).map(|e| (&t.name, e.name.span)),
                _ => None,
            };
            twice.extend(earlier);
        }
        (items, twice)
    }

    /// Whether the place lies in the library's text.
    pub fn is_library(&self, span: Span) -> bool {
        self.sources.contains(&span.source)
    }

    /// The callable of that name as seen from `from`.
    pub fn callable(&self, name: &str, from: Span) -> Option<&'a ast::Callable> {
        let own = if self.is_library(from) { None } else { self.user.get(name) };
        own.or_else(|| self.library.get(name)).copied()
    }

    /// The data block of that name.
    pub fn data(&self, name: &str) -> Option<&'a ast::Data> {
        self.data.get(name).copied()
    }

    /// The type of the field of a data block whose name stands at the place.
    pub fn field_type(&self, at: Span) -> Option<Span> {
        fn find(entries: &[ast::DataEntry], at: Span) -> Option<Span> {
            entries.iter().find_map(|entry| match entry {
                ast::DataEntry::Field { name, ty, .. } if name.span == at => Some(ty.span),
                ast::DataEntry::Rule { entries, .. } => find(entries, at),
                _ => None,
            })
        }
        self.data.values().find_map(|data| find(&data.entries, at))
    }

    /// The train block of that name.
    pub fn train(&self, name: &str) -> Option<&'a ast::Train> {
        self.trains.get(name).copied()
    }

    /// Names of train blocks.
    pub fn train_names(&self) -> impl Iterator<Item = &'a str> {
        self.trains.keys().copied()
    }

    /// The program's sweeps.
    pub fn sweeps(&self) -> impl Iterator<Item = &'a ast::Sweep> {
        self.sweeps.iter().copied()
    }

    /// What a sweep gives first as the parameter of that number and name of a train block.
    pub fn first_of_sweep(&self, train: &str, number: usize, name: &str) -> Option<&'a ast::Expr> {
        self.sweeps.iter().find_map(|sweep| {
            let ast::ExprKind::Call { callee, args } = &sweep.train.as_ref()?.kind else { return None };
            if !matches!(&callee.kind, ast::ExprKind::Name(n) if n == train) {
                return None;
            }
            let named = args.iter().find(|a| a.name.as_ref().is_some_and(|n| n.name == name));
            let given = &named.or_else(|| args.get(number).filter(|a| a.name.is_none()))?.value;
            let ast::ExprKind::Name(axis) = &given.kind else { return Some(given) };
            let (_, values) = sweep.axes.iter().find(|(a, _)| a.name == *axis)?;
            match &values.kind {
                ast::ExprKind::List(list) => list.first(),
                _ => None,
            }
        })
    }

    /// The train blocks that this one starts from, the nearest first; one that occurs twice ends the list.
    pub fn starts(&self, name: &str) -> Vec<&'a str> {
        let next = |name: &str| {
            let entry = self.train(name)?.entries.iter().find(|e| e.lhs.name.name == "start")?;
            let ast::ExprKind::Field { base, .. } = &entry.value.kind else { return None };
            let ast::ExprKind::Name(other) = &base.kind else { return None };
            Some(other.as_str())
        };
        let mut trail = vec![];
        let mut at = next(name);
        while let Some(other) = at {
            trail.push(other);
            at = if trail[..trail.len() - 1].contains(&other) { None } else { next(other) };
        }
        trail
    }

    /// Names of data blocks.
    pub fn data_names(&self) -> impl Iterator<Item = &'a str> {
        self.data.keys().copied()
    }

    /// The library's function that makes one vector of a tensor of any rank, found by its form
    /// `fn f[..s](x: [..s]) { y[(..i)] = x[..i] }`, for suggestions.
    pub fn reshaper(&self) -> Option<&'a str> {
        let is_one = |c: &&&ast::Callable| match &c.body {
            ast::Body::Block(ast::Block { stmts, .. }) => match &stmts[..] {
                [ast::Stmt { kind: ast::StmtKind::Define { lhs, .. }, .. }] => {
                    matches!(lhs.indices.as_deref(), Some([ast::IndexArg::Combine { parts, .. }]) if matches!(parts[..], [ast::IndexArg::Pack(_)]))
                }
                _ => false,
            },
            _ => false,
        };
        self.library.values().find(is_one).map(|c| c.name.name.as_str())
    }

    /// Names of all callables of a kind, for suggestions.
    pub fn of_kind(&self, kind: ast::CallableKind) -> Vec<&'a str> {
        self.user
            .values()
            .chain(self.library.values())
            .filter(|c| c.kind == kind)
            .map(|c| c.name.name.as_str())
            .collect()
    }

    /// Names of all callables.
    pub fn callable_names(&self) -> impl Iterator<Item = &'a str> {
        self.user.keys().chain(self.library.keys()).copied()
    }
}
