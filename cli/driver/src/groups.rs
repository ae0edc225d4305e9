//! Which rule moves which parameters. In: a train block. Out: each rule with the saved names that it moves.

use crate::program::Program;
use compiler::typed::{Group, Train};

/// Each rule as written and the parameters it moves, by their saved names; then those that nothing moves.
pub fn groups<'a>(program: &'a Program, train: &'a Train) -> Vec<(String, Vec<&'a str>)> {
    let name = |p: &usize| train.parameters[*p].saved.as_str();
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let group = |g: &'a Group| (words(program.sources.text(g.rule)), g.parameters.iter().map(name).collect());
    let mut list: Vec<(String, Vec<&str>)> = train.groups.iter().map(group).collect();
    let frozen: Vec<&str> = train.parameters.iter().filter(|p| p.frozen).map(|p| p.saved.as_str()).collect();
    if !frozen.is_empty() {
        list.push(("frozen".to_string(), frozen));
    }
    list
}
