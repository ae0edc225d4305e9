//! Formatting: the library and the examples are in order; whatever is formatted keeps its tokens and stays as it is when
//! formatted again.

#![allow(clippy::unwrap_used)]

use nnc_grammar::format::{format, same_tokens};
use std::path::{Path, PathBuf};

fn programs(folder: &str) -> Vec<(PathBuf, String)> {
    fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, into);
            } else if path.extension().is_some_and(|e| e == "nn") {
                into.push(path);
            }
        }
    }
    let mut paths = vec![];
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder), &mut paths);
    paths.sort();
    assert!(!paths.is_empty(), "no programs in {folder}");
    paths.into_iter().map(|p| (p.clone(), std::fs::read_to_string(p).unwrap())).collect()
}

#[test]
fn library_and_examples_are_in_order() {
    for folder in ["compiler/std", "examples"] {
        for (path, text) in programs(folder) {
            assert_eq!(format(&text), text, "{}: run `nnc fmt` on it", path.display());
        }
    }
}

/// A text with its indentation and columns lost.
fn disordered(text: &str) -> String {
    let line = |line: &str| {
        let rest = line.trim_start();
        let indent = if rest.len() < line.len() { " \t" } else { "" };
        let words: Vec<&str> = rest.split(' ').filter(|w| !w.is_empty()).collect();
        format!("{indent}{} ", words.join(if rest.contains("//") || rest.contains('"') { " " } else { "   " }))
    };
    text.lines().map(|l| line(l) + "\n\n\n").collect()
}

#[test]
fn what_is_formatted_keeps_its_tokens_and_stays() {
    for folder in ["compiler/std", "examples", "tests", "grammar/tests/programs"] {
        for (path, text) in programs(folder) {
            for text in [&text, &disordered(&text)] {
                let once = format(text);
                assert!(same_tokens(text, &once), "{}: other tokens in\n{once}", path.display());
                assert_eq!(format(&once), once, "{}: formatted twice", path.display());
            }
        }
    }
}

#[test]
fn a_program_in_disorder_is_put_in_order() {
    let before = "// of two\nlayer two[n]( x :[ n ],units:dim=3 )->[units]{\n\n  param W:[units,n]~he_normal // weights\n\
                  y[ i ]=sum[j] W[i,j]*x [j]\n\n\n      if bias {\n y+-1\n} else { y*2+ 1 }\n\n}\n\n\nfn f(x)=x^ 2|>g\n\
                  init h = normal(0, s)\n  where s = 2*k\n        k = a . b\ntrain t {\n  data   = d\n  batch  = 3 // few\n\
                  objective = f(\n     x,\n     y\n  )\n}\n";
    let after = "// of two\nlayer two[n](x: [n], units: dim = 3) -> [units] {\n    param W: [units, n] ~ he_normal // weights\n    \
                 y[i] = sum[j] W[i, j]*x [j]\n\n    if bias {\n        y+-1\n    } else { y*2 + 1 }\n}\n\nfn f(x) = x^2 |> g\n\
                 init h = normal(0, s)\n  where s = 2*k\n        k = a.b\ntrain t {\n    data  = d\n    batch = 3 // few\n    \
                 objective = f(\n       x,\n       y\n    )\n}\n";
    assert_eq!(format(before), after);
    assert!(same_tokens(before, after));
}

#[test]
fn a_difference_of_tokens_is_seen() {
    assert!(!same_tokens("fn f(x) = sum[i] x[i]", "fn f(x) = sum [i] x[i]"));
    assert!(!same_tokens("fn f(x) = x", "fn f(x) = y"));
}
