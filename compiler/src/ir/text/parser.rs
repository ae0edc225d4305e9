//! Reads a module from text, by recursive descent.

use super::lexer::{Token, lex};
use super::{COMBINES, DISTRIBUTIONS, KINDS, TIGHTEST, call_named, named, precedence, unary_named};
use crate::ir::{Combine, Def, Draw, ExprId, Item, Module, Node, Role, Scatter, TensorId};
use crate::scalar::{Binary, Kind, Unary};
use std::collections::HashMap;
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
    let mut parser =
        Parser { tokens, next: 0, module: Module::default(), tensors: HashMap::new(), scope: Scope::default() };
    while parser.peek().is_some() {
        parser.line()?;
    }
    Ok(parser.module)
}

type Parsed<T> = Result<T, ParseError>;

/// What names mean inside one definition.
#[derive(Default)]
struct Scope {
    /// Number of variables written `i`.
    rank: usize,
    /// The expressions bound by `let`.
    bound: Vec<ExprId>,
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    next: usize,
    module: Module,
    tensors: HashMap<String, TensorId>,
    scope: Scope,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(t, _)| t)
    }

    fn fail<T>(&self, message: impl Into<String>) -> Parsed<T> {
        let line = self.tokens.get(self.next).or(self.tokens.last()).map_or(1, |(_, line)| *line);
        Err(ParseError { line, message: message.into() })
    }

    fn accept(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        self.next += usize::from(found);
        found
    }

    fn sign(&mut self, sign: &'static str) -> bool {
        self.accept(&Token::Sign(sign))
    }

    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(w)) if w == word);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &'static str) -> Parsed<()> {
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

    fn number<T: std::str::FromStr>(&mut self) -> Parsed<T> {
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
    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
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
    fn variables(&mut self) -> Parsed<Vec<usize>> {
        self.list(|p| {
            p.name()?;
            p.expect(":")?;
            p.number()
        })
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
            "draw" => self.draw()?,
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
        if self.tensors.contains_key(&name) {
            return self.fail(format!("`{name}` is defined twice"));
        }
        let id = self.module.tensor(&name, shape, kind, role, None);
        self.tensors.insert(name, id);
        Ok(id)
    }

    fn known_tensor(&mut self) -> Parsed<TensorId> {
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

    fn scatter(&mut self) -> Parsed<()> {
        self.expect_word("over")?;
        let domain = self.variables()?;
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
        let shape = self.variables()?;
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
            Ok(combine) if bracket => Ok((combine, self.variables()?)),
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

    /// An expression whose operators bind at least as tightly as `level`.
    fn expr(&mut self, level: u8) -> Parsed<ExprId> {
        let mut left = self.prefix()?;
        while let Some((op, binds)) = self.operator().filter(|(_, binds)| *binds >= level) {
            self.next += 1;
            let right = self.expr(binds + 1)?;
            left = self.module.binary(op, left, right);
        }
        Ok(left)
    }

    fn operator(&self) -> Option<(Binary, u8)> {
        let Some(Token::Sign(sign)) = self.peek() else { return None };
        let op = Binary::ALL.into_iter().find(|b| b.name() == *sign)?;
        Some((op, precedence(op)?))
    }

    fn prefix(&mut self) -> Parsed<ExprId> {
        if !self.sign("-") {
            return self.atom();
        }
        match self.peek().cloned() {
            Some(Token::Number(digits)) => {
                self.next += 1;
                self.literal(&format!("-{digits}"))
            }
            Some(Token::Word(w)) if w == "inf" => {
                self.next += 1;
                Ok(self.module.float(f64::NEG_INFINITY))
            }
            _ => {
                let operand = self.expr(TIGHTEST)?;
                Ok(self.module.unary(Unary::Neg, operand))
            }
        }
    }

    fn literal(&mut self, digits: &str) -> Parsed<ExprId> {
        if digits.contains(['.', 'e']) {
            match digits.parse() {
                Ok(value) => Ok(self.module.float(value)),
                Err(_) => self.fail(format!("`{digits}` is no number")),
            }
        } else {
            match digits.parse() {
                Ok(value) => Ok(self.module.int(value)),
                Err(_) => self.fail(format!("`{digits}` is no 64-bit integer")),
            }
        }
    }

    fn atom(&mut self) -> Parsed<ExprId> {
        match self.peek().cloned() {
            Some(Token::Number(digits)) => {
                self.next += 1;
                self.literal(&digits)
            }
            Some(Token::Sign("(")) => self.parenthesised(),
            Some(Token::Word(word)) => {
                let after = self.tokens.get(self.next + 1).map(|(t, _)| t);
                match after {
                    Some(Token::Sign("[")) => self.read(),
                    Some(Token::Sign("(")) => self.call(&word),
                    _ => self.leaf(&word),
                }
            }
            Some(Token::Quoted(_)) => self.read(),
            _ => self.fail("an expression expected"),
        }
    }

    /// `(e)`, or a guarded read `(x[i0] or e)`.
    fn parenthesised(&mut self) -> Parsed<ExprId> {
        self.expect("(")?;
        let mut inner = self.expr(0)?;
        if self.word("or") {
            let otherwise = self.expr(0)?;
            inner = match self.module.node(inner).clone() {
                Node::Read { tensor, at, otherwise: None } => {
                    self.module.intern(Node::Read { tensor, at, otherwise: Some(otherwise) })
                }
                _ => return self.fail("`or` stands after a read"),
            };
        }
        self.expect(")")?;
        Ok(inner)
    }

    fn read(&mut self) -> Parsed<ExprId> {
        let tensor = self.known_tensor()?;
        let at = self.list(|p| p.expr(0))?;
        Ok(self.module.read(tensor, at))
    }

    fn arguments(&mut self) -> Parsed<Vec<ExprId>> {
        self.expect("(")?;
        let mut arguments = vec![self.expr(0)?];
        while self.sign(",") {
            arguments.push(self.expr(0)?);
        }
        self.expect(")")?;
        Ok(arguments)
    }

    fn call(&mut self, function: &str) -> Parsed<ExprId> {
        self.next += 1;
        if function == "nan" {
            self.expect("(")?;
            let bits = self.number()?;
            self.expect(")")?;
            return Ok(self.module.intern(Node::Float(bits)));
        }
        match (self.arguments()?.as_slice(), unary_named(function), call_named(function)) {
            ([a], Some(op), _) => Ok(self.module.unary(op, *a)),
            ([a, b], _, Some(op)) => Ok(self.module.binary(op, *a, *b)),
            ([c, a, b], _, _) if function == "select" => Ok(self.module.select(*c, *a, *b)),
            (arguments, _, _) => self.fail(format!("no function `{function}` of {} arguments", arguments.len())),
        }
    }

    /// A constant by name, a variable, or an expression bound by `let`.
    fn leaf(&mut self, word: &str) -> Parsed<ExprId> {
        let numbered = |prefix| word.strip_prefix(prefix).and_then(|digits: &str| digits.parse::<usize>().ok());
        let leaf = match word {
            "true" | "false" => self.module.intern(Node::Bool(word == "true")),
            "inf" => self.module.float(f64::INFINITY),
            _ => {
                let reduced = numbered("r").map(|k| k + self.scope.rank);
                if let Some(k) = numbered("i").or(reduced) {
                    self.module.var(k as u32)
                } else if let Some(bound) = numbered("e").and_then(|k| self.scope.bound.get(k)) {
                    *bound
                } else {
                    return self.fail(format!("`{word}` means nothing here"));
                }
            }
        };
        self.next += 1;
        Ok(leaf)
    }
}
