//! The protocol of the MultiLangDaemon: the daemon and a processor exchange messages, each of which is one line of
//! JSON.
//!
//! The daemon writes a [`Message`] to the processor's stdin. The processor answers on its stdout, with [`Reply`]s: any
//! number of checkpoints, each of which the daemon answers with a message, and then the status, which acknowledges the
//! message. The daemon never sends the next message before the status. All of this describes
//! `amazon-kinesis-client-multilang` 3, package `software.amazon.kinesis.multilang`.
//!
//! The feature `daemon` adds two modules. `daemon` is the other side of the conversation, for programs that stand in for the daemon.
//! `recording` reads recorded conversations.

mod base64;
#[cfg(any(feature = "daemon", test))]
mod daemon_side;
mod message;
mod nesting;
mod records;
pub(crate) mod reply;
pub(crate) mod scanner;
mod shape;

#[cfg(any(feature = "daemon", test))]
pub use daemon_side::{ProcessRecordsMessage, ReplyError, WireRecord, WireText, daemon, recording};
pub use message::{Message, MessageError, ShutdownReason};
pub use reply::Reply;
