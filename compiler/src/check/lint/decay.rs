//! Rules that pull biases and the scales of norms to zero along with the weights. Whether a rule pulls is found by
//! computing it: where the gradient is zero, a parameter of 1 and one of -1 come nearer to zero. All elements of a tensor
//! are taken to be equal, which makes every tensor of the update a single number.
//!
//! What makes it pull is found by trying: the setting which, when zero, ends the pull but not the moves.

use crate::check::optimizer_arguments::{each_rule, optimizer, set_argument};
use crate::ir::evaluate::{binary, unary};
use crate::typed::{Definition, Expr, Extent, Group, IndexId, Outcome, Pass, ReduceOp, Supplied, Train, ValueId};
use grammar::ast::{self, ExprKind};
use grammar::diagnostic::Diagnostic;
use grammar::print::print_expr;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Updates at which rules are tried, the numbers of the first, of an early one, and of one in the middle of a run.
const UPDATES: [f64; 3] = [1.0, 2.0, 500.0];
/// Updates of that run.
const RUN: f64 = 1000.0;
/// A move of a parameter of 1 that is no rounding.
const MOVE: f64 = 1e-13;

/// What a rule does to a parameter, as its initial and its update pass; nothing where the rule is wrong.
type Alone<'f> = &'f dyn Fn(&ast::Expr, usize) -> Option<[Pass; 2]>;

/// A warning for each rule that moves weights as well as biases and pulls the latter to zero. `alone` elaborates a rule
/// with other settings, and it alone, saying nothing.
pub fn warnings(
    train: &Train,
    block: &ast::Train,
    program: &ast::File,
    library: &[ast::File],
    alone: Alone<'_>,
) -> Vec<Diagnostic> {
    let small = |p: &usize| train.parameters[*p].dims.len() < 2;
    let rules = Rules::new(&train.init, &train.update);
    let mut list = vec![];
    for group in &train.groups {
        let pulled: Vec<usize> = group.parameters.iter().copied().filter(small).filter(|p| rules.pull(*p)).collect();
        if pulled.is_empty() || group.parameters.iter().all(small) {
            continue;
        }
        let ends = |rule: &ast::Expr| {
            let p = pulled[0];
            alone(rule, p).is_some_and(|[init, update]| {
                let other = Rules::new(&init, &update);
                !other.pull(p) && other.move_with_gradient(p)
            })
        };
        let without = without_pull(group, block, (program, library), &ends);
        list.push(diagnostic(train, group, &pulled, block, without));
    }
    list
}

fn diagnostic(
    train: &Train,
    group: &Group,
    pulled: &[usize],
    block: &ast::Train,
    without: Option<(String, String)>,
) -> Diagnostic {
    let message = "this rule pulls biases, or the scales and shifts of norms, to zero along with weights";
    let names: Vec<String> = pulled.iter().take(5).map(|p| format!("`{}`", train.parameters[*p].path)).collect();
    let more = if pulled.len() > 5 { format!(" and {} more", pulled.len() - 5) } else { String::new() };
    let first = &train.parameters[pulled[0]];
    let d = Diagnostic::warning("decay-on-biases", group.rule, message)
        .here("even where the gradient is zero")
        .label(first.span, "one of them is declared here")
        .note(format!("they are {}{more}", names.join(", ")))
        .note("decay keeps weights small; a bias or a scale has its size from the data, and is only led astray by it");
    let alone = block.entries.iter().any(|e| e.value.span == group.rule);
    let d = match without {
        Some((rule, other)) if alone => {
            let edit = format!("{rule} on weights, {other} on rest");
            d.fix(format!("let only weights decay: `{edit}`"), group.rule, edit)
        }
        _ => {
            d.help("let only weights decay: give this rule `on weights`, and the rest one without decay, `.. on rest`")
        }
    };
    d.help("if all are meant to decay, say so with two groups that do, `on weights` and `on rest`")
}

/// The rule as written, and the same with the one setting at zero without which it does not pull.
fn without_pull(
    group: &Group,
    block: &ast::Train,
    (program, library): (&ast::File, &[ast::File]),
    ends: &dyn Fn(&ast::Expr) -> bool,
) -> Option<(String, String)> {
    let mut written = None;
    each_rule(&mut block.clone(), &mut |rule| {
        if rule.span == group.rule {
            written = Some(rule.clone());
        }
    });
    let written = written?;
    let callable = optimizer(&written, program, library)?;
    let zero = ast::Expr { kind: ExprKind::Number { value: 0.0, text: "0".to_string() }, span: group.rule };
    // Rules have their decay last as a rule.
    callable.params.iter().rev().find_map(|setting| {
        let mut rule = written.clone();
        set_argument(&mut rule, callable, &setting.name.name, zero.clone());
        ends(&rule).then(|| (print_expr(&written), print_expr(&rule)))
    })
}

/// A pass and what comes out of it.
struct Outcomes<'t> {
    pass: &'t Pass,
    of: BTreeMap<&'t Outcome, ValueId>,
    /// The values that are those of parameters.
    parameters: BTreeSet<ValueId>,
}

impl<'t> Outcomes<'t> {
    fn new(pass: &'t Pass) -> Self {
        let parameter = |(o, v): &(Outcome, ValueId)| matches!(o, Outcome::Parameter(_)).then_some(*v);
        let parameters = pass.outcomes.iter().filter_map(parameter).collect();
        Self { pass, of: pass.outcomes.iter().map(|(o, v)| (o, *v)).collect(), parameters }
    }
}

/// What the rules of a block begin with, and an update by them.
struct Rules<'t> {
    init: Outcomes<'t>,
    update: Outcomes<'t>,
}

impl<'t> Rules<'t> {
    fn new(init: &'t Pass, update: &'t Pass) -> Self {
        Self { init: Outcomes::new(init), update: Outcomes::new(update) }
    }

    /// Whether an update without a gradient brings the parameter nearer to zero.
    fn pull(&self, parameter: usize) -> bool {
        let nearer = |theta: f64, step: f64| {
            let next = At::new(self, theta, 0.0, step).next(parameter);
            next.is_some_and(|next| (next - theta) * theta < -MOVE)
        };
        UPDATES.iter().any(|step| nearer(1.0, *step) && nearer(-1.0, *step))
    }

    /// Whether a gradient moves the parameter.
    fn move_with_gradient(&self, parameter: usize) -> bool {
        let next = |gradient, step| At::new(self, 1.0, gradient, step).next(parameter);
        UPDATES.iter().any(|step| next(1.0, *step) != next(0.0, *step))
    }
}

/// An update in which all parameters are `theta` and all gradients `gradient`, and the rules' states as at the start.
struct At<'t> {
    rules: &'t Rules<'t>,
    theta: f64,
    gradient: f64,
    step: f64,
    /// Values of the initial and of the update pass; none where elements differ or are not known.
    known: RefCell<BTreeMap<(bool, ValueId), Option<f64>>>,
}

impl<'t> At<'t> {
    fn new(rules: &'t Rules<'t>, theta: f64, gradient: f64, step: f64) -> Self {
        Self { rules, theta, gradient, step, known: RefCell::default() }
    }

    /// The parameter after it.
    fn next(&self, parameter: usize) -> Option<f64> {
        self.outcome(false, &Outcome::Parameter(parameter))
    }

    fn outcomes(&self, initial: bool) -> &'t Outcomes<'t> {
        if initial { &self.rules.init } else { &self.rules.update }
    }

    fn outcome(&self, initial: bool, wanted: &Outcome) -> Option<f64> {
        let id = self.outcomes(initial).of.get(wanted)?;
        self.value(initial, *id)
    }

    fn value(&self, initial: bool, id: ValueId) -> Option<f64> {
        if let Some(known) = self.known.borrow().get(&(initial, id)) {
            return *known;
        }
        let outcomes = self.outcomes(initial);
        let found = match &outcomes.pass.v(id).definition {
            // What a parameter begins with is what it is taken to be.
            _ if initial && outcomes.parameters.contains(&id) => Some(self.theta),
            Definition::Parameter(_) => Some(self.theta),
            Definition::Gradient { .. } => Some(self.gradient),
            Definition::Slot(n) => self.outcome(true, &Outcome::Slot(*n)),
            Definition::Supplied(which) => Some(match which {
                Supplied::Step => self.step,
                Supplied::Steps => RUN,
                Supplied::Epoch => 0.0,
                Supplied::Share => 1.0,
                Supplied::Figure(_) => f64::INFINITY,
            }),
            Definition::Indexed { value, .. } => self.of(initial, value),
            _ => None,
        };
        self.known.borrow_mut().insert((initial, id), found);
        found
    }

    fn of(&self, initial: bool, expr: &Expr) -> Option<f64> {
        let of = |e: &Expr| self.of(initial, e);
        match expr {
            Expr::Number(x) => Some(*x),
            Expr::Int(n) => Some(*n as f64),
            Expr::Bool(b) => Some(f64::from(u8::from(*b))),
            Expr::Index(_) | Expr::BatchSize => None,
            Expr::Read { value, otherwise, .. } => {
                let inside = self.value(initial, *value);
                otherwise.as_ref().map_or(inside, |e| inside.filter(|v| of(e) == Some(*v)))
            }
            Expr::Unary(op, a) => Some(unary(*op, of(a)?)),
            Expr::Binary(op, a, b) => binary(*op, of(a)?, of(b)?),
            Expr::Select(c, a, b) => of(if of(c)? != 0.0 { a } else { b }),
            Expr::Reduce { op, over, body } => {
                let extent = |i: &IndexId| match self.outcomes(initial).pass.indices[i.0 as usize].extent {
                    Extent::Fixed(n) => Some(n as f64),
                    Extent::Batch => None,
                };
                let count = over.iter().map(extent).product::<Option<f64>>()?;
                reduced(*op, of(body)?, count)
            }
        }
    }
}

/// A reduction of that many equal numbers.
fn reduced(op: ReduceOp, x: f64, count: f64) -> Option<f64> {
    Some(match op {
        ReduceOp::Sum => x * count,
        ReduceOp::Prod => x.powf(count),
        ReduceOp::Logsumexp => x + count.ln(),
        ReduceOp::Argmax => 0.0,
        ReduceOp::Mean | ReduceOp::Max | ReduceOp::Min | ReduceOp::Any | ReduceOp::All => x,
    })
}
