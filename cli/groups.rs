//! Which rule moves which parameters, as a run says it before it begins. In: each rule with the saved names that it moves
//! (`driver::groups`). Out: lines for people, in which names that differ in a number only are one: `blocks.1-4.norm.weight`.

use std::collections::BTreeMap;

/// How long a line of names may become, in characters.
const WIDTH: usize = 110;

/// The groups in lines: one rule for everything needs no names.
pub fn lines(groups: &[(String, Vec<&str>)]) -> Vec<String> {
    if let [(rule, _)] = groups {
        return vec![format!("{rule}: all parameters")];
    }
    listed(groups)
}

/// Each heading with the names under it, whatever their number.
pub fn listed(groups: &[(String, Vec<&str>)]) -> Vec<String> {
    groups.iter().flat_map(|(rule, names)| [vec![format!("{rule}:")], wrapped(&abbreviated(names))].concat()).collect()
}

/// Names that differ in one number only: their parts, and the numbers that stand at one of them.
type Form<'a> = (Vec<&'a str>, BTreeMap<usize, Vec<usize>>);

/// Names that differ in one number only, as one name with the range of that number.
fn abbreviated(names: &[&str]) -> Vec<String> {
    let mut forms: Vec<Form> = vec![];
    for name in names {
        let parts: Vec<&str> = name.split('.').collect();
        let numbered = parts.iter().position(|p| p.parse::<usize>().is_ok());
        let same = |form: &[&str]| {
            form.len() == parts.len()
                && form.iter().zip(&parts).enumerate().all(|(k, (a, b))| Some(k) == numbered || a == b)
        };
        let number = |k: usize| parts[k].parse().unwrap_or_default();
        match (numbered, forms.iter_mut().find(|(form, _)| same(form))) {
            (Some(k), Some((_, numbers))) if numbers.contains_key(&k) => {
                numbers.entry(k).or_default().push(number(k));
            }
            _ => forms.push((parts.clone(), numbered.map(|k| (k, vec![number(k)])).into_iter().collect())),
        }
    }
    forms.iter().map(|(parts, numbers)| written(parts, numbers)).collect()
}

fn written(parts: &[&str], numbers: &BTreeMap<usize, Vec<usize>>) -> String {
    let part = |(k, part): (usize, &&str)| match numbers.get(&k) {
        Some(all) => ranges(all),
        None => (*part).to_string(),
    };
    parts.iter().enumerate().map(part).collect::<Vec<_>>().join(".")
}

/// `1-3,5` for 1, 2, 3 and 5.
fn ranges(numbers: &[usize]) -> String {
    let mut runs: Vec<(usize, usize)> = vec![];
    for n in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *n => *last = *n,
            _ => runs.push((*n, *n)),
        }
    }
    let run =
        |(first, last): &(usize, usize)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    runs.iter().map(run).collect::<Vec<_>>().join(",")
}

fn wrapped(names: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    for name in names {
        match lines.last_mut().filter(|line| line.len() + 2 + name.len() <= WIDTH) {
            Some(line) => line.extend(["  ", name]),
            None => lines.push(format!("  {name}")),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{abbreviated, lines};

    #[test]
    fn names_that_differ_in_a_number_are_one() {
        let names = ["tok.weight", "b.1.w", "b.1.bias", "b.2.w", "b.3.w", "b.5.w", "b.2.bias", "c.1.w", "1.w"];
        assert_eq!(abbreviated(&names), ["tok.weight", "b.1-3,5.w", "b.1-2.bias", "c.1.w", "1.w"]);
    }

    #[test]
    fn one_rule_for_everything_needs_no_names() {
        assert_eq!(lines(&[("sgd(lr = 0.1)".into(), vec!["w"])]), ["sgd(lr = 0.1): all parameters"]);
        let two = [("sgd(lr = 0.1)".to_string(), vec!["w"]), ("frozen".into(), vec!["v"])];
        assert_eq!(lines(&two), ["sgd(lr = 0.1):", "  w", "frozen:", "  v"]);
    }
}
