//! The daemon's side: how it writes messages, reads replies and judges checkpoints. Also recorded conversations.

pub mod daemon;
mod encoding;
mod pen;
mod read_reply;
pub mod recording;
mod wire_text;
mod written;

pub use read_reply::ReplyError;
pub use wire_text::WireText;
pub use written::{ProcessRecordsMessage, WireRecord};
