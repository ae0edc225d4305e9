//! From the typed tree to IR modules: the minibatch becomes the first axis, nested reductions
//! become definitions of their own, and the passes of a train block are joined into the programs
//! the runtime runs (see [`programs`]).
//!
//! In: a checked `typed::Train` and a batch size. Out: verified `ir::Module`s whose persistent
//! tensors have the same names, order and shapes in every module of the same train block.

mod bounds;
mod build;
mod function;
mod generated;
mod pass;
pub mod program;
pub mod programs;
mod rounds;
pub mod scheduled;

pub use function::function;
pub use generated::generated;
pub use program::Program;
pub use programs::{evaluation, gradients, init, training};
