//! A processor's replies.

use serde::ser::{Serialize, SerializeStruct, Serializer};

/// A processor's answer: one line of JSON. With the feature `daemon`, `Reply::from_line` reads one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// Acknowledges a message.
    Status {
        /// The message's action. A status for any other action makes the daemon give up.
        response_for: Option<String>,
    },
    /// Asks for a checkpoint; the daemon answers with [`Message::Checkpoint`](super::Message::Checkpoint).
    Checkpoint {
        /// The sequence number of the last record to checkpoint; `None` means everything that was delivered. It is a
        /// string, because the daemon accepts any string and judges it later.
        sequence_number: Option<String>,
        /// The place within an aggregated record; `None` means 0.
        sub_sequence_number: Option<i64>,
    },
}

impl Reply {
    /// A status that acknowledges the message of this action.
    pub fn status(action: &str) -> Self {
        Self::Status { response_for: Some(action.to_owned()) }
    }
}

impl Serialize for Reply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Status { response_for } => Status(response_for.as_deref()).serialize(serializer),
            Self::Checkpoint { sequence_number, sub_sequence_number } => {
                let mut reply = serializer.serialize_struct("Reply", 3)?;
                reply.serialize_field("action", "checkpoint")?;
                reply.serialize_field("sequenceNumber", sequence_number)?;
                reply.serialize_field("subSequenceNumber", sub_sequence_number)?;
                reply.end()
            }
        }
    }
}

/// A request to checkpoint everything that was delivered.
const CHECKPOINT_ALL: &[u8] = br#"{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null}"#;

impl Reply {
    /// Appends the reply, without a line feed. The result is that of serializing it.
    pub(crate) fn write(&self, to: &mut Vec<u8>) -> serde_json::Result<()> {
        match self {
            Self::Checkpoint { sequence_number: None, sub_sequence_number: None } => {
                to.extend_from_slice(CHECKPOINT_ALL);
                Ok(())
            }
            Self::Checkpoint { .. } => serde_json::to_writer(to, self),
            Self::Status { response_for } => Status(response_for.as_deref()).write(to),
        }
    }
}

/// [`Reply::Status`] with a borrowed action.
pub(crate) struct Status<'a>(pub(crate) Option<&'a str>);

impl Status<'_> {
    /// Appends the reply, without a line feed. The result is that of serializing it.
    pub(crate) fn write(&self, to: &mut Vec<u8>) -> serde_json::Result<()> {
        match self.0 {
            Some(action) if action.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
                to.extend_from_slice(br#"{"action":"status","responseFor":""#);
                to.extend_from_slice(action.as_bytes());
                to.extend_from_slice(br#""}"#);
                Ok(())
            }
            _ => serde_json::to_writer(to, self),
        }
    }
}

impl Serialize for Status<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut reply = serializer.serialize_struct("Reply", 2)?;
        reply.serialize_field("action", "status")?;
        reply.serialize_field("responseFor", &self.0)?;
        reply.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_is_the_same_as_serializing() {
        let checkpoint = |number: Option<&str>, sub_sequence_number| Reply::Checkpoint {
            sequence_number: number.map(str::to_owned),
            sub_sequence_number,
        };
        let replies = [
            Reply::status("processRecords"),
            Reply::status("a \"quoted\" action"),
            Reply::Status { response_for: None },
            checkpoint(None, None),
            checkpoint(None, Some(0)),
            checkpoint(Some("7"), None),
            checkpoint(Some("7"), Some(3)),
        ];
        for reply in replies {
            let mut line = Vec::new();
            reply.write(&mut line).unwrap();
            assert_eq!(line, serde_json::to_vec(&reply).unwrap());
        }
    }
}
