//! Derivatives of IR programs, as more IR.
//!
//! [`reverse()`] appends the definitions of a scalar's gradient, [`forward()`] those of directional
//! derivatives. Both take scalar derivatives from [`table`] and what a reduction does to them from
//! `reduction`; the result is ordinary IR and may be differentiated again.

mod activity;
mod adjoint;
mod forward;
mod reduction;
mod reverse;
pub mod table;

pub use forward::forward;
pub use reverse::reverse;
