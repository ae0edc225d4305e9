//! Sweeps: what they train, their axes and what they draw, all of it known before anything runs.

use super::items::Items;
use crate::check::report::{Sink, nearest};
use grammar::ast::{self, Expr, ExprKind, UnaryOp};
use grammar::diagnostic::Diagnostic;

/// The name of the train block that a sweep trains, if it says one.
pub fn swept(sweep: &ast::Sweep) -> Option<&str> {
    let train = sweep.train.as_ref()?;
    match &train.kind {
        ExprKind::Name(name) => Some(name),
        ExprKind::Call { callee, .. } => match &callee.kind {
            ExprKind::Name(name) => Some(name),
            _ => None,
        },
        _ => None,
    }
}

/// Reports what of the program's sweeps stands for nothing, but for figures, which the train block knows.
pub fn resolve(items: &Items<'_>, program: &ast::File, sink: &mut Sink) {
    for item in &program.items {
        let ast::Item::Sweep(sweep) = item else { continue };
        trained(items, sweep, sink);
        let axes: Vec<&str> = sweep.axes.iter().map(|(name, _)| name.name.as_str()).collect();
        for (number, (name, values)) in sweep.axes.iter().enumerate() {
            if let Some(first) = axes[..number].iter().position(|axis| *axis == name.name) {
                let message = format!("this sweep has two axes `{}`", name.name);
                let d = Diagnostic::error("duplicate-setting", name.span, message);
                sink.add(d.label(sweep.axes[first].0.span, "the first is here"));
            }
            list(name, values, sink);
        }
        if let Some(d) = size(sweep) {
            sink.add(d);
        }
        for axis in sweep.plots.iter().flat_map(|plot| std::iter::once(&plot.against).chain(&plot.by)) {
            if !axes.contains(&axis.name.as_str()) {
                let d = Diagnostic::error("unknown-name", axis.span, format!("this sweep has no axis `{}`", axis.name));
                sink.add(with_nearest(d, axis, &axes).note(listed("its axes are", &axes)));
            }
        }
    }
}

fn trained(items: &Items<'_>, sweep: &ast::Sweep, sink: &mut Sink) {
    let blocks: Vec<&str> = items.train_names().collect();
    let Some(train) = &sweep.train else {
        let message = format!("the sweep `{}` does not say what it trains", sweep.name.name);
        let d = Diagnostic::error("missing-setting", sweep.name.span, message);
        let block = blocks.first().copied().unwrap_or("block");
        return sink.add(d.here("`train` is missing").help(format!("add a line such as `train = {block}`")));
    };
    let place = if let ExprKind::Call { callee, .. } = &train.kind { callee } else { train };
    match swept(sweep) {
        Some(name) if items.train(name).is_some() => {}
        Some(name) => {
            let d = Diagnostic::error("unknown-name", place.span, format!("there is no train block `{name}`"));
            let name = ast::Ident { name: name.to_string(), span: place.span };
            sink.add(with_nearest(d, &name, &blocks).note(listed("there is", &blocks)));
        }
        None => {
            let d =
                Diagnostic::error("wrong-kind", train.span, "`train` names the block that is trained at each point");
            sink.add(d.help("write `train = block`, or `train = block(width)` for one with parameters"));
        }
    }
}

/// The most points of a sweep: each is a run with a folder of its own.
const MOST_POINTS: usize = 10_000;

/// What is wrong with the number of points.
fn size(sweep: &ast::Sweep) -> Option<Diagnostic> {
    let length = |values: &Expr| if let ExprKind::List(list) = &values.kind { list.len() } else { 0 };
    let counts = sweep.axes.iter().map(|(name, values)| (name.name.as_str(), length(values)));
    let points = counts.clone().try_fold(1, |n: usize, (_, count)| n.checked_mul(count));
    if points.is_some_and(|n| n <= MOST_POINTS) {
        return None;
    }
    let sizes: Vec<String> = counts.map(|(name, count)| format!("{count} of `{name}`")).collect();
    let message = format!("this sweep has more than {MOST_POINTS} points: {}", sizes.join(" times "));
    let d = Diagnostic::error("too-large", sweep.name.span, message);
    Some(d.here("each point is a run of its own").help("leave values out, or sweep the axes one after the other"))
}

/// The values of an axis are a list of numbers, each of which can be told from the others.
fn list(name: &ast::Ident, values: &Expr, sink: &mut Sink) {
    let list = if let ExprKind::List(list) = &values.kind { list.as_slice() } else { &[] };
    let example = format!("write the values to try: `{} in [1, 2, 4]`", name.name);
    if list.is_empty() {
        let message = format!("the values of the axis `{}` are a list of numbers", name.name);
        return sink.add(Diagnostic::error("wrong-kind", values.span, message).help(example));
    }
    let mut before: Vec<f64> = vec![];
    for element in list {
        let Some((value, text)) = number(element) else {
            let message = format!("the values of the axis `{}` are numbers as written, but this is none", name.name);
            sink.add(Diagnostic::error("wrong-kind", element.span, message).help(example.clone()));
            continue;
        };
        if !exact(value, &text) {
            let message = format!("{text} has more digits than the values of an axis keep; it would become {value}");
            sink.add(Diagnostic::error("wrong-kind", element.span, message).help("take a number of at most 15 digits"));
        } else if before.contains(&value) {
            let message = format!("the axis `{}` has the value {text} twice", name.name);
            sink.add(Diagnostic::error("duplicate-setting", element.span, message).help("leave one of them out"));
        }
        before.push(value);
    }
}

fn number(e: &Expr) -> Option<(f64, String)> {
    match &e.kind {
        ExprKind::Number { value, text } => Some((*value, text.clone())),
        ExprKind::Unary { op: UnaryOp::Neg, value } => number(value).map(|(v, text)| (-v, format!("-{text}"))),
        _ => None,
    }
}

/// Whether a whole number as written is the number that it is kept as.
fn exact(value: f64, text: &str) -> bool {
    let digits = text.trim_start_matches('-').replace('_', "");
    let whole = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    !whole || digits.parse::<u128>().is_ok_and(|n| value.abs() < 1e30 && value.abs() as u128 == n)
}

pub fn with_nearest(d: Diagnostic, name: &ast::Ident, known: &[&str]) -> Diagnostic {
    match nearest(&name.name, known.iter().copied()) {
        Some(near) => d.fix(format!("did you mean `{near}`?"), name.span, near),
        None => d,
    }
}

pub fn listed(before: &str, names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    format!("{before} {}", if quoted.is_empty() { "none".to_string() } else { quoted.join(", ") })
}
