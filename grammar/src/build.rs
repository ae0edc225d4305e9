//! What the grammar's actions build where a production alone does not say it all: left sides read as
//! expressions become left sides here, and forms the grammar lets pass are checked.

use crate::ast::*;
use crate::diagnostic::Diagnostic;
use crate::span::{SourceId, Span};

/// What the actions write to: the source the spans belong to, and the messages found on the way.
pub struct Out {
    /// The text that is read.
    pub source: SourceId,
    /// Messages of this attempt.
    pub diagnostics: Vec<Diagnostic>,
}

impl Out {
    /// The span of bytes `start..end`.
    pub fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.source, start, end)
    }

    /// An expression standing at `start..end`.
    pub fn expr(&self, start: usize, end: usize, kind: ExprKind) -> Expr {
        Expr { kind, span: self.span(start, end) }
    }
}

/// A left side as read: an expression, perhaps with a type.
pub struct Side {
    /// What stands before the type.
    pub left: Expr,
    /// The type after `:`.
    pub ty: Option<TypeExpr>,
}

/// One line of a sweep.
pub enum SweepEntry {
    /// `width in [2, 4]`
    Axis(Ident, Expr),
    /// `train = e`
    Setting(Ident, Expr),
    /// `plot ..`
    Plot(SweepPlot),
    /// Already reported.
    Unreadable,
}

/// What stands after a parameter's `where`, as read: `0 <= p < 1`.
pub struct Comparisons {
    /// The first number or name.
    pub first: Expr,
    /// Those that follow, each with its sign.
    pub rest: Vec<(BinaryOp, Expr)>,
    /// All of it.
    pub span: Span,
}

/// A parameter, whose range is put in order.
pub fn param(
    name: Ident,
    ty: Option<TypeExpr>,
    default: Option<Expr>,
    range: Option<Comparisons>,
    out: &mut Out,
) -> Param {
    let range = range.and_then(|written| {
        let span = written.span;
        let range = range_of(&name.name, written);
        if range.is_none() {
            let n = &name.name;
            let message = format!("after `where` stands which numbers `{n}` may be, and this is no such range");
            let d = Diagnostic::error("unexpected-token", span, message);
            out.diagnostics.push(d.help(format!("write it like one of these: `{n} > 0`, `{n} >= 1`, `0 <= {n} < 1`")));
        }
        range
    });
    Param { name, ty, default, range }
}

/// `p > 0`, `0 < p`, `0 <= p < 1`, `1 > p >= 0`: from the smaller end to the larger one.
fn range_of(name: &str, written: Comparisons) -> Option<Range> {
    use BinaryOp::{Ge, Gt, Le, Lt};
    let Comparisons { first, rest, span } = written;
    let own = |e: &Expr| matches!(&e.kind, ExprKind::Name(n) if n == name);
    // Every end as it would be said of the parameter on the left: `p >= 0`.
    let mut ends = vec![];
    match <[_; 2]>::try_from(rest) {
        Ok([(sign, middle), last]) if own(&middle) => ends.extend([(turned(sign)?, first), last]),
        Ok(_) => return None,
        Err(rest) => {
            let [(sign, last)] = <[_; 1]>::try_from(rest).ok()?;
            ends.push(if own(&first) { (sign, last) } else { (turned(sign).filter(|_| own(&last))?, first) });
        }
    }
    let mut range = Range { lower: None, upper: None, span };
    for (sign, at) in ends {
        let end = match sign {
            Gt | Ge => &mut range.lower,
            Lt | Le => &mut range.upper,
            _ => return None,
        };
        if end.replace(End { at, included: matches!(sign, Ge | Le) }).is_some() {
            return None;
        }
    }
    Some(range)
}

/// The sign for the two sides exchanged.
fn turned(sign: BinaryOp) -> Option<BinaryOp> {
    match sign {
        BinaryOp::Lt => Some(BinaryOp::Gt),
        BinaryOp::Le => Some(BinaryOp::Ge),
        BinaryOp::Gt => Some(BinaryOp::Lt),
        BinaryOp::Ge => Some(BinaryOp::Le),
        _ => None,
    }
}

/// The contents of a text token.
pub fn text(quoted: &str) -> String {
    quoted.trim_matches('"').to_string()
}

/// A number token; the lexer lets only readable ones through.
pub fn number(text: &str) -> ExprKind {
    ExprKind::Number { value: text.parse().unwrap_or(f64::NAN), text: text.to_string() }
}

/// Puts the documentation and the span in their places.
pub fn finish_item(mut item: Item, doc: Option<&str>, span: Span) -> Item {
    let lines = doc.map(documentation);
    match &mut item {
        Item::Use { span: at, .. } | Item::Error(at) => *at = span,
        Item::Callable(Callable { doc, span: at, .. })
        | Item::Data(Data { doc, span: at, .. })
        | Item::Train(Train { doc, span: at, .. })
        | Item::Sweep(Sweep { doc, span: at, .. }) => {
            *doc = lines;
            *at = span;
        }
    }
    item
}

/// The text of `///` lines: without the slashes and one space after them; other lines are left out.
fn documentation(raw: &str) -> String {
    let lines = raw.lines().filter_map(|line| line.trim().strip_prefix("///"));
    let lines: Vec<_> = lines.map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end()).collect();
    lines.join("\n")
}

/// A sweep from its lines.
pub fn sweep(name: Ident, entries: Vec<SweepEntry>, out: &mut Out) -> Item {
    let mut sweep = Sweep { doc: None, name, axes: vec![], train: None, plots: vec![], span: Span::default() };
    for entry in entries {
        match entry {
            SweepEntry::Axis(name, values) => sweep.axes.push((name, values)),
            SweepEntry::Plot(plot) => sweep.plots.push(plot),
            SweepEntry::Setting(name, value) if name.name == "train" => {
                if sweep.train.is_some() {
                    out.diagnostics.push(Diagnostic::error(
                        "duplicate-setting",
                        name.span,
                        "this sweep has two `train` lines",
                    ));
                }
                sweep.train = Some(value);
            }
            SweepEntry::Setting(name, _) => {
                let message = format!("a sweep has no setting `{}`", name.name);
                let hint = format!("write `{} in [..]` for the values to try, or `train = ..`", name.name);
                out.diagnostics.push(Diagnostic::error("unknown-setting", name.span, message).help(hint));
            }
            SweepEntry::Unreadable => {}
        }
    }
    Item::Sweep(sweep)
}

/// One line of a train block; `None` where its left side is no left side.
pub fn train_entry(side: Side, label: Option<Ident>, value: Expr, span: Span, out: &mut Out) -> Option<TrainEntry> {
    let lhs = left_side(side, out)?;
    Some(TrainEntry { lhs, label, value, span })
}

/// Several values of one setting.
pub fn sequence(first: Expr, rest: Vec<Expr>, span: Span) -> Expr {
    Expr { kind: ExprKind::Sequence(first_and(first, rest)), span }
}

/// A list from its first element and the others.
pub fn first_and<T>(first: T, rest: Vec<T>) -> Vec<T> {
    std::iter::once(first).chain(rest).collect()
}

/// `higher is better`, `lower is better`: what a metric says of itself.
pub fn better(kind: CallableKind, words: Option<(Ident, Ident)>, out: &mut Out) -> Option<Better> {
    let (which, better) = words?;
    let span = Span { end: better.span.end, ..which.span };
    let found = match (which.name.as_str(), better.name.as_str()) {
        ("higher", "better") => Some(Better::Higher),
        ("lower", "better") => Some(Better::Lower),
        _ => None,
    };
    let diagnostic = match (found, kind) {
        (Some(_), CallableKind::Metric) => return found,
        (Some(_), CallableKind::Loss) => Diagnostic::error(
            "unexpected-token",
            span,
            "of a loss the lower values are always the better ones",
        )
        .fix("leave it out", span, ""),
        (Some(_), _) => {
            let message = format!("only a metric says which of its values are better, and this is a `{}`", kind.word());
            Diagnostic::error("unexpected-token", span, message).fix("leave it out", span, "")
        }
        (None, _) => Diagnostic::error("unexpected-token", span, "this says nothing about a metric")
            .help("a metric may say `higher is better` or `lower is better` before its body"),
    };
    out.diagnostics.push(diagnostic);
    None
}

/// `name ~ dist per batch`.
pub fn draw(side: Side, dist: Expr, per: Option<Ident>, out: &mut Out) -> StmtKind {
    if let Some(word) = per.as_ref().filter(|word| word.name != "batch") {
        let message = format!("a draw is made for each sample, or once `per batch`, not `per {}`", word.name);
        out.diagnostics.push(Diagnostic::error("unexpected-token", word.span, message));
    }
    let span = side.left.span;
    match left_side(side, out) {
        Some(Lhs { name, indices: None, ty }) => StmtKind::Draw { name, ty, dist, per_batch: per.is_some() },
        Some(Lhs { name, .. }) => {
            let diagnostic =
                Diagnostic::error("bad-left-side", span, "a draw fills a whole tensor and takes no indices")
                    .help(format!("give its shape instead: `{}: [n] ~ ..`", name.name));
            out.diagnostics.push(diagnostic);
            StmtKind::Error
        }
        None => StmtKind::Error,
    }
}

/// `lhs = value`, `lhs = value per microbatch`.
pub fn define(side: Side, value: Expr, per: Option<Ident>, out: &mut Out) -> StmtKind {
    if let Some(word) = per.as_ref().filter(|word| word.name != "microbatch") {
        let message = format!("a definition may end with `per microbatch`, not with `per {}`", word.name);
        out.diagnostics.push(Diagnostic::error("unexpected-token", word.span, message));
    }
    let per_microbatch = per.is_some();
    left_side(side, out).map_or(StmtKind::Error, |lhs| StmtKind::Define { lhs, value, per_microbatch })
}

/// `lhs += value`; `lhs or 0 += value` drops positions outside.
pub fn accumulate(mut side: Side, value: Expr, out: &mut Out) -> StmtKind {
    let mut dropping = false;
    if let ExprKind::Guarded { read, otherwise } = side.left.kind {
        dropping = true;
        if !matches!(&otherwise.kind, ExprKind::Number { value, .. } if *value == 0.0) {
            let message = "positions outside are dropped, so only `or 0` can stand on the left of `+=`";
            out.diagnostics.push(Diagnostic::error("bad-left-side", otherwise.span, message));
        }
        side.left = *read;
    }
    left_side(side, out).map_or(StmtKind::Error, |lhs| StmtKind::Accumulate { lhs, value, dropping })
}

/// A bare expression, or what is left of a statement already reported.
pub fn expression_statement(value: Expr) -> StmtKind {
    if matches!(value.kind, ExprKind::Error) { StmtKind::Error } else { StmtKind::Expr(value) }
}

/// `else if ..` as a block of one statement.
pub fn else_if(inner: Expr) -> Block {
    let span = inner.span;
    Block { stmts: vec![Stmt { kind: StmtKind::Expr(inner), span }], span }
}

/// `class(n)`, the only type written like a call.
pub fn class(word: Ident, count: Expr, out: &mut Out) -> TypeKind {
    if word.name == "class" {
        return TypeKind::Class(Box::new(count));
    }
    let message = format!("`{}(..)` is not a type", word.name);
    let diagnostic = Diagnostic::error("unknown-type", word.span, message)
        .help("a type is a shape such as `[3, 32]`, `class(10)`, or a word such as `dim` or `number`");
    out.diagnostics.push(diagnostic);
    TypeKind::Error
}

/// `read or otherwise`, which only a read can carry.
pub fn guarded(read: Expr, otherwise: Expr, span: Span, out: &mut Out) -> Expr {
    let readable = matches!(read.kind, ExprKind::Index { .. } | ExprKind::Sample { .. } | ExprKind::Error);
    if !readable {
        let diagnostic = Diagnostic::error("guard-without-read", span, "`or` must follow a read such as `x[k + 1]`")
            .here("this is not a read")
            .help("`or` says what a read outside a tensor yields; for booleans write `||`");
        out.diagnostics.push(diagnostic);
    }
    Expr { kind: ExprKind::Guarded { read: Box::new(read), otherwise: Box::new(otherwise) }, span }
}

/// A name with indices or without, and its type; anything else is reported.
fn left_side(side: Side, out: &mut Out) -> Option<Lhs> {
    let Side { left, ty } = side;
    let span = left.span;
    match left.kind {
        ExprKind::Name(name) => Some(Lhs { name: Ident { name, span }, indices: None, ty }),
        ExprKind::Index { base, at } => match base.kind {
            ExprKind::Name(name) => Some(Lhs { name: Ident { name, span: base.span }, indices: Some(at), ty }),
            _ => bad_left_side(base.span, out),
        },
        ExprKind::Error => None,
        _ => bad_left_side(span, out),
    }
}

fn bad_left_side(span: Span, out: &mut Out) -> Option<Lhs> {
    let diagnostic = Diagnostic::error("bad-left-side", span, "only a name, perhaps with indices, can be defined")
        .here("this cannot stand on the left side")
        .help("write `name = ..` or `name[i, j] = ..`; to compare two values write `==`");
    out.diagnostics.push(diagnostic);
    None
}

/// `base.field`; a turn of a loop is a field with a number, and `.3.1` reads as the number 3.1.
pub fn field(base: Expr, field: Ident, span: Span, out: &mut Out) -> Expr {
    if matches!(base.kind, ExprKind::Number { .. }) {
        let message = "a number has no fields";
        let diagnostic =
            Diagnostic::error("bad-number", span, message).help("write a decimal without spaces, as in `0.5`");
        out.diagnostics.push(diagnostic);
        return Expr { kind: ExprKind::Error, span };
    }
    let part = |base: Expr, name: &str| {
        let field = Ident { name: name.to_string(), span: field.span };
        Expr { kind: ExprKind::Field { base: Box::new(base), field }, span }
    };
    field.name.split('.').fold(base, part)
}
