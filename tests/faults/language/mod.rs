//! Words, settings and models that would be taken for something else.
