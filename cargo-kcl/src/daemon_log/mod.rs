//! The daemon's log: its events, and explanations of those that are known.

mod event;
mod signatures;

pub(crate) use self::event::{Event, Events};
#[cfg(feature = "aws")]
pub(crate) use self::signatures::{Cause, cause};
pub(crate) use self::signatures::{Context, explain};

/// The call and its time in a line in which `kcl` reports a handler of this shard that runs for a long time.
pub(crate) fn long_call<'a>(shard: &str, line: &'a str) -> Option<(&'a str, &'a str)> {
    let (call, time) = line.split_once(" has been running for ")?;
    let call = call.strip_prefix("kcl: shard ")?.strip_prefix(shard)?.strip_prefix(": ")?;
    Some((call, time))
}
