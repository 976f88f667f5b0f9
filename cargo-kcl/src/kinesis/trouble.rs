//! Tells the user about a stream that cannot be read for a while, and about records that are dropped.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::input::kpl::Dropped;
use crate::report;

/// Shorter interruptions are not reported.
const WORTH_REPORTING: Duration = Duration::from_secs(2);

/// The shards that cannot be read at the moment, and the aggregates that were dropped.
#[derive(Debug, Default)]
pub(crate) struct Troubles {
    state: Mutex<State>,
    pub(crate) dropped: Dropped,
}

#[derive(Debug, Default)]
struct State {
    /// The time of each shard's first failure.
    since: BTreeMap<String, Instant>,
    /// The first failure that was reported, until all shards can be read again.
    reported: Option<Instant>,
}

impl Troubles {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a failure to read a shard, which will be retried.
    pub(crate) fn met(&self, shard: &str, error: impl fmt::Display) {
        let mut state = self.state();
        let since = *state.since.entry(shard.to_owned()).or_insert_with(Instant::now);
        if state.reported.is_none() && since.elapsed() >= WORTH_REPORTING {
            state.reported = Some(since);
            report::line(format_args!("{error}; retrying until it works or Ctrl-C ends the run"));
        }
    }

    /// Notes that a shard was read, or no longer needs to be.
    pub(crate) fn over(&self, shard: &str) {
        let mut state = self.state();
        state.since.remove(shard);
        if state.since.is_empty()
            && let Some(since) = state.reported.take()
        {
            report::line(format_args!("the stream can be read again, after {}", report::elapsed(since.elapsed())));
        }
    }
}
