//! What a train block that has no errors may still not mean: parameters that nothing trains, units that stay alike,
//! probabilities given to a loss of logits, logarithms and roots of what may not be positive. Judged from the typed tree
//! by structure; no definition is known by name.

use super::domain::{Doubt, doubts};
use crate::scalar::{Binary, Unary};
use crate::typed::expr::operands;
use crate::typed::reach::reached;
use crate::typed::{Definition, Expr, Outcome, Parameter, Pass, ReduceOp, Train, ValueId};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;
use std::collections::BTreeSet;

/// All warnings about the block.
pub fn warnings(train: &Train, objective: Span) -> Vec<Diagnostic> {
    let mut list = untrained(train);
    list.extend(identical_units(train));
    list.extend(normalised_twice(&train.training, objective));
    list.extend(unproven_positive(train, objective));
    list.extend(train.carried().into_iter().filter_map(|s| running_mean(train, s)));
    list
}

/// A state that evaluation begins anew with every split, though its next value has the form of a running mean, which is
/// most often made by training for evaluation to use.
fn running_mean(train: &Train, state: usize) -> Option<Diagnostic> {
    let of = &train.states[state];
    let pass = &train.evaluation;
    let (_, next) = pass.outcomes.iter().find(|(o, _)| *o == Outcome::State(state))?;
    let Definition::Indexed { value, .. } = &pass.v(*next).definition else { return None };
    if of.told || !keeps_a_share(pass, value, state) {
        return None;
    }
    let name = of.path.rsplit('.').next().unwrap_or(&of.path);
    let message = format!("evaluation does not use the `{}` that training leaves, but begins it anew", of.path);
    let d = Diagnostic::warning("state-begins-anew", pass.v(*next).span, message)
        .here("changes in evaluation too, from its initial value at the beginning of every split")
        .label(of.span, "the state")
        .help(format!(
            "if it is a running mean for evaluation to use, let training alone change it: `if training {{ {name}' = .. }}`"
        ))
        .help(format!("if it is to be carried in evaluation, say so: `if training {{ {name}' = .. }} else {{ {name}' = .. }}`"));
    Some(d)
}

/// Whether an expression is a sum with a term that is a number below one times the state itself.
fn keeps_a_share(pass: &Pass, expr: &Expr, state: usize) -> bool {
    let is_state = |e: &Expr| match e {
        Expr::Read { value, .. } => pass.v(*value).definition == Definition::State(state),
        _ => false,
    };
    let share = |e: &Expr| matches!(e, Expr::Number(n) if (0.0..1.0).contains(n));
    match expr {
        Expr::Binary(Binary::Add | Binary::Sub, a, b) => keeps_a_share(pass, a, state) || keeps_a_share(pass, b, state),
        Expr::Binary(Binary::Mul, a, b) => (share(a) && is_state(b)) || (share(b) && is_state(a)),
        _ => false,
    }
}

fn objectives(pass: &Pass) -> impl Iterator<Item = ValueId> {
    pass.outcomes.iter().filter(|o| matches!(o.0, Outcome::Objective(_))).map(|o| o.1)
}

/// Parameters that no objective depends on, or none in a way that has a derivative.
fn untrained(train: &Train) -> Vec<Diagnostic> {
    let pass = &train.training;
    let (seen, moved) = (reached(pass, objectives(pass), operands), reached(pass, objectives(pass), differentiable));
    let parameters = |values: &BTreeSet<ValueId>| -> BTreeSet<usize> {
        let number = |v: &ValueId| match pass.v(*v).definition {
            Definition::Parameter(p) => Some(p),
            _ => None,
        };
        values.iter().filter_map(number).collect()
    };
    let (seen, moved) = (parameters(&seen), parameters(&moved));
    let trained = train.parameters.iter().enumerate().filter(|(n, p)| !p.frozen && !moved.contains(n));
    trained.map(|(n, p)| if seen.contains(&n) { no_gradient(p) } else { unused(p) }).collect()
}

fn no_gradient(p: &Parameter) -> Diagnostic {
    let message = format!("no gradient reaches the parameter `{}`, so it is never trained", p.path);
    at(p, Diagnostic::warning("no-gradient", p.instance, message))
        .note("a comparison, rounding, `argmax` and `stop_gradient` let no gradient through")
        .help(format!("if it is meant to stay as it is, say so in the train block: `freeze = {} as drawn`", p.path))
}

fn unused(p: &Parameter) -> Diagnostic {
    let message = format!("the objective does not depend on the parameter `{}`, so it is never trained", p.path);
    at(p, Diagnostic::warning("unused-parameter", p.instance, message)).help("use its value, or remove it")
}

/// Shows where it is declared.
fn at(p: &Parameter, d: Diagnostic) -> Diagnostic {
    if p.span == p.instance { d } else { d.here("made here").label(p.span, "declared here") }
}

/// The operands through which a derivative passes.
fn differentiable<'e>(expr: &'e Expr, f: &mut dyn FnMut(&'e Expr)) {
    match expr {
        Expr::Unary(op, _) if !op.facts().slope => {}
        Expr::Binary(op, ..) if !op.facts().slope => {}
        Expr::Reduce { op: ReduceOp::Argmax | ReduceOp::Any | ReduceOp::All, .. } => {}
        Expr::Read { otherwise, .. } => otherwise.iter().for_each(|e| f(e)),
        Expr::Select(_, a, b) => {
            f(a);
            f(b);
        }
        _ => operands(expr, f),
    }
}

/// If all matrices begin with equal elements, the units of a layer get equal gradients for ever.
fn identical_units(train: &Train) -> Option<Diagnostic> {
    let equal = |n: usize| {
        let outcome = train.init.outcomes.iter().find(|o| o.0 == Outcome::Parameter(n))?;
        match &train.init.v(outcome.1).definition {
            Definition::Indexed { value, .. } => Some(all_equal(value)),
            _ => None,
        }
    };
    let matrices: Vec<usize> = (0..train.parameters.len()).filter(|n| train.parameters[*n].dims.len() >= 2).collect();
    if matrices.len() < 2 || !matrices.iter().all(|n| equal(*n) == Some(true)) {
        return None;
    }
    let p = &train.parameters[matrices[0]];
    let message = format!("the units that `{}` feeds stay identical: all weights begin with equal elements", p.path);
    let d = at(p, Diagnostic::warning("identical-units", p.instance, message));
    Some(d.note("units with equal weights get equal gradients, so a layer of them can do no more than a single one"))
        .map(|d| d.help("draw the initial weights at random; leave out the initialiser to get the layer's own"))
}

fn all_equal(expr: &Expr) -> bool {
    let mut same = !matches!(expr, Expr::Index(_) | Expr::Read { .. });
    operands(expr, &mut |e| same &= all_equal(e));
    same
}

/// A `logsumexp` of what is already normalised: exponentials divided by their sum.
fn normalised_twice(pass: &Pass, objective: Span) -> Option<Diagnostic> {
    let mut found = vec![];
    for id in reached(pass, objectives(pass), operands) {
        if let Definition::Indexed { value, .. } = &pass.v(id).definition {
            normalised_in(pass, value, &mut found);
        }
    }
    let message = "a loss of logits is given probabilities: what it takes is normalised twice";
    let d = Diagnostic::warning("normalised-twice", objective, message)
        .here("makes probabilities of what it is given")
        .label(pass.v(*found.iter().min()?).span, "these are probabilities already, exponentials divided by their sum")
        .note("of probabilities it makes nearly equal numbers, so the loss cannot come near zero, and learning is slow")
        .help("give the loss what stands before that, the logits");
    Some(d)
}

fn normalised_in(pass: &Pass, expr: &Expr, found: &mut Vec<ValueId>) {
    if let Expr::Reduce { op: ReduceOp::Logsumexp, body, .. } = expr
        && let Expr::Read { value, .. } = &**body
    {
        found.extend(source(pass, *value).filter(|id| is_normalised(pass, *id)));
    }
    operands(expr, &mut |e| normalised_in(pass, e, found));
}

/// The value behind copies of it.
fn source(pass: &Pass, mut id: ValueId) -> Option<ValueId> {
    while let Definition::Indexed { value: Expr::Read { value, .. }, .. } = &pass.v(id).definition {
        id = *value;
    }
    Some(id)
}

fn is_normalised(pass: &Pass, id: ValueId) -> bool {
    let is_exp = |e: &Expr| matches!(e, Expr::Unary(Unary::Exp, _));
    let sum = |e: &Expr| matches!(e, Expr::Reduce { op: ReduceOp::Sum, body, .. } if is_exp(body));
    let shared = |e: &Expr, is: &dyn Fn(&Expr) -> bool| match e {
        Expr::Read { value, .. } => {
            matches!(&pass.v(*value).definition, Definition::Indexed { value, .. } if is(value))
        }
        other => is(other),
    };
    match &pass.v(id).definition {
        Definition::Indexed { value: Expr::Binary(Binary::Div, top, bottom), .. } => {
            shared(top, &is_exp) && shared(bottom, &sum)
        }
        _ => false,
    }
}

/// Logarithms and roots that a gradient passes through, of what nothing shows to be positive.
fn unproven_positive(train: &Train, objective: Span) -> Vec<Diagnostic> {
    let pass = &train.training;
    let doubts = doubts(pass, reached(pass, objectives(pass), differentiable));
    doubts.into_iter().map(|doubt| unproven(train, doubt, objective)).collect()
}

fn unproven(train: &Train, doubt: Doubt, objective: Span) -> Diagnostic {
    let value = train.training.v(doubt.value);
    let own = value.span.source == train.span.source;
    let root = doubt.function == Unary::Sqrt;
    let (what, name) = if root { ("root", "sqrt") } else { ("logarithm", doubt.function.name()) };
    let least = match doubt.least {
        low if low == f64::NEG_INFINITY => "may be any number".to_string(),
        low => format!("may be {low}"),
    };
    let message = format!("nothing shows that what this {what} is taken of is positive");
    let mut d = Diagnostic::warning("unproven-positive", if own { value.span } else { objective }, message);
    let label = format!("a `{name}` in the definition of `{}`, whose argument {least}", value.name);
    d = if own { d.here(label) } else { d.here("in what is minimised here").label(value.span, label) };
    if root && doubt.least >= 0.0 {
        return d
            .note("at zero the slope of a root is infinite, and one such gradient makes all parameters NaN")
            .help("add a small number under the root, `sqrt(x + 1e-8)`, or write `if x > 0 then sqrt(x) else 0`");
    }
    let at = doubt.function.facts().above;
    let outside = if root {
        "the root of a negative number is none"
    } else {
        "the logarithm of zero is -inf, and of less there is none"
    };
    let d = d.note(format!("{outside}; a loss that meets one number of {at} or below is lost"));
    if doubt.least == 0.0 {
        return d
            .note(
                "what is positive on paper may be zero in a computer: in 32 bits exp(-104) is, and so are the probabilities \
                 that are made of such exponentials",
            )
            .help(format!(
                "bound it, `{name}(max(x, 1e-8))`, or add a small number; of a probability, take the logarithm before \
                 `exp` instead, with a loss that is given logits or with `logsumexp`"
            ));
    }
    d.help(format!("bound it, `{name}(max(x, 1e-8))`, or begin from what is not negative and add a small number to it"))
}
