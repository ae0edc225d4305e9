//! The rules of a train block as written: `optimizer = adamw(lr = 1e-3) on weights, adam on rest` has two. For what
//! tries a program with another setting in them.

use grammar::ast::{Arg, Callable, CallableKind, Expr, ExprKind, File, Ident, Item, Train};

/// Calls a function on each rule, without the set it is for.
pub fn each_rule<'t>(block: &'t mut Train, f: &mut dyn FnMut(&'t mut Expr)) {
    for entry in block.entries.iter_mut().filter(|e| e.lhs.name.name == "optimizer") {
        parts(&mut entry.value, f);
    }
}

fn parts<'t>(value: &'t mut Expr, f: &mut dyn FnMut(&'t mut Expr)) {
    if matches!(value.kind, ExprKind::Sequence(_) | ExprKind::On { .. }) {
        match &mut value.kind {
            ExprKind::Sequence(list) => list.iter_mut().for_each(|e| parts(e, f)),
            ExprKind::On { rule, .. } => f(rule),
            _ => {}
        }
        return;
    }
    f(value);
}

/// The optimiser that a rule names, in the program or else in the library.
#[must_use]
pub fn optimizer<'f>(rule: &Expr, program: &'f File, library: &'f [File]) -> Option<&'f Callable> {
    let name = match &rule.kind {
        ExprKind::Name(name) => name,
        ExprKind::Call { callee, .. } => match &callee.kind {
            ExprKind::Name(name) => name,
            _ => return None,
        },
        _ => return None,
    };
    std::iter::once(program).chain(library).flat_map(|file| &file.items).find_map(|item| match item {
        Item::Callable(c) if c.kind == CallableKind::Optimizer && c.name.name == *name => Some(c),
        _ => None,
    })
}

/// The argument that a rule gives a setting of the optimiser that it names.
#[must_use]
pub fn argument<'r>(rule: &'r Expr, optimizer: &Callable, setting: &str) -> Option<&'r Expr> {
    let ExprKind::Call { args, .. } = &rule.kind else { return None };
    place(args, optimizer, setting).map(|n| &args[n].value)
}

/// Gives a setting of the optimiser that a rule names another value.
pub fn set_argument(rule: &mut Expr, optimizer: &Callable, setting: &str, value: Expr) {
    if let ExprKind::Name(_) = &rule.kind {
        let callee = Box::new(rule.clone());
        rule.kind = ExprKind::Call { callee, args: vec![] };
    }
    let span = value.span;
    let ExprKind::Call { args, .. } = &mut rule.kind else { return };
    match place(args, optimizer, setting) {
        Some(n) => args[n].value = value,
        None => args.push(Arg { name: Some(Ident { name: setting.to_string(), span }), value }),
    }
}

/// Which of the arguments is that of the setting.
fn place(args: &[Arg], optimizer: &Callable, setting: &str) -> Option<usize> {
    let named = args.iter().position(|a| a.name.as_ref().is_some_and(|n| n.name == setting));
    let number = optimizer.params.iter().position(|p| p.name.name == setting)?;
    named.or_else(|| args.get(number).filter(|a| a.name.is_none()).map(|_| number))
}
