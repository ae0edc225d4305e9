//! Where an index stands alone: the reads that say how far it runs. Guarded reads say nothing, and
//! reads under a condition that mentions the index only where there are no others.

use super::Elaborator;
use super::entity::{Entity, Env};
use crate::check::resolve::{children, mentions};
use grammar::ast::{Expr, ExprKind, IndexArg};
use grammar::span::Span;

/// The index looked for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'n> {
    /// Its name.
    pub name: &'n str,
    /// Whether it is a pack.
    pub pack: bool,
    /// Whether we are under a condition that mentions it.
    pub under: bool,
}

/// A read where it stands alone.
pub(super) struct Found {
    /// The extent, or the extents of a pack.
    pub dims: Vec<usize>,
    /// The read.
    pub span: Span,
    /// Whether it stands under a condition that mentions the index.
    pub under: bool,
}

/// Collects the reads in `expr` where the index stands alone.
pub(super) fn reads_alone<'a>(
    s: &mut Elaborator<'a>,
    wanted: Wanted,
    expr: &'a Expr,
    env: &Env<'a>,
    found: &mut Vec<Found>,
) {
    match &expr.kind {
        ExprKind::Index { base, at } => {
            if let Some(dims) = extents(s, base, env) {
                positions(wanted, at, &dims, env, expr.span, found);
            }
            reads_alone(s, wanted, base, env, found);
            at.iter().for_each(|a| inside_position(s, wanted, a, env, found));
        }
        ExprKind::Select { condition, then, otherwise } => {
            reads_alone(s, wanted, condition, env, found);
            let under = wanted.under || mentions(condition, wanted.name);
            let wanted = Wanted { under, ..wanted };
            reads_alone(s, wanted, then, env, found);
            reads_alone(s, wanted, otherwise, env, found);
        }
        ExprKind::Reduce { indices, body, .. } if !indices.iter().any(|i| i.name.name == wanted.name) => {
            reads_alone(s, wanted, body, env, found);
        }
        ExprKind::Guarded { .. } | ExprKind::Reduce { .. } => {}
        _ => children(expr, &mut |e| reads_alone(s, wanted, e, env, found)),
    }
}

fn inside_position<'a>(
    s: &mut Elaborator<'a>,
    wanted: Wanted,
    at: &'a IndexArg,
    env: &Env<'a>,
    found: &mut Vec<Found>,
) {
    match at {
        IndexArg::Expr(e) => reads_alone(s, wanted, e, env, found),
        IndexArg::Pack(_) => {}
        IndexArg::Combine { parts, .. } => parts.iter().for_each(|p| inside_position(s, wanted, p, env, found)),
    }
}

/// Matches the positions of one read with the tensor's extents.
fn positions(wanted: Wanted, at: &[IndexArg], dims: &[usize], env: &Env<'_>, span: Span, found: &mut Vec<Found>) {
    let mut place = 0;
    for (n, arg) in at.iter().enumerate() {
        let width = match arg {
            IndexArg::Pack(name) if name.name == wanted.name && wanted.pack => {
                let after: usize = at[n + 1..].iter().map(|a| width_of(a, env).unwrap_or(1)).sum();
                let width = dims.len().saturating_sub(place + after);
                if let Some(part) = dims.get(place..place + width) {
                    found.push(Found { dims: part.to_vec(), span, under: wanted.under });
                }
                width
            }
            IndexArg::Expr(Expr { kind: ExprKind::Name(name), .. }) if name == wanted.name && !wanted.pack => {
                if let Some(extent) = dims.get(place) {
                    found.push(Found { dims: vec![*extent], span, under: wanted.under });
                }
                1
            }
            other => match width_of(other, env) {
                Some(width) => width,
                // A pack that is not bound yet takes what the positions after it leave.
                None => {
                    let after: usize = at[n + 1..].iter().map(|a| width_of(a, env).unwrap_or(1)).sum();
                    dims.len().saturating_sub(place + after)
                }
            },
        };
        place += width;
    }
}

fn width_of(arg: &IndexArg, env: &Env<'_>) -> Option<usize> {
    match arg {
        IndexArg::Pack(name) => match env.find(&name.name) {
            Some((Entity::IndexPack(ids), _)) => Some(ids.len()),
            _ => None,
        },
        _ => Some(1),
    }
}

/// The extents of a list: how many entries it has, then those of its first.
fn nested(items: &[Entity]) -> Vec<usize> {
    let inner = match items.first() {
        Some(Entity::List(items)) => nested(items),
        Some(Entity::Term(t)) => t.dims.clone(),
        _ => vec![],
    };
    std::iter::once(items.len()).chain(inner).collect()
}

/// The extents of what is read, where they are known without elaborating it.
fn extents<'a>(s: &mut Elaborator<'a>, base: &'a Expr, env: &Env<'a>) -> Option<Vec<usize>> {
    match &base.kind {
        ExprKind::Name(_) | ExprKind::Field { .. } => match known(s, base, env)? {
            Entity::Term(t) => Some(t.dims),
            Entity::List(items) => Some(nested(&items)),
            _ => None,
        },
        ExprKind::Paren(e) | ExprKind::Sample { base: e, .. } => extents(s, e, env),
        ExprKind::Index { base, at } if at.iter().all(|a| !matches!(a, IndexArg::Pack(_))) => {
            extents(s, base, env).and_then(|d| d.get(at.len()..).map(<[usize]>::to_vec))
        }
        _ => None,
    }
}

/// What a name or a field of a record stands for.
fn known<'a>(s: &mut Elaborator<'a>, expr: &'a Expr, env: &Env<'a>) -> Option<Entity<'a>> {
    match &expr.kind {
        ExprKind::Name(name) => match env.find(name)?.0 {
            local @ (Entity::Local(_) | Entity::Field(_)) => Some(s.settle(local, expr.span)),
            other => Some(other),
        },
        ExprKind::Field { base, field } => match known(s, base, env)? {
            Entity::Record(fields) => Some(fields.iter().find(|f| f.0 == field.name)?.1.clone()),
            _ => None,
        },
        _ => None,
    }
}

impl<'a> Elaborator<'a> {
    /// Whether something that is read in the expression went wrong before, or goes wrong now, so
    /// that a missing range is no error of its own.
    pub(super) fn reads_poison(&mut self, expr: &'a Expr, env: &Env<'a>) -> bool {
        if let ExprKind::Index { base, .. } = &expr.kind
            && let ExprKind::Name(name) = &base.kind
        {
            let wrong = match env.find(name) {
                Some((local, _)) => matches!(self.settle(local, base.span), Entity::Poison),
                None => self.item(name, base.span).is_none() && matches!(self.eval(base, env), Entity::Poison),
            };
            if wrong {
                return true;
            }
        }
        let mut found = false;
        children(expr, &mut |e| found |= self.reads_poison(e, env));
        found
    }
}
