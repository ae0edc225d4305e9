//! Syntax tree to canonical source. Reading the result gives the same tree, up to spans: what
//! parentheses the tree does not hold are added where the precedence of operators asks for them.
//! Comments other than documentation are no part of the tree and are not printed.

mod dump;
mod expr;

use crate::ast::*;
pub use dump::dump;
use expr::{Level, expr_at};

/// Longest line that is not broken where it can be.
const WIDTH: usize = 100;
/// A parameter list longer than this stands on lines of its own.
const LONG_LIST: usize = 150;
/// Longest statement that may share a line with its braces.
const SHORT: usize = 60;

/// Prints a whole file.
#[must_use]
pub fn print(file: &File) -> String {
    let mut out = String::new();
    for (i, item) in file.items.iter().enumerate() {
        let both_use = i > 0 && matches!((&file.items[i - 1], item), (Item::Use { .. }, Item::Use { .. }));
        if i > 0 && !both_use {
            out.push('\n');
        }
        out.push_str(&print_item(item));
        out.push('\n');
    }
    out
}

/// Prints an expression on its own.
#[must_use]
pub fn print_expr(value: &Expr) -> String {
    expr(value, 0)
}

/// Prints a type.
#[must_use]
pub fn print_type(ty: &TypeExpr) -> String {
    type_text(ty, 0)
}

/// Prints a statement.
#[must_use]
pub fn print_stmt(statement: &Stmt) -> String {
    stmt(statement, 0)
}

/// Prints one item, without a line end.
#[must_use]
pub fn print_item(item: &Item) -> String {
    match item {
        Item::Use { path, .. } => format!("use \"{path}\""),
        Item::Callable(callable) => documented(&callable.doc, callable_text(callable)),
        Item::Data(data) => {
            let lines = data.entries.iter().map(|entry| data_entry(entry, 1)).collect();
            documented(&data.doc, format!("data {} {}", data.name.name, braces(lines, 0)))
        }
        Item::Train(train) => {
            let lines = train.entries.iter().map(train_entry).collect();
            let given = if train.params.is_empty() { String::new() } else { params(&train.params, 0) };
            documented(&train.doc, format!("train {}{given} {}", train.name.name, braces(lines, 0)))
        }
        Item::Sweep(sweep) => documented(&sweep.doc, sweep_text(sweep)),
        Item::Error(_) => UNREADABLE.to_string(),
    }
}

/// Stands where the text could not be read.
const UNREADABLE: &str = "<unreadable>";

fn documented(doc: &Option<String>, text: String) -> String {
    let lines = doc.iter().flat_map(|doc| doc.split('\n'));
    let slashes: String = lines.map(|line| format!("/// {line}").trim_end().to_string() + "\n").collect();
    slashes + &text
}

fn callable_text(callable: &Callable) -> String {
    let mut head = format!("{} {}", callable.kind.word(), callable.name.name);
    if !callable.dims.is_empty() {
        head += &dim_params(&callable.dims);
    }
    let takes_none = matches!(callable.kind, CallableKind::Init | CallableKind::Optimizer | CallableKind::Schedule);
    let bare = callable.params.is_empty() && takes_none;
    let list = if bare { String::new() } else { params(&callable.params, 0) };
    let output = callable.output.as_ref().map_or(String::new(), |ty| format!("-> {}", type_text(ty, 0)));
    let gap = if output.is_empty() { "" } else { " " };
    let broken = head.len() + list.len() + output.len() > WIDTH && !output.is_empty();
    let gap = if broken { "\n    " } else { gap };
    let better = callable.better.map_or(String::new(), |b| format!(" {}", b.words()));
    format!("{head}{list}{gap}{output}{better} {}", body(&callable.body, 0))
}

fn dim_params(dims: &[DimParam]) -> String {
    let names = dims.iter().map(|dim| if dim.pack { format!("..{}", dim.name.name) } else { dim.name.name.clone() });
    format!("[{}]", names.collect::<Vec<_>>().join(", "))
}

fn params(params: &[Param], indent: usize) -> String {
    let list = params.iter().map(|param| {
        let ty = param.ty.as_ref().map_or(String::new(), |ty| format!(": {}", type_text(ty, indent)));
        let default = param.default.as_ref().map_or(String::new(), |value| format!(" = {}", expr(value, indent)));
        let range = param.range.as_ref().map_or(String::new(), |r| format!(" where {}", range(&param.name.name, r)));
        format!("{}{ty}{default}{range}", param.name.name)
    });
    filled(&list.collect::<Vec<_>>(), indent)
}

/// `0 <= p < 1`, or `p > 0` where there is only one end.
pub fn range(name: &str, range: &Range) -> String {
    let sign = |end: &End| if end.included { "=" } else { "" };
    let at = |end: &End| expr(&end.at, 0);
    match (&range.lower, &range.upper) {
        (Some(low), Some(high)) => format!("{} <{} {name} <{} {}", at(low), sign(low), sign(high), at(high)),
        (Some(low), None) => format!("{name} >{} {}", sign(low), at(low)),
        (None, Some(high)) => format!("{name} <{} {}", sign(high), at(high)),
        (None, None) => String::new(),
    }
}

/// A list in parentheses; one too long for a line is filled into several.
fn filled(list: &[String], indent: usize) -> String {
    let flat = format!("({})", list.join(", "));
    if flat.chars().count() + 4 * indent <= LONG_LIST {
        return flat;
    }
    let mut lines: Vec<String> = vec![];
    for (k, item) in list.iter().enumerate() {
        let comma = if k + 1 == list.len() { "" } else { "," };
        match lines.last_mut().filter(|l| l.chars().count() + item.chars().count() < WIDTH) {
            Some(line) => *line += &format!(" {item}{comma}"),
            None => lines.push(format!("{item}{comma}")),
        }
    }
    let inner = margin(indent + 1);
    let lines: String = lines.iter().map(|line| format!("{inner}{line}\n")).collect();
    format!("(\n{lines}{})", margin(indent))
}

fn body(body: &Body, indent: usize) -> String {
    match body {
        Body::Block(inner) => block(inner, indent),
        Body::Expr { value, wheres } => {
            let definitions: Vec<_> = wheres.iter().map(|definition| stmt(definition, indent)).collect();
            let list =
                if definitions.is_empty() { String::new() } else { format!(" where {}", definitions.join("; ")) };
            format!("= {}{list}", expr(value, indent))
        }
        Body::ByRank { dims, then, otherwise } => {
            let rest = otherwise.as_ref().map_or(String::new(), |rest| format!(" else {}", block(rest, indent)));
            format!("for {} {}{rest}", dim_params(dims), block(then, indent))
        }
    }
}

/// Lines in braces, each on its own line.
fn braces(lines: Vec<String>, indent: usize) -> String {
    if lines.is_empty() {
        return "{}".to_string();
    }
    let inner = margin(indent + 1);
    let lines: String = lines.into_iter().map(|line| format!("{inner}{line}\n")).collect();
    format!("{{\n{lines}{}}}", margin(indent))
}

fn margin(indent: usize) -> String {
    "    ".repeat(indent)
}

fn block(block: &Block, indent: usize) -> String {
    let lines: Vec<_> = block.stmts.iter().map(|statement| stmt(statement, indent + 1)).collect();
    match lines.as_slice() {
        [line] if line.len() <= SHORT && !line.contains('\n') => format!("{{ {line} }}"),
        _ => braces(lines, indent),
    }
}

fn stmt(stmt: &Stmt, indent: usize) -> String {
    match &stmt.kind {
        StmtKind::Param { name, saved, ty, init } => {
            format!("param {}{}: {} ~ {}", name.name, saved_name(saved), type_text(ty, indent), expr(init, indent))
        }
        StmtKind::State { name, saved, ty, init } => {
            format!("state {}{}{} = {}", name.name, saved_name(saved), annotation(ty, indent), expr(init, indent))
        }
        StmtKind::Draw { name, ty, dist, per_batch } => {
            let per = if *per_batch { " per batch" } else { "" };
            format!("{}{} ~ {}{per}", name.name, annotation(ty, indent), expr(dist, indent))
        }
        StmtKind::Define { lhs, value, per_microbatch } => {
            let per = if *per_microbatch { " per microbatch" } else { "" };
            format!("{} = {}{per}", left_side(lhs, indent), expr(value, indent))
        }
        StmtKind::Accumulate { lhs, value, dropping } => {
            let (name, ty) = (Lhs { ty: None, ..lhs.clone() }, annotation(&lhs.ty, indent));
            let guard = if *dropping { " or 0" } else { "" };
            format!("{}{guard}{ty} += {}", left_side(&name, indent), expr(value, indent))
        }
        StmtKind::Expr(Expr { kind: ExprKind::If { condition, then, otherwise }, .. }) => {
            expr::if_text(condition, then, otherwise.as_ref(), true, indent)
        }
        StmtKind::Expr(value) => expr(value, indent),
        StmtKind::Error => UNREADABLE.to_string(),
    }
}

fn saved_name(saved: &Option<String>) -> String {
    saved.as_ref().map_or(String::new(), |saved| format!(" \"{saved}\""))
}

fn annotation(ty: &Option<TypeExpr>, indent: usize) -> String {
    ty.as_ref().map_or(String::new(), |ty| format!(": {}", type_text(ty, indent)))
}

fn left_side(lhs: &Lhs, indent: usize) -> String {
    let at = lhs.indices.as_ref().map_or(String::new(), |at| expr::positions(&lhs.name.name, at, indent));
    format!("{}{at}{}", lhs.name.name, annotation(&lhs.ty, indent))
}

fn data_entry(entry: &DataEntry, indent: usize) -> String {
    match entry {
        DataEntry::Setting { name, value } => format!("{} = {}", name.name, expr(value, indent)),
        DataEntry::Field { name, ty, value } => {
            format!("{}: {} = {}", name.name, type_text(ty, indent), expr(value, indent))
        }
        DataEntry::Rule { indices, entries, .. } => {
            let ranges = indices.iter().map(|(name, range)| format!("{}: {}", name.name, expr(range, indent)));
            let lines = entries.iter().map(|entry| data_entry(entry, indent + 1)).collect();
            format!("for {} {}", ranges.collect::<Vec<_>>().join(", "), braces(lines, indent))
        }
        DataEntry::Error(_) => UNREADABLE.to_string(),
    }
}

fn train_entry(entry: &TrainEntry) -> String {
    let label = entry.label.as_ref().map_or(String::new(), |label| format!(" {}", label.name));
    format!("{}{label} = {}", left_side(&entry.lhs, 1), expr(&entry.value, 1))
}

fn sweep_text(sweep: &Sweep) -> String {
    let axes = sweep.axes.iter().map(|(name, values)| format!("{} in {}", name.name, expr(values, 1)));
    let train = sweep.train.iter().map(|train| format!("train = {}", expr(train, 1)));
    let plots = sweep.plots.iter().map(|plot| {
        let by = plot.by.as_ref().map_or(String::new(), |by| format!(" by {}", by.name));
        format!("plot {} against {}{by}", expr::list(&plot.values, 1), plot.against.name)
    });
    format!("sweep {} {}", sweep.name.name, braces(axes.chain(train).chain(plots).collect(), 0))
}

fn expr(value: &Expr, indent: usize) -> String {
    expr_at(value, Level::Whole, indent)
}

fn type_text(ty: &TypeExpr, indent: usize) -> String {
    match &ty.kind {
        TypeKind::Tensor { dims, of } => {
            let dims = dims.iter().map(|dim| match dim {
                DimExpr::Dim(extent) => expr(extent, indent),
                DimExpr::Pack(name) => format!("..{}", name.name),
            });
            let of = of.as_ref().map_or(String::new(), |of| format!(" of {}", type_text(of, indent)));
            format!("[{}]{of}", dims.collect::<Vec<_>>().join(", "))
        }
        TypeKind::Class(count) => format!("class({})", expr(count, indent)),
        TypeKind::Name(name) => name.clone(),
        TypeKind::Record(fields) => {
            let fields = fields.iter().map(|(name, ty)| format!("{}: {}", name.name, type_text(ty, indent)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        TypeKind::Error => UNREADABLE.to_string(),
    }
}
