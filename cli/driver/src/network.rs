//! The network of a train block as boxes and arrows: a box for each application of a layer with parameters of its own,
//! whatever it calls, and of a function outside of them; its result's shape, its parameters.

use compiler::typed::{Definition, Expr, Outcome, Pass, Train, ValueId};
use std::collections::BTreeSet;

/// A box.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// The path of its instance, or the field.
    pub name: String,
    /// The shape of what comes out, the minibatch left out.
    pub shape: Vec<usize>,
    /// The parameters it reads, by number.
    pub reads: BTreeSet<usize>,
    /// How many numbers they are.
    pub parameters: usize,
    /// Whether data comes in here.
    pub is_input: bool,
}

/// Boxes in the order of computation, and arrows from the first to the second.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// The boxes.
    pub nodes: Vec<Node>,
    /// Each once, in order.
    pub edges: BTreeSet<(usize, usize)>,
}

impl Graph {
    /// The network that leads to the named locals of the train block, and to its objectives if there are parameters
    /// elsewhere.
    #[must_use]
    pub fn of(train: &Train) -> Self {
        let pass = &train.evaluation;
        let results = |named: bool| -> Vec<ValueId> {
            let wanted =
                |o: &Outcome| if named { matches!(o, Outcome::Output(_)) } else { matches!(o, Outcome::Objective(_)) };
            pass.outcomes.iter().filter(|(o, _)| wanted(o)).map(|(_, id)| *id).collect()
        };
        let mut needed = reached(pass, &results(true));
        let parameters = |values: &BTreeSet<usize>| {
            values.iter().filter(|v| matches!(pass.values[**v].definition, Definition::Parameter(_))).count()
        };
        let all = reached(pass, &results(false));
        if needed.is_empty() || parameters(&needed) < parameters(&all) {
            needed.extend(all);
        }
        let layers: BTreeSet<&str> = train.parameters.iter().map(|p| instance(&p.path)).collect();
        let mut graph = Self::default();
        let mut home: Vec<Option<usize>> = vec![None; pass.values.len()];
        for (number, value) in pass.values.iter().enumerate().filter(|(n, _)| needed.contains(n)) {
            let dims = value.ty.dims.clone();
            let own = match &value.definition {
                Definition::Field(f) => {
                    Node { name: train.fields[*f].name.clone(), shape: dims, is_input: true, ..Node::default() }
                }
                Definition::Indexed { .. }
                | Definition::Accumulate { .. }
                | Definition::Draw { .. }
                | Definition::Listed(_) => {
                    Node { name: layer(&value.name, &layers).to_string(), shape: dims, ..Node::default() }
                }
                _ => continue,
            };
            let read = reads(&value.definition);
            let from: BTreeSet<usize> = read.iter().filter_map(|r| home[*r]).collect();
            let here = match graph.joins(&own, &from) {
                Some(place) => {
                    graph.nodes[place].shape = own.shape;
                    place
                }
                None => {
                    graph.nodes.push(own);
                    graph.nodes.len() - 1
                }
            };
            home[number] = Some(here);
            for read in read {
                match &pass.values[read].definition {
                    Definition::Parameter(p) => {
                        // A bias is added where the result is used; it belongs to the layer that declares it.
                        let owner = layer(&train.parameters[*p].path, &layers);
                        let owner = graph.nodes.iter().rposition(|n| n.name == owner).unwrap_or(here);
                        if graph.nodes[owner].reads.insert(*p) {
                            graph.nodes[owner].parameters += train.parameters[*p].dims.iter().product::<usize>();
                        }
                    }
                    _ => graph.edges.extend(home[read].filter(|from| *from != here).map(|from| (from, here))),
                }
            }
        }
        graph
    }

    /// The box there is that a value belongs into, where it reads from others: the last one of its name, if it comes
    /// right after or reads from there, and nothing that it reads comes from there by way of another box.
    fn joins(&self, own: &Node, from: &BTreeSet<usize>) -> Option<usize> {
        let place = self.nodes.iter().rposition(|n| n.name == own.name && !n.is_input && !own.is_input)?;
        let is_next = place + 1 == self.nodes.len() || from.contains(&place);
        let detour = from.iter().any(|source| *source != place && self.leads(place, *source));
        (is_next && !detour).then_some(place)
    }

    /// Whether arrows lead from a box to another.
    fn leads(&self, from: usize, to: usize) -> bool {
        let mut reached = BTreeSet::from([from]);
        let mut open = vec![from];
        while let Some(node) = open.pop() {
            open.extend(self.edges.range((node, 0)..(node + 1, 0)).map(|e| e.1).filter(|n| reached.insert(*n)));
        }
        reached.contains(&to)
    }

    /// The depth of every box: one more than that of the deepest before it.
    #[must_use]
    pub fn depths(&self) -> Vec<usize> {
        let mut depths = vec![0; self.nodes.len()];
        for (from, to) in &self.edges {
            depths[*to] = depths[*to].max(depths[*from] + 1);
        }
        depths
    }
}

/// The box that a value belongs into: the outermost instance around it that has parameters of its own, or else its own.
fn layer<'a>(name: &'a str, layers: &BTreeSet<&str>) -> &'a str {
    let around = name.match_indices('.').map(|(at, _)| &name[..at]);
    around.into_iter().find(|path| layers.contains(path)).unwrap_or_else(|| instance(name))
}

/// The instance that a value belongs to.
fn instance(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(path, _)| path)
}

/// The values from which the roots are computed.
fn reached(pass: &Pass, roots: &[ValueId]) -> BTreeSet<usize> {
    let mut open: Vec<usize> = roots.iter().map(|r| r.0 as usize).collect();
    let mut seen = BTreeSet::new();
    while let Some(value) = open.pop() {
        if seen.insert(value) {
            open.extend(reads(&pass.values[value].definition));
        }
    }
    seen
}

/// The values that a definition reads.
fn reads(definition: &Definition) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    match definition {
        Definition::Indexed { value, .. } => read_by(value, &mut found),
        Definition::Accumulate { at, value, .. } => {
            at.iter().for_each(|p| read_by(p, &mut found));
            read_by(value, &mut found);
        }
        _ => {}
    }
    found
}

fn read_by(expr: &Expr, found: &mut BTreeSet<usize>) {
    match expr {
        Expr::Read { value, at, otherwise } => {
            found.insert(value.0 as usize);
            at.iter().chain(otherwise.as_deref()).for_each(|e| read_by(e, found));
        }
        Expr::Unary(_, a) => read_by(a, found),
        Expr::Binary(_, a, b) => [a, b].iter().for_each(|e| read_by(e, found)),
        Expr::Select(c, a, b) => [c, a, b].iter().for_each(|e| read_by(e, found)),
        Expr::Reduce { body, .. } => read_by(body, found),
        _ => {}
    }
}
