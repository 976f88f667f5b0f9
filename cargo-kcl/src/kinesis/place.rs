//! The place of a Kinesis service.

use std::fmt;

/// The place of a Kinesis service; its `Display` is a phrase for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) region: String,
    pub(crate) endpoint: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            Some(endpoint) => write!(f, "at {endpoint}, region {}", self.region),
            None => write!(f, "in region {}", self.region),
        }
    }
}
