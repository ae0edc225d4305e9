//! Columns of tables and arrays: names decide, and no value is lost.
