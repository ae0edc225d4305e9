//! Which numbers a parameter may be: the range after its `where`, compared with every argument that is known while
//! checking; of a schedule, with what it begins and ends as.

use super::Elaborator;
use super::entity::{Entity, Env};
use super::number::Num;
use super::schedule_ends::{self, Moment};
use grammar::ast::{self, End, ExprKind, Param, Range, TypeKind};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;

/// Whose parameter it is.
#[derive(Clone, Copy)]
pub enum Owner<'a> {
    /// A definition's.
    Callable(&'a ast::Callable),
    /// A train block's.
    Train(&'a ast::Train),
    /// A local function's.
    Lambda,
}

impl<'a> Owner<'a> {
    fn words(self) -> String {
        match self {
            Self::Callable(c) => format!("`{}`", c.name.name),
            Self::Train(block) => format!("`{}`", block.name.name),
            Self::Lambda => "this function".to_string(),
        }
    }

    fn callable(self) -> Option<&'a ast::Callable> {
        match self {
            Self::Callable(c) => Some(c),
            Self::Train(_) | Self::Lambda => None,
        }
    }
}

/// How an argument is written.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Written<'a> {
    /// A name.
    Name(&'a str),
    /// A number among others in the parentheses.
    Number,
    /// A number that stands alone there.
    AloneInCall,
}

impl<'a> Elaborator<'a> {
    /// Remembers which arguments of a call are names or numbers as written.
    pub(super) fn note_written(&mut self, args: &'a [ast::Arg]) {
        for arg in args {
            let written = match &arg.value.kind {
                ExprKind::Name(name) => Written::Name(name),
                _ if !is_number(&arg.value) => continue,
                _ if args.len() == 1 && arg.name.is_none() => Written::AloneInCall,
                _ => Written::Number,
            };
            self.written.insert(arg.value.span, written);
        }
    }

    /// Whether an argument is in the range of its parameter, or not known to be outside; reported if it is outside.
    pub fn allowed(&mut self, of: Owner<'a>, param: &'a Param, value: &Entity<'a>, at: Span, env: &Env<'a>) -> bool {
        let Some(range) = &param.range else { return true };
        let ends = (self.end(range.lower.as_ref(), env), self.end(range.upper.as_ref(), env));
        let d = match value {
            Entity::Number(n) if outside(n.value, ends) => self.outside(of, param, range, *n, at, ends),
            Entity::Term(t) if t.dims.is_empty() && t.pass == self.pass() => {
                let Some((is, x)) = self.course_outside(&t.expr, ends) else { return true };
                let (name, of, must) = (&param.name.name, of.words(), words(ends));
                let message = format!("`{name}` of {of} must be {must}, but {is} {x}");
                Diagnostic::error("out-of-range", at, message).label(range.span, "its range is declared here")
            }
            _ => return true,
        };
        self.fail(d);
        false
    }

    /// Where a number that changes over a run is outside, as far as that is known. Rounding may bring it a little out.
    fn course_outside(&mut self, expr: &crate::typed::Expr, ends: Ends) -> Option<(&'static str, f64)> {
        let pass = &self.builder().pass;
        let wide = |end: Option<(f64, bool)>, by: f64| end.map(|(at, _)| (at + by * at.abs().max(1.0) * 1e-9, true));
        let wide = (wide(ends.0, -1.0), wide(ends.1, 1.0));
        [(Moment::First, "begins as"), (Moment::Last, "ends as")].into_iter().find_map(|(moment, is)| {
            let values = schedule_ends::values(pass, expr, moment)?;
            values.iter().all(|x| outside(*x, wide)).then_some((is, values[1]))
        })
    }

    fn end(&mut self, end: Option<&'a End>, env: &Env<'a>) -> Option<(f64, bool)> {
        let end = end?;
        match self.eval(&end.at, env) {
            Entity::Number(n) => Some((n.value, end.included)),
            _ => None,
        }
    }

    fn outside(&self, of: Owner<'_>, param: &Param, range: &Range, n: Num, at: Span, (low, high): Ends) -> Diagnostic {
        let name = &param.name.name;
        let (of, callable) = (of.words(), of.callable());
        let must = words((low, high));
        let message = format!("`{name}` of {of} must be {must}, but is {}", n.text());
        let mut d = Diagnostic::error("out-of-range", at, message)
            .here(format!("this is `{name}`"))
            .label(range.span, "its range is declared here");
        if let Some(sentence) = callable.and_then(|c| c.doc.as_ref()).and_then(|doc| sentence_with(doc, name)) {
            d = d.note(format!("the text on {of} says: {sentence}"));
        }
        let written = self.written.get(&at).copied().filter(|w| !matches!(w, Written::Name(_)));
        let share = low.is_some_and(|l| l.0 >= 0.0) && high.is_some_and(|h| (0.5..=1.0).contains(&h.0));
        let counts = n.whole().is_some_and(|w| w >= 2);
        let hundredth = n.value / 100.0;
        if share && counts && high.is_some_and(|h| hundredth < h.0) {
            let text = format!("if {} percent are meant, write `{hundredth}`", n.text());
            return if written.is_some() { d.fix(text, at, hundredth.to_string()) } else { d.help(text) };
        }
        if let (Some(written), true) = (written, counts && callable.is_some_and(takes_sizes_from_input)) {
            let text = format!("{of} takes its sizes from its input: leave the {} out", n.text());
            return if written == Written::AloneInCall { d.fix(text, at, "") } else { d.help(text) };
        }
        match &param.default {
            Some(default) => d.help(format!(
                "`{name}` is {} where nothing is said; write a number that is {must}",
                grammar::print::print_expr(default)
            )),
            None => d.help(format!("write a number that is {must}")),
        }
    }
}

/// The ends of a range, and whether they belong to it.
type Ends = (Option<(f64, bool)>, Option<(f64, bool)>);

/// Whether a number is outside of a range; what is no number at all is in none.
fn outside(x: f64, (low, high): Ends) -> bool {
    let too_low = low.is_some_and(|(low, included)| x < low || x == low && !included);
    let too_high = high.is_some_and(|(high, included)| x > high || x == high && !included);
    too_low || too_high || x.is_nan()
}

/// A number, perhaps with a sign.
fn is_number(expr: &ast::Expr) -> bool {
    match &expr.kind {
        ExprKind::Number { .. } => true,
        ExprKind::Unary { op: ast::UnaryOp::Neg, value } => is_number(value),
        _ => false,
    }
}

/// Whether none of a callable's settings says how large its output is.
fn takes_sizes_from_input(callable: &ast::Callable) -> bool {
    let size = |p: &Param| matches!(p.ty.as_ref().map(|t| &t.kind), Some(TypeKind::Name(word)) if word == "dim");
    !callable.dims.is_empty() && !callable.params.iter().any(size)
}

/// "at least 0 and below 1".
fn words((low, high): Ends) -> String {
    let low = low.map(|(at, included)| format!("{} {at}", if included { "at least" } else { "above" }));
    let high = high.map(|(at, included)| format!("{} {at}", if included { "at most" } else { "below" }));
    low.into_iter().chain(high).collect::<Vec<_>>().join(" and ")
}

/// The first sentence of a text that has a name in it, in backticks.
fn sentence_with(doc: &str, name: &str) -> Option<String> {
    let text = doc.split("Example:").next()?.split_whitespace().collect::<Vec<_>>().join(" ");
    let quoted = format!("`{name}`");
    text.split_inclusive(". ").find(|s| s.contains(&quoted)).map(|s| s.trim().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_about_a_parameter_is_found() {
        let doc = "x / sqrt(p + eps).\nThe share\n`p` counts. Example: `q`";
        assert_eq!(sentence_with(doc, "eps"), None);
        assert_eq!(sentence_with(doc, "p"), Some("The share `p` counts.".into()));
        assert_eq!(sentence_with(doc, "q"), None);
    }

    #[test]
    fn ends_are_said_in_words() {
        assert_eq!(words((Some((0.0, true)), Some((1.0, false)))), "at least 0 and below 1");
        assert_eq!(words((Some((0.0, false)), None)), "above 0");
    }
}
