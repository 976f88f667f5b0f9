//! Calls that fail for a while: how long they are retried, and when the user learns of it.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::error::AwsError;
use super::place::Place;
use crate::backoff::Backoff;
use crate::report;

/// Shorter interruptions are not reported.
const WORTH_REPORTING: Duration = Duration::from_secs(2);
/// The wait before a call is repeated.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(200), most: Duration::from_secs(5) };

/// A client of a service of AWS.
pub(crate) trait Remote {
    fn place(&self) -> &Place;

    /// When the last byte was sent or received.
    fn moved(&self) -> Instant;
}

/// The callers that the service does not serve at the moment, each of which has a name.
#[derive(Debug)]
pub(crate) struct Troubles {
    /// The reaction to it: `retrying until ...`.
    remedy: String,
    /// The sentence for its end: `the stream can be read again`.
    relief: &'static str,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The start of each caller's first call that failed.
    since: BTreeMap<String, Instant>,
    /// The start of the trouble that was reported, until it is over for all callers.
    reported: Option<Instant>,
}

impl Troubles {
    pub(crate) fn new(remedy: impl Into<String>, relief: &'static str) -> Self {
        Self { remedy: remedy.into(), relief, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Awaits a call, and reports it if no byte moves for a while.
    pub(crate) async fn attend<T>(&self, caller: &str, aws: &impl Remote, call: impl Future<Output = T>) -> T {
        let mut call = pin!(call);
        let began = Instant::now();
        loop {
            let moved = aws.moved().max(began);
            match timeout_at(moved + WORTH_REPORTING, &mut call).await {
                Ok(output) => return output,
                Err(_) if aws.moved() > moved => {}
                Err(_) => {
                    let silence = report::duration(WORTH_REPORTING);
                    let place = aws.place();
                    self.note(
                        caller,
                        moved,
                        format_args!("{} {place} has not answered for {silence}; waiting, and", place.service),
                    );
                    return call.await;
                }
            }
        }
    }

    /// Notes that a call failed that began then. It will be retried.
    pub(crate) fn met(&self, caller: &str, began: Instant, error: impl fmt::Display) {
        self.note(caller, began, format_args!("{error};"));
    }

    /// Notes a trouble that began then, and reports it before the remedy if it is new and lasts.
    fn note(&self, caller: &str, began: Instant, trouble: impl fmt::Display) {
        let mut state = self.state();
        let since = *state.since.entry(caller.to_owned()).or_insert(began);
        if state.reported.is_none() && since.elapsed() >= WORTH_REPORTING {
            state.reported = Some(since);
            report::warning(format_args!("{trouble} {}", self.remedy));
        }
    }

    /// Notes that a call succeeded, or is no longer needed.
    pub(crate) fn over(&self, caller: &str) {
        let mut state = self.state();
        state.since.remove(caller);
        if state.since.is_empty()
            && let Some(since) = state.reported.take()
        {
            report::line(format_args!("{}, after {}", self.relief, report::elapsed(since.elapsed())));
        }
    }

    /// Makes a call, and repeats it while it fails for a transient reason, for at most this time.
    ///
    /// # Errors
    ///
    /// The last error.
    pub(crate) async fn persist<T>(
        &self,
        caller: &str,
        aws: &impl Remote,
        limit: Duration,
        mut call: impl AsyncFnMut() -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        let started = Instant::now();
        let mut attempts = 0;
        loop {
            let began = Instant::now();
            match self.attend(caller, aws, call()).await {
                Ok(output) => {
                    self.over(caller);
                    return Ok(output);
                }
                Err(error) if error.is_transient() && started.elapsed() < limit => {
                    self.met(caller, began, error);
                    attempts += 1;
                    sleep(BACKOFF.random(attempts)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}
