//! Machine code by Cranelift: in memory for this machine ([`jit`]), or in an object file for another ([`object`]).
//! Its vectors have 128 bits; a value with more lanes is several of them.

pub mod arithmetic;
pub mod functions;
pub mod jit;
pub mod lanes;
pub mod loops;
pub mod object;
pub mod render;

#[cfg(test)]
mod agreement;
