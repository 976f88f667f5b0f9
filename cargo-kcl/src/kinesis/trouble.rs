//! What people hear of a stream that cannot be read for a while.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::report;

/// What is over sooner is not worth a word.
const WORTH_A_WORD: Duration = Duration::from_secs(2);

/// The shards that cannot be read just now.
#[derive(Debug, Default)]
pub(crate) struct Troubles(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    since: BTreeMap<u32, Instant>,
    /// Since when there was trouble when it was said.
    said: Option<Instant>,
}

impl Troubles {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A shard cannot be read; one more try is to come.
    pub(crate) fn met(&self, shard: u32, error: impl fmt::Display) {
        let mut state = self.state();
        let since = *state.since.entry(shard).or_insert_with(Instant::now);
        if state.said.is_none() && since.elapsed() >= WORTH_A_WORD {
            state.said = Some(since);
            report::line(format_args!("{error}; it is tried again until it works or Ctrl-C ends the run"));
        }
    }

    /// A shard was read.
    pub(crate) fn over(&self, shard: u32) {
        let mut state = self.state();
        state.since.remove(&shard);
        if state.since.is_empty()
            && let Some(since) = state.said.take()
        {
            report::line(format_args!("the stream is read again, after {:.0} s", since.elapsed().as_secs_f64()));
        }
    }
}
