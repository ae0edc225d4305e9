//! Lowers the values of one typed pass into definitions of an IR module. A value becomes a tensor
//! (with the minibatch in front where it is per sample); each reduction inside an expression
//! becomes a tensor over the indices that are free in it, so that in the IR a reduction stands
//! only at the top of a definition.

use super::bounds::reads_are_inside;
use crate::ir::recurrence::arrange;
use crate::ir::{Combine, Def, Draw, ExprId, Item, Listed, Module, Node, Role, Scatter, TensorId};
use crate::scalar::{Binary, Kind, Unary};
use crate::typed::{Definition, Expr, Extent, IndexId, Pass, ReduceOp, SAMPLE, ValueId};
use grammar::span::Span;
use std::collections::BTreeSet;

/// Gives the tensor of a leaf (`Field`, `Parameter`, `State`, `Slot`, `Gradient`, `Supplied`).
pub type Leaves<'a> = dyn FnMut(&mut Module, &Definition) -> TensorId + 'a;

/// Lowering of one pass; values are lowered on demand, each once.
pub struct Lowering<'a> {
    pass: &'a Pass,
    batch: usize,
    tensors: Vec<Option<TensorId>>,
}

/// The definition being built: which index is which domain variable, and the conditions under
/// which the expression at hand is evaluated.
struct Scope<'e> {
    variables: Vec<IndexId>,
    conditions: Vec<(&'e Expr, bool)>,
    name: &'e str,
    span: Span,
}

impl Scope<'_> {
    fn variable(&self, id: IndexId) -> u32 {
        let found = self.variables.iter().position(|v| *v == id);
        debug_assert!(found.is_some(), "index {id:?} is free in {}", self.name);
        found.unwrap_or(0) as u32
    }
}

impl<'a> Lowering<'a> {
    /// Nothing lowered yet. `batch` is the number of samples in the minibatch.
    pub fn new(pass: &'a Pass, batch: usize) -> Self {
        Self { pass, batch, tensors: vec![None; pass.values.len()] }
    }

    /// Says what a value is, which is then not lowered.
    pub fn give(&mut self, id: ValueId, tensor: TensorId) {
        self.tensors[id.0 as usize] = Some(tensor);
    }

    /// Lowers the wanted values and all they need, in the order of the pass.
    pub fn demand(&mut self, module: &mut Module, wanted: &[ValueId], leaves: &mut Leaves) -> Vec<TensorId> {
        let needed = self.needed(wanted);
        for id in &needed {
            let tensor = self.value(module, *id, leaves);
            self.tensors[id.0 as usize] = Some(tensor);
        }
        for id in &needed {
            if let Definition::Delayed { of, initial, turn } = self.pass.v(*id).definition {
                self.delayed(module, *id, (of, initial), turn);
            }
        }
        arrange(module);
        wanted.iter().map(|id| self.tensor(*id)).collect()
    }

    /// This lowering where some leaves have other values: what does not depend on them stays as it is.
    pub fn again(&self, changed: impl Fn(&Definition) -> bool) -> Self {
        let mut stale: Vec<bool> = self.pass.values.iter().map(|v| changed(&v.definition)).collect();
        let mut count = 0;
        // What a scan carries is read before it is defined, hence more than one round.
        while count < stale.iter().filter(|s| **s).count() {
            count = stale.iter().filter(|s| **s).count();
            for (n, value) in self.pass.values.iter().enumerate() {
                let mut read = vec![];
                definition_reads(&value.definition, &mut read);
                stale[n] |= read.iter().any(|id| stale[id.0 as usize]);
            }
        }
        let tensors = self.tensors.iter().zip(stale).map(|(t, stale)| t.filter(|_| !stale)).collect();
        Self { tensors, ..*self }
    }

    /// The wanted values and all they read that is not lowered yet, in order.
    fn needed(&self, wanted: &[ValueId]) -> BTreeSet<ValueId> {
        let mut needed = BTreeSet::new();
        let mut open: Vec<ValueId> = wanted.to_vec();
        while let Some(id) = open.pop() {
            if self.tensors[id.0 as usize].is_some() || !needed.insert(id) {
                continue;
            }
            definition_reads(&self.pass.v(id).definition, &mut open);
        }
        needed
    }

    fn tensor(&self, id: ValueId) -> TensorId {
        let tensor = self.tensors[id.0 as usize];
        debug_assert!(tensor.is_some(), "{} is read before it is defined", self.pass.v(id).name);
        tensor.unwrap_or(TensorId(0))
    }

    fn extent(&self, id: IndexId) -> usize {
        match self.pass.indices[id.0 as usize].extent {
            Extent::Fixed(n) => n,
            Extent::Batch => self.batch,
        }
    }

    fn value(&mut self, module: &mut Module, id: ValueId, leaves: &mut Leaves) -> TensorId {
        let value = self.pass.v(id);
        let shape = self.batched(value.ty.per_sample, &value.ty.dims);
        let sample = value.ty.per_sample.then_some(SAMPLE);
        let scope = |indices: &[IndexId]| Scope {
            variables: sample.into_iter().chain(indices.iter().copied()).collect(),
            conditions: vec![],
            name: &value.name,
            span: value.span,
        };
        match &value.definition {
            Definition::Indexed { indices, value: expr } => self.indexed(module, &scope(indices), shape, expr),
            Definition::Accumulate { indices, at, dropping, value: expr } => {
                self.accumulate(module, &mut scope(indices), shape, (at, *dropping), expr)
            }
            Definition::Draw { distribution, site } => {
                let target = module.tensor(&value.name, shape, Kind::Float, Role::Temporary, Some(value.span));
                let per_sample = value.ty.per_sample;
                module.items.push(Item::Draw(Draw { target, site: *site, distribution: *distribution, per_sample }));
                target
            }
            Definition::Listed(values) => {
                let kind = value.ty.element.kind();
                let target = module.tensor(&value.name, shape, kind, Role::Temporary, Some(value.span));
                module.items.push(Item::Listed(Listed::new(target, values)));
                target
            }
            Definition::Delayed { .. } => {
                module.tensor(&value.name, shape, value.ty.element.kind(), Role::Temporary, Some(value.span))
            }
            leaf => leaves(module, leaf),
        }
    }

    /// `T[t, ..] = of[t - 1, ..] or initial[..]`, once `of` is known.
    fn delayed(&self, module: &mut Module, id: ValueId, (of, initial): (ValueId, ValueId), turn: usize) {
        let (target, of) = (self.tensor(id), self.tensor(of));
        let axis = turn + usize::from(self.pass.v(id).ty.per_sample);
        let unbatched = self.pass.v(id).ty.per_sample && !self.pass.v(initial).ty.per_sample;
        let domain = module.t(target).shape.clone();
        let here: Vec<ExprId> = (0..domain.len() as u32).map(|v| module.var(v)).collect();
        let first = here.iter().enumerate().filter(|(k, _)| *k != axis && !(unbatched && *k == 0)).map(|(_, v)| *v);
        let otherwise = Some(module.read(self.tensor(initial), first.collect()));
        let one = module.int(1);
        let mut at = here.clone();
        at[axis] = module.sub(here[axis], one);
        let value = module.intern(Node::Read { tensor: of, at: at.into(), otherwise });
        module.items.push(Item::Def(Def { target, domain, combine: Combine::Set, value, scatter: None }));
    }

    fn batched(&self, per_sample: bool, dims: &[usize]) -> Vec<usize> {
        per_sample.then_some(self.batch).into_iter().chain(dims.iter().copied()).collect()
    }

    /// `T[indices] = expr`; a plain reduction over everything else becomes the definition itself.
    fn indexed(&self, module: &mut Module, scope: &Scope, shape: Vec<usize>, expr: &Expr) -> TensorId {
        if let Expr::Reduce { op, over, body } = expr
            && let Some(combine) = plain_combine(*op)
        {
            return self.reduction(module, scope, scope.variables.clone(), over, (combine, body), None);
        }
        let mut scope = Scope { conditions: vec![], variables: scope.variables.clone(), ..*scope };
        let value = self.expr(module, &mut scope, expr);
        module.define(scope.name, shape, &[], Combine::Set, value, Some(scope.span))
    }

    fn accumulate<'e>(
        &self,
        module: &mut Module,
        scope: &mut Scope<'e>,
        shape: Vec<usize>,
        (at, dropping): (&'e [Expr], bool),
        expr: &'e Expr,
    ) -> TensorId {
        let mut positions = vec![];
        if shape.len() > at.len() {
            positions.push(module.var(0));
        }
        for p in at {
            positions.push(self.expr(module, scope, p));
        }
        let value = self.expr(module, scope, expr);
        let domain = scope.variables.iter().map(|v| self.extent(*v)).collect();
        let target = module.tensor(scope.name, shape, module.kind(value), Role::Temporary, Some(scope.span));
        let scatter = Some(Scatter { at: positions, dropping });
        module.items.push(Item::Def(Def { target, domain, combine: Combine::Sum, value, scatter }));
        target
    }

    fn expr<'e>(&self, module: &mut Module, scope: &mut Scope<'e>, expr: &'e Expr) -> ExprId {
        match expr {
            Expr::Number(v) => module.float(*v),
            Expr::Int(v) => module.int(*v),
            Expr::Bool(v) => module.intern(Node::Bool(*v)),
            Expr::Index(id) => module.var(scope.variable(*id)),
            Expr::BatchSize => module.int(self.batch as i64),
            Expr::Read { value, at, otherwise } => {
                let at: Vec<ExprId> = at.iter().map(|p| self.expr(module, scope, p)).collect();
                let otherwise = otherwise.as_ref().map(|e| self.expr(module, scope, e));
                module.intern(Node::Read { tensor: self.tensor(*value), at: at.into(), otherwise })
            }
            Expr::Unary(op, a) => {
                let a = self.expr(module, scope, a);
                module.unary(*op, a)
            }
            Expr::Binary(op, a, b) => {
                let (a, b) = (self.expr(module, scope, a), self.expr(module, scope, b));
                module.binary(*op, a, b)
            }
            Expr::Select(c, a, b) => {
                let condition = self.expr(module, scope, c);
                let mut branch = |module: &mut Module, e: &'e Expr, truth| {
                    scope.conditions.push((c, truth));
                    let id = self.expr(module, scope, e);
                    scope.conditions.pop();
                    id
                };
                let (a, b) = (branch(module, a, true), branch(module, b, false));
                module.select(condition, a, b)
            }
            Expr::Reduce { op, over, body } => self.reduce(module, scope, *op, over, body),
        }
    }

    /// A reduction inside an expression: one or more definitions, and the read that stands for it.
    fn reduce<'e>(
        &self,
        module: &mut Module,
        scope: &Scope<'e>,
        op: ReduceOp,
        over: &[IndexId],
        body: &'e Expr,
    ) -> ExprId {
        let condition = if reads_are_inside(self.pass, body) { &[] } else { &scope.conditions[..] };
        let free = self.free_of(scope, over, body, condition);
        let hoist = |module: &mut Module, combine| {
            let tensor = self.reduction(module, scope, free.clone(), over, (combine, body), Some(condition));
            read_at(module, scope, tensor, &free)
        };
        match op {
            ReduceOp::Mean => {
                let sum = hoist(module, Combine::Sum);
                let count = over.iter().fold(1, |n: usize, v| n.saturating_mul(self.extent(*v)));
                let count = module.float(count as f64);
                module.binary(Binary::Div, sum, count)
            }
            ReduceOp::Logsumexp => {
                let largest = hoist(module, Combine::Max);
                self.log_sum_exp(module, scope, over, body, (&free, condition), largest)
            }
            _ => {
                let combine = plain_combine(op).unwrap_or(Combine::Sum);
                hoist(module, combine)
            }
        }
    }

    /// `m + log(sum exp(body - m))` with `m` the largest, through which no gradient passes: the
    /// derivative is the softmax. An `m` that is not finite counts as 0, so that all -inf gives
    /// -inf and any +inf gives inf.
    fn log_sum_exp<'e>(
        &self,
        module: &mut Module,
        scope: &Scope<'e>,
        over: &[IndexId],
        body: &'e Expr,
        (free, condition): (&[IndexId], &[(&'e Expr, bool)]),
        largest: ExprId,
    ) -> ExprId {
        let shift = |module: &mut Module, m: ExprId| {
            let size = module.unary(Unary::Abs, m);
            let (zero, infinite) = (module.float(0.0), module.float(f64::INFINITY));
            let finite = module.binary(Binary::Lt, size, infinite);
            let m = module.select(finite, m, zero);
            module.unary(Unary::Detach, m)
        };
        let Node::Read { tensor: maxima, .. } = *module.node(largest) else { return largest };
        let variables: Vec<IndexId> = free.iter().chain(over).copied().collect();
        let mut inner = Scope { variables, conditions: vec![], name: scope.name, span: scope.span };
        let value = self.conditional(module, &mut inner, body, condition, Combine::Max);
        let m = read_at(module, &inner, maxima, free);
        let m = shift(module, m);
        let difference = module.binary(Binary::Sub, value, m);
        let power = module.unary(Unary::Exp, difference);
        let (shape, reduced) = self.extents(free, over);
        let sums =
            module.define(&format!("{}.sum", scope.name), shape, &reduced, Combine::Sum, power, Some(scope.span));
        let total = read_at(module, scope, sums, free);
        let log = module.unary(Unary::Log, total);
        let m = shift(module, largest);
        module.binary(Binary::Add, m, log)
    }

    /// Defines `tensor[free] = combine over `over` of body`.
    fn reduction<'e>(
        &self,
        module: &mut Module,
        scope: &Scope<'e>,
        free: Vec<IndexId>,
        over: &[IndexId],
        (combine, body): (Combine, &'e Expr),
        condition: Option<&[(&'e Expr, bool)]>,
    ) -> TensorId {
        let variables = free.iter().chain(over).copied().collect();
        let mut inner = Scope { variables, conditions: vec![], name: scope.name, span: scope.span };
        let value = self.conditional(module, &mut inner, body, condition.unwrap_or(&[]), combine);
        let (shape, reduced) = self.extents(&free, over);
        let name = match condition {
            None => scope.name.to_string(),
            Some(_) => format!("{}.{}", scope.name, suffix(combine)),
        };
        module.define(&name, shape, &reduced, combine, value, Some(scope.span))
    }

    fn extents(&self, free: &[IndexId], over: &[IndexId]) -> (Vec<usize>, Vec<usize>) {
        let of = |ids: &[IndexId]| ids.iter().map(|v| self.extent(*v)).collect();
        (of(free), of(over))
    }

    /// The body where the conditions hold, the neutral element where they do not.
    fn conditional<'e>(
        &self,
        module: &mut Module,
        scope: &mut Scope<'e>,
        body: &'e Expr,
        conditions: &[(&'e Expr, bool)],
        combine: Combine,
    ) -> ExprId {
        let mut value = self.expr(module, scope, body);
        for (condition, truth) in conditions {
            let holds = self.expr(module, scope, condition);
            let neutral = neutral(module, combine, module.kind(value));
            value = if *truth { module.select(holds, value, neutral) } else { module.select(holds, neutral, value) };
        }
        value
    }

    /// The indices of the scope that the body (or a condition that goes along) mentions.
    fn free_of(&self, scope: &Scope, over: &[IndexId], body: &Expr, conditions: &[(&Expr, bool)]) -> Vec<IndexId> {
        let mut mentioned = BTreeSet::new();
        indices_read(body, &mut mentioned);
        conditions.iter().for_each(|(c, _)| indices_read(c, &mut mentioned));
        scope.variables.iter().copied().filter(|v| mentioned.contains(v) && !over.contains(v)).collect()
    }
}

/// Reads `tensor[free]` in a scope that binds `free`.
fn read_at(module: &mut Module, scope: &Scope, tensor: TensorId, free: &[IndexId]) -> ExprId {
    let at = free.iter().map(|v| module.var(scope.variable(*v))).collect();
    module.read(tensor, at)
}

/// The combination of a reduction that is one, without arithmetic around it.
fn plain_combine(op: ReduceOp) -> Option<Combine> {
    match op {
        ReduceOp::Sum => Some(Combine::Sum),
        ReduceOp::Prod => Some(Combine::Prod),
        ReduceOp::Max | ReduceOp::Any => Some(Combine::Max),
        ReduceOp::Min | ReduceOp::All => Some(Combine::Min),
        ReduceOp::Argmax => Some(Combine::Argmax),
        ReduceOp::Mean | ReduceOp::Logsumexp => None,
    }
}

fn suffix(combine: Combine) -> &'static str {
    match combine {
        Combine::Set => "value",
        Combine::Sum => "sum",
        Combine::Prod => "prod",
        Combine::Max => "max",
        Combine::Min => "min",
        Combine::Argmax => "argmax",
    }
}

/// What leaves a combination unchanged.
fn neutral(module: &mut Module, combine: Combine, kind: Kind) -> ExprId {
    match (combine, kind) {
        (Combine::Max, Kind::Bool) => module.intern(Node::Bool(false)),
        (_, Kind::Bool) => module.intern(Node::Bool(true)),
        (Combine::Max | Combine::Argmax, Kind::Int) => module.int(i64::from(i32::MIN)),
        (Combine::Min, Kind::Int) => module.int(i64::from(i32::MAX)),
        (Combine::Prod, Kind::Int) => module.int(1),
        (_, Kind::Int) => module.int(0),
        (Combine::Max | Combine::Argmax, Kind::Float) => module.float(f64::NEG_INFINITY),
        (Combine::Min, Kind::Float) => module.float(f64::INFINITY),
        (Combine::Prod, Kind::Float) => module.float(1.0),
        (Combine::Set | Combine::Sum, Kind::Float) => module.float(0.0),
    }
}

/// Adds the values a definition reads.
pub fn definition_reads(definition: &Definition, found: &mut Vec<ValueId>) {
    match definition {
        Definition::Indexed { value, .. } => values_read(value, found),
        Definition::Accumulate { at, value, .. } => {
            at.iter().for_each(|p| values_read(p, found));
            values_read(value, found);
        }
        Definition::Delayed { of, initial, .. } => found.extend([*of, *initial]),
        _ => {}
    }
}

/// Adds the values an expression reads.
fn values_read(expr: &Expr, found: &mut Vec<ValueId>) {
    if let Expr::Read { value, .. } = expr {
        found.push(*value);
    }
    each_child(expr, &mut |e| values_read(e, found));
}

/// Adds the indices that are free in an expression.
fn indices_read(expr: &Expr, found: &mut BTreeSet<IndexId>) {
    match expr {
        Expr::Index(id) => {
            found.insert(*id);
        }
        Expr::Reduce { over, body, .. } => {
            let mut inner = BTreeSet::new();
            indices_read(body, &mut inner);
            found.extend(inner.into_iter().filter(|id| !over.contains(id)));
        }
        _ => each_child(expr, &mut |e| indices_read(e, found)),
    }
}

fn each_child(expr: &Expr, visit: &mut dyn FnMut(&Expr)) {
    match expr {
        Expr::Read { at, otherwise, .. } => {
            at.iter().for_each(&mut *visit);
            if let Some(e) = otherwise {
                visit(e);
            }
        }
        Expr::Unary(_, a) | Expr::Reduce { body: a, .. } => visit(a),
        Expr::Binary(_, a, b) => {
            visit(a);
            visit(b);
        }
        Expr::Select(c, a, b) => {
            visit(c);
            visit(a);
            visit(b);
        }
        Expr::Number(_) | Expr::Int(_) | Expr::Bool(_) | Expr::Index(_) | Expr::BatchSize => {}
    }
}
