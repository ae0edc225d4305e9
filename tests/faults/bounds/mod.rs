//! Programs and files that would take time or memory without end.

mod files;
