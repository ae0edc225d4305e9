//! Runs that are interrupted, resumed, repeated or done at once.
