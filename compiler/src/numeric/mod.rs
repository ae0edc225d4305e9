//! The scalar functions as straight-line programs over primitive operations.
