//! Random whole programs: the text of a data block, some callables, a model and a train block. They use every form of
//! the language that has a value; the same seed gives the same text. Values stay moderate.

use compiler::ir::random::Prng;
use std::collections::BTreeMap;
use std::fmt::Write;

/// How often each form was written.
pub type Forms = BTreeMap<&'static str, usize>;
/// A form's name, a definition of `$` by it, and the shape that this gives.
type Definition = (&'static str, String, Vec<usize>);

/// Every form there is.
pub const FORMS: &[&str] = &[
    "a choice for each element",
    "a choice while compiling",
    "a class compared",
    "a combination in a read",
    "a combination on the left",
    "a function as an argument",
    "a function of a pack",
    "a function, element by element",
    "a guarded read",
    "a layer with a name",
    "a library layer",
    "a list",
    "a local function",
    "a mean over the batch",
    "a normal draw",
    "a normalisation of the batch",
    "a pack",
    "a pipe",
    "a record",
    "a remainder",
    "a row",
    "a row by a class",
    "a shared layer",
    "a state",
    "a stride",
    "an accumulation",
    "an accumulation that drops",
    "an index as a number",
    "any and all",
    "argmax",
    "backwards",
    "extrema of two",
    "for",
    "for with layers",
    "logsumexp",
    "max",
    "mean",
    "min",
    "other samples",
    "prod",
    "reduction of two indices",
    "rounding",
    "scan",
    "scan of a vector",
    "scan with a record",
    "softmax of a row",
    "stop_gradient",
    "sum",
    "the core's exponentials",
    "the number of samples",
    "transposed",
    "two vectors joined",
    "uniform draws, one per batch",
    "whole tensors",
];

/// Callables that the bodies use.
const CALLABLES: &str = "\
fn observed[..s](a: [..s]) = sum[..i] (sin(a[..i]) + 0.1 * a[..i]^2)
fn scaled[..s](a: [..s], by = 0.5) -> [..s] { b[..i] = by * a[..i] + 0.1 }
fn bent(x, slope = 0.2) = if x > 0 then x else slope * e where e = expm1(x)
fn halves[n](a: [n]) -> { low: [n], high: [n] } { { low = min(a, 0.3), high = max(a, 0.3) } }
fn dot[n](a: [n], b: [n]) = sum[i] a[i] * b[i]
fn applied[n](f: fn, a: [n]) -> [n] { f(a) }

layer mixed[n](a: [n], units: dim, bias = true) -> [units] {
    param W \"weight\": [units, n] ~ normal(0, 0.5)
    y[i] = sum[j] W[i, j] * a[j]
    if bias {
        param b: [units] ~ uniform(-0.1, 0.1)
        y + b
    } else { y }
}

layer centred[n](a: [n]) -> [n] {
    state centre: [n] = 0
    m[i] = mean[batch] a[i]
    if training {
        centre' = 0.9 * centre + 0.1 * m
        a - m
    } else { a - centre }
}

layer noisy[..s](a: [..s]) -> [..s] {
    if training {
        e: [..s] ~ normal(0, 0.2)
        a + e
    } else { a }
}

layer thinned[n](a: [n]) -> [n] {
    keep: [n] ~ bernoulli(0.7) per batch
    factor: [] ~ uniform(0.5, 1.5)
    factor * a * keep
}
";

/// The program of a seed; notes the forms it uses.
pub fn program(seed: u64, forms: &mut Forms) -> String {
    let mut rng = Prng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5eed);
    let (n, p, q, c) = (2 + rng.below(3), 2 + rng.below(2), 2 + rng.below(3), 2 + rng.below(3));
    let mut g = Generator { rng, forms, lines: String::new(), live: vec![], made: 0, classes: c };
    g.live = vec![("x".into(), vec![n]), ("z".into(), vec![p, q])];
    g.line(&format!("param P: [{n}, {p}] ~ normal(0, 0.5)"));
    g.live.push(("P".into(), vec![n, p]));
    g.line(&format!("param E: [{c}, {n}] ~ normal(0, 0.5)"));
    for _ in 0..4 + g.rng.below(5) {
        g.statement();
    }
    let result = g.result();
    let body = g.lines;
    format!(
        "data d {{\n    x: [{n}] = random_normal(6, [{n}], seed = 1)\n    z: [{p}, {q}] = random_normal(6, [{p}, {q}], seed = 2)\n    \
         y: class({c}) = random_class(6, {c}, seed = 3)\n}}\n\n{CALLABLES}\n\
         model Net(x: [{n}], z: [{p}, {q}], y: class({c})) -> [] {{\n{body}    {result}\n}}\n\n\
         train t {{\n    data = d\n    objective = Net(x, z, y) + 1e-3 * l2(weights(Net))\n    optimizer = adam(lr = 1e-3)\n    \
         batch = 3\n    epochs = 1\n}}\n"
    )
}

struct Generator<'f> {
    rng: Prng,
    forms: &'f mut Forms,
    lines: String,
    /// Names and their extents.
    live: Vec<(String, Vec<usize>)>,
    made: usize,
    classes: usize,
}

impl Generator<'_> {
    fn line(&mut self, text: &str) {
        let _ = writeln!(self.lines, "    {text}");
    }

    /// A name that is not in use yet.
    fn name(&mut self) -> String {
        self.made += 1;
        format!("t{}", self.made)
    }

    /// A tensor of a rank, and its extents.
    fn some(&mut self, rank: usize) -> (String, Vec<usize>) {
        let fitting: Vec<usize> = (0..self.live.len()).filter(|k| self.live[*k].1.len() == rank).collect();
        let chosen = fitting[self.rng.below(fitting.len())];
        self.live[chosen].clone()
    }

    /// A vector of that length, or one made to be.
    fn vector(&mut self, n: usize) -> String {
        let fitting: Vec<usize> = (0..self.live.len()).filter(|k| self.live[*k].1 == [n]).collect();
        if !fitting.is_empty() && self.rng.below(3) > 0 {
            let chosen = fitting[self.rng.below(fitting.len())];
            return self.live[chosen].0.clone();
        }
        let (other, name) = (self.some(1).0, self.name());
        self.line(&format!("{name}[i]: [{n}] = {other}[0] * (i + 1) / {n}"));
        self.note("an index as a number");
        self.live.push((name.clone(), vec![n]));
        name
    }

    fn note(&mut self, form: &'static str) {
        *self.forms.entry(form).or_default() += 1;
    }

    /// Defines a tensor by one of the forms.
    fn statement(&mut self) {
        let kinds: [fn(&mut Self) -> Definition; 9] = [
            Self::elementwise,
            Self::reduction,
            Self::reads,
            Self::rearranged,
            Self::gathered,
            Self::called,
            Self::layered,
            Self::repeated,
            Self::across_samples,
        ];
        let kind = kinds[self.rng.below(kinds.len())];
        let name = format!("t{}", self.made + 1);
        self.made += 1;
        let (form, definition, shape) = kind(self);
        self.note(form);
        self.line(&definition.replace('$', &name));
        self.live.push((name, shape));
    }

    /// Whole tensors, element by element.
    fn elementwise(&mut self) -> Definition {
        let rank = 1 + self.rng.below(2);
        let (a, shape) = self.some(rank);
        let function = ["tanh", "sin", "cos", "sigmoid", "softplus", "erf", "bent", "gelu", "abs", "relu", "atan"];
        let f = function[self.rng.below(function.len())];
        match self.rng.below(8) {
            0 => ("a function, element by element", format!("$ = {f}({a})"), shape),
            1 => ("whole tensors", format!("$ = {a} * {a} - 0.5 * {a} / (1 + {a}^2)"), shape),
            2 => {
                ("a choice for each element", format!("$ = if {a} > 0.1 && !({a} > 2) then {a}^2 else {f}({a})"), shape)
            }
            3 => (
                "the core's exponentials",
                format!("$ = log(1 + exp(min({a}, 3))) + log1p(sqrt(abs({a}) + 0.1))"),
                shape,
            ),
            4 => ("rounding", format!("$ = {a} - 0.5 * floor({a}) + ceil({a}) / 4 + round({a})"), shape),
            5 => ("stop_gradient", format!("$ = {a} * stop_gradient({f}({a}))"), shape),
            6 => ("extrema of two", format!("$ = max({a}, 0.2) - min({a}, {f}({a}))"), shape),
            _ => ("a pipe", format!("$ = {a} |> {f} |> scaled(by = 0.7)"), shape),
        }
    }

    /// Over one dimension of a matrix.
    fn reduction(&mut self) -> Definition {
        let (a, shape) = self.some(2);
        let (n, m) = (shape[0], shape[1]);
        let v = self.vector(m);
        let definition = match self.rng.below(9) {
            0 => ("sum", format!("$[i] = sum[j] {a}[i, j] * {v}[j]"), vec![n]),
            1 => ("mean", format!("$[j] = mean[i] {a}[i, j] * {v}[j]"), vec![m]),
            2 => ("max", format!("$[i] = max[j] ({a}[i, j] * {v}[j])"), vec![n]),
            3 => ("min", format!("$[i] = {v}[0] + min[j: {m}] {a}[i, j]"), vec![n]),
            4 => ("prod", format!("$[i] = prod[j] (1 + 0.3 * {a}[i, j] * {v}[j])"), vec![n]),
            5 => ("logsumexp", format!("$[i] = logsumexp[j] ({a}[i, j] + {v}[j])"), vec![n]),
            6 => ("argmax", format!("$[i] = {v}[argmax[j] {a}[i, j]]"), vec![n]),
            7 => (
                "any and all",
                format!("$[i] = if (any[j] ({a}[i, j] > 0.5)) || (all[j] ({v}[j] < 1)) then 0.5 else {a}[i, 0]"),
                vec![n],
            ),
            _ => ("reduction of two indices", format!("$[i] = {v}[0] * i + sum[k, j] {a}[k, j] * {a}[k, j]"), vec![m]),
        };
        stated(definition)
    }

    /// Reads outside, at distances, joined by a condition.
    fn reads(&mut self) -> Definition {
        let (a, shape) = self.some(1);
        let n = shape[0];
        let (b, other) = self.some(1);
        match self.rng.below(5) {
            0 => ("a guarded read", format!("$[i]: [{n}] = ({a}[i + 1] or 0) - ({a}[i - 1] or 0.5) + {a}[i]"), vec![n]),
            1 => {
                let total = n + other[0];
                (
                    "two vectors joined",
                    format!("$[i]: [{total}] = if i < {n} then {a}[i] else {b}[i - {n}]"),
                    vec![total],
                )
            }
            2 => ("a stride", format!("$[i]: [{}] = {a}[2 * i] + {b}[0]", n.div_ceil(2)), vec![n.div_ceil(2)]),
            3 => (
                "a remainder",
                format!("$[i]: [{}] = {a}[i mod {n}] * {b}[floor(i / 3) mod {}]", n + 2, other[0]),
                vec![n + 2],
            ),
            _ => (
                "backwards",
                format!("$[i]: [{n}] = {a}[{} - i] * (if i >= 1 then {a}[i - 1] else {b}[0])", n - 1),
                vec![n],
            ),
        }
    }

    /// Flattened, split, transposed, scattered.
    fn rearranged(&mut self) -> Definition {
        let (a, shape) = self.some(2);
        let (n, m) = (shape[0], shape[1]);
        match self.rng.below(6) {
            0 => ("a combination on the left", format!("$[(i, j)] = {a}[i, j]"), vec![n * m]),
            1 => ("a pack", format!("$[(..i)] = {a}[..i]"), vec![n * m]),
            2 => ("transposed", format!("$[j, i] = {a}[i, j]"), vec![m, n]),
            3 => ("an accumulation", format!("$[i + j]: [{}] += {a}[i, j] * 0.5", n + m - 1), vec![n + m - 1]),
            4 => ("an accumulation that drops", format!("$[2 * i - 1] or 0: [{n}] += sum[j] {a}[i, j]"), vec![n]),
            _ => {
                let flat = self.name();
                self.line(&format!("{flat}[(i, j)] = {a}[i, j]"));
                ("a combination in a read", format!("$[j, i]: [{m}, {n}] = {flat}[(j, i)]"), vec![m, n])
            }
        }
    }

    /// By the class, as a row, as a list.
    fn gathered(&mut self) -> Definition {
        let n = self.live.iter().find(|l| l.0 == "x").map_or(2, |l| l.1[0]);
        let (a, shape) = self.some(1);
        match self.rng.below(4) {
            0 => ("a row by a class", "$ = E[y] + x".to_string(), vec![n]),
            1 => (
                "a class compared",
                format!("$[k]: [{}] = if k == y then 1 else {a}[0]", self.classes),
                vec![self.classes],
            ),
            2 => ("a list", format!("$ = [{a}[0], 0.5, {a}[{}]]", shape[0] - 1), vec![3]),
            _ => ("a row", "$ = 2 * P[0]".to_string(), vec![self.live[2].1[1]]),
        }
    }

    /// Functions, records, local functions, functions as arguments.
    fn called(&mut self) -> Definition {
        let (a, shape) = self.some(1);
        match self.rng.below(6) {
            0 => ("a record", format!("$ = halves({a}).low * halves({a}).high"), shape),
            1 => {
                let f = self.name();
                self.line(&format!("{f} = fn(u, by = 2) = by * u - u^2"));
                ("a local function", format!("$ = {f}({a}) + {f}({a}, by = 0.5)"), shape)
            }
            2 => ("a function as an argument", format!("$ = applied(tanh, {a})"), shape),
            3 => ("softmax of a row", format!("$ = softmax({a}) - log_softmax({a})"), shape),
            4 => (
                "a choice while compiling",
                format!("$ = if {} > 2 {{ tanh({a}) }} else {{ sin({a}) }}", shape[0]),
                shape,
            ),
            _ => ("a function of a pack", format!("$ = {a} * tanh(observed({a}))"), shape),
        }
    }

    /// Layers, templates, draws, states.
    fn layered(&mut self) -> Definition {
        let (a, shape) = self.some(1);
        let n = shape[0];
        match self.rng.below(7) {
            0 => ("a layer with a name", format!("$ = {a} |> mixed({n}) as part{} |> tanh", self.made), shape),
            1 => {
                let template = self.name();
                self.line(&format!("{template} = mixed({n}, bias = false)"));
                ("a shared layer", format!("$ = {template}(tanh({template}({a})))"), shape)
            }
            2 => ("a state", format!("$ = centred({a})"), shape),
            3 => ("a normal draw", format!("$ = noisy({a})"), shape),
            4 => ("uniform draws, one per batch", format!("$ = thinned({a})"), shape),
            5 => ("a library layer", format!("$ = {a} |> layer_norm |> dense(3)"), vec![3]),
            _ => ("a normalisation of the batch", format!("$ = batch_norm(tanh({a}))"), shape),
        }
    }

    /// `for`, alone and with layers of their own in each turn.
    fn repeated(&mut self) -> Definition {
        let (a, shape) = self.some(1);
        let (n, x) = (shape[0], self.live[0].1.clone());
        match self.rng.below(5) {
            1 => ("scan", format!("$ = scan e in {a} with h = 0 {{ tanh(0.8 * h + e) }}"), shape),
            2 => ("scan of a vector", format!("$ = (scan e in {a} with h = x {{ tanh(h * e + 0.1) }})[{}]", n - 1), x),
            3 => (
                "scan with a record",
                format!(
                    "$ = (scan e in {a} with s = {{ u = 0.5, v = 0 }} {{ {{ u = sin(s.u + e), v = s.u * e }} }}).v"
                ),
                shape,
            ),
            0 => ("for", format!("$ = for l in 1..3 with h = {a} {{ tanh(h + 0.1 * l) }}"), shape),
            _ => {
                ("for with layers", format!("$ = for l in 1..2 with h = {a} {{ h + tanh(mixed(h, {n})) / l }}"), shape)
            }
        }
    }

    /// What mixes samples.
    fn across_samples(&mut self) -> Definition {
        let (a, shape) = self.some(1);
        match self.rng.below(3) {
            0 => ("a mean over the batch", format!("$[i] = {a}[i] - mean[batch] {a}[i]"), shape),
            1 => {
                let first = self.name();
                self.line(&format!("{first} = tanh({a} + 0.1 * x[0])"));
                let value = format!("$[i] = {first}[i] + logsumexp[b: batch] dot({first}, {first}@b)");
                ("other samples", value, shape)
            }
            _ => ("the number of samples", format!("$ = {a} / batch"), shape),
        }
    }

    /// A number of everything that nothing uses yet.
    fn result(&mut self) -> String {
        let words = || self.lines.split(|c: char| !c.is_alphanumeric());
        let unused = self.live.iter().skip(3).filter(|(name, _)| words().filter(|w| w == name).count() == 1);
        let terms: Vec<String> = unused.map(|(name, _)| format!("observed({name})")).collect();
        let always = "observed(x) + observed(z) + observed(P) + observed(E[y])".to_string();
        terms.into_iter().chain([always]).collect::<Vec<_>>().join(" + ")
    }
}

/// A definition with the type stated on its left side.
fn stated((form, text, shape): Definition) -> Definition {
    let text = text.replacen("] = ", &format!("]: {shape:?} = "), 1);
    (form, text, shape)
}
