//! The oracle: a slow, obvious interpreter of the IR.
//!
//! In: a module, and the contents of its inputs and persistent tensors. Out: the contents of
//! every tensor, row-major. Numbers of all kinds are held as f64: Ints are whole, Bools 0 or 1.
//! What every later stage computes is compared with this; nothing here is clever.
//!
//! * Every definition walks its whole domain in row-major order; sums are taken in that order. The
//!   members of a recurrence walk theirs one turn after the other, each turn in the order of the items.
//! * `Select` evaluates the branch taken and no other; a guarded read outside, its alternative.
//! * `Max` and `Min` propagate NaN; a reduction keeps the first of equals.
//! * In 32 bits every result is rounded. For `+ - * /` and roots that is single arithmetic to the bit, because a double
//!   has more than twice the digits and two to spare.
//! * An empty reduction yields the identity of its [`Combine`]; an empty `Argmax`, 0.

pub use super::evaluate::{binary, identity, unary};
use super::evaluate::{greater, lesser};
use super::recurrence::recurrences;
use super::{Combine, Def, Draw, ExprId, Item, Module, Node, Role, Tensor, TensorId};
use crate::scalar::{Binary, Kind, Unary};
use nnc_core::number::Precision;
use std::collections::BTreeMap;
use std::fmt;

/// Contents of tensors, row-major.
pub type Values = BTreeMap<TensorId, Vec<f64>>;

/// Why a module could not be interpreted: a fault of whoever made the module or the inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An input or persistent tensor was not given, or a tensor is read before it is defined.
    Missing(String),
    /// The tensor was given `got` elements where it has `wanted`.
    Length { tensor: String, wanted: usize, got: usize },
    /// An unguarded position outside the tensor, in the definition of `reader`.
    Outside { tensor: String, at: Vec<i64>, reader: String },
    /// Integer division by zero.
    Division(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(t) => write!(f, "`{t}` has no value when it is read"),
            Self::Length { tensor, wanted, got } => write!(f, "`{tensor}` has {wanted} elements, {got} were given"),
            Self::Outside { tensor, at, reader } => write!(f, "position {at:?} lies outside `{tensor}`, in `{reader}`"),
            Self::Division(t) => write!(f, "integer division by zero in `{t}`"),
        }
    }
}

impl std::error::Error for Fault {}

/// Computes every tensor of the module in f64. `draws` fills the tensor of a draw.
///
/// # Errors
/// When a tensor has no value or the wrong length, or a position lies outside.
pub fn interpret(
    module: &Module,
    inputs: &Values,
    draws: &mut dyn FnMut(&Draw, &Tensor) -> Vec<f64>,
) -> Result<Values, Fault> {
    interpret_in(Precision::F64, module, inputs, draws)
}

/// Computes every tensor of the module in the given arithmetic.
///
/// # Errors
/// As [`interpret`].
pub fn interpret_in(
    precision: Precision,
    module: &Module,
    inputs: &Values,
    draws: &mut dyn FnMut(&Draw, &Tensor) -> Vec<f64>,
) -> Result<Values, Fault> {
    run(precision, module, inputs, draws).map(|(values, _)| values)
}

fn run(
    precision: Precision,
    module: &Module,
    inputs: &Values,
    draws: &mut dyn FnMut(&Draw, &Tensor) -> Vec<f64>,
) -> Result<(Values, Choices), Fault> {
    let mut values = Values::new();
    let mut choices = Choices(0xcbf2_9ce4_8422_2325);
    let mut memo = Memo { now: 0, slots: vec![(0, 0.0); module.nodes.len()] };
    for (number, tensor) in module.tensors.iter().enumerate() {
        let id = TensorId(number as u32);
        if tensor.role != Role::Temporary {
            let given = inputs.get(&id).ok_or_else(|| Fault::Missing(tensor.name.clone()))?;
            values.insert(id, sized(tensor, given.clone())?);
        }
    }
    let mut evaluate = |d: &Def, values: &Values, turn: Option<(u32, usize)>| {
        let (memo, choices) = (&mut memo, &mut choices);
        Evaluator { precision, module, values, def: d, point: vec![0; d.domain.len()], turn, memo, choices }.run()
    };
    let mut recurrences = recurrences(module).into_iter().peekable();
    let mut next = 0;
    while let Some(item) = module.items.get(next) {
        if let Some(recurrence) = recurrences.next_if(|r| r.items.start == next) {
            let members: Vec<&Def> = module.items[recurrence.items.clone()].iter().filter_map(Item::def).collect();
            values.extend(members.iter().map(|d| (d.target, vec![f64::NAN; module.t(d.target).len()])));
            for (turn, def) in recurrence.order().flat_map(|turn| members.iter().map(move |d| (turn, *d))) {
                let axis = recurrence.axis(def.target).unwrap_or(0);
                let contents = evaluate(def, &values, recurrence.variable(module, def).map(|v| (v, turn)))?;
                take_turn(values.get_mut(&def.target), &contents, &module.t(def.target).shape, (axis, turn));
            }
            next = recurrence.items.end;
            continue;
        }
        let contents = match item {
            Item::Draw(d) => sized(module.t(d.target), draws(d, module.t(d.target)))?,
            Item::Listed(l) => sized(module.t(l.target), l.values().collect())?,
            Item::Def(d) => evaluate(d, &values, None)?,
        };
        values.insert(item.target(), contents);
        next += 1;
    }
    Ok((values, choices))
}

/// Copies what lies at one position of an axis.
fn take_turn(to: Option<&mut Vec<f64>>, from: &[f64], shape: &[usize], (axis, turn): (usize, usize)) {
    let inner: usize = shape[axis + 1..].iter().product();
    let block = shape[axis] * inner;
    for (to, from) in to.into_iter().flat_map(|t| t.chunks_mut(block.max(1))).zip(from.chunks(block.max(1))) {
        to[turn * inner..(turn + 1) * inner].copy_from_slice(&from[turn * inner..(turn + 1) * inner]);
    }
}

/// Computes every tensor in f64, and notes every choice that a value may jump or bend at: two
/// points with the same notes have (but for a collision) no kink between them.
///
/// # Errors
/// As [`interpret`].
pub fn interpret_noting(
    module: &Module,
    inputs: &Values,
    draws: &mut dyn FnMut(&Draw, &Tensor) -> Vec<f64>,
) -> Result<(Values, Choices), Fault> {
    run(Precision::F64, module, inputs, draws)
}

/// A digest of the choices made in a run: comparisons, winners of `max` and `min`, signs under
/// `abs`, whole numbers under `floor`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choices(u64);

impl Choices {
    /// One more choice (FNV-1a).
    fn note(&mut self, choice: i64) {
        for byte in choice.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// Takes the step from one run to the next: persistent tensors take their new contents, all at once.
pub fn apply_updates(module: &Module, values: &mut Values) {
    let next: Vec<_> = module.updates.iter().filter_map(|(to, from)| Some((*to, values.get(from)?.clone()))).collect();
    values.extend(next);
}

fn sized(tensor: &Tensor, contents: Vec<f64>) -> Result<Vec<f64>, Fault> {
    if contents.len() == tensor.len() {
        return Ok(contents);
    }
    Err(Fault::Length { tensor: tensor.name.clone(), wanted: tensor.len(), got: contents.len() })
}

/// The row-major number of a position, or `None` outside.
fn offset(shape: &[usize], at: &[i64]) -> Option<usize> {
    shape.iter().zip(at).try_fold(0, |sum, (extent, p)| {
        let p = usize::try_from(*p).ok().filter(|p| p < extent)?;
        Some(sum * extent + p)
    })
}

/// Values of expressions already known at the current point: expressions are a graph, not a tree.
struct Memo {
    /// The number of the current point; what was noted at another is forgotten.
    now: u64,
    slots: Vec<(u64, f64)>,
}

impl Memo {
    fn forget(&mut self) {
        self.now += 1;
    }

    fn known(&self, id: ExprId) -> Option<f64> {
        let (noted, value) = self.slots[id.0 as usize];
        (noted == self.now).then_some(value)
    }

    fn note(&mut self, id: ExprId, value: f64) {
        self.slots[id.0 as usize] = (self.now, value);
    }
}

/// One definition being evaluated.
struct Evaluator<'a> {
    precision: Precision,
    module: &'a Module,
    values: &'a Values,
    def: &'a Def,
    /// The current point of the domain.
    point: Vec<i64>,
    /// The variable that stands still at a turn, and the turn.
    turn: Option<(u32, usize)>,
    memo: &'a mut Memo,
    choices: &'a mut Choices,
}

impl Evaluator<'_> {
    fn run(mut self) -> Result<Vec<f64>, Fault> {
        let target = self.module.t(self.def.target);
        let mut out = vec![identity(self.def.combine, self.module.kind(self.def.value)); target.len()];
        let mut best = vec![f64::NEG_INFINITY; if self.def.combine == Combine::Argmax { target.len() } else { 0 }];
        if let Some((variable, turn)) = self.turn {
            self.point[variable as usize] = turn as i64;
        }
        let mut more = self.def.domain.iter().all(|e| *e > 0);
        while more {
            self.memo.forget();
            if let Some(k) = self.destination(target)? {
                let value = self.eval(self.def.value)?;
                match self.def.combine {
                    Combine::Set => out[k] = value,
                    Combine::Sum => out[k] = self.round(out[k] + value),
                    Combine::Prod => out[k] = self.round(out[k] * value),
                    Combine::Max => {
                        self.choices.note(i64::from(value > out[k]));
                        out[k] = greater(value, out[k]);
                    }
                    Combine::Min => {
                        self.choices.note(i64::from(value < out[k]));
                        out[k] = lesser(value, out[k]);
                    }
                    Combine::Argmax if value > best[k] => {
                        self.choices.note(k as i64);
                        best[k] = value;
                        out[k] = self.reduced_number(target.shape.len());
                    }
                    Combine::Argmax => self.choices.note(-1),
                }
            }
            more = self.advance();
        }
        Ok(out)
    }

    /// Moves to the next point in row-major order; false after the last.
    fn advance(&mut self) -> bool {
        let turn = self.turn.map(|(variable, _)| variable as usize);
        for (k, (p, extent)) in self.point.iter_mut().zip(&self.def.domain).enumerate().rev() {
            if turn == Some(k) {
                continue;
            }
            *p += 1;
            if (*p as usize) < *extent {
                return true;
            }
            *p = 0;
        }
        false
    }

    /// Row-major number of the point over the reduced variables.
    fn reduced_number(&self, rank: usize) -> f64 {
        let reduced = self.point.iter().zip(&self.def.domain).skip(rank);
        reduced.fold(0, |sum, (p, extent)| sum * *extent as i64 + p) as f64
    }

    /// The element that the value at this point goes to; `None` when it is dropped.
    fn destination(&mut self, target: &Tensor) -> Result<Option<usize>, Fault> {
        let Some(scatter) = &self.def.scatter else {
            return self.inside(target, self.point[..target.shape.len()].to_vec()).map(Some);
        };
        let at = self.position(&scatter.at)?;
        match offset(&target.shape, &at) {
            None if scatter.dropping => Ok(None),
            _ => self.inside(target, at).map(Some),
        }
    }

    fn inside(&self, tensor: &Tensor, at: Vec<i64>) -> Result<usize, Fault> {
        let reader = || self.module.t(self.def.target).name.clone();
        offset(&tensor.shape, &at).ok_or_else(|| Fault::Outside { tensor: tensor.name.clone(), at, reader: reader() })
    }

    fn position(&mut self, at: &[ExprId]) -> Result<Vec<i64>, Fault> {
        at.iter().map(|p| self.eval(*p).map(|v| v as i64)).collect()
    }

    fn eval(&mut self, id: ExprId) -> Result<f64, Fault> {
        if let Some(known) = self.memo.known(id) {
            return Ok(known);
        }
        let module = self.module;
        let value = match module.node(id) {
            Node::Float(bits) => self.round(f64::from_bits(*bits)),
            Node::Int(n) => *n as f64,
            Node::Bool(b) => f64::from(u8::from(*b)),
            Node::Var(k) => self.point[*k as usize] as f64,
            Node::Read { tensor, at, otherwise } => self.read(*tensor, at, *otherwise)?,
            Node::Unary(op, a) => {
                let a = self.eval(*a)?;
                let value = unary(*op, a);
                self.note_unary(*op, a, value);
                if *op == Unary::Not { value } else { self.round_kind(module.kind(id), value) }
            }
            Node::Binary(op, a, b) => {
                let (a, b) = (self.eval(*a)?, self.eval(*b)?);
                let fault = || Fault::Division(module.t(self.def.target).name.clone());
                let value = binary(*op, a, b).ok_or_else(fault)?;
                self.note_binary(*op, a, b);
                self.round_kind(module.kind(id), value)
            }
            Node::Select(c, a, b) => {
                let taken = if self.eval(*c)? != 0.0 { *a } else { *b };
                self.eval(taken)?
            }
        };
        self.memo.note(id, value);
        Ok(value)
    }

    fn read(&mut self, tensor: TensorId, at: &[ExprId], otherwise: Option<ExprId>) -> Result<f64, Fault> {
        let at = self.position(at)?;
        let source = self.module.t(tensor);
        if let (Some(alternative), None) = (otherwise, offset(&source.shape, &at)) {
            return self.eval(alternative);
        }
        let k = self.inside(source, at)?;
        let contents = self.values.get(&tensor).ok_or_else(|| Fault::Missing(source.name.clone()))?;
        Ok(contents[k])
    }

    fn note_unary(&mut self, op: Unary, a: f64, value: f64) {
        match op {
            Unary::Abs => self.choices.note(sign(a)),
            Unary::Floor | Unary::Ceil | Unary::Round => self.choices.note(value as i64),
            _ => {}
        }
    }

    fn note_binary(&mut self, op: Binary, a: f64, b: f64) {
        if matches!(op, Binary::Max | Binary::Min | Binary::Eq | Binary::Lt | Binary::Le) {
            self.choices.note(sign(a - b));
        }
    }

    fn round_kind(&self, kind: Kind, value: f64) -> f64 {
        if kind == Kind::Float { self.round(value) } else { value }
    }

    fn round(&self, value: f64) -> f64 {
        match self.precision {
            Precision::F64 => value,
            Precision::F32 => f64::from(value as f32),
        }
    }
}

fn sign(a: f64) -> i64 {
    i64::from(a > 0.0) - i64::from(a < 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::text;

    #[test]
    fn convolution_with_a_guard_by_hand() {
        let mut m = Module::default();
        let x = m.tensor("x", vec![3], Kind::Float, Role::Input, None);
        let (i, r, one, zero) = (m.var(0), m.var(1), m.int(1), m.float(0.0));
        let at = m.binary(Binary::Add, i, r);
        let at = m.binary(Binary::Sub, at, one);
        let read = m.intern(Node::Read { tensor: x, at: [at].into(), otherwise: Some(zero) });
        let y = m.define("y", vec![3], &[3], Combine::Sum, read, None);
        let best = m.define("best", vec![3], &[3], Combine::Argmax, read, None);
        let values = interpret(&m, &Values::from([(x, vec![1.0, 5.0, 2.0])]), &mut |_, _| vec![]).expect("valid");
        assert_eq!(values[&y], [6.0, 8.0, 7.0]);
        assert_eq!(values[&best], [2.0, 1.0, 0.0]);
    }

    #[test]
    fn scatter_drops_and_faults() {
        let mut m = Module::default();
        let x = m.tensor("x", vec![4], Kind::Float, Role::Input, None);
        let (i, two) = (m.var(0), m.int(2));
        let at = m.binary(Binary::Sub, i, two);
        let value = m.read(x, vec![i]);
        let y = m.tensor("y", vec![3], Kind::Float, Role::Temporary, None);
        let scatter = Some(super::super::Scatter { at: vec![at], dropping: true });
        m.items.push(Item::Def(Def { target: y, domain: vec![4], combine: Combine::Sum, value, scatter }));
        let inputs = Values::from([(x, vec![1.0, 2.0, 3.0, 4.0])]);
        assert_eq!(interpret(&m, &inputs, &mut |_, _| vec![]).expect("valid")[&y], [3.0, 4.0, 0.0]);
        if let Some(Item::Def(Def { scatter: Some(s), .. })) = m.items.last_mut() {
            s.dropping = false;
        }
        assert!(matches!(interpret(&m, &inputs, &mut |_, _| vec![]), Err(Fault::Outside { .. })));
    }

    #[test]
    fn single_precision_rounds_every_result() {
        let source = "input x: f[2]\ny[] = sum[r0: 2] x[r0] / 3.0\nz[i0: 1] = x[i0] + 0.1";
        let module = text::parse(source).expect("parses");
        let inputs = Values::from([(TensorId(0), vec![0.5, f64::from(0.7_f32)])]);
        let values = interpret_in(Precision::F32, &module, &inputs, &mut |_, _| vec![]).expect("valid");
        assert_eq!(values[&TensorId(1)], [f64::from(0.5_f32 / 3.0 + 0.7_f32 / 3.0)]);
        assert_eq!(values[&TensorId(2)], [f64::from(0.5_f32 + 0.1)]);
    }

    #[test]
    fn empty_domains_give_identities() {
        let source = "a[] = sum[r0: 0] 1.0\nb[] = prod[r0: 0] 1.0\nc[] = max[r0: 0] 1.0\nd[] = argmax[r0: 0] 1.0";
        let values =
            interpret(&text::parse(source).expect("parses"), &Values::new(), &mut |_, _| vec![]).expect("valid");
        assert_eq!(values.into_values().collect::<Vec<_>>(), [[0.0], [1.0], [f64::NEG_INFINITY], [0.0]]);
    }

    #[test]
    fn updates_happen_all_at_once() {
        let source = "persistent a: f[1]\npersistent b: f[1]\nupdate a = b\nupdate b = a";
        let module = text::parse(source).expect("parses");
        let mut values = Values::from([(TensorId(0), vec![1.0]), (TensorId(1), vec![2.0])]);
        apply_updates(&module, &mut values);
        assert_eq!((values[&TensorId(0)][0], values[&TensorId(1)][0]), (2.0, 1.0));
    }
}
