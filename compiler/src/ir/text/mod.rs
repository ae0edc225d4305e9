//! The text form of the IR: [`print`] writes a module, [`parse`] reads it back.
//!
//! ```text
//! input x: f[64, 784]
//! persistent W: f[10, 784]
//! draw noise: f[64, 10] gauss site 7 per sample
//! z[i0: 64, i1: 10] = sum[r0: 784] W[i1, r0] * x[i0, r0]
//! y[i0: 64, i1: 10] =
//!   let e0 = exp(z[i0, i1] - noise[i0, i1])
//!   e0 / (1.0 + e0)
//! over [i0: 3, i1: 4] T: f[10] at [2 * i0 + i1] += y[i0, i1]
//! over [i0: 3] U: f[2] at [i0 - 1] or drop += (x[i0, i0 + 1] or 0.0)
//! later h: f[8, 5]
//! before[i0: 8, i1: 5] = (h[i0 - 1, i1] or 0.0)
//! h[i0: 8, i1: 5] = tanh(before[i0, i1])
//! output loss = y
//! update W = T
//! ```
//!
//! Inputs and persistent tensors come first, then the items in order, then outputs and updates.
//! A tensor is known by its name and always followed by `[`, a function by `(`, so names need no
//! reserved words but those in [`RESERVED`]; a name of other characters stands in quotes. In a
//! projection `i0, i1, ..` are the positions of the target and `r0, r1, ..` the reduced variables;
//! in a scatter all are `i`. Int constants have no point, Float constants have one (or are `inf`,
//! `-inf`, `nan(BITS)`). What several places share and is not small is bound by `let`.
//!
//! A tensor that is read before it is defined is announced by `later` where it is first read.
//!
//! `print(&parse(&print(m))?) == print(m)` for every module that the verifier accepts.

mod expression;
mod lexer;
mod parser;
mod printer;

pub use parser::{ParseError, parse};
pub use printer::{print, print_expr};

use super::Combine;
use crate::scalar::{Binary, Kind, Unary};
use nnc_core::random::Distribution;

/// Words that a tensor's name may only be in quotes, because `[` may follow them.
const RESERVED: [&str; 5] = ["over", "at", "or", "let", "drop"];

/// Reductions by name; `Set` has none.
const COMBINES: [(&str, Combine); 5] = [
    ("sum", Combine::Sum),
    ("prod", Combine::Prod),
    ("max", Combine::Max),
    ("min", Combine::Min),
    ("argmax", Combine::Argmax),
];

const KINDS: [(&str, Kind); 3] = [("f", Kind::Float), ("i", Kind::Int), ("b", Kind::Bool)];

/// Draws by name: uniform in the unit interval, and the bell curve.
const DISTRIBUTIONS: [(&str, Distribution); 2] = [("unit", Distribution::Uniform), ("gauss", Distribution::Normal)];

/// How tightly an operator binds; `None` for what is written as a call.
fn precedence(op: Binary) -> Option<u8> {
    Some(match op {
        Binary::Or => 1,
        Binary::And => 2,
        Binary::Eq | Binary::Lt | Binary::Le => 3,
        Binary::Add | Binary::Sub => 4,
        Binary::Mul | Binary::Div => 5,
        Binary::Pow => 6,
        Binary::ZeroOrProduct | Binary::ZeroOrQuotient | Binary::Max | Binary::Min | Binary::FloorDiv | Binary::Mod => {
            return None;
        }
    })
}

/// Of an atom, and of the operand of a unary minus.
const TIGHTEST: u8 = 7;

fn named<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    table.iter().find(|(n, _)| *n == name).map(|(_, t)| *t)
}

fn unary_named(name: &str) -> Option<Unary> {
    Unary::ALL.into_iter().find(|u| u.name() == name)
}

fn call_named(name: &str) -> Option<Binary> {
    Binary::ALL.into_iter().find(|b| precedence(*b).is_none() && b.name() == name)
}

/// Whether a tensor's name can stand as it is.
fn is_plain(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(lexer::starts_name)
        && chars.all(lexer::continues_name)
        && !RESERVED.contains(&name)
        && named(&COMBINES, name).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every form of the text, in the spelling that the printer chooses.
    const EVERYTHING: &str = r#"input x: f[4, 3]
input label: i[4]
persistent "odd name": f[3]
persistent "sum": f[]
draw noise: f[4, 3] gauss site 7 per sample
draw u: f[2] unit site 4000000000
z[i0: 4, i1: 3] = sum[r0: 3] x[i0, r0] * "odd name"[r0] + "sum"[]
best[i0: 4] = argmax[r0: 3] z[i0, r0]
all[] = min[r0: 4] best[r0] == label[r0] && not(true)
conv1.W'[i0: 4, i1: 3] =
  let e0 = exp(z[i0, i1] - noise[i0, i1])
  e0 / (1.0 + e0)
over [i0: 3, i1: 4] T: f[10] at [2 * i0 + i1] += x[i1, i0]
over [i0: 4] U: f[2] at [i0 - 1] or drop += (x[i0 + 1, label[i0]] or -0.0)
over [i0: 4] V: f[99]
  let e0 = i0 * i0 * i0 + 7 * i0
  at [e0] += float(e0)
odd[i0: 1] = (-(-x[0, 0] + neg(2.0))) ^ (-1.5 ^ inf) - (1e-300 - nan(9221120237041090560))
pick[] = select(not(1 <= div(-3, 2) || mod(5, 2) == 1 && false), max(1.0, -inf), u[1])
kept[i0: 2] = zero_or_product(u[i0], zero_or_quotient(u[0], u[1]))
output train.loss = z
update "odd name" = V
"#;

    #[test]
    fn every_form_survives() {
        let module = parse(EVERYTHING).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(print(&module), EVERYTHING);
    }

    #[test]
    fn errors_name_the_line() {
        for (text, line, part) in [
            (
                "input x: f[3]
y[i0: 3] = q[i0]",
                2,
                "`q`",
            ),
            (
                "input x: f[3]
input x: f[3]",
                2,
                "twice",
            ),
            ("y[] = 1.0 +", 1, "expression"),
            ("y[] = frob(1.0)", 1, "frob"),
            ("y[] = 1.0 $", 1, "token"),
            ("weird x", 1, "weird"),
            ("y[i1: 3] = 1.0", 1, "in order"),
            ("y[i0: 3] = sum[i0: 3] 1.0", 1, "in order"),
            ("y[] = i99999999999", 1, "means nothing"),
        ] {
            let error = parse(text).err().unwrap_or_else(|| panic!("{text} was accepted"));
            assert_eq!(error.line, line, "{error}");
            assert!(error.message.contains(part), "{error}");
        }
    }
}
