//! The protocol of the MultiLangDaemon: what it and a processor say to each other, one line of JSON each.
//!
//! The daemon writes a [`Message`] to the processor's stdin; the processor answers on its stdout with a [`Reply`]: any number
//! of checkpoints, each answered by a message, then the status, which acknowledges the message. The daemon never sends the
//! next message before that. Facts are those of `amazon-kinesis-client-multilang` 3, package
//! `software.amazon.kinesis.multilang`.
//!
//! [`daemon`] is the other side of the same conversation, for whatever stands in for the daemon.

mod base64;
pub mod daemon;
mod message;
mod records;
mod reply;

pub use message::{Message, MessageError, ProcessRecords, ShutdownReason};
pub use records::WireRecord;
pub use reply::{Refused, Reply};
