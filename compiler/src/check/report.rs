//! Collects diagnostics: one at a place for each code, however often the place is elaborated.

use crate::tally::{Work, count};
use grammar::diagnostic::{Diagnostic, Label, Severity};
use grammar::span::Span;
use std::collections::{BTreeSet, HashSet};

/// The diagnostics so far.
#[derive(Default)]
pub(super) struct Sink {
    /// In order of discovery.
    pub list: Vec<Diagnostic>,
    /// The codes at their places.
    known: BTreeSet<(&'static str, Span)>,
    /// What was said so far.
    said: HashSet<(&'static str, String)>,
    /// How many errors there are.
    errors: usize,
}

impl Sink {
    /// Adds a diagnostic unless one of that code already stands at its place.
    pub fn add(&mut self, diagnostic: Diagnostic) {
        if self.known.insert((diagnostic.code, diagnostic.primary.span)) {
            self.said.insert((diagnostic.code, diagnostic.message.clone()));
            self.errors += usize::from(diagnostic.severity == Severity::Error);
            self.list.push(diagnostic);
        }
    }

    /// Whether a diagnostic of that code has said the same, at whatever place.
    pub fn has_said(&self, diagnostic: &Diagnostic) -> bool {
        self.said.contains(&(diagnostic.code, diagnostic.message.clone()))
    }

    /// Whether so few mistakes were found that what was meant is worth looking for: nobody reads a hundredth guess, and
    /// each compares a name with all others.
    pub fn may_guess(&self) -> bool {
        self.list.len() < 100
    }

    /// Says something at a place of the last diagnostic.
    pub fn annotate(&mut self, span: Span, text: &str) {
        let Some(last) = self.list.last_mut() else { return };
        let mut labels = std::iter::once(&mut last.primary).chain(&mut last.secondary);
        match labels.find(|l| l.span == span) {
            Some(label) => label.text = text.into(),
            None => last.secondary.push(Label { span, text: text.into() }),
        }
    }

    /// How many errors there are.
    pub fn errors(&self) -> usize {
        self.errors
    }
}

/// Letters of a name beyond which it is no typing error of another.
const LONGEST_NAME: usize = 64;

/// The candidate nearest to `name`, if one is near enough to be what was meant.
pub fn nearest<'n>(name: &str, candidates: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let length = name.chars().take(LONGEST_NAME + 1).count();
    let limit = match length {
        0..=2 => 1,
        3..=5 => 2,
        6..=LONGEST_NAME => 3,
        _ => return None,
    };
    // A letter is at most four bytes.
    let alike = |c: &str| c.len() <= 4 * (length + limit) && c.chars().count().abs_diff(length) <= limit;
    candidates
        .into_iter()
        .filter(|c| *c != name && alike(c))
        .map(|c| (distance(name, c), c.chars().next() != name.chars().next(), c))
        .filter(|(d, _, c)| *d <= limit && *d < c.chars().count())
        .min()
        .map(|found| found.2)
}

/// How many letters must be added, removed, changed or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    count(Work::Names);
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = change.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_find_the_word_meant() {
        assert_eq!(nearest("optimiser", ["optimizer", "objective"]), Some("optimizer"));
        assert_eq!(nearest("epcohs", ["epochs", "steps"]), Some("epochs"));
        assert_eq!(nearest("unit", ["init", "units"]), Some("units"));
        assert_eq!(nearest("frobnicate", ["epochs", "steps"]), None);
    }
}
