//! An optimiser's rule applied to one parameter: its body with `theta` and `grad` in scope, the gradient at another point,
//! and what evaluation uses in the place of the parameter.

use super::Elaborator;
use super::entity::{Entity, Env, PassKind, Scope, Template, Term, shape_text};
use super::frames::{Activation, Call, Role, made_at};
use super::parameter_range::Owner;
use super::tables::ParameterInfo;
use crate::check::resolve::EVALUATED;
use crate::typed::{Outcome, Parameter, State, Train};
use grammar::ast;
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;
use std::rc::Rc;

/// The name, which no one can write, under which a rule finds the gradient of `grad at p`.
pub(super) const SHIFTED: &str = "\0shifted";

/// A rule and the parameters it moves.
pub struct RuleGroup<'a> {
    /// The optimiser with its settings.
    pub rule: Rc<Template<'a>>,
    /// Where it is written.
    pub span: Span,
    /// By their places.
    pub parameters: Vec<usize>,
}

/// The gradients by one parameter that its rule may ask for.
pub struct Gradients {
    /// By its place.
    pub parameter: usize,
    /// `grad`, where the rule says it.
    pub plain: Option<Term>,
    /// `grad at p`, where the rule says that.
    pub shifted: Option<Term>,
}

impl<'a> Elaborator<'a> {
    /// Begins the update of a block that is elaborated already, for a rule that moves one of its parameters alone.
    pub fn take_up(&mut self, elaborated: &Train, parameter: usize, span: Span) {
        self.tables.objectives.clone_from(&elaborated.objectives);
        let info = |p: &Parameter| ParameterInfo { parameter: p.clone(), model: None, origin: Rc::from([]) };
        self.tables.parameters = elaborated.parameters.iter().map(info).collect();
        self.begin(PassKind::Update);
        self.within(PassKind::Init, |s| {
            let start = s.parameter_term(parameter);
            s.outcome(Outcome::Parameter(parameter), &start, "theta", span);
        });
    }

    /// Elaborates the rule for one parameter.
    pub fn rule(&mut self, group: &RuleGroup<'a>, bound: Vec<Option<(Entity<'a>, Span)>>, gradients: &Gradients) {
        let callable = group.rule.callable;
        let number = gradients.parameter;
        let path = self.tables.parameters[number].parameter.path.clone();
        let scope = Scope::inside(None);
        let theta = self.parameter_term(number);
        scope.bind("theta", Entity::Term(theta), callable.name.span);
        for (name, gradient) in [("grad", &gradients.plain), (SHIFTED, &gradients.shifted)] {
            if let Some(term) = gradient {
                scope.bind(name, Entity::Term(term.clone()), callable.name.span);
            }
        }
        let origin = made_at(&self.activation().origin, group.span);
        self.state.activations.push(Activation::new(path, origin, None, group.span, Role::Rule(number)));
        self.calls.push(Call { callable, span: group.span, given: vec![], plain: None });
        let inner = Scope::inside(Some(&scope));
        let mut good = true;
        for (param, value) in callable.params.iter().zip(bound) {
            let (value, at) = match (value, &param.default) {
                (Some((entity, at)), _) => (entity, at),
                (None, Some(default)) => (self.eval(default, &inner), default.span),
                (None, None) => (Entity::Poison, group.span),
            };
            let call = self.calls.pop();
            good &= self.allowed(Owner::Callable(callable), param, &value, at, &inner);
            self.calls.extend(call);
            good &= !matches!(value, Entity::Poison);
            inner.bind(&param.name.name, value, param.name.span);
        }
        if good {
            self.body(&callable.body, None, &inner);
            self.rule_moves(callable, number);
            self.keep_evaluated(number);
        }
        self.calls.pop();
        self.state.activations.pop();
    }

    fn rule_moves(&mut self, callable: &'a ast::Callable, number: usize) {
        let moved = self.builder().known_outcome(&Outcome::Parameter(number)).is_some();
        if !moved && self.sink.errors() == 0 {
            let d = Diagnostic::error(
                "missing-setting",
                callable.name.span,
                format!("the optimiser `{}` never says what `theta'` is", callable.name.name),
            );
            self.fail(d.help("end it with the next value of the parameter: `theta' = theta - lr * grad`"));
        }
    }

    /// `grad at p`: the gradient is taken at `p` instead of at the parameter.
    pub(super) fn grad_at(&mut self, point: &'a ast::Expr, span: Span, env: &Env<'a>) -> Entity<'a> {
        let Role::Rule(number) = self.activation().role else {
            return self.fail(Diagnostic::error("wrong-kind", span, "`grad at` stands only in an optimiser"));
        };
        let entity = self.eval(point, env);
        let Some(term) = self.float_term(entity, point.span) else { return Entity::Poison };
        let parameter = self.tables.parameters[number].parameter.clone();
        if !term.dims.is_empty() && term.dims != parameter.dims {
            let message = format!(
                "the gradient is taken at a point of the parameter's shape {}, but this is {}",
                shape_text(&parameter.dims),
                shape_text(&term.dims)
            );
            return self.fail(Diagnostic::error("shape-mismatch", point.span, message));
        }
        let term: Term = self.fill(term, &parameter.dims);
        let Some((id, _)) = self.builder().define(&term, &format!("{}.point", parameter.path), point.span) else {
            return Entity::Poison;
        };
        self.builder().outcome(Outcome::GradientPoint(number), id);
        env.find(SHIFTED).map_or(Entity::Poison, |g| g.0)
    }

    /// `eval = e` in a rule: what evaluation and the saved weights use in the place of the parameter.
    pub(super) fn evaluated(&mut self, parameter: usize, entity: Entity<'a>, span: Span) -> Entity<'a> {
        let Some(term) = self.float_term(entity, span) else { return Entity::Poison };
        let p = self.tables.parameters[parameter].parameter.clone();
        if !term.dims.is_empty() && term.dims != p.dims {
            let (is, should) = (shape_text(&term.dims), shape_text(&p.dims));
            let message = format!("evaluation needs a tensor of the parameter's shape {should}, but this is {is}");
            return self.fail(Diagnostic::error("shape-mismatch", span, message));
        }
        let term = self.fill(term, &p.dims);
        let whole = self.builder().whole(&term);
        let name = format!("{}.{EVALUATED}", p.path);
        let Some(id) = whole.or_else(|| self.builder().define(&term, &name, span).map(|d| d.0)) else {
            return Entity::Poison;
        };
        self.tables.evaluated.insert(parameter, id);
        Entity::Term(self.builder().read(id, span))
    }

    /// Keeps what evaluation uses: in the state of the rule whose next value it is, or else in one of its own, which
    /// begins as the parameter does.
    fn keep_evaluated(&mut self, parameter: usize) {
        let Some(id) = self.tables.evaluated.get(&parameter).copied() else { return };
        let next = self.builder().pass.outcomes.iter().find(|(_, v)| *v == id).map(|(o, _)| o.clone());
        let slot = match next {
            Some(Outcome::Parameter(_)) => return,
            Some(Outcome::Slot(n)) => n,
            _ => {
                let p = self.tables.parameters[parameter].parameter.clone();
                let number = self.tables.slots.len();
                let path = format!("{}.{EVALUATED}", p.path);
                let saved = format!("{}.{EVALUATED}", p.saved);
                self.tables.slots.push(State { path: path.clone(), saved, dims: p.dims, span: p.span, told: true });
                self.builder().outcome(Outcome::Slot(number), id);
                self.within(PassKind::Init, |s| {
                    if let Some(start) = s.start_of(parameter)
                        && let Some((id, _)) = s.builder().define(&start, &path, p.span)
                    {
                        s.builder().outcome(Outcome::Slot(number), id);
                    }
                });
                number
            }
        };
        self.tables.parameters[parameter].parameter.evaluated = Some(slot);
    }
}
