//! A problem in a daemon's properties.

use std::fmt;

use super::file::{Origin, Property};
use crate::report::{self, Message};

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// The daemon runs, but probably not as intended.
    Warning,
    /// The daemon does not run, or not as the properties say.
    Error,
}

/// One problem: its place, a description, the reason, and the fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) level: Level,
    /// `None` if a property is missing.
    pub(crate) origin: Option<Origin>,
    pub(crate) what: String,
    pub(crate) why: String,
    pub(crate) fix: String,
}

impl Finding {
    pub(crate) fn error(what: impl Into<String>, why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { level: Level::Error, origin: None, what: what.into(), why: why.into(), fix: fix.into() }
    }

    pub(crate) fn warning(what: impl Into<String>, why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { level: Level::Warning, ..Self::error(what, why, fix) }
    }

    pub(crate) fn at(self, property: &Property) -> Self {
        Self { origin: Some(property.origin.clone()), ..self }
    }

    /// The finding as a message, with this file name before its line number.
    pub(crate) fn in_file(&self, name: impl fmt::Display) -> Message {
        let place = match &self.origin {
            Some(Origin::Line(line)) => format!("{name}:{line}"),
            Some(Origin::Flag(flag)) => flag.clone(),
            Some(Origin::Tool) | None => name.to_string(),
        };
        let (word, level) = match self.level {
            Level::Warning => ("warning", report::Level::Warn),
            Level::Error => ("error", report::Level::Error),
        };
        Message::result(level, format_args!("{place}: {word}: {}", self.what))
            .with([format_args!("why: {}", self.why), format_args!("fix: {}", self.fix)])
    }
}
