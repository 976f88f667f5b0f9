//! The answer of a processor to the tools that start it: what its type asks for.

use std::time::Duration;

use rustix::stdio::stdout;
use serde::Serialize;

use crate::async_processor::AsyncProcessor;
use crate::concurrency::Concurrency;
use crate::io::fd::write_all;
use crate::policy::FailurePolicy;
use crate::runner::counts::is_on;

/// The answer: one line of JSON on stdout. Times are in milliseconds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    /// Messages without records are of use: for the tick, or for checkpoints of batches that were acknowledged ahead.
    empty_batches: bool,
    /// How many records are handled at once.
    concurrency: Option<u32>,
    /// How many batches are acknowledged before all of their records are done.
    ahead: u32,
    /// How long running records get before a shutdown.
    drain_millis: Option<u64>,
    /// How long an attempt may take.
    timeout_millis: Option<u64>,
    /// How often a record is tried, and how long it waits between the attempts at most.
    attempts: u64,
    backoff_millis: u64,
}

impl Description {
    fn of<P: AsyncProcessor>() -> Self {
        let FailurePolicy { retry, backoff, .. } = P::POLICY;
        let ahead = P::CONCURRENCY.map_or(0, |Concurrency { ahead, .. }| ahead);
        // The limit of the wait no longer grows after 32 attempts.
        let growing = retry.min(32);
        let waits = (1..=growing).map(|attempt| backoff.limit(attempt)).fold(Duration::ZERO, Duration::saturating_add);
        let waits = waits.saturating_add(backoff.limit(32).saturating_mul(retry - growing));
        Self {
            empty_batches: P::TICK.is_some() || ahead > 0,
            concurrency: P::CONCURRENCY.map(|concurrency| concurrency.at_once),
            ahead,
            drain_millis: P::CONCURRENCY.map(|concurrency| millis(concurrency.drain)),
            timeout_millis: P::TIMEOUT.map(millis),
            attempts: u64::from(retry) + 1,
            backoff_millis: millis(waits),
        }
    }
}

fn millis(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}

/// Writes the answer to stdout if `KCL_DESCRIBE=1` asks for it. Returns whether it does. The process then has nothing else to do.
pub(crate) fn describe<P: AsyncProcessor>() -> bool {
    if !is_on("KCL_DESCRIBE") {
        return false;
    }
    let mut line = serde_json::to_vec(&Description::of::<P>()).unwrap_or_default();
    line.push(b'\n');
    write_all(stdout(), &line);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::BoxError;
    use crate::inputs::ProcessRecords;
    use crate::processor::Processor;

    struct Patient;

    impl Processor for Patient {
        const TICK: Option<Duration> = Some(Duration::from_secs(5));
        const POLICY: FailurePolicy =
            FailurePolicy::new().retry(40).backoff(Duration::from_millis(100), Duration::from_secs(1));

        fn process_records(&mut self, _: &mut ProcessRecords<'_>) -> Result<(), BoxError> {
            Ok(())
        }
    }

    #[test]
    fn the_longest_waits_are_added_up() {
        let text = serde_json::to_string(&Description::of::<Patient>()).expect("JSON");
        // 100, 200, 400 and 800 ms, and 36 times a second.
        let expected = concat!(
            r#"{"emptyBatches":true,"concurrency":null,"ahead":0,"drainMillis":null,"timeoutMillis":null,"#,
            r#""attempts":41,"backoffMillis":37500}"#
        );
        assert_eq!(text, expected);
    }
}
