//! A readable text form of the typed tree, for `nnc emit --stage typed` and for tests.

use crate::scalar::{Binary, Unary};
use crate::typed::{
    Definition, Element, Expr, Extent, IndexId, Outcome, Pass, ReduceOp, SAMPLE, State, Train, Type, Value,
};
use std::fmt::{self, Write};

/// The whole tree as text.
#[must_use]
pub fn print(train: &Train) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_train(&mut out, train);
    out
}

fn write_train(out: &mut String, train: &Train) -> fmt::Result {
    writeln!(out, "train {}", train.name)?;
    for field in &train.fields {
        writeln!(out, "  field {}: {}", field.name, type_text(&field.ty))?;
    }
    for p in &train.parameters {
        let frozen = if p.frozen { " frozen" } else { "" };
        writeln!(out, "  param {} \"{}\": {:?}{frozen}", p.path, p.saved, p.dims)?;
    }
    write_states(out, "state", &train.states)?;
    write_states(out, "slot", &train.slots)?;
    let passes = [
        ("init", &train.init),
        ("training", &train.training),
        ("evaluation", &train.evaluation),
        ("update", &train.update),
    ];
    passes.into_iter().try_for_each(|(name, pass)| write_pass(out, name, pass))
}

fn write_states(out: &mut String, word: &str, states: &[State]) -> fmt::Result {
    states.iter().try_for_each(|s| writeln!(out, "  {word} {} \"{}\": {:?}", s.path, s.saved, s.dims))
}

fn write_pass(out: &mut String, name: &str, pass: &Pass) -> fmt::Result {
    writeln!(out, "{name}")?;
    for value in &pass.values {
        writeln!(out, "  {}", value_text(pass, value))?;
    }
    for (outcome, id) in &pass.outcomes {
        let what = match outcome {
            Outcome::Parameter(n) => format!("parameter {n}"),
            Outcome::GradientPoint(n) => format!("gradient point {n}"),
            Outcome::State(n) => format!("state {n}"),
            Outcome::Slot(n) => format!("slot {n}"),
            Outcome::Objective(n) => format!("objective {n}"),
            Outcome::Metric(m) => format!("metric {m}"),
            Outcome::Total(n) => format!("total {n}"),
            Outcome::Report(m) => format!("metric of the split {m}"),
            Outcome::Output(o) => format!("output {o}"),
        };
        writeln!(out, "  -> {what} = {}", pass.v(*id).name)?;
    }
    Ok(())
}

fn type_text(ty: &Type) -> String {
    let element = match ty.element {
        Element::Number => String::new(),
        Element::Class(n) => format!(" of class({n})"),
        Element::Sample => " of samples".into(),
        Element::Bool => " of bool".into(),
    };
    let sample = if ty.per_sample { " per sample" } else { "" };
    format!("{:?}{element}{sample}", ty.dims)
}

fn value_text(pass: &Pass, value: &Value) -> String {
    let head = format!("{}: {}", value.name, type_text(&value.ty));
    match &value.definition {
        Definition::Field(n) => format!("{head} = field {n}"),
        Definition::Parameter(n) => format!("{head} = parameter {n}"),
        Definition::State(n) => format!("{head} = state {n}"),
        Definition::Slot(n) => format!("{head} = slot {n}"),
        Definition::Gradient { parameter, of, shifted } => {
            let at = if *shifted { " at its point" } else { "" };
            format!("{head} = gradient of objective {of} by parameter {parameter}{at}")
        }
        Definition::Total(n) => format!("{head} = total {n}"),
        Definition::Delayed { of, initial, turn } => {
            let (of, initial) = (&pass.v(*of).name, &pass.v(*initial).name);
            format!("{head} = {of} one turn earlier along axis {turn}, at first {initial}")
        }
        Definition::Supplied(s) => format!("{head} = {}", format!("{s:?}").to_lowercase()),
        Definition::Listed(values) => {
            let values: Vec<_> = values.iter().map(|v| format!("{v:?}")).collect();
            format!("{head} = [{}]", values.join(", "))
        }
        Definition::Draw { distribution, site } => {
            format!("{head} ~ {} site {site:08x}", format!("{distribution:?}").to_lowercase())
        }
        Definition::Indexed { indices, value: e } => {
            let left: Vec<_> = indices.iter().map(|i| index_text(pass, *i)).collect();
            format!("{}[{}]: {} = {}", value.name, left.join(", "), type_text(&value.ty), expr_text(pass, e))
        }
        Definition::Accumulate { indices, at, dropping, value: e } => {
            let over: Vec<_> =
                indices.iter().map(|i| format!("{}: {}", index_text(pass, *i), extent_text(pass, *i))).collect();
            let at: Vec<_> = at.iter().map(|a| expr_text(pass, a)).collect();
            let or = if *dropping { " or nothing" } else { "" };
            format!(
                "{head}; over [{}]: {}[{}]{or} += {}",
                over.join(", "),
                value.name,
                at.join(", "),
                expr_text(pass, e)
            )
        }
    }
}

fn index_text(pass: &Pass, id: IndexId) -> String {
    let name = &pass.indices[id.0 as usize].name;
    if id == SAMPLE { name.clone() } else { format!("{name}.{}", id.0) }
}

fn extent_text(pass: &Pass, id: IndexId) -> String {
    match pass.indices[id.0 as usize].extent {
        Extent::Fixed(n) => n.to_string(),
        Extent::Batch => "batch".into(),
    }
}

/// An expression as text.
fn expr_text(pass: &Pass, expr: &Expr) -> String {
    match expr {
        Expr::Number(v) => format!("{v:?}"),
        Expr::Int(v) => v.to_string(),
        Expr::Bool(v) => v.to_string(),
        Expr::Index(id) => index_text(pass, *id),
        Expr::BatchSize => "#batch".into(),
        Expr::Read { value, at, otherwise } => read_text(pass, &pass.v(*value).name, at, otherwise.as_deref()),
        Expr::Unary(Unary::Neg, a) => format!("-{}", expr_text(pass, a)),
        Expr::Unary(op, a) => format!("{}({})", op.name(), expr_text(pass, a)),
        Expr::Binary(op @ (Binary::Max | Binary::Min | Binary::ZeroOrProduct | Binary::ZeroOrQuotient), a, b) => {
            format!("{}({}, {})", op.name(), expr_text(pass, a), expr_text(pass, b))
        }
        Expr::Binary(op, a, b) => format!("({} {} {})", expr_text(pass, a), op.name(), expr_text(pass, b)),
        Expr::Select(c, a, b) => {
            format!("(if {} then {} else {})", expr_text(pass, c), expr_text(pass, a), expr_text(pass, b))
        }
        Expr::Reduce { op, over, body } => {
            let over: Vec<_> =
                over.iter().map(|i| format!("{}: {}", index_text(pass, *i), extent_text(pass, *i))).collect();
            format!("({}[{}] {})", reduction(*op), over.join(", "), expr_text(pass, body))
        }
    }
}

fn read_text(pass: &Pass, name: &str, at: &[Expr], otherwise: Option<&Expr>) -> String {
    let at: Vec<_> = at.iter().map(|a| expr_text(pass, a)).collect();
    let read = if at.is_empty() { name.to_string() } else { format!("{name}[{}]", at.join(", ")) };
    match otherwise {
        Some(e) => format!("({read} or {})", expr_text(pass, e)),
        None => read,
    }
}

fn reduction(op: ReduceOp) -> &'static str {
    match op {
        ReduceOp::Sum => "sum",
        ReduceOp::Mean => "mean",
        ReduceOp::Prod => "prod",
        ReduceOp::Max => "max",
        ReduceOp::Min => "min",
        ReduceOp::Argmax => "argmax",
        ReduceOp::Any => "any",
        ReduceOp::All => "all",
        ReduceOp::Logsumexp => "logsumexp",
    }
}
