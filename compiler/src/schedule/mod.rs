//! From optimised IR to loops and a memory plan.
