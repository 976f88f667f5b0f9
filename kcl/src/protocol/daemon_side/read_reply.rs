//! Replies as the daemon reads them.

use std::fmt;

use serde_json::{Map, Value};

use crate::excerpt::Excerpt;
use crate::protocol::reply::Reply;

impl Reply {
    /// Reads one line as the daemon does, with or without its line feed: as strictly as its Jackson parser. A line that it would skip
    /// is a [`ReplyError`]. One of these is harmless, [`ReplyError::Blank`]: Amazon's libraries for Node, Python and Ruby write a
    /// line feed before each reply.
    ///
    /// ```
    /// use kcl::protocol::{Reply, ReplyError};
    ///
    /// let reply = Reply::from_line(br#"{"action":"status","responseFor":"initialize"}"#)?;
    /// assert_eq!(reply, Reply::Status { response_for: Some("initialize".to_owned()) });
    ///
    /// assert!(matches!(Reply::from_line(b"hello from a println!"), Err(ReplyError::NotJson(_))));
    /// # Ok::<(), ReplyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the daemon would not accept the line as a reply; see [`ReplyError::consequence`].
    pub fn from_line(line: &[u8]) -> Result<Self, ReplyError> {
        // Like Jackson's readValue, this ignores everything after the first value.
        let value = match serde_json::Deserializer::from_slice(line).into_iter::<Value>().next() {
            Some(Ok(value)) => value,
            Some(Err(error)) => return Err(ReplyError::NotJson(error.to_string())),
            None => return Err(ReplyError::Blank),
        };
        let mut fields = match value {
            Value::Object(fields) => Fields(fields),
            Value::Null => return Err(ReplyError::Null),
            _ => return Err(ReplyError::NotAnObject),
        };
        let action = match fields.0.remove("action") {
            Some(Value::String(action)) => action,
            _ => return Err(ReplyError::NoAction),
        };
        let reply = match action.as_str() {
            "status" => Self::Status { response_for: fields.string("responseFor")? },
            "checkpoint" => {
                fields.string("error")?;
                Self::Checkpoint {
                    sequence_number: fields.string("sequenceNumber")?,
                    sub_sequence_number: fields.long("subSequenceNumber")?,
                }
            }
            "initialize" | "processRecords" | "leaseLost" | "shardEnded" | "shutdownRequested" | "shutdown" => {
                return Err(ReplyError::NotAReply(action));
            }
            _ => return Err(ReplyError::UnknownAction(action)),
        };
        match fields.0.into_iter().next() {
            Some((field, _)) => Err(ReplyError::UnknownField { action, field }),
            None => Ok(reply),
        }
    }
}

/// The fields that were not read yet. Scalars are coerced as Jackson does it.
struct Fields(Map<String, Value>);

impl Fields {
    fn string(&mut self, name: &'static str) -> Result<Option<String>, ReplyError> {
        Ok(match self.0.remove(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text),
            Some(scalar @ (Value::Number(_) | Value::Bool(_))) => Some(scalar.to_string()),
            Some(Value::Array(_) | Value::Object(_)) => {
                return Err(ReplyError::WrongType { field: name, expected: "a string" });
            }
        })
    }

    fn long(&mut self, name: &'static str) -> Result<Option<i64>, ReplyError> {
        let wrong = Err(ReplyError::WrongType { field: name, expected: "an integer" });
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(number)) => {
                let float = || number.as_f64().filter(|float| float.abs() < i64::MAX as f64).map(|float| float as i64);
                number.as_i64().or_else(float).map_or(wrong, |long| Ok(Some(long)))
            }
            Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
            Some(Value::String(text)) => text.trim().parse().map_or(wrong, |long| Ok(Some(long))),
            Some(_) => wrong,
        }
    }
}

/// The reason the daemon would not accept a line as a [`Reply`]. (`GetNextMessageTask`, an `ObjectMapper` with its
/// defaults)
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplyError {
    /// The line is empty, or only white space. Skip it.
    Blank,
    /// The line is not JSON. Most often, something printed to stdout.
    NotJson(String),
    /// The JSON value `null`.
    Null,
    /// JSON, but not an object.
    NotAnObject,
    /// An object without an `action` of type string.
    NoAction,
    /// An action that the daemon does not know.
    UnknownAction(String),
    /// A message that only the daemon sends.
    NotAReply(String),
    /// A field that the action does not have.
    UnknownField {
        /// The action.
        action: String,
        /// The field.
        field: String,
    },
    /// A field with a value that Jackson does not coerce.
    WrongType {
        /// The field.
        field: &'static str,
        /// The type that it needs.
        expected: &'static str,
    },
}

impl ReplyError {
    /// The real daemon's reaction to such a line.
    pub fn consequence(&self) -> &'static str {
        match self {
            Self::Blank => "the MultiLangDaemon skips a blank line and reads the next one",
            Self::Null => "the MultiLangDaemon ends the whole worker, with exit code 1",
            _ => "the MultiLangDaemon silently skips such a line and keeps waiting, forever if nothing else arrives",
        }
    }
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blank => f.write_str("a blank line"),
            Self::NotJson(error) => write!(f, "not JSON ({error})"),
            Self::Null => f.write_str("the JSON value `null`"),
            Self::NotAnObject => f.write_str("JSON, but not an object"),
            Self::NoAction => f.write_str("a JSON object without an `action`"),
            Self::UnknownAction(action) => write!(f, "the unknown action `{}`", Excerpt(action.as_bytes())),
            Self::NotAReply(action) => write!(f, "`{action}`, which only the daemon sends"),
            Self::UnknownField { action, field } => {
                write!(f, "`{action}` with the unknown field `{}`", Excerpt(field.as_bytes()))
            }
            Self::WrongType { field, expected } => write!(f, "`{field}` is not {expected}"),
        }
    }
}

impl std::error::Error for ReplyError {}
