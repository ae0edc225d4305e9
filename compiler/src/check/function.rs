//! One callable on its own: its body elaborated with inputs of stated extents.
//!
//! In: a program, a library, the name of a callable and its dimensions as numbers. Out: a
//! [`typed::Function`], or what is wrong. An input without a type is a scalar.

use super::elaborate::{Declared, Elaborator, Entity, Env, Given, Instance, Num, PassKind, Scope, is_input, kind_word};
use super::report::nearest;
use super::resolve::Items;
use crate::typed::prune::pruned;
use crate::typed::{Definition, Element, Function, Input, Outcome, Type};
use grammar::ast::{self, Callable};
use grammar::diagnostic::Diagnostic;

/// A dimension and its extents: one for `n`, any number for a pack `..s`.
pub type Dimension = (String, Vec<usize>);

/// The callable of that name: of the program, or else of the library.
#[must_use]
pub fn find<'a>(program: &'a ast::File, library: &'a [ast::File], name: &str) -> Option<&'a Callable> {
    callables(program, library).find(|c| c.name.name == name)
}

/// The name of a callable, or of something else in `others`, that was probably meant.
#[must_use]
pub fn meant<'n>(name: &str, others: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    nearest(name, others)
}

fn callables<'a>(program: &'a ast::File, library: &'a [ast::File]) -> impl Iterator<Item = &'a Callable> {
    let items = program.items.iter().chain(library.iter().flat_map(|f| &f.items));
    items.filter_map(|item| match item {
        ast::Item::Callable(c) => Some(c),
        _ => None,
    })
}

/// Elaborates `callable` with the given dimensions, which may also be its settings of type `dim`.
///
/// # Errors
/// The diagnostics, where the body has errors with these dimensions or one is missing.
pub fn function(
    program: &ast::File,
    library: &[ast::File],
    callable: &Callable,
    dims: &[Dimension],
) -> Result<Function, Vec<Diagnostic>> {
    let (items, _) = Items::collect(program, library);
    let mut alone = Alone { elaborator: Elaborator::new(&items) };
    let function = alone.function(callable, dims);
    let errors = alone.elaborator.sink.errors() > 0;
    match function.filter(|_| !errors) {
        Some(function) => Ok(function),
        None => Err(alone.elaborator.sink.list),
    }
}

/// A callable elaborated without a train block around it.
struct Alone<'a> {
    elaborator: Elaborator<'a>,
}

impl<'a> Alone<'a> {
    fn function(&mut self, callable: &'a Callable, dims: &[Dimension]) -> Option<Function> {
        self.elaborator.begin(PassKind::Training);
        let env = self.dimensions(callable, dims)?;
        let mut inputs = vec![];
        let mut bound: Vec<Option<Given<'a>>> = vec![];
        for param in &callable.params {
            let name = &param.name;
            if !is_input(callable, param) {
                let number = dims.iter().find(|(d, extents)| *d == name.name && extents.len() == 1);
                bound.push(number.map(|(_, n)| (Entity::Number(Num::int(n[0] as i64)), name.span)));
                continue;
            }
            let ty = self.input_type(param, &env)?;
            let definition = Definition::Field(inputs.len());
            let value = self.elaborator.builder().outside(definition, &name.name, ty.clone(), name.span);
            bound.push(Some((Entity::Term(self.elaborator.builder().read(value, name.span)), name.span)));
            inputs.push(Input { name: name.name.clone(), ty, span: name.span });
        }
        self.settings_given(callable, &bound)?;
        let whole = Instance { path: String::new(), origin: self.elaborator.activation().origin.clone() };
        let result = self.elaborator.apply(callable, bound, Some(whole), None, callable.name.span);
        self.results(callable, result)?;
        let pass = pruned(std::mem::take(&mut self.elaborator.builders[PassKind::Training as usize].pass));
        let tables = std::mem::take(&mut self.elaborator.tables);
        Some(Function {
            name: callable.name.name.clone(),
            inputs,
            parameters: tables.parameters.into_iter().map(|p| p.parameter).collect(),
            states: tables.states,
            pass,
        })
    }

    fn fail(&mut self, d: Diagnostic) -> Entity<'a> {
        self.elaborator.fail(d)
    }

    /// A scope in which the dimension variables are numbers.
    fn dimensions(&mut self, callable: &'a Callable, dims: &[Dimension]) -> Option<Env<'a>> {
        let env = Scope::inside(None);
        for dim in &callable.dims {
            let name = &dim.name;
            match dims.iter().find(|(given, _)| *given == name.name) {
                Some((_, extents)) if dim.pack => env.bind(&name.name, Entity::Dims(extents.clone()), name.span),
                Some((_, extents)) if extents.len() == 1 => {
                    env.bind(&name.name, Entity::Number(Num::int(extents[0] as i64)), name.span);
                }
                _ => {
                    let message = format!("nothing says how large the dimension `{}` is", name.name);
                    let example = if dim.pack { "2x3" } else { "3" };
                    let d = Diagnostic::error("missing-argument", name.span, message);
                    self.fail(d.help(format!("give it: `--dim {}={example}`", name.name)));
                    return None;
                }
            }
        }
        for param in callable.params.iter().filter(|p| !is_input(callable, p)) {
            if let Some((_, extents)) = dims.iter().find(|(d, e)| *d == param.name.name && e.len() == 1) {
                env.bind(&param.name.name, Entity::Number(Num::int(extents[0] as i64)), param.name.span);
            }
        }
        Some(env)
    }

    fn input_type(&mut self, param: &'a ast::Param, env: &Env<'a>) -> Option<Type> {
        let scalar = Type { per_sample: false, dims: vec![], element: Element::Number };
        let Some(ty) = &param.ty else { return Some(scalar) };
        match self.elaborator.declared(ty, env)? {
            Declared::Tensor { dims, element, .. } => Some(Type { dims, element, ..scalar }),
            Declared::Record(_) | Declared::Word => {
                let message =
                    format!("the input `{}` is no tensor, so it cannot be given from outside", param.name.name);
                self.fail(Diagnostic::error("not-supported", ty.span, message));
                None
            }
        }
    }

    /// Every setting has a value; says which has none.
    fn settings_given(&mut self, callable: &'a Callable, bound: &[Option<Given<'a>>]) -> Option<()> {
        let missing = callable.params.iter().zip(bound).find(|(p, b)| b.is_none() && p.default.is_none());
        let Some((param, _)) = missing else { return Some(()) };
        let name = &param.name.name;
        let message = format!("the setting `{name}` of the {} has no value", kind_word(callable.kind));
        let d = Diagnostic::error("missing-argument", param.name.span, message);
        self.fail(d.help(format!("give it: `--dim {name}=3`")));
        None
    }

    /// What comes out, under the callable's name; of a record each field under its own.
    fn results(&mut self, callable: &'a Callable, result: Entity<'a>) -> Option<()> {
        let (name, span) = (&callable.name.name, callable.name.span);
        let parts = match result {
            Entity::Record(fields) => fields.to_vec(),
            other => vec![(name.clone(), other)],
        };
        for (part, entity) in parts {
            let term = self.elaborator.float_term(entity, span)?;
            self.elaborator.outcome(Outcome::Output(part.clone()), &term, &part, span);
        }
        Some(())
    }
}
