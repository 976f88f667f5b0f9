//! Records that failed permanently, and a place to keep them.

mod json_lines;
pub(crate) mod letter;

pub use json_lines::JsonLines;
pub use letter::DeadLetter;
