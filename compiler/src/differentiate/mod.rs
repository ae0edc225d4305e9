//! Reverse and forward mode over the IR.
