//! Pictures, archives and files of arrays: read as they are meant, or refused.

mod axes;
mod images;
mod weights;
