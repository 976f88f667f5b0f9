//! The daemon's log: its events, and explanations of those that are known.

mod event;
mod signatures;

pub(crate) use self::event::{Event, Events};
#[cfg(feature = "aws")]
pub(crate) use self::signatures::{Cause, cause};
pub(crate) use self::signatures::{Context, explain};

/// The name under which the launcher writes to the file of the daemon's log.
pub(crate) const LAUNCHER: &str = "Launcher";
/// The start of the launcher's event before each start of the daemon. The description of the worker follows, as JSON.
pub(crate) const STARTING: &str = "starting the daemon ";
/// The launcher's message once the daemon is up. As JSON, it has the same description.
pub(crate) const IS_UP: &str = "the daemon is up";

/// The call and its time in a line in which `kcl` reports a handler of this shard that runs for a long time.
pub(crate) fn long_call<'a>(shard: &str, line: &'a str) -> Option<(&'a str, &'a str)> {
    let (call, time) = line.split_once(" has been running for ")?;
    Some((report_of(shard, call)?, time))
}

/// The text of a line in which `kcl` reports something about this shard.
fn report_of<'a>(shard: &str, line: &'a str) -> Option<&'a str> {
    line.strip_prefix("kcl: shard ")?.strip_prefix(shard)?.strip_prefix(": ")
}
