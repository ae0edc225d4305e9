//! Minibatches that are too small: a formula such as the unbiased variance divides by the number of samples less one,
//! which a last minibatch of one sample makes zero. Known before anything runs, once the number of samples is.

use crate::scalar::{Binary, Unary};
use crate::typed::expr::operands;
use crate::typed::{DataValue, Definition, Expr, Pass, Train, Value};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;

/// The first value that divides by zero in a minibatch of so many samples.
#[must_use]
pub fn divided_by_zero(pass: &Pass, samples: usize) -> Option<&Value> {
    pass.values.iter().find(|value| match &value.definition {
        Definition::Indexed { value, .. } | Definition::Accumulate { value, .. } => divides(pass, value, samples),
        _ => false,
    })
}

/// Sizes of minibatches near `batch` whose last one, of that many samples, divides nothing by zero.
#[must_use]
pub fn better_batch(pass: &Pass, count: usize, batch: usize) -> Option<usize> {
    let near = (1..batch).flat_map(|d| [batch + d, batch - d]);
    let fits = |b: &usize| *b > 1 && divided_by_zero(pass, *b).is_none();
    let ends = |b: &usize| count.is_multiple_of(*b) || divided_by_zero(pass, count % b).is_none();
    near.filter(fits).find(ends)
}

/// What is wrong where the block or its data says how many samples there are.
pub fn fault(train: &Train, setting: Span) -> Option<Diagnostic> {
    let batch = train.settings.batch?;
    let declared = train.data.iter().flat_map(|d| &d.settings).find_map(|(name, value, span)| match value {
        DataValue::Number(n) if name == "samples" && train.settings.valid_share.is_none() => Some((*n as usize, *span)),
        _ => None,
    });
    let pass = &train.training;
    let last = declared.map_or(0, |(count, _)| count % batch);
    let size = if divided_by_zero(pass, batch).is_some() { batch } else { last };
    let value = if size > 0 { divided_by_zero(pass, size) } else { None }?;
    let plural = if size == 1 { "" } else { "s" };
    let message = format!("a minibatch of {size} sample{plural} divides by zero in `{}`", value.name);
    let mut d = Diagnostic::error("short-batch", setting, message).label(value.span, "divides by zero there");
    let Some((count, span)) = declared.filter(|_| size == last) else {
        return Some(d.help("make `batch` larger"));
    };
    d = d
        .here(format!("{count} = {} x {batch} + {last}: the last minibatch has {last}", count / batch))
        .label(span, "the number of samples");
    Some(match better_batch(pass, count, batch) {
        Some(other) => d.fix(format!("`{other}` leaves none so small"), setting, other.to_string()),
        None => d,
    })
}

fn divides(pass: &Pass, expr: &Expr, samples: usize) -> bool {
    let mut found = matches!(expr, Expr::Binary(Binary::Div, _, b) if fixed(pass, b, samples) == Some(0.0));
    operands(expr, &mut |e| found |= divides(pass, e, samples));
    found
}

/// The number an expression is, if it depends on nothing but the number of samples.
fn fixed(pass: &Pass, expr: &Expr, samples: usize) -> Option<f64> {
    let of = |e: &Expr| fixed(pass, e, samples);
    match expr {
        Expr::Number(x) => Some(*x),
        Expr::Int(n) => Some(*n as f64),
        Expr::BatchSize => Some(samples as f64),
        Expr::Unary(Unary::ToFloat, a) => of(a),
        Expr::Unary(Unary::Neg, a) => Some(-of(a)?),
        Expr::Binary(Binary::Add, a, b) => Some(of(a)? + of(b)?),
        Expr::Binary(Binary::Sub, a, b) => Some(of(a)? - of(b)?),
        Expr::Binary(Binary::Mul, a, b) => Some(of(a)? * of(b)?),
        Expr::Read { value, at, .. } if at.is_empty() => match &pass.v(*value).definition {
            Definition::Indexed { value, .. } => of(value),
            _ => None,
        },
        _ => None,
    }
}
