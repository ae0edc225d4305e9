//! Reads a module from text, by recursive descent: its lines. Expressions are read in `expression`.

use super::lexer::{Token, lex};
use super::{COMBINES, DISTRIBUTIONS, KINDS, named};
use crate::ir::{Combine, Def, Draw, ExprId, Item, Listed, Module, Role, Scatter, TensorId};
use crate::scalar::Kind;
use std::collections::{HashMap, HashSet};
use std::fmt;

/// Why a text is no module, and on which line (from 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for ParseError {}

/// Reads a module. Only its form is checked; see the verifier for the rest.
///
/// # Errors
/// On the first place that fits no form, or names an unknown tensor.
pub fn parse(text: &str) -> Result<Module, ParseError> {
    let tokens = lex(text).map_err(|(line, message)| ParseError { line, message })?;
    let mut parser = Parser {
        tokens,
        next: 0,
        module: Module::default(),
        tensors: HashMap::new(),
        later: HashSet::new(),
        scope: Scope::default(),
    };
    while parser.peek().is_some() {
        parser.line()?;
    }
    Ok(parser.module)
}

pub(super) type Parsed<T> = Result<T, ParseError>;

/// What names mean inside one definition.
#[derive(Default)]
pub(super) struct Scope {
    /// Number of variables written `i`.
    pub(super) rank: usize,
    /// The expressions bound by `let`.
    pub(super) bound: Vec<ExprId>,
}

pub(super) struct Parser {
    pub(super) tokens: Vec<(Token, usize)>,
    pub(super) next: usize,
    pub(super) module: Module,
    tensors: HashMap<String, TensorId>,
    /// Announced, but not yet defined.
    later: HashSet<TensorId>,
    pub(super) scope: Scope,
}

impl Parser {
    pub(super) fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(t, _)| t)
    }

    pub(super) fn fail<T>(&self, message: impl Into<String>) -> Parsed<T> {
        let line = self.tokens.get(self.next).or(self.tokens.last()).map_or(1, |(_, line)| *line);
        Err(ParseError { line, message: message.into() })
    }

    fn accept(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        self.next += usize::from(found);
        found
    }

    pub(super) fn sign(&mut self, sign: &'static str) -> bool {
        self.accept(&Token::Sign(sign))
    }

    pub(super) fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(w)) if w == word);
        self.next += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, sign: &'static str) -> Parsed<()> {
        if self.sign(sign) { Ok(()) } else { self.fail(format!("`{sign}` expected")) }
    }

    fn expect_word(&mut self, word: &str) -> Parsed<()> {
        if self.word(word) { Ok(()) } else { self.fail(format!("`{word}` expected")) }
    }

    fn end_of_line(&mut self) -> Parsed<()> {
        if self.accept(&Token::Newline) { Ok(()) } else { self.fail("the line should end here") }
    }

    fn name(&mut self) -> Parsed<String> {
        match self.peek().cloned() {
            Some(Token::Word(name) | Token::Quoted(name)) => {
                self.next += 1;
                Ok(name)
            }
            _ => self.fail("a name expected"),
        }
    }

    pub(super) fn number<T: std::str::FromStr>(&mut self) -> Parsed<T> {
        if let Some(Token::Number(digits)) = self.peek()
            && let Ok(n) = digits.parse()
        {
            self.next += 1;
            return Ok(n);
        }
        self.fail("a whole number expected")
    }

    fn one_of<T: Copy>(&mut self, table: &[(&str, T)], what: &str) -> Parsed<T> {
        if let Some(Token::Word(word)) = self.peek()
            && let Some(value) = named(table, word)
        {
            self.next += 1;
            return Ok(value);
        }
        self.fail(format!("{what} expected"))
    }

    /// `[item, ..]`
    pub(super) fn list<T>(&mut self, item: impl Fn(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        self.expect("[")?;
        let mut items = Vec::new();
        while !self.sign("]") {
            if !items.is_empty() {
                self.expect(",")?;
            }
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// `[i0: 64, ..]`, the extents.
    fn variables(&mut self, letter: char) -> Parsed<Vec<usize>> {
        let pairs = self.list(|p| {
            let name = p.name()?;
            p.expect(":")?;
            Ok((name, p.number()?))
        })?;
        if pairs.iter().enumerate().any(|(k, (name, _))| *name != format!("{letter}{k}")) {
            return self.fail(format!("the variables are {letter}0, {letter}1, .. in order"));
        }
        Ok(pairs.into_iter().map(|(_, extent)| extent).collect())
    }

    fn line(&mut self) -> Parsed<()> {
        let names_tensor = matches!(self.tokens.get(self.next + 1), Some((Token::Sign("["), _)));
        match self.peek() {
            Some(Token::Word(w)) if w == "over" => self.scatter(),
            Some(Token::Word(_)) if !names_tensor => self.declaration(),
            _ => self.projection(),
        }
    }

    fn declaration(&mut self) -> Parsed<()> {
        match self.name()?.as_str() {
            "input" => drop(self.declare(Role::Input)?),
            "persistent" => drop(self.declare(Role::Persistent)?),
            "later" => {
                let tensor = self.declare(Role::Temporary)?;
                self.later.insert(tensor);
            }
            "draw" => self.draw()?,
            "listed" => self.listed()?,
            "output" => {
                let label = self.name()?;
                self.expect("=")?;
                let tensor = self.known_tensor()?;
                self.module.outputs.push((label, tensor));
            }
            "update" => {
                let to = self.known_tensor()?;
                self.expect("=")?;
                let from = self.known_tensor()?;
                self.module.updates.push((to, from));
            }
            other => return self.fail(format!("`{other}` begins no line")),
        }
        self.end_of_line()
    }

    /// `NAME: f[64, 10]`
    fn declare(&mut self, role: Role) -> Parsed<TensorId> {
        let name = self.name()?;
        self.expect(":")?;
        let kind = self.one_of(&KINDS, "`f`, `i` or `b`")?;
        let shape = self.list(Self::number)?;
        self.add_tensor(name, shape, kind, role)
    }

    fn add_tensor(&mut self, name: String, shape: Vec<usize>, kind: Kind, role: Role) -> Parsed<TensorId> {
        if let Some(id) = self.tensors.get(&name).copied() {
            let announced = self.later.remove(&id);
            let tensor = self.module.t(id);
            return match announced && tensor.shape == shape && tensor.kind == kind && tensor.role == role {
                true => Ok(id),
                false if announced => self.fail(format!("`{name}` is not what was announced")),
                false => self.fail(format!("`{name}` is defined twice")),
            };
        }
        let id = self.module.tensor(&name, shape, kind, role, None);
        self.tensors.insert(name, id);
        Ok(id)
    }

    pub(super) fn known_tensor(&mut self) -> Parsed<TensorId> {
        let name = self.name()?;
        match self.tensors.get(&name) {
            Some(id) => Ok(*id),
            None => self.fail(format!("no tensor `{name}` is defined above")),
        }
    }

    fn draw(&mut self) -> Parsed<()> {
        let target = self.declare(Role::Temporary)?;
        let distribution = self.one_of(&DISTRIBUTIONS, "`unit` or `gauss`")?;
        self.expect_word("site")?;
        let site = self.number()?;
        let per_sample = self.word("per");
        if per_sample {
            self.expect_word("sample")?;
        }
        self.module.items.push(Item::Draw(Draw { target, site, distribution, per_sample }));
        Ok(())
    }

    /// `NAME: f[3] = [0.5, -1.0, 2.0]`, each a constant.
    fn listed(&mut self) -> Parsed<()> {
        let target = self.declare(Role::Temporary)?;
        self.expect("=")?;
        self.scope = Scope { rank: 0, bound: vec![] };
        self.expect("[")?;
        let mut values = vec![];
        while !self.sign("]") {
            if !values.is_empty() {
                self.expect(",")?;
            }
            let number = self.expr(0)?;
            let whole = self.module.as_int(number).map(|n| n as f64);
            let Some(value) = self.module.as_float(number).or(whole) else { return self.fail("a number expected") };
            values.push(value);
        }
        self.module.items.push(Item::Listed(Listed::new(target, &values)));
        Ok(())
    }

    fn scatter(&mut self) -> Parsed<()> {
        self.expect_word("over")?;
        let domain = self.variables('i')?;
        self.scope = Scope { rank: domain.len(), bound: vec![] };
        let name = self.name()?;
        self.expect(":")?;
        let kind = self.one_of(&KINDS, "`f`, `i` or `b`")?;
        let shape = self.list(Self::number)?;
        self.bindings()?;
        self.expect_word("at")?;
        let at = self.list(|p| p.expr(0))?;
        let dropping = self.word("or");
        if dropping {
            self.expect_word("drop")?;
        }
        self.expect("+=")?;
        let value = self.expr(0)?;
        self.end_of_line()?;
        let target = self.add_tensor(name, shape, kind, Role::Temporary)?;
        let scatter = Some(Scatter { at, dropping });
        self.module.items.push(Item::Def(Def { target, domain, combine: Combine::Sum, value, scatter }));
        Ok(())
    }

    fn projection(&mut self) -> Parsed<()> {
        let name = self.name()?;
        let shape = self.variables('i')?;
        self.scope = Scope { rank: shape.len(), bound: vec![] };
        self.expect("=")?;
        let (combine, reduced) = self.reduction()?;
        self.bindings()?;
        let value = self.expr(0)?;
        self.end_of_line()?;
        let kind = if combine == Combine::Argmax { Kind::Int } else { self.module.kind(value) };
        let domain = shape.iter().copied().chain(reduced).collect();
        let target = self.add_tensor(name, shape, kind, Role::Temporary)?;
        self.module.items.push(Item::Def(Def { target, domain, combine, value, scatter: None }));
        Ok(())
    }

    /// `sum[r0: 784]`, or nothing for a pointwise definition.
    fn reduction(&mut self) -> Parsed<(Combine, Vec<usize>)> {
        let bracket = matches!(self.tokens.get(self.next + 1), Some((Token::Sign("["), _)));
        match self.one_of(&COMBINES, "") {
            Ok(combine) if bracket => Ok((combine, self.variables('r')?)),
            Ok(_) => {
                self.next -= 1;
                Ok((Combine::Set, vec![]))
            }
            Err(_) => Ok((Combine::Set, vec![])),
        }
    }

    /// Lines `let e0 = ..` after the head of a definition, if that ends its line.
    fn bindings(&mut self) -> Parsed<()> {
        if !self.accept(&Token::Newline) {
            return Ok(());
        }
        while self.word("let") {
            if self.name()? != format!("e{}", self.scope.bound.len()) {
                return self.fail("bound expressions are numbered e0, e1, ..");
            }
            self.expect("=")?;
            let bound = self.expr(0)?;
            self.end_of_line()?;
            self.scope.bound.push(bound);
        }
        Ok(())
    }
}
