//! Writes a module as text.

use super::{COMBINES, DISTRIBUTIONS, KINDS, TIGHTEST, is_plain, precedence};
use crate::ir::{Combine, Def, Draw, ExprId, Item, Listed, Module, Node, Role, Tensor, TensorId};
use crate::scalar::{Binary, Kind, Unary};
use std::collections::{BTreeSet, HashMap};

/// An expression used in several places is bound by `let` from this number of nodes on.
const BIND_FROM: usize = 8;

/// The text form of a module.
#[must_use]
pub fn print(module: &Module) -> String {
    let mut out = String::new();
    for tensor in &module.tensors {
        match tensor.role {
            Role::Input => line(&mut out, &format!("input {}", declaration(tensor))),
            Role::Persistent => line(&mut out, &format!("persistent {}", declaration(tensor))),
            Role::Temporary => {}
        }
    }
    let mut unknown: BTreeSet<TensorId> = module.items.iter().map(Item::target).collect();
    for item in &module.items {
        for tensor in item.def().map_or(vec![], |d| reads(module, d)) {
            if unknown.remove(&tensor) {
                line(&mut out, &format!("later {}", declaration(module.t(tensor))));
            }
        }
        unknown.remove(&item.target());
        match item {
            Item::Def(d) => definition(&mut out, module, d),
            Item::Draw(d) => draw(&mut out, module, d),
            Item::Listed(l) => listed(&mut out, module, l),
        }
    }
    for (label, tensor) in &module.outputs {
        line(&mut out, &format!("output {} = {}", name(label), name(&module.t(*tensor).name)));
    }
    for (to, from) in &module.updates {
        line(&mut out, &format!("update {} = {}", name(&module.t(*to).name), name(&module.t(*from).name)));
    }
    out
}

/// The tensors that a definition reads.
fn reads(module: &Module, def: &Def) -> Vec<TensorId> {
    let read = |e: ExprId| match module.node(e) {
        Node::Read { tensor, .. } => Some(*tensor),
        _ => None,
    };
    module.reachable(&def.roots()).into_iter().filter_map(read).collect()
}

/// An expression as text, for messages; `rank` variables are written `i`, the rest `r`.
#[must_use]
pub fn print_expr(module: &Module, expr: ExprId, rank: usize) -> String {
    Writer { module, rank, bound: HashMap::new() }.operand(expr, 0)
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

/// A name, in quotes where it must be.
fn name(name: &str) -> String {
    if is_plain(name) {
        return name.to_string();
    }
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

fn word<T: PartialEq>(table: &[(&'static str, T)], value: &T) -> &'static str {
    table.iter().find(|(_, t)| t == value).map_or("", |(n, _)| n)
}

fn list<T>(items: impl IntoIterator<Item = T>, mut show: impl FnMut(T) -> String) -> String {
    items.into_iter().map(&mut show).collect::<Vec<_>>().join(", ")
}

fn declaration(tensor: &Tensor) -> String {
    format!("{}: {}[{}]", name(&tensor.name), word(&KINDS, &tensor.kind), list(&tensor.shape, |e| e.to_string()))
}

fn draw(out: &mut String, module: &Module, draw: &Draw) {
    let per_sample = if draw.per_sample { " per sample" } else { "" };
    let kind = word(&DISTRIBUTIONS, &draw.distribution);
    line(out, &format!("draw {} {kind} site {}{per_sample}", declaration(module.t(draw.target)), draw.site));
}

fn listed(out: &mut String, module: &Module, listed: &Listed) {
    let tensor = module.t(listed.target);
    let number = |v: f64| if tensor.kind == Kind::Int { format!("{v}") } else { float(v) };
    let numbers: Vec<String> = listed.values().map(number).collect();
    line(out, &format!("listed {} = [{}]", declaration(tensor), numbers.join(", ")));
}

fn definition(out: &mut String, module: &Module, def: &Def) {
    let target = module.t(def.target);
    let rank = if def.scatter.is_some() { def.domain.len() } else { target.shape.len() };
    let at = def.scatter.iter().flat_map(|s| s.at.iter().copied());
    let roots: Vec<ExprId> = at.chain([def.value]).collect();
    let mut writer = Writer { module, rank, bound: HashMap::new() };
    let bindings = writer.bind(&roots);
    let value = writer.operand(def.value, 0);
    let variables = |from: usize, to: usize| {
        list(from..to.min(def.domain.len()), |k| format!("{}: {}", writer.variable(k as u32), def.domain[k]))
    };
    let (head, body) = match &def.scatter {
        Some(s) => {
            let at = list(&s.at, |p| writer.operand(*p, 0));
            let drop = if s.dropping { " or drop" } else { "" };
            let head = format!("over [{}] {}", variables(0, rank), declaration(target));
            (head, format!("at [{at}]{drop} += {value}"))
        }
        None => {
            let reduction = match def.combine {
                Combine::Set => String::new(),
                c => format!(" {}[{}]", word(&COMBINES, &c), variables(rank, def.domain.len())),
            };
            (format!("{}[{}] ={reduction}", name(&target.name), variables(0, rank)), value)
        }
    };
    if bindings.is_empty() {
        return line(out, &format!("{head} {body}"));
    }
    line(out, &head);
    for (k, text) in bindings.iter().enumerate() {
        line(out, &format!("  let e{k} = {text}"));
    }
    line(out, &format!("  {body}"));
}

/// Writes the expressions of one definition.
struct Writer<'a> {
    module: &'a Module,
    rank: usize,
    /// The number of each expression bound by `let`.
    bound: HashMap<ExprId, usize>,
}

impl Writer<'_> {
    /// Chooses what is bound: what has several users and is not small, operands first. Returns the
    /// bound texts. The choice depends on the structure alone, so it survives a round trip.
    fn bind(&mut self, roots: &[ExprId]) -> Vec<String> {
        let mut order = Vec::new();
        let mut sizes = HashMap::new();
        let mut users: HashMap<ExprId, usize> = HashMap::new();
        for root in roots {
            *users.entry(*root).or_default() += 1;
            self.visit(*root, &mut order, &mut sizes, &mut users);
        }
        let mut texts = Vec::new();
        for id in order {
            if users[&id] > 1 && sizes[&id] >= BIND_FROM {
                let text = self.operand(id, 0);
                self.bound.insert(id, texts.len());
                texts.push(text);
            }
        }
        texts
    }

    fn visit(
        &self,
        id: ExprId,
        order: &mut Vec<ExprId>,
        sizes: &mut HashMap<ExprId, usize>,
        users: &mut HashMap<ExprId, usize>,
    ) -> usize {
        if let Some(size) = sizes.get(&id) {
            return *size;
        }
        let mut size: usize = 1;
        for operand in self.module.operands(id) {
            *users.entry(operand).or_default() += 1;
            size = size.saturating_add(self.visit(operand, order, sizes, users));
        }
        sizes.insert(id, size);
        order.push(id);
        size
    }

    fn variable(&self, k: u32) -> String {
        match (k as usize).checked_sub(self.rank) {
            None => format!("i{k}"),
            Some(reduced) => format!("r{reduced}"),
        }
    }

    /// The expression, in parentheses if it binds less tightly than `level`.
    fn operand(&self, id: ExprId, level: u8) -> String {
        if let Some(k) = self.bound.get(&id) {
            return format!("e{k}");
        }
        let (text, binds) = self.expr(id);
        if binds < level { format!("({text})") } else { text }
    }

    fn expr(&self, id: ExprId) -> (String, u8) {
        let call = |f: &str, args: &[ExprId]| (format!("{f}({})", list(args, |a| self.operand(*a, 0))), TIGHTEST);
        match self.module.node(id) {
            Node::Float(bits) => (float(f64::from_bits(*bits)), TIGHTEST),
            Node::Int(n) => (n.to_string(), TIGHTEST),
            Node::Bool(b) => (b.to_string(), TIGHTEST),
            Node::Var(k) => (self.variable(*k), TIGHTEST),
            Node::Read { tensor, at, otherwise } => {
                let mut text = format!("{}[{}]", name(&self.module.t(*tensor).name), list(at, |p| self.operand(*p, 0)));
                if let Some(o) = otherwise {
                    text = format!("({text} or {})", self.operand(*o, 0));
                }
                (text, TIGHTEST)
            }
            Node::Unary(Unary::Neg, a) if !self.is_number(*a) => (format!("-{}", self.operand(*a, TIGHTEST)), 6),
            Node::Unary(op, a) => call(op.name(), &[*a]),
            Node::Binary(op, a, b) => match precedence(*op) {
                None => call(op.name(), &[*a, *b]),
                Some(p) => {
                    let left = if matches!(op, Binary::Pow | Binary::Eq | Binary::Lt | Binary::Le) { p + 1 } else { p };
                    (format!("{} {} {}", self.operand(*a, left), op.name(), self.operand(*b, p + 1)), p)
                }
            },
            Node::Select(c, a, b) => call("select", &[*c, *a, *b]),
        }
    }

    fn is_number(&self, id: ExprId) -> bool {
        matches!(self.module.node(id), Node::Float(_) | Node::Int(_))
    }
}

/// A Float constant, always told from an Int.
fn float(value: f64) -> String {
    if value.is_nan() {
        return format!("nan({})", value.to_bits());
    }
    format!("{value:?}")
}
