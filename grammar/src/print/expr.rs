//! Expressions to source. Each form has a [`Level`] of binding; where a part binds looser than its
//! place asks for, parentheses are added. The levels are those of the grammar.

use super::{UNREADABLE, WIDTH, block, body, margin, params};
use crate::ast::*;
use crate::token::reduction;

/// How tightly a form binds, loosest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Whole,
    Pipe,
    Or,
    And,
    Comparison,
    Sum,
    Term,
    Product,
    Unary,
    Power,
    Read,
    Sampled,
    Named,
    Postfix,
    Atom,
}

/// Prints `value` for a place that takes what binds at least as tightly as `level`.
pub fn expr_at(value: &Expr, level: Level, indent: usize) -> String {
    let text = expr(value, indent);
    if level_of(value) < level { format!("({text})") } else { text }
}

fn level_of(value: &Expr) -> Level {
    match &value.kind {
        ExprKind::Select { .. } | ExprKind::Lambda { .. } | ExprKind::GradAt(_) => Level::Whole,
        ExprKind::On { .. } | ExprKind::Over { .. } | ExprKind::Sequence(_) => Level::Whole,
        ExprKind::Pipe { .. } | ExprKind::If { .. } | ExprKind::For { .. } | ExprKind::Scan { .. } => Level::Pipe,
        ExprKind::Binary { op, right, .. } if level_of_operator(*op) == Level::Product && is_last_factor(right) => {
            Level::Term
        }
        ExprKind::Binary { op, .. } => level_of_operator(*op),
        ExprKind::Reduce { .. } => Level::Term,
        ExprKind::Unary { value: operand, .. } if is_last_factor(operand) => Level::Term,
        ExprKind::Unary { .. } => Level::Unary,
        ExprKind::Number { value, .. } if value.is_sign_negative() => Level::Unary,
        ExprKind::Guarded { .. } => Level::Read,
        ExprKind::Sample { .. } => Level::Sampled,
        ExprKind::As { .. } => Level::Named,
        ExprKind::Call { .. } | ExprKind::Index { .. } | ExprKind::Field { .. } => Level::Postfix,
        ExprKind::Number { .. } | ExprKind::Bool(_) | ExprKind::Text(_) | ExprKind::Name(_) => Level::Atom,
        ExprKind::Record(_) | ExprKind::List(_) | ExprKind::Paren(_) | ExprKind::Error => Level::Atom,
    }
}

fn level_of_operator(op: BinaryOp) -> Level {
    match op {
        BinaryOp::Or => Level::Or,
        BinaryOp::And => Level::And,
        BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => Level::Comparison,
        BinaryOp::Add | BinaryOp::Sub => Level::Sum,
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod => Level::Product,
        BinaryOp::Pow => Level::Power,
    }
}

/// Whether the form may stand only as the last factor of a product.
fn is_last_factor(value: &Expr) -> bool {
    match &value.kind {
        ExprKind::Reduce { .. } => true,
        ExprKind::Unary { value, .. } => is_last_factor(value),
        _ => false,
    }
}

fn expr(value: &Expr, indent: usize) -> String {
    match &value.kind {
        ExprKind::Number { value, text } if text.is_empty() => value.to_string(),
        ExprKind::Number { text, .. } => text.clone(),
        ExprKind::Bool(value) => value.to_string(),
        ExprKind::Text(text) => format!("\"{text}\""),
        ExprKind::Name(name) => name.clone(),
        ExprKind::Record(fields) => record(fields, indent),
        ExprKind::List(values) => format!("[{}]", list(values, indent)),
        ExprKind::Paren(inner) => format!("({})", expr(inner, indent)),
        ExprKind::Call { callee, args } => {
            format!("{}({})", expr_at(callee, Level::Postfix, indent), arguments(args, indent))
        }
        ExprKind::Index { base, at } => {
            let base = expr_at(base, Level::Postfix, indent);
            format!("{base}{}", positions(&base, at, indent))
        }
        ExprKind::Field { base, field } => field_text(base, field, indent),
        ExprKind::As { value, name } => format!("{} as {}", expr_at(value, Level::Postfix, indent), name.name),
        ExprKind::Sample { base, at } => {
            format!("{}@{}", expr_at(base, Level::Sampled, indent), sample_index(at, indent))
        }
        ExprKind::Guarded { read, otherwise } => {
            format!("{} or {}", expr_at(read, Level::Sampled, indent), expr_at(otherwise, Level::Atom, indent))
        }
        ExprKind::Unary { op, value } => format!("{}{}", op.symbol(), factor(value, indent)),
        ExprKind::Binary { op, left, right } => binary(*op, left, right, indent),
        ExprKind::Reduce { op, indices, body } => {
            let indices: Vec<_> = indices.iter().map(|index| reduce_index(index, indent)).collect();
            format!("{}[{}] {}", op.word(), indices.join(", "), expr_at(body, Level::Term, indent))
        }
        ExprKind::Pipe { .. } => pipe(value, indent),
        _ => form(value, indent),
    }
}

/// The forms that begin with a word or hold several parts.
fn form(value: &Expr, indent: usize) -> String {
    let whole = |part: &Expr| expr(part, indent);
    match &value.kind {
        ExprKind::Select { condition, then, otherwise } => {
            format!("if {} then {} else {}", whole(condition), whole(then), whole(otherwise))
        }
        ExprKind::If { condition, then, otherwise } => if_text(condition, then, otherwise.as_ref(), false, indent),
        ExprKind::For { index, from, to, carry, body } => {
            let (from, to) = (whole(from), whole(to));
            format!("for {} in {from}..{to}{} {}", index.name, carry_text(carry, indent), block(body, indent))
        }
        ExprKind::Scan { index, sequence, carry, body } => {
            let sequence = whole(sequence);
            format!("scan {} in {sequence}{} {}", index.name, carry_text(carry, indent), block(body, indent))
        }
        ExprKind::Lambda { params: list, body: inner } => format!("fn{} {}", params(list, indent), body(inner, indent)),
        ExprKind::GradAt(point) => format!("grad at {}", whole(point)),
        ExprKind::On { rule, set } => format!("{} on {}", whole(rule), whole(set)),
        ExprKind::Over { value, set } => format!("{} over {}", whole(value), whole(set)),
        ExprKind::Sequence(values) => list(values, indent),
        _ => UNREADABLE.to_string(),
    }
}

/// Expressions with commas between.
pub fn list(values: &[Expr], indent: usize) -> String {
    values.iter().map(|value| expr(value, indent)).collect::<Vec<_>>().join(", ")
}

fn record(fields: &[(Ident, Expr)], indent: usize) -> String {
    if fields.is_empty() {
        return "{}".to_string();
    }
    let fields = fields.iter().map(|(name, value)| format!("{} = {}", name.name, expr(value, indent)));
    format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
}

fn arguments(args: &[Arg], indent: usize) -> String {
    let args = args.iter().map(|arg| {
        let name = arg.name.as_ref().map_or(String::new(), |name| format!("{} = ", name.name));
        name + &expr(&arg.value, indent)
    });
    args.collect::<Vec<_>>().join(", ")
}

/// `[i, ..j, (a, b)]` after `base`; a space keeps a tensor called `sum` from being read as a reduction.
pub fn positions(base: &str, at: &[IndexArg], indent: usize) -> String {
    let gap = if reduction(base).is_some() { " " } else { "" };
    format!("{gap}[{}]", index_args(at, indent))
}

fn index_args(at: &[IndexArg], indent: usize) -> String {
    let args = at.iter().map(|arg| match arg {
        IndexArg::Expr(value) => expr(value, indent),
        IndexArg::Pack(name) => format!("..{}", name.name),
        IndexArg::Combine { parts, .. } => format!("({})", index_args(parts, indent)),
    });
    args.collect::<Vec<_>>().join(", ")
}

fn field_text(base: &Expr, field: &Ident, indent: usize) -> String {
    format!("{}.{}", expr_at(base, Level::Postfix, indent), field.name)
}

/// What stands after `@`: an atom, perhaps with positions.
fn sample_index(at: &Expr, indent: usize) -> String {
    match &at.kind {
        ExprKind::Index { base, at } => {
            let base = sample_index(base, indent);
            format!("{base}{}", positions(&base, at, indent))
        }
        _ => expr_at(at, Level::Atom, indent),
    }
}

fn reduce_index(index: &ReduceIndex, indent: usize) -> String {
    let dots = if index.pack { ".." } else { "" };
    let range = index.range.as_ref().map_or(String::new(), |range| format!(": {}", expr(range, indent)));
    let set = index.set.as_ref().map_or(String::new(), |set| format!(" in {}", expr(set, indent)));
    format!("{dots}{}{range}{set}", index.name.name)
}

/// The last factor of a product, or the operand of a prefix operator.
fn factor(value: &Expr, indent: usize) -> String {
    expr_at(value, if is_last_factor(value) { Level::Term } else { Level::Unary }, indent)
}

fn binary(op: BinaryOp, left: &Expr, right: &Expr, indent: usize) -> String {
    let level = level_of_operator(op);
    let (left, right) = match level {
        Level::Power => (expr_at(left, Level::Read, indent), expr_at(right, Level::Unary, indent)),
        Level::Product => (expr_at(left, level, indent), factor(right, indent)),
        Level::Sum => (expr_at(left, level, indent), expr_at(right, Level::Term, indent)),
        Level::Comparison => (expr_at(left, Level::Sum, indent), expr_at(right, Level::Sum, indent)),
        Level::And => (expr_at(left, level, indent), expr_at(right, Level::Comparison, indent)),
        _ => (expr_at(left, level, indent), expr_at(right, Level::And, indent)),
    };
    let gap = if op == BinaryOp::Pow { "" } else { " " };
    format!("{left}{gap}{}{gap}{right}", op.symbol())
}

/// A chain of stages, one a line where it is too long for one.
fn pipe(value: &Expr, indent: usize) -> String {
    let (mut stages, mut input) = (vec![], value);
    while let ExprKind::Pipe { input: before, call } = &input.kind {
        stages.push(expr_at(call, Level::Named, indent));
        input = before;
    }
    stages.push(expr_at(input, Level::Pipe, indent));
    stages.reverse();
    let length: usize = stages.iter().map(|stage| stage.len() + 4).sum();
    let broken = length + 4 * indent > WIDTH;
    let between = if broken { format!("\n{}|> ", margin(indent + 1)) } else { " |> ".to_string() };
    stages.join(&between)
}

/// `if c { } else { }`. Without a last `else` it has no value, so a chain is written `else if`
/// inside an expression only where it is closed.
pub fn if_text(condition: &Expr, then: &Block, otherwise: Option<&Block>, statement: bool, indent: usize) -> String {
    let head = format!("if {} {}", expr(condition, indent), block(then, indent));
    let Some(otherwise) = otherwise else { return head };
    let chained = match otherwise.stmts.as_slice() {
        [Stmt { kind: StmtKind::Expr(inner), .. }] if statement || is_closed(inner) => Some(inner),
        _ => None,
    };
    match chained.map(|inner| &inner.kind) {
        Some(ExprKind::If { condition, then, otherwise }) => {
            format!("{head} else {}", if_text(condition, then, otherwise.as_ref(), statement, indent))
        }
        _ => format!("{head} else {}", block(otherwise, indent)),
    }
}

/// Whether a chain of `if .. else if ..` ends in `else`.
fn is_closed(value: &Expr) -> bool {
    let ExprKind::If { otherwise: Some(otherwise), .. } = &value.kind else { return false };
    match otherwise.stmts.as_slice() {
        [Stmt { kind: StmtKind::Expr(inner @ Expr { kind: ExprKind::If { .. }, .. }), .. }] => is_closed(inner),
        _ => true,
    }
}

fn carry_text(carry: &Option<(Ident, Box<Expr>)>, indent: usize) -> String {
    carry.as_ref().map_or(String::new(), |(name, value)| format!(" with {} = {}", name.name, expr(value, indent)))
}
