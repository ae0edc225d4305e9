//! What evaluation, metrics, gradients and starting weights mean.
