//! Reads the expressions of a definition.

use super::lexer::Token;
use super::parser::{Parsed, Parser};
use super::{TIGHTEST, call_named, precedence, unary_named};
use crate::ir::{ExprId, Node};
use crate::scalar::{Binary, Unary};

impl Parser {
    /// An expression whose operators bind at least as tightly as `level`.
    pub(super) fn expr(&mut self, level: u8) -> Parsed<ExprId> {
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
