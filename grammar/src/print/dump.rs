//! The syntax tree as an indented outline, one node a line: what `nnc emit --stage ast` shows. It
//! holds everything but the spans, so two trees with one outline are equal up to spans.

use crate::ast::*;

/// The outline of a file.
#[must_use]
pub fn dump(file: &File) -> String {
    let mut out = String::new();
    for node in file.items.iter().map(item) {
        node.write(0, &mut out);
    }
    out
}

/// A line of the outline and what stands below it.
struct Node {
    label: String,
    children: Vec<Node>,
}

impl Node {
    fn write(&self, depth: usize, out: &mut String) {
        out.push_str(&"  ".repeat(depth));
        out.push_str(&self.label);
        out.push('\n');
        for child in &self.children {
            child.write(depth + 1, out);
        }
    }
}

fn node(label: impl Into<String>, children: Vec<Node>) -> Node {
    Node { label: label.into(), children }
}

fn leaf(label: impl Into<String>) -> Node {
    node(label, vec![])
}

/// Zero or one node.
fn maybe<T>(value: Option<&T>, show: impl Fn(&T) -> Node) -> Vec<Node> {
    value.map(show).into_iter().collect()
}

fn all<T>(values: &[T], show: impl Fn(&T) -> Node) -> Vec<Node> {
    values.iter().map(show).collect()
}

fn item(item: &Item) -> Node {
    match item {
        Item::Use { path, .. } => leaf(format!("use {path:?}")),
        Item::Callable(callable) => {
            let mut children = documentation(&callable.doc);
            children.extend(all(&callable.dims, dim_param));
            children.extend(all(&callable.params, param));
            children.extend(maybe(callable.output.as_ref(), |output| node("output", vec![ty(output)])));
            children.extend(callable.better.map(|b| leaf(b.words())));
            children.extend(body(&callable.body));
            node(format!("{} {}", callable.kind.word(), callable.name.name), children)
        }
        Item::Data(data) => {
            let children = documentation(&data.doc).into_iter().chain(all(&data.entries, data_entry));
            node(format!("data {}", data.name.name), children.collect())
        }
        Item::Train(train) => {
            let mut children = documentation(&train.doc);
            children.extend(all(&train.params, param));
            children.extend(all(&train.entries, train_entry));
            node(format!("train {}", train.name.name), children)
        }
        Item::Sweep(sweep) => {
            let mut children = documentation(&sweep.doc);
            children.extend(all(&sweep.axes, |(name, values)| node(format!("axis {}", name.name), vec![expr(values)])));
            children.extend(maybe(sweep.train.as_ref(), |train| node("train", vec![expr(train)])));
            children.extend(all(&sweep.plots, plot));
            node(format!("sweep {}", sweep.name.name), children)
        }
        Item::Error(_) => leaf("error"),
    }
}

fn documentation(doc: &Option<String>) -> Vec<Node> {
    maybe(doc.as_ref(), |doc| leaf(format!("doc {doc:?}")))
}

fn plot(plot: &SweepPlot) -> Node {
    let by = plot.by.as_ref().map_or(String::new(), |by| format!(" by {}", by.name));
    node(format!("plot against {}{by}", plot.against.name), all(&plot.values, expr))
}

fn dim_param(dim: &DimParam) -> Node {
    leaf(format!("dimension {}", packed(dim.pack, &dim.name)))
}

fn packed(pack: bool, name: &Ident) -> String {
    format!("{}{}", if pack { ".." } else { "" }, name.name)
}

fn param(param: &Param) -> Node {
    let mut children = maybe(param.ty.as_ref(), ty);
    children.extend(maybe(param.default.as_ref(), |value| node("default", vec![expr(value)])));
    children.extend(maybe(param.range.as_ref(), |r| leaf(format!("range {}", super::range(&param.name.name, r)))));
    node(format!("parameter {}", param.name.name), children)
}

fn body(body: &Body) -> Vec<Node> {
    match body {
        Body::Block(inner) => vec![block("body", inner)],
        Body::Expr { value, wheres } => {
            let mut nodes = vec![node("value", vec![expr(value)])];
            nodes.extend((!wheres.is_empty()).then(|| node("where", all(wheres, stmt))));
            nodes
        }
        Body::ByRank { dims, then, otherwise } => {
            let mut nodes = vec![node("for rank", all(dims, dim_param)), block("body", then)];
            nodes.extend(maybe(otherwise.as_ref(), |rest| block("else", rest)));
            nodes
        }
    }
}

fn block(label: &str, block: &Block) -> Node {
    node(label, all(&block.stmts, stmt))
}

fn data_entry(entry: &DataEntry) -> Node {
    match entry {
        DataEntry::Setting { name, value } => node(format!("setting {}", name.name), vec![expr(value)]),
        DataEntry::Field { name, ty: of, value } => node(format!("field {}", name.name), vec![ty(of), expr(value)]),
        DataEntry::Rule { indices, entries, .. } => {
            let mut children = all(indices, |(name, range)| node(format!("index {}", name.name), vec![expr(range)]));
            children.extend(all(entries, data_entry));
            node("rule", children)
        }
        DataEntry::Error(_) => leaf("error"),
    }
}

fn train_entry(entry: &TrainEntry) -> Node {
    let label = entry.label.as_ref().map_or(String::new(), |label| format!(" {}", label.name));
    let mut children = left_side(&entry.lhs);
    children.push(expr(&entry.value));
    node(format!("setting {}{label}", entry.lhs.name.name), children)
}

/// What a left side says beyond its name.
fn left_side(lhs: &Lhs) -> Vec<Node> {
    let mut children = maybe(lhs.indices.as_ref(), |at| node("at", all(at, index)));
    children.extend(maybe(lhs.ty.as_ref(), ty));
    children
}

fn stmt(stmt: &Stmt) -> Node {
    match &stmt.kind {
        StmtKind::Param { name, saved, ty: of, init } => {
            node(format!("param {}{}", name.name, saved_name(saved)), vec![ty(of), node("init", vec![expr(init)])])
        }
        StmtKind::State { name, saved, ty: of, init } => {
            let mut children = maybe(of.as_ref(), ty);
            children.push(node("init", vec![expr(init)]));
            node(format!("state {}{}", name.name, saved_name(saved)), children)
        }
        StmtKind::Draw { name, ty: of, dist, per_batch } => {
            let mut children = maybe(of.as_ref(), ty);
            children.push(expr(dist));
            node(format!("draw {}{}", name.name, if *per_batch { " per batch" } else { "" }), children)
        }
        StmtKind::Define { lhs, value, per_microbatch } => {
            definition(if *per_microbatch { "define per microbatch" } else { "define" }, lhs, value)
        }
        StmtKind::Accumulate { lhs, value, dropping: false } => definition("accumulate", lhs, value),
        StmtKind::Accumulate { lhs, value, dropping: true } => definition("accumulate dropping", lhs, value),
        StmtKind::Expr(value) => node("expression", vec![expr(value)]),
        StmtKind::Error => leaf("error"),
    }
}

fn saved_name(saved: &Option<String>) -> String {
    saved.as_ref().map_or(String::new(), |saved| format!(" {saved:?}"))
}

fn definition(word: &str, lhs: &Lhs, value: &Expr) -> Node {
    let mut children = left_side(lhs);
    children.push(expr(value));
    node(format!("{word} {}", lhs.name.name), children)
}

fn ty(ty: &TypeExpr) -> Node {
    match &ty.kind {
        TypeKind::Tensor { dims, of } => {
            let mut children = all(dims, |dim| match dim {
                DimExpr::Dim(extent) => expr(extent),
                DimExpr::Pack(name) => leaf(format!("pack {}", name.name)),
            });
            children.extend(maybe(of.as_ref(), |of| node("of", vec![self::ty(of)])));
            node("type tensor", children)
        }
        TypeKind::Class(count) => node("type class", vec![expr(count)]),
        TypeKind::Name(name) => leaf(format!("type {name}")),
        TypeKind::Record(fields) => {
            node("type record", all(fields, |(name, ty)| node(format!("field {}", name.name), vec![self::ty(ty)])))
        }
        TypeKind::Error => leaf("type error"),
    }
}

fn index(arg: &IndexArg) -> Node {
    match arg {
        IndexArg::Expr(value) => expr(value),
        IndexArg::Pack(name) => leaf(format!("pack {}", name.name)),
        IndexArg::Combine { parts, .. } => node("combine", all(parts, index)),
    }
}

fn reduce_index(index: &ReduceIndex) -> Node {
    let mut children = maybe(index.range.as_ref(), |range| node("range", vec![expr(range)]));
    children.extend(maybe(index.set.as_ref(), |set| node("set", vec![expr(set)])));
    node(format!("index {}", packed(index.pack, &index.name)), children)
}

fn arg(arg: &Arg) -> Node {
    match &arg.name {
        Some(name) => node(format!("argument {}", name.name), vec![expr(&arg.value)]),
        None => expr(&arg.value),
    }
}

fn carry(carry: &Option<(Ident, Box<Expr>)>) -> Vec<Node> {
    maybe(carry.as_ref(), |(name, value)| node(format!("with {}", name.name), vec![expr(value)]))
}

/// A node whose first child is `first`.
fn with_first(label: impl Into<String>, first: &Expr, rest: Vec<Node>) -> Node {
    node(label, std::iter::once(expr(first)).chain(rest).collect())
}

fn expr(value: &Expr) -> Node {
    match &value.kind {
        ExprKind::Number { text, value } if text.is_empty() => leaf(format!("number {value}")),
        ExprKind::Number { text, .. } => leaf(format!("number {text}")),
        ExprKind::Bool(value) => leaf(format!("bool {value}")),
        ExprKind::Text(text) => leaf(format!("text {text:?}")),
        ExprKind::Name(name) => leaf(format!("name {name}")),
        ExprKind::Call { callee, args } => with_first("call", callee, all(args, arg)),
        ExprKind::Index { base, at } => with_first("read", base, all(at, index)),
        ExprKind::Guarded { read, otherwise } => with_first("guarded", read, vec![expr(otherwise)]),
        ExprKind::Sample { base, at } => with_first("sample", base, vec![expr(at)]),
        ExprKind::Field { base, field } => with_first(format!("field {}", field.name), base, vec![]),
        ExprKind::Unary { op, value } => with_first(format!("prefix {}", op.symbol()), value, vec![]),
        ExprKind::Binary { op, left, right } => with_first(format!("binary {}", op.symbol()), left, vec![expr(right)]),
        ExprKind::Pipe { input, call } => with_first("pipe", input, vec![expr(call)]),
        ExprKind::As { value, name } => with_first(format!("as {}", name.name), value, vec![]),
        ExprKind::Reduce { op, indices, body } => {
            let children = all(indices, reduce_index).into_iter().chain([expr(body)]);
            node(format!("reduce {}", op.word()), children.collect())
        }
        ExprKind::Record(fields) => {
            node("record", all(fields, |(name, value)| node(format!("field {}", name.name), vec![expr(value)])))
        }
        ExprKind::List(values) => node("list", all(values, expr)),
        ExprKind::Paren(inner) => with_first("parentheses", inner, vec![]),
        _ => form(value),
    }
}

/// The forms that begin with a word or hold several parts.
fn form(value: &Expr) -> Node {
    match &value.kind {
        ExprKind::Select { condition, then, otherwise } => {
            with_first("select", condition, vec![expr(then), expr(otherwise)])
        }
        ExprKind::If { condition, then, otherwise } => {
            let mut rest = vec![block("then", then)];
            rest.extend(maybe(otherwise.as_ref(), |otherwise| block("else", otherwise)));
            with_first("if", condition, rest)
        }
        ExprKind::For { index, from, to, carry: carried, body } => {
            let mut rest = vec![expr(to)];
            rest.extend(carry(carried));
            rest.push(block("body", body));
            with_first(format!("for {}", index.name), from, rest)
        }
        ExprKind::Scan { index, sequence, carry: carried, body } => {
            let mut rest = carry(carried);
            rest.push(block("body", body));
            with_first(format!("scan {}", index.name), sequence, rest)
        }
        ExprKind::Lambda { params, body: inner } => {
            node("function", all(params, param).into_iter().chain(body(inner)).collect())
        }
        ExprKind::GradAt(point) => with_first("grad at", point, vec![]),
        ExprKind::On { rule, set } => with_first("on", rule, vec![expr(set)]),
        ExprKind::Over { value, set } => with_first("over", value, vec![expr(set)]),
        ExprKind::Sequence(values) => node("sequence", all(values, expr)),
        _ => leaf("error"),
    }
}
