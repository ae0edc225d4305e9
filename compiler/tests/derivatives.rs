//! Gradients are right: on random programs that cover every form of the IR, reverse mode equals
//! forward mode and finite differences; and every row of the table of scalar derivatives equals
//! central differences.

mod common;

use common::{Counts, check};
use nnc_compiler::ir::random::program;
use nnc_compiler::ir::recurrence::recurrences;
use nnc_compiler::ir::{ExprId, Item, Module, Node};
use nnc_compiler::scalar::{Binary, Kind, Unary};
use std::collections::BTreeMap;

/// How often each form of the IR occurs.
fn tally(m: &Module, table: &mut BTreeMap<String, usize>) {
    let mut count = |form: String| *table.entry(form).or_default() += 1;
    for recurrence in recurrences(m) {
        count(if recurrence.descending { "descending recurrence" } else { "recurrence" }.into());
    }
    for item in &m.items {
        let Item::Def(def) = item else {
            count("draw".into());
            continue;
        };
        count(format!("{:?}", def.combine));
        if let Some(s) = &def.scatter {
            count(if s.dropping { "scatter, dropping" } else { "scatter" }.into());
        }
        for id in m.reachable(&[def.value]) {
            match m.node(id) {
                Node::Unary(op, _) => count(op.name().into()),
                Node::Binary(op, a, _) => count(format!("{} of {:?}", op.name(), m.kind(*a))),
                Node::Select(..) => count("select".into()),
                Node::Read { tensor, at, otherwise } => {
                    count(if otherwise.is_some() { "guarded read" } else { "read" }.into());
                    count(format!("read of {:?}", m.t(*tensor).role));
                    let gathers =
                        |e: &ExprId| m.reachable(&[*e]).into_iter().any(|e| matches!(m.node(e), Node::Read { .. }));
                    if at.iter().any(gathers) {
                        count("gather".into());
                    }
                }
                Node::Float(_) | Node::Int(_) | Node::Bool(_) | Node::Var(_) => {}
            }
        }
    }
}

/// Every form that the random programs must contain.
fn forms() -> Vec<String> {
    let mut forms: Vec<String> = Unary::ALL.iter().map(|op| op.name().to_string()).collect();
    for op in Binary::ALL {
        let kinds: &[Kind] = match op {
            Binary::Div | Binary::Pow | Binary::ZeroOrProduct | Binary::ZeroOrQuotient => &[Kind::Float],
            Binary::FloorDiv | Binary::Mod | Binary::Eq => &[Kind::Int],
            Binary::And | Binary::Or => &[Kind::Bool],
            _ => &[Kind::Float, Kind::Int],
        };
        forms.extend(kinds.iter().map(|k| format!("{} of {k:?}", op.name())));
    }
    forms.extend(
        ["Set", "Sum", "Prod", "Max", "Min", "Argmax", "draw", "scatter", "scatter, dropping"].map(String::from),
    );
    forms.extend(["recurrence", "descending recurrence"].map(String::from));
    forms.extend(["select", "read", "guarded read", "gather", "read of Input", "read of Persistent"].map(String::from));
    forms
}

fn check_programs(seeds: std::ops::Range<u64>) {
    let (mut counts, mut table) = (Counts::default(), BTreeMap::new());
    for seed in seeds {
        let p = program(seed);
        tally(&p.module, &mut table);
        check(&p, "a random program", seed, &mut counts);
    }
    println!("{counts:?}");
    for form in forms() {
        let n = table.get(&form).copied().unwrap_or(0);
        println!("{n:8} {form}");
        assert!(n > 0, "no program contains {form}");
    }
    let Counts { programs, not_finite, moved, stuck, wild, flat } = counts;
    assert!(10 * (not_finite + moved + stuck + wild) < programs, "too many were left out");
    assert!(4 * flat < programs, "too many do not depend on their inputs");
}

#[test]
fn fifty_random_programs() {
    check_programs(0..50);
}

#[test]
#[ignore = "takes a minute"]
fn a_thousand_random_programs() {
    check_programs(1000..2000);
}
