//! Renderers: kernels and launches in the words of a machine. Each is a folder, and none imports another; what is
//! decided about vectors, masks and the order of sums is decided in `kernel/`, before a renderer sees it.

pub mod cranelift;
