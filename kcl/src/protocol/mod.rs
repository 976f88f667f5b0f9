//! The protocol of the MultiLangDaemon: the daemon and a processor exchange messages, each of which is one line of
//! JSON.
//!
//! The daemon writes a [`Message`] to the processor's stdin. The processor answers on its stdout, with [`Reply`]s: any
//! number of checkpoints, each of which the daemon answers with a message, and then the status, which acknowledges the
//! message. The daemon never sends the next message before the status. All of this describes
//! `amazon-kinesis-client-multilang` 3, package `software.amazon.kinesis.multilang`.
//!
//! [`daemon`] is the other side of the same conversation, for programs that stand in for the daemon. [`recording`] reads
//! conversations that were recorded.

mod base64;
pub mod daemon;
mod message;
mod nesting;
pub mod recording;
mod records;
pub(crate) mod reply;
pub(crate) mod scanner;
mod shape;
mod wire_text;

pub use message::{Message, MessageError, ProcessRecordsMessage, ShutdownReason};
pub use records::WireRecord;
pub use reply::{Reply, ReplyError};
pub use wire_text::WireText;
