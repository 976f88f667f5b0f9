//! The daemon's log: its events, and explanations of those that are known.

mod event;
mod signatures;

pub(crate) use self::event::{Event, Events};
#[cfg(feature = "aws")]
pub(crate) use self::signatures::{Cause, cause};
pub(crate) use self::signatures::{Context, explain};
