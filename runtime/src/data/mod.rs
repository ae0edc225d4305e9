//! Data sets: loaders, generators, transforms, batches.

pub mod catalogue;
