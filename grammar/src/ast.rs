//! The syntax tree: what the parser makes of a text, nothing resolved and nothing checked.
//! Every node has a span. Where the text was wrong the tree holds `Error` nodes, so that the
//! phases after it (and an editor) always have a tree.

use crate::span::Span;

/// A name and where it stands. May end in `'`.
#[derive(Clone, Debug, PartialEq)]
pub struct Ident {
    /// The name as written.
    pub name: String,
    /// Where.
    pub span: Span,
}

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// In the order of the text.
    pub items: Vec<Item>,
}

/// A top-level item.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `use "blocks.nn"`.
    Use { path: String, span: Span },
    /// `layer`, `fn`, `model`, `init`, `loss`, `metric`, `optimizer`, `schedule`.
    Callable(Callable),
    /// `data name { .. }`.
    Data(Data),
    /// `train name { .. }`.
    Train(Train),
    /// `sweep name { .. }`.
    Sweep(Sweep),
    /// A stretch the parser could not read; already reported.
    Error(Span),
}

/// Which word began a [`Callable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallableKind {
    /// Stateless function.
    Fn,
    /// Has parameters or state; an application makes an instance.
    Layer,
    /// A layer that is one instance per train block.
    Model,
    /// Initialiser: a distribution for a parameter.
    Init,
    /// Loss.
    Loss,
    /// Metric.
    Metric,
    /// Update rule for one parameter tensor.
    Optimizer,
    /// A function of the step.
    Schedule,
}

/// Which values of a metric are the better ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Better {
    /// The larger.
    Higher,
    /// The smaller.
    Lower,
}

/// `layer dense[n](x: [n], units: dim) -> [units] { .. }` and its kin.
#[derive(Clone, Debug, PartialEq)]
pub struct Callable {
    /// The `///` text before it, without the slashes.
    pub doc: Option<String>,
    /// Which word began it.
    pub kind: CallableKind,
    /// Its name.
    pub name: Ident,
    /// `[n, ..s]`: the dimension variables.
    pub dims: Vec<DimParam>,
    /// Inputs and settings, in order. Empty also where the parentheses are left out.
    pub params: Vec<Param>,
    /// The type after `->`.
    pub output: Option<TypeExpr>,
    /// `higher is better` or `lower is better`, of a metric.
    pub better: Option<Better>,
    /// What it does. `= e` is `Body::Expr`.
    pub body: Body,
    /// The whole item.
    pub span: Span,
}

/// One name in the brackets after a callable's name.
#[derive(Clone, Debug, PartialEq)]
pub struct DimParam {
    /// `n`, or `s` for `..s`.
    pub name: Ident,
    /// Whether it was written `..s`: a pack of dimensions.
    pub pack: bool,
}

/// One parameter of a callable or of a local function.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Its name.
    pub name: Ident,
    /// The type after `:`.
    pub ty: Option<TypeExpr>,
    /// The value after `=`.
    pub default: Option<Expr>,
    /// The range after `where`.
    pub range: Option<Range>,
}

/// Which numbers a parameter may be: `where 0 <= p < 1`.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    /// What it is not below.
    pub lower: Option<End>,
    /// What it is not above.
    pub upper: Option<End>,
    /// Where it is written.
    pub span: Span,
}

/// One end of a range.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    /// The number there.
    pub at: Expr,
    /// Whether that number itself belongs to the range.
    pub included: bool,
}

/// A type as written.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeExpr {
    /// Its form.
    pub kind: TypeKind,
    /// Where.
    pub span: Span,
}

/// The forms of types.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeKind {
    /// `[a, 2*b, ..s]`, optionally `of class(65)`. `[]` is a scalar tensor.
    Tensor { dims: Vec<DimExpr>, of: Option<Box<TypeExpr>> },
    /// `class(10)`.
    Class(Box<Expr>),
    /// A word: `dim`, `number`, `bool`, `initializer`, `schedule`, `layer`, `fn`, ...
    Name(String),
    /// `{ mean: [n], logvar: [n] }`.
    Record(Vec<(Ident, TypeExpr)>),
    /// Could not be read; already reported.
    Error,
}

/// One entry of a tensor type.
#[derive(Clone, Debug, PartialEq)]
pub enum DimExpr {
    /// An extent, such as `floor((h + 2*pad - kernel) / stride) + 1`.
    Dim(Expr),
    /// `..s`.
    Pack(Ident),
}

/// The right side of an item.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// `{ statements }`.
    Block(Block),
    /// `= e` and `= e where a = ..; b = ..`.
    Expr { value: Box<Expr>, wheres: Vec<Stmt> },
    /// An optimiser's `for [m, ..n] { .. } else { .. }`: rules by the rank of the parameter.
    ByRank { dims: Vec<DimParam>, then: Block, otherwise: Option<Block> },
}

/// Statements in braces; its value is the last one's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// In order.
    pub stmts: Vec<Stmt>,
    /// With the braces.
    pub span: Span,
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Stmt {
    /// Its form.
    pub kind: StmtKind,
    /// Where.
    pub span: Span,
}

/// The forms of statements.
#[derive(Clone, Debug, PartialEq)]
pub enum StmtKind {
    /// `param W "weight": [units, n] ~ init`.
    Param { name: Ident, saved: Option<String>, ty: TypeExpr, init: Expr },
    /// `state m = 0`, `state mu: [c] = 0`.
    State { name: Ident, saved: Option<String>, ty: Option<TypeExpr>, init: Expr },
    /// `mask: [..s] ~ bernoulli(1 - p) per batch`.
    Draw { name: Ident, ty: Option<TypeExpr>, dist: Expr, per_batch: bool },
    /// `y = e`, `y: [n] = e`, `y[i, j] = e`, `m' = e`; `per_microbatch` where these words end it.
    Define { lhs: Lhs, value: Expr, per_microbatch: bool },
    /// `dx[c, s*i + u] += e`, with an optional `or` on the left side (positions outside are dropped).
    Accumulate { lhs: Lhs, value: Expr, dropping: bool },
    /// A bare expression; the block's value where it is last.
    Expr(Expr),
    /// Could not be read; already reported.
    Error,
}

/// The left side of a definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Lhs {
    /// The name defined (may end in `'`).
    pub name: Ident,
    /// `[i, ..j, (a, b)]`; `None` where there are no brackets.
    pub indices: Option<Vec<IndexArg>>,
    /// The type after `:`.
    pub ty: Option<TypeExpr>,
}

/// One index position, on either side.
#[derive(Clone, Debug, PartialEq)]
pub enum IndexArg {
    /// An index or an integer-valued expression.
    Expr(Expr),
    /// `..i`: an index pack.
    Pack(Ident),
    /// `(a, b)`: the row-major combination.
    Combine { parts: Vec<IndexArg>, span: Span },
}

/// One index of a reduction: `u: size`, `j`, `..i`, `batch`, `b: batch`, `w in set`.
#[derive(Clone, Debug, PartialEq)]
pub struct ReduceIndex {
    /// The index's name (`batch` when the batch itself is reduced over).
    pub name: Ident,
    /// Written `..i`.
    pub pack: bool,
    /// The stated range.
    pub range: Option<Expr>,
    /// Written `w in set`: the set.
    pub set: Option<Expr>,
}

/// The nine reductions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReduceOp {
    /// Sum.
    Sum,
    /// Mean.
    Mean,
    /// Product.
    Prod,
    /// Largest.
    Max,
    /// Smallest.
    Min,
    /// Index of the largest (first of equals).
    Argmax,
    /// Some.
    Any,
    /// Every.
    All,
    /// log of the sum of exponentials.
    Logsumexp,
}

/// Binary operators, by name as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `^`
    Pow,
    /// `mod`
    Mod,
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `&&`
    And,
    /// `||`
    Or,
}

/// Prefix operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    /// `-`
    Neg,
    /// `!`
    Not,
}

/// One argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    /// `name =` before it.
    pub name: Option<Ident>,
    /// Its value.
    pub value: Expr,
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// Its form.
    pub kind: ExprKind,
    /// Where.
    pub span: Span,
}

/// The forms of expressions.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `5e-4`; `text` as written, so that a whole number stays exact.
    Number { value: f64, text: String },
    /// `true`, `false`.
    Bool(bool),
    /// `"file"`.
    Text(String),
    /// A name.
    Name(String),
    /// `f(a, k = b)`.
    Call { callee: Box<Expr>, args: Vec<Arg> },
    /// `x[i, j]`; reading fewer positions than there are yields the rest.
    Index { base: Box<Expr>, at: Vec<IndexArg> },
    /// `x[k + 1] or 0`: what a read outside yields.
    Guarded { read: Box<Expr>, otherwise: Box<Expr> },
    /// `x@b`: the value of sample b.
    Sample { base: Box<Expr>, at: Box<Expr> },
    /// `model.weights`, `valid.loss`, `encoder.*` (field `*`).
    Field { base: Box<Expr>, field: Ident },
    /// Prefix operator.
    Unary { op: UnaryOp, value: Box<Expr> },
    /// Binary operator.
    Binary { op: BinaryOp, left: Box<Expr>, right: Box<Expr> },
    /// `x |> dense(120)`; `call` is the right side as written.
    Pipe { input: Box<Expr>, call: Box<Expr> },
    /// `e as name`: names the instance made by `e`.
    As { value: Box<Expr>, name: Ident },
    /// `sum[i, j: n] e`. The body is the product the reduction takes.
    Reduce { op: ReduceOp, indices: Vec<ReduceIndex>, body: Box<Expr> },
    /// `if c then a else b`: chosen per element.
    Select { condition: Box<Expr>, then: Box<Expr>, otherwise: Box<Expr> },
    /// `if c { .. } else { .. }`: decided at compile time. `else if` nests as a block of one expression.
    If { condition: Box<Expr>, then: Block, otherwise: Option<Block> },
    /// `for l in 1..L with h = x { .. }`, both ends included; unrolled.
    For { index: Ident, from: Box<Expr>, to: Box<Expr>, carry: Option<(Ident, Box<Expr>)>, body: Block },
    /// `scan x_t in xs with h = e { .. }`.
    Scan { index: Ident, sequence: Box<Expr>, carry: Option<(Ident, Box<Expr>)>, body: Block },
    /// `fn(x) = e`, `fn(x) { .. }`.
    Lambda { params: Vec<Param>, body: Box<Body> },
    /// `{ mean = m, logvar = v }`.
    Record(Vec<(Ident, Expr)>),
    /// `[1, 2, 3]`.
    List(Vec<Expr>),
    /// `grad at p`.
    GradAt(Box<Expr>),
    /// `(e)`; kept so that the text prints back.
    Paren(Box<Expr>),
    /// `adamw(..) on weights`: what a rule applies to.
    On { rule: Box<Expr>, set: Box<Expr> },
    /// `e over params(D)`: what an objective is minimised over.
    Over { value: Box<Expr>, set: Box<Expr> },
    /// `a, b` where a setting lists several values (`optimizer = a on s, b on rest`).
    Sequence(Vec<Expr>),
    /// Could not be read; already reported.
    Error,
}

/// `data name { .. }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Data {
    /// `///` text.
    pub doc: Option<String>,
    /// Its name.
    pub name: Ident,
    /// Settings (`train = idx(..)`, no type) and fields (`x: [1, 28, 28] = image |> standardize`), in order.
    pub entries: Vec<DataEntry>,
    /// The whole item.
    pub span: Span,
}

/// One line of a data block.
#[derive(Clone, Debug, PartialEq)]
pub enum DataEntry {
    /// `train = csv("a.csv")`.
    Setting { name: Ident, value: Expr },
    /// `x: [2] = features |> standardize`.
    Field { name: Ident, ty: TypeExpr, value: Expr },
    /// `for a: 97, b: 97 { .. }`.
    Rule { indices: Vec<(Ident, Expr)>, entries: Vec<DataEntry>, span: Span },
    /// Could not be read; already reported.
    Error(Span),
}

/// `train name { .. }`, `train name(width: dim, noise = 0) { .. }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Train {
    /// `///` text.
    pub doc: Option<String>,
    /// Its name.
    pub name: Ident,
    /// Settings that a sweep gives.
    pub params: Vec<Param>,
    /// In order: settings and local definitions alike (which is which is the checker's business).
    pub entries: Vec<TrainEntry>,
    /// The whole item.
    pub span: Span,
}

/// One line of a train block.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainEntry {
    /// The setting or local name; with indices where a local is defined index by index.
    pub lhs: Lhs,
    /// The second name in `objective d = ..`, `optimizer`-like entries.
    pub label: Option<Ident>,
    /// Its value.
    pub value: Expr,
    /// The line.
    pub span: Span,
}

/// `sweep name { .. }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sweep {
    /// `///` text.
    pub doc: Option<String>,
    /// Its name.
    pub name: Ident,
    /// `width in [2, 4]`.
    pub axes: Vec<(Ident, Expr)>,
    /// `train = random_features(width, noise)`.
    pub train: Option<Expr>,
    /// `plot train.error, test.error against width by noise`.
    pub plots: Vec<SweepPlot>,
    /// The whole item.
    pub span: Span,
}

/// One `plot` line of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepPlot {
    /// What is drawn.
    pub values: Vec<Expr>,
    /// The horizontal axis.
    pub against: Ident,
    /// One curve each.
    pub by: Option<Ident>,
}
