//! The command line as data: one place for every command, flag and help text.

use clap::{Args, Parser, Subcommand, ValueEnum};
use driver::fault::Fault;
use driver::machine;
use driver::program::Request;
use driver::run::Options;
use std::path::PathBuf;

/// nnc: a small language for neural networks, and the compiler that makes it fast.
#[derive(Parser, Debug)]
#[command(name = "nnc", version, about, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "Examples:
  nnc run examples/digits.nn              train, with curves and weights in runs/digits-1/
  nnc check model.nn                      every error and warning, nothing run
  nnc emit model.nn --stage grad          the backward program
  nnc explain shape-mismatch              what an error means, with a wrong and a right program

Exit status: 0 success, 1 errors in the program, 2 wrong usage, 3 data or file trouble,
4 the run diverged, 70 a fault of nnc itself, 130 interrupted (a checkpoint is kept),
141 nobody reads standard output any more.";

/// The most threads that a command takes: more than any machine has use for.
const MOST_THREADS: usize = 1024;

/// A whole number from 1 on.
fn count(text: &str) -> Result<usize, String> {
    within(text, 1, usize::MAX)
}

/// Updates, of which there is at least one.
fn updates(text: &str) -> Result<u64, String> {
    count(text).map(|n| n as u64)
}

fn threads(text: &str) -> Result<usize, String> {
    within(text, 1, MOST_THREADS)
}

fn workers(text: &str) -> Result<usize, String> {
    within(text, 0, MOST_THREADS)
}

fn within(text: &str, least: usize, most: usize) -> Result<usize, String> {
    let fits = text.parse().ok().filter(|n| (least..=most).contains(n));
    let range = if most == usize::MAX { format!("from {least} on") } else { format!("from {least} to {most}") };
    fits.ok_or_else(|| format!("a whole number {range} is needed"))
}

/// Seconds that a clock can count.
fn seconds(text: &str) -> Result<f64, String> {
    let fits = text.parse().ok().filter(|s| (0.0..=1e6).contains(s));
    fits.ok_or_else(|| "a number of seconds from 0 to 1000000 is needed".to_string())
}

/// `2G`, `500M`, `64K` or a plain number of bytes.
fn size(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text[digits.len()..].to_ascii_uppercase().trim_end_matches("IB").trim_end_matches('B') {
        "" => Some(1.0),
        "K" => Some(1024.0),
        "M" => Some(1_048_576.0),
        "G" => Some(1_073_741_824.0),
        "T" => Some(1_099_511_627_776.0),
        _ => None,
    };
    let bytes = factor.and_then(|f| Some(digits.trim().parse::<f64>().ok()? * f));
    let bytes = bytes.filter(|b| (0.0..1e18).contains(b));
    bytes.map(|b| b as usize).ok_or_else(|| "a size such as 2G or 500M is needed".to_string())
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Compile a program and train it
    #[command(after_help = "Examples:
  nnc run examples/digits.nn
  nnc run model.nn --epochs 3 --set batch=128 --threads 2
  nnc run model.nn --stop-after 500           only so many updates now
  nnc run model.nn --resume runs/model-1      go on where a run was interrupted or stopped")]
    Run(Run),
    /// Train a block for every point of a grid, and draw the picture
    #[command(after_help = "Example:
  nnc sweep widths.nn --threads 2")]
    Sweep(Sweep),
    /// A learning rate to begin with: the loss while it rises from next to nothing
    #[command(after_help = "Examples:
  nnc lr-find examples/digits.nn
  nnc lr-find model.nn --from 1e-5 --to 1 --steps 400 -o rate")]
    LrFind(LrFind),
    /// Report every error and warning; run nothing, read no data
    #[command(after_help = "Examples:
  nnc check model.nn --message-format json
  nnc check model.nn --memory --threads 4      what a run will hold, part by part")]
    Check(Check),
    /// Put programs in good order: indentation, spaces, blank lines; what they mean stays
    #[command(after_help = "Examples:
  nnc fmt model.nn
  nnc fmt --check examples/*.nn
  nnc fmt - < model.nn")]
    Fmt(Fmt),
    /// The derivative of a function or objective, factored, in the language itself
    #[command(after_help = "Examples:
  nnc diff examples/paths.nn --of e --wrt b --at a=2,b=1
  nnc diff examples/paths.nn --of e --wrt b --wrt b            the second derivative
  nnc diff examples/paths.nn --of stages --wrt x --dim n=30 --count
  nnc diff examples/xor.nn --of objective --wrt fc1.W --set batch=4")]
    Diff(Diff),
    /// Print what the compiler made of a program, at any stage
    #[command(after_help = "Example:
  nnc emit model.nn --stage opt -o model.ir")]
    Emit(Emit),
    /// Loss and gradients for given inputs and parameters
    #[command(after_help = "Example:
  nnc grad model.nn --inputs batch.npz --params weights.safetensors -o gradients.safetensors")]
    Grad(Grad),
    /// Metrics of saved weights on a split
    #[command(after_help = "Example:
  nnc eval model.nn --weights runs/model-1/best.safetensors --split test")]
    Eval(Eval),
    /// What a trained network says about new samples
    #[command(after_help = "Examples:
  nnc predict model.nn --weights runs/model-1/best.safetensors --inputs samples.npz -o logits.npz
  nnc predict model.nn --weights best.safetensors --inputs x.npy -o logits.npy")]
    Predict(Predict),
    /// A trained network in a format that other systems run
    #[command(after_help = "Example:
  nnc export model.nn --onnx --weights runs/model-1 -o model.onnx")]
    Export(Export),
    /// Weights from elsewhere under the names of a program
    #[command(after_help = "Example:
  nnc import model.nn --weights pytorch.safetensors -o weights.safetensors --map fc1.weight=layers.0.weight")]
    Import(Import),
    /// What an error code means, with a wrong and a right program
    #[command(after_help = "Example:
  nnc explain shape-mismatch")]
    Explain {
        /// The code; without one, all codes are listed
        code: Option<String>,
    },
    /// Time and memory of the training step
    #[command(after_help = "Example:
  nnc bench examples/bench/mlp-tiny.nn --json --threads 1")]
    Bench(Bench),
    /// Curves of one or several runs in one picture, or how a schedule goes
    #[command(after_help = "Examples:
  nnc plot runs/lenet-1 runs/lenet-2 -o compared
  nnc plot lr examples/lenet.nn")]
    Plot(Plot),
    /// A folder with a program that runs at once
    #[command(after_help = "Example:
  nnc new spirals && cd spirals && nnc run spirals.nn")]
    New {
        /// Where; the last part names the program
        folder: PathBuf,
    },
    /// What an item of the library is, with its text; without a name, all of them
    #[command(after_help = "Examples:
  nnc doc conv2d
  nnc doc csv")]
    Doc {
        /// A layer, function, loss, schedule, optimiser, .., or a word of a data block
        name: Option<String>,
    },
    /// The script that lets a shell complete the command line
    #[command(after_help = "Example:
  nnc completions bash > ~/.local/share/bash-completion/completions/nnc")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// What this machine offers
    Doctor {
        /// One JSON object on standard output
        #[arg(long)]
        json: bool,
    },
}

/// Flags that change a program before it is checked; shared by the commands that compile one.
#[derive(Args, Debug, Clone, Default)]
pub struct Program {
    /// The program
    pub file: PathBuf,
    /// Which `train` block, where there are several
    #[arg(long, value_name = "NAME")]
    pub train: Option<String>,
    /// Replace a setting of the train block; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// The seed of all randomness
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// Passes over the training data
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub epochs: Option<u64>,
    /// The numbers computed with, whatever the program says
    #[arg(long, value_enum)]
    pub precision: Option<Precision>,
    /// A folder beside the program's own that `use` may read from; may be repeated
    #[arg(long, value_name = "DIR")]
    pub module_path: Vec<PathBuf>,
    /// A folder with other library texts than the built-in ones (one `.nn` file a topic)
    #[arg(long, value_name = "DIR", hide = true)]
    pub library: Option<PathBuf>,
}

impl Program {
    /// What is asked for, as the driver takes it.
    ///
    /// # Errors
    /// Where `--set` is not given a key and a value.
    pub fn request(&self) -> Result<Request, Fault> {
        let pair = |pair: &String| {
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| Fault::usage(format!("--set takes key=value, such as --set batch=128, not `{pair}`")))?;
            Ok((key.trim().to_string(), value.trim().to_string()))
        };
        let mut settings = self.set.iter().map(pair).collect::<Result<Vec<_>, Fault>>()?;
        settings.extend(self.seed.map(|s| ("seed".to_string(), s.to_string())));
        settings.extend(self.epochs.map(|e| ("epochs".to_string(), e.to_string())));
        settings.extend(self.precision.map(|p| ("precision".to_string(), p.word().to_string())));
        Ok(Request {
            file: self.file.clone(),
            train: self.train.clone(),
            settings,
            module_path: self.module_path.clone(),
            library: self.library.clone(),
        })
    }
}

/// Where data is found, how many threads compute, and what they may take.
#[derive(Args, Debug, Clone, Default)]
pub struct Machine {
    /// Data and threads
    #[command(flatten)]
    pub resources: Resources,
    /// Refuse a program that needs more memory than this (such as 2G, 500M); without it, than the machine has
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub memory: Option<usize>,
}

impl Machine {
    /// As the driver takes it.
    #[must_use]
    pub fn plain(&self) -> machine::Machine {
        machine::Machine { resources: self.resources.plain(), memory: self.memory }
    }
}

/// Where data is found and how many threads compute.
#[derive(Args, Debug, Clone, Default)]
pub struct Resources {
    /// Where data files are looked for first
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Threads; results do not depend on it
    #[arg(long, value_name = "N", value_parser = threads, allow_negative_numbers = true)]
    pub threads: Option<usize>,
    /// Threads that put batches together ahead of time; results do not depend on it
    #[arg(long, value_name = "N", value_parser = workers, allow_negative_numbers = true)]
    pub workers: Option<usize>,
    /// At most so many samples of each split, to try a program quickly
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub samples: Option<usize>,
}

impl Resources {
    /// As the driver takes it.
    #[must_use]
    pub fn plain(&self) -> machine::Resources {
        let Self { data_dir, threads, workers, samples } = self.clone();
        machine::Resources { data_dir, threads, workers, samples }
    }
}

/// `nnc run`.
#[derive(Args, Debug, Default)]
pub struct Run {
    /// The program and its settings
    #[command(flatten)]
    pub program: Program,
    /// Data and threads
    #[command(flatten)]
    pub machine: Machine,
    /// Write the run into this folder (default: runs/NAME-N)
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on with the run in this folder; `last` is the last begun, or gone on with, under runs/
    #[arg(long, value_name = "DIR", conflicts_with = "out")]
    pub resume: Option<PathBuf>,
    /// With --resume: go on even if the program, its settings or the data are no longer what the run was begun with
    #[arg(long, requires = "resume")]
    pub anyway: bool,
    /// Stop after so many updates as Ctrl-C would, with a checkpoint to go on from
    #[arg(long, value_name = "N", value_parser = updates, allow_negative_numbers = true)]
    pub stop_after: Option<u64>,
    /// Compile and print the plan, train nothing
    #[arg(long)]
    pub dry_run: bool,
    /// One JSON object a line on standard output, nothing else there
    #[arg(long)]
    pub json: bool,
}

impl Run {
    /// What is asked of the run, as the driver takes it.
    ///
    /// # Errors
    /// As of [`Program::request`].
    pub fn plain(&self) -> Result<Options, Fault> {
        Ok(Options {
            request: self.program.request()?,
            machine: self.machine.plain(),
            anyway: self.anyway,
            stop_after: self.stop_after,
        })
    }
}

/// `nnc sweep`.
#[derive(Args, Debug)]
pub struct Sweep {
    /// The program and its settings
    #[command(flatten)]
    pub program: Program,
    /// Data and threads
    #[command(flatten)]
    pub machine: Machine,
    /// Which sweep, where there are several
    #[arg(long, value_name = "NAME")]
    pub sweep: Option<String>,
    /// Keep the points in this folder (default: runs/NAME); those that are there already are not run again
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// One JSON object for each point on standard output, nothing else there
    #[arg(long)]
    pub json: bool,
}

/// `nnc lr-find`.
#[derive(Args, Debug)]
pub struct LrFind {
    /// The program and its settings
    #[command(flatten)]
    pub program: Program,
    /// Data and threads
    #[command(flatten)]
    pub machine: Machine,
    /// The rate of the first update
    #[arg(long, value_name = "RATE", default_value_t = 1e-6)]
    pub from: f64,
    /// The rate of the last update
    #[arg(long, value_name = "RATE", default_value_t = 10.0)]
    pub to: f64,
    /// How many updates
    #[arg(long, value_name = "N", default_value_t = 300)]
    pub steps: usize,
    /// Which setting of the optimiser
    #[arg(long, value_name = "NAME", default_value = "lr")]
    pub setting: String,
    /// Write OUT.svg and OUT.png (default: lr-find)
    #[arg(short, value_name = "OUT")]
    pub output: Option<PathBuf>,
    /// One JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// `nnc check`.
#[derive(Args, Debug)]
pub struct Check {
    /// The programs
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// How messages are written
    #[arg(long, value_enum, default_value_t = MessageFormat::Human)]
    pub message_format: MessageFormat,
    /// A folder beside the program's own that `use` may read from; may be repeated
    #[arg(long, value_name = "DIR")]
    pub module_path: Vec<PathBuf>,
    /// Also print the memory that a run will hold, part by part; data is opened for that
    #[arg(long)]
    pub memory: bool,
    /// With --memory: in which precision, if not in the program's
    #[arg(long, value_enum)]
    pub precision: Option<Precision>,
    /// With --memory: data and threads
    #[command(flatten)]
    pub resources: Resources,
}

/// `nnc fmt`.
#[derive(Args, Debug)]
pub struct Fmt {
    /// The programs, written anew where they lie; `-` reads standard input and writes standard output
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Change nothing; fail where anything would change
    #[arg(long)]
    pub check: bool,
}

/// `nnc diff`.
#[derive(Args, Debug)]
pub struct Diff {
    /// The program and its settings
    #[command(flatten)]
    pub program: Program,
    /// What is differentiated: a callable, or `objective` or a metric of a train block
    #[arg(long, value_name = "NAME")]
    pub of: String,
    /// By what: inputs or parameters; once more for a second derivative. Without it, by all
    #[arg(long, value_name = "X[,Y..]")]
    pub wrt: Vec<String>,
    /// From one input to all that depends on it, or from the result back to all inputs
    #[arg(long, value_enum, default_value_t = DiffMode::Reverse)]
    pub mode: DiffMode,
    /// Evaluate there; a single number fills a tensor
    #[arg(long, value_name = "A=2,B=[1,2]")]
    pub at: Vec<String>,
    /// Compare the arithmetic with the sum over all paths written out
    #[arg(long)]
    pub count: bool,
    /// The size of a dimension of the callable; may be repeated, or N=3,S=2x2
    #[arg(long, value_name = "N=3")]
    pub dim: Vec<String>,
}

/// `nnc emit`.
#[derive(Args, Debug)]
pub struct Emit {
    /// The program and its settings
    #[command(flatten)]
    pub program: Program,
    /// How far to go
    #[arg(long, value_enum, default_value_t = Stage::Opt)]
    pub stage: Stage,
    /// Which of its programs, from stage `ir` on
    #[arg(long, value_enum, default_value_t = Which::Training)]
    pub which: Which,
    /// How stages `ir` and `grad` are written [default: `ir` in index notation, `grad` as source]
    #[arg(long, value_enum)]
    pub form: Option<Form>,
    /// Write here instead of to standard output; for stage `obj` the object (the header goes beside it) or a folder
    #[arg(short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The machine stage `obj` is for, such as aarch64-unknown-linux-gnu; without it, this one
    #[arg(long, value_name = "TRIPLE")]
    pub triple: Option<String>,
    /// How many samples the object predicts at once; without it, a minibatch
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub predict_batch: Option<usize>,
    /// Also link an executable that trains and predicts, with `cc`
    #[arg(long)]
    pub standalone: bool,
}

/// `nnc grad`.
#[derive(Args, Debug)]
pub struct Grad {
    /// The program and its settings
    #[command(flatten)]
    pub program: Program,
    /// One batch: an .npz or .safetensors file with an array for each data field
    #[arg(long, value_name = "FILE")]
    pub inputs: PathBuf,
    /// Parameters by saved name, .npz or .safetensors; without it, the initial ones of the seed
    #[arg(long, value_name = "FILE")]
    pub params: Option<PathBuf>,
    /// Loss, gradients and the draws used are written here (.safetensors or .npz)
    #[arg(short, value_name = "OUT")]
    pub output: PathBuf,
    /// Threads; results do not depend on it
    #[arg(long, value_name = "N", value_parser = threads, allow_negative_numbers = true)]
    pub threads: Option<usize>,
}

/// `nnc eval`.
#[derive(Args, Debug)]
pub struct Eval {
    /// The program and its settings
    #[command(flatten)]
    pub program: Program,
    /// Data and threads
    #[command(flatten)]
    pub machine: Machine,
    /// Saved weights (safetensors or npz), or the folder of a run
    #[arg(long, value_name = "FILE")]
    pub weights: PathBuf,
    /// Which split: train, valid or test
    #[arg(long, default_value = "test")]
    pub split: String,
    /// One JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// `nnc plot`.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Plot {
    /// Something else than curves of runs
    #[command(subcommand)]
    pub what: Option<Plotted>,
    /// Folders of runs, or their metrics.jsonl
    #[arg(value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Write OUT.svg and OUT.png
    #[arg(short, value_name = "OUT")]
    pub output: Option<PathBuf>,
}

/// What `nnc plot` draws beside runs.
#[derive(Subcommand, Debug)]
pub enum Plotted {
    /// The learning rate, or another setting of the optimiser, over the whole run
    Lr(PlotSchedule),
}

/// `nnc plot lr`.
#[derive(Args, Debug)]
pub struct PlotSchedule {
    /// The program and its settings
    #[command(flatten)]
    pub program: Program,
    /// Data and threads
    #[command(flatten)]
    pub machine: Machine,
    /// Which setting of the optimiser
    #[arg(long, value_name = "NAME", default_value = "lr")]
    pub setting: String,
    /// Draw a run of so many updates, without opening the data
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub steps: Option<u64>,
    /// Write OUT.svg and OUT.png
    #[arg(short, value_name = "OUT")]
    pub output: Option<PathBuf>,
}

/// `nnc predict`.
#[derive(Args, Debug)]
pub struct Predict {
    /// The program and its settings
    #[command(flatten)]
    pub program: Program,
    /// Data and threads
    #[command(flatten)]
    pub machine: Machine,
    /// Saved weights (safetensors or npz), or the folder of a run
    #[arg(long, value_name = "FILE")]
    pub weights: PathBuf,
    /// Samples: arrays by the names of fields (.npz, .safetensors), one array (.npy), or a table (.csv)
    #[arg(long, value_name = "FILE")]
    pub inputs: PathBuf,
    /// The inputs are what the network sees: do not apply the transforms of the data block
    #[arg(long)]
    pub as_is: bool,
    /// Only this named local of the train block; may be repeated
    #[arg(long, value_name = "NAME")]
    pub of: Vec<String>,
    /// The named locals of the train block are written here (.npz, .safetensors; .npy for a single one)
    #[arg(short, value_name = "OUT")]
    pub output: PathBuf,
}

/// `nnc export`.
#[derive(Args, Debug)]
pub struct Export {
    /// The program and its settings
    #[command(flatten)]
    pub program: Program,
    /// As an ONNX file
    #[arg(long)]
    pub onnx: bool,
    /// Saved weights, or the folder of a run; without them, the initial ones of the seed
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// For this many samples at once; without it, for any number where the network allows it
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub batch: Option<usize>,
    /// Only up to this named local of the train block; may be repeated
    #[arg(long, value_name = "NAME")]
    pub of: Vec<String>,
    /// With this named local given instead of computed; may be repeated
    #[arg(long, value_name = "NAME")]
    pub from: Vec<String>,
    /// The network is written here
    #[arg(short, value_name = "OUT")]
    pub output: PathBuf,
}

/// `nnc import`.
#[derive(Args, Debug)]
pub struct Import {
    /// The program and its settings
    #[command(flatten)]
    pub program: Program,
    /// The weights of another system (safetensors or npz)
    #[arg(long, value_name = "FILE")]
    pub weights: PathBuf,
    /// What a tensor is called there; may be repeated
    #[arg(long, value_name = "OURS=THEIRS")]
    pub map: Vec<String>,
    /// The weights under the program's names are written here
    #[arg(short, value_name = "OUT")]
    pub output: PathBuf,
}

/// `nnc bench`.
#[derive(Args, Debug)]
pub struct Bench {
    /// The program and its settings
    #[command(flatten)]
    pub program: Program,
    /// Data and threads
    #[command(flatten)]
    pub machine: Machine,
    /// Seconds to measure for
    #[arg(long, default_value_t = 3.0, value_parser = seconds, allow_negative_numbers = true)]
    pub seconds: f64,
    /// Stop after this many steps and print the loss there
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub steps: Option<usize>,
    /// Print where the time goes, by kernel
    #[arg(long)]
    pub profile: bool,
    /// One JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// Number formats of computation.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits
    F32,
    /// 64 bits
    F64,
}

impl Precision {
    /// As a program writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }
}

/// Which way a derivative is taken.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiffMode {
    /// One input to all results
    Forward,
    /// One result to all inputs
    Reverse,
}

/// How diagnostics are written.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageFormat {
    /// With the source and its lines
    Human,
    /// A line each
    Short,
    /// A JSON object a line
    Json,
}

/// The stages of compilation.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Syntax tree
    Ast,
    /// Typed tree: every shape known
    Typed,
    /// Index notation, forward only
    Ir,
    /// With the backward pass and the update
    Grad,
    /// Optimised
    Opt,
    /// Loops and memory plan
    Loops,
    /// What one task does, with its vectors
    Kernel,
    /// Cranelift's code
    Clif,
    /// Machine code
    Asm,
    /// A linkable object and its C header
    Obj,
    /// The network as a graph for Graphviz
    Dot,
    /// The network as a picture
    Svg,
}

/// How a program in index notation is written.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Index notation, as the compiler keeps it
    Index,
    /// A program in the language itself
    Source,
}

/// The programs a train block is compiled to.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The whole training step
    Training,
    /// The forward pass of evaluation
    Evaluation,
    /// Initial values
    Init,
}
