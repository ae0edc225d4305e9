//! Whether gradients may be accumulated: the sum over microbatches, each weighted by its share of
//! the samples, is the gradient of one large minibatch only where the objective is a mean over the
//! samples, or made of means in a linear way. What takes more of the minibatch at once, such as a
//! variance, depends on where it is cut, and must say `per microbatch`.

use crate::scalar::{Binary, Unary};
use crate::typed::expr::operands;
use crate::typed::{Definition, Expr, Extent, IndexId, Outcome, Pass, ReduceOp, SAMPLE, Train, ValueId};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;

/// How a value depends on how the minibatch is cut.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cut {
    /// Not at all.
    No,
    /// A sum of means over the samples with fixed factors: the mean of the microbatches' values.
    Linear,
    /// In another way.
    Other,
}

/// What is known of an expression.
#[derive(Clone, Copy)]
struct Known {
    cut: Cut,
    per_sample: bool,
}

const FIXED: Known = Known { cut: Cut::No, per_sample: false };

/// What keeps the train block from accumulating gradients, if it is to and something does.
pub fn fault(train: &Train, setting: Span) -> Option<Diagnostic> {
    if train.settings.accumulate <= 1 {
        return None;
    }
    let pass = &train.training;
    let known = known(pass);
    let objective = |o: &Outcome| matches!(o, Outcome::Objective(_));
    for (_, id) in pass.outcomes.iter().filter(|(o, _)| objective(o)) {
        if known[id.0 as usize].cut == Cut::Other {
            return Some(mixes(pass, &known, *id, setting));
        }
    }
    let own = |(o, id): &&(Outcome, ValueId)| matches!(o, Outcome::State(_)) && !pass.v(*id).per_microbatch;
    if let Some((_, id)) = pass.outcomes.iter().find(own) {
        let message = "a state changes with every microbatch, so it is not what it would be with one large minibatch";
        let d = Diagnostic::error("batch-is-cut", setting, message)
            .here("gradients are accumulated over several minibatches")
            .label(pass.v(*id).span, "the next value of this state")
            .help("if that is meant, say so where it gets its next value: `.. per microbatch`");
        return Some(d);
    }
    both_gradients(train).map(|path| {
        let message =
            format!("the rule of `{path}` takes the gradient twice in one update, which cannot be accumulated");
        Diagnostic::error("batch-is-cut", setting, message)
            .here("gradients are accumulated over several minibatches")
            .help("use a larger `batch`, or a rule with either `grad` or `grad at`")
    })
}

/// A parameter whose rule asks for the gradient at it and at another point.
fn both_gradients(train: &Train) -> Option<&str> {
    let asked = |p: usize, at_point: bool| {
        let asks = |d: &Definition| matches!(d, Definition::Gradient { parameter, shifted, .. } if *parameter == p && *shifted == at_point);
        train.update.values.iter().any(|v| asks(&v.definition))
    };
    (0..train.parameters.len()).find(|p| asked(*p, true) && asked(*p, false)).map(|p| train.parameters[p].path.as_str())
}

/// The message on the first value on the way to the objective that mixes samples.
fn mixes(pass: &Pass, known: &[Known], mut id: ValueId, setting: Span) -> Diagnostic {
    while let Some(earlier) = reads(&pass.v(id).definition).into_iter().find(|r| known[r.0 as usize].cut == Cut::Other)
    {
        id = earlier;
    }
    // A mean over the samples that is used in another way than a sum: it is the mean that must be of each part.
    if let Some(mean) = reads(&pass.v(id).definition).into_iter().find(|r| known[r.0 as usize].cut == Cut::Linear) {
        id = mean;
    }
    let message = "gradients cannot be accumulated: what this computes of the minibatch depends on where it is cut";
    Diagnostic::error("batch-is-cut", setting, message)
        .here("the minibatch is cut into microbatches")
        .label(pass.v(id).span, "this takes the samples of a minibatch together")
        .help("if it may be computed of each microbatch alone, say so at the end of its line: `.. per microbatch`")
}

/// What is known of every value.
fn known(pass: &Pass) -> Vec<Known> {
    let per_sample = |v: &crate::typed::Value| Known { per_sample: v.ty.per_sample, ..FIXED };
    let mut known: Vec<Known> = pass.values.iter().map(per_sample).collect();
    // What a scan carries is read before it is defined, hence more than one round.
    loop {
        let before: Vec<Cut> = known.iter().map(|k| k.cut).collect();
        for (n, value) in pass.values.iter().enumerate() {
            known[n].cut = match &value.definition {
                _ if value.per_microbatch => Cut::No,
                Definition::Indexed { value, .. } => of(pass, &known, value).cut,
                Definition::Accumulate { at, value, .. } => {
                    let at = at.iter().map(|e| of(pass, &known, e)).fold(FIXED, both);
                    both(whole(at), of(pass, &known, value)).cut
                }
                Definition::Delayed { of, initial, .. } => known[of.0 as usize].cut.max(known[initial.0 as usize].cut),
                _ => Cut::No,
            };
        }
        if known.iter().map(|k| k.cut).eq(before) {
            return known;
        }
    }
}

fn of(pass: &Pass, known: &[Known], expr: &Expr) -> Known {
    let of = |e: &Expr| of(pass, known, e);
    match expr {
        Expr::Number(_) | Expr::Int(_) | Expr::Bool(_) => FIXED,
        // The number of the sample at hand is that in its part of the minibatch.
        Expr::Index(id) if *id == SAMPLE => Known { cut: Cut::Other, per_sample: true },
        Expr::Index(_) => FIXED,
        Expr::BatchSize => Known { cut: Cut::Other, ..FIXED },
        Expr::Read { value, at, otherwise } => {
            let own = pass.v(*value).ty.per_sample && matches!(at.first(), Some(Expr::Index(id)) if *id == SAMPLE);
            let of_sample = Known { per_sample: own, ..FIXED };
            let at = at[usize::from(own)..].iter().map(of).fold(of_sample, both);
            let otherwise = otherwise.as_ref().map_or(FIXED, |e| of(e));
            both(both(whole(at), otherwise), Known { per_sample: false, ..known[value.0 as usize] })
        }
        Expr::Unary(Unary::Neg | Unary::ToFloat | Unary::Detach, a) => of(a),
        Expr::Unary(_, a) => whole(of(a)),
        Expr::Binary(Binary::Add | Binary::Sub, a, b) => both(of(a), of(b)),
        Expr::Binary(Binary::Mul, a, b) => product(of(a), of(b)),
        Expr::Binary(Binary::Div, a, b) => product(of(a), whole(of(b))),
        Expr::Binary(_, a, b) => whole(both(of(a), of(b))),
        Expr::Select(c, a, b) => product(both(of(a), of(b)), whole(of(c))),
        Expr::Reduce { op, over, body } => reduction(pass, *op, over, of(body)),
    }
}

fn reduction(pass: &Pass, op: ReduceOp, over: &[IndexId], body: Known) -> Known {
    let batch = over.iter().any(|i| pass.indices[i.0 as usize].extent == Extent::Batch);
    match op {
        // A mean over the samples; of pairs of samples, those of two microbatches would be missing.
        ReduceOp::Mean if batch && body.cut == Cut::No && !body.per_sample => Known { cut: Cut::Linear, ..body },
        _ if batch => Known { cut: Cut::Other, ..body },
        ReduceOp::Sum | ReduceOp::Mean => body,
        _ => whole(body),
    }
}

fn both(a: Known, b: Known) -> Known {
    Known { cut: a.cut.max(b.cut), per_sample: a.per_sample || b.per_sample }
}

/// Of what is taken in a way that is not linear.
fn whole(a: Known) -> Known {
    Known { cut: if a.cut == Cut::No { Cut::No } else { Cut::Other }, ..a }
}

/// A mean times a mean, or times what differs from sample to sample, is no longer linear.
fn product(a: Known, b: Known) -> Known {
    let mixed = |a: Known, b: Known| a.cut == Cut::Linear && (b.cut != Cut::No || b.per_sample);
    let product = both(a, b);
    if mixed(a, b) || mixed(b, a) { Known { cut: Cut::Other, ..product } } else { product }
}

/// The values a definition reads.
fn reads(definition: &Definition) -> Vec<ValueId> {
    fn look(expr: &Expr, found: &mut Vec<ValueId>) {
        if let Expr::Read { value, .. } = expr {
            found.push(*value);
        }
        operands(expr, &mut |e| look(e, found));
    }
    let mut found = vec![];
    match definition {
        Definition::Indexed { value, .. } => look(value, &mut found),
        Definition::Accumulate { at, value, .. } => {
            at.iter().for_each(|e| look(e, &mut found));
            look(value, &mut found);
        }
        Definition::Delayed { of, initial, .. } => found.extend([*of, *initial]),
        _ => {}
    }
    found
}
