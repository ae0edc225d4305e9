//! Scalar functions, their derivatives, and files that compute them elsewhere.
