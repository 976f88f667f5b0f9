//! The place of a service of AWS.

use std::fmt;

use crate::args::without_password;

/// A service of AWS that the tool calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Kinesis,
    DynamoDb,
}

impl Service {
    /// The prefix of the service's actions in IAM policies, and its name in signatures.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Kinesis => "kinesis",
            Self::DynamoDb => "dynamodb",
        }
    }

    /// The noun for the resource that calls of the service name.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Kinesis => "stream",
            Self::DynamoDb => "table",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kinesis => "Kinesis",
            Self::DynamoDb => "DynamoDB",
        })
    }
}

/// The place of a service; its `Display` is a phrase for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) service: Service,
    pub(crate) region: String,
    pub(crate) endpoint: Option<Box<str>>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            Some(endpoint) => write!(f, "at {}, region {}", without_password(endpoint), self.region),
            None => write!(f, "in region {}", self.region),
        }
    }
}
