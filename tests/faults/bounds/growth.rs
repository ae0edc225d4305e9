//! The work of compiling grows with the length of a program: one that is twice as long has at most about twice as many
//! nodes looked at, by every pass, and becomes a program twice as long.

use super::{SETTINGS, program};
use compiler::check::{Checked, check};
use compiler::ir::Module;
use compiler::ir::recurrence::recurrences;
use compiler::lower::programs::training;
use compiler::optimise::PASSES;
use compiler::schedule::schedule;
use compiler::tally::{Work, done};
use grammar::ast::File;
use grammar::diagnostic::Diagnostic;
use grammar::parser::parse;
use grammar::span::Sources;
use nnc_core::number::Precision;

/// A program as parsed, with the library.
fn parsed(text: &str) -> (Sources, File, Vec<File>) {
    let mut sources = Sources::default();
    let id = sources.add("t.nn".to_string(), text.to_string());
    let (file, wrong) = parse(id, text);
    assert!(wrong.is_empty(), "{wrong:?}");
    let texts: Vec<(String, String)> =
        compiler::library::TEXTS.iter().map(|(n, t)| ((*n).to_string(), (*t).to_string())).collect();
    let (library, _) = compiler::library::parse(&mut sources, &texts);
    (sources, file, library)
}

/// What checking finds, and how much of that work it does.
fn checked(text: &str, of: Work) -> (Checked, Vec<Diagnostic>, u64) {
    let (sources, file, library) = parsed(text);
    let before = done(of);
    let (checked, found) = check(&sources, &file, &library);
    (checked, found, done(of) - before)
}

/// How much a stage has to do: nodes looked at, or expressions elaborated, or what it leaves behind.
type Amounts = Vec<(String, u64)>;

/// What every stage does for a program.
fn work(text: &str) -> Amounts {
    let (checked, found, expressions) = checked(text, Work::Expressions);
    assert!(!checked.trains.is_empty(), "{found:?}");
    let mut amounts = vec![("expressions elaborated".to_string(), expressions)];
    let mut counted = |name: &str, stage: &mut dyn FnMut()| {
        let before = done(Work::Nodes);
        stage();
        amounts.push((format!("nodes looked at by {name}"), done(Work::Nodes) - before));
    };
    let mut module = Module::default();
    counted("lowering", &mut || module = training(&checked.trains[0], 8).module);
    for pass in PASSES {
        counted(pass.name, &mut || pass.apply(&mut module));
    }
    let mut steps = 0;
    counted("scheduling", &mut || steps = schedule(&module, Precision::F32).steps.len() as u64);
    amounts.extend([("nodes".to_string(), module.nodes.len() as u64), ("steps".to_string(), steps)]);
    amounts
}

/// Twice as long a program is a quarter more than twice the work at most: whether a definition moves into its reader depends on
/// its size, so that some stand one further in the longer program. What does not grow, a loss and its library, is in both.
fn grows_with_its_length(of: impl Fn(usize) -> String, length: usize) {
    let (short, long) = (work(&of(length)), work(&of(2 * length)));
    for ((what, a), (_, b)) in short.into_iter().zip(long) {
        println!("{what}: {a}, then {b}");
        assert!(a > 0, "there are no {what}");
        assert!(4 * b <= 9 * a + 100, "{what}: {a}, then {b}");
    }
}

/// A model whose body is `n` turns of a loop over what a layer makes of the input.
fn turns(n: usize, turn: &str) -> String {
    let body =
        format!("    q = x |> dense(4) as q\n    h = for l in 1..{n} with h = q {{ {turn} }}\n    h |> dense(1) as fc");
    program("", &body, SETTINGS)
}

#[test]
fn a_chain_of_functions() {
    grows_with_its_length(|n| turns(n, "tanh(h)"), 100);
}

/// The input needs no gradient, so that the whole chain is one definition, as long as definitions become.
#[test]
fn a_chain_that_becomes_one_definition() {
    let of = |n: usize| {
        let body = format!("    h = for l in 1..{n} with h = x {{ tanh(h) }}\n    h |> dense(1) as fc");
        program("", &body, SETTINGS)
    };
    grows_with_its_length(of, 60);
    grows_with_its_length(of, 500);
}

/// Long enough that values become as large as they may: shorter ones are not counted out.
#[test]
fn a_chain_that_doubles() {
    for turn in ["h + 2 * h", "h * h", "max(h, 0.5 * h)", "tanh(h) + h"] {
        grows_with_its_length(|n| turns(n, turn), 400);
    }
}

/// `h + h` of `h + h`, sixty times, has 2^60 terms if it is taken apart.
#[test]
fn sums_and_products_of_what_doubles_stay_whole() {
    for (turn, sum) in [("h + h", "sum[i] (h[i] + x[i])"), ("h * h", "sum[i] (h[i] * 1.5 * x[i])")] {
        let of = |n: usize| {
            let body = format!(
                "    h = for l in 1..{n} with h = x {{ {turn} }}\n    s = {sum}\n    g[i]: [4] = s * x[i]\n    g |> dense(1) as fc"
            );
            program("", &body, SETTINGS)
        };
        grows_with_its_length(of, 30);
    }
}

/// Each calls the one before twice: one function more is a program twice as long, written out.
#[test]
fn functions_that_call_the_one_before_twice() {
    let of = |n: usize| {
        let last = if n == 1 { 9 } else { 10 };
        let mut functions = "fn f0(x: []) = tanh(x)\n".to_string();
        for k in 1..=last {
            functions.push_str(&format!("fn f{k}(x: []) = f{}(x) + f{}(2 * x)\n", k - 1, k - 1));
        }
        program(&functions, &format!("    h[i]: [4] = f{last}(x[i])\n    h |> dense(1) as fc"), SETTINGS)
    };
    grows_with_its_length(of, 1);
}

#[test]
fn residual_blocks_with_norms() {
    grows_with_its_length(|n| turns(n, "h + (h |> dense(4) as d |> batch_norm |> relu)"), 10);
}

/// Rows and columns of a matrix divided by their sums in turn.
#[test]
fn normalisation_of_rows_and_columns() {
    let of = |n: usize| {
        let body = format!(
            "    q = x |> dense(4) as q\n    a[i, j]: [4, 4] = exp(q[i] * q[j])\n    h = for l in 1..{n} with h = a {{\n        \
             r[i, j] = h[i, j] / (sum[k] h[i, k])\n        c[i, j] = r[i, j] / (sum[k] r[k, j])\n        c\n    }}\n    \
             v[i] = sum[j] h[i, j] * x[j]\n    v |> dense(1) as fc"
        );
        program("", &body, SETTINGS)
    };
    grows_with_its_length(of, 25);
}

/// The body of a scan, each of whose definitions is a member of the recurrence and of that of its derivative.
#[test]
fn the_body_of_a_scan() {
    let of = |n: usize| {
        let lines: String = (1..=n).map(|k| format!("        g{k} = tanh(g{}) |> dense(4) as d{k}\n", k - 1)).collect();
        let body = format!(
            "    hs = scan t in 6 with h = x {{\n        g0 = h |> dense(4) as d0\n{lines}        g{n}\n    }}\n    \
             v[i] = hs[5, i]\n    v |> dense(1) as fc"
        );
        program("", &body, SETTINGS)
    };
    let (checked, found, _) = checked(&of(20), Work::Expressions);
    assert!(!checked.trains.is_empty(), "{found:?}");
    assert_eq!(recurrences(&training(&checked.trains[0], 8).module).len(), 2, "one forwards and one backwards");
    grows_with_its_length(of, 20);
}

/// That a rule pulls biases to zero is seen by trying it on one parameter, not by elaborating the network anew.
#[test]
fn a_warning_about_a_rule_elaborates_the_rule_alone() {
    let of = |rules: &str| {
        let layers: String = (0..100).map(|k| format!(" |> dense(4) as d{k} |> tanh")).collect();
        let text = program("", &format!("    x{layers} |> dense(1) as fc"), SETTINGS);
        text.replace("sgd(lr = 0.1)", rules)
    };
    let plain = of("adamw(lr = 0.1, decay = 0) on d1.*, adamw(lr = 0.1, decay = 0) on rest");
    let (_, found, without) = checked(&plain, Work::Expressions);
    assert!(found.is_empty(), "{found:?}");
    let pulling = of("adamw(lr = 0.1, decay = 0.1) on d1.*, adamw(lr = 0.1, decay = 0.2) on rest");
    let (_, found, with) = checked(&pulling, Work::Expressions);
    assert_eq!(found.iter().filter(|d| d.code == "decay-on-biases").count(), 2, "{found:?}");
    assert!(with <= without + without / 20, "{without} expressions, then {with}");
}

/// A name that is unknown is compared with others for the first hundred only.
#[test]
fn thousands_of_unknown_names() {
    let of = |n: usize| {
        let lines: Vec<String> = (0..n).map(|k| format!("    a{k}[i]: [4] = unknwn{k}[i] + b{k}")).collect();
        program("", &format!("{}\n    x |> dense(1) as fc", lines.join("\n")), SETTINGS)
    };
    let (_, found, short) = checked(&of(500), Work::Names);
    assert!(found.len() >= 1000, "{}", found.len());
    let (_, found, long) = checked(&of(1000), Work::Names);
    assert!(found.len() >= 2000, "{}", found.len());
    assert!(short > 0 && long <= 2 * short, "{short} comparisons, then {long}");
}

/// Each position has the one before twice in it: one function more is a position twice as long, written out.
#[test]
fn positions_made_of_positions() {
    let of = |last: usize| {
        let mut functions = "fn f0(i) = i\n".to_string();
        for k in 1..=last {
            functions.push_str(&format!("fn f{k}(i) = max(f{}(i), 3 - f{}(i))\n", k - 1, k - 1));
        }
        program(&functions, &format!("    h[i]: [4] = x[f{last}(i)]\n    h |> dense(1) as fc"), SETTINGS)
    };
    let (checked, found, short) = checked(&of(6), Work::Ranges);
    assert!(!checked.trains.is_empty() && found.is_empty(), "{found:?}");
    let (_, _, long) = self::checked(&of(7), Work::Ranges);
    assert!(short > 0 && 4 * long <= 9 * short, "{short} ranges, then {long}");
}
