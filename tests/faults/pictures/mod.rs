//! Pictures, archives and files of arrays: read as they are meant, or refused.
