//! The text form of a kernel.

use super::{Kernel, Loop, Memory, Number, Op, Statement, Type, Value};
use std::fmt::Write;

impl Kernel {
    /// Its text form. Integers that are known stand where they are used.
    #[must_use]
    pub fn text(&self) -> String {
        let mut constants = vec![None; self.types.len()];
        note_constants(self, &self.body, &mut constants);
        Printer { kernel: self, constants }.kernel()
    }
}

fn note_constants(kernel: &Kernel, statements: &[Statement], constants: &mut [Option<i64>]) {
    for statement in statements {
        match statement {
            Statement::Let(value, Op::Int(i)) if kernel.ty(*value) == Type::OFFSET => {
                constants[value.0 as usize] = Some(*i);
            }
            Statement::Loop(each) => note_constants(kernel, &each.body, constants),
            Statement::If(choice) => {
                note_constants(kernel, &choice.then, constants);
                note_constants(kernel, &choice.otherwise, constants);
            }
            Statement::Let(..) | Statement::Store { .. } => {}
        }
    }
}

struct Printer<'a> {
    kernel: &'a Kernel,
    /// Of the values that are known integers, these.
    constants: Vec<Option<i64>>,
}

impl Printer<'_> {
    fn kernel(&self) -> String {
        let mut out = String::new();
        for (n, tensor) in self.kernel.tensors.iter().enumerate() {
            let written = if tensor.written { ", written" } else { "" };
            let _ = writeln!(out, "  t{n}: {} from byte w{n} on{written}", name(tensor.element));
        }
        for (n, local) in self.kernel.locals.iter().enumerate() {
            let _ = writeln!(out, "  own{n}: {}", type_text(*local));
        }
        self.statements(&mut out, &self.kernel.body, 1);
        out
    }

    fn statements(&self, out: &mut String, statements: &[Statement], depth: usize) {
        for statement in statements {
            match statement {
                Statement::Let(value, _) if self.constants[value.0 as usize].is_some() => {}
                Statement::Let(value, op) => {
                    line(out, depth, &format!("{} = {}", self.typed(*value), self.op_text(op)))
                }
                Statement::Store { memory, at, value } => {
                    line(out, depth, &format!("{}[{}] = {}", memory_text(*memory), self.v(*at), self.v(*value)));
                }
                Statement::Loop(each) => self.loop_text(out, each, depth),
                Statement::If(choice) => {
                    line(out, depth, &format!("if {} {{", self.v(choice.condition)));
                    self.statements(out, &choice.then, depth + 1);
                    if !choice.otherwise.is_empty() {
                        line(out, depth, "} else {");
                        self.statements(out, &choice.otherwise, depth + 1);
                    }
                    line(out, depth, "}");
                    for r in &choice.results {
                        let text = format!("{} = {} or {}", self.typed(r.after), self.v(r.then), self.v(r.otherwise));
                        line(out, depth, &text);
                    }
                }
            }
        }
    }

    fn loop_text(&self, out: &mut String, each: &Loop, depth: usize) {
        let step = if each.step == 1 { String::new() } else { format!(" by {}", each.step) };
        let head = format!("for {} from {} while < {}{step}", self.v(each.counter), self.v(each.from), self.v(each.to));
        let carried: Vec<String> =
            each.carried.iter().map(|c| format!("{} = {}", self.typed(c.inside), self.v(c.start))).collect();
        let carrying = if carried.is_empty() { String::new() } else { format!(", carrying {}", carried.join(", ")) };
        line(out, depth, &format!("{head}{carrying} {{"));
        self.statements(out, &each.body, depth + 1);
        let next: Vec<String> = each.carried.iter().map(|c| self.v(c.next)).collect();
        if !next.is_empty() {
            line(out, depth + 1, &format!("next {}", next.join(", ")));
        }
        let after: Vec<String> =
            [each.after].into_iter().chain(each.carried.iter().map(|c| c.after)).map(|a| self.v(a)).collect();
        line(out, depth, &format!("}} -> {}", after.join(", ")));
    }

    /// A value by its number, or the integer that it is.
    fn v(&self, value: Value) -> String {
        match self.constants[value.0 as usize] {
            Some(i) => i.to_string(),
            None => format!("%{}", value.0),
        }
    }

    fn typed(&self, value: Value) -> String {
        format!("%{}: {}", value.0, type_text(self.kernel.ty(value)))
    }

    fn op_text(&self, op: &Op) -> String {
        match op {
            Op::Float(bits) => format!("{:?}", f64::from_bits(*bits)),
            Op::Int(i) => i.to_string(),
            Op::Bool(b) => b.to_string(),
            Op::Word(n) => format!("w{n}"),
            Op::Begin => "begin".into(),
            Op::End => "end".into(),
            Op::Steps(s) => format!("0, {s}, .."),
            Op::Splat(a) => format!("splat {}", self.v(*a)),
            Op::Extract(a, l) => format!("{}.{l}", self.v(*a)),
            Op::Pack(all) => format!("pack {}", all.iter().map(|a| self.v(*a)).collect::<Vec<_>>().join(", ")),
            Op::Resize(a) => format!("resize {}", self.v(*a)),
            Op::Within(a, extent) => format!("0 <= {} < {extent}", self.v(*a)),
            Op::Unary(f, a) => format!("{} {}", f.name(), self.v(*a)),
            Op::Binary(f, a, b) => format!("{} {} {}", self.v(*a), f.name(), self.v(*b)),
            Op::Select(c, a, b) => format!("if {} then {} else {}", self.v(*c), self.v(*a), self.v(*b)),
            Op::Load(memory, at) => format!("{}[{}]", memory_text(*memory), self.v(*at)),
            Op::Fold(f, a) => format!("fold {} {}", f.name(), self.v(*a)),
        }
    }
}

fn line(out: &mut String, depth: usize, text: &str) {
    let _ = writeln!(out, "{:1$}{text}", "", 2 * depth);
}

fn memory_text(memory: Memory) -> String {
    match memory {
        Memory::Tensor(n) => format!("t{n}"),
        Memory::Local(n) => format!("own{n}"),
    }
}

fn name(number: Number) -> &'static str {
    match number {
        Number::F32 => "f32",
        Number::F64 => "f64",
        Number::I32 => "i32",
        Number::I64 => "i64",
        Number::Bool => "bool",
    }
}

fn type_text(ty: Type) -> String {
    if ty.lanes == 1 { name(ty.number).to_string() } else { format!("{}x{}", name(ty.number), ty.lanes) }
}
